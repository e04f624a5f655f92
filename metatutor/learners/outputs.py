"""What an adapted learner says of queries: sound, or refused."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_finite
from ..misfits import misfits_refused
from .checks import AdaptationError, in_words, plain_settings


def predicted(learner: nn.Module, fitted: Any, query_x: Tensor) -> Tensor:
    """The outputs for queries that are sound, refused unless they are sound too."""
    if not isinstance(query_x, Tensor):
        raise TypeError(
            f"query_x is a {type(query_x).__name__}: a torch.Tensor is needed"
        )
    if not query_x.dim():
        raise ValueError("query_x is a single number: (examples, …) is needed")
    check_finite("query_x", query_x)
    with torch.no_grad(), misfits_refused(query_x=query_x):
        outputs = learner.predict(fitted, query_x)
    if not isinstance(outputs, Tensor):
        raise TypeError(f"the model gives a {type(outputs).__name__}, not a tensor")
    if outputs.shape[:1] != query_x.shape[:1]:
        raise ValueError(
            f"for query_x {tuple(query_x.shape)} come outputs {tuple(outputs.shape)}: "
            "one for each example, (examples, …), is needed"
        )
    bad = int((~outputs.isfinite()).sum())
    if bad:
        raise AdaptationError(
            f"{bad} of {outputs.numel()} outputs are NaN or infinite "
            f"({in_words(plain_settings(learner))}): try a smaller rate or scale, or "
            "fewer steps"
        )
    return outputs
