"""How others compute a meta-gradient: one task after the other, in Python.

Each function prepares a *step*: ``step(batch)`` replaces the ``.grad`` of the model's
parameters by the second-order MAML gradient of the mean over tasks. All take each
task's gradient before the next task, so that no more than one graph is kept.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

import torch
from torch import nn
from torch.func import functional_call

from ..learners.base import Loss
from ..tasks import TaskBatch

Step = Callable[[TaskBatch], object]


class MissingPeer(Exception):
    """A library that cannot be compared with, and why."""


def loop(model: nn.Module, loss: Loss, inner_lr: float, inner_steps: int) -> Step:
    """The algorithm box in PyTorch's own words; all others must agree with it."""
    theta = dict(model.named_parameters())

    def step(batch: TaskBatch) -> None:
        model.zero_grad()
        for support_x, support_y, query_x, query_y in batch:
            phi = theta
            for _ in range(inner_steps):
                value = loss(functional_call(model, phi, (support_x,)), support_y)
                slopes = torch.autograd.grad(value, phi.values(), create_graph=True)
                phi = {
                    name: weight - inner_lr * slope
                    for (name, weight), slope in zip(phi.items(), slopes, strict=True)
                }
            value = loss(functional_call(model, phi, (query_x,)), query_y)
            (value / len(batch)).backward()

    return step


def higher(model: nn.Module, loss: Loss, inner_lr: float, inner_steps: int) -> Step:
    """The library higher: a patched copy of the model for each task."""
    library = imported("higher")
    descent = torch.optim.SGD(model.parameters(), lr=inner_lr)

    def step(batch: TaskBatch) -> None:
        model.zero_grad()
        for support_x, support_y, query_x, query_y in batch:
            with library.innerloop_ctx(model, descent, copy_initial_weights=False) as (
                adapted,
                differentiable,
            ):
                for _ in range(inner_steps):
                    differentiable.step(loss(adapted(support_x), support_y))
                (loss(adapted(query_x), query_y) / len(batch)).backward()

    return step


def torchopt(model: nn.Module, loss: Loss, inner_lr: float, inner_steps: int) -> Step:
    """The library TorchOpt, as its MAML example has it: the model is put back after."""
    library = imported("torchopt")
    descent = library.MetaSGD(model, lr=inner_lr)
    theta = library.extract_state_dict(model)
    fresh = library.extract_state_dict(descent)

    def step(batch: TaskBatch) -> None:
        model.zero_grad()
        for support_x, support_y, query_x, query_y in batch:
            for _ in range(inner_steps):
                descent.step(loss(model(support_x), support_y))
            (loss(model(query_x), query_y) / len(batch)).backward()
            library.recover_state_dict(model, theta)
            library.recover_state_dict(descent, fresh)

    return step


def imported(name: str) -> ModuleType:
    """The library of that name.

    Raises:
        MissingPeer: it is not installed, or does not work with what is.
    """
    try:
        return importlib.import_module(name)
    except Exception as error:  # an old library fails at its import in any way
        why = " ".join(str(error).split())
        raise MissingPeer(
            f"{name} is left out: {type(error).__name__}: {why}"
        ) from error
