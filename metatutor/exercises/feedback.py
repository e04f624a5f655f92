"""What every checker shares: it calls an answer and turns what happens into words."""

from __future__ import annotations

import copy
import html
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Checker = Callable[[Any], None]


class Hint(Exception):
    """Raised by a checker: the answer is not right, and this is what may help."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.message = {"zh": zh, "en": en}


class Unanswered(Exception):
    """Raised when the reader has not replaced the ``...`` yet."""


@dataclass(frozen=True)
class Feedback:
    """The outcome of one check.

    Attributes:
        exercise: its name.
        passed: whether the answer is right.
        message: what to tell the reader, by language ("zh", "en").
    """

    exercise: str
    passed: bool
    message: dict[str, str]

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        mark = "✓" if self.passed else "✗"
        return f"{mark} {self.exercise}: {self.message['zh']} {self.message['en']}"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        """One element per language, so that a page in one language can keep its own."""
        mark = "✓" if self.passed else "✗"
        shown = "".join(
            f'<div class="metatutor-feedback" lang="{lang}">{mark} '
            f"{html.escape(self.exercise)}{colon}{html.escape(self.message[lang])}</div>"
            for lang, colon in (("zh", "："), ("en", ": "))
        )
        return {"text/html": shown, "text/plain": f"{mark} {self.exercise}"}


PASSED = {"zh": "正确。", "en": "correct."}
UNANSWERED = {
    "zh": "还没有作答：把上面的 ... 换成你的答案，再运行一次。",
    "en": "not answered yet: replace the ... above and run the cell again.",
}


class Exercises:
    """The checkers of one chapter, by name."""

    def __init__(self) -> None:
        self.checkers: dict[str, Checker] = {}

    def add(self, name: str) -> Callable[[Checker], Checker]:
        """Registers the decorated function as the checker of exercise ``name``.

        It takes the answer, returns if that is right, and raises `Hint` if not.
        """

        def register(checker: Checker) -> Checker:
            self.checkers[name] = checker
            return checker

        return register

    def check(self, name: str, answer: Any) -> Feedback:
        """What is to be said about ``answer``; never raises.

        Args:
            name: of the exercise, as printed in its title.
            answer: a function or a value, whatever the exercise asks for.
        """
        name = str(name)
        if name not in self.checkers:
            known = ", ".join(self.checkers)
            message = {
                "zh": f"没有叫这个名字的练习；本章的练习有：{'、'.join(self.checkers)}。",
                "en": f"no exercise has this name; this chapter has: {known}.",
            }
            return Feedback(name, False, message)
        try:
            if answer is None or answer is ...:
                raise Unanswered
            # an answer may draw random numbers; later cells must not notice
            with torch.random.fork_rng(devices=[]):
                self.checkers[name](answer)
        except Unanswered:
            return Feedback(name, False, UNANSWERED)
        except Hint as hint:
            return Feedback(name, False, hint.message)
        except (Exception, SystemExit) as error:
            what = "".join(traceback.format_exception_only(error)).strip()
            message = {
                "zh": f"运行你的答案时出错：{what}",
                "en": f"your answer raised an error: {what}",
            }
            return Feedback(name, False, message)
        return Feedback(name, True, PASSED)


def ask(answer: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Calls the reader's function; `Unanswered` if it still is the stub."""
    # copies: an answer that works in place must not change what it is compared with
    value = answer(*copy.deepcopy(arguments), **copy.deepcopy(named))
    if value is None or value is ...:
        raise Unanswered
    return value


def close(found: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Whether a number or tensor is the expected one, shape included."""
    expected = as_tensor(expected)
    try:
        found = as_tensor(found)
    except (TypeError, ValueError, RuntimeError):
        return False
    return found.shape == expected.shape and torch.allclose(
        found, expected, rtol=tolerance, atol=tolerance
    )


def as_tensor(value: Any) -> Tensor:
    """A detached float64 tensor of any number or tensor."""
    return torch.as_tensor(value).detach().to(torch.float64)
