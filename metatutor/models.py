"""Backbones: plain ``nn.Module``s, which no learner ever changes.

Seed their initialisation, which is PyTorch's own, with ``torch.manual_seed``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

NORMS = ("batch", "group", "layer", "frozen", "none")


def mlp(
    inputs: int,
    outputs: int,
    hidden: Sequence[int] = (40, 40),
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """A multilayer perceptron, ``(…, inputs) -> (…, outputs)``.

    The defaults are the regression network of Finn et al. 2017, section 5.1.

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


def conv4(
    outputs: int | None = None, channels: int = 64, norm: str = "group"
) -> nn.Sequential:
    """The four-block convolutional network of few-shot learning.

    Each block is a 3×3 convolution, a normalisation, a ReLU and 2×2 max-pooling:
    ``(images, 1, 28, 28) -> (images, channels)``. With ``outputs``, a linear layer
    follows: ``-> (images, outputs)``. Source: Vinyals et al. 2016, section 4.1, with
    64 channels; many a MAML has 32.

    Args:
        outputs: width of a linear layer at the end; no such layer if None.
        channels: filters of each block.
        norm: how each block normalises; see `normalisation`.
    """
    layers: list[nn.Module] = []
    for width in (1, channels, channels, channels):
        layers += [nn.Conv2d(width, channels, 3, padding=1)]
        layers += [normalisation(norm, channels), nn.ReLU(), nn.MaxPool2d(2)]
    head = [] if outputs is None else [nn.Linear(channels, outputs)]
    return nn.Sequential(*layers, nn.Flatten(), *head)


def normalisation(norm: str, channels: int) -> nn.Module:
    """What normalises ``channels`` feature maps: a choice that is never implicit.

    - ``"group"``, ``"layer"``: by the statistics of each image alone (groups of eight
      channels, or all): the prediction for a query depends on no other query.
    - ``"batch"``: by the mean and variance of the images at hand, without running
      statistics. Queries that are predicted together share information: prediction is
      *transductive*, and better for it. See `freeze_statistics`.
    - ``"frozen"``: by fixed statistics, such as `freeze_statistics` measures.
    - ``"none"``: not at all.

    Raises:
        ValueError: another name.
    """
    if norm not in NORMS:
        raise ValueError(f"norm is {norm!r}: one of {NORMS} is needed")
    if norm == "batch":
        return nn.BatchNorm2d(channels, track_running_stats=False)
    if norm == "frozen":
        return FrozenBatchNorm2d(channels)
    if norm == "none":
        return nn.Identity()
    return nn.GroupNorm(max(1, channels // 8) if norm == "group" else 1, channels)


def freeze_statistics(model: nn.Module, images: Tensor) -> nn.Module:
    """A copy of ``model`` whose batch normalisation uses the statistics of ``images``.

    From then on every prediction depends on its own input only: the inductive
    counterpart of a network that was trained with ``norm="batch"``. The statistics
    are those of one pass over ``images``; their scale and shift are frozen with them.

    Args:
        model: any module; layers other than ``nn.BatchNorm2d`` are kept as they are.
        images: training images, ``(images, …)``; some hundreds are enough.

    Raises:
        ValueError: a model without batch normalisation, or fewer than 2 images.
    """
    if len(images) < 2:
        raise ValueError(f"{len(images)} images have no statistics: give hundreds")
    model = copy.deepcopy(model)
    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}
    if not layers:
        raise ValueError("the model has no nn.BatchNorm2d: there is nothing to freeze")
    measured: dict[str, tuple[Tensor, Tensor]] = {}

    def measure(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[Tensor]) -> None:
            (x,) = inputs
            measured[name] = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)

        return hook

    hooks = [m.register_forward_pre_hook(measure(n)) for n, m in layers.items()]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    for name, layer in layers.items():
        frozen = FrozenBatchNorm2d(layer.num_features, layer.eps)
        mean, variance = measured[name]
        state = {"running_mean": mean, "running_var": variance}
        if layer.affine:
            state |= {"weight": layer.weight.detach(), "bias": layer.bias.detach()}
        frozen.load_state_dict(state, strict=False)
        frozen.to(mean)
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, frozen)
    return model
