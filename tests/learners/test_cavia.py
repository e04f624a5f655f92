"""CAVIA: the context adapts, the network does not."""

import pytest
import torch
from torch import nn

import metatutor as mt


def learner(**options):
    torch.manual_seed(0)
    model = mt.models.mlp(3, 1, hidden=(6,), activation=nn.Tanh)
    return mt.CAVIA(model, mt.mse, context=2, **options)


def test_the_context_descends_from_zero(float64):
    ours, task = learner(inner_lr=0.3, inner_steps=3), mt.data.Sinusoid().sample(1)[0]
    context = torch.zeros(2, requires_grad=True)
    for _ in range(3):
        inputs = torch.cat(
            [task.support_x, context.expand(len(task.support_x), 2)], dim=1
        )
        loss = mt.mse(ours.model(inputs), task.support_y)
        (slope,) = torch.autograd.grad(loss, context)
        context = (context - 0.3 * slope).detach().requires_grad_()
    fitted = ours.fit(task.support_x, task.support_y)
    assert list(fitted) == ["context"]
    torch.testing.assert_close(fitted["context"], context)


def test_without_steps_the_context_is_zero(float64):
    ours, task = learner(), mt.data.Sinusoid().sample(1)[0]
    predict = ours.adapt(task.support_x, task.support_y, steps=0)
    x = torch.linspace(-5, 5, 7)[:, None]
    padded = torch.cat([x, torch.zeros(7, 2)], dim=1)
    torch.testing.assert_close(predict(x), ours.model(padded).detach())


def test_no_context_is_refused():
    with pytest.raises(ValueError, match="context is 0"):
        mt.CAVIA(mt.models.mlp(1, 1), mt.mse, context=0)
