"""One-shot trials: read as they are, refused if they are not, made from recipes."""

import io
import json
import random
import re
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import metatutor as mt
from metatutor.data import trials
from metatutor.data.files import DataError
from metatutor.data.omniglot import Characters, read_drawings, read_image, shrunk
from metatutor.data.trials import (
    Trial,
    load_recipe,
    make_recipe,
    read_trials,
    recipe_tasks,
    save_recipe,
    write_trials,
)

RECIPES = Path(mt.__file__).parent / "experiments/omniglot_challenge"


def png(seed, size=(105, 105)):
    """A drawing of a few strokes, black on white, as Omniglot's files are."""
    image = Image.new("1", size, 1)
    ends = np.random.default_rng(seed).integers(5, min(size) - 5, (4, 2))
    line = [tuple(end) for end in ends.tolist()]
    ImageDraw.Draw(image).line(line, fill=0, width=3)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


ORDERS = {"run01": [2, 0, 1], "run02": [1, 2, 0]}  # the class of each item


def sound():
    """Two runs, three ways: the contents of all their files by name."""
    content = {}
    for r, (run, order) in enumerate(ORDERS.items()):
        for i in range(3):
            content[f"{run}/training/class{i + 1:02d}.png"] = png(10 * r + i)
            content[f"{run}/test/item{i + 1:02d}.png"] = png(100 + 10 * r + i)
        content[f"{run}/class_labels.txt"] = "".join(
            f"{run}/test/item{i + 1:02d}.png {run}/training/class{k + 1:02d}.png\n"
            for i, k in enumerate(order)
        ).encode()
    return content


def in_zip(content, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that are there twice
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items() if isinstance(content, dict) else content:
                archive.writestr(name, data)
    return path


def in_folder(content, path):
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def as_zip(content, tmp_path):
    return in_zip(content, tmp_path / "trials.zip")


def as_folder(content, tmp_path):
    return in_folder(content, tmp_path / "trials")


def renamed(content, change):
    return {change(name): data for name, data in content.items()}


def check(batch):
    """The batch is what `sound` holds."""
    content = sound()

    def image(name):
        return shrunk(Image.open(io.BytesIO(content[name])))

    assert batch.support_x.shape == batch.query_x.shape == (2, 3, 1, 28, 28)
    assert batch.support_y.tolist() == [[0, 1, 2]] * 2
    assert batch.query_y.tolist() == list(ORDERS.values())
    for r, run in enumerate(ORDERS):
        for i in range(3):
            training = image(f"{run}/training/class{i + 1:02d}.png")
            assert torch.equal(batch.support_x[r, i], training)
            test = image(f"{run}/test/item{i + 1:02d}.png")
            assert torch.equal(batch.query_x[r, i], test)


both = pytest.mark.parametrize("store", [as_zip, as_folder])


# --- what is read ----------------------------------------------------------------


@both
def test_trials_are_read_from_a_folder_or_a_zip(store, tmp_path):
    path = store(sound(), tmp_path)
    before = sorted(tmp_path.rglob("*"))
    check(mt.data.read_trials(path, runs=2))
    check(mt.data.read_trials(str(path), runs=2))
    assert sorted(tmp_path.rglob("*")) == before  # nothing is extracted


@both
def test_order_is_by_name_however_files_are_stored(store, tmp_path):
    content = list(sound().items())
    random.Random(0).shuffle(content)
    check(read_trials(store(dict(content), tmp_path), runs=2))


@both
def test_runs_may_lie_in_one_folder(store, tmp_path):
    path = store(renamed(sound(), lambda name: f"all_runs/{name}"), tmp_path)
    check(read_trials(path, runs=2))


@both
def test_runs_on_top_come_before_copies_of_them_below(store, tmp_path):
    copies = {f"old/{name}": png(7) for name in sound() if name.endswith("png")}
    check(read_trials(store(copies | sound(), tmp_path), runs=2))


LITTER = {
    "__MACOSX/run01/training/._class01.png": b"Mac",
    "__MACOSX/run01/._class_labels.txt": b"Mac",
    "__MACOSX/._run01": b"Mac",
    "run01/.DS_Store": b"Mac",
    "run01/training/._class02.png": b"Mac",
    "run01/training/Thumbs.db": b"Windows",
    "run01/training/class01.png.bak": b"a copy",
    "run01/training/more/class09.png": b"too deep",
    "run01/test/class01.png": b"no item",
    "readme.txt": b"",
    "demo/run.py": b"",
}


@both
def test_what_does_not_belong_to_a_run_is_left_out(store, tmp_path):
    check(read_trials(store(LITTER | sound(), tmp_path), runs=2))


@both
def test_what_does_not_belong_to_a_run_is_left_out_below_a_folder(store, tmp_path):
    def below(name):
        return re.sub("^(__MACOSX/)?", r"\1all_runs/", name)

    check(read_trials(store(renamed(LITTER | sound(), below), tmp_path), runs=2))


@pytest.mark.timeout(60)
def test_links_that_lead_back_do_no_harm(tmp_path):
    """A folder is searched no deeper than runs lie: links could go on for ever."""
    path = as_folder(sound(), tmp_path)
    for name in ("one", "two"):
        (path / "run01/training" / name).symlink_to(path, target_is_directory=True)
    check(read_trials(path, runs=2))


@both
@pytest.mark.parametrize("change", [str.upper, str.title])
def test_case_does_not_matter(store, change, tmp_path):
    check(read_trials(store(renamed(sound(), change), tmp_path), runs=2))


def test_a_zip_may_name_its_folders_and_say_where_it_is(tmp_path):
    content = renamed(sound(), lambda name: f"./{name}")
    folders = {f"./run01/{name}/": b"" for name in ("", "training", "test")}
    check(read_trials(as_zip(folders | content, tmp_path), runs=2))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(" ", "  \t ").replace("\n", " \n\n  \n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: "".join(reversed(text.splitlines(keepends=True))),
        str.upper,
    ],
    ids=["CRLF", "space", "byte order mark", "no last newline", "reversed", "upper"],
)
def test_label_files_are_read_however_they_are_written(change, tmp_path):
    content = sound()
    for run in ORDERS:
        name = f"{run}/class_labels.txt"
        content[name] = change(content[name].decode()).encode()
    check(read_trials(as_folder(content, tmp_path), runs=2))


@both
def test_runs_are_in_the_order_of_their_numbers(store, tmp_path):
    one = {k[6:]: v for k, v in sound().items() if k.startswith("run01/")}
    content = {}
    for run in range(1, 12):
        for name, data in one.items():
            data = data.replace(b"run01", f"run{run}".encode())
            content[f"run{run}/{name}"] = data
        content[f"run{run}/training/class01.png"] = png(1000 + run)
    batch = read_trials(store(content, tmp_path), runs=11)
    for run in range(1, 12):
        assert torch.equal(batch.support_x[run - 1, 0], read_image(png(1000 + run), ""))


# --- what is refused -------------------------------------------------------------


def without(*names):
    return lambda content: [content.pop(name) for name in names]


def with_labels(change, run="run02"):
    def harm(content):
        name = f"{run}/class_labels.txt"
        lines = content[name].decode().splitlines()
        content[name] = "\n".join(change(lines)).encode()

    return harm


def with_file(name, data):
    return lambda content: content.update({name: data})


LINE = "'run02/test/itemNN.png run02/training/classNN.png'"
HARMS = {
    "no training image": (
        without(*(f"run02/training/class{i:02d}.png" for i in (1, 2, 3))),
        "run02 has no training/class01.png, nor any other",
    ),
    "no test image": (
        without(*(f"run01/test/item{i:02d}.png" for i in (1, 2, 3))),
        "run01 has no test/item01.png, nor any other",
    ),
    "no labels": (
        without("run02/class_labels.txt"),
        "run02/class_labels.txt is missing",
    ),
    "one training image missing": (
        without("run02/training/class03.png"),
        "run02/class_labels.txt, line 2 names run02/training/class03.png, which is no "
        "training image of this run",
    ),
    "one test image missing": (
        without("run02/test/item02.png"),
        "run02/class_labels.txt, line 2 names run02/test/item02.png, which is no test "
        "image of this run",
    ),
    "one training image too many": (
        with_file("run02/training/class04.png", png(5)),
        "run02/class_labels.txt: run02/training/class04.png is the answer to no test",
    ),
    "one test image too many": (
        with_file("run02/test/item04.png", png(5)),
        "run02/class_labels.txt has no label for run02/test/item04.png",
    ),
    "a label missing": (
        with_labels(lambda lines: lines[:-1]),
        "run02/class_labels.txt has no label for run02/test/item03.png",
    ),
    "no label at all": (
        with_labels(lambda lines: []),
        "run02/class_labels.txt has no label for run02/test/item01.png",
    ),
    "two labels": (
        with_labels(lambda lines: [*lines, lines[0].replace("class02", "class01")]),
        "run02/class_labels.txt, line 4: a second label for run02/test/item01.png",
    ),
    "the same label twice": (
        with_labels(lambda lines: [*lines, lines[0]]),
        "run02/class_labels.txt, line 4: a second label for run02/test/item01.png",
    ),
    "one class twice": (
        with_labels(lambda lines: [re.sub(r"class\d+", "class01", x) for x in lines]),
        "run02/class_labels.txt: run02/training/class02.png is the answer to no test",
    ),
    "one word": (
        with_labels(lambda lines: [lines[0], "run02/test/item02.png", lines[2]]),
        f"class_labels.txt, line 2 is 'run02/test/item02.png': it should read {LINE}",
    ),
    "three words": (
        with_labels(lambda lines: [lines[0] + " 5", *lines[1:]]),
        "class02.png 5': it should read",
    ),
    "columns swapped": (
        with_labels(lambda lines: [" ".join(x.split()[::-1]) for x in lines]),
        "line 1 names run02/training/class02.png, which is no test image",
    ),
    "another run's labels": (
        with_labels(lambda lines: [x.replace("run02", "run01") for x in lines]),
        "run02/class_labels.txt, line 1 is 'run01/test/item01.png run01/training/class",
    ),
    "no run in the labels": (
        with_labels(lambda lines: [x.replace("run02/", "") for x in lines]),
        f"it should read {LINE}",
    ),
    "labels lead outside": (
        with_labels(
            lambda lines: [x.replace("test/", "../run02/test/") for x in lines]
        ),
        "line 1 names run02/../run02/test/item01.png, which is no test image",
    ),
    "labels in another encoding": (
        with_file("run02/class_labels.txt", "run02".encode("utf-16")),
        "run02/class_labels.txt is no UTF-8 text",
    ),
    "no image": (
        with_file("run01/test/item02.png", b"<html>"),
        "run01/test/item02.png cannot be read as a PNG image",
    ),
    "an empty image": (
        with_file("run02/training/class01.png", b""),
        "run02/training/class01.png cannot be read as a PNG image",
    ),
    "a truncated image": (
        with_file("run02/training/class01.png", png(0)[:-30]),
        "run02/training/class01.png cannot be read as a PNG image",
    ),
    "a small image": (
        with_file("run02/training/class01.png", png(0, (28, 28))),
        "run02/training/class01.png is 28×28 pixels: a drawing is 105×105",
    ),
    "a run missing": (
        lambda content: [
            content.pop(n) for n in list(content) if n.startswith("run01")
        ],
        "holds 1 runs, not 2 (missing: run01)",
    ),
}


@both
@pytest.mark.parametrize(("harm", "message"), HARMS.values(), ids=HARMS)
def test_what_is_missing_or_contradictory_is_named(store, harm, message, tmp_path):
    content = sound()
    harm(content)
    path = store(content, tmp_path)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        read_trials(path, runs=2)
    assert str(caught.value).startswith(str(path))


@both
def test_runs_of_different_sizes_are_refused(store, tmp_path):
    content = sound()
    content["run02/training/class04.png"] = png(5)
    content["run02/test/item04.png"] = png(6)
    content["run02/class_labels.txt"] += (
        b"run02/test/item04.png run02/training/class04.png"
    )
    message = "run02 has 4 training and 4 test images, but run01 has 3 and 3"
    with pytest.raises(DataError, match=message):
        read_trials(store(content, tmp_path), runs=2)


@both
def test_an_item_with_the_same_answer_as_another_is_no_error(store, tmp_path):
    content = sound()
    for run in ORDERS:
        content[f"{run}/test/item04.png"] = png(6)
        line = f"{run}/test/item04.png {run}/training/class02.png"
        content[f"{run}/class_labels.txt"] += line.encode()
    batch = read_trials(store(content, tmp_path), runs=2)
    assert batch.query_y.tolist() == [[2, 0, 1, 1], [1, 2, 0, 1]]


@both
def test_the_official_number_of_runs_is_expected_unless_told_otherwise(store, tmp_path):
    path = store(sound(), tmp_path)
    with pytest.raises(DataError, match=r"2 runs, not 20 \(missing: run03, .*runs=2$"):
        read_trials(path)
    with pytest.raises(DataError, match=r"2 runs, not 1 \(missing: none\)"):
        read_trials(path, runs=1)
    with pytest.raises(ValueError, match="runs is 0: a whole number"):
        read_trials(path, runs=0)


@both
@pytest.mark.parametrize(
    "change",
    [lambda n: n.replace("run", "trial"), lambda n: f"a/b/{n}", lambda n: n[6:]],
    ids=["other names", "too deep", "one run alone"],
)
def test_a_place_without_runs_is_refused(store, change, tmp_path):
    path = store(renamed(sound(), change), tmp_path)
    message = "holds no trials: folders run01, run02, … are needed in it, or in one"
    with pytest.raises(DataError, match=message):
        read_trials(path, runs=2)


@both
def test_runs_in_several_folders_are_refused(store, tmp_path):
    content = {f"{folder}/{n}": d for folder in "ab" for n, d in sound().items()}
    with pytest.raises(DataError, match="runs in several folders, a, b: one of them"):
        read_trials(store(content, tmp_path), runs=2)


def test_a_file_that_is_there_twice_is_refused(tmp_path):
    for twin in ("run01/training/class01.png", "Run01/training/CLASS01.png"):
        path = in_zip([*sound().items(), (twin, png(9))], tmp_path / "trials.zip")
        with pytest.raises(
            DataError, match=r"run01/training/class01\.png is there twic"
        ):
            read_trials(path, runs=2)


def test_nothing_there_says_where_the_official_trials_are(tmp_path):
    path = tmp_path / "all_runs.zip"
    with pytest.raises(DataError, match=f"{path} is missing: save {trials.OFFICIAL}"):
        read_trials(path)


@pytest.mark.parametrize("data", [b"", b"<html>", png(0), b"PK\x03\x04"])
def test_a_file_that_is_no_zip_is_refused(data, tmp_path):
    path = tmp_path / "all_runs.zip"
    path.write_bytes(data)
    with pytest.raises(
        DataError, match=r"all_runs\.zip is no zip file, or a truncated"
    ):
        read_trials(path)


@pytest.mark.parametrize(
    "name", ["../run01/training/class04.png", "run01/../../../etc/passwd", "run01/.."]
)
def test_a_zip_with_names_that_lead_outside_is_refused(name, tmp_path):
    path = as_zip(sound() | {name: b"mischief"}, tmp_path)
    with pytest.raises(DataError, match=f"{re.escape(name)}, which leads outside"):
        read_trials(path, runs=2)
    assert list(tmp_path.iterdir()) == [path]


def test_a_member_that_was_altered_is_named(tmp_path):
    path = as_zip(sound(), tmp_path)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("run02/test/item02.png")
    data[info.header_offset + 30 + len(info.filename) + 20] ^= 255
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"run02/test/item02\.png in .* cannot be read"):
        read_trials(path, runs=2)


def test_a_locked_member_is_named(tmp_path):
    path = as_zip(sound(), tmp_path)
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"cannot be read .*(password|encrypted)"):
        read_trials(path, runs=2)


def test_a_truncated_or_altered_zip_never_gives_other_trials(tmp_path):
    """Wherever a byte is lost or changed: an error that names the zip, or no harm."""
    path = as_zip(sound(), tmp_path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for i in range(400):
        bad = bytearray(good)
        if i % 2:
            del bad[rng.integers(len(bad)) :]
        else:
            bad[rng.integers(len(bad))] ^= int(rng.integers(1, 256))
        path.write_bytes(bad)
        try:
            batch = read_trials(path, runs=2)
        except DataError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            check(batch)
    assert refused > 350


# --- recipes ---------------------------------------------------------------------

ALPHABETS = {
    name: [f"character{i + 1:02d}" for i in range(count)]
    for name, count in {"Zeta": 4, "Alpha": 6, "Mu": 5}.items()
}


def test_a_recipe_takes_the_alphabets_in_turn_and_different_characters_and_drawers():
    recipe = make_recipe(ALPHABETS, trials=300, ways=4)
    assert [trial.alphabet for trial in recipe] == ["Alpha", "Mu", "Zeta"] * 100
    for trial in recipe:
        assert len(set(trial.characters)) == 4
        assert set(trial.characters) <= set(ALPHABETS[trial.alphabet])
        assert trial.training_drawer != trial.test_drawer
        assert sorted(trial.order) == [0, 1, 2, 3]
    drawers = Counter(t.training_drawer for t in recipe)
    assert set(drawers) == {t.test_drawer for t in recipe} == set(range(1, 21))
    assert max(drawers.values()) < 35  # 15 on average
    orders = Counter(t.order for t in recipe)
    assert len(orders) == 24  # all of them
    taken = Counter(c for t in recipe if t.alphabet == "Alpha" for c in t.characters)
    assert min(taken.values()) > 45  # 67 on average


def test_the_same_seed_makes_the_same_recipe_and_disturbs_nothing():
    state = random.getstate()
    first = make_recipe(ALPHABETS, trials=5, ways=3, seed=7)
    assert random.getstate() == state
    backwards = {k: v[::-1] for k, v in reversed(ALPHABETS.items())}
    assert make_recipe(backwards, trials=5, ways=3, seed=7) == first
    assert make_recipe(ALPHABETS, trials=5, ways=3, seed=8) != first
    assert make_recipe(ALPHABETS, trials=3, ways=3, seed=7) == first[:3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ways": 5}, "5 ways asked for, but Zeta has 4 characters: leave it out"),
        ({"ways": 0}, "ways is 0: a whole number"),
        ({"trials": 0}, "trials is 0: a whole number"),
        ({"alphabets": {}}, "no alphabet to make trials from"),
        ({"alphabets": {"A": ["one", "one"]}, "ways": 2}, "2 ways .*A has 1 char"),
    ],
)
def test_recipes_that_cannot_be_made_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_recipe(**{"alphabets": ALPHABETS, "ways": 3} | options)


def test_a_recipe_is_saved_and_loaded_as_it_is(tmp_path):
    recipe = make_recipe(ALPHABETS, trials=5, ways=4)
    recipe.append(Trial("日本語", ("か", "き", "く", "け"), 3, 1, (3, 1, 0, 2)))
    path = tmp_path / "recipe.json"
    save_recipe(recipe, path)
    assert load_recipe(path) == recipe
    assert len(path.read_bytes().splitlines()) == 6 + 2  # a line for each trial


ROW = {
    "alphabet": "Mu",
    "characters": ["character01", "character02"],
    "training_drawer": 1,
    "test_drawer": 2,
    "order": [1, 0],
}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[1, 2", "is no JSON"),
        ({"trials": [ROW]}, "is no recipe: a list of trials"),
        ([], "is no recipe: a list of trials"),
        ([ROW, 5], "trial 2: exactly alphabet, characters, .* are needed"),
        ([ROW, {"alphabet": "Mu"}], "trial 2: exactly alphabet"),
        ([ROW | {"seed": 0}], "trial 1: exactly alphabet"),
        ([ROW | {"characters": "ab"}], "trial 1: characters is 'ab', not a list"),
        ([ROW | {"characters": ["a", 5]}], "trial 1: .* are names"),
        ([ROW | {"characters": [["a"], "b"]}], "trial 1: .* are names"),
        ([ROW | {"alphabet": None}], "trial 1: .* are names"),
        ([ROW | {"characters": ["a", "a"]}], r"characters are \('a', 'a'\): all diff"),
        ([ROW | {"characters": [], "order": []}], r"characters are \(\): all diff"),
        ([ROW | {"test_drawer": 1}], r"drawers are \(1, 1\): two different of 1 to 20"),
        ([ROW | {"test_drawer": 21}], r"drawers are \(1, 21\)"),
        ([ROW | {"training_drawer": 0}], r"drawers are \(0, 2\)"),
        ([ROW | {"test_drawer": 2.0}], r"\(1, 2\.0\) .* are integers"),
        ([ROW | {"test_drawer": "2"}], r"\(1, '2'\) .* are integers"),
        ([ROW | {"training_drawer": True}], r"\(True, 2\) .* are integers"),
        ([ROW | {"order": 5}], "trial 1: order is 5, not a list"),
        (
            [ROW | {"order": [1, 1]}],
            r"order is \(1, 1\): each of 0 to 1 is needed once",
        ),
        ([ROW | {"order": [0]}], r"order is \(0,\)"),
        ([ROW | {"order": [1, 2]}], r"order is \(1, 2\)"),
        ([ROW | {"order": [1, None]}], r"order \(1, None\) are integers"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(data, message, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    with pytest.raises(DataError, match=message) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(str(path))


def test_a_recipe_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"recipe\.json is missing"):
        load_recipe(tmp_path / "recipe.json")


# --- trials made from them -------------------------------------------------------


@pytest.fixture(scope="module")
def drawings():
    names = [(a, c, d) for a in ALPHABETS for c in ALPHABETS[a] for d in range(1, 21)]
    return {name: png(seed) for seed, name in enumerate(names)}


@pytest.fixture(scope="module")
def held(drawings):
    """The same drawings as learners see them."""
    classes = sorted({name[:2] for name in drawings})
    images = [
        torch.stack([read_image(drawings[*name, d], "") for d in range(1, 21)])
        for name in classes
    ]
    alphabets, characters = zip(*classes, strict=True)
    return Characters(torch.stack(images), alphabets, characters)


def test_written_and_read_back_trials_are_those_of_the_recipe(drawings, held, tmp_path):
    recipe = make_recipe(ALPHABETS, trials=12, ways=4, seed=3)
    write_trials(drawings, recipe, tmp_path / "new" / "trials")
    back = read_trials(tmp_path / "new" / "trials", runs=12)
    direct = recipe_tasks(held, recipe)
    for one, other in zip(back.tensors, direct.tensors, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert back.truth == direct.truth == {}


def test_a_trial_shows_what_its_recipe_says(held):
    trial = Trial("Mu", ("character05", "character02", "character01"), 7, 20, (1, 2, 0))
    batch = recipe_tasks(held, [trial])
    at = {n: i for i, n in enumerate(held.characters) if held.alphabets[i] == "Mu"}
    training = [held.images[at[f"character0{i}"], 7 - 1] for i in (5, 2, 1)]
    test = [held.images[at[f"character0{i}"], 20 - 1] for i in (2, 1, 5)]
    assert torch.equal(batch.support_x[0], torch.stack(training))
    assert torch.equal(batch.query_x[0], torch.stack(test))
    assert batch.query_y.tolist() == [[1, 2, 0]]


def test_trials_are_written_in_the_official_layout_as_they_were_drawn(
    drawings, tmp_path
):
    trial = Trial("Mu", ("character05", "character02"), 7, 20, (1, 0))
    write_trials(drawings, [trial, trial], tmp_path)
    files = {f.relative_to(tmp_path).as_posix() for f in tmp_path.rglob("*.*")}
    inside = {
        "training/class01.png": drawings["Mu", "character05", 7],
        "training/class02.png": drawings["Mu", "character02", 7],
        "test/item01.png": drawings["Mu", "character02", 20],
        "test/item02.png": drawings["Mu", "character05", 20],
    }
    for run in ("run01", "run02"):
        for name, data in inside.items():
            assert (tmp_path / run / name).read_bytes() == data
        assert (tmp_path / run / "class_labels.txt").read_bytes().decode() == (
            f"{run}/test/item01.png {run}/training/class02.png\n"
            f"{run}/test/item02.png {run}/training/class01.png\n"
        )
    assert files == {f"{r}/{n}" for r in ("run01", "run02") for n in inside} | {
        "run01/class_labels.txt",
        "run02/class_labels.txt",
    }


def test_a_recipe_that_does_not_fit_the_drawings_writes_nothing(
    drawings, held, tmp_path
):
    good = make_recipe(ALPHABETS, trials=2, ways=3)
    names = ("character01", "character02", "character77")
    for recipe, message in (
        ([*good, Trial("Mu", names, 1, 2, (0, 1, 2))], "trial 3 needs Mu/character77"),
        (
            [*good, Trial("Mu", names[:2], 1, 2, (0, 1))],
            "trial 3 has 2 characters, but",
        ),
        ([], "the recipe is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            recipe_tasks(held, recipe)
        with pytest.raises(ValueError, match=message):
            write_trials(drawings, recipe, tmp_path / "trials")
    assert not (tmp_path / "trials").exists()


def test_trials_are_not_written_over_what_is_there(drawings, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty: give a new folder"):
        write_trials(drawings, make_recipe(ALPHABETS, 1, 3), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


# --- the recipes that come with the package --------------------------------------

SMALL2 = {"Greek": 24, "Japanese_(katakana)": 47, "Latin": 26, "Sanskrit": 42}


@pytest.mark.parametrize(
    ("file", "alphabets"),
    [
        # what small1 does not hold
        ("small2-new.json", ["Japanese_(katakana)", "Sanskrit"]),
        ("small2-all.json", list(SMALL2)),
    ],
)
def test_the_recipes_of_the_package_can_be_made_again(file, alphabets):
    recipe = load_recipe(RECIPES / file)
    assert len(recipe) == 20
    names = {a: [f"character{i + 1:02d}" for i in range(SMALL2[a])] for a in alphabets}
    assert make_recipe(names, trials=20, ways=20, seed=0) == recipe
    assert set(Counter(t.alphabet for t in recipe).values()) == {20 // len(alphabets)}


@pytest.mark.parametrize("file", ["small2-new.json", "small2-all.json"])
def test_the_recipes_of_the_package_are_the_same_as_files(file, tmp_path, small_sets):
    recipe = load_recipe(RECIPES / file)
    write_trials(read_drawings("small2", small_sets), recipe, tmp_path)
    back = read_trials(tmp_path)
    assert back.support_x.shape == back.query_x.shape == (20, 20, 1, 28, 28)
    direct = recipe_tasks(mt.data.load_omniglot("small2", small_sets), recipe)
    for one, other in zip(back.tensors, direct.tensors, strict=True):
        assert torch.equal(one, other)
    # the nearest image by its pixels: better than chance (5 %), far from people
    unit = [
        torch.nn.functional.normalize(x.flatten(2), dim=-1) for x in back.tensors[::2]
    ]
    guesses = (unit[1] @ unit[0].mT).argmax(-1)
    assert 0.1 < (guesses == back.query_y).float().mean() < 0.4
