"""The outer loop: `meta_train` improves a learner, `meta_evaluate` judges it."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import trange

from .checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from .engine import map_tasks
from .learners.base import Learner, check_positive, check_steps
from .results import Result
from .tasks import TaskSource, at_least_one

Metric = Callable[[Tensor, Tensor], Tensor]
"""``metric(outputs, targets)`` of one task's queries -> scalar."""


class MetaLossError(FloatingPointError):
    """The meta-loss became NaN or infinite; the message says where."""


@dataclass
class History:
    """What happened in a run of `meta_train`.

    Attributes:
        loss: the meta-loss of every iteration.
        validation: ``(iteration, mean, ci95)`` of every validation.
        best: the iteration whose validation was best; None without validation.
        stopped_early: whether patience ran out before ``iterations``.
        seconds: time spent, earlier parts of a resumed run included.
    """

    loss: list[float] = field(default_factory=list)
    validation: list[tuple[int, float, float]] = field(default_factory=list)
    best: int | None = None
    stopped_early: bool = False
    seconds: float = 0.0

    @property
    def iterations(self) -> int:
        """How many iterations were run."""
        return len(self.loss)

    def __repr__(self) -> str:
        last = f", last meta-loss {self.loss[-1]:.3g}" if self.loss else ""
        return f"History({self.iterations} iterations{last})"


def meta_train(
    learner: Learner,
    source: TaskSource,
    *,
    iterations: int,
    meta_batch: int = 25,
    lr: float = 1e-3,
    seed: int = 0,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    validate_on: TaskSource | None = None,
    validate_every: int = 500,
    validation_tasks: int = 200,
    metric: Metric | None = None,
    higher_is_better: bool = False,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    resume: bool = False,
    progress: bool = True,
) -> History:
    """Meta-trains ``learner`` in place: sample tasks, meta-loss, outer step, repeat.

    The same seed gives the same tasks, and on one machine the same numbers, also
    when a run was interrupted and resumed. Tasks are drawn on the CPU and moved to
    the learner's device. Source: Finn et al. 2017, algorithm 1, lines 2 to 10.

    Args:
        learner: whose ``parameters()`` are trained.
        source: of training tasks.
        iterations: outer steps, in all (a resumed run does what is left of them).
        meta_batch: tasks in an outer step.
        lr: β, the outer rate.
        seed: of the training tasks; validation tasks have a seed derived from it.
        optimizer: called as ``optimizer(parameters, lr=lr)``.
        validate_on: source of validation tasks, the same ones each time. With it the
            learner ends with the parameters that validated best.
        validate_every: iterations between validations.
        validation_tasks: tasks in a validation.
        metric: what validation measures; the learner's loss if None.
        higher_is_better: whether a larger metric is better.
        patience: stop after so many validations without a new best; never if None.
        checkpoint: file to keep the run in; none if None.
        checkpoint_every: iterations between checkpoints (one is written at the end).
        resume: go on from ``checkpoint`` if that file exists.
        progress: show a progress bar.

    Raises:
        MetaLossError: the meta-loss became NaN or infinite; it names the iteration
            and the last good checkpoint.
        FileExistsError: ``checkpoint`` exists and ``resume`` was not asked for.
        CheckpointError: the checkpoint is damaged, or of a run with other settings.
        ValueError: a number that makes no sense, said by name.
    """
    for name, value in (
        ("iterations", iterations),
        ("meta_batch", meta_batch),
        ("validate_every", validate_every),
        ("validation_tasks", validation_tasks),
        ("checkpoint_every", checkpoint_every),
    ):
        at_least_one(name, value)
    check_positive("lr", lr)
    if patience is not None:
        at_least_one("patience", patience)
        if validate_on is None:
            raise ValueError("patience counts validations: give validate_on too")
    if resume and checkpoint is None:
        raise ValueError("resume needs the checkpoint to resume from")

    run = Run(learner, optimizer(learner.parameters(), lr=lr), seed)
    # what must not change between the parts of one run
    settings = {
        "learner": type(learner).__name__,
        "parameters": [list(p.shape) for p in learner.parameters()],
        "optimizer": type(run.optimizer).__name__,
        "meta_batch": meta_batch,
        "lr": lr,
        "seed": seed,
        "validates": validate_on is not None,
    }
    if checkpoint is not None and Path(checkpoint).exists():
        if not resume:
            raise FileExistsError(
                f"{checkpoint} exists: pass resume=True to go on from it, "
                "or name another file"
            )
        run.load(checkpoint, settings)

    device = next(learner.parameters()).device
    history = run.history
    saved_at, earlier, started = (
        history.iterations,
        history.seconds,
        time.perf_counter(),
    )
    # `disable` is passed only to switch the bar off: the TQDM_DISABLE variable, which
    # keeps bars out of stored notebooks, yields to an explicit argument
    steps = trange(
        history.iterations, iterations, initial=history.iterations, total=iterations,
        desc="meta-train", **({} if progress else {"disable": True}),
    )  # fmt: skip
    for _ in steps:
        if history.stopped_early:
            break
        batch = source.sample(meta_batch, generator=run.generator).to(device)
        loss = learner.meta_loss(batch)
        value = loss.item()
        if not math.isfinite(value):
            at = history.iterations
            raise MetaLossError(diverged(value, at, checkpoint, saved_at))
        run.optimizer.zero_grad()
        loss.backward()
        run.optimizer.step()
        history.loss.append(value)
        history.seconds = earlier + time.perf_counter() - started
        done = history.iterations
        last = done == iterations

        if validate_on is not None and (last or done % validate_every == 0):
            result = meta_evaluate(
                learner, validate_on, tasks=validation_tasks,
                seed=validation_seed(seed), metric=metric,
            )  # fmt: skip
            run.validated(result, higher_is_better)
            history.stopped_early = patience is not None and run.waiting >= patience
            steps.set_postfix(validation=str(result))
        last = last or history.stopped_early
        if checkpoint is not None and (last or done % checkpoint_every == 0):
            run.save(checkpoint, settings, saved_at)
            saved_at = done
    if run.best is not None:
        learner.load_state_dict(run.best)
    return history


def meta_evaluate(
    learner: Learner,
    source: TaskSource,
    *,
    tasks: int = 600,
    steps: int | None = None,
    seed: int = 1,
    metric: Metric | None = None,
    chunk: int = 200,
) -> Result:
    """Adapts to ``tasks`` new tasks and measures each on its queries.

    The same seed and source draw the same tasks for every learner, so that two
    results can be compared task by task (``a - b``).

    Args:
        learner: left as it is.
        source: of test tasks.
        tasks: how many, at least 2.
        steps: inner steps; the learner's own number if None.
        seed: of the tasks.
        metric: ``metric(outputs, targets)`` of one task's queries -> scalar; the
            learner's loss if None. A loss that is NaN counts as infinite: that task's
            adaptation diverged.
        chunk: tasks computed at once, to bound memory.

    Returns:
        `Result`: mean and 95 % interval over tasks, and every task's score.

    Raises:
        ValueError: fewer than 2 tasks, negative steps, or a ``metric`` that is NaN.
    """
    if at_least_one("tasks", tasks) < 2:
        raise ValueError("tasks is 1: an interval over tasks needs at least 2")
    check_steps("steps", steps)
    at_least_one("chunk", chunk)
    measure = learner.loss if metric is None else metric
    batch = source.sample(tasks, generator=torch.Generator().manual_seed(seed))

    def score(sx: Tensor, sy: Tensor, qx: Tensor, qy: Tensor) -> Tensor:
        return measure(learner.predict(learner.fit(sx, sy, steps), qx), qy)

    device = next(learner.parameters()).device
    with torch.no_grad():
        scores = map_tasks(
            score, batch.to(device), learner.model, learner.strategy, chunk
        )
    if metric is None:
        scores = scores.nan_to_num(nan=math.inf, posinf=math.inf)
    name = getattr(measure, "__name__", type(measure).__name__)
    return Result(scores.cpu(), metric=name, transductive=learner.transductive)


@dataclass
class Run:
    """All that changes during `meta_train`: what a checkpoint must hold."""

    learner: Learner
    optimizer: torch.optim.Optimizer
    seed: int
    history: History = field(default_factory=History)
    best: dict[str, Tensor] | None = None
    best_score: float = math.nan
    waiting: int = 0

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)

    def validated(self, result: Result, higher_is_better: bool) -> None:
        """Notes a validation, and the parameters if they are the best so far."""
        done, score = self.history.iterations, result.mean
        self.history.validation.append((done, score, result.ci95))
        gain = score - self.best_score if higher_is_better else self.best_score - score
        if self.best is None or gain > 0:
            self.best = copy.deepcopy(self.learner.state_dict())
            self.best_score, self.history.best, self.waiting = score, done, 0
        else:
            self.waiting += 1

    def save(self, path: str | Path, settings: dict[str, Any], saved_at: int) -> None:
        """Writes a checkpoint, unless the parameters have stopped being numbers."""
        if not all(p.isfinite().all() for p in self.learner.parameters()):
            raise MetaLossError(
                diverged(math.nan, self.history.iterations, path, saved_at)
            )
        state = {
            "settings": settings,
            "learner": self.learner.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": asdict(self.history),
            "best": self.best,
            "best_score": self.best_score,
            "waiting": self.waiting,
            "tasks_rng": self.generator.get_state(),
            "global_rng": torch.get_rng_state(),  # dropout draws from it
        }
        save_checkpoint(path, state)

    def load(self, path: str | Path, settings: dict[str, Any]) -> None:
        """Takes everything back from a checkpoint of a run with these settings."""
        state = load_checkpoint(path)
        for name, value in settings.items():
            saved = state["settings"].get(name)
            if saved != value:
                raise CheckpointError(
                    f"{path} belongs to a run with {name} = {saved!r}, this one has "
                    f"{value!r}: resume with the same settings or name another file"
                )
        self.learner.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = History(**state["history"])
        self.best, self.best_score = state["best"], state["best_score"]
        self.waiting = state["waiting"]
        self.generator.set_state(state["tasks_rng"])
        torch.set_rng_state(state["global_rng"])


def validation_seed(seed: int) -> int:
    """A seed for validation tasks that is not the training seed."""
    return seed + 1_000_003


def diverged(
    value: float, iteration: int, checkpoint: str | Path | None, saved_at: int
) -> str:
    """The message for a meta-loss that stopped being a number."""
    kept = "no checkpoint was asked for"
    if checkpoint is not None:
        kept = "no checkpoint had been written yet"
        if saved_at:
            kept = f"the last good checkpoint is {checkpoint} (iteration {saved_at})"
    return (
        f"the meta-loss became {value} at iteration {iteration}: try a smaller inner "
        f"or outer rate, or fewer inner steps; {kept}"
    )
