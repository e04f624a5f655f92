"""Draws ``glyphs.npz``: letters of the world's scripts, re-written by 20 writers.

    apt-get install fonts-noto-core          # Debian's package of the Noto fonts
    pip install scipy scikit-image           # needed here, not by the package
    python -m metatutor.data.build_glyphs    # writes glyphs.npz beside this file

A letter is rendered, thinned to a skeleton one pixel wide, and written again by 20
synthetic *writers*. A writer is a slant, a size, a proportion, a pen and a shakiness
that are the same for all letters, as in Omniglot (Lake et al. 2015), where the same
20 people drew each alphabet. The same fonts, seed and libraries give the same bytes.

`STRENGTH` scales how much writers differ. It was fixed before anything was trained,
so that the nearest class mean on raw pixels finds 5-way 1-shot tasks about as hard
as Omniglot's (``python -m metatutor.data.build_glyphs --difficulty FILE``).
"""

from __future__ import annotations

import re
import sys
import unicodedata
from argparse import ArgumentParser
from collections import defaultdict
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from skimage.morphology import skeletonize

FONTS = Path("/usr/share/fonts/truetype/noto")
SCRIPTS, LETTERS, WRITERS = 80, 20, 20
SIDE, CANVAS = 28, 64  # pixels of an image, and of the canvas it is drawn on
STRENGTH = 0.65
SEED = 0

# The scripts whose handwriting Omniglot's one-shot trials and its small set 2 test.
# They are taken first, and make the test split: what is trained on the train split has
# then seen none of them, not even in print.
OMNIGLOT = (
    "Avestan", "Cyrillic", "Devanagari", "Ethiopic", "Glagolitic", "Greek", "Gurmukhi",
    "Hiragana", "Kannada", "Katakana", "Latin", "Malayalam", "Meetei Mayek",
    "Mongolian", "Oriya", "Syloti Nagri", "Syriac", "Tagalog", "Tibetan",
)  # fmt: skip
VALIDATION = 6  # scripts

# alphabets that Unicode extends by hundreds of letters that few readers know
FAMILIAR = {
    "Latin": range(0x41, 0x7B),
    "Greek": range(0x391, 0x3CA),
    "Cyrillic": range(0x400, 0x460),
}

# strokes that no pen makes, and the same letters once more
LEFT_OUT = {
    "Script", "Ogham", "Pahawh Hmong Clan", "Khmer Independent", "Georgian Mtavruli",
    "Meroitic Hieroglyphic", "Micro", "Ohm", "Kelvin", "Angstrom",
}  # fmt: skip
OTHER_FONTS = re.compile(
    "Math|Symbols|Music|Display|SignWriting|Duployan|IndicSiyaq|MayanNumerals|"
    r"Tifinagh\w+|Supplement|Looped|Slanted|Unjoined|Kufi|Nastaliq|Rashi|Traditional|"
    "SansMono|Cuneiform|Hieroglyphs|Tangut"
)
OTHER_FORMS = re.compile(
    " WITH |COMPATIBILITY|PRESENTATION|FINAL FORM|ISOLATED FORM|INITIAL FORM|"
    "MEDIAL FORM|MODIFIER|LIGATURE|HALFWIDTH|FULLWIDTH|CHILLU|MATHEMATICAL|ORDINAL"
)
AFTER_THE_SCRIPT = re.compile(
    " (CAPITAL|SMALL|LETTER|SYLLABLE|VOWEL|IDEOGRAPH|CHARACTER|SIGN).*"
)


def main(words: list[str]) -> None:
    parser = ArgumentParser(prog="python -m metatutor.data.build_glyphs")
    parser.add_argument("--fonts", type=Path, default=FONTS)
    parser.add_argument("--scripts", type=int, default=SCRIPTS)
    parser.add_argument("--strength", type=float, default=STRENGTH)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--difficulty", type=Path, help="measure this file instead")
    options = parser.parse_args(words)
    if options.difficulty:
        print(f"nearest class mean on pixels: {difficulty(options.difficulty):.3f}")
        return
    file = options.out / "glyphs.npz"
    build(options.fonts, options.scripts, options.strength, file)
    print(f"{file}: {file.stat().st_size:,} bytes")


def build(fonts: Path, scripts: int, strength: float, file: Path) -> None:
    """Draws everything and writes it to ``file``."""
    rng = np.random.default_rng(SEED)
    letters = choose(candidates(fonts), scripts)
    skeletons = [thin(shape) for drawn in letters.values() for _, shape in drawn]
    images = write(skeletons, strength, rng)
    names = list(letters)
    np.savez_compressed(
        file,
        # (scripts, letters, writers, bytes): one bit a pixel, rows first
        bits=np.packbits(images, axis=-1).reshape(len(names), LETTERS, WRITERS, -1),
        scripts=np.array(names),
        letters=np.array([[letter for letter, _ in letters[name]] for name in names]),
        split=np.array(splits(names, rng)),
    )


def splits(names: list[str], rng: np.random.Generator) -> list[str]:
    """The split of each script: Omniglot's to test, a few of the others to validate."""
    others = [name for name in names if name not in OMNIGLOT]
    val = set(rng.permutation(others)[:VALIDATION].tolist())
    return [
        "test" if name in OMNIGLOT else "val" if name in val else "train"
        for name in names
    ]


# --- which letters ---------------------------------------------------------------


def candidates(fonts: Path) -> dict[str, list[tuple[str, np.ndarray]]]:
    """Every script's letters with their shapes, from the first font that has it."""
    files = [f for f in fonts.glob("*-Regular.ttf") if not OTHER_FONTS.search(f.name)]
    if not files:
        sys.exit(f"no Noto fonts in {fonts}: apt-get install fonts-noto-core")
    # sans before serif; Latin, Greek and Cyrillic are in the font called NotoSans
    files.sort(key=lambda f: ("Serif" in f.name, "NotoSans-" not in f.name, f.name))
    found: dict[str, list[tuple[str, np.ndarray]]] = {}
    for file in files:
        font = ImageFont.truetype(file, 60, layout_engine=ImageFont.Layout.BASIC)
        for script, letters in by_script(file).items():
            if script in found or script in LEFT_OUT:
                continue
            some = evenly(letters, 6 * LETTERS)  # a syllabary has hundreds
            shapes = [(letter, render(letter, font)) for letter in some]
            shapes = [(letter, s) for letter, s in shapes if s is not None]
            if len(shapes) >= LETTERS:
                found[script] = shapes
    return found


def by_script(file: Path) -> dict[str, list[str]]:
    """The letters of a font, by script, in the order of their code points."""
    scripts = defaultdict(list)
    with TTFont(file, lazy=True) as font:
        codes = sorted(font.getBestCmap())
    for code in codes:
        letter = chr(code)
        name = unicodedata.name(letter, "")
        if unicodedata.category(letter) not in ("Lo", "Lu", "Ll") or not name:
            continue
        script = AFTER_THE_SCRIPT.sub("", name).title()
        if not OTHER_FORMS.search(name) and code in FAMILIAR.get(script, [code]):
            scripts[script].append(letter)
    return scripts


def render(letter: str, font: ImageFont.FreeTypeFont) -> np.ndarray | None:
    """The letter, 42 pixels at its longest, in the middle of the canvas."""
    page = Image.new("L", (200, 200))
    ImageDraw.Draw(page).text((60, 40), letter, font=font, fill=255)
    box = page.getbbox()
    if box is None:
        return None
    ink = page.crop(box)
    if max(ink.size) < 14:
        return None  # a dot or a dash
    scale = 42 / max(ink.size)
    size = [max(1, round(length * scale)) for length in ink.size]
    canvas = Image.new("L", (CANVAS, CANVAS))
    corner = tuple((CANVAS - length) // 2 for length in size)
    canvas.paste(ink.resize(size, Image.LANCZOS), corner)
    shape = np.asarray(canvas) > 110
    return shape if shape.sum() > 60 else None


def choose(
    found: dict[str, list[tuple[str, np.ndarray]]], scripts: int
) -> dict[str, list[tuple[str, np.ndarray]]]:
    """Letters that look like no other: `LETTERS` for each of so many scripts.

    Omniglot's scripts first, then those with most letters left.
    """
    order = sorted(found, key=lambda name: name not in OMNIGLOT)
    kept: dict[str, list[tuple[str, np.ndarray]]] = {}
    seen = np.zeros((sum(map(len, found.values())), (CANVAS // 2) ** 2), np.float32)
    count = 0
    for name in order:
        new = []
        for letter, shape in found[name]:
            if len(new) == 2 * LETTERS:
                break
            look = blurred(shape)
            if (seen[:count] @ look).max(initial=0) <= 0.93:
                new.append((letter, shape))
                seen[count] = look
                count += 1
        if len(new) >= LETTERS:
            kept[name] = new
    ranked = sorted(kept, key=lambda name: (name not in OMNIGLOT, -len(kept[name])))
    return {name: evenly(kept[name], LETTERS) for name in sorted(ranked[:scripts])}


def evenly(things: list, most: int) -> list:
    """At most so many of them, spread evenly, in their order."""
    if len(things) <= most:
        return things
    return [things[i] for i in np.linspace(0, len(things) - 1, most).astype(int)]


def blurred(shape: np.ndarray) -> np.ndarray:
    """A unit vector whose products with others measure how alike two shapes look."""
    soft = gaussian_filter(shape.astype(np.float32), 2.0)[::2, ::2].ravel()
    return soft / np.linalg.norm(soft)


# --- how they are written --------------------------------------------------------


def thin(shape: np.ndarray) -> np.ndarray:
    """The distance of every pixel of the canvas from the letter's skeleton."""
    return distance_transform_edt(~skeletonize(shape)).astype(np.float32)


def write(
    skeletons: list[np.ndarray], strength: float, rng: np.random.Generator
) -> np.ndarray:
    """Every letter by every writer: bools, (letters, writers, pixels)."""
    images = np.zeros((len(skeletons), WRITERS, SIDE * SIDE), bool)
    for writer in range(WRITERS):
        style = {
            "slant": rng.normal(0, 0.22 * strength),
            "turn": rng.normal(0, 0.12 * strength),
            "size": rng.uniform(1 - 0.28 * strength, 1.12),
            "proportion": rng.normal(0, 0.13 * strength),
            "pen": rng.uniform(1.0, 1.8),
            "shake": rng.uniform(1.6, 3.6) * strength,
        }
        for letter, distance in enumerate(skeletons):
            images[letter, writer] = written(distance, style, strength, rng).ravel()
    return images


def written(
    distance: np.ndarray,
    style: dict[str, float],
    strength: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """One image: the writer's style with a little of the day's own, and a smooth warp.

    The canvas is looked up backwards: where does this pixel of the page come from?
    """
    turn, slant, size, proportion, *shift = rng.normal(0, 1, 6)
    turn = style["turn"] + 0.08 * strength * turn
    slant = style["slant"] + 0.10 * strength * slant
    size = style["size"] * (1 + 0.06 * size)
    proportion = np.exp(style["proportion"] + 0.08 * strength * proportion)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shape = np.array([[proportion / size, 0], [slant, 1 / (proportion * size)]])
    middle = (CANVAS - 1) / 2
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS] - middle
    page = np.stack([rows.ravel(), columns.ravel()])
    page = page - 3.0 * strength * np.array(shift)[:, None]
    where = (rotation @ shape @ page + middle).reshape(2, CANVAS, CANVAS)
    where = where + style["shake"] * np.stack([smooth_noise(rng) for _ in range(2)])
    drawn = map_coordinates(distance, where, order=1, mode="nearest")
    ink = (255 * np.clip(style["pen"] + 0.5 - drawn, 0, 1)).astype(np.uint8)
    small = Image.fromarray(ink).resize((SIDE, SIDE), Image.BOX)
    return np.asarray(small) > 85


def smooth_noise(rng: np.random.Generator) -> np.ndarray:
    """A smooth random field on the canvas, of about unit size."""
    coarse = gaussian_filter(rng.normal(0, 1, (16, 16)), 2.2, mode="wrap") * 7.9
    image = Image.fromarray(coarse.astype(np.float32))
    return np.asarray(image.resize((CANVAS, CANVAS), Image.BICUBIC))


# --- how hard they are -----------------------------------------------------------


def difficulty(file: Path, tasks: int = 4000) -> float:
    """Accuracy of the nearest class mean on pixels: 5-way 1-shot, between scripts."""
    bits = np.load(file)["bits"]
    images = np.unpackbits(bits, axis=-1).reshape(-1, WRITERS, SIDE * SIDE)
    rng, right = np.random.default_rng(SEED), 0.0
    for _ in range(tasks):
        classes = rng.choice(len(images), 5, replace=False)
        examples = rng.permuted(np.tile(np.arange(WRITERS), (5, 1)), axis=1)[:, :4]
        drawn = images[classes[:, None], examples].astype(np.float32)
        drawn /= np.maximum(np.linalg.norm(drawn, axis=-1, keepdims=True), 1e-6)
        guesses = (drawn[:, 1:] @ drawn[:, 0].T).argmax(-1)
        right += (guesses == np.arange(5)[:, None]).mean()
    return right / tasks


if __name__ == "__main__":
    main(sys.argv[1:])
