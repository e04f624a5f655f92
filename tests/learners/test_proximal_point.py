"""The solver of the inner problem: how it chooses its steps, and what it reports."""

import pytest
import torch

from metatutor.learners.proximal_point import growing, minimise_near, next_step


def steps_on(curvatures, slope, step):
    """`next_step` on a quadratic function: taken, and taken back."""
    slope = torch.tensor(slope)
    after = slope - step * torch.tensor(curvatures) * slope
    step = torch.tensor(step)
    return [
        next_step(step, slope, after, torch.tensor(taken)).item()
        for taken in (True, False)
    ]


def test_where_curvature_is_the_same_all_over_the_step_is_its_inverse(float64):
    taken, back = steps_on([4.0, 4.0], [1.0, -3.0], 1.0)
    assert taken == pytest.approx(1 / 4) == back
    # taken back, it is halved at least
    assert steps_on([4.0, 4.0], [1.0, -3.0], 0.3) == pytest.approx([1 / 4, 0.15])


def test_the_longer_of_two_steps_is_taken_if_they_are_close(float64):
    """sᵀs / sᵀy = 2/5, and sᵀy / yᵀy = 5/17 is more than half of that."""
    assert steps_on([1.0, 4.0], [1.0, 1.0], 1.0)[0] == pytest.approx(2 / 5)


def test_the_shorter_one_if_they_differ_much(float64):
    """sᵀs / sᵀy = 1.04/5, and sᵀy / yᵀy = 5/401 is less than half of that."""
    taken, back = steps_on([1.0, 100.0], [1.0, 0.2], 1.0)
    assert taken == pytest.approx(5 / 401) == back
    # and on a flat function: 1.09/0.19 and 0.19/0.1
    assert steps_on([0.1, 1.0], [1.0, 0.3], 1.0)[0] == pytest.approx(1.9)


def test_without_curvature_it_is_doubled_or_halved(float64):
    for curvature in (0.0, -1.0, float("nan")):
        assert steps_on([curvature] * 2, [1.0, 2.0], 0.3) == pytest.approx([0.6, 0.15])


def test_the_limits_double_up_to_the_longest():
    assert growing(5) == [5]
    assert growing(8) == [8]
    assert growing(9) == [8, 9]
    assert growing(100) == [8, 16, 32, 64, 100]


def test_what_is_reported_is_the_gradient_that_is_left(float64):
    """In units of 1 + the gradient's norm at the centre, after so many steps."""
    a, centre = torch.tensor([1.0, 30.0]), torch.tensor([2.0, -1.0])
    options = {"strength": 0.5, "max_steps": 4, "tolerance": 1e-11}
    found = minimise_near(lambda phi: (a * phi * phi).sum() / 2, centre, **options)
    left = (a * found.point + 0.5 * (found.point - centre)).norm()
    scale = 1 + (a * centre).norm()
    torch.testing.assert_close(found.residual, left / scale)
    assert found.residual > 1e-4  # four steps do not suffice


def test_the_first_step_is_cautious(float64):
    """As long as the strength and the gradient at the centre allow."""
    centre = torch.tensor([3.0])
    options = {"strength": 0.5, "max_steps": 1, "tolerance": 1e-11}
    found = minimise_near(lambda phi: (phi * phi).sum() / 2, centre, **options)
    torch.testing.assert_close(found.point, centre - centre / (0.5 + 1 + 3))


def test_it_stops_as_soon_as_the_tolerance_is_met(float64):
    """A loose tolerance takes fewer evaluations, and all that are left are saved."""
    a, centre = torch.logspace(0, 3, 10), torch.ones(10)

    def evaluations(tolerance, max_steps=500):
        asked = []

        def loss(phi):
            asked.append(1)
            return (a * phi * phi).sum() / 2

        options = {"strength": 0.5, "max_steps": max_steps, "tolerance": tolerance}
        found = minimise_near(loss, centre, **options)
        assert found.residual <= tolerance or len(asked) == max_steps + 1
        return len(asked)

    # a gradient step of fixed length would need some 15,000
    assert 20 < evaluations(1e-3) < evaluations(1e-11) < 400
    assert evaluations(1e-11, max_steps=7) == 8
