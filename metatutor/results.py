"""A mean over tasks, never without its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .checks import is_label

# Student's t, the 97.5 % quantile for 1, 2, … 28 degrees of freedom: what a 95 %
# interval over 2 to 29 tasks needs. From 30 tasks on, the normal 1.96 is as good.
T_QUANTILES = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484,
)  # fmt: skip
NORMAL_QUANTILE = 1.9600
NO_SCORES = (torch.bool, torch.complex64, torch.complex128)


@dataclass(frozen=True, eq=False)
class Result:
    """A score on each of n test tasks, and what follows from it.

    Args:
        per_task: the score of every task, ``(tasks,)``; infinite where adaptation
            diverged.
        metric: what the score is, for printing.
        transductive: whether queries saw each other's statistics when predicted;
            figures with and without must not be compared.

    Raises:
        ValueError: fewer than 2 tasks (no interval exists), or scores that are NaN.
    """

    per_task: Tensor
    metric: str = "loss"
    transductive: bool = False

    def __post_init__(self) -> None:
        scores = self.per_task
        if not isinstance(scores, Tensor) or scores.dtype in NO_SCORES:
            kind = getattr(scores, "dtype", type(scores).__name__)
            raise TypeError(f"per_task is {kind}: a tensor of real numbers is needed")
        if not isinstance(self.metric, str):
            kind = type(self.metric).__name__
            raise TypeError(f"metric is a {kind}: a name is needed")
        if scores.dim() != 1 or len(scores) < 2:
            raise ValueError(
                f"per_task has shape {tuple(scores.shape)}: one score for each of "
                "at least 2 tasks is needed, or there is no interval"
            )
        if scores.isnan().any():
            raise ValueError(
                f"{int(scores.isnan().sum())} of {len(scores)} tasks scored NaN, which "
                "is no score: a diverged task counts as infinite"
            )
        if len(scores[scores.isinf()].unique()) > 1:
            raise ValueError("scores of ∞ and of −∞ have no mean: one of them is wrong")

    @property
    def n(self) -> int:
        """The number of tasks."""
        return len(self.per_task)

    @property
    def mean(self) -> float:
        """The mean score over tasks."""
        return self.per_task.double().mean().item()

    @property
    def diverged(self) -> int:
        """The number of tasks whose score is infinite: one is enough for the mean."""
        return int(self.per_task.isinf().sum())

    @property
    def std(self) -> float:
        """The standard deviation over tasks: how much *tasks* differ.

        It does not shrink with more tasks, so it says nothing about how well the
        mean is known: that is `ci95`.
        """
        return math.inf if self.diverged else self.per_task.double().std().item()

    @property
    def ci95(self) -> float:
        """Half the width of the 95 % confidence interval of the mean, over tasks."""
        if self.diverged:
            return math.inf
        return quantile(self.n) * self.std / math.sqrt(self.n)

    def __sub__(self, other: Result) -> Result:
        """The paired difference, task by task; both must be of the same tasks.

        When both methods saw the same tasks, the interval of the difference is the
        right one to compare them by: the tasks' own difficulty cancels.
        """
        if not isinstance(other, Result):
            return NotImplemented
        if self.n != other.n:
            raise ValueError(
                f"{self.n} tasks on one side and {other.n} on the other: a paired "
                "difference needs both methods' scores on the same tasks"
            )
        if self.metric != other.metric:
            raise ValueError(f"{self.metric} minus {other.metric} means nothing")
        if self.diverged or other.diverged:
            raise ValueError(
                f"{self.diverged} tasks diverged on one side and {other.diverged} on "
                "the other: a paired difference needs finite scores"
            )
        return Result(
            self.per_task - other.per_task,
            metric=f"difference of {self.metric}",
            transductive=self.transductive or other.transductive,
        )

    def __str__(self) -> str:
        note = f", {self.diverged} diverged" if self.diverged else ""
        note += ", transductive" if self.transductive else ""
        return f"{with_interval(self.mean, self.ci95)} (95 % CI, {self.n} tasks{note})"

    __repr__ = __str__


def quantile(n: int) -> float:
    """By how many standard errors a 95 % interval over n tasks reaches each way."""
    return T_QUANTILES[n - 2] if n < 30 else NORMAL_QUANTILE


def with_interval(mean: float, half_width: float) -> str:
    """``mean ± half_width`` with as many decimals as the interval supports.

    >>> with_interval(0.66312, 0.0571)
    '0.66 ± 0.06'
    """
    decimals = 2
    if math.isfinite(half_width) and 0 < half_width < 0.005:
        decimals = 1 - math.floor(math.log10(half_width))
    return f"{mean:.{decimals}f} ± {half_width:.{decimals}f}"


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The share of examples whose largest output is the target's: a scalar.

    Args:
        outputs: ``(examples, classes)``.
        targets: integers, ``(examples,)``.

    Raises:
        ValueError: other shapes, which would be paired up wrongly in silence.
    """
    for name, tensor in (("outputs", outputs), ("targets", targets)):
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise TypeError(f"{name} is a {kind}: a torch.Tensor is needed")
    if (
        outputs.dtype in NO_SCORES
        or not is_label(targets)
        or not outputs.dim()
        or not outputs.numel()
    ):
        raise ValueError(
            f"outputs have shape {tuple(outputs.shape)} and targets are "
            f"{targets.dtype}: (examples, classes), none of them 0, and whole numbers "
            "are needed"
        )
    if targets.shape != outputs.shape[:-1]:
        raise ValueError(
            f"outputs have shape {tuple(outputs.shape)} and targets "
            f"{tuple(targets.shape)}: (examples, classes) and (examples,) are needed"
        )
    return (outputs.argmax(dim=-1) == targets).to(torch.get_default_dtype()).mean()
