"""Measures the quick figures of the ledger again, and says which of them differ.

Two rules say how far the found mean and interval may lie from the stored ones.

- Where nothing descends a gradient, the same seed gives the same numbers but for
  rounding on another processor: a tenth of the stored interval, and 0.0001 for the
  last digit.
- Gradient descent carries rounding so far that another processor is like another seed
  (from scratch, at a rate just below too large, one task in fifteen already differs
  between the engine's ways to compute it). So the difference of two runs, each with
  seeds and tasks of its own, must lie within its 95 % interval,
  √2 · √(tasks² + seeds²): `tasks` is the stored interval, `seeds` the normal one over
  the stored seeds, 1.96 · s / √k. On the stored machine the found number is usually
  the stored one.

An experiment lends itself to this by a function ``again(row)``: what to add to the
recorded command to make that figure alone, or None if it takes long. Rows that are kept
elsewhere than in the ledger, with shipped weights, are told by its ``stored()``.
"""

from __future__ import annotations

import io
import math
import shlex
import statistics
import time
from argparse import SUPPRESS, ArgumentParser
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from ..data import DataError
from .ledger import device_name, entries_of, figure

Row = dict[str, Any]
Run = Callable[[list[str]], list[Row]]  # the words of a command -> its entries

LEDGER = "book/results.json"
RULE = """\
tolerance: where nothing descends a gradient, a tenth of the stored 95 % interval
plus 0.0001; else the 95 % interval of the difference of two runs, over tasks and
over seeds."""
LONG = "take long; the ledger has their commands"
DATA = (
    "need Omniglot's small sets, which are not shipped: METATUTOR_OMNIGLOT can name "
    "their folder"
)


def add_arguments(parser: ArgumentParser) -> None:
    # not to undo a --ledger that stands before the name
    parser.add_argument("--ledger", default=SUPPRESS, help=f"{LEDGER} if not given")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="experiments or methods of the ledger"
    )


def verify(
    path: str | Path, only: list[str] | None, experiments: dict, run: Run
) -> int:
    """Prints a line for each figure that is measured again, and a summary.

    Args:
        path: the ledger.
        only: names of experiments or methods; all if None.
        experiments: the modules by name.
        run: makes the entries of a command.

    Returns:
        The exit status: 0 if all agree, 1 if one differs.

    Raises:
        DataError: no ledger, a damaged one, or nothing in it to measure again.
    """
    rows = read(path)
    for module in experiments.values():
        rows += getattr(module, "stored", list)()
    rows = chosen(rows, only)
    print(f"{path}, on {device_name()} with torch {torch.__version__}\n{RULE}")
    started = time.perf_counter()
    agreed, left_out = [], Counter()
    for words, group in groupby(rows, key=lambda row: command(row, experiments)):
        group = list(group)
        if words is None:
            left_out[LONG] += len(group)
            continue
        found, seconds = repeated(words, run)
        for row in group:
            if figure(row) not in found:
                left_out[DATA] += 1
                continue
            agreed.append(agrees(row, found[figure(row)]))
            print(line(row, found[figure(row)], seconds), flush=True)
            seconds = None  # the others are of the same run
    for reason, count in left_out.items():
        print(f"not measured again: {count} that {reason}")
    if not agreed:
        raise DataError("none of these figures could be measured again")
    print(
        f"{sum(agreed)} of {len(agreed)} figures agree,",
        f"{len(agreed) - sum(agreed)} differ; {time.perf_counter() - started:.0f} s",
    )
    return 0 if all(agreed) else 1


def read(path: str | Path) -> list[Row]:
    """The rows of a ledger.

    Raises:
        DataError: no such file, a damaged one, or one without figures.
    """
    if not Path(path).is_file():
        raise DataError(
            f"there is no ledger at {path}: run this in a clone of the repository, or "
            "name the file with --ledger"
        )
    rows = entries_of(Path(path))
    if not rows:
        raise DataError(f"{path} is empty: there is nothing to measure again")
    for number, row in enumerate(rows, start=1):
        numbers = [row["value"], row["ci95"], row["seconds"], *row["per_seed"]]
        if not all(isinstance(x, int | float) and math.isfinite(x) for x in numbers):
            raise DataError(
                f"figure {number} in {path}, {name(row)}, has something else than "
                f"finite numbers: {numbers}"
            )
    return rows


def chosen(rows: list[Row], only: list[str] | None) -> list[Row]:
    """The rows of the experiments and methods in ``only``, or all."""
    if only is None:
        return rows
    known = {row[key] for row in rows for key in ("experiment", "method")}
    if unknown := sorted(set(only) - known):
        raise DataError(f"{unknown} is none of the ledger's names: {sorted(known)}")
    return [row for row in rows if {row["experiment"], row["method"]} & set(only)]


def command(row: Row, experiments: dict) -> list[str] | None:
    """The words that make this figure alone, or None if that takes long."""
    words = shlex.split(row["command"])[3:]  # after python -m metatutor.experiments
    again = getattr(experiments.get(words[0] if words else ""), "again", None)
    more = again(row) if again else None
    return None if more is None else [*words, *more]


def repeated(words: list[str], run: Run) -> tuple[dict[tuple, Row], float]:
    """What a command finds, by figure, and the seconds it took."""
    started = time.perf_counter()
    try:
        with redirect_stdout(io.StringIO()):  # its own account of the same figures
            entries = run(words)
    except DataError:
        entries = []  # files that are not shipped
    found = {figure(entry): entry for entry in entries}
    return found, time.perf_counter() - started


def tolerance(row: Row) -> float:
    """How far another machine may be from the stored figure; see above."""
    if not descends(row):
        return 0.1 * row["ci95"] + 1e-4
    k = len(row["per_seed"])
    over_seeds = 1.96 * statistics.stdev(row["per_seed"]) / math.sqrt(k) if k > 1 else 0
    return math.sqrt(2) * math.hypot(row["ci95"], over_seeds)


def descends(row: Row) -> bool:
    """Whether gradient descent made this figure, in training or in adaptation."""
    trained = bool(row["seeds"]) and row["seconds"] > 0
    return trained or row["method"] == "from scratch"


def agrees(row: Row, found: Row) -> bool:
    """Whether mean and interval are within the tolerance, of as many tasks."""
    near = (abs(row[key] - found[key]) <= tolerance(row) for key in ("value", "ci95"))
    return all(near) and row["n"] == found["n"]


def line(row: Row, found: Row, seconds: float | None) -> str:
    """One figure in words."""
    return (
        f"{'ok' if agrees(row, found) else 'DIFFERS':7} {name(row)}: "
        f"stored {shown(row)}, found {shown(found)}, "
        f"tolerance {tolerance(row):.4f}; "
        + ("same run" if seconds is None else f"{seconds:.0f} s")
    )


def name(row: Row) -> str:
    return " | ".join(figure(row))


def shown(row: Row) -> str:
    return f"{row['value']:.4f} ± {row['ci95']:.4f} (n = {row['n']})"
