"""Implicit MAML: solvers that arrive or say so, and memory that does not grow."""

import pytest
import torch
from problems import Always, Point, half_squares, linear_tasks, scalar_tasks
from torch import nn

import metatutor as mt
from metatutor.learners.checks import refuse_unsolved
from metatutor.learners.conjugate_gradient import conjugate_gradient
from metatutor.learners.proximal_point import minimise_near


@pytest.mark.parametrize("size", [1, 3, 10])
def test_conjugate_gradients_are_exact_after_size_steps(float64, size):
    torch.manual_seed(size)
    a = torch.randn(size, size)
    a = a @ a.T + torch.eye(size)
    b = torch.randn(size)
    x, residual = conjugate_gradient(lambda v: a @ v, b, max_steps=size, tolerance=0.0)
    torch.testing.assert_close(x, torch.linalg.solve(a, b))
    assert residual < 1e-8
    x, residual = conjugate_gradient(lambda v: a @ v, 0 * b, max_steps=3, tolerance=0.1)
    assert residual == 0 and not x.any()


def test_they_stop_where_the_matrix_is_not_positive_definite(float64):
    a = torch.diag(torch.tensor([1.0, -2.0]))
    b = torch.tensor([1.0, 1.0])
    x, residual = conjugate_gradient(lambda v: a @ v, b, max_steps=9, tolerance=1e-9)
    assert x.isfinite().all()
    assert residual > 0.9


def test_many_systems_at_once_are_solved_as_one_by_one(float64):
    torch.manual_seed(0)
    a = torch.randn(6, 5, 5)
    a = a @ a.mT + torch.eye(5)
    b = torch.randn(6, 5)
    b[2] = 0  # solved before it begins

    def solve(a, b):
        found = conjugate_gradient(lambda v: a @ v, b, max_steps=9, tolerance=1e-10)
        return found.point

    together = torch.func.vmap(solve)(a, b)
    torch.testing.assert_close(together, torch.linalg.solve(a, b))


@pytest.mark.parametrize("strength", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("size", [1, 4, 20])
def test_the_inner_solver_reaches_1e_10_on_quadratics(float64, size, strength):
    torch.manual_seed(size)
    a = torch.randn(size, size)
    a, b, theta = a @ a.T / size, torch.randn(size), torch.randn(size)
    found = minimise_near(
        lambda phi: phi @ a @ phi / 2 - b @ phi,
        theta,
        strength=strength,
        max_steps=500,
        tolerance=1e-11,
    )
    exact = torch.linalg.solve(a + strength * torch.eye(size), b + strength * theta)
    assert (found.point - exact).norm() < 1e-10 / strength
    assert found.residual <= 1e-11


def test_it_minimises_what_is_not_quadratic(float64):
    """Against Newton's method on a function of one variable, from far away."""
    found = minimise_near(
        lambda phi: (phi**4).sum() / 4,
        torch.tensor([50.0]),
        strength=0.5,
        max_steps=200,
        tolerance=1e-11,
    )
    root = torch.tensor(50.0)
    for _ in range(100):
        root = root - (root**3 + 0.5 * (root - 50)) / (3 * root**2 + 0.5)
    torch.testing.assert_close(found.point[0], root, rtol=1e-6, atol=0)


def tanh_learner(**options):
    torch.manual_seed(0)
    model = mt.models.mlp(1, 1, hidden=(6,), activation=nn.Tanh)
    return mt.ImplicitMAML(model, mt.mse, **options)


def test_a_solver_that_does_not_arrive_is_reported(float64):
    task = mt.data.Sinusoid(shots=5).sample(1)[0]
    learner = tanh_learner(max_steps=3)
    message = r"1 of 1 tasks were not solved .*times the tolerance .*max_steps = 3"
    with pytest.raises(mt.AdaptationError, match=message):
        learner.adapt(task.support_x, task.support_y)
    source = mt.data.Sinusoid(shots=5)
    with pytest.raises(mt.AdaptationError, match="4 of 4 tasks"):
        learner.meta_loss(source.sample(4))
    with pytest.raises(mt.AdaptationError, match="9 of 9 tasks"):
        mt.meta_evaluate(learner, source, tasks=9)
    # asked for so many steps, or told not to insist, it takes what it gets
    learner.adapt(task.support_x, task.support_y, steps=3)
    learner.exact = False
    learner.adapt(task.support_x, task.support_y)
    assert learner.meta_loss(source.sample(4)).isfinite()


def test_how_many_tasks_missed_and_by_how_much():
    """One row a task, one column a solver; 1 is the tolerance itself, NaN is a miss."""
    learner = tanh_learner()
    refuse_unsolved(learner, torch.tensor([[1.0, 0.0], [0.3, 1.0]]))
    missed = torch.tensor([[1.5, 0.0], [0.2, 3.0], [1.0, 1.0]])
    with pytest.raises(
        mt.AdaptationError, match=r"2 of 3 tasks .*worst, 1\.5, 3 times"
    ):
        refuse_unsolved(learner, missed)
    with pytest.raises(mt.AdaptationError, match=r"1 of 1 tasks .*worst, nan times"):
        refuse_unsolved(learner, torch.tensor(float("nan")))


def test_conjugate_gradients_that_do_not_arrive_are_reported(float64):
    torch.manual_seed(0)
    batch = linear_tasks(4)
    learner = mt.ImplicitMAML(Point(4), half_squares, strength=0.1, cg_steps=1)
    with pytest.raises(mt.AdaptationError, match=r"3 of 3 tasks .*cg_steps = 1"):
        learner.meta_loss(batch)


def test_a_hessian_that_is_too_negative_is_reported(float64):
    """ℓ = −a/2 (φ − w)²: with a = 6 and λ = 1.5 there is no minimum at all."""

    def hill(outputs, targets):
        return -half_squares(outputs, targets)

    learner = mt.ImplicitMAML(Point(), hill, strength=1.5)
    with pytest.raises(mt.AdaptationError, match=r"1 of 2 tasks .*strength = 1\.5"):
        learner.meta_loss(scalar_tasks())
    with pytest.raises(mt.AdaptationError, match="strength"):
        mt.meta_train(
            learner, Always(scalar_tasks()), iterations=3, meta_batch=2, progress=False
        )


def test_how_long_the_inner_solver_runs_plays_no_part(float64):
    """Once solved, more steps change neither the loss nor the gradient."""
    batch = mt.data.Sinusoid(shots=5).sample(3)
    found = []
    for max_steps in (400, 800):
        learner = tanh_learner(strength=2.0, max_steps=max_steps)
        loss = learner.meta_loss(batch)
        found.append(
            [loss.detach(), *torch.autograd.grad(loss, learner.model[0].weight)]
        )
    for ours, reference in zip(*found, strict=True):
        assert torch.equal(ours, reference)


def test_a_strong_pull_leaves_no_room(float64):
    """λ → ∞: φ = θ, and the meta-gradient is that of the unadapted query loss."""
    batch = mt.data.Sinusoid(shots=5).sample(3)
    strong = tanh_learner(strength=1e6, tolerance=1e-6)
    plain = mt.MAML(strong.model, mt.mse, inner_steps=0)
    ours = torch.autograd.grad(strong.meta_loss(batch), strong.model[0].weight)
    reference = torch.autograd.grad(plain.meta_loss(batch), plain.model[0].weight)
    torch.testing.assert_close(ours, reference, rtol=1e-3, atol=1e-4)
