"""How many classes tasks have: told by their labels, for many tasks at once too."""

import pytest
import torch

import metatutor as mt
from metatutor.ways import Ways, count_ways, counted_ways, ways_of


def batch_of(labels):
    """Tasks with these support labels, ``(tasks, examples)``, each of them a query."""
    x = torch.zeros(*labels.shape, 1)
    return mt.TaskBatch(x, labels, x, labels)


FULL = torch.tensor([[0, 1, 2, 2], [2, 1, 0, 1]])
HOLLOW = torch.tensor([[0, 1, 2, 2], [0, 0, 3, 1]])  # 3 in one, 2 missing in the other


def test_the_count_is_the_highest_label_of_all_tasks_and_one():
    assert count_ways(FULL) == Ways(3, None)
    assert count_ways(HOLLOW) == Ways(4, missing=3)  # in the first task, no class 3
    assert count_ways(torch.tensor([[1, 2]])) == Ways(3, missing=0)


def test_one_task_is_counted_by_itself():
    assert ways_of(FULL[0], complete=True) == 3
    assert ways_of(HOLLOW[1]) == 4
    with pytest.raises(ValueError, match="class 2 has no support example: labels must"):
        ways_of(HOLLOW[1], complete=True)


def test_many_tasks_at_once_are_counted_before():
    count = torch.func.vmap(lambda labels: labels.new_ones(()) * ways_of(labels))
    with counted_ways(batch_of(FULL)) as ways:
        assert ways == Ways(3, None)
        assert count(FULL).tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="vmap"):
        count(FULL)


def test_inside_another_count_the_outer_one_holds():
    """A part of a batch does not know of the classes of the other parts."""
    with counted_ways(batch_of(HOLLOW)):
        with counted_ways(batch_of(FULL)) as ways:
            assert ways == Ways(4, missing=3)
        assert ways_of(FULL[0]) == 4
        with pytest.raises(ValueError, match="class 3 has no support example"):
            ways_of(FULL[0], complete=True)
    assert ways_of(FULL[0]) == 3


@pytest.mark.parametrize("targets", [torch.zeros(2, 4), torch.zeros(2, 4, 1).long()])
def test_targets_that_are_no_labels_are_not_counted(targets):
    with counted_ways(batch_of(targets)) as ways:
        assert ways is None
