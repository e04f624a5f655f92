"""Chinese characters, drawn in many fonts and described by their components.

For zero-shot learning: of a class there is a description, and no example need be seen.
What is in the file, and how it was made, is said in ``hanzi.README.md``.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import torch

from .files import read_verified

FILE = Path(__file__).with_name("hanzi.npz")
SHA256 = "81144122407b93ad62a40d31515e2eac0760b3e2bc38eef9b699292ffb7870b4"
SPLITS = ("train", "val", "test")
STYLE_SPLITS = ("train", "test")


class Hanzi:
    """Characters of one split in the fonts of one split, and what they are made of.

    1,200 characters, split *by character*: those of "val" and "test" are in no training
    image, but each of their components is in at least three training characters. 14
    fonts, split by family: 11 to train in and 3 to test in. No two characters have the
    same set of components.

    Args:
        split: "train" (1,000 characters), "val" (80), "test" (120), or "all".
        styles: "train" (11 fonts), "test" (3), or "all".

    Attributes:
        images: ``(characters, styles, 1, 28, 28)``, ink 1 on paper 0.
        descriptions: ``(characters, 182)``, 1 where a character has a component.
        characters: one character for each class.
        components: the names of the 182 components, the same for all splits.
        styles: the names of the fonts.

    Raises:
        ValueError: an unknown split.
        DataError: the data file is missing or damaged.
    """

    def __init__(self, split: str = "train", styles: str = "all") -> None:
        data = read()
        chosen = of_split("split", split, data["split"], SPLITS)
        fonts = of_split("styles", styles, data["style_split"], STYLE_SPLITS)
        self.components = tuple(data["components"].tolist())
        self.characters = tuple(data["characters"][chosen].tolist())
        self.styles = tuple(data["styles"][fonts].tolist())
        bits = data["bits"][chosen][:, fonts]
        images = np.unpackbits(bits, axis=-1).reshape(*bits.shape[:2], 1, 28, 28)
        self.images = torch.from_numpy(images).float()
        has = np.unpackbits(data["descriptions"][chosen], axis=-1)
        self.descriptions = torch.from_numpy(has[:, : len(self.components)]).float()

    def __len__(self) -> int:
        """The number of characters."""
        return len(self.characters)

    def parts(self, character: str) -> tuple[str, ...]:
        """The names of a character's components, in the order of ``components``."""
        if character not in self.characters:
            raise ValueError(f"{character!r} is none of the {len(self)} characters")
        row = self.descriptions[self.characters.index(character)]
        return tuple(self.components[i] for i in row.nonzero()[:, 0].tolist())


def of_split(
    name: str, wanted: str, split: np.ndarray, known: tuple[str, ...]
) -> np.ndarray:
    """Which entries belong to a split, ``(entries,)``."""
    if wanted not in (*known, "all"):
        raise ValueError(f"{name} is {wanted!r}: one of {(*known, 'all')} is needed")
    return np.full(len(split), True) if wanted == "all" else split == wanted


@cache
def read() -> dict[str, np.ndarray]:
    """The arrays of ``hanzi.npz``, as `build_hanzi` wrote them."""
    content = read_verified(
        FILE, SHA256, remedy="install metatutor again, or take the file from its source"
    )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
