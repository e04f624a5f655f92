"""The inner loop that the optimisation-based methods share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Parameters = dict[str, Tensor]


def gradient_descent(
    loss: Callable[[Parameters], Tensor],
    start: Parameters,
    steps: int,
    lr: float,
    *,
    first_order: bool = False,
) -> Parameters:
    """φ_{j+1} = φ_j − α ∇ℓ(φ_j) from φ_0 = ``start``, as a function of ``start``.

    The result remains differentiable with respect to ``start`` through every step.
    With ``first_order`` each gradient counts as a constant: dφ_K/dφ_0 becomes the
    identity, and the Hessians drop out of whatever is differentiated later.

    Args:
        loss: of the parameters by name -> scalar.
        start: θ, by name.
        steps: K, at least 0.
        lr: α.
    """
    phi = start
    for _ in range(steps):
        slope = torch.func.grad(loss)(phi)
        if first_order:
            slope = {name: value.detach() for name, value in slope.items()}
        phi = {name: phi[name] - lr * slope[name] for name in phi}
    return phi
