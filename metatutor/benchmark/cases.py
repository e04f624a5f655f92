"""One case: a problem of one size, and everyone who computes it, in turns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from . import problems
from .agreement import check, gradient
from .contestants import ALL, BOUNDS, PEERS, REFERENCE
from .peers import MissingPeer
from .settings import Row, Say, Settings
from .timing import Action, clock, in_turns, timed


@dataclass(frozen=True)
class Case:
    """So many tasks of a problem, so many inner steps, and who computes them."""

    problem: str
    tasks: int
    steps: int
    who: tuple[str, ...]

    def small(self) -> Case:
        """The same with no more than 3 tasks and 2 steps."""
        return replace(self, tasks=min(self.tasks, 3), steps=min(self.steps, 2))


EVERYBODY = tuple(ALL)
# vmap takes statistics for constants in second derivatives: the engine refuses it
ON_CONV4 = tuple(who for who in ALL if who not in ("engine-vmap", "plain-together"))
GROWING = ("loop", "engine-auto", "plain-together")
IN_DEPTH = ("engine-auto", "engine-vmap", "plain", "plain-together")
CASES = {
    "mlp": [Case("mlp", n, k, EVERYBODY) for n, k in ((25, 1), (25, 5), (256, 5))],
    "conv4": [Case("conv4", 8, k, ON_CONV4) for k in (1, 5)],
    "tasks": [Case("mlp", n, 1, GROWING) for n in (1, 4, 16, 64, 256, 1024)],
    "steps": [Case("mlp", 25, k, IN_DEPTH) for k in (1, 2, 5, 10, 20)],
}


def run(part: str, settings: Settings, say: Say) -> Iterable[Row]:
    """The rows of a part's cases, as they are measured."""
    cases = CASES[part]
    if settings.quick:
        cases = list(dict.fromkeys(case.small() for case in cases))
    for case in cases:
        for row in measure(case, settings, say):
            yield {"part": part, **row}


def measure(case: Case, settings: Settings, say: Say) -> list[Row]:
    """One row for each contestant at hand; ``say`` hears of those who are not.

    Raises:
        Refused: a contestant's meta-gradient is not that of the reference.
    """
    reference = reference_gradient(case, settings.device)
    rows, actions = {}, {}
    leave_out = {*settings.leave_out}
    if torch.device(settings.device).type != "cpu":
        leave_out.add("engine-workers")  # threads of the CPU
    for who in case.who:
        if who in leave_out:
            continue
        try:
            rows[who], actions[who] = first_call(who, case, settings.device, reference)
        except MissingPeer as missing:
            say(str(missing))
    times = in_turns(actions, settings.seconds, settings.rounds, settings.device)
    found = [row | timed(times[who], case.tasks) for who, row in rows.items()]
    return [row | ratios(row, found) for row in found]


def reference_gradient(case: Case, device: str) -> Tensor:
    """What everybody's meta-gradient of the case must be."""
    problem = problems.make(case.problem, case.tasks, device)
    prepare = ALL[REFERENCE]
    step = prepare(problem.model, problem.loss, problem.inner_lr, case.steps)
    step(problem.batch)
    return gradient(problem.model)


def first_call(
    who: str, case: Case, device: str, reference: Tensor
) -> tuple[Row, Action]:
    """Prepares a contestant, with a model of its own, and checks its first result.

    Its seconds include all that has to be done only once, compiling for one.
    """
    problem = problems.make(case.problem, case.tasks, device)
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    began = clock(device)
    step = ALL[who](problem.model, problem.loss, problem.inner_lr, case.steps)
    step(problem.batch)
    row: Row = {
        "problem": case.problem,
        "tasks": case.tasks,
        "steps": case.steps,
        "who": who,
        "first_call_seconds": clock(device) - began,
    }
    if on_gpu:
        row["mebibytes"] = torch.cuda.max_memory_allocated(device) / 2**20
    if who not in BOUNDS:
        row["difference"] = check(who, gradient(problem.model), reference)
    if hasattr(step, "strategy"):  # an engine says what it chose
        row |= {"strategy": step.strategy, "reason": step.reason}
    return row, partial(step, problem.batch)


def ratios(row: Row, rows: list[Row]) -> Row:
    """How many times faster than the best peer, and slower than plain passes."""
    best = min(
        (other for other in rows if other["who"] in PEERS),
        key=lambda other: other["milliseconds"],
        default=None,
    )
    found: Row = {}
    if best is not None:
        found["best_peer"] = best["who"]
        found["speedup"] = best["milliseconds"] / row["milliseconds"]
    for other in rows:
        if other["who"] in BOUNDS:
            name = f"times_{other['who'].replace('-', '_')}"
            found[name] = row["milliseconds"] / other["milliseconds"]
    return found
