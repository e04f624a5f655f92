"""What every learner offers, and the one thing it must say: how it fits a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from ..engine import map_tasks
from ..tasks import TaskBatch, check_examples, check_labels

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
        for name, layer in normalising(model):
            if layer.running_mean is not None:
                raise ValueError(
                    f"layer {name!r} ({type(layer).__name__}) keeps running "
                    "statistics, which would leak between tasks: use "
                    "track_running_stats=False, or GroupNorm or LayerNorm"
                )
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
            ValueError: sets that do not pair up, are empty, or hold NaN; a negative
                number of steps.
        """
        check_examples("support", support_x, support_y)
        check_labels("support_y", support_y)
        check_steps("steps", steps)
        with torch.no_grad():
            fitted = self.fit(support_x, support_y, steps)

        def predictor(query_x: Tensor) -> Tensor:
            with torch.no_grad():
                return self.predict(fitted, query_x)

        return predictor

    @property
    def transductive(self) -> bool:
        """Whether one query's prediction depends on the others predicted with it.

        It does where a layer normalises by the statistics of the batch at hand.
        """
        return any(
            not isinstance(layer, nn.modules.instancenorm._InstanceNorm)
            for _, layer in normalising(self.model)
        )


def normalising(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers that may keep running statistics, with their names."""
    return [
        (name, layer)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.modules.batchnorm._NormBase)
    ]


def check_steps(name: str, steps: int | None) -> None:
    """Refuses a number of inner steps that is not a whole number of at least 0."""
    if steps is None:
        return
    if isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 0:
        raise ValueError(f"{name} is {steps!r}: a whole number of at least 0 is needed")


def check_positive(name: str, value: float) -> None:
    """Refuses a rate or strength that is not a finite number above 0."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not (real and 0 < value < float("inf")):
        raise ValueError(f"{name} is {value!r}: a finite number above 0 is needed")
