"""R2D2: the last layer of each task is solved for, by ridge regression."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..checks import is_label
from .base import Learner, Loss
from .checks import check_positive
from .prototypes import embedded, memberships


class R2D2(Learner):
    """A learned embedding with a differentiable closed-form solver on top.

    A task's last layer is W = argmin ‖f(X) W − Y‖² + λ ‖W‖², computed exactly and
    differentiated through. What is learned across tasks is the embedding f, the
    penalty λ, and how outputs are read: ``scale · f(x) W + offset``. Class labels
    become rows of Y with a 1 at their class; other targets are regressed as they are.
    Source: Bertinetto et al. 2019, equations 4, 6 and 7.

    Args:
        backbone: f, ``(examples, …) -> (examples, features)``.
        loss: ``loss(outputs, targets)``; outputs are ``(examples, ways)`` for labels,
            and of the targets' shape else.
        penalty: where λ starts, above 0. It is learned through its logarithm.

    Raises:
        ValueError: a penalty that is not above 0; targets to regress that are not
            ``(examples, outputs)``; a class without a support example.
    """

    def __init__(
        self, backbone: nn.Module, loss: Loss = cross_entropy, penalty: float = 1.0
    ) -> None:
        super().__init__(backbone, loss)
        check_positive("penalty", penalty)
        self.log_penalty = nn.Parameter(torch.tensor(float(penalty)).log())
        if not self.log_penalty.isfinite():
            raise ValueError(f"penalty is {penalty!r}: beyond the numbers of a tensor")
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.offset = nn.Parameter(torch.tensor(0.0))
        self.strategy = "loop"  # as in PrototypicalNetwork

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Tensor:
        """W, ``(features, outputs)``. ``steps`` has no meaning here."""
        features = embedded(self.model, support_x)
        if is_label(support_y):
            targets = memberships(support_y, features.dtype)
        elif support_y.dim() == 2:
            targets = support_y
        else:
            raise ValueError(
                f"targets have shape {tuple(support_y.shape)}: class labels, or values "
                "of shape (examples, outputs) are needed"
            )
        return ridge(features, targets, self.log_penalty.exp())

    def predict(self, weights: Tensor, query_x: Tensor) -> Tensor:
        """``scale · f(x) W + offset``, ``(examples, outputs)``."""
        return self.scale * (self.model(query_x) @ weights) + self.offset


def ridge(x: Tensor, y: Tensor, penalty: Tensor) -> Tensor:
    """argmin_W ‖x W − y‖² + penalty ‖W‖², through the smaller of two systems.

    (xᵀx + λI)⁻¹ xᵀ = xᵀ (xxᵀ + λI)⁻¹: with fewer examples than features, the second
    inverts a matrix with a row for each example. Source: Bertinetto et al. 2019,
    equation 6 (Woodbury's identity).

    Args:
        x: ``(examples, features)``.
        y: ``(examples, outputs)``.
        penalty: λ, a scalar above 0.

    Returns:
        ``(features, outputs)``.
    """
    examples, features = x.shape
    eye = torch.eye(min(x.shape), dtype=x.dtype, device=x.device)
    if examples < features:
        return x.T @ torch.linalg.solve(x @ x.T + penalty * eye, y)
    return torch.linalg.solve(x.T @ x + penalty * eye, x.T @ y)
