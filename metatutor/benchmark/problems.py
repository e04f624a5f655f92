"""What is timed: second-order MAML on a small dense and on a convolutional network.

The same number of tasks is the same problem each time: model and tasks have seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from ..data import Sinusoid
from ..learners.base import Loss
from ..models import conv4, mlp
from ..tasks import Episodes, TaskBatch


@dataclass(frozen=True, eq=False)
class Problem:
    """A model, a batch of tasks for it, and how it adapts to one.

    Attributes:
        model: whose parameters are the meta-parameters.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        batch: the tasks of one meta-gradient.
        inner_lr: the rate of the inner steps.
    """

    model: nn.Module
    loss: Loss
    batch: TaskBatch
    inner_lr: float


def sinusoid(tasks: int) -> Problem:
    """10-shot sinusoid regression. Source: Finn et al. 2017, section 5.1."""
    return Problem(mlp(1, 1), mse_loss, Sinusoid(shots=10).sample(tasks), 0.01)


def images(tasks: int) -> Problem:
    """5-way 1-shot, 15 queries a class, 28×28 pixels of noise, conv4 of 64 channels.

    What the pixels show matters not to the time; its batch normalisation, which most
    code of the field has, makes it a problem that vmap cannot do.
    """
    episodes = Episodes(torch.rand(20, 16, 1, 28, 28), ways=5, shots=1, queries=15)
    model = conv4(5, norm="batch")
    return Problem(model, cross_entropy, episodes.sample(tasks), 0.1)


PROBLEMS: dict[str, Callable[[int], Problem]] = {"mlp": sinusoid, "conv4": images}


def make(name: str, tasks: int, device: str = "cpu") -> Problem:
    """The problem of that name with so many tasks, on ``device``."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = PROBLEMS[name](tasks)
    batch = made.batch.to(device)
    return Problem(made.model.to(device), made.loss, batch, made.inner_lr)
