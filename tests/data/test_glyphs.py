"""The letters in the package: what is in the file, how it is split, what is drawn."""

import hashlib
import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import metatutor as mt
from metatutor.data import glyphs

# the alphabets of Omniglot's one-shot trials and of its small set 2, as Unicode calls
# them: written down a second time, so that the builder's list is checked too
OMNIGLOT = {
    "Avestan", "Cyrillic", "Devanagari", "Ethiopic", "Glagolitic", "Greek", "Gurmukhi",
    "Hiragana", "Kannada", "Katakana", "Latin", "Malayalam", "Meetei Mayek",
    "Mongolian", "Oriya", "Syloti Nagri", "Syriac", "Tagalog", "Tibetan",
}  # fmt: skip


@pytest.fixture
def a_copy(tmp_path, monkeypatch):
    """A copy of the data file in its place, which a test may damage."""
    path = tmp_path / "glyphs.npz"
    path.write_bytes(glyphs.FILE.read_bytes())
    monkeypatch.setattr(glyphs, "FILE", path)
    glyphs.read.cache_clear()
    yield path
    glyphs.read.cache_clear()


@pytest.fixture
def other_data(monkeypatch):
    """Puts arrays in the place of the file's: ``other_data(split=…)``."""

    def replace(**arrays):
        data = glyphs.read() | arrays
        monkeypatch.setattr(glyphs, "read", lambda: data)

    return replace


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def looks(images):
    """Each image as bytes, in a list for each class."""
    bits = np.packbits(images.flatten(2).bool().numpy(), axis=-1)
    return [[image.tobytes() for image in letter] for letter in bits]


def assert_split_by_script():
    """No script, no letter and no image is in two splits; Omniglot's are in test."""
    held = {split: glyphs.load_letters(split) for split in glyphs.SPLITS}
    scripts = {split: set(letters.scripts) for split, letters in held.items()}
    assert {s: len(names) for s, names in scripts.items()} == {
        "train": 58,
        "val": 6,
        "test": 16,
    }
    assert scripts["test"] == OMNIGLOT & set(glyphs.scripts())
    images = {
        split: {image for letter in looks(letters.images) for image in letter}
        for split, letters in held.items()
    }
    for one, other in combinations(glyphs.SPLITS, 2):
        assert not scripts[one] & scripts[other]
        assert not set(held[one].letters) & set(held[other].letters)
        assert not images[one] & images[other]


# --- what is in the file ---------------------------------------------------------


def test_the_file_is_the_one_meant_and_small():
    content = glyphs.FILE.read_bytes()
    assert len(content) <= 1_000_000
    assert hashlib.sha256(content).hexdigest() == glyphs.SHA256


def test_the_file_is_part_of_what_is_installed():
    """An editable installation would have it in any case."""
    project = Path(mt.__file__).parents[1] / "pyproject.toml"
    if not project.is_file():
        pytest.skip("this is the installed package: the other tests read its file")
    settings = tomllib.loads(project.read_text("utf8"))["tool"]["setuptools"]
    patterns = settings["package-data"]["metatutor.data"]
    assert any(glyphs.FILE.match(pattern) for pattern in patterns)


def test_there_are_80_scripts_of_20_letters_by_20_writers():
    held = glyphs.load_letters()
    assert held.images.shape == (1600, 20, 1, 28, 28)
    assert held.images.dtype == torch.float32
    names = glyphs.scripts()
    assert len(names) == len(set(names)) == 80
    assert list(names) == sorted(names)
    assert held.scripts == tuple(name for name in names for _ in range(20))
    assert len(set(held.letters)) == 1600
    assert all(len(letter) == 1 for letter in held.letters)


def test_images_are_ink_on_paper_and_none_is_empty():
    images = glyphs.load_letters().images
    assert set(images.unique().tolist()) == {0.0, 1.0}
    ink = images.flatten(2).mean(-1)
    assert ink.min() > 0
    assert ink.max() < 0.5


def test_the_names_are_those_of_the_images():
    """Two letters that everyone knows: O is round and open, I a stroke in the middle.

    ``(rows, columns)`` each, the mean over writers.
    """
    held = glyphs.load_letters("test")
    drawn = {
        letter: image.mean((0, 1))
        for letter, script, image in zip(
            held.letters, held.scripts, held.images, strict=True
        )
        if script == "Latin"
    }
    middle, around = slice(12, 16), slice(5, 23)
    assert drawn["O"][middle, middle].mean() < 0.15
    assert drawn["O"][around, around].mean() > 0.15
    assert drawn["I"][middle, middle].mean() > 0.3
    assert drawn["I"][:, 9:19].sum() > 0.9 * drawn["I"].sum()


def test_no_two_letters_share_an_image_even_turned():
    """Turning a task must not turn one letter into another, or there is no answer."""
    images = glyphs.load_letters().images
    owner = {}
    for letter, drawn in enumerate(looks(images)):
        for image in drawn:
            assert owner.setdefault(image, letter) == letter
    for quarter in (1, 2, 3):
        turned = torch.rot90(images, quarter, (-2, -1))
        for letter, drawn in enumerate(looks(turned)):
            assert all(owner.get(image, letter) == letter for image in drawn)


def test_writers_differ_and_letters_differ_more():
    images = glyphs.load_letters().images.flatten(2)
    same_letter = (images[:, 0] - images[:, 1]).abs().mean()
    same_writer = (images[:-1, 0] - images[1:, 0]).abs().mean()
    assert 0.02 < same_letter < same_writer


# --- how it is split -------------------------------------------------------------


def test_the_split_is_by_script():
    assert_split_by_script()


@pytest.mark.parametrize(
    ("script", "split"),
    [
        ("Tibetan", "train"),
        ("Latin", "val"),
        ("Adlam", "test"),
        ("Adlam", "val"),
        ("Yi", "train"),
    ],
)
def test_a_script_that_moved_is_noticed(other_data, script, split):
    data = glyphs.read()
    moved = np.where(data["scripts"] == script, split, data["split"])
    assert (moved != data["split"]).sum() == 1
    other_data(split=moved)
    with pytest.raises(AssertionError):
        assert_split_by_script()


@pytest.mark.parametrize("what", ["bits", "letters"])
def test_a_letter_in_two_splits_is_noticed(other_data, what):
    data = glyphs.read()
    names = data["scripts"].tolist()
    leaking = data[what].copy()
    leaking[names.index("Adlam"), 7] = leaking[names.index("Tibetan"), 3]
    other_data(**{what: leaking})
    with pytest.raises(AssertionError):
        assert_split_by_script()


def test_all_is_all_splits():
    parts = [set(glyphs.scripts(split)) for split in glyphs.SPLITS]
    assert set.union(*parts) == set(glyphs.scripts("all")) == set(glyphs.scripts())
    assert sum(map(len, parts)) == 80
    letters = [mt.data.Glyphs(split).letters for split in glyphs.SPLITS]
    assert sorted(sum(letters, ())) == sorted(mt.data.Glyphs("all").letters)


def test_scripts_can_be_left_out():
    whole = glyphs.load_letters("test")
    some = mt.data.Glyphs("test", exclude_scripts=["Latin", "Greek"])
    kept = [i for i, name in enumerate(whole.scripts) if name not in ("Latin", "Greek")]
    assert some.scripts == tuple(whole.scripts[i] for i in kept)
    assert some.letters == tuple(whole.letters[i] for i in kept)
    assert torch.equal(some.examples, whole.images[kept])
    # a script of another split has nothing to leave out here, but is no mistake
    assert len(mt.data.Glyphs("val", exclude_scripts=["Latin"]).letters) == 120


def test_scripts_to_leave_out_come_in_any_form():
    left = {
        len(mt.data.Glyphs("test", exclude_scripts=names).letters)
        for names in ("Latin", ["Latin"], {"Latin"}, (name for name in ["Latin"]))
    }
    assert left == {300}


def test_omniglots_scripts_are_an_exclusion_that_empties_the_test_split():
    with pytest.raises(ValueError, match="no script of the split 'test' is left"):
        mt.data.Glyphs("test", exclude_scripts=OMNIGLOT & set(glyphs.scripts()))


# --- what is drawn ---------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    ways=st.integers(1, 20),
    shots=st.integers(1, 10),
    queries=st.integers(1, 10),
    within=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_every_task_is_sound(ways, shots, queries, within, seed):
    source = mt.data.Glyphs("val", ways, shots, queries, within_script=within)
    batch = source.sample(2, seeded(seed))
    assert batch.support_x.shape == (2, ways * shots, 1, 28, 28)
    assert batch.query_x.shape == (2, ways * queries, 1, 28, 28)
    for classes, task in zip(batch.truth["classes"].tolist(), batch, strict=True):
        assert len(set(classes)) == ways
        if within:
            assert len({source.scripts[c] for c in classes}) == 1
        drawn = looks(torch.cat([task.support_x, task.query_x])[None])[0]
        assert len(set(drawn)) == len(drawn)  # support and query are disjoint
        labels = torch.cat([task.support_y, task.query_y]).tolist()
        for image, label in zip(drawn, labels, strict=True):
            assert image in looks(source.examples[classes[label]][None])[0]


def test_a_task_within_a_script_is_drawn_from_every_script():
    source = mt.data.Glyphs("val", within_script=True)
    classes = source.sample(600, seeded(0)).truth["classes"]
    scripts = [source.scripts[c] for c in classes[:, 0].tolist()]
    counts = [scripts.count(name) for name in glyphs.scripts("val")]
    # 100 expected, standard deviation 9
    assert sum(counts) == 600
    assert all(60 < count < 140 for count in counts)


def test_a_task_between_scripts_mixes_them():
    source = mt.data.Glyphs("test", ways=5)
    classes = source.sample(200, seeded(0)).truth["classes"]
    mixed = [len({source.scripts[c] for c in row}) > 1 for row in classes.tolist()]
    assert all(mixed)


@pytest.mark.parametrize("within", [False, True])
def test_the_generator_is_the_only_randomness(within):
    source = mt.data.Glyphs(
        "val",
        within_script=within,
        augment=[mt.data.augment.turn, mt.data.augment.warp],
    )

    def draw(global_seed, seed=7):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        batch = source.sample(4, seeded(seed))
        assert torch.equal(torch.get_rng_state(), state)
        return torch.cat([batch.support_x, batch.query_x], 1)

    assert torch.equal(draw(0), draw(1))
    assert not torch.equal(draw(0), draw(0, seed=8))


def test_a_source_that_was_changed_changes_no_other():
    mt.data.Glyphs("val").examples.zero_()
    assert mt.data.Glyphs("val").examples.sum() > 0


def test_the_defaults_are_five_ways_one_shot_of_the_training_scripts():
    source = mt.data.Glyphs()
    assert set(source.scripts) == set(glyphs.scripts("train"))
    task = source.sample(1)[0]
    assert task.support_y.tolist() == [0, 1, 2, 3, 4]
    assert len(task.query_y) == 25


def accuracy_on_pixels(tasks, **options):
    """Of the nearest class mean of the images themselves, their length taken out."""
    learner = mt.NearestMean(nn.Flatten())
    source = mt.data.Glyphs("all", ways=5, shots=1, queries=3, **options)
    scores = [
        mt.accuracy(learner.adapt(t.support_x, t.support_y)(t.query_x), t.query_y)
        for t in source.sample(tasks, seeded(0))
    ]
    return torch.stack(scores).mean().item()


def test_letters_are_about_as_hard_to_tell_apart_as_omniglots():
    """5-way 1-shot between scripts, the figure that the strength was set by.

    Tasks differ by 0.13 (standard deviation): the mean of 1500 is known to 0.004.
    """
    assert 0.50 < accuracy_on_pixels(tasks=1500) < 0.60


def test_letters_of_one_script_are_harder_to_tell_apart():
    within = accuracy_on_pixels(tasks=800, within_script=True)
    assert within < accuracy_on_pixels(tasks=800) - 0.02


# --- what is refused -------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, r"split is 'dev': one of \('train', 'val', 'test', 'all'\)"),
        ({"split": None}, "split is None: one of"),
        ({"exclude_scripts": ["Klingon"]}, "'Klingon' is none of the scripts: Adlam, "),
        ({"exclude_scripts": "latin"}, "'latin' is none of the scripts: "),
        ({"ways": 121, "split": "val"}, "121 ways asked for, but there are 120"),
        (
            {"ways": 21, "within_script": True},
            "21 ways within one group asked for, but Adlam has 20 classes",
        ),
        ({"shots": 15, "queries": 6}, r"15 shots \+ 6 queries need 21 .* there are 20"),
        ({"ways": 0}, "ways is 0: a whole number of at least 1"),
        ({"queries": 2.0}, r"queries is 2\.0: a whole number"),
    ],
)
def test_settings_that_make_no_sense_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        mt.data.Glyphs(**options)


def test_everything_up_to_the_limits_is_drawn():
    source = mt.data.Glyphs("val", ways=20, shots=19, queries=1, within_script=True)
    assert source.sample(1).support_x.shape == (1, 380, 1, 28, 28)
    assert len(mt.data.Glyphs("val", ways=120).sample(1)[0].support_y) == 120


def truncated(content):
    return content[:-1000]


def one_bit_flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [truncated, one_bit_flipped, lambda content: b"", lambda c: c + b"\0"]
)
def test_a_damaged_file_is_refused_with_both_checksums(a_copy, damage):
    bad = damage(a_copy.read_bytes())
    a_copy.write_bytes(bad)
    with pytest.raises(mt.DataError) as caught:
        mt.data.Glyphs()
    message = str(caught.value)
    assert str(a_copy) in message
    assert f"SHA-256 should be {glyphs.SHA256}" in message
    assert f"but is {hashlib.sha256(bad).hexdigest()}. Install metatutor" in message


def test_a_missing_file_is_refused_with_what_to_do(a_copy):
    a_copy.unlink()
    with pytest.raises(mt.DataError, match=r"glyphs\.npz is missing: install metatut"):
        mt.data.Glyphs()


def test_a_file_that_is_whole_again_is_read(a_copy):
    """A refusal is not remembered."""
    content = a_copy.read_bytes()
    a_copy.write_bytes(content[:-1])
    with pytest.raises(mt.DataError):
        mt.data.Glyphs()
    a_copy.write_bytes(content)
    assert len(mt.data.Glyphs("val").letters) == 120
