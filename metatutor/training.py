"""The outer loop: `meta_train` improves a learner, and can be interrupted."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import trange

from .checks import at_least_one, check_seed
from .engine import Engine, processes, resolve
from .evaluation import Metric, check_kinds, meta_evaluate
from .learners.base import Learner
from .learners.checks import check_positive
from .results import Result
from .run import History, Run, run_settings
from .tasks import TaskSource


def meta_train(
    learner: Learner,
    source: TaskSource,
    *,
    iterations: int,
    meta_batch: int = 25,
    lr: float = 1e-3,
    anneal: bool = False,
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
    engine: Engine | str | None = None,
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
        anneal: let it fall to 0 over the ``iterations``, along half a cosine, as
            Antoniou et al. 2019 do.
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
        engine: an `Engine` of this learner, or the name of its strategy: "compiled",
            say, which pays from ten thousand iterations on. If None, the learner's
            ``meta_loss`` is computed as it stands, by vmap or in the loop.
        progress: show a progress bar.

    Where ``torch.distributed`` was initialised (``torchrun``), all processes call it
    alike: each computes its share of the tasks of every meta-batch, the parameters are
    the same in all of them, and the same as one process would have, up to rounding
    (unless tasks draw random numbers, as dropout does). The first process validates
    and writes the checkpoint, from which any number of processes can resume.

    Raises:
        ProcessLostError: another process died; it names the last good checkpoint.
        MetaLossError: the meta-loss or a parameter became NaN or infinite; it names
            the iteration and the last good checkpoint.
        FileExistsError: ``checkpoint`` exists and ``resume`` was not asked for.
        CheckpointError: the checkpoint is damaged, or of a run with other settings.
        ValueError: a number that makes no sense, said by name; fewer iterations than
            the checkpoint has behind it.
    """
    check_kinds(learner, source, metric)
    if validate_on is not None:
        check_kinds(learner, validate_on, metric)
    if not any(parameter.requires_grad for parameter in learner.parameters()):
        raise ValueError(
            f"{type(learner).__name__} has no parameter that wants a gradient: give it "
            "a model with parameters, and call requires_grad_(True) on a frozen one"
        )
    seed = check_seed("seed", seed)
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
    if engine is None and processes.size() > 1:
        device = next(learner.parameters()).device
        engine = resolve(learner.strategy, learner.model, device)
    if isinstance(engine, str):
        engine = Engine(learner, engine)
    if engine is not None and not isinstance(engine, Engine):
        raise TypeError(f"engine is a {type(engine).__name__}: an mt.Engine is needed")
    if engine is not None and engine.learner is not learner:
        raise ValueError("engine belongs to another learner: mt.Engine(learner)")
    found = processes.from_first(
        lambda: checkpoint is not None and Path(checkpoint).exists()
    )
    if found and not resume:
        raise FileExistsError(
            f"{checkpoint} exists: pass resume=True to go on from it, "
            "or name another file"
        )

    if not callable(optimizer):
        raise TypeError(f"optimizer is {optimizer!r}: torch.optim.Adam, say, is needed")
    processes.same_everywhere(learner)
    run = Run(learner, optimizer(learner.parameters(), lr=lr), seed, checkpoint, engine)
    run.settings = {  # what must not change between the parts of one run
        **run_settings(learner),
        "optimizer": type(run.optimizer).__name__,
        "meta_batch": int(meta_batch),
        "lr": lr,
        "annealed over": int(iterations) if anneal else None,
        "seed": seed,
        "validates": validate_on is not None,
        "validate_every": int(validate_every),
        "validation_tasks": int(validation_tasks),
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
        run.differ_in_chance(0)
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
            **({} if progress and processes.rank() == 0 else {"disable": True}),
        )
        for _ in bar:
            if run.history.stopped_early:
                break
            if anneal:
                run.set_rate(lr * cosine(run.history.iterations / iterations))
            run.step(source, meta_batch)
            done = run.history.iterations
            last = done == iterations
            if validate_on is not None and (last or done % validate_every == 0):
                result = processes.from_first(validate)
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


def cosine(progress: float) -> float:
    """Half a cosine from 1 down to 0, as ``progress`` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def validation_seed(seed: int) -> int:
    """A seed for validation tasks that is not the training seed."""
    return seed + 1_000_003
