"""Omniglot from disk or by download: the images meant, or a message that helps."""

import hashlib
import io
import urllib.error
import zipfile
from http.client import IncompleteRead
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torchvision import datasets

import metatutor as mt
from metatutor.data import files, omniglot
from metatutor.data.files import DataError

ZIP = "images_background_small1.zip"
URL = f"https://github.com/brendenlake/omniglot/raw/master/python/{ZIP}"


def png(seed, size=(105, 105), form="PNG"):
    """A drawing of a few strokes, black on white, as Omniglot's files are."""
    image = Image.new("1", size, "white")
    ends = np.random.default_rng(seed).integers(5, min(size) - 5, (4, 2))
    line = [tuple(end) for end in ends.tolist()]
    ImageDraw.Draw(image).line(line, fill="black", width=3)
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def drawn(alphabets, seed=0):
    """Names and bytes of the files of made-up alphabets, in no good order."""
    names = [
        f"{alphabet}/character{c:02d}/{100 * a + c:04d}_{drawer:02d}.png"
        for a, (alphabet, count) in enumerate(alphabets.items(), start=1)
        for c in range(1, count + 1)
        for drawer in range(20, 0, -1)
    ]
    return {name: png(seed + i) for i, name in enumerate(reversed(names))}


def zipped(content, top):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{top}/", b"")
        for name, data in content.items():
            archive.writestr(f"{top}/{name}", data)
    return file.getvalue()


@pytest.fixture(scope="module")
def content():
    return drawn({"Zeta": 2, "Alpha_(old)": 3})


@pytest.fixture
def small(tmp_path, monkeypatch, content):
    """A folder with a zip that passes for small1."""
    data = zipped(content, "images_background_small1")
    (tmp_path / ZIP).write_bytes(data)
    monkeypatch.setitem(omniglot.SHA256, "small1", hashlib.sha256(data).hexdigest())
    return tmp_path


@pytest.fixture
def full(tmp_path, monkeypatch, content):
    """A folder in which torchvision finds a background and an evaluation set."""
    folder = tmp_path / "omniglot-py"
    folder.mkdir()
    for top in ("images_background", "images_evaluation"):
        data = zipped(content, top)
        (folder / f"{top}.zip").write_bytes(data)
        md5 = hashlib.md5(data).hexdigest()
        monkeypatch.setitem(datasets.Omniglot.zips_md5, top, md5)
        for name, image in content.items():
            (folder / top / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / top / name).write_bytes(image)
    return tmp_path


class Sent(io.BytesIO):
    """What a server sends."""


@pytest.fixture
def web(monkeypatch):
    """A web of our own: ``web[url]`` is what is there, bytes or an error."""
    pages = {}

    def answer(url, timeout=None):
        reply = pages.get(url, urllib.error.URLError("no network in tests"))
        if isinstance(reply, Exception):
            raise reply
        return Sent(reply)

    monkeypatch.setattr(files, "urlopen", answer)

    def no_web(*_, **__):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", no_web)
    return pages


@pytest.fixture(autouse=True)
def offline(web):
    """No test reaches the network, even one that should not try."""


# --- one image -------------------------------------------------------------------


def test_a_pixel_is_the_mean_of_those_whose_centres_it_covers():
    rng = np.random.default_rng(0)
    page = np.where(rng.random((105, 105)) < 0.8, 255, 0).astype(np.uint8)
    # where each old one goes; one on the border belongs to the left, or above
    new = np.ceil((np.arange(105) + 0.5) / 3.75).astype(int) - 1
    one_hot = (new == np.arange(28)[:, None]).astype(float)
    mean = one_hot @ page @ one_hot.T / np.outer(one_hot.sum(1), one_hot.sum(1))
    small = omniglot.shrunk(Image.fromarray(page))
    assert small.shape == (1, 28, 28)
    assert small.dtype == torch.float32
    # rounded to 1/255 along each axis
    np.testing.assert_allclose(small[0], 1 - mean / 255, atol=1 / 255 + 1e-6)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_ink_is_1_and_paper_is_0_in_every_mode(mode):
    page = Image.new("1", (105, 105), 1)
    page.paste(0, (0, 0, 105, 60))  # 16 rows of ink exactly
    small = omniglot.shrunk(page.convert(mode))[0]
    assert (small[:16] == 1).all()
    assert (small[16:] == 0).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it cannot be read as a PNG image"),
        (b"<html>not found</html>", "it cannot be read as a PNG image"),
        (png(0, form="GIF"), "it cannot be read as a PNG image"),
        (png(0)[:-30], "it cannot be read as a PNG image"),
        (png(0, (105, 104)), "it is 105×104 pixels: a drawing is 105×105"),
        (png(0, (28, 28)), "it is 28×28 pixels"),
    ],
    ids=["empty", "html", "GIF", "truncated", "one row short", "small"],
)
def test_an_image_that_is_none_or_has_another_size_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        omniglot.read_image(data, "it")


def test_every_damaged_image_is_refused_in_the_same_way():
    good = png(3)
    rng = np.random.default_rng(0)
    for _ in range(300):
        bad = bytearray(good[: rng.integers(len(good) + 1)])
        if bad:
            bad[rng.integers(len(bad))] ^= int(rng.integers(1, 256))
        try:
            image = omniglot.read_image(bytes(bad), "it")
        except DataError:
            continue
        assert image.shape == (1, 28, 28)


# --- a subset --------------------------------------------------------------------


def check(held, content):
    """All of the content is there, in order."""
    assert held.images.shape == (5, 20, 1, 28, 28)
    assert held.images.dtype == torch.float32
    assert held.alphabets == ("Alpha_(old)",) * 3 + ("Zeta",) * 2
    assert held.characters == (
        "character01", "character02", "character03", "character01", "character02",
    )  # fmt: skip
    classes = list(zip(held.alphabets, held.characters, strict=True))
    for name, data in content.items():
        alphabet, character, file = name.split("/")
        i, drawer = classes.index((alphabet, character)), int(file[5:7])
        expected = omniglot.shrunk(Image.open(io.BytesIO(data)))
        assert torch.equal(held.images[i, drawer - 1], expected)


def test_a_small_set_is_read_from_its_zip_which_is_not_extracted(small, content):
    check(mt.data.load_omniglot("small1", root=small), content)
    check(mt.data.load_omniglot("small1", root=str(small)), content)
    assert [path.name for path in small.iterdir()] == [ZIP]


@pytest.mark.parametrize("subset", ["background", "evaluation"])
def test_a_full_set_is_read_from_torchvisions_folder(full, content, subset):
    check(mt.data.load_omniglot(subset, root=full), content)


def test_what_lies_about_in_torchvisions_folder_is_left_out(full, content):
    folder = full / "omniglot-py/images_background"
    (folder / ".DS_Store").write_bytes(b"")
    (folder / "Zeta/character01/copy.png").write_bytes(png(0))
    (folder / "Eta/character01").mkdir(parents=True)
    check(mt.data.load_omniglot("background", root=full), content)


def test_an_unknown_subset_is_refused_with_the_right_names(tmp_path):
    for subset in ("small", "train", None):
        with pytest.raises(
            ValueError,
            match=rf"{subset!r}: one of \('background', 'evaluation', 'small1', 'small",
        ):
            mt.data.load_omniglot(subset, root=tmp_path)


def test_some_alphabets_can_be_left_out(small):
    held = mt.data.load_omniglot("small1", root=small)
    for names in ("Zeta", ["Zeta"], {"Zeta"}):
        left = held.without(names)
        assert left.alphabets == ("Alpha_(old)",) * 3
        assert left.characters == ("character01", "character02", "character03")
        assert torch.equal(left.images, held.images[:3])
    assert held.without(()).alphabets == held.alphabets
    with pytest.raises(ValueError, match=r"'zeta' is none of .*: Alpha_\(old\), Zeta$"):
        held.without("zeta")
    with pytest.raises(ValueError, match="no alphabet is left"):
        held.without(["Zeta", "Alpha_(old)"])


# --- what is missing or damaged --------------------------------------------------


def test_a_missing_small_set_says_which_file_is_wanted_where(tmp_path):
    with pytest.raises(DataError) as caught:
        mt.data.load_omniglot("small1", root=tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / ZIP} is missing")
    assert URL in message
    assert "download=True" in message


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b + b"\n", lambda b: b""]
)
def test_a_damaged_small_set_says_what_its_checksum_should_be(small, damage):
    good = (small / ZIP).read_bytes()
    bad = damage(good)
    (small / ZIP).write_bytes(bad)
    with pytest.raises(DataError, match="truncated or altered") as caught:
        mt.data.load_omniglot("small1", root=small)
    message = str(caught.value)
    for part in (
        str(small / ZIP),
        omniglot.SHA256["small1"],
        hashlib.sha256(bad).hexdigest(),
        URL,
        "download=True",
    ):
        assert part in message
    assert (small / ZIP).read_bytes() == bad  # it may be all that the reader has


def test_a_missing_full_set_says_which_file_is_wanted_where(tmp_path):
    with pytest.raises(DataError) as caught:
        mt.data.load_omniglot("evaluation", root=tmp_path)
    message = str(caught.value)
    path = tmp_path / "omniglot-py/images_evaluation.zip"
    assert message.startswith(f"{path} is missing")
    assert f"{datasets.Omniglot.download_url_prefix}/images_evaluation.zip" in message
    assert "download=True" in message
    assert not path.parent.exists()


@pytest.mark.parametrize("download", [False, True])
def test_a_damaged_full_set_says_what_its_checksum_should_be(full, download):
    path = full / "omniglot-py/images_background.zip"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="truncated or altered") as caught:
        mt.data.load_omniglot("background", root=full, download=download)
    message = str(caught.value)
    for part in (
        str(path),
        datasets.Omniglot.zips_md5["images_background"],
        hashlib.md5(path.read_bytes()).hexdigest(),
        "download=True",
    ):
        assert part in message
    assert ("no network in tests" in message) == download


def empty(path):
    path.write_bytes(b"")


def alter(path):
    path.write_bytes(png(12345))


@pytest.mark.parametrize("harm", [Path.unlink, empty, alter])
def test_a_folder_that_was_extracted_in_part_is_refused(full, harm):
    folder = full / "omniglot-py/images_background"
    harm(folder / "Zeta/character02/0102_07.png")
    message = r"1 of the 100 images of .*zip are missing or altered; delete .* unzip"
    for download in (False, True):
        with pytest.raises(DataError, match=message):
            mt.data.load_omniglot("background", root=full, download=download)


def test_a_zip_that_was_never_extracted_says_to_unzip_it(full):
    folder = full / "omniglot-py/images_evaluation"
    folder.rename(full / "elsewhere")
    for download in (False, True):
        with pytest.raises(DataError, match=f"{folder}, the folder .* unzip the file"):
            mt.data.load_omniglot("evaluation", root=full, download=download)


# --- downloads -------------------------------------------------------------------


def test_a_download_is_verified_kept_and_read(small, content, web):
    web[URL] = (small / ZIP).read_bytes()
    root = small / "new" / "folder"
    check(mt.data.load_omniglot("small1", root=root, download=True), content)
    assert [path.name for path in root.iterdir()] == [ZIP]
    web.clear()  # from now on it is read from disk
    check(mt.data.load_omniglot("small1", root=root, download=True), content)


def test_a_damaged_file_is_replaced_by_a_download_that_is_whole(small, content, web):
    web[URL] = (small / ZIP).read_bytes()
    (small / ZIP).write_bytes(b"half of")
    check(mt.data.load_omniglot("small1", root=small, download=True), content)


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("Name or service not known"),
        urllib.error.HTTPError(URL, 404, "Not Found", {}, None),
        TimeoutError("timed out"),
        ConnectionResetError("reset by peer"),
        IncompleteRead(b"half", 1000),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_download_that_fails_says_how_to_do_without(tmp_path, web, error):
    web[URL] = error
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        mt.data.load_omniglot("small1", root=tmp_path, download=True)
    assert f"fetch {URL} by other means and save it as {tmp_path / ZIP}" in str(
        caught.value
    )
    assert list(tmp_path.iterdir()) == []


def test_a_download_of_something_else_is_not_kept(small, web):
    web[URL] = b"<html>please log in</html>"
    (small / ZIP).unlink()
    with pytest.raises(DataError, match="truncated or altered") as caught:
        mt.data.load_omniglot("small1", root=small, download=True)
    found = hashlib.sha256(web[URL]).hexdigest()
    assert omniglot.SHA256["small1"] in str(caught.value)
    assert found in str(caught.value)
    assert list(small.iterdir()) == []


def test_a_download_cut_off_while_it_is_written_leaves_nothing(small, web, monkeypatch):
    web[URL] = (small / ZIP).read_bytes()
    (small / ZIP).write_bytes(b"the old one")

    def full_disk(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(files.os, "replace", full_disk)
    with pytest.raises(DataError, match=f"{ZIP} cannot be written: No space left"):
        mt.data.load_omniglot("small1", root=small, download=True)
    assert [path.name for path in small.iterdir()] == [ZIP]
    assert (small / ZIP).read_bytes() == b"the old one"


def test_a_root_that_is_a_file_is_named(small, web):
    web[URL] = (small / ZIP).read_bytes()
    with pytest.raises(DataError, match=f"{ZIP}/{ZIP} cannot be written"):
        mt.data.load_omniglot("small1", root=small / ZIP, download=True)


def test_a_full_set_that_cannot_be_fetched_says_how_to_do_without(tmp_path):
    with pytest.raises(DataError, match=r"cannot be downloaded.*no network") as caught:
        mt.data.load_omniglot("background", root=tmp_path, download=True)
    path = tmp_path / "omniglot-py/images_background.zip"
    url = f"{datasets.Omniglot.download_url_prefix}/images_background.zip"
    assert f"save {url} as {path} and unzip it there" in str(caught.value)


# --- tasks -----------------------------------------------------------------------


def test_tasks_hold_different_drawings_of_the_right_characters(small):
    source = mt.data.Omniglot("small1", 4, 2, 3, root=small)
    batch = source.sample(6)
    assert batch.support_x.shape == (6, 8, 1, 28, 28)
    assert batch.query_x.shape == (6, 12, 1, 28, 28)
    held = mt.data.load_omniglot("small1", root=small)
    assert source.alphabets == held.alphabets
    assert source.characters == held.characters
    hashes = omniglot.image_hashes(held.images)
    for task, classes in zip(batch, batch.truth["classes"], strict=True):
        shown = torch.cat([task.support_x, task.query_x])
        found = [hashes.index(h) for h in omniglot.image_hashes(shown)]
        assert len(set(found)) == 20
        labels = torch.cat([task.support_y, task.query_y])
        assert [i // 20 for i in found] == classes[labels].tolist()


def test_tasks_stay_within_one_alphabet_when_asked(small):
    source = mt.data.Omniglot("small1", 2, root=small, within_alphabet=True)
    seen = {
        tuple(source.alphabets[i] for i in classes)
        for classes in source.sample(40).truth["classes"].tolist()
    }
    assert seen == {("Zeta", "Zeta"), ("Alpha_(old)", "Alpha_(old)")}


def test_tasks_leave_out_alphabets_and_are_augmented_when_asked(small):
    source = mt.data.Omniglot(
        "small1", 3, root=small, exclude_alphabets="Zeta", augment=lambda x, g: x + 7
    )
    assert set(source.alphabets) == {"Alpha_(old)"}
    assert source.sample(2).support_x.min() == 7


def test_alphabets_that_are_too_small_are_all_named_with_what_to_do(small):
    message = (
        r"4 ways within one alphabet asked for, but Alpha_\(old\) has 3, Zeta has 2 "
        r"characters: ask for fewer .*exclude_alphabets=\['Alpha_\(old\)', 'Zeta'\]"
    )
    with pytest.raises(ValueError, match=message):
        mt.data.Omniglot("small1", 4, root=small, within_alphabet=True)
    mt.data.Omniglot("small1", 4, root=small)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ways": 6}, "6 ways asked for, but there are 5 classes"),
        ({"ways": 2, "shots": 20}, "need 25 examples a class, but there are 20"),
        ({"ways": 0}, "ways is 0: a whole number"),
        ({"exclude_alphabets": ["Eta"]}, r"'Eta' is none of the alphabets: Alpha_"),
    ],
)
def test_settings_that_make_no_sense_are_named(small, options, message):
    with pytest.raises(ValueError, match=message):
        mt.data.Omniglot("small1", root=small, **options)


# --- which images are the same ---------------------------------------------------


def characters(images, *alphabets):
    names = tuple(f"character{i + 1:02d}" for i in range(len(images)))
    return omniglot.Characters(images, alphabets, names)


def test_shared_images_are_counted_by_alphabet_and_refused():
    images = torch.rand(4, 20, 1, 28, 28)
    train = characters(images[:3], "A", "A", "B")
    held_out = characters(images[1:].clone(), "A", "New name", "C")
    assert omniglot.shared_images(train, held_out) == {"A": 20, "New name": 20}
    message = r"40 images held out .*: A \(20\), New name \(20\)\. Leave"
    with pytest.raises(ValueError, match=message):
        omniglot.refuse_shared_images(train, held_out)


def test_one_shared_image_is_enough_to_be_refused():
    train, held_out = (torch.rand(2, 20, 1, 28, 28) for _ in range(2))
    held_out[1, 19] = train[0, 3]
    with pytest.raises(ValueError, match=r"1 images held out .*: D \(1\)"):
        omniglot.refuse_shared_images(
            characters(train, "A", "B"), characters(held_out, "C", "D")
        )
    held_out[1, 19, 0, 5, 5] += 0.01
    omniglot.refuse_shared_images(
        characters(train, "A", "B"), characters(held_out, "C", "D")
    )


# --- the real sets ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("subset", "sizes"),
    [
        (
            "small1",
            {
                "Balinese": 24,
                "Early_Aramaic": 22,
                "Greek": 24,
                "Korean": 40,
                "Latin": 26,
            },
        ),
        (
            "small2",
            {
                "Greek": 24,
                "Japanese_(katakana)": 47,
                "Latin": 26,
                "Sanskrit": 42,
                "Tagalog": 17,
            },
        ),
    ],
)
def test_the_small_sets_are_what_they_are_said_to_be(subset, sizes, small_sets):
    held = mt.data.load_omniglot(subset, root=small_sets)
    assert held.images.shape == (sum(sizes.values()), 20, 1, 28, 28)
    expected = [
        (alphabet, f"character{c:02d}")
        for alphabet, count in sizes.items()
        for c in range(1, count + 1)
    ]
    assert list(zip(held.alphabets, held.characters, strict=True)) == expected
    assert held.images.min() == 0
    assert held.images.max() == 1
    assert 0.05 < held.images.mean() < 0.1  # mostly paper
    hashes = omniglot.image_hashes(held.images)
    assert len(set(hashes)) == len(hashes)


def test_greek_and_latin_are_in_both_small_sets_and_are_refused(small_sets):
    one, two = (mt.data.load_omniglot(s, root=small_sets) for s in ("small1", "small2"))
    shared = {"Greek": 24 * 20, "Latin": 26 * 20}
    assert omniglot.shared_images(one, two) == shared
    assert omniglot.shared_images(two, one) == shared
    with pytest.raises(
        ValueError, match=r"1,000 images .*Greek \(480\), Latin \(520\)"
    ):
        omniglot.refuse_shared_images(one, two)
    omniglot.refuse_shared_images(one, two.without(shared))
    omniglot.refuse_shared_images(one.without(shared), two)


def test_twenty_ways_within_an_alphabet_of_small2_leave_tagalog_out(small_sets):
    options = {"ways": 20, "root": small_sets, "within_alphabet": True}
    with pytest.raises(ValueError, match=r"Tagalog has 17 .*alphabets=\['Tagalog'\]"):
        mt.data.Omniglot("small2", **options)
    source = mt.data.Omniglot("small2", exclude_alphabets=["Tagalog"], **options)
    assert source.sample(2).support_x.shape == (2, 20, 1, 28, 28)
