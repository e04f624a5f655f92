"""What the proximal methods share: a task's weights minimise a loss near θ."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from ..checks import at_least_one
from ..engine import map_tasks, resolve
from ..tasks import TaskBatch, check_batch
from .base import Learner, Loss
from .checks import check_positive, refuse_unsolved
from .conjugate_gradient import Solution
from .flat import by_name, flat_parameters
from .proximal_point import growing, minimise_near


class ProximalLearner(Learner):
    """A learner whose φ_τ = argmin_φ ℓ(φ) + λ/2 ‖φ − θ‖².

    The pull towards θ takes the place of a small number of steps: however long the
    solver runs, φ depends on where it starts from, θ, through the penalty alone.
    Source: Rajeswaran et al. 2019, equation 3; Zhou et al. 2019, equation 2.

    Args:
        model: any ``nn.Module``; never changed by adaptation.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        strength: λ, above 0. The larger, the nearer φ stays to θ.
        max_steps: at most so many evaluations of the gradient in the inner solver.
        tolerance: the solver's work is done where the gradient of its objective has a
            norm of at most ``tolerance * (1 + g)``, with g the norm at θ. If None,
            1e-4, or 1e-11 in double precision.
        exact: whether stopping short of the tolerance is an error. Without it the
            solver takes what ``max_steps`` give it, as the papers do. Networks with
            kinks (ReLU, max-pooling) need that: where two linear pieces meet, the
            objective may have a minimum at which its gradient is not 0.

    Raises:
        ValueError: a strength or tolerance that is not above 0, or fewer steps than 1.
        AdaptationError: from adapting, if ``exact``: the tolerance was not reached.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        strength: float = 2.0,
        max_steps: int = 200,
        tolerance: float | None = None,
        exact: bool = True,
    ) -> None:
        super().__init__(model, loss)
        check_positive("strength", strength)
        if tolerance is not None:
            check_positive("tolerance", tolerance)
        self.strength = strength
        self.max_steps = at_least_one("max_steps", max_steps)
        self.tolerance = tolerance
        self.exact = exact

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Solution:
        """φ_τ as one vector, not differentiable, with what is left of the gradient.

        With ``steps``, the solver takes at most so many and need not arrive.
        """
        if steps is None:
            return self.solve(support_x, support_y, self.max_steps)
        solution = self.solve(support_x, support_y, steps)
        return Solution(solution.point, torch.zeros_like(solution.residual))

    def solve(self, x: Tensor, y: Tensor, max_steps: int) -> Solution:
        """argmin_φ ℓ(φ) + λ/2 ‖φ − θ‖², as far as so many steps lead."""
        return minimise_near(
            lambda phi: self.loss(self.predict_at(phi, x), y),
            flat_parameters(self.model).detach(),
            strength=self.strength,
            max_steps=max_steps,
            tolerance=self.precision(x.dtype),
        )

    def predict(self, fitted: Solution, query_x: Tensor) -> Tensor:
        """The outputs of the model at φ_τ."""
        return self.predict_at(fitted.point, query_x)

    def predict_at(self, phi: Tensor, x: Tensor) -> Tensor:
        """The outputs of the model with the weights in one vector."""
        return torch.func.functional_call(self.model, by_name(self.model, phi), (x,))

    def precision(self, dtype: torch.dtype) -> float:
        """The tolerance, or what the numbers allow."""
        if self.tolerance is not None:
            return self.tolerance
        return 1e-11 if dtype == torch.float64 else 1e-4

    def unsolved(self, fitted: Solution) -> Tensor:
        """The residual in units of the tolerance; 0 unless ``exact``."""
        asked = fitted.residual / self.precision(fitted.point.dtype)
        return asked if self.exact else torch.zeros_like(asked)

    def solved_task(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        limit: int,
    ) -> Tensor:
        """`task_loss`, followed by what each solver left in units of its tolerance.

        Args:
            limit: at most so many steps of each solver, if not fewer.
        """
        raise NotImplementedError

    def task_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        steps: int | None = None,
    ) -> Tensor:
        """What one task adds to the meta-loss, a scalar."""
        limit = self.max_steps if steps is None else steps
        return self.solved_task(support_x, support_y, query_x, query_y, limit)[0]

    def meta_loss(self, batch: TaskBatch) -> Tensor:
        """The mean over tasks of `task_loss`, refused unless every task was solved."""
        how = resolve(self.strategy, self.model, check_batch(batch).support_x.device)
        limits = (
            growing(self.longest) if how == "vmap" and self.exact else [self.longest]
        )
        for limit in limits:
            solved_task = partial(self.solved_task, limit=limit)
            table = map_tasks(solved_task, batch, self.model, self.strategy)
            unsolved = table[:, 1:].detach()
            if (unsolved <= 1).all():
                break
        refuse_unsolved(self, unsolved)
        return table[:, 0].mean()

    @property
    def longest(self) -> int:
        """The largest number of steps that any solver may take."""
        return self.max_steps
