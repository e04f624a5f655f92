"""Ways to make more of the images that there are, one function each.

All take and return images ``(tasks, ways, each, 1, height, width)`` and draw only from
the generator they are given. Sources take one or several of them as ``augment``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import (
    affine_grid,
    grid_sample,
    interpolate,
)

from ..checks import check_generator


def turn(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Turns each task as a whole by 0°, 90°, 180° or 270°.

    A turned alphabet is a new alphabet. Turning the classes of a task one by one
    (Santoro et al. 2016, section 4.1, makes new classes in this way) would make letters
    collide that are turned copies of one another, such as N and Z.
    """
    check_images(images, generator)
    if images.shape[-2] != images.shape[-1]:
        raise ValueError(f"images are {tuple(images.shape)}: square ones can be turned")
    quarters = torch.randint(4, (len(images),), generator=generator).tolist()
    return torch.stack(
        [
            torch.rot90(task, k, (-2, -1))
            for task, k in zip(images, quarters, strict=True)
        ]
    )


def warp(
    images: Tensor, generator: torch.Generator | None = None, strength: float = 1.0
) -> Tensor:
    """Slants, stretches, shifts and bends every image a little, each in its own way.

    See `deformations` for how, and how much.
    """
    check_images(images, generator)
    flat = images.flatten(0, 2)
    where = deformations(len(flat), flat.shape[-2:], generator, strength).to(flat)
    return grid_sample(flat, where, align_corners=False).view_as(images)


def check_images(images: Tensor, generator: torch.Generator | None) -> None:
    """Refuses what is no images of tasks, or no generator."""
    check_generator(generator)
    if not isinstance(images, Tensor):
        raise TypeError(f"images is a {type(images).__name__}, not a tensor")
    if images.dim() != 6 or not images.numel() or not images.is_floating_point():
        raise ValueError(
            f"images are {tuple(images.shape)} {images.dtype}: (tasks, ways, each, 1, "
            "height, width) of floating point is needed"
        )


def deformations(
    n: int,
    size: tuple[int, int],
    generator: torch.Generator | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Where each pixel of n warped images comes from, for ``grid_sample``.

    A random affine map plus a smooth random field of displacements, which writes a
    letter as another hand might. At strength 1 the standard deviations are: rotation
    0.12 rad, scale 12 %, shear 0.15, shift 8 % and bend 6 % of half the image; at
    strength 0 every pixel stays where it is.

    Returns:
        ``(n, height, width, 2)``, x before y, from −1 to 1 inside the image.
    """

    def normal(*shape: int) -> Tensor:
        return strength * torch.randn(n, *shape, generator=generator)

    turn, shear = 0.12 * normal(), 0.15 * normal()
    across, down = (0.12 * normal()).exp(), (0.12 * normal()).exp()
    shift = 0.08 * normal(2)
    matrix = torch.stack(
        [
            torch.stack([across * turn.cos(), shear - across * turn.sin()], -1),
            torch.stack([down * turn.sin(), down * turn.cos()], -1),
        ],
        dim=1,
    )
    where = affine_grid(
        torch.cat([matrix, shift[..., None]], -1), [n, 1, *size], align_corners=False
    )
    bend = interpolate(0.08 * normal(2, 4, 4), size, mode="bicubic", align_corners=True)
    return where + bend.permute(0, 2, 3, 1)
