"""Reptile: move towards where training on a task ends."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..checks import at_least_one
from .base import Loss
from .inner_loop import Parameters, gradient_descent, with_gradient
from .maml import MAML


class Reptile(MAML):
    """The first-order method without a query set.

    In training, a task's support and query examples are one training set: K steps of
    gradient descent lead from θ to φ_K, and the meta-gradient is θ − φ_K, so that
    an outer step of SGD with rate ε is the paper's θ ← θ + ε (φ_K − θ). Nothing is
    differentiated twice. With one step this is joint training; what makes later steps
    different is that gradients of different minibatches come to agree, and for that
    ``inner_batch`` must be smaller than a task.

    The meta-loss reports the loss at φ_K of the examples that φ_K was trained on; it
    is not what Reptile descends on, which is no function at all.

    Source: Nichol et al. 2018, algorithm 2 and section 5 (there the meta-gradient is
    divided by α, which Adam does not notice).

    Args:
        model: any ``nn.Module``; never changed by adaptation.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        inner_lr: α, the rate of the inner steps.
        inner_steps: K, how many of them in training and, unless told otherwise,
            in adaptation, which takes the whole support set at each step.
        inner_batch: examples in an inner step of training, drawn at random from the
            task with torch's global generator, which `meta_train` seeds; all if None.

    Raises:
        ValueError: a rate that is not above 0, steps below 0, no examples in a step, or
            a model with running batch statistics.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        inner_lr: float = 0.01,
        inner_steps: int = 5,
        inner_batch: int | None = None,
    ) -> None:
        super().__init__(model, loss, inner_lr, inner_steps, first_order=True)
        if inner_batch is not None:
            at_least_one("inner_batch", inner_batch)
        self.inner_batch = inner_batch

    def task_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        steps: int | None = None,
    ) -> Tensor:
        """The loss at φ_K, with the derivative θ − φ_K: a scalar."""
        x = torch.cat([support_x, query_x])
        y = torch.cat([support_y, query_y])

        def batch_loss(phi: Parameters) -> Tensor:
            chosen = self.minibatch(len(x), x.device)
            return self.loss(self.predict(phi, x[chosen]), y[chosen])

        theta = dict(self.model.named_parameters())
        phi = gradient_descent(
            batch_loss,
            start={name: value.detach() for name, value in theta.items()},
            rates=self.rates(self.inner_steps if steps is None else steps),
        )
        moved = {name: theta[name].detach() - phi[name] for name in theta}
        return with_gradient(self.loss(self.predict(phi, x), y), theta, moved)

    @property
    def stochastic(self) -> bool:
        return self.inner_batch is not None or super().stochastic

    def minibatch(self, examples: int, device: torch.device) -> Tensor | slice:
        """Which examples an inner step is taken on."""
        if self.inner_batch is None or self.inner_batch >= examples:
            return slice(None)
        return torch.randperm(examples, device=device)[: self.inner_batch]
