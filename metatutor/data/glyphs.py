"""Letters of 80 scripts, drawn by 20 synthetic writers: images without a download.

The letters are *drawn, not handwritten*: shapes of the Noto fonts, thinned and
re-written by programs (``build_glyphs.py``). How much the writers differ was set,
before anything was trained, so that a simple baseline finds them about as hard as
Omniglot.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..tasks import Augment, Episodes
from .files import read_verified

FILE = Path(__file__).with_name("glyphs.npz")
SHA256 = "1ffc647f95f5ba8054a57a80d4d45eb577742ec0fc59cada14e1369f90371bd0"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Letters:
    """Images of letters, and what they are.

    Attributes:
        images: ``(classes, 20 writers, 1, 28, 28)``, ink 1 on paper 0.
        scripts: the script of each class ("Tibetan").
        letters: the letter of each class, one character.
    """

    images: Tensor
    scripts: tuple[str, ...]
    letters: tuple[str, ...]


class Glyphs(Episodes):
    """Few-shot tasks: tell letters apart that you have seen ``shots`` times each.

    1,600 letters of 80 scripts by 20 writers, split *by script*: no script of the
    test split is ever trained on. The test split holds those of this set's scripts
    that Omniglot's one-shot trials and its small set 2 test, Latin, Greek and Tibetan
    among them: what is trained on "train" has not seen them, not even in print.

    Args:
        split: "train" (58 scripts), "val" (6), "test" (16), or "all" of them.
        ways: classes in a task.
        shots: support images per class.
        queries: query images per class.
        within_script: whether the letters of a task come from one script, which
            makes them harder to tell apart; from all scripts otherwise.
        augment: changes the drawn images, ``(tasks, ways, images, 1, 28, 28)``; see
            `metatutor.data.augment`. Several are applied in order.
        exclude_scripts: names of scripts to leave out.

    Shapes of a batch of n tasks: ``support_x`` is ``(n, ways·shots, 1, 28, 28)``, 0
    for paper and 1 for ink; ``support_y`` holds 0 to ``ways - 1``;
    ``truth["classes"]`` is ``(n, ways)``, indices into ``letters`` and ``scripts``.

    Raises:
        ValueError: an unknown split or script, more ways than there are letters (20
            within a script), or shots + queries above 20 images a letter.
        DataError: the data file is damaged.
    """

    def __init__(
        self,
        split: str = "train",
        ways: int = 5,
        shots: int = 1,
        queries: int = 5,
        *,
        within_script: bool = False,
        augment: Augment | Sequence[Augment] | None = None,
        exclude_scripts: Sequence[str] = (),
    ) -> None:
        held = load_letters(split, exclude_scripts)
        self.scripts, self.letters = held.scripts, held.letters
        super().__init__(
            held.images,
            ways,
            shots,
            queries,
            groups=held.scripts if within_script else None,
            augment=augment,
        )


def load_letters(split: str = "all", exclude_scripts: Sequence[str] = ()) -> Letters:
    """The letters of a split, less those of the scripts to leave out."""
    if not isinstance(split, str) or split not in (*SPLITS, "all"):
        raise ValueError(f"split is {split!r}: one of {(*SPLITS, 'all')} is needed")
    if isinstance(exclude_scripts, str):
        exclude_scripts = [exclude_scripts]
    if not isinstance(exclude_scripts, Iterable) or isinstance(exclude_scripts, Tensor):
        raise TypeError(f"exclude_scripts is {exclude_scripts!r}: names are needed")
    left_out = list(exclude_scripts)  # an iterator could be gone through only once
    data = read()
    names = data["scripts"].tolist()
    for name in left_out:
        if not isinstance(name, str) or name not in names:
            raise ValueError(f"{name!r} is none of the scripts: {', '.join(names)}")
    kept = np.array(
        [
            split in ("all", its) and name not in left_out
            for name, its in zip(names, data["split"].tolist(), strict=True)
        ]
    )
    if not kept.any():
        raise ValueError(f"no script of the split {split!r} is left")
    bits = data["bits"][kept]
    images = np.unpackbits(bits, axis=-1).reshape(-1, bits.shape[2], 1, 28, 28)
    letters = data["letters"][kept]
    return Letters(
        images=torch.from_numpy(images).float(),
        scripts=tuple(np.repeat(data["scripts"][kept], letters.shape[1]).tolist()),
        letters=tuple(letters.ravel().tolist()),
    )


def scripts(split: str = "all") -> tuple[str, ...]:
    """The names of a split's scripts, in alphabetical order."""
    return tuple(dict.fromkeys(load_letters(split).scripts))


@cache
def read() -> dict[str, np.ndarray]:
    """The arrays of ``glyphs.npz``, as `build_glyphs` wrote them."""
    content = read_verified(
        FILE, SHA256, remedy="install metatutor again, or take the file from its source"
    )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
