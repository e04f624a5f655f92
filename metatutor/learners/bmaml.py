"""Bayesian MAML: several particles that descend together and keep apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, Normal

from ..losses import mse_loss
from .base import Loss
from .checks import at_least_zero, check_positive
from .inner_loop import Parameters
from .probabilistic import ProbabilisticLearner, logarithm, refuse_misfits


class BMAML(ProbabilisticLearner):
    """MAML with M particles, moved by Stein variational gradient descent (SVGD).

    Each particle is a network with its own learned start. An inner step moves all of
    them: down the support loss, with slopes shared among neighbours through a kernel,
    and away from each other. They predict a mixture of M normal distributions, whose
    density is the meta-loss: the paper's "Bayesian fast adaptation". The mean loss
    stands for −log p, which is a posterior at a raised temperature; the prior is in the
    starts. The paper's other meta-loss, the chaser, is left out. Source: Yoon et al.
    2018, section 3.1.

    Args:
        models: M networks of one architecture, ``(examples, …) -> (examples,
            outputs)``, initialised apart.
        inner_lr: α, the rate of the inner steps.
        inner_steps: K, how many of them.
        noise: where σ starts, the standard deviation of the targets; it is learned.
        loss: as in `ALPaCA`.

    Raises:
        ValueError: fewer than 2 particles, or of different shapes; a rate or a noise
            that is not above 0, steps below 0.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        inner_lr: float = 0.01,
        inner_steps: int = 1,
        noise: float = 0.1,
        loss: Loss = mse_loss,
    ) -> None:
        super().__init__(nn.ModuleList(models), loss)
        check_positive("inner_lr", inner_lr)
        at_least_zero("inner_steps", inner_steps)
        kinds = {tuple(p.shape for p in model.parameters()) for model in self.model}
        if len(self.model) < 2 or len(kinds) > 1:
            raise ValueError(
                f"{len(self.model)} particles of {len(kinds)} shapes: at least 2 "
                "networks of one architecture are needed"
            )
        self.inner_lr = inner_lr
        self.inner_steps = inner_steps
        self.log_noise = nn.Parameter(logarithm("noise", noise))

    def start(self) -> Parameters:
        """The particles' learned starts, stacked: ``(particles, …)`` for each name."""
        every = [dict(model.named_parameters()) for model in self.model]
        return {name: torch.stack([one[name] for one in every]) for name in every[0]}

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Parameters:
        """The particles after the inner steps, stacked."""

        def support_loss(phi: Parameters, targets: Tensor) -> Tensor:
            outputs = torch.func.functional_call(self.model[0], phi, (support_x,))
            refuse_misfits(outputs, targets)
            return self.loss(outputs, targets)

        # one copy for each: PyTorch's mse_loss cannot map over the outputs alone
        targets = support_y.expand(len(self.model), *support_y.shape)
        phi = self.start()
        for _ in range(self.inner_steps if steps is None else steps):
            slopes = torch.func.vmap(torch.func.grad(support_loss))(phi, targets)
            towards = stein(flattened(phi), -flattened(slopes))
            phi = unflattened(flattened(phi) + self.inner_lr * towards, phi)
        return phi

    def distribution(self, fitted: Parameters, query_x: Tensor) -> MixtureSameFamily:
        """The mixture of the particles' predictions, ``(examples, outputs)``."""

        def outputs(phi: Parameters) -> Tensor:
            return torch.func.functional_call(self.model[0], phi, (query_x,))

        means = torch.func.vmap(outputs, out_dims=-1)(fitted)
        each = Normal(means, self.log_noise.exp().expand_as(means), validate_args=False)
        alike = Categorical(logits=torch.zeros_like(means), validate_args=False)
        return MixtureSameFamily(alike, each, validate_args=False)


def stein(particles: Tensor, slopes: Tensor) -> Tensor:
    """The direction of SVGD: mean over n of k(n, m) ∇log p(n) + ∇_n k(n, m).

    k is a Gaussian kernel, whose squared width is the median squared distance over the
    logarithm of their number. Source: Liu and Wang 2016, algorithm 1.

    Args:
        particles: ``(particles, numbers)``.
        slopes: the gradient of the log density at each, of the same shape.
    """
    apart = particles[:, None] - particles[None]
    squares = apart.square().sum(-1)
    median = squares.flatten().sort().values[squares.numel() // 2]
    width = (median / math.log(len(particles) + 1)).clamp_min(1e-12)
    kernel = (-squares / width).exp()
    # ∂k(n, m)/∂n = −2 (n − m) k / width, summed over n
    away = 2 / width * (kernel[..., None] * apart).sum(1)
    return (kernel @ slopes + away) / len(particles)


def flattened(phi: Parameters) -> Tensor:
    """``(particles, numbers)``."""
    return torch.cat([value.flatten(1) for value in phi.values()], dim=1)


def unflattened(flat: Tensor, like: Parameters) -> Parameters:
    """The inverse of `flattened`."""
    parts = flat.split([value[0].numel() for value in like.values()], dim=1)
    return {n: p.view_as(v) for (n, v), p in zip(like.items(), parts, strict=True)}
