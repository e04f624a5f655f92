"""The paper's sinusoid experiment from start to end: its seconds, and how good it is.

Trained as in `experiments.sinusoid`, measured as there, and once only.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import torch
from torch.nn.functional import mse_loss

from ..experiments.sinusoid import STEPS, TRAIN, measure
from ..learners import MAML
from ..models import mlp
from ..training import meta_train
from .settings import Row, Say, Settings
from .timing import seconds_of

STRATEGY = "compiled"
META_BATCH = 25
TEST_TASKS = 5_000


def run(settings: Settings, say: Say) -> Iterable[Row]:
    """A row for each number of test-time steps."""
    iterations = 3 if settings.quick else settings.iterations
    tasks = 50 if settings.quick else TEST_TASKS
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = mlp(1, 1).to(settings.device)
    learner = MAML(model, mse_loss, inner_lr=0.01, inner_steps=1)

    def train() -> None:
        meta_train(
            learner,
            TRAIN,
            iterations=iterations,
            meta_batch=META_BATCH,
            engine=STRATEGY,
            optimizer=functools.partial(torch.optim.Adam, fused=True),
            progress=False,
        )

    seconds = seconds_of(train, settings.device)
    say(
        f"sinusoid: {iterations} iterations in {seconds:.1f} s of wall-clock time, "
        f"compiling included; test error on {tasks} tasks"
    )
    for steps in STEPS:
        rate, result = measure(learner, steps, tasks)
        yield {
            "part": "sinusoid",
            "problem": "mlp",
            "tasks": META_BATCH,
            "steps": 1,
            "who": f"{steps} test step{'s' * (steps > 1)}",
            "strategy": STRATEGY,
            "iterations": iterations,
            "seconds": seconds,
            "milliseconds": seconds / iterations * 1e3,
            "tasks_per_second": META_BATCH * iterations / seconds,
            "mse": result.mean,
            "ci95": result.ci95,
            "test_tasks": result.n,
            "inner_lr": rate,
        }
