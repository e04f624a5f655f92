"""What is refused at the door is named, and what is right passes unchanged."""

import numpy as np
import pytest
import torch

from metatutor.checks import (
    at_least_one,
    check_examples,
    check_finite,
    check_generator,
    check_labels,
    check_seed,
    functions,
    is_label,
    is_number,
)


@pytest.mark.parametrize("value", [1, 7, np.int64(3), 2**31 - 1])
def test_counts_from_one_on_are_accepted(value):
    assert at_least_one("ways", value) == value


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "5", None])
def test_other_counts_are_refused(value):
    with pytest.raises(ValueError, match=f"ways is {value!r}: a whole number of at"):
        at_least_one("ways", value)


def test_a_count_that_no_machine_reaches_is_refused():
    with pytest.raises(ValueError, match=r"ways is above 2\*\*31"):
        at_least_one("ways", 2**31)


def test_what_counts_as_a_number():
    assert is_number(0) and is_number(1.5) and is_number(np.float32(2))
    assert not is_number(True) and not is_number("1") and not is_number(1j)


@pytest.mark.parametrize("seed", [0, -1, -(2**63), 2**63 - 2**32 - 1, np.int64(5)])
def test_seeds_that_torch_can_take_are_accepted(seed):
    """Validation tasks and single processes count on from the seed: see its end."""
    found = check_seed("seed", seed)
    assert type(found) is int and found == seed
    torch.Generator().manual_seed(found + 2**32)


@pytest.mark.parametrize("seed", [2**63 - 2**32, -(2**63) - 1, 0.0, True, "0", None])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ValueError, match=r"seed is .*: a whole number below"):
        check_seed("seed", seed)


def test_a_seed_is_no_generator():
    check_generator(None)
    check_generator(torch.Generator())
    with pytest.raises(TypeError, match=r"generator is 3: .*manual_seed"):
        check_generator(3)


def test_functions_are_kept_and_none_is_left_out():
    assert functions("metrics", [abs, None, len]) == [abs, len]
    with pytest.raises(TypeError, match="metrics holds 'loss', which is not"):
        functions("metrics", [abs, "loss"])


def test_which_targets_are_labels():
    assert is_label(torch.tensor([0])) and is_label(torch.tensor([True]))
    assert not is_label(torch.tensor([0.0])) and not is_label(torch.tensor([1j]))


def test_without_a_number_of_ways_only_negative_labels_are_refused():
    check_labels("y", torch.tensor([0, 900]))
    with pytest.raises(ValueError, match="y holds labels -1 to 2: a task has 0 to N"):
        check_labels("y", torch.tensor([-1, 2]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 1, 3]), "labels 0 to 3: a task has 0 to 2"),
        (torch.tensor([-1, 1]), "y holds labels -1 to 1"),
    ],
)
def test_labels_outside_the_task_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        check_labels("y", labels, ways=3)


def test_labels_of_the_task_are_accepted():
    check_labels("y", torch.tensor([2, 0, 1, 0]), ways=3)
    check_labels("y", torch.tensor([[1], [0]], dtype=torch.uint8), ways=3)


def test_values_to_regress_are_no_labels():
    check_labels("y", torch.tensor([-1.5, 7.0]), ways=3)


def test_one_target_for_each_input():
    x, y = torch.zeros(4, 2), torch.zeros(4)
    check_examples("query", x, y)
    check_examples("query", x[None], y[None], axes=2)
    with pytest.raises(ValueError, match=r"query_x has shape \(4, 2\) and query_y \(3"):
        check_examples("query", x, y[:3])
    with pytest.raises(ValueError, match=r"\(tasks, examples, …\) must agree"):
        check_examples("query", torch.zeros(2, 4, 1), torch.zeros(2, 3), axes=2)
    with pytest.raises(ValueError, match=r"query_y has shape \(4,\): \(tasks, exam"):
        check_examples("query", torch.zeros(2, 4), y, axes=2)
    with pytest.raises(ValueError, match=r"query_x has shape \(\): \(examples, …\) is"):
        check_examples("query", torch.zeros(()), y)
    with pytest.raises(TypeError, match=r"query_y is a list: a torch.Tensor"):
        check_examples("query", x, [0, 1, 2, 3])


@pytest.mark.parametrize("shape", [(0, 2), (0, 3, 2), (3, 0, 2)])
def test_no_example_at_all_is_refused(shape):
    x = torch.zeros(shape)
    with pytest.raises(ValueError, match=r"query_x has shape .* holds no example"):
        check_examples("query", x, x, axes=len(shape) - 1)


def test_numbers_that_are_not_finite_are_counted_and_found():
    check_finite("x", torch.tensor([[1.0, 2.0]]))
    check_finite("x", torch.tensor([1, 2]))
    inf, nan = float("inf"), float("nan")
    bad = torch.tensor([[1.0, 2.0], [nan, 3.0], [-inf, inf]])
    with pytest.raises(ValueError, match=r"x holds 3 values .*index \(1, 0\): clean"):
        check_finite("x", bad)
