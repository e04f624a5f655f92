"""That the harness itself notices crashes: otherwise the other tests prove nothing."""

import pytest
import torch
from calls import REFUSED, attempt, finite

import metatutor as mt


def spoil(tensor):
    tensor += 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: [][0],
        lambda: 1 / 0,
        lambda: None.shape,
        lambda: torch.zeros(2) @ torch.zeros(3),
        lambda: int("x"),  # a ValueError, but nobody's check
        lambda: torch.zeros(2, 3).expand(5, 5),
    ],
)
def test_a_crash_is_one(call):
    with pytest.raises(
        (AssertionError, AttributeError, IndexError, RuntimeError, ZeroDivisionError)
    ):
        attempt(call)


def test_changed_arguments_and_numbers_that_are_none_are_noticed():
    with pytest.raises(AssertionError, match="were changed"):
        attempt(spoil, torch.zeros(2))
    with pytest.raises(AssertionError):
        finite(torch.tensor([1.0, float("nan")]))


def test_a_refusal_in_words_is_none():
    assert attempt(mt.data.Sinusoid, 0) is REFUSED
    assert attempt(mt.data.Sinusoid, 2) is not REFUSED
