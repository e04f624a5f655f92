"""Architecture search across tasks: a few steps adapt the structure to each."""

from __future__ import annotations

from torch import nn

from ..learners import MAML
from ..learners.base import Loss
from ..learners.checks import check_positive
from ..learners.inner_loop import Rate


class MetaNAS(MAML):
    """MAML whose inner loop adapts the architecture α too, at a rate of its own.

    What is learned is a start for both, θ = (w, α), from which a few steps adapt both.
    Source: Elsken et al. 2020, equation 3, with MAML's meta-gradient in place of
    Reptile's, and without their pruning after adaptation.

    Args:
        model: one with a parameter ``alpha``, such as `CellNetwork`.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        inner_lr: the inner rate of the weights.
        inner_steps: K.
        alpha_lr: the inner rate of α; 0 leaves the structure the same for all tasks.
        first_order: take each inner gradient for a constant.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        inner_lr: float = 0.01,
        inner_steps: int = 1,
        alpha_lr: float = 1.0,
        first_order: bool = False,
    ) -> None:
        super().__init__(model, loss, inner_lr, inner_steps, first_order)
        if "alpha" not in dict(model.named_parameters()):
            raise ValueError("the model has no parameter alpha: CellNetwork has one")
        if alpha_lr:
            check_positive("alpha_lr", alpha_lr)
        self.alpha_lr = alpha_lr

    def rates(self, steps: int) -> list[Rate]:
        """One rate for the weights, and one for α."""
        names = [name for name, _ in self.model.named_parameters()]
        one = dict.fromkeys(names, self.inner_lr) | {"alpha": self.alpha_lr}
        return [one] * steps
