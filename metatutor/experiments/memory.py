"""How much memory one meta-gradient takes, against the number of inner steps.

Each figure is from a fresh process, since a process never gives its highest mark back:
the peak resident memory after one meta-gradient, less that before it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import mse_loss

from ..data import Sinusoid
from ..learners import MAML, ImplicitMAML, Learner
from ..models import mlp
from ..results import Result
from .ledger import made_by

STEPS = (1, 10, 100)
TASKS = 10
METHODS = {
    "MAML": lambda model, steps: MAML(model, mse_loss, 0.001, steps),
    "FOMAML": lambda model, steps: MAML(model, mse_loss, 0.001, steps, True),
    "implicit MAML": lambda model, steps: ImplicitMAML(
        model, mse_loss, 2.0, max_steps=steps, exact=False, cg_steps=5
    ),
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, nargs="+", default=[*STEPS])
    parser.add_argument("--repeats", type=int, default=3, help="processes a figure")


def run(options: Namespace, command: str) -> list[dict[str, Any]]:
    """Measures every method at every number of steps; returns the ledger's entries."""
    run_by = made_by(command)
    entries = []
    for method in METHODS:
        for steps in options.steps:
            peaks = Result(
                torch.tensor([peak(method, steps) for _ in range(options.repeats)])
            )
            entry = {
                "experiment": "memory",
                "method": method,
                "metric": f"MiB for a meta-gradient of {steps} inner steps",
                "value": round(peaks.mean, 2),
                "ci95": round(peaks.ci95, 2),
                "n": peaks.n,
                "per_seed": [round(p, 2) for p in peaks.per_task.tolist()],
                "seeds": [0],
                "seconds": 0.0,
            }
            entries.append(entry | run_by)
            print(method, steps, entry["per_seed"], "MiB", flush=True)
    return entries


def peak(method: str, steps: int) -> float:
    """MiB that one meta-gradient adds to the peak memory of a fresh process."""
    words = [sys.executable, "-m", __name__, method, str(steps)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout)


def learner(method: str, steps: int) -> Learner:
    """One with a network wide enough for memory to show."""
    torch.manual_seed(0)
    model = mlp(1, 1, hidden=(128, 128), activation=nn.Tanh)
    return METHODS[method](model, steps)


def resident_mebibytes() -> float:
    """The highest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage may tell of the parent process
        (line,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(line) / 1024
    import resource  # not on Windows, where the other experiments still run

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest / (1024**2 if sys.platform == "darwin" else 1024)


def measure(method: str, steps: int) -> float:
    """In this process: to be called once, in a fresh one."""
    torch.set_num_threads(1)
    batch = Sinusoid(shots=10).sample(TASKS, torch.Generator().manual_seed(0))
    learner(method, 1).meta_loss(batch).backward()  # what the first call always takes
    before = resident_mebibytes()
    learner(method, steps).meta_loss(batch).backward()
    return resident_mebibytes() - before


if __name__ == "__main__":
    print(measure(sys.argv[1], int(sys.argv[2])))
