"""A mean and its interval: against integration, by hand and by simulation."""

import math

import pytest
import torch

import metatutor as mt
from metatutor.results import NORMAL_QUANTILE, T_QUANTILES, quantile, with_interval


def students_t(q, freedom, points=4001):
    """P(|T| ≤ q) for Student's t, its density integrated by Simpson's rule."""
    x = torch.linspace(-q, q, points, dtype=torch.float64)
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    density = math.exp(log_scale) / math.sqrt(freedom * math.pi)
    heights = density * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    weights = torch.ones(points, dtype=torch.float64)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return (heights @ weights).item() * 2 * q / (points - 1) / 3


@pytest.mark.parametrize("freedom", range(1, 29))
def test_students_quantiles_hold_95_percent(freedom):
    low, high = 1.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        inside = students_t(middle, freedom)
        low, high = (middle, high) if inside < 0.95 else (low, middle)
    assert T_QUANTILES[freedom - 1] == pytest.approx(low, abs=1e-4)


def test_every_number_of_tasks_has_its_quantile():
    """One degree of freedom less than tasks; the normal one from 30 tasks on."""
    assert len(T_QUANTILES) == 28
    assert quantile(2) == T_QUANTILES[0]
    assert quantile(29) == T_QUANTILES[-1]
    assert quantile(30) == quantile(10_000) == NORMAL_QUANTILE
    normal = math.erf(NORMAL_QUANTILE / math.sqrt(2))
    assert normal == pytest.approx(0.95, abs=1e-5)


def test_an_interval_by_hand():
    """1, 2, 3, 6: mean 3, s² = (4 + 1 + 0 + 9)/3, ± 3.1824 s/√4."""
    result = mt.Result(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    assert (result.n, result.mean) == (4, 3.0)
    assert result.std == pytest.approx(math.sqrt(14 / 3))
    assert result.ci95 == pytest.approx(3.1824 * math.sqrt(14 / 3) / 2)
    assert str(result) == "3.00 ± 3.44 (95 % CI, 4 tasks)"


@pytest.mark.parametrize("n", [2, 5, 29, 100])
def test_the_interval_covers_the_mean_19_times_in_20(n):
    """± 4 standard deviations of the binomial: 0.014 for 4000 repetitions."""
    repetitions = 4000
    scores = 3 + 2 * torch.randn(repetitions, n, dtype=torch.float64)
    results = [mt.Result(row) for row in scores]
    hits = sum(abs(r.mean - 3) <= r.ci95 for r in results) / repetitions
    assert hits == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / repetitions))


def test_more_tasks_narrow_the_interval_but_not_the_spread():
    few, many = (mt.Result(torch.randn(n)) for n in (100, 10_000))
    assert many.ci95 == pytest.approx(few.ci95 / 10, rel=0.3)
    assert many.std == pytest.approx(few.std, rel=0.3)


def test_pairing_takes_out_the_difficulty_of_the_tasks():
    difficulty = 5 * torch.rand(200)
    first = mt.Result(difficulty + 0.3 + 0.1 * torch.randn(200))
    second = mt.Result(difficulty + 0.1 * torch.randn(200))
    gain = first - second
    assert gain.mean == pytest.approx(first.mean - second.mean, abs=1e-6)
    by_hand = first.per_task - second.per_task
    assert gain.ci95 == pytest.approx(1.96 * by_hand.std().item() / math.sqrt(200))
    assert gain.ci95 < math.hypot(first.ci95, second.ci95) / 5
    assert gain.mean > gain.ci95  # unpaired, the difference drowns
    assert first.mean - second.mean < first.ci95 + second.ci95


@pytest.mark.parametrize(
    ("scores", "kind"),
    [([0.5, 0.6], "list"), (torch.tensor([1j, 0]), "complex64")],
)
def test_scores_are_a_tensor_of_real_numbers(scores, kind):
    with pytest.raises(TypeError, match=f"per_task is .*{kind}: a tensor of real"):
        mt.Result(scores)
    assert mt.Result(torch.tensor([3, 5])).mean == 4


def test_scores_that_do_not_pair_are_refused():
    three, four = mt.Result(torch.zeros(3)), mt.Result(torch.zeros(4))
    with pytest.raises(ValueError, match="3 tasks on one side and 4 on the other"):
        three - four
    with pytest.raises(ValueError, match="loss minus accuracy means nothing"):
        three - mt.Result(torch.zeros(3), metric="accuracy")


def test_a_difference_says_when_either_side_was_transductive():
    plain = mt.Result(torch.zeros(3))
    assert (plain - mt.Result(torch.zeros(3), transductive=True)).transductive
    assert not (plain - plain).transductive


def test_one_diverged_task_makes_the_mean_infinite():
    result = mt.Result(torch.tensor([1.0, math.inf, 2.0, math.inf]))
    assert result.diverged == 2
    assert result.mean == result.ci95 == math.inf
    assert str(result) == "inf ± inf (95 % CI, 4 tasks, 2 diverged)"


def test_a_difference_with_diverged_tasks_is_refused_with_their_number():
    one = mt.Result(torch.tensor([1.0, math.inf, 2.0]))
    none = mt.Result(torch.tensor([1.0, 3.0, 2.0]))
    for minuend, subtrahend, counts in ((one, one, "1 .*1"), (none, one, "0 .*1")):
        with pytest.raises(ValueError, match=f"{counts} on the other"):
            minuend - subtrahend


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (torch.tensor([1.0, math.nan, math.nan]), "2 of 3 tasks scored NaN"),
        (torch.tensor([1.0]), r"shape \(1,\): one score for each of at least 2"),
        (torch.tensor([]), r"shape \(0,\)"),
        (torch.tensor(1.0), r"shape \(\)"),
        (torch.zeros(3, 2), r"shape \(3, 2\)"),
    ],
)
def test_scores_without_an_interval_are_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        mt.Result(scores)


def test_transductive_prediction_is_stated():
    assert "transductive" in str(mt.Result(torch.zeros(3), transductive=True))
    assert "transductive" not in str(mt.Result(torch.zeros(3)))


@pytest.mark.parametrize(
    ("mean", "half_width", "printed"),
    [
        (0.66312, 0.0571, "0.66 ± 0.06"),
        (12.3456, 1.234, "12.35 ± 1.23"),
        (0.5, 0.0, "0.50 ± 0.00"),
        (0.123456, 0.00123, "0.1235 ± 0.0012"),
        (0.123456, 0.0000456, "0.123456 ± 0.000046"),
        (math.inf, math.inf, "inf ± inf"),
    ],
)
def test_decimals_follow_the_interval(mean, half_width, printed):
    assert with_interval(mean, half_width) == printed


def test_accuracy_is_the_share_of_right_answers():
    outputs = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0], [1.0, 0.0]])
    assert mt.accuracy(outputs, torch.tensor([0, 1, 1, 0])).item() == 0.75


def test_accuracy_of_many_tasks_is_over_all_their_queries():
    outputs = torch.eye(3, 5).expand(2, 3, 5)  # (tasks, examples, classes)
    answers = torch.tensor([[0, 1, 2], [0, 0, 0]])
    assert mt.accuracy(outputs, answers).item() == pytest.approx(4 / 6)


def test_accuracy_refuses_targets_of_another_shape():
    with pytest.raises(ValueError, match=r"\(3, 1\)"):
        mt.accuracy(torch.eye(3), torch.arange(3)[:, None])
