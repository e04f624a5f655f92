"""How the validation loss of a trained model depends on a hyper-parameter."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .checks import at_least_one, check_finite
from .learners.checks import AdaptationError, check_positive
from .learners.conjugate_gradient import Solution, conjugate_gradient
from .misfits import misfits_refused

Objective = Callable[[Tensor, Tensor], Tensor]
"""``objective(weights, hyper)`` -> scalar."""


def hypergradient(
    train_loss: Objective,
    validation_loss: Objective,
    weights: Tensor,
    hyper: Tensor,
    *,
    solver: str = "cg",
    steps: int = 100,
    rate: float | None = None,
    tolerance: float | None = None,
) -> Tensor:
    """dℓ_V/dη at weights w that minimise ℓ_T(·, η), without training again.

    Training has ended where ∂ℓ_T/∂w = 0; differentiating that by η says how w follows:

        dℓ_V/dη = ∂ℓ_V/∂η − ∂ℓ_V/∂w (∂²ℓ_T/∂w²)⁻¹ ∂²ℓ_T/∂w∂η.

    Only products with the Hessian are needed, not the Hessian. Source: Lorraine et al.
    2020, theorem 1; the Neumann series is theirs too.

    Args:
        train_loss: ℓ_T, with a positive definite Hessian at ``weights``.
        validation_loss: ℓ_V.
        weights: w, ``(size,)``, where training ended.
        hyper: η, of any shape.
        solver: "cg" for conjugate gradients, or "neumann" for the series
            H⁻¹ ≈ γ Σ_{j ≤ m} (I − γH)^j.
        steps: at most so many conjugate gradient steps, or m.
        rate: γ, below 2 over the largest curvature; "neumann" needs it.
        tolerance: of ‖∂ℓ_T/∂w‖ / (1 + ‖w‖), and of the linear system's relative
            residual; 1e-3 in single precision and 1e-6 in double if None.

    Returns:
        The shape of ``hyper``.

    Raises:
        ValueError: an unknown solver, "neumann" without a rate, weights that are not a
            vector, or steps below 1.
        AdaptationError: the weights are no minimum of the training loss, or the solver
            missed its tolerance; with the numbers.
    """
    if not isinstance(solver, str) or solver not in ("cg", "neumann"):
        raise ValueError(f"solver is {solver!r}: 'cg' or 'neumann' is needed")
    for name, loss in (("train", train_loss), ("validation", validation_loss)):
        if not callable(loss):
            kind = type(loss).__name__
            raise TypeError(f"{name}_loss is a {kind}, not a function")
    for name, values in (("weights", weights), ("hyper", hyper)):
        if not isinstance(values, Tensor) or not values.is_floating_point():
            raise TypeError(
                f"{name} is {getattr(values, 'dtype', type(values).__name__)}: a "
                "tensor of floating point is needed"
            )
        check_finite(name, values)
    if weights.dim() != 1:
        raise ValueError(
            f"weights have shape {tuple(weights.shape)}: a vector is needed"
        )
    at_least_one("steps", steps)
    if tolerance is None:
        tolerance = 1e-6 if weights.dtype == torch.float64 else 1e-3
    check_positive("tolerance", tolerance)

    if solver == "neumann" and rate is None:
        raise ValueError("the Neumann series needs a rate")
    if rate is not None:
        check_positive("rate", rate)
    with misfits_refused(weights=weights, hyper=hyper):
        return at_minimum(
            train_loss, validation_loss, weights.detach(), hyper.detach(),
            solver=solver, steps=steps, rate=rate, tolerance=tolerance,
        )  # fmt: skip


def at_minimum(
    train_loss: Objective,
    validation_loss: Objective,
    weights: Tensor,
    hyper: Tensor,
    *,
    solver: str,
    steps: int,
    rate: float | None,
    tolerance: float,
) -> Tensor:
    """`hypergradient` of arguments that were checked."""
    by_weights = torch.func.grad(train_loss)
    slope, hessian_product = torch.func.vjp(lambda w: by_weights(w, hyper), weights)
    left = (slope.norm() / (1 + weights.norm())).item()
    if not left <= tolerance:
        raise AdaptationError(
            f"the weights are no minimum of the training loss: its gradient is "
            f"{left:.2g} of 1 + their norm, above {tolerance:.2g}: train longer"
        )

    of_weights, direct = torch.func.grad(validation_loss, argnums=(0, 1))(
        weights, hyper
    )

    def product(v: Tensor) -> Tensor:
        return hessian_product(v)[0]  # H is symmetric

    if solver == "cg":
        solved = conjugate_gradient(
            product, of_weights, max_steps=steps, tolerance=tolerance
        )
    else:
        solved = neumann(product, of_weights, rate=rate, steps=steps)
    if not solved.residual <= tolerance:
        raise AdaptationError(
            f"{solver} left {solved.residual.item():.2g} of the right side after "
            f"{steps} steps, more than {tolerance:.2g}: allow more steps"
        )

    # ∂²ℓ_T/∂w∂η from the left by the solution
    _, mixed = torch.func.vjp(lambda eta: by_weights(weights, eta), hyper)
    return direct - mixed(solved.point)[0]


def neumann(
    product: Callable[[Tensor], Tensor], b: Tensor, *, rate: float, steps: int
) -> Solution:
    """Solves H x = b by x = γ Σ_{j ≤ m} (I − γH)^j b.

    The sum converges for a positive definite H with γ below 2 over its largest
    eigenvalue: it is m + 1 steps of gradient descent on xᵀHx/2 − bᵀx from 0. Source:
    Lorraine et al. 2020.

    Args:
        product: x -> H x, ``(size,) -> (size,)``.
        b: ``(size,)``.
        rate: γ.
        steps: m.

    Returns:
        `Solution`: x, and ‖b − H x‖ / ‖b‖.
    """
    term = b
    total = b
    for _ in range(steps):
        term = term - rate * product(term)
        total = total + term
    x = rate * total
    least = torch.finfo(b.dtype).tiny
    return Solution(x, (b - product(x)).norm() / b.norm().clamp_min(least))
