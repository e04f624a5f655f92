"""Checkers of the book's exercises: one file per chapter.

``from metatutor.exercises import ch04`` and ``ch04.check("name", answer)``. A check
never raises: it returns a `Feedback` that says, in both languages, what it found.
"""

from . import (
    ch01,
    ch02,
    ch03,
    ch04,
    ch05,
    ch06,
    ch07,
    ch08,
    ch09,
    ch10,
    ch11,
    ch12,
    ch13,
    ch14,
    ch15,
    ch16,
    ch23,
)
from .feedback import Feedback

__all__ = [
    "Feedback",
    "ch01",
    "ch02",
    "ch03",
    "ch04",
    "ch05",
    "ch06",
    "ch07",
    "ch08",
    "ch09",
    "ch10",
    "ch11",
    "ch12",
    "ch13",
    "ch14",
    "ch15",
    "ch16",
    "ch23",
]
