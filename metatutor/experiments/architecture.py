"""Architecture search in one task and across tasks, beside baselines that do not.

In one task, 100 letters by 20 writers: ten writers train the weights, five choose the
architecture, five test. What a search finds is trained anew with the same steps as the
baselines. Across tasks, 5-way 1-shot letters of unseen scripts, by networks with as
many weights as each other. The inner rate of the weights was chosen by hand, among 0.02
to 0.3, on validation tasks; that of α was not tuned.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from random import Random
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from ..architecture import (
    CellNetwork,
    MetaNAS,
    best_of,
    correct,
    darts,
    discretise,
    fit,
    random_architecture,
    share_weights,
)
from ..architecture.search import Data
from ..data import Glyphs
from ..data.glyphs import load_letters
from ..evaluation import meta_evaluate
from ..learners import Learner
from ..results import Result, accuracy
from ..training import meta_train
from .ledger import made_by, pooled

LETTERS = 100
TEST_SEED = 1
Architecture = tuple[str, ...]
Search = Callable[[int, Namespace], Architecture]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--problem", choices=PROBLEMS, nargs="+", default=[*PROBLEMS])
    parser.add_argument("--only", nargs="+", help="methods, by name; all if not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--search-steps", type=int, default=150)
    parser.add_argument("--fit-steps", type=int, default=300)
    parser.add_argument("--iterations", type=int, default=400, help="across tasks")
    parser.add_argument("--tasks", type=int, default=300, help="test tasks")


def run(options: Namespace, command: str) -> list[dict[str, Any]]:
    """Searches, trains and tests with every seed; returns the ledger's entries."""
    torch.set_num_threads(1)
    run_by = made_by(command)
    entries = []
    for problem in options.problem:
        measure, methods, metric = PROBLEMS[problem]
        for name, method in methods.items():
            if options.only and name not in options.only:
                continue
            results, seconds = [], []
            for seed in options.seeds:
                started = time.perf_counter()
                results.append(measure(method, seed, options))
                seconds.append(time.perf_counter() - started)
            entry = {
                **pooled(results),
                "experiment": f"architecture, {problem}",
                "method": name,
                "metric": metric,
                "seeds": options.seeds,
                "seconds": round(sum(seconds) / len(seconds), 1),
            }
            entries.append(entry | run_by)
            print(f"{name}: {entry['value']} ± {entry['ci95']},",
                  f"{entry['seconds']} s, {entry['per_seed']}", flush=True)  # fmt: skip
    return entries


def again(row: dict[str, Any]) -> list[str] | None:
    """What to add to the command of a figure to make it alone; None if it is long."""
    return ["--only", row["method"]] if row["method"] in QUICK else None


# --- one task -------------------------------------------------------------------------


def one_task(search: Search, seed: int, options: Namespace) -> Result:
    """The accuracy of each letter by writers that neither trained nor chose."""
    found = search(seed, options)
    print("  found", *found, flush=True)
    torch.manual_seed(seed)
    network = CellNetwork(LETTERS, candidates=[(name,) for name in found])
    fit(network, by_writers(0, 10), steps=options.fit_steps, seed=seed)
    right = correct(network, by_writers(15, 20))
    return Result(right.view(LETTERS, -1).mean(1), metric="accuracy")


def by_writers(first: int, last: int) -> Data:
    """The letters as some of the 20 writers draw them: images and labels."""
    images = load_letters("train").images[:LETTERS, first:last]
    labels = torch.arange(LETTERS).repeat_interleave(last - first)
    return images.flatten(0, 1), labels


def supernet(seed: int) -> CellNetwork:
    torch.manual_seed(seed)
    return CellNetwork(LETTERS)


def by_gradient(second_order: bool) -> Search:
    def search(seed: int, options: Namespace) -> Architecture:
        network = supernet(seed)
        darts(
            network,
            by_writers(0, 10),
            by_writers(10, 15),
            steps=options.search_steps,
            alpha_lr=0.02,
            second_order=second_order,
            seed=seed,
        )
        return discretise(network.alpha, never=["none"])

    return search


def by_shared_weights(seed: int, options: Namespace) -> Architecture:
    """As many steps as the search by gradients takes for both of its levels."""
    network = supernet(seed)
    steps = 2 * options.search_steps
    share_weights(network, by_writers(0, 10), steps=steps, seed=seed)
    return best_of(network, by_writers(10, 15), samples=30, seed=seed)


SEARCHES: dict[str, Search] = {
    "DARTS, first order": by_gradient(False),
    "DARTS, second order": by_gradient(True),
    "random search, shared weights": by_shared_weights,
    "one random architecture": lambda seed, _: random_architecture(Random(seed)),
    "3×3 convolutions": lambda *_: ("nor_conv_3x3",) * 6,
    "skips": lambda *_: ("skip_connect",) * 6,
}

# --- across tasks ---------------------------------------------------------------------


def across_tasks(make: Callable[[], Learner], seed: int, options: Namespace) -> Result:
    """The accuracy on tasks from unseen scripts, after training on others."""
    torch.manual_seed(seed)
    learner = make()
    meta_train(
        learner,
        letters("train"),
        iterations=options.iterations,
        meta_batch=4,
        lr=5e-3,
        seed=seed,
        progress=False,
    )
    return meta_evaluate(
        learner,
        letters("test"),
        tasks=options.tasks,
        seed=TEST_SEED,
        metric=accuracy,
    )


def letters(split: str) -> Glyphs:
    return Glyphs(split, ways=5, shots=1, queries=5, within_script=True)


def adapting(alpha_lr: float, frozen: bool = False) -> Learner:
    """A mixture whose α is adapted, learned for all tasks alike, or left alone."""
    return learner(CellNetwork(5, candidates=[MIXED] * 6), alpha_lr, frozen)


def convolutions() -> Learner:
    """One architecture, with as many weights as the mixture."""
    network = CellNetwork(5, candidates=[("nor_conv_3x3",)] * 6)
    return learner(network, 0.0, frozen=True)


def learner(network: CellNetwork, alpha_lr: float, frozen: bool) -> Learner:
    """Two first-order inner steps on all that is not frozen."""
    network.alpha.requires_grad_(not frozen)
    return MetaNAS(network, cross_entropy, 0.02, 2, alpha_lr, first_order=True)


MIXED = ("skip_connect", "nor_conv_3x3")  # a skip has no weights
ACROSS: dict[str, Callable[[], Learner]] = {
    "α adapted to each task": lambda: adapting(0.5),
    "α learned, the same for all": lambda: adapting(0.0),
    "α fixed, both operations alike": lambda: adapting(0.0, frozen=True),
    "3×3 convolutions only": convolutions,
}

PROBLEMS = {
    "one task": (one_task, SEARCHES, f"accuracy, {LETTERS} letters"),
    "across tasks": (across_tasks, ACROSS, "accuracy, 5-way 1-shot within a script"),
}
# a minute or less for all seeds on one slow core
QUICK = {
    "random search, shared weights",
    "one random architecture",
    "3×3 convolutions",
    "skips",
}
