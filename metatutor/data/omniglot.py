"""Omniglot: 1,623 characters of 50 alphabets, each drawn by 20 people.

Nothing of it comes with the package: it is read from disk, or downloaded on demand.
Source: Lake, Salakhutdinov and Tenenbaum 2015; the data are MIT licensed,
https://github.com/brendenlake/omniglot.
"""

from __future__ import annotations

import hashlib
import io
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import calculate_md5

from ..tasks import Augment, Episodes
from .files import DAMAGED, DataError, fetch, read_verified, zipped

ORIGIN = "https://github.com/brendenlake/omniglot/raw/master/python"
SHA256 = {
    "small1": "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    "small2": "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
}
SUBSETS = ("background", "evaluation", *SHA256)
DRAWERS = range(1, 21)
DRAWN, SIDE = 105, 28  # pixels along an edge: as drawn, and as learners see it
# ALPHABET/characterNN/NNNN_DRAWER.png, in whatever folder
DRAWING = re.compile(r"(?:.*/)?([^/]+)/(character\d+)/\d+_(\d+)\.png")

Drawings = Mapping[tuple[str, str, int], bytes]
"""PNG files as they were drawn, by ``(alphabet, character, drawer from 1)``."""


@dataclass(frozen=True, eq=False)
class Characters:
    """Images of characters, and what they are.

    Attributes:
        images: ``(classes, 20 drawers, 1, 28, 28)``, ink 1 on paper 0. Within an
            alphabet the drawers are the same people in the same order.
        alphabets: the alphabet of each class ("Tagalog").
        characters: the name of each class in its alphabet ("character01").
    """

    images: Tensor
    alphabets: tuple[str, ...]
    characters: tuple[str, ...]

    def without(self, alphabets: Sequence[str] | str) -> Characters:
        """The characters of all other alphabets.

        Raises:
            ValueError: an alphabet that is not here, or none is left.
        """
        out = [alphabets] if isinstance(alphabets, str) else list(alphabets)
        here = sorted(set(self.alphabets))
        for name in out:
            if name not in here:
                raise ValueError(
                    f"{name!r} is none of the alphabets: {', '.join(here)}"
                )
        kept = [i for i, name in enumerate(self.alphabets) if name not in out]
        if not kept:
            raise ValueError(f"no alphabet is left of {', '.join(here)}")
        return Characters(
            self.images[kept],
            tuple(self.alphabets[i] for i in kept),
            tuple(self.characters[i] for i in kept),
        )


class Omniglot(Episodes):
    """Few-shot tasks: tell characters apart that you have seen ``shots`` times each.

    Args:
        subset: "background" (964 characters of 30 alphabets), "evaluation" (659 of
            20), "small1" (136 of 5) or "small2" (156 of 5). The small sets are parts
            of the background set and share Greek and Latin with each other: see
            `refuse_shared_images`.
        ways: classes in a task.
        shots: support images per class.
        queries: query images per class.
        root: the folder that holds the data, see `load_omniglot`.
        download: whether to fetch what is missing there.
        within_alphabet: whether the characters of a task come from one alphabet,
            which makes them harder to tell apart; from all alphabets otherwise.
        augment: changes the drawn images, ``(tasks, ways, images, 1, 28, 28)``; see
            `metatutor.data.augment`. Several are applied in order.
        exclude_alphabets: names of alphabets to leave out.

    Shapes of a batch of n tasks: ``support_x`` is ``(n, ways·shots, 1, 28, 28)``, 0
    for paper and 1 for ink; ``support_y`` holds 0 to ``ways - 1``;
    ``truth["classes"]`` is ``(n, ways)``, indices into ``alphabets`` and
    ``characters``.

    Raises:
        ValueError: an unknown subset or alphabet, more ways than there are characters
            (in any one alphabet, if tasks stay within one), or shots + queries above
            20 images a character.
        DataError: the data are missing or damaged; the message says what to do.
    """

    def __init__(
        self,
        subset: str,
        ways: int = 5,
        shots: int = 1,
        queries: int = 5,
        *,
        root: str | Path = "data",
        download: bool = False,
        within_alphabet: bool = False,
        augment: Augment | Sequence[Augment] | None = None,
        exclude_alphabets: Sequence[str] = (),
    ) -> None:
        held = load_omniglot(subset, root, download).without(exclude_alphabets)
        if within_alphabet:
            refuse_small_alphabets(held.alphabets, ways)
        self.alphabets, self.characters = held.alphabets, held.characters
        super().__init__(
            held.images,
            ways,
            shots,
            queries,
            groups=held.alphabets if within_alphabet else None,
            augment=augment,
        )


def load_omniglot(
    subset: str, root: str | Path = "data", download: bool = False
) -> Characters:
    """All images of a subset, sorted by alphabet and character.

    Args:
        subset: "background", "evaluation", "small1" or "small2", see `Omniglot`.
        root: the folder with ``images_background_small1.zip`` or ``…_small2.zip``,
            which are read as they are; for the two full sets, the folder that was
            given to `torchvision.datasets.Omniglot`.
        download: whether to fetch what is missing or damaged there.

    Raises:
        ValueError: an unknown subset.
        DataError: data that are missing, damaged, or cannot be fetched; the message
            says which file is wanted where, and its address.
    """
    drawings = read_drawings(subset, root, download)
    classes = sorted({(alphabet, character) for alphabet, character, _ in drawings})
    images = torch.stack(
        [
            read_image(drawings[*name, drawer], f"{'/'.join(name)} by drawer {drawer}")
            for name in classes
            for drawer in DRAWERS
        ]
    )
    return Characters(
        images.view(len(classes), len(DRAWERS), 1, SIDE, SIDE),
        alphabets=tuple(alphabet for alphabet, _ in classes),
        characters=tuple(character for _, character in classes),
    )


def read_drawings(
    subset: str, root: str | Path = "data", download: bool = False
) -> Drawings:
    """The files of a subset as they were drawn; arguments as for `load_omniglot`."""
    if not isinstance(subset, str) or subset not in SUBSETS:
        raise ValueError(f"subset is {subset!r}: one of {SUBSETS} is needed")
    root = Path(root).expanduser()
    read = read_small if subset in SHA256 else read_full
    found = {}
    for name, content in read(subset, root, download).items():
        if match := DRAWING.fullmatch(name):
            alphabet, character, drawer = match.groups()
            found[alphabet, character, int(drawer)] = content
    return found


def read_small(subset: str, root: Path, download: bool) -> dict[str, bytes]:
    """The files in the zip of a small set, by name."""
    path = root / f"images_background_{subset}.zip"
    url = f"{ORIGIN}/{path.name}"
    remedy = f"give download=True to fetch {url}, or save it as {path} yourself"
    try:
        content = read_verified(path, SHA256[subset], remedy)
    except DataError:
        if not download:
            raise
        fetch(url, path, SHA256[subset])
        content = read_verified(path, SHA256[subset], remedy)
    return dict(zipped(io.BytesIO(content), path))


def read_full(subset: str, root: Path, download: bool) -> dict[str, bytes]:
    """The files that torchvision extracted from the zip of a full set, by name."""
    try:
        datasets.Omniglot(root, background=subset == "background", download=download)
    except (*DAMAGED, HTTPException) as error:
        raise DataError(what_is_wrong(subset, root, error, download)) from error
    folder = root / datasets.Omniglot.folder
    archive = folder / f"images_{subset}.zip"
    with ZipFile(archive) as verified:  # by torchvision; what it extracted is not
        members = [m for m in verified.infolist() if m.filename.endswith(".png")]
    found = {}
    for member in members:
        path = folder / member.filename
        if path.is_file() and zlib.crc32(content := path.read_bytes()) == member.CRC:
            found[member.filename] = content
    if len(found) < len(members):
        raise DataError(
            f"{folder / archive.stem}: {len(members) - len(found):,} of the "
            f"{len(members):,} images of {archive} are missing or altered; delete the "
            f"folder, and unzip the file in {folder}"
        )
    return found


def what_is_wrong(subset: str, root: Path, error: Exception, download: bool) -> str:
    """Why torchvision refused a full set, and what to do.

    Its own message does not say which file it looked for, and where.
    """
    kind = datasets.Omniglot
    path = root / kind.folder / f"images_{subset}.zip"
    url = f"{kind.download_url_prefix}/{path.name}"
    expected = kind.zips_md5[path.stem]
    by_hand = f"save {url} as {path} and unzip it there"
    if not path.is_file():
        if download:
            return (
                f"{url} cannot be downloaded ({error!r}): check the connection, or get "
                f"it by other means: {by_hand}"
            )
        return f"{path} is missing: give download=True to fetch it, or {by_hand}"
    found = calculate_md5(path)
    if found != expected:
        return (
            f"{path} is truncated or altered ({path.stat().st_size:,} bytes): its MD5 "
            f"should be {expected}, but is {found}. "
            + (f"Fetching it has failed ({error!r}). " if download else "")
            + f"Give download=True to fetch it again, or {by_hand}"
        )
    return (
        f"{path.with_suffix('')}, the folder with the images of {path}, cannot be read "
        f"({error!r}): delete it if it is there, and unzip the file in {path.parent}"
    )


def read_image(content: bytes, name: str) -> Tensor:
    """A drawing as learners see it, ``(1, 28, 28)``, from the bytes of its PNG file.

    Raises:
        DataError: no image, a truncated one, or one that is not 105×105; the message
            begins with ``name``.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=["PNG"])
        if image.size == (DRAWN, DRAWN):  # a wrong size may be a huge one
            return shrunk(image)
    except (*DAMAGED, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{name} cannot be read as a PNG image: {error}") from error
    width, height = image.size
    raise DataError(f"{name} is {width}×{height} pixels: a drawing is {DRAWN}×{DRAWN}")


def shrunk(image: Image.Image) -> Tensor:
    """Black ink on white, 105×105, as ``(1, 28, 28)`` with ink 1 on paper 0.

    A new pixel covers 3.75×3.75 old ones, and is the mean of those whose centres it
    covers: 3 or 4 a side, each counted once.
    """
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return torch.from_numpy(1 - np.asarray(grey, np.float32) / 255)[None]


def refuse_small_alphabets(alphabets: Sequence[str], ways: int) -> None:
    """Refuses alphabets with fewer characters than ways, naming them all at once."""
    small = {name: n for name, n in Counter(alphabets).items() if n < ways}
    if small:
        sizes = ", ".join(f"{name} has {n}" for name, n in small.items())
        raise ValueError(
            f"{ways} ways within one alphabet asked for, but {sizes} characters: ask "
            f"for fewer ways, or leave out exclude_alphabets={list(small)}"
        )


# --- which images are the same ---------------------------------------------------


def shared_images(a: Characters, b: Characters) -> dict[str, int]:
    """How many images of b are also in a, for each alphabet of b that has any.

    Images count as the same if all their pixels are: the small sets hold the same
    drawings of Greek and Latin.
    """
    known = set(image_hashes(a.images))
    names = (name for name in b.alphabets for _ in range(b.images.shape[1]))
    pairs = zip(names, image_hashes(b.images), strict=True)
    return dict(Counter(name for name, its in pairs if its in known))


def refuse_shared_images(train: Characters, held_out: Characters) -> None:
    """Refuses to judge on drawings that were trained on.

    Raises:
        ValueError: some are in both; the message names their alphabets.
    """
    if shared := shared_images(train, held_out):
        counts = ", ".join(f"{name} ({count})" for name, count in shared.items())
        raise ValueError(
            f"{sum(shared.values()):,} images held out are also among those to train "
            f"on: {counts}. Leave these alphabets out of one of the two"
        )


def image_hashes(images: Tensor) -> list[str]:
    """The SHA-256 of each image, ``(…, 1, height, width)``, in order."""
    flat = images.flatten(0, -4).numpy()
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in flat]
