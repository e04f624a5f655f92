"""`meta_evaluate` judges a learner on tasks that it has never seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .checks import at_least_one, check_seed
from .engine import map_tasks
from .learners.base import Learner
from .learners.checks import (
    AdaptationError,
    check_steps,
    in_words,
    plain_settings,
    refuse_unsolved,
)
from .results import Result
from .tasks import TaskSource, check_batch

Metric = Callable[[Tensor, Tensor], Tensor]
"""``metric(outputs, targets)`` of one task's queries -> scalar."""


def meta_evaluate(
    learner: Learner,
    source: TaskSource,
    *,
    tasks: int = 600,
    steps: int | None = None,
    seed: int = 1,
    metric: Metric | None = None,
    chunk: int = 200,
) -> Result:
    """Adapts to ``tasks`` new tasks and measures each on its queries.

    The same seed and source draw the same tasks for every learner, so that two
    results can be compared task by task (``a - b``).

    Args:
        learner: left as it is.
        source: of test tasks.
        tasks: how many, at least 2.
        steps: inner steps; the learner's own number if None.
        seed: of the tasks.
        metric: ``metric(outputs, targets)`` of one task's queries -> scalar; the
            learner's loss if None. A loss that is NaN counts as infinite: that task's
            adaptation diverged.
        chunk: tasks computed at once, to bound memory.

    Returns:
        `Result`: mean and 95 % interval over tasks, and every task's score.

    Raises:
        ValueError: fewer than 2 tasks, negative steps, or a ``metric`` that is NaN.
        AdaptationError: a solver missed its tolerance; or outputs that are NaN or
            infinite, which a ``metric`` such as accuracy would score in silence.
    """
    check_kinds(learner, source, metric)
    seed = check_seed("seed", seed)
    if at_least_one("tasks", tasks) < 2:
        raise ValueError("tasks is 1: an interval over tasks needs at least 2")
    check_steps("steps", steps)
    at_least_one("chunk", chunk)
    measure = learner.loss if metric is None else metric
    generator = torch.Generator().manual_seed(seed)
    batch = check_batch(source.sample(tasks, generator=generator))

    def score(sx: Tensor, sy: Tensor, qx: Tensor, qy: Tensor) -> Tensor:
        fitted = learner.fit(sx, sy, steps)
        outputs = learner.predict(fitted, qx)
        broken = (~outputs.isfinite()).any().to(outputs.dtype)
        unsolved = learner.unsolved(fitted).to(outputs)
        return torch.stack([measured(measure, outputs, qy), broken, unsolved])

    # a learner on raw pixels has no parameters, and no device of its own
    device = next(learner.parameters(), batch.support_x).device
    with torch.no_grad(), without_dropout(learner):
        table = map_tasks(
            score, batch.to(device), learner.model, learner.strategy, chunk
        )
    scores, broken, unsolved = table.unbind(1)
    refuse_unsolved(learner, unsolved)
    if metric is None:
        scores = scores.masked_fill(scores.isnan(), math.inf)
    elif broken.any():
        raise AdaptationError(
            f"adaptation diverged on {int(broken.sum())} of {tasks} tasks, whose "
            f"outputs are NaN or infinite ({in_words(plain_settings(learner))}): try a "
            "smaller rate or fewer steps"
        )
    name = getattr(measure, "__name__", type(measure).__name__)
    return Result(scores.cpu(), metric=name, transductive=learner.transductive)


def measured(measure: Metric, outputs: Tensor, targets: Tensor) -> Tensor:
    """The score of one task, a real scalar or refused."""
    score = measure(outputs, targets)
    if not isinstance(score, Tensor) or score.dim() or not score.is_floating_point():
        what = (
            f"a tensor of shape {tuple(score.shape)} and {score.dtype}"
            if isinstance(score, Tensor)
            else f"a {type(score).__name__}"
        )
        raise TypeError(f"the metric gives {what}: one tensor of a float is needed")
    return score


def check_kinds(learner: object, source: object, metric: object) -> None:
    """Refuses what is not a learner, a source of tasks, and a function or None."""
    if not isinstance(learner, Learner):
        raise TypeError(f"learner is a {type(learner).__name__}, not a mt.Learner")
    if not isinstance(source, TaskSource):
        raise TypeError(f"source is a {type(source).__name__}, not a mt.TaskSource")
    if metric is not None and not callable(metric):
        raise TypeError(f"metric is a {type(metric).__name__}, not a function")


@contextmanager
def without_dropout(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, and each of its modules back as it was after."""
    was_training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in was_training.items():
            module.training = mode
