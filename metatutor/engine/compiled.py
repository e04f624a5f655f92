"""The whole meta-gradient as one compiled function.

The meta-loss, every inner step in it and the derivative through them are traced into
one graph of plain operations, which ``torch.compile`` fuses into a few. Nothing of
Python is left within a step, which is most of the time of a small network.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from ..tasks import TaskBatch, part
from ..ways import Ways, counted_ways
from .gradient import Learner, MetaGradient, computed_by, trained, weighted_sum

LARGEST = 10_000
"""Operations in a graph: more would take many minutes to compile."""
MOST = 8
"""Graphs for one learner: with more, its settings change faster than it computes."""


class NotCompilable(RuntimeError):
    """Why a learner, or anything on this machine, cannot be compiled."""


def compiler_at_hand() -> bool:
    """Whether this machine has what ``torch.compile`` needs for the CPU."""
    names = [os.environ.get("CXX", ""), "g++", "clang++", "cl"]
    headers = Path(sysconfig.get_paths()["include"], "Python.h")
    return (
        any(shutil.which(name) for name in names if name)
        and headers.exists()
        and sys.version_info < (3, 15)
    )


class Compiled:
    """Meta-gradients of one learner by compiled graphs, one for each shape of batch.

    A graph holds for the learner's plain settings and its modules' training mode at the
    time, and is made anew when they differ; parameters and buffers are its inputs.

    Args:
        learner: whose meta-gradients they are.
        how: "vmap", all tasks in one graph; or "loop", a graph of one task, called for
            each.
    """

    def __init__(self, learner: Learner, how: str) -> None:
        self.learner = learner
        self.how = how
        self.graphs: dict[Any, Callable[..., Any]] = {}

    def __call__(self, batch: TaskBatch) -> MetaGradient:
        """The meta-gradient of all tasks.

        Raises:
            NotCompilable: with the reason.
        """
        with counted_ways(batch) as ways:
            if self.how == "vmap":
                return self.compute(batch, ways)
            each = [part(batch, i, i + 1) for i in range(len(batch))]
            share = 1 / len(batch)
            return weighted_sum((share, self.compute(task, ways)) for task in each)

    def compute(self, batch: TaskBatch, ways: Ways | None) -> MetaGradient:
        """The meta-gradient of a batch that one graph is for."""
        tensors = [tensor.contiguous() for tensor in batch.tensors]
        state = state_of(self.learner)
        key = (
            ways and (ways.count, ways.missing is None),
            torch.get_num_threads(),
            *settings(self.learner, state),
            *map(kind, tensors),
        )
        graph = self.graphs.get(key)
        fresh = graph is None
        if fresh:
            if len(self.graphs) >= MOST:
                raise NotCompilable(
                    f"its settings or shapes have changed {MOST} times already"
                )
            graph = compiled(self.learner, self.how, state, tensors)
        with torch.no_grad():
            try:
                loss, *slopes = graph(list(state.values()), tensors)
            except Exception as error:
                if not fresh:
                    raise
                # the first call compiles
                raise NotCompilable(f"torch.compile: {first_line(error)}") from error
        self.graphs[key] = graph
        found = iter(slopes)
        slopes = [next(found) if used else None for used in graph.uses]
        return MetaGradient(loss, slopes)


def compiled(
    learner: Learner, how: str, state: dict[str, Tensor], tensors: list[Tensor]
) -> Callable[..., Any]:
    """A function of (parameters and buffers, batch) -> (loss, slopes …)."""
    traced, uses = trace(learner, how, state, tensors)
    if len(traced.graph.nodes) > LARGEST:
        raise NotCompilable(
            f"its graph has {len(traced.graph.nodes)} operations, more than {LARGEST}"
        )
    on_cpu = tensors[0].device.type == "cpu"
    options = {
        # random numbers as they would be drawn without compiling
        "fallback_random": True,
        # a step as one call into C++, the quickest to compile too
        **({"cpp_wrapper": True} if on_cpu else {}),
    }
    try:
        function = torch.compile(traced, dynamic=False, options=options)
    except Exception as error:
        raise NotCompilable(f"torch.compile: {first_line(error)}") from error
    function.uses = uses
    return function


def trace(
    learner: Learner, how: str, state: dict[str, Tensor], tensors: list[Tensor]
) -> tuple[torch.fx.GraphModule, list[bool]]:
    """The graph of a meta-gradient, and for each parameter whether it has a slope."""
    whole = MetaLoss(learner)
    names = list(state)
    ids = {id(parameter) for parameter in trained(learner)}
    places = [i for i, tensor in enumerate(state.values()) if id(tensor) in ids]
    uses: list[bool] = []

    def step(values: list[Tensor], tensors: list[Tensor]) -> list[Tensor]:
        named = dict(zip(names, values, strict=True))
        loss = torch.func.functional_call(whole, named, tuple(tensors))
        slopes = torch.autograd.grad(
            loss, [values[i] for i in places], allow_unused=True
        )
        uses[:] = [slope is not None for slope in slopes]
        return [loss.detach(), *(slope for slope in slopes if slope is not None)]

    try:
        with computed_by(learner, how), torch.enable_grad():
            # constants that a loss closes over (class weights, say) are let in
            graph = make_fx(step, tracing_mode="fake", _allow_non_fake_inputs=True)(
                list(state.values()), tensors
            )
    except Exception as error:
        raise NotCompilable(
            f"its meta-loss cannot be traced ({first_line(error)}); does it look at "
            "the values it computes?"
        ) from error
    return graph, uses


class MetaLoss(nn.Module):
    """``learner.meta_loss`` as a module, into which other parameters can be put."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.learner.meta_loss(TaskBatch.unchecked(*tensors))


def state_of(learner: Learner) -> dict[str, Tensor]:
    """Parameters and buffers by their names in `MetaLoss`."""
    named = chain(learner.named_parameters(), learner.named_buffers())
    return {f"learner.{name}": tensor for name, tensor in named}


def settings(learner: Learner, state: dict[str, Tensor]) -> tuple[Any, ...]:
    """What a graph holds for, beside shapes."""
    plain = (bool, int, float, str, type(None))
    values = [(k, v) for k, v in vars(learner).items() if isinstance(v, plain)]
    modes = [module.training for module in learner.modules()]
    wanted = [tensor.requires_grad for tensor in state.values()]
    return (*values, *modes, *wanted, id(getattr(learner, "loss", None)))


def kind(tensor: Tensor) -> tuple[Any, ...]:
    """What a graph wants a tensor to be."""
    return tensor.shape, tensor.dtype, tensor.device


def first_line(error: BaseException) -> str:
    """What an error is, and the beginning of what it says."""
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])[:200]
