"""What is refused at the door, in words that name it and say what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Integral, Real

import torch
from torch import Tensor


def at_least_one(name: str, value: int) -> int:
    """``value`` if it is a whole number of at least 1, else an error naming it."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} is {value!r}: a whole number of at least 1 is needed")
    return not_beyond_all(name, value)


def not_beyond_all(name: str, value: int) -> int:
    """``value`` unless no machine counts so far: it would overflow somewhere deep."""
    if value >= 2**31:
        raise ValueError(f"{name} is above 2**31: no machine counts so far")
    return value


def is_number(value: object) -> bool:
    """Whether something is a real number, which True is not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_seed(name: str, seed: object) -> int:
    """``seed`` as Python's int if it is a whole number of 64 bits, else an error."""
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not -(2**63) <= seed < 2**63 - 2**32:
        raise ValueError(f"{name} is {seed!r}: a whole number below 2**63 is needed")
    return int(seed)  # torch takes no NumPy number for a seed


def check_generator(generator: object) -> None:
    """Refuses what is neither a ``torch.Generator`` nor None: a seed, most often."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator is {generator!r}: torch.Generator().manual_seed(…) is needed, "
            "or None for the global one"
        )


def functions(name: str, several: Iterable[object]) -> list[Callable]:
    """The functions among these, less what is None."""
    given = [function for function in several if function is not None]
    for function in given:
        if not callable(function):
            raise TypeError(f"{name} holds {function!r}, which is not a function")
    return given


def is_label(targets: Tensor) -> bool:
    """Whether targets are class labels (integers) rather than values to regress."""
    return not (targets.is_floating_point() or targets.is_complex())


def check_labels(name: str, labels: Tensor, ways: int | None = None) -> None:
    """Refuses class labels outside 0 to ``ways - 1``; values to regress pass.

    Without ``ways`` only negative labels are refused.
    """
    if not is_label(labels):
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (ways is not None and high >= ways):
        right = "0 to N - 1" if ways is None else f"0 to {ways - 1}, as its support set"
        raise ValueError(f"{name} holds labels {low} to {high}: a task has {right}")


def check_examples(name: str, x: Tensor, y: Tensor, *, axes: int = 1) -> None:
    """Refuses inputs and targets that do not pair up, are empty, or hold NaN.

    ``axes`` counts the leading axes that both share: 1 for the examples of one
    task, 2 for tasks and examples.
    """
    shape = "(tasks, examples, …)" if axes == 2 else "(examples, …)"
    for part, tensor in (("x", x), ("y", y)):
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"{name}_{part} is a {type(tensor).__name__}: a torch.Tensor is needed"
            )
        if tensor.dim() < axes:
            raise ValueError(
                f"{name}_{part} has shape {tuple(tensor.shape)}: {shape} is needed"
            )
        check_finite(f"{name}_{part}", tensor)
    if x.shape[:axes] != y.shape[:axes]:
        raise ValueError(
            f"{name}_x has shape {tuple(x.shape)} and {name}_y {tuple(y.shape)}: "
            f"{shape} must agree, one target for each input"
        )
    if 0 in x.shape[:axes]:
        raise ValueError(f"{name}_x has shape {tuple(x.shape)}: it holds no example")
    if not y.numel():
        raise ValueError(f"{name}_y has shape {tuple(y.shape)}: it holds no target")


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuses NaN and infinity, saying how many and where the first one is."""
    if not tensor.is_floating_point():
        return
    bad = ~tensor.isfinite()
    if bad.any():
        first = tuple(int(i) for i in bad.nonzero()[0])
        raise ValueError(
            f"{name} holds {int(bad.sum())} values that are NaN or infinite, "
            f"the first at index {first}: clean the data first"
        )
