"""Finn et al. 2017, Appendix C, Table 2: 5-shot sinusoid regression.

Trained as in the paper (10-shot, one inner step, α = 0.01, Adam) and in its authors'
code (25 tasks a step, β = 0.001, 70,000 iterations), measured on 5-shot tasks after 1,
5 and 10 steps. The paper tunes the step size of its pre-trained baseline; here the
test-time rate of *every* method is the best of `RATES` on validation tasks, for each
number of steps.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import mse_loss

from ..data import Sinusoid
from ..evaluation import meta_evaluate
from ..learners import MAML, FromScratch, JointPretraining, Learner
from ..models import mlp
from ..results import Result
from ..training import meta_train
from .ledger import made_by, pooled

STEPS = (1, 5, 10)
TRAIN = Sinusoid(shots=10)
TEST = Sinusoid(shots=5, queries=100)
VALIDATION_SEED, TEST_SEED = 2, 1
# At MAML's own rate of 0.01 one 5-shot task in 700 to 2,200 (it depends on the seed)
# is too steep and diverges within ten steps: only so many validation tasks notice.
VALIDATION = Sinusoid(shots=5, queries=20)
VALIDATION_TASKS = 20_000
RATES = (0.001, 0.002, 0.005, 0.007, 0.01, 0.015, 0.02, 0.05, 0.1)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--iterations", type=int, default=70_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", type=int, default=5_000, help="test tasks")
    parser.add_argument(
        "--only", nargs="+", choices=METHODS, default=[*METHODS], help="methods"
    )
    parser.add_argument(
        "--steps", type=int, nargs="+", default=[*STEPS], help="steps to measure after"
    )
    parser.add_argument("--runs", default="runs", help="where checkpoints are kept")


def run(options: Namespace, command: str) -> list[dict[str, Any]]:
    """Trains every method with every seed and returns the ledger's entries."""
    torch.set_num_threads(1)  # tasks this small gain nothing from a second thread
    run_by = made_by(command)
    entries = []
    for name in options.only:
        make = METHODS[name]
        runs = [train(name, make, seed, options) for seed in options.seeds]
        seconds = sum(seconds for _, seconds in runs) / len(runs)
        for steps in options.steps:
            measured = [measure(learner, steps, options.tasks) for learner, _ in runs]
            entry = pooled([result for _, result in measured])
            entry |= {
                "experiment": "sinusoid",
                "method": name,
                "metric": metric(steps),
                "seeds": options.seeds,
                "inner_lr": [rate for rate, _ in measured],
                "seconds": round(seconds, 1),
            }
            entries.append(entry | run_by)
            print(name, steps, entry["value"], "±", entry["ci95"], flush=True)
    return entries


def again(row: dict[str, Any]) -> list[str] | None:
    """What to add to the command of a figure to make it alone; None if it is long."""
    if (row["method"], row["metric"]) == ("from scratch", metric(1)):
        return ["--only", "from scratch", "--steps", "1"]
    return None


def metric(steps: int) -> str:
    """What is measured, in words."""
    return f"MSE, 5-shot, after {steps} step{'s' * (steps > 1)}"


def train(name: str, make, seed: int, options: Namespace) -> tuple[Learner, float]:
    """A learner trained with one seed, and the seconds that took."""
    torch.manual_seed(seed)
    learner: Learner = make(mlp(1, 1))
    if isinstance(learner, FromScratch):
        return learner, 0.0
    file = Path(options.runs) / f"sinusoid-{name.replace(' ', '-')}-{seed}.ckpt"
    history = meta_train(
        learner,
        TRAIN,
        iterations=options.iterations,
        seed=seed,
        checkpoint=file,
        checkpoint_every=5000,
        resume=True,
    )
    return learner, history.seconds


def measure(learner: Learner, steps: int, tasks: int) -> tuple[float, Result]:
    """The tuned inner rate for so many steps, and the test result with it."""
    learner.inner_lr = tuned_rate(learner, steps)
    result = meta_evaluate(learner, TEST, tasks=tasks, steps=steps, seed=TEST_SEED)
    return learner.inner_lr, result


def tuned_rate(learner: Learner, steps: int) -> float:
    """The inner rate that does best on validation tasks."""

    def validation(rate: float) -> float:
        learner.inner_lr = rate
        return meta_evaluate(
            learner,
            VALIDATION,
            tasks=VALIDATION_TASKS,
            steps=steps,
            seed=VALIDATION_SEED,
        ).mean

    return min(RATES, key=validation)


METHODS = {
    "MAML": lambda model: MAML(model, mse_loss, inner_lr=0.01, inner_steps=1),
    "FOMAML": lambda model: MAML(
        model, mse_loss, inner_lr=0.01, inner_steps=1, first_order=True
    ),
    "joint pre-training": lambda model: JointPretraining(model, mse_loss),
    "from scratch": lambda model: FromScratch(model, mse_loss),
}
