"""How many classes tasks have, also where many tasks are computed at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor

from .checks import is_label
from .tasks import TaskBatch


class Ways(NamedTuple):
    """How many classes tasks have, and one that a support set lacks, if any."""

    count: int
    missing: int | None


_counted: ContextVar[Ways | None] = ContextVar(
    "ways of the tasks at hand", default=None
)


@contextmanager
def counted_ways(batch: TaskBatch) -> Iterator[Ways | None]:
    """Within it, `ways_of` knows how many classes the tasks of ``batch`` have.

    One task among many that are computed at once cannot be looked at; all of them
    together can, before. Yields what was counted; None where targets are no labels.
    """
    ways = _counted.get()
    if ways is None and is_label(batch.support_y) and batch.support_y.dim() == 2:
        ways = count_ways(batch.support_y)
    token = _counted.set(ways)
    try:
        yield ways
    finally:
        _counted.reset(token)


def ways_of(labels: Tensor, *, complete: bool = False) -> int:
    """How many classes a task with these support labels has, ``(examples,)``.

    Args:
        labels: of one support set.
        complete: refuse a support set that lacks a class below the highest label.

    Raises:
        ValueError: it does; or, where many tasks are computed at once, one of them.
    """
    ways = _counted.get() or count_ways(labels[None])
    if complete and ways.missing is not None:
        raise ValueError(
            f"class {ways.missing} has no support example: labels must be 0 to N - 1, "
            "each at least once"
        )
    return ways.count


def count_ways(labels: Tensor) -> Ways:
    """The classes of tasks whose support labels are the rows of ``labels``."""
    count = int(labels.max()) + 1
    classes = torch.arange(count, device=labels.device)
    there = (labels[..., None] == classes).any(dim=1)  # (tasks, classes)
    missing = None if there.all() else int((~there).nonzero()[0, 1])
    return Ways(count, missing)
