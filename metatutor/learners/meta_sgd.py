"""Meta-SGD: learn the inner rates together with the start."""

from __future__ import annotations

import torch
from torch import nn

from .base import Loss
from .inner_loop import Rate
from .maml import MAML


class MetaSGD(MAML):
    """MAML with a learned rate for every single weight.

    φ = θ − **α** ⊙ ∇ℓ^S(θ), where **α** has the shape of θ and is a meta-parameter
    as θ is: it learns how far to go and, since it may become negative, also in which
    direction. Source: Li et al. 2017, equations 2 and 3 (one step there).

    Args:
        model: any ``nn.Module``; never changed by adaptation.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        inner_lr: where every rate starts, above 0.
        inner_steps: K, how many steps with the same rates.
        first_order: take each inner gradient for a constant.

    Raises:
        ValueError: a rate that is not above 0, steps below 0, or a model with
            running batch statistics.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        inner_lr: float = 0.01,
        inner_steps: int = 1,
        first_order: bool = False,
    ) -> None:
        super().__init__(model, loss, inner_lr, inner_steps, first_order)
        # in units of inner_lr: outer steps change rates by a share, not by an amount
        self.relative_rates = nn.ParameterList(
            torch.ones_like(weight) for weight in model.parameters()
        )

    def rates(self, steps: int) -> list[Rate]:
        """The learned rates of each weight, the same in every step."""
        named = zip(self.model.named_parameters(), self.relative_rates, strict=True)
        return [{name: self.inner_lr * rate for (name, _), rate in named}] * steps
