"""One function of one task, applied to many.

A learner is written for one task; `map_tasks` turns it into many. Two ways give
the same numbers up to rounding:

- ``"vmap"`` computes all tasks together, each operation once for the whole batch:
  several times faster for small dense networks, and for everything on a GPU;
- ``"loop"`` computes one task after the other: faster for convolutions on a CPU,
  where vmap turns them into grouped convolutions, which are slow there.

`choose` picks one; learners never do. Layers that normalise by statistics of their
input are a case of their own: vmap's rule for their derivative takes mean and variance
for constants, so that second derivatives come out wrong without a word
(pytorch/functorch issue 534). Models with such layers are always computed in the loop.
A bare call of ``torch.nn.functional.layer_norm`` and the like cannot be seen from here:
set ``learner.strategy = "loop"`` for models that make one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..misfits import misfits_refused
from ..tasks import Task, TaskBatch, check_batch
from ..ways import counted_ways

STRATEGIES = ("auto", "vmap", "loop")
# wrong second derivatives under vmap; GroupNorm and RMSNorm are right
WRONG_UNDER_VMAP = (nn.modules.batchnorm._NormBase, nn.LayerNorm)


def choose(model: nn.Module, device: torch.device) -> str:
    """The faster right strategy for ``model`` on ``device``: "vmap" or "loop"."""
    if normalising_layers(model):
        return "loop"
    convolutional = any(
        isinstance(module, nn.modules.conv._ConvNd) for module in model.modules()
    )
    return "loop" if convolutional and device.type == "cpu" else "vmap"


def resolve(strategy: str, model: nn.Module, device: torch.device) -> str:
    """``strategy`` itself, or what "auto" stands for."""
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy is {strategy!r}: one of {STRATEGIES} is needed")
    return choose(model, device) if strategy == "auto" else strategy


def normalising_layers(model: nn.Module) -> list[str]:
    """The names of layers whose second derivatives are wrong under vmap."""
    return [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, WRONG_UNDER_VMAP)
    ]


def map_tasks(
    function: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    batch: TaskBatch,
    model: nn.Module,
    strategy: str = "auto",
    chunk: int | None = None,
) -> Tensor:
    """``function(support_x, support_y, query_x, query_y)`` of every task, stacked.

    Args:
        function: pure, of one task; what it closes over (meta-parameters) is shared
            by all tasks and stays differentiable.
        batch: the tasks.
        model: the network inside ``function``, which "auto" looks at.
        strategy: "auto", "vmap" or "loop".
        chunk: with vmap, how many tasks at once, to bound memory; all if None.

    Returns:
        ``(tasks, …)``: the results in the order of the tasks.

    Raises:
        TypeError: something that is no batch.
        ValueError: an unknown strategy; "vmap" for a model whose second derivatives
            would be wrong under it; or tasks that the model or the loss cannot take.
    """
    strategy = resolve(strategy, model, check_batch(batch).support_x.device)
    if strategy == "vmap" and (layers := normalising_layers(model)):
        raise ValueError(
            f"second derivatives of layer {layers[0]!r} are wrong under vmap: use the "
            'strategy "loop" (or "auto"), or GroupNorm'
        )
    with misfits_refused(**dict(zip(Task._fields, batch.tensors, strict=True))):
        if strategy == "loop":
            return torch.stack([function(*task) for task in batch])
        # each task draws its own dropout masks, as it does in the loop
        mapped = torch.func.vmap(function, randomness="different", chunk_size=chunk)
        with counted_ways(batch):
            return mapped(*batch.tensors)
