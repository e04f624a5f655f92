"""What every learner offers, and the one thing it must say: how it fits a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_examples, check_labels
from ..engine import map_tasks
from ..misfits import misfits_refused
from ..tasks import TaskBatch
from .checks import (
    check_steps,
    normalising,
    refuse_diverged,
    refuse_running_statistics,
    refuse_unsolved,
)
from .outputs import predicted

Loss = Callable[[Tensor, Tensor], Tensor]
"""``loss(outputs, targets)`` -> scalar, the mean over examples."""


class Learner(nn.Module, ABC):
    """A method of meta-learning around a plain network.

    ``parameters()`` are the meta-parameters. A subclass writes `fit` for *one* task,
    as the paper's algorithm box reads; everything else follows from it.

    Args:
        model: any ``nn.Module``; it is used as it is, never changed by adaptation.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.

    Raises:
        ValueError: a model that normalises with running statistics: adaptation is a
            pure function, and those statistics would change behind its back.
    """

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise TypeError(f"model is a {type(model).__name__}, not an nn.Module")
        if not callable(loss):
            raise TypeError(f"loss is a {type(loss).__name__}, not a function")
        refuse_running_statistics(model)
        self.model = model
        self.loss = loss
        self.strategy = "auto"

    @abstractmethod
    def fit(self, support_x: Tensor, support_y: Tensor, steps: int | None) -> Any:
        """What adapting to one support set yields, differentiably (φ_τ).

        Args:
            support_x: ``(examples, …)``.
            support_y: ``(examples, …)``.
            steps: inner steps; the learner's own number if None.
        """

    def predict(self, fitted: Any, query_x: Tensor) -> Tensor:
        """The outputs of the fitted model, ``(examples, …)`` for ``(examples, …)``.

        The default takes ``fitted`` as values for the model's parameters, by name.
        """
        return torch.func.functional_call(self.model, fitted, (query_x,))

    def task_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        steps: int | None = None,
    ) -> Tensor:
        """What one task adds to the meta-loss: by default ℓ^Q(φ_τ), a scalar."""
        fitted = self.fit(support_x, support_y, steps)
        return self.loss(self.predict(fitted, query_x), query_y)

    def at_iteration(self, iteration: int) -> None:
        """Told by `meta_train` before each outer step: how many lie behind it."""

    def unsolved(self, fitted: Any) -> Tensor:
        """How far ``fitted`` missed a tolerance of `fit`: above 1 if so, 0 if none."""
        return torch.zeros(())

    def meta_loss(self, batch: TaskBatch) -> Tensor:
        """The mean over tasks of `task_loss`; its ``backward()`` is the meta-gradient.

        Source: Finn et al. 2017, equation 1 (a sum there; the mean keeps the outer
        rate independent of the number of tasks).
        """
        return map_tasks(self.task_loss, batch, self.model, self.strategy).mean()

    def adapt(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Callable[[Tensor], Tensor]:
        """Adapts to one new task and returns its predictor.

        Pure: the learner is the same before and after. The predictor carries no
        graph; to differentiate through adaptation, use `task_loss` or `fit`.

        Args:
            support_x: ``(examples, …)``, without a task axis.
            support_y: ``(examples, …)``.
            steps: inner steps; the learner's own number if None.

        Raises:
            ValueError: sets that do not pair up, are empty, hold NaN, or that the
                model or the loss cannot take; a negative number of steps.
            AdaptationError: adaptation diverged, or a solver missed its tolerance.
        """
        check_examples("support", support_x, support_y)
        check_labels("support_y", support_y)
        check_steps("steps", steps)
        with torch.no_grad(), misfits_refused(support_x=support_x, support_y=support_y):
            fitted = self.fit(support_x, support_y, steps)
            refuse_diverged(self, fitted, steps)
            refuse_unsolved(self, self.unsolved(fitted))

        return self.predictor(fitted)

    def predictor(self, fitted: Any) -> Callable[[Tensor], Tensor]:
        """What `adapt` returns: of queries, and refusing what is unsound."""
        return partial(predicted, self, fitted)

    @property
    def stochastic(self) -> bool:
        """Whether `task_loss` draws random numbers: by dropout, or by the method."""
        return any(
            isinstance(layer, nn.modules.dropout._DropoutNd) and layer.training
            for layer in self.model.modules()
        )

    @property
    def transductive(self) -> bool:
        """Whether one query's prediction depends on the others predicted with it.

        It does where a layer normalises by the statistics of the batch at hand.
        """
        return any(
            not isinstance(layer, nn.modules.instancenorm._InstanceNorm)
            for _, layer in normalising(self.model)
        )
