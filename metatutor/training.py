"""The outer loop: `meta_train` improves a learner, and can be interrupted."""

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
from .evaluation import Metric, meta_evaluate
from .learners.base import Learner, check_positive
from .results import Result
from .tasks import TaskSource, at_least_one


class MetaLossError(FloatingPointError):
    """The run stopped being a matter of numbers; the message says where."""


@dataclass
class History:
    """What happened in a run of `meta_train`.

    Attributes:
        loss: the meta-loss of every iteration.
        validation: ``(iteration, mean, ci95)`` of every validation.
        best: the iteration whose validation was best; None without validation.
        stopped_early: whether patience ran out before ``iterations``.
        seconds: time spent in outer steps, those before a resumption included.
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
    when a run was interrupted and resumed; the global random state is left alone.
    Tasks are drawn on the CPU and moved to the learner's device. Source: Finn et al.
    2017, algorithm 2, lines 2 to 11.

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
        MetaLossError: the meta-loss or a parameter became NaN or infinite; it names
            the iteration and the last good checkpoint.
        FileExistsError: ``checkpoint`` exists and ``resume`` was not asked for.
        CheckpointError: the checkpoint is damaged, or of a run with other settings.
        ValueError: a number that makes no sense, said by name; fewer iterations than
            the checkpoint has behind it.
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
    lr = float(lr)  # a NumPy number would make the checkpoint unreadable
    if patience is not None:
        at_least_one("patience", patience)
        if validate_on is None:
            raise ValueError("patience counts validations: give validate_on too")
    if resume and checkpoint is None:
        raise ValueError("resume needs the checkpoint to resume from")
    found = checkpoint is not None and Path(checkpoint).exists()
    if found and not resume:
        raise FileExistsError(
            f"{checkpoint} exists: pass resume=True to go on from it, "
            "or name another file"
        )

    run = Run(learner, optimizer(learner.parameters(), lr=lr), seed, checkpoint)
    run.settings = {  # what must not change between the parts of one run
        **plain_settings(learner),
        "optimizer": type(run.optimizer).__name__,
        "meta_batch": meta_batch,
        "lr": lr,
        "seed": seed,
        "validates": validate_on is not None,
        "validate_every": validate_every,
        "validation_tasks": validation_tasks,
    }

    def validate() -> Result:
        return meta_evaluate(
            learner,
            validate_on,
            tasks=validation_tasks,
            seed=validation_seed(seed),
            metric=metric,
        )

    # dropout draws from the global generator: it is seeded here, and left as it was
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if found:
            run.load(iterations)
        elif checkpoint is not None:
            run.save()  # a run that stops at once resumes from here
        # `disable` is passed only to switch the bar off: the TQDM_DISABLE variable,
        # which keeps bars out of stored notebooks, yields to an explicit argument
        bar = trange(
            run.history.iterations,
            iterations,
            initial=run.history.iterations,
            total=iterations,
            desc="meta-train",
            **({} if progress else {"disable": True}),
        )
        for _ in bar:
            if run.history.stopped_early:
                break
            run.step(source, meta_batch)
            done = run.history.iterations
            last = done == iterations
            if validate_on is not None and (last or done % validate_every == 0):
                result = validate()
                run.validated(result, higher_is_better)
                run.history.stopped_early = (
                    patience is not None and run.waiting >= patience
                )
                bar.set_postfix(validation=str(result))
            last = last or run.history.stopped_early
            if checkpoint is not None and (last or done % checkpoint_every == 0):
                run.save()
    run.refuse_broken_parameters()
    if run.best is not None:
        learner.load_state_dict(run.best)
    return run.history


@dataclass
class Run:
    """All that changes during `meta_train`: what a checkpoint must hold."""

    learner: Learner
    optimizer: torch.optim.Optimizer
    seed: int
    checkpoint: str | Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    best: dict[str, Tensor] | None = None
    best_score: float = math.nan
    waiting: int = 0
    saved_at: int | None = None

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)
        self.device = next(self.learner.parameters()).device

    def step(self, source: TaskSource, meta_batch: int) -> None:
        """One outer step on freshly drawn tasks."""
        started = time.perf_counter()
        batch = source.sample(meta_batch, generator=self.generator).to(self.device)
        loss = self.learner.meta_loss(batch)
        value = loss.item()
        if not math.isfinite(value):
            raise MetaLossError(self.diverged(f"the meta-loss became {value}"))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.history.loss.append(value)
        self.history.seconds += time.perf_counter() - started

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

    def save(self) -> None:
        """Writes a checkpoint, unless the parameters have stopped being numbers."""
        self.refuse_broken_parameters()
        state = {
            "settings": self.settings,
            "learner": self.learner.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": asdict(self.history),
            "best": self.best,
            "best_score": self.best_score,
            "waiting": self.waiting,
            "tasks_rng": self.generator.get_state(),
            "global_rng": torch.get_rng_state(),
            "device_rng": device_rng(self.device),
        }
        save_checkpoint(self.checkpoint, state)
        self.saved_at = self.history.iterations

    def load(self, iterations: int) -> None:
        """Takes everything back from the checkpoint of a run with these settings."""
        state = load_checkpoint(self.checkpoint)
        if "settings" not in state:
            raise CheckpointError(f"{self.checkpoint} is not of a training run")
        for name in self.settings | state["settings"]:
            ours, saved = self.settings.get(name), state["settings"].get(name)
            if saved != ours:
                raise CheckpointError(
                    f"{self.checkpoint} belongs to a run with {name} = {saved!r}, this "
                    f"one has {ours!r}: resume with the same settings, or name another "
                    "file"
                )
        behind = len(state["history"]["loss"])
        if behind > iterations:
            raise ValueError(
                f"{self.checkpoint} has {behind} iterations behind it, more than the "
                f"{iterations} asked for: ask for more, or start anew"
            )
        self.learner.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = History(**state["history"])
        self.best, self.best_score = state["best"], state["best_score"]
        self.waiting = state["waiting"]
        self.generator.set_state(state["tasks_rng"])
        torch.set_rng_state(state["global_rng"])
        if state["device_rng"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["device_rng"], self.device)
        self.saved_at = self.history.iterations

    def refuse_broken_parameters(self) -> None:
        """Raises if an infinite or NaN gradient has reached the parameters."""
        if not all(p.isfinite().all() for p in self.learner.parameters()):
            raise MetaLossError(self.diverged("a parameter became NaN or infinite"))

    def diverged(self, what: str) -> str:
        """The message for a run that cannot go on."""
        kept = "no checkpoint was asked for"
        if self.saved_at is not None:
            kept = f"the last good checkpoint is {self.checkpoint} "
            kept += f"(iteration {self.saved_at})"
        return (
            f"{what} at iteration {self.history.iterations}: try a smaller inner or "
            f"outer rate, or fewer inner steps; {kept}"
        )


def plain_settings(learner: Learner) -> dict[str, Any]:
    """What a learner was made with, as far as it is plain numbers and names."""
    plain = {
        name: value
        for name, value in vars(learner).items()
        if isinstance(value, (bool, int, float, str))
        and not name.startswith("_")
        and name not in ("training", "strategy")  # neither changes the result
    }
    shapes = [list(p.shape) for p in learner.parameters()]
    return {"learner": type(learner).__name__, **plain, "parameters": shapes}


def device_rng(device: torch.device) -> Tensor | None:
    """The random state of a GPU; None on the CPU, whose state is kept anyway."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def validation_seed(seed: int) -> int:
    """A seed for validation tasks that is not the training seed."""
    return seed + 1_000_003
