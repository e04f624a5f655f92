"""Small problems whose answers are known, for the tests of all learners."""

import torch
from torch import nn

from metatutor.tasks import TaskBatch, TaskSource


class Point(nn.Module):
    """A linear model that is one vector."""

    def __init__(self, size=1):
        super().__init__()
        self.theta = nn.Parameter(torch.randn(size))

    def forward(self, x):
        return x @ self.theta


def half_squares(outputs, targets):
    return ((outputs - targets) ** 2).mean() / 2


def scalar_tasks():
    """Two noiseless tasks a/2 (φ − w)² with a = 1, 6 and w = −1, 2."""
    a, w = torch.tensor([1.0, 6.0]), torch.tensor([-1.0, 2.0])
    x = a.sqrt()[:, None, None]
    y = (a.sqrt() * w)[:, None]
    return TaskBatch(x, y, x, y)


class Always(TaskSource):
    """The same tasks whenever it is asked."""

    def __init__(self, batch):
        self.batch = batch

    def sample(self, n, generator=None):
        assert n == len(self.batch)
        return self.batch


def linear_tasks(size, tasks=3, examples=9):
    """Linear regressions with random designs and targets."""
    return TaskBatch(
        torch.randn(tasks, examples, size),
        torch.randn(tasks, examples),
        torch.randn(tasks, examples + 2, size),
        torch.randn(tasks, examples + 2),
    )


def quadratic(x, y):
    """A = XᵀX/n and b = Xᵀy/n: ℓ(φ) = φᵀAφ/2 − bᵀφ + const."""
    return x.T @ x / len(x), x.T @ y / len(x)


def meta_gradient(learner, batch):
    learner.zero_grad()
    learner.meta_loss(batch).backward()
    return torch.cat([p.grad.flatten() for p in learner.parameters()])


def central_differences(learner, batch, h=1e-5):
    """Richardson's extrapolation of two central differences, parameter by parameter."""
    slopes = []
    for p in learner.parameters():
        for i in range(p.numel()):
            flat = p.data.view(-1)
            kept = flat[i].item()

            def at(value, flat=flat, i=i):
                flat[i] = value
                return learner.meta_loss(batch).item()

            coarse = (at(kept + 2 * h) - at(kept - 2 * h)) / (4 * h)
            fine = (at(kept + h) - at(kept - h)) / (2 * h)
            flat[i] = kept
            slopes.append((4 * fine - coarse) / 3)
    return torch.tensor(slopes)
