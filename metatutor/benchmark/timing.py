"""Clocks: contestants take turns, so that whatever disturbs meets all of them.

All times are wall-clock seconds.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

import torch

Action = Callable[[], object]
TURN = 0.05
"""Seconds for which a fast contestant repeats its call before the next one's turn."""


def clock(device: str = "cpu") -> float:
    """The time, once everything asked of the device is done."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def seconds_of(action: Action, device: str = "cpu") -> float:
    """How long one call takes."""
    began = clock(device)
    action()
    return clock(device) - began


def turn(action: Action, device: str = "cpu") -> list[float]:
    """How long each call of one turn takes: at least one, for at least `TURN`."""
    gc.collect()  # what the one before left behind is not to be paid for here
    times = [seconds_of(action, device)]
    while sum(times) < TURN:
        times.append(seconds_of(action, device))
    return times


def in_turns(
    actions: Mapping[str, Action],
    seconds: float,
    at_least: int,
    device: str = "cpu",
) -> dict[str, list[float]]:
    """How long each call of each contestant takes, in rounds of one turn each.

    Args:
        actions: by contestant; each was called before.
        seconds: how long to go on.
        at_least: rounds, however long they take.
    """
    times: dict[str, list[float]] = {who: [] for who in actions}
    order = list(actions)
    gc.collect()
    gc.freeze()  # what stays is not looked through again before each turn
    try:
        began, done = clock(device), 0
        while done < at_least or clock(device) - began < seconds:
            for who in order:
                times[who] += turn(actions[who], device)
            order = [*order[1:], *order[:1]]  # nobody always follows the same one
            done += 1
    finally:
        gc.unfreeze()
    return times


def quartiles(times: list[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    if len(times) == 1:
        return times[0], times[0], times[0]
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return low, middle, high


def timed(times: list[float], tasks: int) -> dict[str, float | int]:
    """What a row says of calls that computed so many tasks each."""
    low, middle, high = quartiles(times)
    return {
        "milliseconds": middle * 1e3,
        "low": low * 1e3,
        "high": high * 1e3,
        "calls": len(times),
        "tasks_per_second": tasks / middle,
    }
