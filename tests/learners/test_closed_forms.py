"""Every method by its closed form: on linear regressions, and each on its own point."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import (
    Always,
    Point,
    half_squares,
    linear_tasks,
    meta_gradient,
    quadratic,
    scalar_tasks,
)

import metatutor as mt

# what each method's meta-gradient is on ℓ(φ) = φᵀAφ/2 − bᵀφ, linear in θ. Arguments:
# A, b of the support set, of the query set, and of both together; α, K, λ


def erm(theta, s, q, pooled, alpha, steps, strength):
    return pooled[0] @ theta - pooled[1]


def descended(theta, a, b, alpha, steps):
    for _ in range(steps):
        theta = theta - alpha * (a @ theta - b)
    return theta


def fomaml(theta, s, q, pooled, alpha, steps, strength):
    return q[0] @ descended(theta, *s, alpha, steps) - q[1]


def maml(theta, s, q, pooled, alpha, steps, strength):
    p = torch.eye(len(theta)) - alpha * s[0]
    slope = fomaml(theta, s, q, pooled, alpha, steps, strength)
    return torch.linalg.matrix_power(p, steps) @ slope


def reptile(theta, s, q, pooled, alpha, steps, strength):
    return theta - descended(theta, *pooled, alpha, steps)


def nearby(theta, a, b, strength):
    eye = torch.eye(len(theta))
    return torch.linalg.solve(a + strength * eye, b + strength * theta)


def implicit_maml(theta, s, q, pooled, alpha, steps, strength):
    slope = q[0] @ nearby(theta, *s, strength) - q[1]
    return torch.linalg.solve(torch.eye(len(theta)) + s[0] / strength, slope)


def minibatch_prox(theta, s, q, pooled, alpha, steps, strength):
    return strength * (theta - nearby(theta, *pooled, strength))


METHODS = {
    "ERM": (
        lambda m, alpha, steps, strength: mt.JointPretraining(m, half_squares),
        erm,
    ),
    "MAML": (lambda m, alpha, steps, _: mt.MAML(m, half_squares, alpha, steps), maml),
    "FOMAML": (
        lambda m, alpha, steps, _: mt.MAML(m, half_squares, alpha, steps, True),
        fomaml,
    ),
    "Reptile": (
        lambda m, alpha, steps, _: mt.Reptile(m, half_squares, alpha, steps),
        reptile,
    ),
    "implicit MAML": (
        lambda m, alpha, steps, strength: mt.ImplicitMAML(m, half_squares, strength),
        implicit_maml,
    ),
    "MinibatchProx": (
        lambda m, alpha, steps, strength: mt.MinibatchProx(m, half_squares, strength),
        minibatch_prox,
    ),
}


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 4),
    steps=st.integers(1, 5),
    strength=st.floats(0.3, 5.0),
)
def test_the_meta_gradient_has_the_closed_form(method, seed, size, steps, strength):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    alpha, batch = 0.1, linear_tasks(size)
    make, formula = METHODS[method]
    learner = make(Point(size), alpha, steps, strength)

    def closed_form(theta):
        slopes = []
        for sx, sy, qx, qy in batch:
            both = torch.cat([sx, qx]), torch.cat([sy, qy])
            parts = [quadratic(sx, sy), quadratic(qx, qy), quadratic(*both)]
            slopes.append(formula(theta, *parts, alpha, steps, strength))
        return torch.stack(slopes).mean(0)

    theta = learner.model.theta.detach().clone()
    torch.testing.assert_close(
        meta_gradient(learner, batch), closed_form(theta), rtol=1e-6, atol=1e-9
    )
    # the closed form is M θ − v: its zero is where the learner's own gradient vanishes
    v = -closed_form(torch.zeros(size))
    m = torch.stack([closed_form(e) + v for e in torch.eye(size)], dim=1)
    learner.model.theta.data = torch.linalg.solve(m, v)
    assert meta_gradient(learner, batch).norm() < 1e-8


# the weight ω(a) with which a task a/2 (φ − w)² pulls, for α = 0.1, K = 2, λ = 1.5,
# and where θ* = Σωw / Σω then lies for a = 1, 6 and w = −1, 2
TABLE = {
    "ERM": (lambda a: a, 1.571),
    "MAML": (lambda a: a * (1 - 0.1 * a) ** 4, -0.431),
    "FOMAML": (lambda a: a * (1 - 0.1 * a) ** 2, 0.627),
    "Reptile": (lambda a: 1 - (1 - 0.1 * a) ** 2, 1.447),
    "implicit MAML": (lambda a: a * 1.5**2 / (a + 1.5) ** 2, 0.200),
    "MinibatchProx": (lambda a: a * 1.5 / (a + 1.5), 1.000),
}


@pytest.mark.parametrize("method", TABLE)
def test_each_method_lands_on_its_own_point(float64, method):
    weight, to_three_digits = TABLE[method]
    optimum = (-weight(1) + 2 * weight(6)) / (weight(1) + weight(6))
    assert round(optimum, 3) == to_three_digits
    learner = METHODS[method][0](Point(), 0.1, 2, 1.5)
    mt.meta_train(
        learner,
        Always(scalar_tasks()),
        iterations=400,
        meta_batch=2,
        lr=0.05,
        anneal=True,
        progress=False,
    )
    assert learner.model.theta.item() == pytest.approx(optimum, abs=1e-2)
    learner.model.theta.data.fill_(optimum)
    assert meta_gradient(learner, scalar_tasks()).abs() < 1e-8


def test_no_two_methods_share_a_point():
    points = sorted(point for _, point in TABLE.values())
    assert min(b - a for a, b in pairwise(points)) > 0.1


@pytest.mark.parametrize("steps", [1, 3])
def test_one_step_of_reptile_is_joint_training(float64, steps):
    """θ − φ_1 = α ∇ℓ; later steps make the difference."""
    torch.manual_seed(0)
    model, batch = Point(3), linear_tasks(3)
    joint = meta_gradient(mt.JointPretraining(model, half_squares), batch)
    ours = meta_gradient(mt.Reptile(model, half_squares, 0.1, steps), batch)
    assert torch.allclose(ours, 0.1 * joint) == (steps == 1)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_meta_sgd_has_the_closed_form(float64, steps):
    """With P = I − diag(α)A: ∇_θ F = (P^K)ᵀ(A_q φ_K − b_q); for K = 1, also for α."""
    torch.manual_seed(steps)
    (task,) = batch = linear_tasks(3, tasks=1)
    learner = mt.MetaSGD(Point(3), half_squares, 0.1, steps)
    rates = torch.tensor([0.05, 0.2, -0.1])
    learner.relative_rates[0].data = rates / 0.1
    a_s, b_s = quadratic(task.support_x, task.support_y)
    a_q, b_q = quadratic(task.query_x, task.query_y)
    theta = learner.model.theta.detach()
    phi = theta
    for _ in range(steps):
        phi = phi - rates * (a_s @ phi - b_s)
    p = torch.linalg.matrix_power(torch.eye(3) - rates[:, None] * a_s, steps)
    slope = a_q @ phi - b_q
    by_theta, by_rate = meta_gradient(learner, batch).split(3)
    torch.testing.assert_close(by_theta, p.T @ slope)
    if steps == 1:
        torch.testing.assert_close(by_rate, -0.1 * (a_s @ theta - b_s) * slope)


@pytest.mark.parametrize(("examples", "size"), [(4, 9), (9, 4)])
def test_ridge_regression_solves_the_normal_equations(float64, examples, size):
    """Through the smaller of two systems, whichever that is."""
    torch.manual_seed(0)
    x, y = torch.randn(examples, size), torch.randn(examples, 2)
    backbone = torch.nn.Identity()
    w = mt.R2D2(backbone, mt.mse, penalty=0.3).fit(x, y)
    torch.testing.assert_close(x.T @ (x @ w - y) + 0.3 * w, torch.zeros(size, 2))
