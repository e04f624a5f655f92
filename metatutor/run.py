"""What a run of `meta_train` carries from one iteration to the next.

All of it goes into a checkpoint, so that a resumed run continues bit for bit.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .checkpoint import (
    CheckpointError,
    clear_leftovers,
    load_checkpoint,
    save_checkpoint,
)
from .engine import Engine, ProcessLostError, processes
from .learners.base import Learner
from .learners.checks import in_words, plain_settings
from .results import Result
from .tasks import TaskBatch, TaskSource, check_batch


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


@dataclass
class Run:
    """All that changes during `meta_train`: what a checkpoint must hold."""

    learner: Learner
    optimizer: torch.optim.Optimizer
    seed: int
    checkpoint: str | Path | None = None
    engine: Engine | None = None
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
        self.learner.at_iteration(self.history.iterations)
        batch = check_batch(source.sample(meta_batch, generator=self.generator))
        batch = batch.to(self.device)
        value = self.meta_gradient(batch).item()
        if not math.isfinite(value):
            raise MetaLossError(self.diverged(f"the meta-loss became {value}"))
        self.optimizer.step()
        self.history.loss.append(value)
        self.history.seconds += time.perf_counter() - started

    def meta_gradient(self, batch: TaskBatch) -> Tensor:
        """The meta-loss; its derivatives are then in ``.grad``."""
        if self.engine is None:
            loss = self.learner.meta_loss(batch)
            self.optimizer.zero_grad()
            loss.backward()
            return loss.detach()
        try:
            return self.engine(batch)
        except ProcessLostError as error:
            where = f"{error}, at iteration {self.history.iterations}; {self.kept()}"
            raise ProcessLostError(where) from error

    def set_rate(self, lr: float) -> None:
        """Sets the outer rate of the steps to come."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

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
        """Writes a checkpoint, unless the parameters have stopped being numbers.

        Of several processes, the first writes: all hold the same.
        """
        self.refuse_broken_parameters()
        first, self.saved_at = self.saved_at is None, self.history.iterations
        if processes.rank() > 0:
            return
        if first:
            clear_leftovers(self.checkpoint)
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

    def load(self, iterations: int) -> None:
        """Takes everything back from the checkpoint of a run with these settings."""
        state = processes.from_first(self.read)
        if not isinstance(state.get("settings"), dict):
            raise CheckpointError(f"{self.checkpoint} is not of a training run")
        for name in self.settings | state["settings"]:
            ours, saved = self.settings.get(name), state["settings"].get(name)
            if saved != ours:
                raise CheckpointError(
                    f"{self.checkpoint} belongs to a run with {name} = {saved!r}, this "
                    f"one has {ours!r}: resume with the same settings, or name another "
                    "file"
                )
        try:
            if state["history"].keys() != vars(History()).keys():
                raise KeyError("history")
            history = History(**state["history"])
            behind = len(history.loss)
        except (AttributeError, KeyError, TypeError) as error:
            raise self.unfit(error) from error
        if behind > iterations:
            raise ValueError(
                f"{self.checkpoint} has {behind} iterations behind it, more than the "
                f"{iterations} asked for: ask for more, or start anew"
            )
        before = copy.deepcopy(self.learner.state_dict())
        try:
            self.take_up(state)
        except Exception as error:  # the file is whole, but was made by somebody else
            self.learner.load_state_dict(before)
            raise self.unfit(error) from error
        self.history, self.saved_at = history, behind
        self.differ_in_chance(behind)

    def read(self) -> dict[str, Any]:
        """What the checkpoint holds; what a killed run left beside it is removed."""
        clear_leftovers(self.checkpoint)
        return load_checkpoint(self.checkpoint)

    def take_up(self, state: dict[str, Any]) -> None:
        """Sets the learner, the optimiser and all random states."""
        self.learner.load_state_dict(state["learner"])
        self.refuse_broken_parameters()
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_score = state["best"], float(state["best_score"])
        self.waiting = int(state["waiting"])
        if self.best is not None and self.best.keys() != state["learner"].keys():
            raise KeyError("best")
        self.generator.set_state(state["tasks_rng"])
        torch.set_rng_state(state["global_rng"])
        if state["device_rng"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["device_rng"], self.device)

    def unfit(self, error: Exception) -> CheckpointError:
        """The error for a checkpoint that is whole, but not what `save` writes."""
        return CheckpointError(
            f"{self.checkpoint} holds a state that this run cannot take up "
            f"({type(error).__name__}: {error}): was it written by metatutor?"
        )

    def differ_in_chance(self, iteration: int) -> None:
        """Lets every process but the first draw dropout and the like on its own."""
        if processes.rank() > 0:
            torch.manual_seed(hash((self.seed, iteration, processes.rank())))

    def refuse_broken_parameters(self) -> None:
        """Raises if an infinite or NaN gradient has reached the parameters."""
        if not all(p.isfinite().all() for p in self.learner.parameters()):
            raise MetaLossError(self.diverged("a parameter became NaN or infinite"))

    def diverged(self, what: str) -> str:
        """The message for a run that cannot go on."""
        return (
            f"{what} at iteration {self.history.iterations} "
            f"({in_words(plain_settings(self.learner))}): try a smaller inner or "
            f"outer rate, or fewer inner steps; {self.kept()}"
        )

    def kept(self) -> str:
        """Where to go on from, in words."""
        if self.saved_at is None:
            return "no checkpoint was asked for"
        return (
            f"the last good checkpoint is {self.checkpoint} (iteration {self.saved_at})"
        )


def run_settings(learner: Learner) -> dict[str, Any]:
    """What a learner was made with, and the shapes of what it trains."""
    shapes = [list(p.shape) for p in learner.parameters()]
    name = type(learner).__name__
    # NumPy's float is one of Python's too, and would make the checkpoint unreadable
    plain = {
        key: float(value) if isinstance(value, float) else value
        for key, value in plain_settings(learner).items()
    }
    return {"learner": name, **plain, "parameters": shapes}


def device_rng(device: torch.device) -> Tensor | None:
    """The random state of a GPU; None on the CPU, whose state is kept anyway."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else None
