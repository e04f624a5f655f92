"""Figures show the numbers that they were given."""

import math
from itertools import pairwise

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_hex

import metatutor as mt
from metatutor import plotting


@pytest.fixture(autouse=True)
def clean_slate():
    with plt.rc_context():
        yield
    plt.close("all")


def test_axes_come_alone_or_side_by_side():
    one = plotting.axes()
    assert one.get_xlabel() == ""
    many = plotting.axes(3, height=2.0)
    assert len(many) == 3
    assert many[0].figure is many[2].figure
    assert tuple(many[0].figure.get_size_inches()) == pytest.approx((11.4, 2.0))
    assert tuple(plotting.axes(width=5).figure.get_size_inches()) == (5.0, 3.2)
    shared = plotting.axes(2, sharey=True)
    shared[0].set_ylim(0, 7)
    assert shared[1].get_ylim() == (0, 7)


def test_the_style_holds_for_the_session():
    plotting.axes()
    assert not plt.rcParams["axes.spines.top"]
    assert plt.rcParams["font.family"] == ["DejaVu Sans"]


def test_a_task_is_drawn_where_its_examples_are():
    task = mt.data.Sinusoid(shots=4, queries=6).sample(1)[0]
    ax = plotting.axes()
    x = torch.linspace(-5, 5, 11)
    assert plotting.task(ax, task, curve=(x, x.sin())) is None
    drawn = {points.get_label(): points.get_offsets() for points in ax.collections}
    for name, inputs, targets in (
        ("support", task.support_x, task.support_y),
        ("query", task.query_x, task.query_y),
    ):
        expected = torch.cat([inputs, targets], dim=1)
        torch.testing.assert_close(torch.tensor(drawn[name].data).float(), expected)
    (curve,) = ax.lines
    torch.testing.assert_close(torch.tensor(curve.get_ydata()).float(), x.sin())
    labels = ax.get_legend_handles_labels()[1]
    assert sorted(labels) == ["query", "support", "true function"]


def test_predictions_are_told_apart_by_name_and_colour():
    ax = plotting.axes()
    x = torch.linspace(-1, 1, 5, requires_grad=True)
    outputs = {"before": x * 0, "after": (x * 2)[:, None]}
    plotting.predictions(ax, x, outputs)
    before, after = ax.lines
    assert [before.get_label(), after.get_label()] == ["before", "after"]
    assert list(after.get_ydata()) == pytest.approx([-2, -1, 0, 1, 2])
    assert before.get_color() != after.get_color()
    assert before.get_alpha() < after.get_alpha() == 1.0


def test_error_bars_are_the_95_percent_interval_not_the_spread():
    results = [mt.Result(torch.randn(50) + k) for k in range(3)]
    ax = plotting.axes()
    plotting.by_steps(ax, [0, 1, 5], {"MAML": results})
    (container,) = ax.containers
    for steps, result, segment in zip(
        [0, 1, 5], results, container[2][0].get_segments(), strict=True
    ):
        (x_low, low), (x_high, high) = segment
        assert x_low == x_high == steps
        assert (low + high) / 2 == pytest.approx(result.mean)
        assert (high - low) / 2 == pytest.approx(result.ci95)
    assert ax.get_xlabel() == "inner steps"
    assert list(ax.get_xticks()) == [0, 1, 5]
    assert ax.get_legend_handles_labels()[1] == ["MAML"]


@pytest.mark.parametrize(
    ("metric", "label"),
    [("mse_loss", "mean squared error"), ("cross_entropy", "cross entropy")],
)
def test_the_score_is_named_in_words(metric, label):
    result = mt.Result(torch.randn(5), metric=metric)
    ax = plotting.axes()
    plotting.by_steps(ax, [1], {"a": [result], "b": [result]})
    assert ax.get_ylabel() == label


def test_losses_are_averaged_over_the_window():
    ax = plotting.axes()
    plotting.losses(ax, {"run": [1.0, 3.0, 5.0, 7.0, 100.0]}, window=2)
    (line,) = ax.lines
    assert list(line.get_xdata()) == [2, 4]  # the incomplete window is left out
    assert list(line.get_ydata()) == [2.0, 6.0]


def test_a_run_shorter_than_the_window_is_still_shown():
    ax = plotting.axes()
    plotting.losses(ax, {"run": [3.0, 1.0]})
    assert len(ax.lines[0].get_ydata())


def test_every_figure_can_be_drawn(tmp_path):
    left, middle, right = plotting.axes(3)
    plotting.task(left, mt.data.Sinusoid().sample(1)[0])
    plotting.by_steps(middle, [0, 1], {"a": [mt.Result(torch.rand(9))] * 2})
    plotting.losses(right, {"a": torch.rand(300).tolist()})
    left.legend()
    left.figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def luminance(colour):
    parts = (int(to_hex(colour)[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_no_two_colours_are_alike_in_print():
    levels = sorted(luminance(colour) for colour in plotting.COLOURS)
    assert len(levels) == 7
    steps = [math.log((b + 0.05) / (a + 0.05)) for a, b in pairwise(levels)]
    assert min(steps) > 0.02


def test_letters_are_drawn_in_their_places():
    images = torch.rand(2, 3, 1, 5, 4, generator=torch.Generator().manual_seed(0))
    ax = plotting.axes()
    plotting.letters(ax, images, ["one", "two"])
    page = torch.tensor(ax.images[0].get_array())
    assert page.shape == (2 * 7, 3 * 6)
    torch.testing.assert_close(page[7 + 1 : 7 + 6, 6 + 1 : 6 + 5], images[1, 1, 0])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    assert 7 < ax.get_yticks()[1] < 14


def test_a_task_of_images_shows_each_class_in_its_row():
    task = mt.data.Glyphs("val", 3, 2, 7).sample(1)[0]
    axes = plotting.axes(2)
    plotting.image_task(axes, task)
    support, query = (torch.tensor(ax.images[0].get_array()) for ax in axes)
    assert support.shape == (3 * 30, 2 * 30) and query.shape == (3 * 30, 5 * 30)
    # the second support image of class 2
    shown = support[2 * 30 + 1 : 3 * 30 - 1, 30 + 1 : 2 * 30 - 1]
    torch.testing.assert_close(shown, task.support_x[task.support_y == 2][1, 0])
    assert [ax.get_title() for ax in axes] == ["support set", "query set"]


def test_a_comparison_shows_means_and_intervals():
    results = {
        name: mt.Result(torch.tensor(scores), metric="accuracy")
        for name, scores in {"a": [0.5, 0.7], "b": [0.9, 0.9, 0.6]}.items()
    }
    ax = plotting.axes()
    plotting.comparison(ax, results)
    assert ax.get_xlabel() == "accuracy"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    for i, (bars, result) in enumerate(
        zip(ax.containers, results.values(), strict=True)
    ):
        (point, _, (line,)) = bars
        assert point.get_xdata()[0] == pytest.approx(result.mean)
        assert point.get_ydata()[0] == -i
        ends = line.get_segments()[0][:, 0]
        assert ends[1] - ends[0] == pytest.approx(2 * result.ci95)
