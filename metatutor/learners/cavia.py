"""CAVIA: adapt a few inputs instead of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..checks import at_least_one
from .base import Loss
from .inner_loop import Parameters
from .maml import MAML


class CAVIA(MAML):
    """MAML whose task parameters are a few extra inputs of the network.

    The network sees each example together with a context vector φ, the same for all
    examples of a task. Inner steps change φ alone, always from 0; its weights θ are
    shared by all tasks, and learned in the outer loop. Source: Zintgraf et al. 2019,
    algorithm 1.

    Args:
        model: takes ``(examples, inputs + context)``.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        context: length of φ.
        inner_lr: α, the rate of the inner steps.
        inner_steps: K, how many of them in training and, unless told otherwise,
            in adaptation.
        first_order: take each inner gradient for a constant.

    Raises:
        ValueError: a rate that is not above 0, steps below 0, no context, or a model
            with running batch statistics.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        context: int = 4,
        inner_lr: float = 1.0,
        inner_steps: int = 1,
        first_order: bool = False,
    ) -> None:
        super().__init__(model, loss, inner_lr, inner_steps, first_order)
        self.context = at_least_one("context", context)

    def start(self, support_x: Tensor) -> Parameters:
        """φ_0: zeros."""
        return {"context": support_x.new_zeros(self.context)}

    def predict(self, fitted: Parameters, query_x: Tensor) -> Tensor:
        """The outputs for each query beside the context."""
        context = fitted["context"].expand(len(query_x), -1)
        return self.model(torch.cat([query_x, context], dim=1))
