"""The meta-gradient of one batch, computed as it stands: by vmap or in the loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..tasks import TaskBatch

Learner = Any  # learners stand above the engine, which imports none of them


class MetaGradient(NamedTuple):
    """A meta-loss and its derivatives."""

    loss: Tensor
    """The mean over tasks, a scalar without a graph."""
    slopes: list[Tensor | None]
    """One for each of `trained`; None where the loss does not depend on it."""


def trained(learner: Learner) -> list[Tensor]:
    """The meta-parameters that want a gradient."""
    return [p for p in learner.parameters() if p.requires_grad]


def device_of(learner: Learner) -> torch.device:
    """Where a learner computes."""
    return next((p.device for p in learner.parameters()), torch.device("cpu"))


@contextmanager
def computed_by(learner: Learner, how: str) -> Iterator[None]:
    """Within it, ``learner.meta_loss`` maps its tasks by "vmap" or "loop"."""
    before, learner.strategy = learner.strategy, how
    try:
        yield
    finally:
        learner.strategy = before


def by_autograd(
    learner: Learner, batch: TaskBatch, how: str, parameters: list[Tensor] | None = None
) -> MetaGradient:
    """``learner.meta_loss`` of all tasks at once, differentiated.

    Args:
        learner: whose meta-loss it is.
        batch: on the learner's device.
        how: "vmap" or "loop".
        parameters: to differentiate by; `trained` if None.
    """
    parameters = trained(learner) if parameters is None else parameters
    with computed_by(learner, how), torch.enable_grad():
        loss = learner.meta_loss(batch)
        slopes = torch.autograd.grad(loss, parameters, allow_unused=True)
    return MetaGradient(loss.detach(), list(slopes))


def weighted_sum(parts: Iterable[tuple[float, MetaGradient]]) -> MetaGradient:
    """Σ weight · part, each part let go before the next is asked for.

    The only part of a sum, with weight 1, is returned as it is.
    """
    parts = iter(parts)
    weight, total = next(parts)
    if weight != 1:
        total = scaled(total, weight)
    for weight, other in parts:
        total.loss.add_(other.loss, alpha=weight)
        for slope, further in zip(total.slopes, other.slopes, strict=True):
            if slope is not None:
                slope.add_(further, alpha=weight)
    return total


def scaled(part: MetaGradient, weight: float) -> MetaGradient:
    """A meta-gradient times a number."""
    slopes = [None if slope is None else weight * slope for slope in part.slopes]
    return MetaGradient(weight * part.loss, slopes)
