"""A stated limit of memory is kept, as the system measures it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor.engine.memory import Allocations, tasks_within

MEASURE = """
import ctypes, gc, re, sys
from pathlib import Path
import torch
import metatutor as mt

def resident(name):
    status = Path("/proc/self/status").read_text()
    return int(re.findall(name + r":\\s+(\\d+)", status)[0]) / 1024

limit, tasks = float(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
source = mt.data.Sinusoid(10)
learner = mt.MAML(mt.models.mlp(1, 1), mt.mse, 0.01, 5)
mt.Engine(learner, "vmap")(source.sample(2))  # what the first call always takes
batch = source.sample(tasks)
engine = mt.Engine(learner, "vmap", memory=limit or None)
gc.collect()
ctypes.CDLL("libc.so.6").malloc_trim(0)
Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
before = resident("VmRSS")
engine(batch)
print(resident("VmHWM") - before)
"""


def peak(limit, tasks):
    """MiB that one call adds to the resident memory of a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(limit), str(tasks)],
        capture_output=True, text=True, check=True, timeout=200,
    )  # fmt: skip
    return float(done.stdout)


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="measured on Linux only"
)
def test_the_limit_is_kept_from_1_to_1024_tasks():
    limit = 24
    assert peak(0, 1024) > 2 * limit  # without it
    for tasks in (1, 16, 128, 512, 1024):
        assert peak(limit, tasks) < 1.1 * limit


def test_tensors_are_counted_while_they_live():
    kilobyte = 256  # numbers in single precision
    with Allocations() as counted:
        first = torch.zeros(kilobyte)
        view = first[3:].view(-1, 1)
        second = first + 1
        del first
        assert counted.alive == 2048  # the view holds what it looks at
        del view
        assert counted.alive == 1024
        second.add_(1)
        third = torch.ones(3 * kilobyte)
        del second, third
    assert counted.alive == 0
    assert counted.peak == 4096


def test_what_was_there_before_is_not_counted():
    there = torch.zeros(1000)
    with Allocations([there]) as counted:
        there[1:].add_(1)
        _ = there.view(10, 100).T
    assert counted.peak == 0


@pytest.mark.parametrize(
    ("mebibytes", "tasks", "expected"),
    [(11, 100, 1), (12, 100, 2), (14, 100, 4), (14, 3, 3), (10**6, 100, 100)],
)
def test_as_many_tasks_as_fit(mebibytes, tasks, expected):
    """10 MiB for whatever happens, and one more for each task."""

    def measure(count):
        return int((10 + count) * 2**20)

    assert tasks_within(mebibytes, measure, tasks) == expected


def test_one_task_must_fit():
    with pytest.raises(ValueError, match="10 MiB, but a single task takes 11 MiB"):
        tasks_within(10, lambda count: (10 + count) * 2**20, 5)


def test_measuring_draws_none_of_the_learners_random_numbers():
    model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    learner = mt.MAML(model, mt.mse, 0.01, 1)
    batch = mt.data.Sinusoid(shots=4).sample(3)
    losses, after = [], []
    for memory in (None, 100):
        torch.manual_seed(1)
        losses.append(mt.Engine(learner, "vmap", memory=memory)(batch))
        after.append(torch.rand(1))
    assert losses[0] == losses[1] and after[0] == after[1]
