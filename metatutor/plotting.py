"""The book's figures, in one style. Labels are mathematical or English: no CJK font.

Every function draws on the axes it is given and returns nothing; `axes` makes them,
and sets the style for the rest of the session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import MaxNLocator

from .results import Result
from .tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

# Okabe and Ito's palette: told apart by the colour-blind, and in print
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE = {
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # shipped with matplotlib: the same everywhere
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def axes(columns: int = 1, *, width: float = 0, height: float = 3.2, **options):
    """Axes in the book's style: one, or an array of ``columns`` side by side.

    Args:
        columns: how many.
        width: of the figure in inches; 3.8 a column if 0.
        height: of the figure in inches.
        options: handed to ``plt.subplots``.
    """
    size = (width or (6.2 if columns == 1 else 3.8 * columns), height)
    plt.rcParams.update(STYLE)
    _, made = plt.subplots(1, columns, figsize=size, **options)
    return made


def task(ax: Axes, task: Task, curve: tuple[Tensor, Tensor] | None = None) -> None:
    """One regression task: its support and query examples, and what made them.

    Args:
        ax: where to draw.
        task: with inputs and targets of width 1.
        curve: the true function as ``(x, y)``, ``(points,)`` each.
    """
    if curve is not None:
        ax.plot(*(part.tolist() for part in curve), color="0.6", label="true function")
    ax.scatter(
        task.query_x.flatten().tolist(), task.query_y.flatten().tolist(),
        s=22, facecolors="none", edgecolors=COLOURS[0], label="query", zorder=3,
    )  # fmt: skip
    ax.scatter(
        task.support_x.flatten().tolist(), task.support_y.flatten().tolist(),
        s=42, color=COLOURS[1], marker="^", label="support", zorder=4,
    )  # fmt: skip
    ax.set(xlabel="$x$", ylabel="$y$")


def predictions(ax: Axes, x: Tensor, outputs: Mapping[str, Tensor]) -> None:
    """Predicted curves, one for each name; later ones drawn stronger.

    Args:
        ax: where to draw.
        x: ``(points,)``, ascending.
        outputs: ``(points,)`` or ``(points, 1)`` for each name.
    """
    for i, (name, y) in enumerate(outputs.items()):
        ax.plot(
            x.flatten().tolist(), y.flatten().tolist(), label=name,
            alpha=0.5 + 0.5 * (i + 1) / len(outputs), color=COLOURS[(i + 2) % 7],
        )  # fmt: skip
    ax.set(xlabel="$x$", ylabel="$y$")


def by_steps(
    ax: Axes, steps: Sequence[int], results: Mapping[str, Sequence[Result]]
) -> None:
    """Mean score with its 95 % interval against the number of inner steps.

    Args:
        ax: where to draw.
        steps: numbers of inner steps.
        results: for each method, one `Result` per entry of ``steps``.
    """
    for i, (name, row) in enumerate(results.items()):
        ax.errorbar(
            steps, [r.mean for r in row], yerr=[r.ci95 for r in row],
            label=name, marker="o", markersize=4, capsize=3, color=COLOURS[i % 7],
        )  # fmt: skip
    metric = next(iter(results.values()))[0].metric
    label = {"mse_loss": "mean squared error"}.get(metric, metric.replace("_", " "))
    ax.set(xlabel="inner steps", ylabel=label, xticks=list(steps))


def losses(ax: Axes, runs: Mapping[str, Sequence[float]], window: int = 100) -> None:
    """Meta-losses against iterations, each a mean over ``window`` iterations."""
    for name, values in runs.items():
        span = max(1, min(window, len(values)))  # a short run is one mean at least
        whole = len(values) // span * span
        means = torch.tensor(list(values[:whole])).view(-1, span).mean(dim=1)
        at = torch.arange(1, len(means) + 1) * span
        ax.plot(at.tolist(), means.tolist(), label=name)
    ax.set(xlabel="iteration", ylabel="meta-loss")
    ax.xaxis.set_major_locator(MaxNLocator(5))


def letters(ax: Axes, images: Tensor, names: Sequence[str] = ()) -> None:
    """Images in a grid, dark ink on light paper whatever the page's colours.

    Args:
        ax: where to draw.
        images: ``(rows, columns, 1, height, width)``, ink 1 on paper 0.
        names: one for each row, written at its left; none if empty.
    """
    rows, height = len(images), images.shape[-2]
    # one pixel of frame around each image
    framed = torch.nn.functional.pad(images[:, :, 0], (1, 1, 1, 1), value=0.2)
    page = framed.permute(0, 2, 1, 3).reshape(rows * (height + 2), -1)
    ax.imshow(page.cpu().numpy(), cmap="gray_r", vmin=0, vmax=1, aspect="equal")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    middles = [(height + 2) * (i + 0.5) - 0.5 for i in range(len(names))]
    ax.set(xticks=[], yticks=middles)
    ax.set_yticklabels(list(names))
    ax.tick_params(length=0)


def image_task(axes: Sequence[Axes], task: Task, per_row: int = 5) -> None:
    """One task of images: the support set on one side, the query set on the other.

    Args:
        axes: two, from ``axes(2)``.
        task: its images ``(examples, 1, height, width)``, those of a class together,
            as `Episodes` gives them.
        per_row: the most images of a class that are shown.
    """
    for ax, name, x, y in (
        (axes[0], "support", task.support_x, task.support_y),
        (axes[1], "query", task.query_x, task.query_y),
    ):
        ways = int(y.max()) + 1
        each = min(per_row, int((y == 0).sum()))
        rows = torch.stack([x[y == label][:each] for label in range(ways)])
        letters(ax, rows, [f"class {label}" for label in range(ways)])
        ax.set_title(f"{name} set")


def comparison(ax: Axes, results: Mapping[str, Result]) -> None:
    """Mean scores with their 95 % intervals, one line for each name.

    Args:
        ax: where to draw.
        results: of one metric, the first at the top.
    """
    for i, result in enumerate(results.values()):
        ax.errorbar(
            result.mean, -i, xerr=result.ci95,
            marker="o", markersize=5, capsize=4, color=COLOURS[i % 7],
        )  # fmt: skip
    metric = next(iter(results.values())).metric.replace("_", " ")
    ax.set(xlabel=metric, yticks=[-i for i in range(len(results))])
    ax.set_yticklabels(list(results))
    ax.set_ylim(0.6 - len(results), 0.4)
