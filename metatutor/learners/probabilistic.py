"""Learners that say how sure they are: a distribution for each query."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from .base import Learner
from .checks import check_positive
from .outputs import predicted


class ProbabilisticLearner(Learner):
    """A learner that predicts a distribution and not just a value.

    A subclass writes `fit` and `distribution`. What `predict` returns is the mean, so
    that everything that holds for a learner holds for it; the meta-loss is the mean
    negative logarithm of the density that the queries' targets have after adaptation,
    in nats for each number. That is the loss of Harrison et al. 2018.
    """

    @abstractmethod
    def distribution(self, fitted: Any, query_x: Tensor) -> Distribution:
        """The predictive distribution of every number of the targets, on its own.

        Args:
            fitted: what `fit` returned.
            query_x: ``(examples, …)``.

        Returns:
            one whose ``mean`` and ``variance`` are ``(examples, outputs)``, with
            ``log_prob`` and ``cdf``. Observation noise is part of it.
        """

    def predict(self, fitted: Any, query_x: Tensor) -> Tensor:
        """The predictive mean, ``(examples, outputs)``."""
        return self.distribution(fitted, query_x).mean

    def task_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        steps: int | None = None,
    ) -> Tensor:
        """−log p(query_y | query_x, support), the mean over numbers: a scalar."""
        fitted = self.fit(support_x, support_y, steps)
        found = self.distribution(fitted, query_x)
        refuse_misfits(found.mean, query_y)
        return -found.log_prob(query_y).mean()

    def predictor(self, fitted: Any) -> Predictor:
        """What `adapt` returns: a function of queries that knows more than means."""
        return Predictor(self, fitted)


class Predictor:
    """What a task's support set made of a learner: means, and how sure they are."""

    def __init__(self, learner: ProbabilisticLearner, fitted: Any) -> None:
        self.learner, self.fitted = learner, fitted

    def __call__(self, query_x: Tensor) -> Tensor:
        """The predictive mean, ``(examples, outputs)``."""
        return predicted(self.learner, self.fitted, query_x)

    def distribution(self, query_x: Tensor) -> Distribution:
        """The predictive distribution, observation noise included.

        ``.mean``, ``.variance`` and ``.stddev`` are ``(examples, outputs)``.

        Raises:
            ValueError: inputs that are NaN, or that the model cannot take.
        """
        self(query_x)  # refuses what is not sound
        with torch.no_grad():
            return self.learner.distribution(self.fitted, query_x)


def logarithm(name: str, value: float) -> Tensor:
    """log of a setting, refused unless it is above 0 and within a tensor's numbers."""
    check_positive(name, value)
    found = torch.tensor(float(value)).log()
    if not found.isfinite():
        raise ValueError(f"{name} is {value!r}: beyond the numbers of a tensor")
    return found


def refuse_misfits(outputs: Tensor, targets: Tensor) -> None:
    """Refuses targets of another shape, which would be paired up each with each."""
    if outputs.shape != targets.shape or not targets.is_floating_point():
        raise ValueError(
            f"outputs are {tuple(outputs.shape)} and targets {tuple(targets.shape)} "
            f"{targets.dtype}: values to regress, (examples, outputs), are needed"
        )
