"""Meta-MinibatchProx: descend on how well a task can be solved near θ."""

from __future__ import annotations

import torch
from torch import Tensor

from .flat import flat_parameters
from .inner_loop import with_gradient
from .proximal import ProximalLearner


class MinibatchProx(ProximalLearner):
    """Proximal meta-learning on whole tasks.

    In training, a task's support and query examples are one training set. The task's
    loss is the optimal value min_φ ℓ(φ) + λ/2 ‖φ − θ‖², the Moreau envelope of ℓ at θ;
    its gradient is λ (θ − φ_τ), since what depends on φ vanishes at the optimum. Like
    Reptile it moves θ towards φ_τ, and unlike Reptile it descends on a function.

    Source: Zhou et al. 2019, algorithm 1 (Meta-MinibatchProx).

    Args, errors: as `ProximalLearner`.
    """

    def solved_task(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        limit: int,
    ) -> Tensor:
        """The Moreau envelope at θ, and what the inner solver left."""
        x = torch.cat([support_x, query_x])
        y = torch.cat([support_y, query_y])
        solution = self.solve(x, y, limit)
        theta = flat_parameters(self.model)
        away = theta.detach() - solution.point
        loss = self.loss(self.predict(solution, x), y)
        envelope = loss + self.strength / 2 * away.square().sum()
        envelope = with_gradient(
            envelope, {"theta": theta}, {"theta": self.strength * away}
        )
        return torch.stack([envelope, self.unsolved(solution)])
