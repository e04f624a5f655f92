"""Sine waves to regress: the first experiment of the MAML paper."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..checks import at_least_one, check_generator, is_number
from ..tasks import TaskBatch, TaskSource

LARGEST = 1e30
"""The largest number that may be asked for: single precision ends at 3e38."""


class Sinusoid(TaskSource):
    """Tasks y = A sin(x − b), each with its own amplitude A and phase b.

    All three of A, b and x are uniform in their ranges. Source: Finn et al. 2017,
    section 5.1.

    Args:
        shots: support examples per task (k).
        queries: query examples per task; as many as ``shots`` if None.
        amplitude: range of A.
        phase: range of b, in radians.
        x: range of the inputs.
        noise: standard deviation of Gaussian noise on every target.

    Shapes of a batch of n tasks: ``x`` and ``y`` are ``(n, examples, 1)``, in
    torch's default dtype; ``truth["amplitude"]``, ``truth["phase"]`` are ``(n,)``.

    Raises:
        ValueError: a count below 1, a range whose ends are not finite and in
            order, or a negative noise.
    """

    def __init__(
        self,
        shots: int = 5,
        queries: int | None = None,
        *,
        amplitude: tuple[float, float] = (0.1, 5.0),
        phase: tuple[float, float] = (0.0, math.pi),
        x: tuple[float, float] = (-5.0, 5.0),
        noise: float = 0.0,
    ) -> None:
        self.shots = at_least_one("shots", shots)
        self.queries = at_least_one("queries", shots if queries is None else queries)
        for name, ends in (("amplitude", amplitude), ("phase", phase), ("x", x)):
            pair = isinstance(ends, (tuple, list)) and len(ends) == 2
            if not pair or not all(is_number(e) and math.isfinite(e) for e in ends):
                raise ValueError(f"{name} is {ends!r}: a finite (low, high) is needed")
            if not -LARGEST <= ends[0] <= ends[1] <= LARGEST:
                raise ValueError(
                    f"{name} is {ends}: a finite (low, high), at most 1e30, is needed"
                )
        if not (is_number(noise) and 0 <= noise <= LARGEST):
            raise ValueError(f"noise is {noise!r}: a standard deviation is at least 0")
        self.amplitude, self.phase, self.x, self.noise = amplitude, phase, x, noise

    def sample(self, n: int, generator: torch.Generator | None = None) -> TaskBatch:
        n = at_least_one("n", n)
        check_generator(generator)
        examples = self.shots + self.queries
        amplitude = uniform((n, 1, 1), self.amplitude, generator)
        phase = uniform((n, 1, 1), self.phase, generator)
        x = uniform((n, examples, 1), self.x, generator)
        y = amplitude * torch.sin(x - phase)
        if self.noise:
            y = y + self.noise * torch.randn(y.shape, generator=generator)
        k = self.shots
        truth = {"amplitude": amplitude.flatten(), "phase": phase.flatten()}
        return TaskBatch(x[:, :k], y[:, :k], x[:, k:], y[:, k:], truth)


def uniform(
    shape: tuple[int, ...],
    ends: tuple[float, float],
    generator: torch.Generator | None,
) -> Tensor:
    """Uniform numbers between the two ``ends``."""
    low, high = ends
    return low + (high - low) * torch.rand(shape, generator=generator)
