"""ANIL: almost no inner loop, only the head adapts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .base import Loss
from .inner_loop import Parameters, gradient_descent
from .maml import MAML


class ANIL(MAML):
    """MAML whose inner steps change only the last layer.

    The layers before it, the body, turn inputs into features that are the same for
    all tasks, computed once for each set; a task's weights φ are those of the last
    layer, the head, after ``inner_steps`` steps from where they start. The meta-
    parameters are both. Source: Raghu et al. 2020, section 4.

    Args:
        model: an ``nn.Sequential`` whose last module is the head; any network becomes
            one as ``nn.Sequential(backbone, nn.Linear(features, outputs))``.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        inner_lr: α, the rate of the inner steps.
        inner_steps: K, how many of them in training and, unless told otherwise,
            in adaptation.
        first_order: take each inner gradient for a constant.

    Raises:
        TypeError: a model that is not ``nn.Sequential``.
        ValueError: a model without a body, or whose last module has nothing to adapt;
            a rate that is not above 0, steps below 0, or running batch statistics.
    """

    def __init__(
        self,
        model: nn.Sequential,
        loss: Loss,
        inner_lr: float = 0.01,
        inner_steps: int = 1,
        first_order: bool = False,
    ) -> None:
        super().__init__(model, loss, inner_lr, inner_steps, first_order)
        if not isinstance(model, nn.Sequential):
            raise TypeError(
                f"model is a {type(model).__name__}: ANIL needs an nn.Sequential whose "
                "last module is the head, such as nn.Sequential(backbone, head)"
            )
        if len(model) < 2 or not list(model[-1].parameters()):
            raise ValueError(
                f"model has {len(model)} modules and its last has "
                f"{sum(1 for _ in model[-1:].parameters())} parameter tensors: a body "
                "and a head with parameters are needed"
            )

    @property
    def body(self) -> nn.Sequential:
        """All layers but the last."""
        return self.model[:-1]

    @property
    def head(self) -> nn.Module:
        """The last layer."""
        return self.model[-1]

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Parameters:
        """φ_τ: the weights of the head after the inner steps."""
        features = self.body(support_x)

        def support_loss(phi: Parameters) -> Tensor:
            outputs = torch.func.functional_call(self.head, phi, (features,))
            return self.loss(outputs, support_y)

        return gradient_descent(
            support_loss,
            start=dict(self.head.named_parameters()),
            rates=self.rates(self.inner_steps if steps is None else steps),
            first_order=self.first_order,
        )

    def predict(self, fitted: Parameters, query_x: Tensor) -> Tensor:
        """The outputs of the fitted head on the features of the queries."""
        return torch.func.functional_call(self.head, fitted, (self.body(query_x),))
