"""The characters in the package: what is in the file, how it is split and drawn."""

import hashlib
import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

import metatutor as mt
from metatutor.data import hanzi


@pytest.fixture
def a_copy(tmp_path, monkeypatch):
    """A copy of the data file in its place, which a test may damage."""
    path = tmp_path / "hanzi.npz"
    path.write_bytes(hanzi.FILE.read_bytes())
    monkeypatch.setattr(hanzi, "FILE", path)
    hanzi.read.cache_clear()
    yield path
    hanzi.read.cache_clear()


@pytest.fixture(scope="module")
def held():
    return {split: mt.data.Hanzi(split) for split in hanzi.SPLITS}


def test_the_file_is_the_one_meant_and_small():
    content = hanzi.FILE.read_bytes()
    assert len(content) <= 1_300_000
    assert hashlib.sha256(content).hexdigest() == hanzi.SHA256


def test_all_data_stay_below_3_megabytes():
    folder = hanzi.FILE.parent
    assert sum(file.stat().st_size for file in folder.glob("*.npz")) < 3_000_000


def test_the_file_and_its_licence_are_part_of_what_is_installed():
    """An editable installation would have it in any case."""
    project = Path(mt.__file__).parents[1] / "pyproject.toml"
    if not project.is_file():
        pytest.skip("this is the installed package: the other tests read its file")
    settings = tomllib.loads(project.read_text("utf8"))["tool"]["setuptools"]
    patterns = settings["package-data"]["metatutor.data"]
    for file in (hanzi.FILE, hanzi.FILE.with_name("hanzi.README.md")):
        assert file.is_file()
        assert any(file.match(pattern) for pattern in patterns)


def test_the_licences_name_every_font_and_the_dictionary():
    text = hanzi.FILE.with_name("hanzi.README.md").read_text("utf8")
    for style in mt.data.Hanzi().styles:
        assert style.removesuffix(" Bold") in text
    assert "CC BY 3.0" in text and "kfcd/chaizi" in text and "Open Font License" in text


def test_there_are_1200_characters_in_14_fonts_of_182_components():
    every = mt.data.Hanzi("all")
    assert every.images.shape == (1200, 14, 1, 28, 28)
    assert every.descriptions.shape == (1200, 182)
    assert every.images.dtype == every.descriptions.dtype == torch.float32
    assert len(every) == len(set(every.characters)) == 1200
    assert len(set(every.components)) == 182
    assert len(set(every.styles)) == 14
    assert all(len(name) == 1 for name in every.characters + every.components)


def test_the_splits_share_no_character_and_no_image(held):
    assert [len(held[split]) for split in hanzi.SPLITS] == [1000, 80, 120]
    looks = {
        split: {
            np.packbits(image.bool().numpy()).tobytes()
            for image in its.images.flatten(0, 1)
        }
        for split, its in held.items()
    }
    for one, other in combinations(hanzi.SPLITS, 2):
        assert not set(held[one].characters) & set(held[other].characters)
        assert not looks[one] & looks[other]


def test_the_font_splits_share_no_family():
    train, test = (mt.data.Hanzi("val", styles).styles for styles in ("train", "test"))
    assert (len(train), len(test)) == (11, 3)
    assert train + test == mt.data.Hanzi("val").styles
    assert not {name.removesuffix(" Bold") for name in train} & set(test)
    everything = mt.data.Hanzi("val").images
    assert torch.equal(mt.data.Hanzi("val", "test").images, everything[:, 11:])


def test_every_component_of_a_character_is_in_three_of_training(held):
    assert held["train"].descriptions.sum(0).min() >= 3


def test_no_two_characters_have_one_description():
    """Or no description could tell them apart, and a seen class would give it away."""
    descriptions = mt.data.Hanzi("all").descriptions
    assert len(descriptions.unique(dim=0)) == 1200
    assert set(descriptions.sum(1).tolist()) == {2.0, 3.0}


def test_descriptions_are_those_that_a_reader_knows():
    every = mt.data.Hanzi("all")
    known = {"明": "日月", "男": "田力", "岩": "山石", "相": "木目", "抄": "扌少"}
    assert all(set(every.parts(c)) == set(its) for c, its in known.items())


def test_images_are_ink_on_paper_and_none_is_empty():
    images = mt.data.Hanzi("all").images
    assert set(images.unique().tolist()) == {0.0, 1.0}
    ink = images.flatten(2).mean(-1)
    assert ink.min() > 0.02
    assert ink.max() < 0.75


def test_a_bold_font_has_more_ink_than_its_regular():
    every = mt.data.Hanzi("all")
    ink = dict(zip(every.styles, every.images.mean((0, 2, 3, 4)).tolist(), strict=True))
    for name in ("Noto Sans SC", "Noto Serif SC"):
        assert ink[f"{name} Bold"] > 1.1 * ink[name]


def test_a_character_looks_most_like_itself_in_another_font():
    """Far above chance (1 in 1,200), or the names would not be those of the images."""
    every = mt.data.Hanzi("all")
    one, other = every.images[:, 0].flatten(1), every.images[:, 2].flatten(1)
    unit = torch.nn.functional.normalize
    guesses = (unit(one, dim=1) @ unit(other, dim=1).T).argmax(1)
    assert (guesses == torch.arange(1200)).float().mean() > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, r"split is 'dev': one of \('train', 'val', 'test', 'all'\)"),
        ({"split": None}, "split is None: one of"),
        ({"styles": "val"}, r"styles is 'val': one of \('train', 'test', 'all'\)"),
    ],
)
def test_settings_that_make_no_sense_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        mt.data.Hanzi(**options)


def test_a_character_of_another_split_has_no_parts(held):
    with pytest.raises(ValueError, match="is none of the 80 characters"):
        held["val"].parts(held["test"].characters[0])


def truncated(content):
    return content[:-1000]


def one_bit_flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [truncated, one_bit_flipped, lambda content: b""])
def test_a_damaged_file_is_refused_with_both_checksums(a_copy, damage):
    bad = damage(a_copy.read_bytes())
    a_copy.write_bytes(bad)
    with pytest.raises(mt.DataError) as caught:
        mt.data.Hanzi()
    message = str(caught.value)
    assert str(a_copy) in message
    assert f"SHA-256 should be {hanzi.SHA256}" in message
    assert f"but is {hashlib.sha256(bad).hexdigest()}. Install metatutor" in message


def test_a_missing_file_is_refused_with_what_to_do(a_copy):
    a_copy.unlink()
    with pytest.raises(mt.DataError, match=r"hanzi\.npz is missing: install metatutor"):
        mt.data.Hanzi()
