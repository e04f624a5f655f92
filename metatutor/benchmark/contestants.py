"""Who is timed: other libraries, the engine by strategy, and passes without meta."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ..engine import Engine
from ..learners import MAML
from ..learners.base import Loss
from ..tasks import TaskBatch
from .peers import Step, higher, loop, torchopt

Prepare = Callable[[nn.Module, Loss, float, int], Step]
"""``prepare(model, loss, inner_lr, inner_steps)`` -> a step, as in `peers`."""


def engine(strategy: str) -> Prepare:
    """This package's own engine with that strategy."""

    def prepare(
        model: nn.Module, loss: Loss, inner_lr: float, inner_steps: int
    ) -> Step:
        return Engine(MAML(model, loss, inner_lr, inner_steps), strategy)

    return prepare


def plain(model: nn.Module, loss: Loss, inner_lr: float, inner_steps: int) -> Step:
    """As many ordinary passes on the same examples, forward and backward, task by task.

    For each task K on the support set and one on the query set: what MAML would take
    if second derivatives and a task's own weights were free.
    """

    def step(batch: TaskBatch) -> None:
        model.zero_grad()
        for support_x, support_y, query_x, query_y in batch:
            for _ in range(inner_steps):
                loss(model(support_x), support_y).backward()
            loss(model(query_x), query_y).backward()

    return step


def plain_together(
    model: nn.Module, loss: Loss, inner_lr: float, inner_steps: int
) -> Step:
    """`plain` with the examples of all tasks in one pass: K + 1 passes in all."""
    one_by_one = plain(model, loss, inner_lr, inner_steps)

    def step(batch: TaskBatch) -> None:
        merged = (tensor.flatten(0, 1)[None] for tensor in batch.tensors)
        one_by_one(TaskBatch.unchecked(*merged))

    return step


REFERENCE = "loop"
PEERS: dict[str, Prepare] = {"loop": loop, "higher": higher, "torchopt": torchopt}
ENGINES = {
    f"engine-{strategy}": engine(strategy)
    for strategy in ("auto", "vmap", "loop", "workers")
}
BOUNDS: dict[str, Prepare] = {"plain": plain, "plain-together": plain_together}
"""These compute no meta-gradient: a floor to measure from, not contestants."""
ALL = PEERS | ENGINES | BOUNDS
