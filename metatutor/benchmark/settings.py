"""What all parts of the benchmark are told, and what each row of theirs is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
"""One measurement: what JSON can hold, by name."""
Say = Callable[[str], None]
"""Told in one line what a reader should know beside the rows."""


@dataclass(frozen=True)
class Settings:
    """What is the same for all parts.

    Attributes:
        device: where to compute; two processes share the CPU whatever it is.
        seconds: how long the rounds of a case last.
        rounds: how many there are at least.
        quick: whether everything is made tiny, to see that it works.
        leave_out: contestants who are not to be timed.
        iterations: of the full run on sinusoids.
    """

    device: str = "cpu"
    seconds: float = 20.0
    rounds: int = 5
    quick: bool = False
    leave_out: tuple[str, ...] = ()
    iterations: int = 70_000
