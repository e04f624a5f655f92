"""Backbones: plain ``nn.Module``s, which no learner ever changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn


def mlp(
    inputs: int,
    outputs: int,
    hidden: Sequence[int] = (40, 40),
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """A multilayer perceptron, ``(…, inputs) -> (…, outputs)``.

    The defaults are the regression network of Finn et al. 2017, section 5.1.
    PyTorch's default initialisation; seed it with ``torch.manual_seed``.

    Args:
        inputs: width of the input.
        outputs: width of the output, which has no activation.
        hidden: width of each hidden layer.
        activation: what makes the activation after each hidden layer. Choose a
            smooth one (``nn.Tanh``) to check gradients by finite differences.
    """
    widths = [inputs, *hidden]
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [nn.Linear(width, following), activation()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))
