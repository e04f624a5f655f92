"""Linear systems whose matrix is known only by what it does to a vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Solution(NamedTuple):
    """Where an iteration ended, and how far that is from solving its problem."""

    point: Tensor
    residual: Tensor
    """A scalar, 0 for an exact solution."""


def conjugate_gradient(
    product: Callable[[Tensor], Tensor],
    b: Tensor,
    *,
    max_steps: int,
    tolerance: float,
) -> Solution:
    """Solves A x = b for a symmetric positive definite A, from x = 0.

    Exact after as many steps as A has different eigenvalues, in exact arithmetic. It
    stops where ‖b − A x‖ ≤ tolerance ‖b‖, or where a direction p has pᵀAp ≤ 0: then A
    is not positive definite, and the residual stays what it was there.

    Source: Hestenes and Stiefel 1952; Nocedal and Wright 2006, algorithm 5.2.

    Args:
        product: x -> A x, ``(size,) -> (size,)``.
        b: ``(size,)``.
        max_steps: at most so many products.
        tolerance: of the relative residual.

    Returns:
        `Solution`: x, and ‖b − A x‖ / ‖b‖ by the recursion.
    """
    x, r, p = torch.zeros_like(b), b, b
    rr = r @ r
    goal = min(tolerance, 1.0) ** 2 * rr  # where x = 0, all of b is left
    for _ in range(max_steps):
        going = rr > goal
        if nowhere(going):
            break
        ap = product(p)
        curvature = p @ ap
        going = going & (curvature > 0)
        if nowhere(going):
            break
        step = torch.where(going, rr / curvature.where(going, rr + 1), 0)
        x = x + step * p
        r = r - step * ap
        following = r @ r
        turn = torch.where(going, following / rr.where(going, rr + 1), 0)
        p = torch.where(going, r + turn * p, p)
        rr = torch.where(going, following, rr)
    return Solution(x, (rr / (b @ b).clamp_min(torch.finfo(b.dtype).tiny)).sqrt())


def nowhere(flag: Tensor) -> bool:
    """Whether a flag is false: then an iteration may stop early.

    Under vmap one flag stands for many tasks and cannot be looked at, which torch says
    by raising; all tasks then take all steps, those that are done without moving.
    """
    try:
        return not flag
    except RuntimeError:
        return False
