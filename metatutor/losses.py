"""The loss of regression, which never pairs outputs and targets up wrongly."""

from __future__ import annotations

import torch
from torch import Tensor


def mse_loss(outputs: Tensor, targets: Tensor, **options: str) -> Tensor:
    """The mean squared error, as ``torch.nn.functional.mse_loss`` computes it.

    PyTorch only warns where shapes differ: outputs ``(5, 1)`` and targets ``(5,)`` are
    then compared each with each, 25 pairs, and nothing is learned.

    Args:
        outputs: of any shape.
        targets: of the same shape and kind of number.
        options: handed on, such as ``reduction="none"``.

    Raises:
        TypeError: something that is no tensor.
        ValueError: other shapes or numbers.
    """
    for name, tensor in (("outputs", outputs), ("targets", targets)):
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise TypeError(f"{name} is a {kind}: a torch.Tensor is needed")
    if outputs.shape != targets.shape or outputs.dtype != targets.dtype:
        raise ValueError(
            f"outputs are {tuple(outputs.shape)} {outputs.dtype} and targets "
            f"{tuple(targets.shape)} {targets.dtype}: the mean squared error needs one "
            "shape and one kind of number"
        )
    if not outputs.is_floating_point() or not outputs.numel():
        raise ValueError(
            f"outputs are {tuple(outputs.shape)} {outputs.dtype}: at least one number "
            "of floating point is needed"
        )
    return torch.nn.functional.mse_loss(outputs, targets, **options)
