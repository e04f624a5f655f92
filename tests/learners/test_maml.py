"""The meta-gradient of MAML, by routes that share no code with the package."""

import pytest
import torch
from problems import central_differences, meta_gradient
from torch import nn

import metatutor as mt


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_meta_gradient_agrees_with_central_differences(float64, steps):
    model = mt.models.mlp(1, 1, hidden=(6, 6), activation=nn.Tanh)
    learner = mt.MAML(model, mt.mse, inner_lr=0.1, inner_steps=steps)
    batch = mt.data.Sinusoid(shots=5).sample(4)
    ours, reference = meta_gradient(learner, batch), central_differences(learner, batch)
    assert (ours - reference).norm() / reference.norm() < 1e-6


def test_first_order_is_the_plain_gradient_at_the_adapted_weights(float64):
    model = mt.models.mlp(1, 1, hidden=(8,), activation=nn.Tanh)
    batch = mt.data.Sinusoid(shots=5).sample(3)
    first_order = mt.MAML(model, mt.mse, 0.1, 3, first_order=True)
    expected = 0
    for sx, sy, qx, qy in batch:
        phi = {
            k: v.detach().requires_grad_() for k, v in first_order.fit(sx, sy).items()
        }
        loss = mt.mse(first_order.predict(phi, qx), qy) / len(batch)
        grads = torch.autograd.grad(loss, list(phi.values()))
        expected = expected + torch.cat([g.flatten() for g in grads])
    ours = meta_gradient(first_order, batch)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-14)
    second_order = meta_gradient(mt.MAML(model, mt.mse, 0.1, 3), batch)
    assert (ours - second_order).norm() > 0.05 * second_order.norm()


def test_no_steps_is_empirical_risk_minimisation(float64):
    model = mt.models.mlp(1, 1)
    batch = mt.data.Sinusoid(shots=5).sample(3)
    ours = meta_gradient(mt.MAML(model, mt.mse, 0.1, 0), batch)
    model.zero_grad()
    mt.mse(model(batch.query_x), batch.query_y).backward()
    plain = torch.cat([p.grad.flatten() for p in model.parameters()])
    torch.testing.assert_close(ours, plain)


def test_adaptation_leaves_the_learner_as_it_was():
    learner = mt.MAML(mt.models.mlp(1, 1), mt.mse, inner_lr=0.1, inner_steps=3)
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    x = torch.randn(5, 1)
    predict = learner.adapt(x, x.sin())
    assert not predict(x).requires_grad
    assert not torch.equal(predict(x), learner.model(x))
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())
    assert all(p.grad is None for p in learner.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inner_lr": 0.0}, "inner_lr is 0.0: a finite number above 0"),
        ({"inner_lr": float("nan")}, "inner_lr is nan"),
        ({"inner_steps": -1}, "inner_steps is -1: a whole number of at least 0"),
        ({"inner_steps": 1.5}, "inner_steps is 1.5"),
    ],
)
def test_settings_that_make_no_sense_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        mt.MAML(mt.models.mlp(1, 1), mt.mse, **options)


def test_running_statistics_are_refused():
    model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with pytest.raises(ValueError, match=r"layer '1' .*track_running_stats=False"):
        mt.MAML(model, mt.mse)


def test_batch_statistics_make_a_learner_transductive():
    layer = nn.BatchNorm1d(4, track_running_stats=False)
    model = nn.Sequential(nn.Linear(1, 4), layer, nn.Linear(4, 1))
    assert mt.MAML(model, mt.mse).transductive
    assert not mt.MAML(mt.models.mlp(1, 1), mt.mse).transductive


def test_bad_support_sets_are_refused_at_the_door():
    learner = mt.MAML(mt.models.mlp(1, 1), mt.mse)
    with pytest.raises(ValueError, match="one target for each input"):
        learner.adapt(torch.zeros(5, 1), torch.zeros(4, 1))
    with pytest.raises(ValueError, match="NaN or infinite, the first at index"):
        learner.adapt(torch.full((2, 1), torch.nan), torch.zeros(2, 1))
    with pytest.raises(ValueError, match="holds no example"):
        learner.adapt(torch.zeros(0, 1), torch.zeros(0, 1))
    with pytest.raises(ValueError, match="steps is -2"):
        learner.adapt(torch.zeros(2, 1), torch.zeros(2, 1), steps=-2)
