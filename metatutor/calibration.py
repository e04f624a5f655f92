"""Whether a learner is as sure as it should be: density, coverage and width."""

from __future__ import annotations

import torch
from torch import Tensor

from .checks import at_least_one, check_seed, is_number
from .engine import map_tasks
from .evaluation import check_kinds, without_dropout
from .learners.probabilistic import ProbabilisticLearner, refuse_misfits
from .results import Result
from .tasks import TaskSource


def measure_calibration(
    learner: ProbabilisticLearner,
    source: TaskSource,
    *,
    level: float = 0.9,
    tasks: int = 1000,
    seed: int = 1,
    chunk: int = 200,
) -> dict[str, Result]:
    """Adapts to new tasks and compares what is predicted with what comes.

    The same seed and source draw the same tasks for every learner, so that results can
    be compared task by task (``a["nll"] - b["nll"]``), and with `meta_evaluate`.

    Args:
        learner: left as it is.
        source: of test tasks; observation noise belongs to what is to be covered.
        level: of the central interval, between 0 and 1.
        tasks: how many, at least 2.
        seed: of the tasks.
        chunk: tasks computed at once, to bound memory.

    Returns:
        by name, a `Result` over tasks, each score a mean over a task's queries:
        ``"nll"``, −log of the predictive density, in nats; ``"mse"``, of the mean;
        ``"coverage"``, the share of targets within the central interval of that level,
        which should be that level; ``"stddev"``, of the predictive distribution.

    Raises:
        TypeError: a learner that predicts no distribution.
        ValueError: a level that is not between 0 and 1, fewer than 2 tasks, or scores
            that are NaN.
    """
    check_kinds(learner, source, None)
    if not isinstance(learner, ProbabilisticLearner):
        raise TypeError(
            f"{type(learner).__name__} predicts values and no distribution: a "
            "ProbabilisticLearner, such as ALPaCA, is needed"
        )
    if not is_number(level) or not 0 < level < 1:
        raise ValueError(f"level is {level!r}: a number between 0 and 1 is needed")
    check_seed("seed", seed)
    if at_least_one("tasks", tasks) < 2:
        raise ValueError("tasks is 1: an interval over tasks needs at least 2")
    at_least_one("chunk", chunk)
    batch = source.sample(tasks, generator=torch.Generator().manual_seed(seed))

    def scores(sx: Tensor, sy: Tensor, qx: Tensor, qy: Tensor) -> Tensor:
        found = learner.distribution(learner.fit(sx, sy, None), qx)
        refuse_misfits(found.mean, qy)
        columns = (
            -found.log_prob(qy),
            (found.mean - qy).square(),
            covered(found.cdf(qy), level),
            found.variance.sqrt(),
        )
        return torch.stack([column.mean() for column in columns])

    device = next(learner.parameters()).device
    with torch.no_grad(), without_dropout(learner):
        table = map_tasks(
            scores, batch.to(device), learner.model, learner.strategy, chunk
        )
    names = ("nll", "mse", "coverage", "stddev")
    return {
        name: Result(column.cpu(), name, learner.transductive)
        for name, column in zip(names, table.unbind(1), strict=True)
    }


def covered(below: Tensor, level: float) -> Tensor:
    """1 where a target lies in the central interval of that level, else 0.

    Args:
        below: the predictive probability of a smaller value, F(y), of any shape. It is
            uniform between 0 and 1 where predictions are calibrated.
        level: of the interval, between 0 and 1.
    """
    return ((below - 0.5).abs() <= level / 2).to(below.dtype)
