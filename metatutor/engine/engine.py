"""A learner's meta-gradient, computed as fast as model and machine allow."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..checks import at_least_one, is_number
from ..tasks import TaskBatch, check_batch, part
from . import memory as allocations
from .compiled import Compiled, NotCompilable, compiler_at_hand
from .gradient import (
    Learner,
    MetaGradient,
    by_autograd,
    device_of,
    trained,
    weighted_sum,
)
from .mapping import normalising_layers, resolve
from .processes import averaged, share, size
from .workers import Workers

STRATEGIES = ("auto", "vmap", "compiled", "loop", "workers")
AT_ONCE = 256
"""Tasks in one compiled graph: larger ones leave the processor's cache."""


class Engine:
    """Computes meta-gradients of one learner; learners know nothing of it.

    ``engine(batch)`` returns the meta-loss and leaves the meta-gradient in ``.grad``::

        engine = mt.Engine(learner)
        optimizer = torch.optim.Adam(learner.parameters())
        loss = engine(source.sample(25))
        optimizer.step()

    All strategies give the same numbers up to rounding:

    - ``"vmap"``: all tasks together, each operation once for the whole batch;
    - ``"compiled"``: the same, traced with all inner steps and derivatives into one
      compiled function. The first call takes ten seconds or more, later ones a
      fraction of the others. Where that cannot be done it warns once, and "vmap"
      computes;
    - ``"loop"``: one task after the other, with the memory of one;
    - ``"workers"``: one task after the other on each of several threads of a CPU;
    - ``"auto"``: on a GPU "vmap"; on a CPU "workers" for convolutions (which vmap turns
      into slow grouped ones) and for layers that vmap differentiates wrongly, or the
      loop where there is one thread, or where tasks draw random numbers, whose order
      threads would not keep; else "compiled" if there is a compiler, and "vmap" if not.
      `reason` says which rule it was.

    With a ``torch.distributed`` process group, all processes must call it with the same
    batch: each computes its share of the tasks, and ``.grad`` is the same in all.

    Args:
        learner: on the device where it will compute.
        strategy: one of those above.
        memory: a limit, in MiB, for the tensors that a call makes; tasks are then
            computed in parts that keep it. Scratch memory within single operations is
            not counted.
        workers: how many threads "workers" has; PyTorch's own number if None.

    Raises:
        ValueError: an unknown strategy, or one that would be wrong for the model or
            the device; a memory limit that is not above 0, or below what a single task
            takes (from the call); no workers.
    """

    def __init__(
        self,
        learner: Learner,
        strategy: str = "auto",
        *,
        memory: float | None = None,
        workers: int | None = None,
    ) -> None:
        if not isinstance(strategy, str) or strategy not in STRATEGIES:
            raise ValueError(f"strategy is {strategy!r}: one of {STRATEGIES} is needed")
        if not isinstance(learner, nn.Module) or not hasattr(learner, "meta_loss"):
            raise TypeError(f"learner is a {type(learner).__name__}, not a mt.Learner")
        if memory is not None and not (is_number(memory) and 0 < memory < math.inf):
            raise ValueError(f"memory is {memory!r}: a limit above 0 MiB is needed")
        self.learner = learner
        self.memory = memory
        self.quiet = strategy == "auto"
        self.count = torch.get_num_threads() if workers is None else workers
        at_least_one("workers", self.count)
        # how the learner maps its tasks, within what is compiled too
        suits = resolve(learner.strategy, learner.model, device_of(learner))
        self.strategy, self.reason = strategy, "it was asked for"
        if strategy == "auto":
            self.strategy, self.reason = self.pick(suits)
        one_by_one = {"vmap": "vmap", "loop": "loop", "workers": "loop"}
        self.mapping = one_by_one.get(self.strategy, suits)
        if self.strategy == "vmap" and (layers := normalising_layers(learner.model)):
            raise ValueError(
                f"second derivatives of layer {layers[0]!r} are wrong under vmap: use "
                'the strategy "workers", "loop" or "auto", or GroupNorm'
            )
        device = device_of(learner).type
        if self.strategy == "workers" and device != "cpu":
            raise ValueError(
                f'"workers" are threads of the CPU, the learner is on {device}: use '
                '"vmap", "loop" or "auto"'
            )
        self.compiled = Compiled(learner, self.mapping)
        self.workers: Workers | None = None
        self.side_by_side = self.count  # workers that memory allows
        self.fitting: dict[tuple[torch.Size, ...], int] = {}

    def pick(self, suits: str) -> tuple[str, str]:
        """What "auto" stands for, and why, if "vmap" or "loop" suits the learner."""
        if suits == "loop":
            if device_of(self.learner).type != "cpu":
                return "loop", "its tasks cannot be computed together"
            if self.learner.stochastic:
                return "loop", "tasks draw random numbers, in an order threads lose"
            if self.count == 1:
                return "loop", "convolutions on one thread go one task at a time"
            return "workers", f"one task at a time on each of {self.count} threads"
        if device_of(self.learner).type != "cpu":
            return "vmap", "a GPU computes many tasks together"
        if not compiler_at_hand():
            return "vmap", "a small dense model, and no C++ compiler at hand"
        return "compiled", "a dense model on a CPU: Python is most of its time"

    def __call__(self, batch: TaskBatch) -> Tensor:
        """The meta-loss of the tasks; each ``.grad`` is then the meta-gradient.

        Gradients that were there before are replaced, not added to.

        Args:
            batch: on any device.

        Returns:
            The mean over tasks, a scalar without a graph.

        Raises:
            ProcessLostError: another process of the group is gone.
        """
        parameters = trained(self.learner)
        if not parameters:
            raise ValueError("the learner has no parameter that wants a gradient")
        batch = check_batch(batch).to(parameters[0].device)
        if size() == 1:
            found = self.in_parts(batch)
        else:
            mine = share(batch)
            weight = len(mine) / len(batch)
            found = averaged(lambda: self.in_parts(mine), weight, parameters)
        for parameter, slope in zip(parameters, found.slopes, strict=True):
            parameter.grad = slope
        return found.loss

    def in_parts(self, batch: TaskBatch) -> MetaGradient:
        """The meta-gradient of this process's tasks, in as many parts as need be."""
        count = math.ceil(len(batch) / self.at_once(batch))
        ends = [len(batch) * i // count for i in range(count + 1)]
        if count == 1:
            return self.compute(batch)
        return weighted_sum(self.pieces(batch, ends))

    def pieces(
        self, batch: TaskBatch, ends: list[int]
    ) -> Iterator[tuple[float, MetaGradient]]:
        """The parts of a batch: their shares of it, and their meta-gradients."""
        for start, stop in pairwise(ends):
            yield (stop - start) / len(batch), self.compute(part(batch, start, stop))
            if self.memory is not None:
                allocations.give_back()

    def compute(self, batch: TaskBatch) -> MetaGradient:
        """The meta-gradient of tasks that are computed at once."""
        if self.strategy == "compiled":
            try:
                return self.compiled(batch)
            except NotCompilable as why:
                self.fall_back(str(why))
        if self.strategy == "workers":
            if self.workers is None:
                self.workers = Workers(self.count)
            return self.workers(self.learner, batch, self.side_by_side)
        return by_autograd(self.learner, batch, self.strategy)

    def fall_back(self, why: str) -> None:
        """Goes on without compiling, after one warning unless "auto" had tried it."""
        self.strategy = self.mapping
        self.reason = f"{type(self.learner).__name__} is not compiled: {why}"
        self.fitting.clear()
        if not self.quiet:
            warnings.warn(
                f'{self.reason}. "{self.mapping}" computes instead', stacklevel=5
            )

    def at_once(self, batch: TaskBatch) -> int:
        """How many of these tasks to compute at once."""
        most = len(batch)
        if self.strategy == "loop":
            most = 1
        elif self.strategy == "compiled" and self.mapping == "vmap":
            most = AT_ONCE
        if self.memory is None:
            return min(most, len(batch))
        kind = tuple(tensor.shape[1:] for tensor in batch.tensors)
        if kind not in self.fitting:
            self.fitting[kind] = self.within_memory(batch)
        return min(most, self.fitting[kind], len(batch))

    def within_memory(self, batch: TaskBatch) -> int:
        """How many tasks at once keep the limit of memory.

        What a compiled function takes is not seen from here; it is less than what
        vmap takes.
        """
        known = [*self.learner.parameters(), *self.learner.buffers(), *batch.tensors]

        def measure(tasks: int) -> int:
            few = part(batch, 0, tasks)
            # a learner that draws random numbers must not notice that it was measured
            with torch.random.fork_rng():
                return allocations.peak_bytes(
                    lambda: by_autograd(self.learner, few, self.mapping), known
                )

        if self.mapping == "loop":
            # tasks one after the other: those side by side count
            allocations.tasks_within(self.memory, measure, 1)
            each = measure(1) / allocations.MEBIBYTE
            self.side_by_side = min(self.count, int(self.memory / each))
            return len(batch)
        return allocations.tasks_within(self.memory, measure, len(batch))

    def __repr__(self) -> str:
        return (
            f"Engine({type(self.learner).__name__}, {self.strategy!r}: {self.reason})"
        )
