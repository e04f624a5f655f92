"""Backbones: plain ``nn.Module``s, which no learner ever changes.

Seed their initialisation, which is PyTorch's own, with ``torch.manual_seed``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample
from torchvision.ops import FrozenBatchNorm2d

from .checks import at_least_one, check_finite, is_number
from .misfits import misfits_refused

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
    widths = [at_least_one("inputs", inputs), *whole_widths("hidden", hidden)]
    at_least_one("outputs", outputs)
    if not callable(activation) or isinstance(activation, nn.Module):
        raise TypeError(
            f"activation is {activation!r}: what makes one, such as nn.Tanh"
        )
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
    at_least_one("channels", channels)
    if outputs is not None:
        at_least_one("outputs", outputs)
    normalisation(norm, channels)  # refused before anything random is drawn
    layers: list[nn.Module] = []
    for width in (1, channels, channels, channels):
        layers += [nn.Conv2d(width, channels, 3, padding=1)]
        layers += [normalisation(norm, channels), nn.ReLU(), nn.MaxPool2d(2)]
    head = [] if outputs is None else [nn.Linear(channels, outputs)]
    return nn.Sequential(*layers, nn.Flatten(), *head)


def residual(widths: Sequence[int] = (64, 128), norm: str = "batch") -> nn.Sequential:
    """A small residual network for letters: stronger than `conv4`, and as fast.

    Letters are first `centred`. A convolution with 32 filters and one residual block
    for each of ``widths`` follow, with 2×2 max-pooling between them. The last feature
    maps are the embedding, not their mean: *where* a stroke is tells letters apart.
    ``(images, 1, 28, 28) -> (images, features)``: 49 times the last of two widths.
    Features are divided by the fourth root of their number, so that squared distances
    start out of a size that a softmax can use.

    Args:
        widths: channels of the blocks.
        norm: how layers normalise; see `normalisation`.
    """
    widths = whole_widths("widths", widths)
    if not 1 <= len(widths) <= 4:
        raise ValueError(
            f"widths are {widths}: one to four are needed, since each halves the 28 "
            "pixels of an edge"
        )
    for width in widths:
        normalisation(norm, width)  # refused before anything random is drawn
    stem = [nn.Conv2d(1, 32, 3, padding=1, bias=norm == "none")]
    layers: list[nn.Module] = [Centre(), *stem, normalisation(norm, 32), nn.ReLU()]
    for width, following in pairwise([32, *widths]):
        layers += [nn.MaxPool2d(2), ResidualBlock(width, following, norm)]
    side = 28 // 2 ** len(widths)
    layers += [nn.Flatten(), Scale((widths[-1] * side**2) ** -0.25)]
    # faster on CPUs: channels lie side by side in memory
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def whole_widths(name: str, widths: Sequence[int]) -> list[int]:
    """``widths`` as a list, if they are whole numbers of at least 1."""
    if not isinstance(widths, Sequence) or isinstance(widths, str):
        raise TypeError(f"{name} is {widths!r}: a list of whole numbers is needed")
    return [at_least_one(f"{name}[{i}]", width) for i, width in enumerate(widths)]


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions and a way around them. Source: He et al. 2016, figure 2."""

    def __init__(self, inputs: int, outputs: int, norm: str) -> None:
        super().__init__()
        bias = norm == "none"
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias),
            normalisation(norm, outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=bias),
            normalisation(norm, outputs),
        )
        self.shortcut = (
            nn.Identity()
            if inputs == outputs
            else nn.Conv2d(inputs, outputs, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return (self.body(x) + self.shortcut(x)).relu()


class Scale(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class Centre(nn.Module):
    """`centred` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        return centred(x)


def centred(images: Tensor, spread: float = 0.42) -> Tensor:
    """Each letter moved to the middle and brought to one size, by its moments.

    Its centre of mass goes to the centre of the image, and the root mean square
    distance of its ink from there becomes ``spread`` (half an image is 1), as far as
    a zoom by 0.6 to 1.6 does that. Empty images stay empty.

    Args:
        images: ``(images, 1, height, width)``, ink above 0 on paper 0.
        spread: the size.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"images is a {type(images).__name__}, not a tensor")
    if (
        images.dim() != 4
        or not images.numel()
        or images.shape[1] != 1
        or not images.is_floating_point()
    ):
        raise ValueError(
            f"images are {tuple(images.shape)} {images.dtype}: (images, 1, height, "
            "width) of floating point is needed"
        )
    if not is_number(spread) or not 0 < spread < float("inf"):
        raise ValueError(f"spread is {spread!r}: a finite number above 0 is needed")
    height, width = images.shape[-2:]
    ink = images[:, 0] / images.sum((1, 2, 3)).clamp_min(1e-6)[:, None, None]

    def places(size: int) -> Tensor:  # of pixel centres, from −1 to 1
        return torch.linspace(1 / size - 1, 1 - 1 / size, size).to(images)

    across, down = ink.sum(1), ink.sum(2)  # (images, width), (images, height)
    x, y = places(width), places(height)
    mean_x, mean_y = across @ x, down @ y
    variance = (across * (x - mean_x[:, None]) ** 2).sum(1)
    variance = variance + (down * (y - mean_y[:, None]) ** 2).sum(1)
    zoom = (variance.clamp_min(1e-4).sqrt() / spread).clamp(0.6, 1.6)
    none = torch.zeros_like(zoom)
    matrix = torch.stack(
        [torch.stack([zoom, none, mean_x], -1), torch.stack([none, zoom, mean_y], -1)],
        dim=1,
    )
    where = affine_grid(matrix, list(images.shape), align_corners=False)
    return grid_sample(images, where, align_corners=False)


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
    if not isinstance(norm, str) or norm not in NORMS:
        raise ValueError(f"norm is {norm!r}: one of {NORMS} is needed")
    at_least_one("channels", channels)
    if norm == "batch":
        return nn.BatchNorm2d(channels, track_running_stats=False)
    if norm == "frozen":
        return FrozenBatchNorm2d(channels)
    if norm == "none":
        return nn.Identity()
    groups = max(1, channels // 8) if norm == "group" else 1
    if channels % groups:
        raise ValueError(f"{channels} channels are no multiple of 8, a group's size")
    return nn.GroupNorm(groups, channels)


def freeze_statistics(model: nn.Module, images: Tensor) -> nn.Module:
    """A copy of ``model`` whose batch normalisation uses the statistics of ``images``.

    From then on every prediction depends on its own input only: the inductive
    counterpart of a network that was trained with ``norm="batch"``. The statistics
    are those of one pass over ``images``; their scale and shift are frozen with them.

    Args:
        model: any module; layers other than ``nn.BatchNorm2d`` are kept as they are.
        images: training images, ``(images, …)``; some hundreds are enough.

    Raises:
        ValueError: a model without batch normalisation, one whose pass uses such a
            layer twice or not at all, fewer than 2 images, NaN in them, or images that
            the model cannot take.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}, not an nn.Module")
    if not isinstance(images, Tensor) or not images.dim():
        raise TypeError("images is no tensor of images, (images, …)")
    check_finite("images", images)
    if len(images) < 2 or not images.numel():
        raise ValueError(f"{len(images)} images have no statistics: give hundreds")
    model = copy.deepcopy(model)
    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}
    if not layers:
        raise ValueError("the model has no nn.BatchNorm2d: there is nothing to freeze")
    measured: dict[str, tuple[Tensor, Tensor]] = {}

    def measure(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[Tensor]) -> None:
            (x,) = inputs
            if name in measured:
                raise ValueError(
                    f"layer {name!r} normalises twice in one pass, and has one set of "
                    "statistics: give each place a layer of its own"
                )
            measured[name] = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)

        return hook

    for name, layer in layers.items():  # of the copy, all replaced in the end
        layer.register_forward_pre_hook(measure(name))
        layer.train()  # running statistics, if there are any, would count otherwise
    with torch.no_grad(), misfits_refused(images=images):
        model(images)
    for name, layer in layers.items():
        if name not in measured:
            raise ValueError(f"layer {name!r} took no part in the pass: remove it")
        mean, variance = measured[name]
        frozen = FrozenBatchNorm2d(layer.num_features, layer.eps).to(mean)
        state = {"running_mean": mean, "running_var": variance}
        if layer.affine:
            state |= {"weight": layer.weight.detach(), "bias": layer.bias.detach()}
        frozen.load_state_dict(state, strict=False)
        if not name:  # the model is this one layer
            return frozen
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, frozen)
    return model
