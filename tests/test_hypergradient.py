"""The hypergradient, against a closed form and against training again."""

import pytest
import torch

from metatutor import AdaptationError
from metatutor.hypergradient import hypergradient, neumann


@pytest.fixture
def ridge(float64):
    """Ridge regression with penalty e^η/2 ‖w‖²: everything has a closed form."""
    x_train, x_val = torch.randn(12, 4), torch.randn(9, 4)
    y_train, y_val = torch.randn(12), torch.randn(9)

    def train_loss(w, eta):
        fit = 0.5 * (x_train @ w - y_train).square().mean()
        return fit + 0.5 * (eta.exp() * w.square()).sum()

    def validation_loss(w, eta):
        return 0.5 * (x_val @ w - y_val).square().mean()

    def solve(eta):
        a = x_train.T @ x_train / 12 + torch.diag(eta.exp().expand(4))
        return torch.linalg.solve(a, x_train.T @ y_train / 12)

    return train_loss, validation_loss, solve, (x_train, x_val, y_val)


@pytest.mark.parametrize(
    "options", [{}, {"solver": "neumann", "rate": 0.3, "steps": 400}]
)
def test_ridge_has_a_closed_form(ridge, options):
    """−e^η (A_q w* − b_q)ᵀ (A_s + e^η I)⁻¹ w*."""
    train_loss, validation_loss, solve, (x_train, x_val, y_val) = ridge
    eta = torch.tensor(-1.0)
    w = solve(eta)
    right = x_val.T @ (x_val @ w - y_val) / 9
    a = x_train.T @ x_train / 12 + eta.exp() * torch.eye(4)
    expected = -eta.exp() * right @ torch.linalg.solve(a, w)
    found = hypergradient(train_loss, validation_loss, w, eta, **options)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


def test_it_equals_the_difference_of_two_trainings(ridge):
    """One penalty for each weight: a hyper-parameter of four numbers."""
    train_loss, validation_loss, solve, _ = ridge
    eta = torch.tensor([-1.0, 0.0, 0.5, -2.0])
    found = hypergradient(train_loss, validation_loss, solve(eta), eta, tolerance=1e-10)
    h = 1e-5
    for i in range(4):
        shift = h * torch.eye(4)[i]
        up, down = (validation_loss(solve(eta + s), eta + s) for s in (shift, -shift))
        assert found[i].item() == pytest.approx(
            ((up - down) / (2 * h)).item(), rel=1e-6
        )


def test_it_equals_the_derivative_through_a_long_training(ridge):
    train_loss, validation_loss, solve, _ = ridge
    eta = torch.tensor(-1.0)

    def trained(eta):
        w = torch.zeros(4)
        for _ in range(2000):
            w = w - 0.2 * torch.func.grad(train_loss)(w, eta)
        return validation_loss(w, eta)

    unrolled = torch.func.grad(trained)(eta)
    found = hypergradient(train_loss, validation_loss, solve(eta), eta, tolerance=1e-10)
    torch.testing.assert_close(found, unrolled, rtol=1e-8, atol=1e-12)


def test_what_the_validation_loss_sees_of_it_counts_too(ridge):
    train_loss, validation_loss, solve, _ = ridge
    eta = torch.tensor(-1.0)

    def with_a_price(w, eta):
        return validation_loss(w, eta) + 3 * eta**2

    w = solve(eta)
    plain = hypergradient(train_loss, validation_loss, w, eta)
    priced = hypergradient(train_loss, with_a_price, w, eta)
    torch.testing.assert_close(priced - plain, torch.tensor(-6.0))


def test_the_series_is_gradient_descent_on_the_system(float64):
    a = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    b = torch.tensor([1.0, -1.0])
    x = torch.zeros(2)
    for _ in range(6):
        x = x - 0.3 * (a @ x - b)
    found = neumann(lambda v: a @ v, b, rate=0.3, steps=5)
    torch.testing.assert_close(found.point, x)
    assert found.residual.item() == pytest.approx(
        ((b - a @ x).norm() / b.norm()).item()
    )


def test_weights_that_are_no_minimum_are_refused(ridge):
    train_loss, validation_loss, solve, _ = ridge
    eta = torch.tensor(-1.0)
    with pytest.raises(AdaptationError, match="no minimum of the training loss"):
        hypergradient(train_loss, validation_loss, solve(eta) + 0.1, eta)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 1}, "cg left .* after 1 steps"),
        ({"solver": "neumann", "rate": 0.3, "steps": 2}, "neumann left"),
        ({"solver": "neumann", "rate": 30.0, "steps": 50}, "neumann left"),
    ],
)
def test_a_solver_that_stops_short_is_refused(ridge, options, message):
    train_loss, validation_loss, solve, _ = ridge
    eta = torch.tensor(-1.0)
    with pytest.raises(AdaptationError, match=message):
        hypergradient(train_loss, validation_loss, solve(eta), eta, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "newton"}, "'cg' or 'neumann'"),
        ({"solver": "neumann"}, "needs a rate"),
        ({"solver": "neumann", "rate": -1.0}, "rate is -1.0"),
        ({"steps": 0}, "at least 1"),
        ({"tolerance": 0.0}, "tolerance is 0.0"),
    ],
)
def test_bad_options_are_refused(ridge, options, message):
    train_loss, validation_loss, solve, _ = ridge
    eta = torch.tensor(-1.0)
    with pytest.raises(ValueError, match=message):
        hypergradient(train_loss, validation_loss, solve(eta), eta, **options)
    with pytest.raises(ValueError, match="a vector is needed"):
        hypergradient(train_loss, validation_loss, solve(eta)[None], eta)
