"""The point near θ that minimises a loss: the inner problem of proximal methods."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .conjugate_gradient import Solution, nowhere


def minimise_near(
    loss: Callable[[Tensor], Tensor],
    centre: Tensor,
    *,
    strength: float,
    max_steps: int,
    tolerance: float,
) -> Solution:
    """Minimises ℓ(φ) + λ/2 ‖φ − centre‖² by gradient descent from the centre on.

    Each step is as long as the last change of the gradient suggests, and is taken back
    and shortened if it does not bring the objective below a running mean of itself.
    Source: Barzilai and Borwein 1988 for the length, Zhang and Hager 2004 for the mean.

    Args:
        loss: ``(size,)`` -> scalar.
        centre: θ, ``(size,)``.
        strength: λ.
        max_steps: evaluations of the gradient.
        tolerance: see `ProximalLearner`.

    Returns:
        `Solution`: φ, and ‖gradient‖ / (1 + ‖gradient at the centre‖).
    """

    def objective(phi: Tensor) -> Tensor:
        return loss(phi) + strength / 2 * (phi - centre).square().sum()

    evaluate = torch.func.grad_and_value(objective)
    rounding = 10 * torch.finfo(centre.dtype).eps
    phi = centre
    slope, value = evaluate(phi)
    scale = 1 + slope.norm()
    step = 1 / (strength + scale)
    bar = value
    for _ in range(max_steps):
        going = slope.norm() > tolerance * scale
        if nowhere(going):
            break
        trial = phi - step * slope
        its_slope, its_value = evaluate(trial)
        fall = 1e-4 * step * (slope @ slope) - rounding * bar.abs()
        better = going & (its_value <= bar - fall)  # also false for NaN
        step = torch.where(going, next_step(step, slope, its_slope, better), step)
        phi = torch.where(better, trial, phi)
        slope = torch.where(better, its_slope, slope)
        bar = torch.where(better, 0.85 * bar + 0.15 * its_value, bar)
    return Solution(phi, slope.norm() / scale)


def next_step(step: Tensor, slope: Tensor, after: Tensor, taken: Tensor) -> Tensor:
    """The length of the next step, from the gradients before and after a trial.

    If the gradient changes by y over the way s, the curvature says s²/sᵀy or sᵀy/y²:
    the first is the longer, and the second is taken where they differ much. A step
    that is taken back is at least halved, one along which the curvature is not positive
    is doubled.
    """
    change = after - slope
    falls = -(slope @ change)  # sᵀy / step
    positive = falls > 0  # also false for NaN
    falls = falls.where(positive, 1)
    long = step * (slope @ slope) / falls
    short = step * falls / (change @ change).where(positive, 1)
    suggested = torch.where(short < 0.5 * long, short, long)
    suggested = torch.where(positive, suggested, 2 * step)
    return torch.where(taken, suggested, torch.minimum(suggested, step / 2))


def growing(longest: int) -> list[int]:
    """How many steps to try with, one after the other, until they suffice.

    Many tasks computed at once cannot stop one by one: all take as many steps as are
    allowed. So few are allowed first, and twice as many each time that was not enough.
    """
    limits, limit = [], 8
    while limit < longest:
        limits.append(limit)
        limit *= 2
    return [*limits, longest]
