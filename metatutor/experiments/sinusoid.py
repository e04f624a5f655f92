"""Finn et al. 2017, Appendix C, Table 2: 5-shot sinusoid regression.

Trained as in the paper (10-shot, one inner step, α = 0.01, Adam, 25 tasks a step),
measured on 5-shot tasks after 1, 5 and 10 steps.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from typing import Any

import torch
from torch.nn.functional import mse_loss

from ..data import Sinusoid
from ..learners import MAML, FromScratch, JointPretraining, Learner
from ..models import mlp
from ..results import Result
from ..training import meta_evaluate, meta_train
from .ledger import commit, device_name

STEPS = (1, 5, 10)
TRAIN = Sinusoid(shots=10)
TEST = Sinusoid(shots=5, queries=100)
VALIDATION_SEED, TEST_SEED = 2, 1
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--iterations", type=int, default=70_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", type=int, default=2_000, help="test tasks")


def run(options: Namespace, command: str) -> list[dict[str, Any]]:
    """Trains every method with every seed and returns the ledger's entries."""
    torch.set_num_threads(1)  # tasks this small gain nothing from a second thread
    entries = []
    for name, make in METHODS.items():
        started = time.perf_counter()
        rows = [one_seed(make, seed, options) for seed in options.seeds]
        seconds = time.perf_counter() - started
        for i, steps in enumerate(STEPS):
            entry = pooled([row[i] for row in rows])
            entry |= {
                "experiment": "sinusoid",
                "method": name,
                "metric": f"MSE, 5-shot, after {steps} step{'s' * (steps > 1)}",
                "seeds": options.seeds,
                "seconds": round(seconds / len(options.seeds), 1),
                "device": device_name(),
                "torch": torch.__version__,
                "commit": commit(),
                "command": command,
            }
            entries.append(entry)
            print(f"{name:18} {steps:2} steps  {entry['value']} ± {entry['ci95']}")
    return entries


def one_seed(make, seed: int, options: Namespace) -> list[Result]:
    """One training run, measured after each number of steps."""
    torch.manual_seed(seed)
    learner: Learner = make(mlp(1, 1))
    if not isinstance(learner, FromScratch):
        meta_train(learner, TRAIN, iterations=options.iterations, seed=seed)
    results = []
    for steps in STEPS:
        if isinstance(learner, (JointPretraining, FromScratch)):
            learner.inner_lr = tuned_rate(learner, steps)
        results.append(
            meta_evaluate(
                learner, TEST, tasks=options.tasks, steps=steps, seed=TEST_SEED
            )
        )
    return results


def tuned_rate(learner: Learner, steps: int) -> float:
    """The inner rate that does best on validation tasks: the baselines' advantage."""

    def validation(rate: float) -> float:
        learner.inner_lr = rate
        try:
            return meta_evaluate(
                learner, TEST, tasks=500, steps=steps, seed=VALIDATION_SEED
            ).mean
        except ValueError:  # this rate diverges
            return float("inf")

    return min(RATES, key=validation)


def pooled(results: list[Result]) -> dict[str, Any]:
    """One figure over seeds: tasks averaged over seeds, the interval over tasks."""
    over_seeds = Result(torch.stack([r.per_task for r in results]).mean(dim=0))
    return {
        "value": round(over_seeds.mean, 4),
        "ci95": round(over_seeds.ci95, 4),
        "n": over_seeds.n,
        "per_seed": [round(r.mean, 4) for r in results],
    }


METHODS = {
    "MAML": lambda model: MAML(model, mse_loss, inner_lr=0.01, inner_steps=1),
    "FOMAML": lambda model: MAML(
        model, mse_loss, inner_lr=0.01, inner_steps=1, first_order=True
    ),
    "joint pre-training": lambda model: JointPretraining(model, mse_loss),
    "from scratch": lambda model: FromScratch(model, mse_loss),
}
