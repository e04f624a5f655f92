"""The parameters of a model as one vector, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .inner_loop import Parameters


def flat_parameters(model: nn.Module) -> Tensor:
    """All parameters in one vector, ``(size,)``, through which gradients flow."""
    return torch.cat([weight.reshape(-1) for weight in model.parameters()])


def by_name(model: nn.Module, vector: Tensor) -> Parameters:
    """A vector of that size, cut into parameters by name."""
    named = dict(model.named_parameters())
    parts = vector.split([weight.numel() for weight in named.values()])
    return {
        name: part.view_as(weight)
        for (name, weight), part in zip(named.items(), parts, strict=True)
    }
