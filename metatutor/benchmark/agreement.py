"""No time is worth anything unless it is the time of the same numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-8}
"""How far a gradient may lie from the reference, as a part of the reference's norm.

In float32 the several steps of a steep task make rounding grow; leaving out second
derivatives makes a difference of another size.
"""


class Refused(Exception):
    """A contestant that computes something else, and how far off it is."""


def gradient(model: nn.Module) -> Tensor:
    """All of the model's ``.grad`` as one vector; zeros where there is none."""
    return torch.cat(
        [
            torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten()
            for p in model.parameters()
        ]
    )


def check(who: str, found: Tensor, reference: Tensor) -> float:
    """The distance of ``found`` from ``reference``, relative to the latter's norm.

    Raises:
        Refused: it is more than rounding explains.
    """
    difference = ((found - reference).norm() / reference.norm()).item()
    tolerance = TOLERANCE[reference.dtype]
    if not difference <= tolerance:  # NaN is no agreement either
        raise Refused(
            f"{who} computes another meta-gradient: it differs from the reference by "
            f"{difference:.1e} of its norm, and {tolerance:.0e} is allowed"
        )
    return difference
