"""What is refused, before adaptation and after it, and in which words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import not_beyond_all

LARGEST = torch.finfo(torch.float32).max


class AdaptationError(FloatingPointError):
    """Adapting to a task did not end in numbers that mean anything; it says which."""


def refuse_running_statistics(model: nn.Module) -> None:
    """Raises if a layer keeps them: they would leak from task to task."""
    for name, layer in normalising(model):
        if layer.running_mean is not None:
            raise ValueError(
                f"layer {name!r} ({type(layer).__name__}) keeps running "
                "statistics, which would leak between tasks: use "
                "track_running_stats=False, or GroupNorm or LayerNorm"
            )


def normalising(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers that may keep running statistics, with their names."""
    return [
        (name, layer)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.modules.batchnorm._NormBase)
    ]


def check_steps(name: str, steps: int | None) -> None:
    """Refuses a number of inner steps, if there is one, that `at_least_zero` does."""
    if steps is not None:
        at_least_zero(name, steps)


def at_least_zero(name: str, steps: int) -> int:
    """``steps`` if it is a whole number of at least 0, else an error naming it."""
    if isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 0:
        raise ValueError(f"{name} is {steps!r}: a whole number of at least 0 is needed")
    return not_beyond_all(name, steps)


def check_positive(name: str, value: float) -> None:
    """Refuses a rate or strength that is not a finite number above 0."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    try:
        sound = real and 0 < float(value) < float("inf")
    except OverflowError:  # a whole number beyond all floats
        sound = False
    if not sound:
        raise ValueError(f"{name} is {value!r}: a finite number above 0 is needed")
    if float(value) > LARGEST:
        raise ValueError(f"{name} is {value!r}: single precision ends at {LARGEST:.2g}")


def refuse_diverged(learner: nn.Module, fitted: Any, steps: int | None) -> None:
    """Raises if adaptation ended in NaN or infinity, with the learner's settings."""
    values = list(tensors_in(fitted))
    bad = sum(int((~value.isfinite()).sum()) for value in values)
    if bad:
        settings = plain_settings(learner) | ({} if steps is None else {"steps": steps})
        raise AdaptationError(
            f"adaptation diverged: {bad} of {sum(v.numel() for v in values)} fitted "
            f"values are NaN or infinite ({in_words(settings)}): try a smaller rate or "
            "fewer steps"
        )


def refuse_unsolved(learner: nn.Module, unsolved: Tensor) -> None:
    """Raises if a solver missed its tolerance: one number for each task and solver.

    Args:
        learner: whose settings the message names.
        unsolved: how far each missed, in units of its tolerance; above 1 is too far.
    """
    missed = ~(unsolved <= 1)  # NaN too
    if missed.any():
        tasks = unsolved.reshape(len(unsolved) if unsolved.dim() else 1, -1)
        failing = int((~(tasks <= 1)).any(1).sum())
        worst = ", ".join(f"{value:.3g}" for value in tasks.amax(0).tolist())
        raise AdaptationError(
            f"{failing} of {len(tasks)} tasks were not solved to the tolerance: at "
            f"worst, {worst} times the tolerance was left "
            f"({in_words(plain_settings(learner))}): pull harder with a larger "
            "strength, allow more steps, accept a larger tolerance, or take what the "
            "steps give with exact=False"
        )


def tensors_in(fitted: Any) -> Iterator[Tensor]:
    """The tensors of floating point in what `fit` returned."""
    if isinstance(fitted, Tensor):
        if fitted.is_floating_point():
            yield fitted
    elif isinstance(fitted, Mapping):
        for value in fitted.values():
            yield from tensors_in(value)
    elif isinstance(fitted, (tuple, list)):
        for value in fitted:
            yield from tensors_in(value)


def plain_settings(learner: nn.Module) -> dict[str, Any]:
    """What a learner was made with, as far as it is plain numbers and names."""
    return {
        name: value
        for name, value in vars(learner).items()
        if isinstance(value, (bool, int, float, str))
        and not name.startswith("_")
        and name not in ("training", "strategy")  # neither changes the result
    }


def in_words(settings: Mapping[str, Any]) -> str:
    """``a = 1, b = 2``."""
    return ", ".join(f"{name} = {value}" for name, value in settings.items())
