"""The space of cells, with all operations mixed or with one on each edge.

Source: Liu et al. 2019, section 2 (mixing); Dong and Yang 2020 (this cell and its five
operations, whose names are kept).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..checks import at_least_one

EDGES = tuple((i, j) for j in range(1, 4) for i in range(j))
"""From which node to which; the order of the operations in an architecture."""


class Nothing(nn.Module):
    """Zeros: an edge that is not there."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def convolution(channels: int, size: int) -> nn.Module:
    """ReLU, convolution, and a normalisation of each image alone, without a scale.

    A learned scale could undo what α says. The paper normalises by batch, which would
    make predictions depend on each other.
    """
    kernel = nn.Conv2d(channels, channels, size, padding=size // 2, bias=False)
    return nn.Sequential(nn.ReLU(), kernel, nn.GroupNorm(1, channels, affine=False))


OPERATIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: Nothing(),
    "skip_connect": lambda channels: nn.Identity(),
    "nor_conv_1x1": lambda channels: convolution(channels, 1),
    "nor_conv_3x3": lambda channels: convolution(channels, 3),
    "avg_pool_3x3": lambda channels: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
}
"""What makes each operation, for a number of channels.

:meta hide-value:
"""


class MixedOperation(nn.Module):
    """Σ_o softmax(α)_o o(x). Source: Liu et al. 2019, equation 2.

    Args:
        channels: of ``x``, ``(images, channels, height, width)``.
        names: keys of `OPERATIONS`.
    """

    def __init__(self, channels: int, names: Sequence[str]) -> None:
        super().__init__()
        self.operations = nn.ModuleDict({n: OPERATIONS[n](channels) for n in names})

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        shares = alpha.softmax(-1)
        results = (operation(x) for operation in self.operations.values())
        return sum(
            share * result for share, result in zip(shares, results, strict=True)
        )


class CellNetwork(nn.Module):
    """Letters through a stem, cells that share one α, and a linear layer.

    ``(images, 1, 28, 28) -> (images, outputs)``. With several candidates on each edge
    this is a supernet; with one it is the plain network of that architecture.

    Args:
        outputs: width of the output.
        channels: feature maps inside the cells.
        cells: how many, one after the other.
        candidates: for each of the six edges names of `OPERATIONS`, as many for one
            as for the other; all of them if None.

    Attributes:
        alpha: ``(6, candidates)``, zeros at first: all operations alike.

    Raises:
        ValueError: an unknown operation, edges other than six, or of different length.
    """

    def __init__(
        self,
        outputs: int,
        channels: int = 8,
        cells: int = 1,
        candidates: Sequence[Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        at_least_one("outputs", outputs)
        at_least_one("channels", channels)
        at_least_one("cells", cells)
        self.candidates = checked_candidates(candidates)
        self.alpha = nn.Parameter(torch.zeros(len(EDGES), len(self.candidates[0])))
        self.stem = nn.Sequential(  # 28 pixels an edge become 14, then 7
            nn.AvgPool2d(2),
            nn.Conv2d(1, channels, 3, padding=1),
            nn.GroupNorm(1, channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.cells = nn.ModuleList(
            nn.ModuleList(MixedOperation(channels, names) for names in self.candidates)
            for _ in range(cells)
        )
        self.head = nn.Sequential(
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9 * channels, outputs)
        )

    def forward(self, x: Tensor, path: Sequence[str] | None = None) -> Tensor:
        """The outputs of the mixture, or of one architecture within it.

        Args:
            x: images.
            path: an operation for each edge, computed alone; all, mixed, if None.
        """
        x = self.stem(x)
        for cell in self.cells:
            nodes = [x, 0, 0, 0]
            for k, (i, j) in enumerate(EDGES):
                if path is None:
                    value = cell[k](nodes[i], self.alpha[k])
                else:
                    value = cell[k].operations[path[k]](nodes[i])
                nodes[j] = nodes[j] + value
            x = nodes[-1]
        return self.head(x)


def checked_candidates(
    candidates: Sequence[Sequence[str]] | None,
) -> tuple[tuple[str, ...], ...]:
    """The names for each edge, or a ValueError that says what is wrong."""
    if candidates is None:
        return (tuple(OPERATIONS),) * len(EDGES)
    if len(candidates) != len(EDGES) or any(isinstance(c, str) for c in candidates):
        raise ValueError(
            f"candidates are {candidates!r}: a list of names for each of the "
            f"{len(EDGES)} edges is needed"
        )
    unknown = {name for names in candidates for name in names} - set(OPERATIONS)
    if unknown:
        raise ValueError(f"{sorted(unknown)}: one of {[*OPERATIONS]} is needed")
    if len({len(names) for names in candidates}) != 1 or not candidates[0]:
        raise ValueError("each edge needs as many candidates as the others, at least 1")
    return tuple(map(tuple, candidates))


def discretise(
    alpha: Tensor, names: Sequence[str] = tuple(OPERATIONS), never: Sequence[str] = ()
) -> tuple[str, ...]:
    """The operation of largest α on each edge. Source: Liu et al. 2019, section 2.4.

    Args:
        alpha: ``(edges, operations)``.
        names: of the operations.
        never: names that are not chosen; the paper leaves out ``"none"``, whose α says
            nothing: it scales the others.
    """
    if alpha.dim() != 2 or alpha.shape[1] != len(names):
        raise ValueError(
            f"alpha has shape {tuple(alpha.shape)}: (edges, {len(names)}) is needed"
        )
    allowed = [k for k, name in enumerate(names) if name not in never]
    if not allowed:
        raise ValueError("never leaves no operation to choose")
    return tuple(names[allowed[k]] for k in alpha[:, allowed].argmax(1).tolist())
