"""Conditional neural process: a network that reads a set and answers with densities."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.functional import softplus

from ..losses import mse_loss
from .base import Loss
from .checks import check_positive
from .probabilistic import ProbabilisticLearner


class ConditionalNeuralProcess(ProbabilisticLearner):
    """Predicts from the mean of what an encoder makes of each support example.

    φ = mean over the support set of encoder(x, y); decoder(x, φ) gives mean and
    standard deviation of each target. Nothing is inferred: that its densities suit the
    support set is all learned, in one forward pass (amortised inference). Source:
    Garnelo et al. 2018, equations 1 to 3.

    Args:
        encoder: ``(examples, inputs + outputs) -> (examples, width)``.
        decoder: ``(examples, inputs + width) -> (examples, 2 outputs)``: means, then
            what a softplus turns into standard deviations.
        floor: the smallest standard deviation, above 0.
        loss: as in `ALPaCA`.

    Raises:
        ValueError: a floor that is not above 0; a decoder of another width.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        floor: float = 1e-3,
        loss: Loss = mse_loss,
    ) -> None:
        for name, part in (("encoder", encoder), ("decoder", decoder)):
            if not isinstance(part, nn.Module):
                raise TypeError(f"{name} is a {type(part).__name__}, not an nn.Module")
        super().__init__(nn.ModuleDict({"encoder": encoder, "decoder": decoder}), loss)
        check_positive("floor", floor)
        self.floor = floor

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Tensor:
        """φ, ``(width,)``: the same for any order of the examples."""
        return self.model["encoder"](torch.cat([support_x, support_y], dim=1)).mean(0)

    def distribution(self, fitted: Tensor, query_x: Tensor) -> Normal:
        """A normal distribution for each target, ``(examples, outputs)``."""
        seen = fitted.expand(len(query_x), -1)
        outputs = self.model["decoder"](torch.cat([query_x, seen], dim=1))
        if outputs.shape[1] % 2:
            raise ValueError(
                f"the decoder gives {outputs.shape[1]} numbers: a mean and a standard "
                "deviation for each output are needed, an even number"
            )
        mean, raw = outputs.chunk(2, dim=1)
        return Normal(mean, self.floor + softplus(raw), validate_args=False)
