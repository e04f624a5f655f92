"""The meta-gradient of MAML, by routes that share no code with the package."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import metatutor as mt
from metatutor.tasks import TaskBatch


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


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_meta_gradient_agrees_with_central_differences(float64, steps):
    model = mt.models.mlp(1, 1, hidden=(6, 6), activation=nn.Tanh)
    learner = mt.MAML(model, mt.mse, inner_lr=0.1, inner_steps=steps)
    batch = mt.data.Sinusoid(shots=5).sample(4)
    ours, reference = meta_gradient(learner, batch), central_differences(learner, batch)
    assert (ours - reference).norm() / reference.norm() < 1e-6


class Point(nn.Module):
    """A model that is its parameter: it ignores the input."""

    def __init__(self, size):
        super().__init__()
        self.theta = nn.Parameter(torch.randn(size))

    def forward(self, x):
        return x @ self.theta


def half_squares(outputs, targets):
    return ((outputs - targets) ** 2).mean() / 2


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    steps=st.integers(0, 5),
    size=st.integers(1, 4),
)
def test_linear_regression_has_the_closed_form(seed, steps, size):
    """∇F = P^K (A_q φ_K − b_q), P = I − α A_s, averaged over tasks."""
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    alpha, n, tasks = 0.1, 9, 3
    batch = TaskBatch(
        torch.randn(tasks, n, size),
        torch.randn(tasks, n),
        torch.randn(tasks, n + 2, size),
        torch.randn(tasks, n + 2),
    )
    learner = mt.MAML(Point(size), half_squares, alpha, steps)
    theta = learner.model.theta.detach()
    total = torch.zeros(size)
    for sx, sy, qx, qy in batch:
        a_s, b_s = sx.T @ sx / len(sx), sx.T @ sy / len(sx)
        a_q, b_q = qx.T @ qx / len(qx), qx.T @ qy / len(qx)
        p = torch.eye(size) - alpha * a_s
        phi = theta
        for _ in range(steps):
            phi = phi - alpha * (a_s @ phi - b_s)
        total += torch.linalg.matrix_power(p, steps) @ (a_q @ phi - b_q)
    torch.testing.assert_close(meta_gradient(learner, batch), total / tasks)


def scalar_tasks():
    """Two noiseless tasks a/2 (φ − w)² with a = 1, 6 and w = −1, 2."""
    a, w = torch.tensor([1.0, 6.0]), torch.tensor([-1.0, 2.0])
    x = a.sqrt()[:, None, None]
    y = (a.sqrt() * w)[:, None]
    return TaskBatch(x, y, x, y)


@pytest.mark.parametrize(
    ("make", "weight", "to_three_digits"),
    [
        (lambda m: mt.JointPretraining(m, half_squares), lambda a: a, 1.571),
        (
            lambda m: mt.MAML(m, half_squares, 0.1, 2),
            lambda a: a * (1 - 0.1 * a) ** 4,
            -0.431,
        ),
        (
            lambda m: mt.MAML(m, half_squares, 0.1, 2, first_order=True),
            lambda a: a * (1 - 0.1 * a) ** 2,
            0.627,
        ),
    ],
    ids=["ERM", "MAML", "FOMAML"],
)
def test_each_method_lands_on_its_own_point(float64, make, weight, to_three_digits):
    """θ* = Σωw / Σω, with another weight ω for each method on the same two tasks."""
    omega = [weight(1), weight(6)]
    optimum = (-1 * omega[0] + 2 * omega[1]) / sum(omega)
    assert round(optimum, 3) == to_three_digits
    learner = make(Point(1))
    for _ in range(2000):
        slope = meta_gradient(learner, scalar_tasks())
        learner.model.theta.data -= 0.3 * slope
    assert learner.model.theta.item() == pytest.approx(optimum, abs=1e-8)
    assert meta_gradient(learner, scalar_tasks()).abs() < 1e-8


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
