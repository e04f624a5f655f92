"""ALPaCA: a Bayesian linear regression on learned features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ..checks import at_least_one
from ..losses import mse_loss
from .base import Loss
from .linear_gaussian import Weights, log_evidence, posterior, predictive
from .probabilistic import ProbabilisticLearner, logarithm, refuse_misfits


class ALPaCA(ProbabilisticLearner):
    """Learns features and a Gaussian prior; a task's posterior is exact.

    The targets are f(x)ᵀ w plus Gaussian noise, and the weights w of a task come from
    N(mean, σ² Λ⁻¹). What is learned across tasks is the network f, the prior's mean
    and precision Λ, and the noise σ of each output; adapting is Bayes' rule in closed
    form, with no step and no rate. Source: Harrison et al. 2018, algorithm 1 (where σ
    is known).

    Args:
        backbone: f, ``(examples, …) -> (examples, features)``. End it with a linear
            layer: with its bias, a constant is among what the features can be.
        features: how many f gives.
        outputs: width of the targets, ``(examples, outputs)``.
        noise: where σ starts, above 0.
        learn_noise: whether σ is learned; else it stays as it is.
        loss: of means and targets, what `meta_evaluate` measures unless told
            otherwise. Training does not use it.

    Raises:
        ValueError: a noise that is not above 0; targets that are not ``(examples,
            outputs)`` of floating point, features of another number.
    """

    def __init__(
        self,
        backbone: nn.Module,
        features: int,
        outputs: int = 1,
        noise: float = 0.1,
        learn_noise: bool = True,
        loss: Loss = mse_loss,
    ) -> None:
        super().__init__(backbone, loss)
        at_least_one("features", features)
        at_least_one("outputs", outputs)
        start = logarithm("noise", noise)
        self.mean = nn.Parameter(torch.zeros(features, outputs))
        # Λ = L Lᵀ starts as σ², so that weights start with a variance of 1
        self.below = nn.Parameter(torch.zeros(features, features))
        self.log_diagonal = nn.Parameter(start.repeat(features))
        self.log_noise = nn.Parameter(start.repeat(outputs), requires_grad=learn_noise)

    @property
    def prior(self) -> Weights:
        """What is known of a task's weights before any example."""
        root = self.below.tril(-1) + self.log_diagonal.exp().diag()
        return Weights(self.mean, root)

    @property
    def noise(self) -> Tensor:
        """σ, the standard deviation of the noise of each output, ``(outputs,)``."""
        return self.log_noise.exp()

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Weights:
        """The posterior of the task's weights. ``steps`` has no meaning here."""
        features = self.features(support_x)
        refuse_misfits(features @ self.mean, support_y)
        return posterior(self.prior, features, support_y)

    def distribution(self, fitted: Weights, query_x: Tensor) -> Normal:
        """N(f(x)ᵀ mean, σ² (1 + f(x)ᵀ Λ⁻¹ f(x))), of shape ``(examples, outputs)``."""
        mean, variance = predictive(fitted, self.features(query_x), self.noise)
        return Normal(mean, variance.sqrt(), validate_args=False)

    def log_evidence(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(y | x, θ), in nats: the density of one task's examples together."""
        features = self.features(x)
        refuse_misfits(features @ self.mean, y)
        return log_evidence(self.prior, features, y, self.noise)

    def features(self, x: Tensor) -> Tensor:
        """f(x), ``(examples, features)``."""
        found = self.model(x)
        if found.dim() != 2 or found.shape[1] != len(self.mean):
            raise ValueError(
                f"the backbone gives {tuple(found.shape)}: (examples, features) with "
                f"{len(self.mean)} features is needed, as was promised"
            )
        return found
