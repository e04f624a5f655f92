"""One process and two: the engine under ``torchrun``, one thread a process.

Beside them, one process with all of this one's threads and the strategy of the engine's
own choice. Processes cannot take turns call by call; they do so one after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import torch
import torch.distributed as dist

from ..engine import Engine
from ..learners import MAML
from . import problems
from .agreement import check, gradient
from .contestants import ALL, REFERENCE
from .settings import Row, Say, Settings
from .timing import seconds_of, timed

TASKS = 8
STEPS = 1
REPEATS = 3


@dataclass(frozen=True)
class Crew:
    """So many processes, each with so many threads and this strategy."""

    processes: int
    threads: int
    strategy: str
    tasks: int = TASKS
    calls: int = 5

    def __str__(self) -> str:
        return f"{self.processes}x{self.threads}-{self.strategy}"  # processes × threads


def run(settings: Settings, say: Say) -> Iterable[Row]:
    """One row for each crew; a speedup is over one process with one thread.

    Raises:
        RuntimeError: a crew failed, or its meta-gradient is another.
    """
    say("ranks: processes x threads, on the CPU")
    crews = [
        Crew(1, 1, "loop"),
        Crew(2, 1, "loop"),
        Crew(1, torch.get_num_threads(), "auto"),
    ]
    repeats = REPEATS
    if settings.quick:
        repeats = 1
        crews = [Crew(c.processes, c.threads, c.strategy, 2, 2) for c in crews]
    times: dict[str, list[float]] = defaultdict(list)
    firsts: dict[str, Row] = {}
    for _ in range(repeats):
        for crew in crews:
            told = launched(crew)
            times[str(crew)] += told.pop("times")
            firsts.setdefault(str(crew), told)
    alone = timed(times[str(crews[0])], crews[0].tasks)["milliseconds"]
    for crew in crews:
        row = timed(times[str(crew)], crew.tasks)
        yield {
            "part": "ranks",
            "problem": "conv4",
            "tasks": crew.tasks,
            "steps": STEPS,
            "who": str(crew),
            "processes": crew.processes,
            "threads": crew.threads,
            **firsts[str(crew)],
            **row,
            "best_peer": str(crews[0]),
            "speedup": alone / row["milliseconds"],
        }


def launched(crew: Crew) -> Row:
    """What the first of a crew's processes reports."""
    launcher = ["-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node", str(crew.processes), "-m", __name__]
    words = [sys.executable, *launcher, json.dumps(asdict(crew))]
    surroundings = os.environ | {"OMP_NUM_THREADS": str(crew.threads)}
    done = subprocess.run(words, capture_output=True, text=True, env=surroundings)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise RuntimeError(f"{crew} failed:\n{done.stderr.strip()}")
    return json.loads(lines[-1])


def measure(crew: Crew) -> Row | None:
    """In each process of a crew: what the first one found, None in the others."""
    torch.set_num_threads(crew.threads)
    dist.init_process_group("gloo")
    try:
        problem = problems.make("conv4", crew.tasks)
        settled = (problem.model, problem.loss, problem.inner_lr, STEPS)
        engine = Engine(MAML(*settled), crew.strategy)
        first = seconds_of(lambda: engine(problem.batch))
        found = gradient(problem.model)
        ALL[REFERENCE](*settled)(problem.batch)
        difference = check(str(crew), found, gradient(problem.model))
        dist.barrier()
        times = [seconds_of(lambda: engine(problem.batch)) for _ in range(crew.calls)]
        return (
            None
            if dist.get_rank()
            else {
                "strategy": engine.strategy,
                "first_call_seconds": first,
                "difference": difference,
                "times": times,
            }
        )
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    reported = measure(Crew(**json.loads(sys.argv[1])))
    if reported is not None:
        print(json.dumps(reported), flush=True)
