"""One meta-batch on several processes, by ``torch.distributed``.

Every process draws the same tasks, computes its share of them, and the meta-gradients
are averaged: what comes out is what one process would have computed, up to rounding.
Nothing here is used unless a process group was initialised, as under ``torchrun``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..tasks import TaskBatch, part
from .gradient import MetaGradient

Value = TypeVar("Value")


class ProcessLostError(RuntimeError):
    """Another process of this run is gone, or has stopped at an error of its own."""


def size() -> int:
    """How many processes compute together."""
    return dist.get_world_size() if running() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if running() else 0


def running() -> bool:
    """Whether there is a process group."""
    return dist.is_available() and dist.is_initialized()


def share(batch: TaskBatch) -> TaskBatch:
    """This process's part of a batch that all processes hold."""
    if size() == 1:
        return batch
    if len(batch) < size():
        raise ValueError(
            f"{len(batch)} tasks cannot be spread over {size()} processes: give each "
            "of them at least one"
        )
    start, stop = (len(batch) * place // size() for place in (rank(), rank() + 1))
    return part(batch, start, stop)


def averaged(
    compute: Callable[[], MetaGradient], weight: float, parameters: list[Tensor]
) -> MetaGradient:
    """Σ over processes of weight · meta-gradient, the same in all of them.

    A process whose computation fails tells the others before it raises, so that none
    waits for it.

    Args:
        compute: this process's meta-gradient.
        weight: its share of the tasks.
        parameters: what the slopes belong to.

    Raises:
        ProcessLostError: another process failed, or cannot be reached any more.
    """
    failure: Exception | None = None
    sizes = [parameter.numel() for parameter in parameters]
    message = parameters[0].new_zeros(2 + sum(sizes))  # failures, loss, slopes
    try:
        found = compute()
    except Exception as error:
        failure = error
        message[0] = 1
    else:
        flat = [
            parameter.new_zeros(parameter.numel()) if slope is None else slope.flatten()
            for slope, parameter in zip(found.slopes, parameters, strict=True)
        ]
        message[1:] = weight * torch.cat([found.loss.reshape(1), *flat])
    try:
        dist.all_reduce(message)
    except RuntimeError as error:
        raise failure or ProcessLostError(
            f"process {rank()} of {size()} cannot reach the others any more: one of "
            "them has died, or the connection is broken"
        ) from error
    if failure is not None:
        raise failure
    if message[0] > 0:
        raise ProcessLostError(
            f"{int(message[0])} of {size()} processes stopped at an error, which they "
            "report themselves"
        )
    slopes = [
        None if slope is None else summed.view_as(parameter)
        for slope, summed, parameter in zip(
            found.slopes, message[2:].split(sizes), parameters, strict=True
        )
    ]
    return MetaGradient(message[1].clone(), slopes)


def from_first(compute: Callable[[], Value]) -> Value:
    """What ``compute`` returns or raises in process 0, in all of them."""
    if size() == 1:
        return compute()
    outcome: list[object] = [None, None]
    if rank() == 0:
        try:
            outcome[0] = compute()
        except Exception as error:
            outcome[1] = error
    try:
        dist.broadcast_object_list(outcome, src=0)
    except RuntimeError as error:
        raise ProcessLostError(
            f"process {rank()} of {size()} cannot reach process 0 any more"
        ) from error
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


def same_everywhere(module: nn.Module) -> None:
    """Gives the module in every process the parameters and buffers of process 0."""
    if size() == 1:
        return
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor, src=0)
