"""The builder of the letters: the same fonts, seed and libraries, the same bytes."""

import runpy
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from metatutor.data import glyphs

# what only the builder needs; the fonts are Debian's fonts-noto-core
pytest.importorskip("scipy")
pytest.importorskip("skimage")

from PIL import ImageFont

from metatutor.data import build_glyphs

if not (build_glyphs.FONTS / "NotoSans-Regular.ttf").is_file():
    pytest.skip("the Noto fonts are not installed", allow_module_level=True)

FEW = ("NotoSansAvestan", "NotoSansDeseret", "NotoSansGlagolitic")


@pytest.fixture
def few_fonts(tmp_path):
    """A folder with three fonts, of one script each: built in a second."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    for name in FEW:
        (folder / f"{name}-Regular.ttf").symlink_to(
            build_glyphs.FONTS / f"{name}-Regular.ttf"
        )
    return folder


@pytest.fixture(scope="module")
def chosen():
    """The letters that the builder chooses now, from all fonts."""
    return build_glyphs.choose(
        build_glyphs.candidates(build_glyphs.FONTS), build_glyphs.SCRIPTS
    )


def canvas():
    return np.zeros((build_glyphs.CANVAS, build_glyphs.CANVAS), bool)


def bar():
    """An upright bar 9 pixels wide: its skeleton is the line in its middle."""
    shape = canvas()
    shape[10:54, 28:37] = True
    return shape


def style(**changed):
    """A writer without a style of their own."""
    plain = {"slant": 0, "turn": 0, "size": 1, "proportion": 0, "pen": 1.4, "shake": 0}
    return plain | changed


# --- the same every time ---------------------------------------------------------


def test_the_same_fonts_and_seed_give_the_same_bytes(few_fonts, tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    for file in (first, second):
        np.random.seed(len(file.name))  # the global state says nothing
        build_glyphs.build(few_fonts, 2, build_glyphs.STRENGTH, file)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("changed", ["seed", "strength"])
def test_another_seed_or_strength_gives_other_images(
    few_fonts, tmp_path, monkeypatch, changed
):
    strength = build_glyphs.STRENGTH
    build_glyphs.build(few_fonts, 2, strength, tmp_path / "first.npz")
    if changed == "seed":
        monkeypatch.setattr(build_glyphs, "SEED", 1)
    else:
        strength = 0.8
    build_glyphs.build(few_fonts, 2, strength, tmp_path / "second.npz")
    first, second = (np.load(tmp_path / f"{name}.npz") for name in ("first", "second"))
    assert first["letters"].tolist() == second["letters"].tolist()
    assert (first["bits"] != second["bits"]).any(axis=-1).mean() > 0.99


def test_it_does_not_matter_how_a_folder_lists_its_fonts(few_fonts, monkeypatch):
    def names(order):
        listed = order(few_fonts.glob("*"))
        folder = SimpleNamespace(glob=lambda pattern: iter(listed))
        return {
            s: [x for x, _ in v] for s, v in build_glyphs.candidates(folder).items()
        }

    forwards = names(sorted)
    assert names(lambda files: sorted(files, reverse=True)) == forwards
    assert set(forwards) == {"Avestan", "Deseret", "Glagolitic"}


def test_the_shipped_file_is_what_the_builder_draws(chosen, monkeypatch):
    """Letters to the last one, and the first writer's images but for rounding.

    The other writers follow the first in the same stream of random numbers.
    """
    data = glyphs.read()
    assert list(chosen) == data["scripts"].tolist()
    letters = [[letter for letter, _ in drawn] for drawn in chosen.values()]
    assert letters == data["letters"].tolist()
    shapes = [shape for drawn in chosen.values() for _, shape in drawn]
    monkeypatch.setattr(build_glyphs, "WRITERS", 1)
    images = build_glyphs.write(
        [build_glyphs.thin(shape) for shape in shapes],
        build_glyphs.STRENGTH,
        np.random.default_rng(build_glyphs.SEED),
    )
    stored = np.unpackbits(data["bits"][:, :, 0], axis=-1).reshape(images.shape[0], -1)
    assert (images[:, 0] == stored).mean() >= 0.99


def test_the_shipped_split_is_the_builders(monkeypatch):
    """What `splits` draws after all images, whose numbers are drawn and thrown away."""

    def only_draw(distance, style, strength, rng):
        rng.normal(0, 1, 6)
        rng.normal(0, 1, (2, 16, 16))
        return canvas()[: build_glyphs.SIDE, : build_glyphs.SIDE]

    data = glyphs.read()
    rng = np.random.default_rng(build_glyphs.SEED)
    monkeypatch.setattr(build_glyphs, "written", only_draw)
    build_glyphs.write([None] * data["letters"].size, build_glyphs.STRENGTH, rng)
    names = data["scripts"].tolist()
    assert build_glyphs.splits(names, rng) == data["split"].tolist()


def test_the_difficulty_is_in_the_range_that_the_strength_was_set_for():
    assert 0.50 < build_glyphs.difficulty(glyphs.FILE, tasks=2000) < 0.60


def test_a_stronger_difference_between_writers_is_harder(few_fonts, tmp_path):
    def difficulty(strength):
        file = tmp_path / "glyphs.npz"
        build_glyphs.build(few_fonts, 3, strength, file)
        return build_glyphs.difficulty(file, tasks=300)

    assert difficulty(0.2) > difficulty(1.2) + 0.2


# --- which letters ---------------------------------------------------------------


def test_omniglots_scripts_are_tested_and_six_others_validate():
    names = [*build_glyphs.OMNIGLOT[::2], *(f"script {i}" for i in range(20))]
    split = build_glyphs.splits(names, np.random.default_rng(0))
    assert split[:10] == ["test"] * 10
    assert sorted(split[10:]) == ["train"] * 14 + ["val"] * 6
    assert split != build_glyphs.splits(names, np.random.default_rng(1))


def test_omniglots_scripts_in_the_file_are_its_test_split():
    held = set(build_glyphs.OMNIGLOT) & set(glyphs.scripts())
    assert held == set(glyphs.scripts("test"))


def test_letters_of_different_scripts_do_not_look_alike(chosen):
    """Not even in print: A of Latin, Greek and Cyrillic is in the set once."""
    looks = np.stack(
        [build_glyphs.blurred(shape) for v in chosen.values() for _, shape in v]
    )
    alike = looks @ looks.T - np.eye(len(looks))
    assert alike.max() <= 0.93 + 1e-5
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1, rtol=1e-5)


def test_omniglots_scripts_are_chosen_before_all_others(chosen):
    """From one letter each that looks the same, the first script keeps its own."""
    found = {"Zulu": [], "Latin": []}
    for i in range(build_glyphs.LETTERS):
        shape = canvas()
        row, column = 10 + 11 * (i // 5), 8 + 10 * (i % 5)
        shape[row : row + 8, column : column + 8] = True
        for script in found.values():
            script.append((chr(ord("a") + i), shape))
    assert set(build_glyphs.choose(found, 80)) == {"Latin"}


def test_forms_of_a_letter_are_no_other_letter():
    letters = build_glyphs.by_script(build_glyphs.FONTS / "NotoSans-Regular.ttf")
    assert {"Latin", "Greek", "Cyrillic"} <= set(letters)
    assert "".join(letters["Latin"]) == (
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
    assert "ά" not in letters["Greek"]
    assert letters["Greek"] == sorted(letters["Greek"])


def test_a_dot_and_a_blank_are_no_letters():
    font = ImageFont.truetype(build_glyphs.FONTS / "NotoSans-Regular.ttf", 60)
    assert build_glyphs.render(".", font) is None
    assert build_glyphs.render(" ", font) is None


@pytest.mark.parametrize("letter", "MIq")
def test_a_letter_is_rendered_to_size_in_the_middle(letter):
    font = ImageFont.truetype(build_glyphs.FONTS / "NotoSans-Regular.ttf", 60)
    rows, columns = np.nonzero(build_glyphs.render(letter, font))
    spans = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert 39 <= max(spans) <= 43
    for places in (rows, columns):
        middle = (places.min() + places.max()) / 2
        assert abs(middle - (build_glyphs.CANVAS - 1) / 2) <= 1.5


@pytest.mark.parametrize(("length", "most"), [(3, 5), (5, 5), (6, 5), (100, 7)])
def test_evenly_keeps_the_ends_and_the_order(length, most):
    kept = build_glyphs.evenly(list(range(length)), most)
    assert len(kept) == min(length, most)
    assert kept == sorted(set(kept))
    assert (kept[0], kept[-1]) == (0, length - 1)
    assert max(np.diff(kept)) - min(np.diff(kept)) <= 1


# --- how they are written --------------------------------------------------------


def test_a_thinned_bar_is_the_line_in_its_middle():
    distance = build_glyphs.thin(bar())
    assert distance.dtype == np.float32
    # away from its ends, where a skeleton may fork
    rows, columns = np.nonzero(distance[18:46] == 0)
    assert rows.tolist() == list(range(28))  # one pixel wide, without a gap
    assert set(columns) == {32}
    np.testing.assert_allclose(distance[32, 20:45], np.abs(np.arange(20, 45) - 32))


def test_a_writer_without_style_writes_the_skeleton():
    image = build_glyphs.written(
        build_glyphs.thin(bar()), style(), 0.0, np.random.default_rng(0)
    )
    assert image.shape == (28, 28)
    assert image.dtype == bool
    rows, columns = np.nonzero(image)
    assert set(columns) <= {13, 14}  # 32 of 64 is 14 of 28
    assert 15 <= len(set(rows)) <= 23


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"size": 0.7}, lambda image: -np.ptp(np.nonzero(image)[0])),
        ({"pen": 4.0}, lambda image: image.sum()),
        ({"turn": 0.5}, lambda image: np.ptp(np.nonzero(image)[1])),
        ({"slant": 0.5}, lambda image: np.ptp(np.nonzero(image)[1])),
        ({"proportion": -0.4}, lambda image: np.ptp(np.nonzero(image)[0])),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_part_of_a_style_shows(changed, what):
    """Smaller, bolder, turned, slanted, longer: more of ``what`` than without."""

    def measured(**style_changed):
        rng = np.random.default_rng(0)
        distance = build_glyphs.thin(bar())
        return what(build_glyphs.written(distance, style(**style_changed), 0.0, rng))

    assert measured(**changed) > measured() + 1


def test_a_writer_writes_all_letters_in_one_style(monkeypatch):
    styles = []

    def spy(distance, style, strength, rng):
        styles.append(style)
        return np.zeros((28, 28), bool)

    monkeypatch.setattr(build_glyphs, "written", spy)
    build_glyphs.write([None] * 3, 0.65, np.random.default_rng(0))
    by_writer = [styles[i : i + 3] for i in range(0, len(styles), 3)]
    assert len(by_writer) == build_glyphs.WRITERS
    assert all(first == second == third for first, second, third in by_writer)
    assert len({first["slant"] for first, *_ in by_writer}) == build_glyphs.WRITERS


def test_smooth_noise_is_smooth_and_of_unit_size():
    rng = np.random.default_rng(0)
    fields = np.stack([build_glyphs.smooth_noise(rng) for _ in range(300)])
    assert fields.shape == (300, 64, 64)
    assert fields.std() == pytest.approx(1, abs=0.1)
    assert abs(fields.mean()) < 0.1
    assert np.abs(np.diff(fields, axis=1)).max() < 0.5


# --- the command -----------------------------------------------------------------


def test_the_command_writes_a_file_and_measures_it(few_fonts, tmp_path, capsys):
    build_glyphs.main(
        ["--fonts", str(few_fonts), "--scripts", "2", "--out", str(tmp_path)]
    )
    file = tmp_path / "glyphs.npz"
    assert capsys.readouterr().out == f"{file}: {file.stat().st_size:,} bytes\n"
    build_glyphs.main(["--difficulty", str(file)])
    assert "nearest class mean on pixels: 0." in capsys.readouterr().out
    assert np.load(file)["bits"].shape == (2, 20, 20, 98)


def test_without_fonts_the_command_says_where_they_come_from(tmp_path, monkeypatch):
    """``python -m metatutor.data.build_glyphs --fonts /nowhere``"""
    name = "metatutor.data.build_glyphs"
    monkeypatch.setattr(
        sys, "argv", [name, "--fonts", "/nowhere", "--out", str(tmp_path)]
    )
    monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit) as left:
        runpy.run_module(name, run_name="__main__")
    # an exit with words prints them to stderr, and its status is 1
    assert left.value.code == (
        "no Noto fonts in /nowhere: apt-get install fonts-noto-core"
    )
    assert not list(tmp_path.iterdir())
