"""How much memory a meta-gradient takes, against the number of tasks.

Each figure is from a fresh process, as in `experiments.memory`: by how much one call
raises the peak of its resident memory, after a call with one task.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import torch

from ..engine import Engine
from ..experiments.memory import resident_mebibytes
from ..learners import MAML
from . import problems
from .agreement import check, gradient
from .contestants import ALL, REFERENCE
from .settings import Row, Say, Settings
from .timing import seconds_of, timed

TASKS = (1, 16, 256, 1024)
STEPS = 5
LIMITS = (None, 64.0)  # MiB
CALLS = 3


@dataclass(frozen=True)
class Call:
    """What one process is to measure.

    Attributes:
        tasks: in the call.
        limit: the engine's limit in MiB; none if None.
        steps: inner ones.
        device: where to compute.
    """

    tasks: int
    limit: float | None
    steps: int = STEPS
    device: str = "cpu"


def run(settings: Settings, say: Say) -> Iterable[Row]:
    """One row for each number of tasks, with and without the limit."""
    say(
        "memory: MiB that one call of vmap adds to the peak of its process, which is "
        "fresh for each figure and has one thread"
    )
    for tasks in (1, 16) if settings.quick else TASKS:
        for limit in LIMITS:
            call = Call(tasks, limit, device=settings.device)
            yield {
                "part": "memory",
                "problem": "mlp",
                "tasks": tasks,
                "steps": STEPS,
                "who": "engine-vmap" if limit is None else f"limit {limit:g} MiB",
                "limit": limit,
                **measured(call),
            }


def measured(call: Call) -> Row:
    """What a fresh process finds.

    Raises:
        RuntimeError: it failed, or its meta-gradient is another.
    """
    words = [sys.executable, "-m", __name__, json.dumps(asdict(call))]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{call} failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout)


def measure(call: Call) -> Row:
    """In this process: to be called once, in a fresh one."""
    torch.set_num_threads(1)
    problem = problems.make("mlp", call.tasks, call.device)
    learner = MAML(problem.model, problem.loss, problem.inner_lr, call.steps)
    Engine(learner, "vmap")(problem.batch[:1])  # what the first call always takes
    engine = Engine(learner, "vmap", memory=call.limit)
    before = peak(call.device)
    first = seconds_of(lambda: engine(problem.batch), call.device)
    used = peak(call.device) - before
    found = gradient(problem.model)
    reference = ALL[REFERENCE](
        problem.model, problem.loss, problem.inner_lr, call.steps
    )
    reference(problem.batch)
    difference = check("engine-vmap", found, gradient(problem.model))
    times = [
        seconds_of(lambda: engine(problem.batch), call.device) for _ in range(CALLS)
    ]
    return {
        "mebibytes": used,
        "first_call_seconds": first,
        "difference": difference,
        **timed(times, call.tasks),
    }


def peak(device: str) -> float:
    """The most memory in use so far, in MiB."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resident_mebibytes()


if __name__ == "__main__":
    print(json.dumps(measure(Call(**json.loads(sys.argv[1])))))
