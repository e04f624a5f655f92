"""Reptile: what its update is, and what its minibatches are."""

import pytest
import torch
from torch import nn

import metatutor as mt


def network():
    torch.manual_seed(0)
    return mt.models.mlp(1, 1, hidden=(6,), activation=nn.Tanh)


def test_an_outer_step_of_sgd_is_the_papers_update(float64):
    """θ ← θ + ε (mean of φ_K − θ), with φ_K by a plain optimiser on all examples."""
    epsilon, alpha, steps = 0.3, 0.05, 4
    batch = mt.data.Sinusoid(shots=4, queries=6).sample(3)
    learner = mt.Reptile(network(), mt.mse, alpha, steps)
    ends = []
    for task in batch:
        model = network()
        descent = torch.optim.SGD(model.parameters(), lr=alpha)
        x = torch.cat([task.support_x, task.query_x])
        y = torch.cat([task.support_y, task.query_y])
        for _ in range(steps):
            descent.zero_grad()
            mt.mse(model(x), y).backward()
            descent.step()
        ends.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    theta = nn.utils.parameters_to_vector(learner.model.parameters()).detach()
    expected = theta + epsilon * (torch.stack(ends).mean(0) - theta)
    outer = torch.optim.SGD(learner.parameters(), lr=epsilon)
    learner.meta_loss(batch).backward()
    outer.step()
    ours = nn.utils.parameters_to_vector(learner.model.parameters()).detach()
    torch.testing.assert_close(ours, expected)


def test_minibatches_are_of_one_task_and_other_each_step():
    seen = []

    class Watching(nn.Linear):
        def forward(self, x):
            seen.append(x.detach())
            return super().forward(x)

    batch = mt.data.Sinusoid(shots=10, queries=10).sample(1)
    learner = mt.Reptile(Watching(1, 1), mt.mse, inner_steps=3, inner_batch=5)
    learner.strategy = "loop"
    learner.meta_loss(batch)
    *steps, whole = seen
    task = set(whole.flatten().tolist())
    assert len(task) == 20
    assert [len(set(x.flatten().tolist()) & task) for x in steps] == [5, 5, 5]
    assert not torch.equal(steps[0], steps[1])


@pytest.mark.parametrize("strategy", ["vmap", "loop"])
def test_minibatches_follow_the_seed(strategy):
    batch = mt.data.Sinusoid(shots=10).sample(4)
    learner = mt.Reptile(network(), mt.mse, inner_batch=3)
    learner.strategy = strategy
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        learner.zero_grad()
        learner.meta_loss(batch).backward()
        found.append(learner.model[0].weight.grad.clone())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_batch_larger_than_the_task_is_the_task(float64):
    batch = mt.data.Sinusoid(shots=3, queries=4).sample(2)
    large = mt.Reptile(network(), mt.mse, inner_batch=100).meta_loss(batch)
    torch.testing.assert_close(large, mt.Reptile(network(), mt.mse).meta_loss(batch))
    with pytest.raises(ValueError, match="inner_batch is 0"):
        mt.Reptile(network(), mt.mse, inner_batch=0)
