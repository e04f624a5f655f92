"""What a model or a loss cannot take is refused in words, with the shapes it was given.

Whether a network fits the data is known only to the network: it has to be asked. What
PyTorch then raises names matrices that nobody has seen; here the examples are named.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

# what operations on tensors raise, and nothing of this package by these very types
BARE = (RuntimeError, IndexError, NotImplementedError, torch.linalg.LinAlgError)


@contextmanager
def misfits_refused(**tensors: Tensor) -> Iterator[None]:
    """Within it, an error of PyTorch's becomes a ValueError that names ``tensors``.

    What this package raises is clear already and passes, as does what has nothing to do
    with shapes: too little memory, or an error in the reader's own Python.
    """
    try:
        yield
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        if type(error) not in BARE and not (
            type(error) in (ValueError, TypeError) and raised_within_torch(error)
        ):
            raise
        given = ", ".join(
            f"{name} {tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
            for name, tensor in tensors.items()
        )
        what = str(error).strip().splitlines()
        raise ValueError(
            f"the model or the loss cannot take what it was given ({given}): "
            f"{what[0] if what else type(error).__name__}"
        ) from error


def raised_within_torch(error: BaseException) -> bool:
    """Whether the innermost Python frame of an error is one of PyTorch's."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").partition(".")[0] == "torch"
