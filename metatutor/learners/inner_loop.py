"""The inner loop that the optimisation-based methods share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce

import torch
from torch import Tensor

Parameters = dict[str, Tensor]
Rate = float | Mapping[str, Tensor]
"""A rate for all parameters, or one for each by name, of any shape that broadcasts."""


def gradient_descent(
    loss: Callable[[Parameters], Tensor],
    start: Parameters,
    rates: Iterable[Rate],
    *,
    first_order: bool = False,
) -> Parameters:
    """φ_{j+1} = φ_j − α_j ∇ℓ(φ_j) from φ_0 = ``start``, one step for each rate.

    The result remains differentiable with respect to ``start`` and the rates through
    every step. With ``first_order`` each gradient counts as a constant: dφ_K/dφ_0
    becomes the identity, and the Hessians drop out of whatever is differentiated later.

    Args:
        loss: of the parameters by name -> scalar.
        start: θ, by name.
        rates: α_0, …, α_{K−1}.
    """
    path = descent(loss, start, rates, first_order=first_order)
    return reduce(lambda _, following: following, path, start)


def descent(
    loss: Callable[[Parameters], Tensor],
    start: Parameters,
    rates: Iterable[Rate],
    *,
    first_order: bool = False,
) -> Iterator[Parameters]:
    """φ_1, …, φ_K of `gradient_descent`, one after the other."""
    phi = start
    for rate in rates:
        slope = torch.func.grad(loss)(phi)
        if first_order:
            slope = {name: value.detach() for name, value in slope.items()}
        step = rate if isinstance(rate, Mapping) else dict.fromkeys(phi, rate)
        phi = {name: phi[name] - step[name] * slope[name] for name in phi}
        yield phi


def with_gradient(value: Tensor, theta: Parameters, gradient: Parameters) -> Tensor:
    """``value``, with the derivative ``gradient`` with respect to ``theta``.

    For methods whose update is not the derivative of what they compute: the sum that
    is added is zero, and its derivative is the gradient.

    Args:
        value: a scalar.
        theta: the meta-parameters, by name.
        gradient: of the same shapes.
    """
    zero = sum(
        (gradient[name].detach() * (theta[name] - theta[name].detach())).sum()
        for name in theta
    )
    return value.detach() + zero
