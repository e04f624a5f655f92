"""Implicit MAML: differentiate where the inner loop ends, not how it got there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..checks import at_least_one
from .base import Loss
from .conjugate_gradient import Solution, conjugate_gradient
from .flat import flat_parameters
from .inner_loop import with_gradient
from .proximal import ProximalLearner


class ImplicitMAML(ProximalLearner):
    """MAML with an inner problem that is solved, and the exact gradient of that.

    A task's weights are φ_τ = argmin_φ ℓ^S(φ) + λ/2 ‖φ − θ‖². There
    ∇ℓ^S(φ) + λ (φ − θ) = 0, and differentiating this gives dφ_τ/dθ = (I + H/λ)⁻¹ with
    H = ∇²ℓ^S(φ_τ). The meta-gradient (I + H/λ)⁻¹ ∇ℓ^Q(φ_τ) is found by conjugate
    gradients on Hessian-vector products. How φ_τ was reached plays no part, so that
    memory does not grow with the length of the inner loop.

    Source: Rajeswaran et al. 2019, lemma 1 and algorithms 1 and 2. They stop the inner
    loop and the conjugate gradients after a few steps, which is ``exact=False`` here.

    Args:
        model: any ``nn.Module``; never changed by adaptation.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        strength: λ, above 0. H + λI must be positive definite at φ_τ: with a small λ,
            the weights of a network may be where it is not.
        max_steps: of the inner solver, see `ProximalLearner`.
        tolerance: of the inner solver, see `ProximalLearner`; and of the conjugate
            gradients, relative to ‖∇ℓ^Q(φ_τ)‖.
        exact: whether stopping short of the tolerance is an error, for both solvers.
        cg_steps: at most so many conjugate gradient steps.

    Raises:
        ValueError: a strength or tolerance that is not above 0, or fewer steps than 1.
        AdaptationError: from adapting, if ``exact``: the inner solver or the conjugate
            gradients stopped short of their tolerance; with the numbers.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        strength: float = 2.0,
        max_steps: int = 200,
        tolerance: float | None = None,
        exact: bool = True,
        cg_steps: int = 50,
    ) -> None:
        super().__init__(model, loss, strength, max_steps, tolerance, exact)
        self.cg_steps = at_least_one("cg_steps", cg_steps)

    def solved_task(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        limit: int,
    ) -> Tensor:
        """ℓ^Q(φ_τ) with its implicit gradient, and what both solvers left."""
        solution = self.solve(support_x, support_y, min(limit, self.max_steps))

        def query_loss(phi: Tensor) -> Tensor:
            return self.loss(self.predict_at(phi, query_x), query_y)

        slope, value = torch.func.grad_and_value(query_loss)(solution.point)
        implicit = self.through_adaptation(
            slope, solution.point, support_x, support_y, min(limit, self.cg_steps)
        )
        loss = with_gradient(
            value, {"theta": flat_parameters(self.model)}, {"theta": implicit.point}
        )
        return torch.stack([loss, self.unsolved(solution), self.unsolved(implicit)])

    @property
    def longest(self) -> int:
        return max(self.max_steps, self.cg_steps)

    def through_adaptation(
        self,
        vector: Tensor,
        phi: Tensor,
        support_x: Tensor,
        support_y: Tensor,
        cg_steps: int,
    ) -> Solution:
        """(I + H/λ)⁻¹ ``vector``, with H the Hessian of the support loss at φ."""

        def support_loss(weights: Tensor) -> Tensor:
            return self.loss(self.predict_at(weights, support_x), support_y)

        # H is symmetric: a product from the left is one from the right
        _, hessian_product = torch.func.vjp(torch.func.grad(support_loss), phi)

        def product(v: Tensor) -> Tensor:
            return v + hessian_product(v)[0] / self.strength

        return conjugate_gradient(
            product,
            vector,
            max_steps=cg_steps,
            tolerance=self.precision(vector.dtype),
        )
