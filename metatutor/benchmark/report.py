"""What comes out: a table to read, and a JSON document to keep."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import torch

from ..experiments.ledger import commit
from .settings import Row

COLUMNS = {  # title -> (field, format); shown where a row of the table has the field
    "who": ("who", "s"),
    "strategy": ("strategy", "s"),
    "ms": ("milliseconds", ".2f"),
    "low": ("low", ".2f"),
    "high": ("high", ".2f"),
    "tasks/s": ("tasks_per_second", ".0f"),
    "first call, s": ("first_call_seconds", ".2f"),
    "MiB": ("mebibytes", ".1f"),
    "differs by": ("difference", ".0e"),
    "speedup": ("speedup", ".2f"),
    "÷ plain": ("times_plain", ".2f"),
    "÷ together": ("times_plain_together", ".2f"),
    "MSE": ("mse", ".4f"),
    "± 95 %": ("ci95", ".4f"),
}
LEGEND = """\
ms, low, high: median and quartiles of a call's wall-clock time; first call: preparing
and compiling included; differs by: distance of the meta-gradient from the Python
loop's, relative; speedup: over the best of loop, higher and torchopt (in ranks: over
one process); ÷ plain: over ordinary passes on the same examples, task by task or all
together."""


def tables(rows: Iterable[Row]) -> str:
    """Rows as text: a table for each part, problem, number of tasks and of steps."""
    return "\n\n".join(
        f"{heading(group)}\n{table(list(members))}"
        for group, members in groupby(rows, key=group_of)
    )


def group_of(row: Row) -> tuple[str, str, int | None, int]:
    """Which table a row stands in; all of `memory` stands in one."""
    tasks = None if row["part"] == "memory" else row["tasks"]
    return row["part"], row["problem"], tasks, row["steps"]


def heading(group: tuple[str, str, int | None, int]) -> str:
    """The line above a table."""
    part, problem, tasks, steps = group
    words = [f"{part}: {problem}"]
    if tasks is not None:
        words.append(f"{tasks} task{'s' * (tasks != 1)}")
    return ", ".join([*words, f"{steps} inner step{'s' * (steps != 1)}"])


def table(rows: list[Row]) -> str:
    """Lines of columns: text to the left, numbers to the right."""
    columns = {"who": COLUMNS["who"]}
    if len({row["tasks"] for row in rows}) > 1:
        columns["tasks"] = ("tasks", "d")
    columns |= {
        title: column
        for title, column in COLUMNS.items()
        if any(column[0] in row for row in rows)
    }
    lines = [
        [
            format(row[field], spec) if field in row else ""
            for field, spec in columns.values()
        ]
        for row in rows
    ]
    cells = [list(columns), *lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    text = [spec == "s" for _, spec in columns.values()]
    return "\n".join(
        "  "
        + "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, text, strict=True)
        ).rstrip()
        for line in cells
    )


def machine(device: str) -> dict[str, str | int | float | None]:
    """What the figures were measured on, and with which code.

    The load is that of the minute before: near 0, or other programs disturb.
    """
    on_gpu = torch.device(device).type == "cuda"
    return {
        "cpu": processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if on_gpu else device,
        "commit": commit(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def processor() -> str:
    """The processor's name, as the system tells it."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text("utf8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
