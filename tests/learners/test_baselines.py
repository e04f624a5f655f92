"""The baselines, by what each of them leaves out."""

import math

import pytest
import torch
from torch import nn

import metatutor as mt


def examples(batch):
    """All examples of all tasks, in one heap."""
    x = torch.cat([batch.support_x, batch.query_x], dim=1).flatten(0, 1)
    y = torch.cat([batch.support_y, batch.query_y], dim=1).flatten(0, 1)
    return x, y


@pytest.mark.parametrize("baseline", [mt.JointPretraining, mt.NoAdaptation])
@pytest.mark.parametrize(("shots", "queries"), [(4, 4), (3, 9)])
def test_joint_training_is_erm_on_the_pooled_examples(
    float64, baseline, shots, queries
):
    model = mt.models.mlp(1, 1, hidden=(6,), activation=nn.Tanh)
    batch = mt.data.Sinusoid(shots, queries).sample(5)
    ours = baseline(model, mt.mse).meta_loss(batch)
    x, y = examples(batch)
    pooled = mt.mse(model(x), y)
    torch.testing.assert_close(ours, pooled)
    weights = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(ours, weights), torch.autograd.grad(pooled, weights)
    )


def test_without_adaptation_the_support_set_says_nothing():
    model = mt.models.mlp(1, 1)
    learner = mt.NoAdaptation(model, mt.mse, inner_lr=0.5, inner_steps=5)
    x = torch.linspace(-5, 5, 9)[:, None]
    for slope in (-3.0, 0.0, 3.0):
        predict = learner.adapt(x, slope * x, steps=3)
        assert torch.equal(predict(x), model(x))


@pytest.mark.parametrize("baseline", [mt.FromScratch, mt.JointPretraining])
def test_fine_tuning_is_gradient_descent_from_the_model(float64, baseline):
    model = mt.models.mlp(1, 1, hidden=(6,), activation=nn.Tanh)
    task = mt.data.Sinusoid(shots=6).sample(1)[0]
    learner = baseline(model, mt.mse, inner_lr=0.05)
    ours = learner.adapt(task.support_x, task.support_y, steps=4)(task.query_x)
    by_hand = mt.models.mlp(1, 1, hidden=(6,), activation=nn.Tanh)
    by_hand.load_state_dict(model.state_dict())
    descent = torch.optim.SGD(by_hand.parameters(), lr=0.05)
    for _ in range(4):
        descent.zero_grad()
        mt.mse(by_hand(task.support_x), task.support_y).backward()
        descent.step()
    torch.testing.assert_close(ours, by_hand(task.query_x).detach())


def test_from_scratch_has_nothing_to_meta_train():
    learner = mt.FromScratch(mt.models.mlp(1, 1), mt.mse)
    message = "nothing to meta-train: evaluate it as it is, or train JointPretraining"
    with pytest.raises(TypeError, match=message):
        learner.meta_loss(mt.data.Sinusoid().sample(2))
    with pytest.raises(TypeError, match=message):
        mt.meta_train(learner, mt.data.Sinusoid(), iterations=1, progress=False)
    assert mt.meta_evaluate(learner, mt.data.Sinusoid(), tasks=10).mean > 0


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm1d(4),
        nn.SyncBatchNorm(4),
        nn.InstanceNorm1d(4, track_running_stats=True),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("baseline", [mt.FromScratch, mt.NoAdaptation])
def test_running_statistics_are_refused_by_layer(baseline, layer):
    model = nn.Sequential(nn.Linear(1, 4), layer, nn.Linear(4, 1))
    with pytest.raises(ValueError, match=r"layer '1' .*track_running_stats=False"):
        baseline(model, mt.mse)


@pytest.mark.parametrize("layer", [nn.GroupNorm(2, 4), nn.LayerNorm(4)])
def test_normalising_each_example_alone_is_welcome(layer):
    model = nn.Sequential(nn.Linear(1, 4), layer, nn.Linear(4, 1))
    assert not mt.NoAdaptation(model, mt.mse).transductive


def test_joint_training_learns_the_average_wave():
    """The best single function is E[A sin(x − b)] = −(2/π) 2.55 cos x."""
    learner = mt.JointPretraining(mt.models.mlp(1, 1), mt.mse)
    source = mt.data.Sinusoid(shots=10)
    mt.meta_train(learner, source, iterations=400, meta_batch=150, lr=0.01,
                  progress=False)  # fmt: skip
    mt.meta_train(learner, source, iterations=150, meta_batch=150, seed=1,
                  progress=False)  # fmt: skip
    x = torch.linspace(-4.8, 4.8, 97)[:, None]
    average = -2 / math.pi * 2.55 * torch.cos(x)
    error = (learner.model(x) - average).square().mean().sqrt().item()
    # the average wave itself has a root mean square of 1.1
    assert error < 0.2
