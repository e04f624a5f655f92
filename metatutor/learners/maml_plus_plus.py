"""MAML++: judge every inner step, and learn the rate of each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..checks import at_least_one
from .base import Loss
from .inner_loop import Rate, descent
from .maml import MAML


class MAMLPlusPlus(MAML):
    """MAML with two of the six changes that make it train stably.

    *Multi-step loss*: in training, the query loss is taken after every inner step, and
    their weighted mean is the task's loss. The weights start out equal and move
    linearly, over ``anneal_over`` iterations, to the last step alone. *Learned rates*:
    each weight tensor has a rate of its own for each inner step, meta-parameters all of
    them. What is left out concerns batch normalisation, the outer rate (`meta_train`
    has ``anneal``), and a first-order beginning.

    Source: Antoniou et al. 2019, section 4 (MSL and LSLR; their weights fall in steps).

    Args:
        model: any ``nn.Module``; never changed by adaptation.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        inner_lr: where every rate starts, above 0.
        inner_steps: K, at least 1. Further steps, if adaptation is told to take more,
            have the rates of the last.
        first_order: take each inner gradient for a constant.
        anneal_over: iterations of `meta_train` until only the last step counts.

    Raises:
        ValueError: a rate that is not above 0, no inner step, or a model with running
            batch statistics.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        inner_lr: float = 0.01,
        inner_steps: int = 5,
        first_order: bool = False,
        anneal_over: int = 1000,
    ) -> None:
        super().__init__(model, loss, inner_lr, inner_steps, first_order)
        at_least_one("inner_steps", inner_steps)
        self.anneal_over = at_least_one("anneal_over", anneal_over)
        tensors = sum(1 for _ in model.parameters())
        # in units of inner_lr: an outer step of 0.003 should not change a rate of
        # 0.02 by a seventh
        self.relative_rates = nn.Parameter(torch.ones(tensors, inner_steps))
        # a tensor, so that a compiled meta-loss need not be compiled anew as it changes
        self.register_buffer("_progress", torch.zeros(()), persistent=False)
        self._last_alone = False

    def at_iteration(self, iteration: int) -> None:
        """Sets how far the weights of the steps have moved to the last."""
        self._progress.fill_(min(1.0, iteration / self.anneal_over))
        self._last_alone = iteration >= self.anneal_over

    def rates(self, steps: int) -> list[Rate]:
        """The learned rates of each step, by weight tensor."""
        names = [name for name, _ in self.model.named_parameters()]
        rates = self.inner_lr * self.relative_rates
        last = self.inner_steps - 1
        return [
            dict(zip(names, rates[:, min(step, last)], strict=True))
            for step in range(steps)
        ]

    def step_weights(self) -> Tensor:
        """How much the query loss after each inner step counts: ``(K,)``, sum 1."""
        each = (1 - self._progress) / self.inner_steps
        return torch.stack([each] * (self.inner_steps - 1) + [each + self._progress])

    def task_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        steps: int | None = None,
    ) -> Tensor:
        """Σ_j w_j ℓ^Q(φ_j), a scalar; with ``steps`` given, ℓ^Q after so many."""
        if steps is not None or self._last_alone:
            return super().task_loss(support_x, support_y, query_x, query_y, steps)
        path = descent(
            self.loss_on(support_x, support_y),
            start=self.start(support_x),
            rates=self.rates(self.inner_steps),
            first_order=self.first_order,
        )
        query_loss = self.loss_on(query_x, query_y)
        return sum(
            weight * query_loss(phi)
            for weight, phi in zip(self.step_weights(), path, strict=True)
        )
