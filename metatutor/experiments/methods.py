"""Every learner on two problems under one budget: sinusoids and few-shot letters.

The budget is a number of training tasks, the same for every method of a problem; what
they cost in seconds stands beside each figure. All methods of a problem share one
network, one outer optimiser (Adam, its rate falling to 0), and one set of test tasks.
Inner rates and strengths were chosen by hand on validation tasks with a tenth of the
budget, among two or three values for each method. The network for sinusoids is smooth,
for the sake of the proximal methods, which take a fixed number of steps, as in their
papers.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from .. import learners as ml
from ..data import Glyphs, Sinusoid
from ..evaluation import meta_evaluate
from ..learners import Learner
from ..models import conv4, mlp
from ..pretraining import pretrain
from ..results import Result, accuracy
from ..tasks import TaskSource
from ..training import meta_train
from .ledger import made_by, pooled

VALIDATION_SEED, TEST_SEED = 2, 1


@dataclass(frozen=True)
class Problem:
    """What all methods share."""

    train: TaskSource
    validation: TaskSource
    test: TaskSource
    budget: int  # training tasks
    meta_batch: int
    lr: float
    metric: Callable | None
    label: str
    methods: dict[str, Callable[[], Learner]]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--problem", choices=PROBLEMS, nargs="+", default=[*PROBLEMS])
    parser.add_argument("--only", nargs="+", help="methods, by name; all if not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", type=int, default=1000, help="test tasks")
    parser.add_argument("--budget", type=float, default=1.0, help="share of the budget")
    parser.add_argument("--validate", action="store_true", help="on validation tasks")


def run(options: Namespace, command: str) -> list[dict[str, Any]]:
    """Trains every method with every seed and returns the ledger's entries."""
    torch.set_num_threads(1)  # so that two can run side by side
    run_by = made_by(command)
    entries = []
    for name in options.problem:
        problem = PROBLEMS[name]()
        for method, make in problem.methods.items():
            if options.only and method not in options.only:
                continue
            results, seconds = [], []
            for seed in options.seeds:
                torch.manual_seed(seed)
                learner = make()
                seconds.append(train(learner, problem, seed, options.budget))
                results.append(measure(learner, problem, options))
            entry = {
                **pooled(results),
                "experiment": f"methods, {name}",
                "method": method,
                "metric": problem.label,
                "seeds": options.seeds,
                "seconds": round(sum(seconds) / len(seconds), 1),
            }
            entries.append(entry | run_by)
            print(f"{name}: {method}: {entry['value']} ± {entry['ci95']},",
                  f"{entry['seconds']} s, {entry['per_seed']}", flush=True)  # fmt: skip
    return entries


def again(row: dict[str, Any]) -> list[str] | None:
    """What to add to the command of a figure to make it alone; None if it is long."""
    if (row["experiment"], row["method"]) not in QUICK:
        return None
    problem = row["experiment"].partition(", ")[2]
    return ["--problem", problem, "--only", row["method"]]


def train(learner: Learner, problem: Problem, seed: int, share: float = 1.0) -> float:
    """Spends the budget on a learner; returns the seconds that took."""
    tasks = max(problem.meta_batch, round(problem.budget * share))
    if isinstance(learner, ml.FromScratch):
        return 0.0
    if isinstance(learner, ml.NearestMean | ml.LinearProbe):
        if not any(True for _ in learner.parameters()):
            return 0.0
        support, *_, queries, _ = problem.train.sample(1).tensors
        each = support.shape[1] + queries.shape[1]
        history = pretrain(
            learner.model,
            problem.train.examples,
            iterations=tasks * each // 32,
            batch=32,
            lr=problem.lr,
            seed=seed,
            progress=False,
        )
        return history.seconds
    history = meta_train(
        learner,
        problem.train,
        iterations=tasks // problem.meta_batch,
        meta_batch=problem.meta_batch,
        lr=problem.lr,
        anneal=True,
        seed=seed,
        progress=False,
    )
    return history.seconds


def measure(learner: Learner, problem: Problem, options: Namespace) -> Result:
    """The learner on test tasks, or on validation tasks while choosing."""
    source, seed = problem.test, TEST_SEED
    if options.validate:
        source, seed = problem.validation, VALIDATION_SEED
    return meta_evaluate(
        learner, source, tasks=options.tasks, seed=seed, metric=problem.metric
    )


def sinusoid() -> Problem:
    """5-shot regression with a smooth network."""

    def net(inputs: int = 1, outputs: int = 1) -> nn.Module:
        return mlp(inputs, outputs, activation=nn.Tanh)

    loss = mse_loss
    loosely = {"max_steps": 25, "exact": False}
    return Problem(
        train=Sinusoid(shots=5, queries=10),
        validation=Sinusoid(shots=5, queries=50),
        test=Sinusoid(shots=5, queries=50),
        budget=50_000,
        meta_batch=25,
        lr=3e-3,
        metric=None,
        label="MSE, 5-shot",
        methods={
            "MAML": lambda: ml.MAML(net(), loss, 0.02, 5),
            "FOMAML": lambda: ml.MAML(net(), loss, 0.02, 5, first_order=True),
            "ANIL": lambda: ml.ANIL(net(), loss, 0.1, 5),
            "Meta-SGD": lambda: ml.MetaSGD(net(), loss, 0.02, 5),
            "MAML++": lambda: ml.MAMLPlusPlus(net(), loss, 0.02, 5),
            "CAVIA": lambda: ml.CAVIA(net(1 + 4), loss, 4, 0.5, 5),
            "Reptile": lambda: ml.Reptile(net(), loss, 0.02, 10, inner_batch=5),
            "MinibatchProx": lambda: ml.MinibatchProx(net(), loss, 0.5, **loosely),
            "implicit MAML": lambda: ml.ImplicitMAML(
                net(), loss, 2.0, cg_steps=10, **loosely
            ),
            "R2D2": lambda: ml.R2D2(net(1, 40), loss, 1.0),
            "joint pre-training": lambda: ml.JointPretraining(net(), loss, 0.01, 5),
            "from scratch": lambda: ml.FromScratch(net(), loss, 0.02, 50),
        },
    )


def glyphs() -> Problem:
    """5-way 1-shot classification of letters of one script, of unseen scripts."""

    def letters(split: str) -> Glyphs:
        return Glyphs(split, ways=5, shots=1, queries=5, within_script=True)

    def net(outputs: int | None = None) -> nn.Module:
        return conv4(outputs, channels=32, norm="batch")

    loss = cross_entropy
    loosely = {"max_steps": 8, "exact": False}
    return Problem(
        train=letters("train"),
        validation=letters("val"),
        test=letters("test"),
        budget=2000,
        meta_batch=2,
        lr=3e-3,
        metric=accuracy,
        label="accuracy, 5-way 1-shot within a script",
        methods={
            "MAML": lambda: ml.MAML(net(5), loss, 0.4, 1),
            "FOMAML": lambda: ml.MAML(net(5), loss, 0.1, 5, first_order=True),
            "ANIL": lambda: ml.ANIL(net(5), loss, 0.4, 5),
            "Meta-SGD": lambda: ml.MetaSGD(net(5), loss, 0.4, 1),
            "MAML++": lambda: ml.MAMLPlusPlus(net(5), loss, 0.4, 3),
            "Reptile": lambda: ml.Reptile(net(5), loss, 0.1, 5, inner_batch=10),
            "MinibatchProx": lambda: ml.MinibatchProx(net(5), loss, 0.2, **loosely),
            "implicit MAML": lambda: ml.ImplicitMAML(
                net(5), loss, 0.2, cg_steps=5, **loosely
            ),
            "R2D2": lambda: ml.R2D2(net(), loss, 1.0),
            "prototypical network": lambda: ml.PrototypicalNetwork(net()),
            "matching network": lambda: ml.MatchingNetwork(net(), scale=20.0),
            "embedding, nearest mean": lambda: ml.NearestMean(net()),
            "embedding, linear probe": lambda: ml.LinearProbe(net(), steps=10),
            "from scratch": lambda: ml.FromScratch(net(5), loss, 0.1, 5),
            "pixels, nearest mean": lambda: ml.NearestMean(nn.Flatten()),
        },
    )


PROBLEMS = {"sinusoid": sinusoid, "glyphs": glyphs}
# a minute or less for all seeds on one slow core, measuring included
QUICK = {
    ("methods, sinusoid", "joint pre-training"),
    ("methods, sinusoid", "from scratch"),
    ("methods, sinusoid", "ANIL"),
    ("methods, glyphs", "pixels, nearest mean"),
}
