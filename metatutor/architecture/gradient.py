"""How the validation loss depends on α when the weights follow it by one step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..learners.checks import check_positive
from ..learners.inner_loop import Parameters
from ..misfits import misfits_refused

Objective = Callable[[Parameters, Tensor], Tensor]
"""``objective(weights, alpha)`` -> scalar."""


def architecture_gradient(
    train_loss: Objective,
    validation_loss: Objective,
    weights: Parameters,
    alpha: Tensor,
    *,
    rate: float = 0.0,
    epsilon: float | None = None,
    exact: bool = False,
) -> Tensor:
    """The derivative of ℓ_V(w′, α) by α, where w′ = w − ξ ∂ℓ_T/∂w stands for w*(α).

    ∂ℓ_V/∂α(w′, α) − ξ ∂²ℓ_T/∂α∂w · ∂ℓ_V/∂w(w′, α), whose product is a central
    difference, (∂ℓ_T/∂α(w⁺) − ∂ℓ_T/∂α(w⁻)) / 2ε at w^± = w ± ε ∂ℓ_V/∂w(w′): of error
    O(ε²). A rate of 0 leaves the first term, "first order". Source: Liu et al. 2019,
    equations 6 to 8.

    Args:
        train_loss: ℓ_T.
        validation_loss: ℓ_V.
        weights: w, by name.
        alpha: α, of any shape.
        rate: ξ; 0 for first order.
        epsilon: ε; 0.01 / ‖∂ℓ_V/∂w(w′)‖ if None, as in the paper.
        exact: differentiates through the step instead of taking the difference.

    Returns:
        The shape of ``alpha``.

    Raises:
        ValueError: a rate below 0, an epsilon that is not above 0.
    """
    if rate:
        check_positive("rate", rate)
    if epsilon is not None:
        check_positive("epsilon", epsilon)

    def stepped(alpha: Tensor) -> Parameters:
        if not rate:
            return weights
        slope = torch.func.grad(train_loss)(weights, alpha)
        return {n: w - rate * slope[n] for n, w in weights.items()}

    with misfits_refused(alpha=alpha):
        if exact:
            return torch.func.grad(lambda a: validation_loss(stepped(a), a))(alpha)
        after = stepped(alpha)
        by_weights, direct = torch.func.grad(validation_loss, argnums=(0, 1))(
            after, alpha
        )
        if not rate:
            return direct
        length = sum(v.square().sum() for v in by_weights.values()).sqrt()
        step = 0.01 / length.clamp_min(1e-12) if epsilon is None else epsilon
        by_alpha = torch.func.grad(train_loss, argnums=1)
        plus, minus = (
            by_alpha({n: w + s * by_weights[n] for n, w in weights.items()}, alpha)
            for s in (step, -step)
        )
        return direct - rate * (plus - minus) / (2 * step)
