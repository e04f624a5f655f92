"""Files are either exactly the ones meant, or refused with both checksums."""

import hashlib
import io
from http.client import IncompleteRead
from urllib.error import URLError
from zipfile import ZipFile

import pytest

from metatutor import DataError
from metatutor.data import files
from metatutor.data.files import fetch, read_verified, zipped

CONTENT = bytes(range(256)) * 20
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REMEDY = "ask for the file again"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(CONTENT)
    return path


def test_data_errors_can_be_caught_as_value_errors():
    assert issubclass(DataError, ValueError)


# --- read_verified ---------------------------------------------------------------


def test_the_file_meant_is_read(file):
    assert read_verified(file, SHA256, REMEDY) == CONTENT
    assert read_verified(str(file), SHA256, REMEDY) == CONTENT


@pytest.mark.parametrize(
    "bad",
    [CONTENT[:-1], CONTENT[:100] + b"?" + CONTENT[101:], CONTENT + b"\n", b""],
    ids=["truncated", "altered", "longer", "empty"],
)
def test_another_file_is_refused_with_both_checksums(file, bad):
    file.write_bytes(bad)
    with pytest.raises(DataError) as caught:
        read_verified(file, SHA256, REMEDY)
    assert str(caught.value) == (
        f"{file} is truncated or altered ({len(bad):,} bytes): its SHA-256 should be "
        f"{SHA256}, but is {hashlib.sha256(bad).hexdigest()}. Ask for the file again"
    )
    assert file.read_bytes() == bad  # and left as it is


def test_a_missing_file_is_refused_with_what_to_do(tmp_path):
    for path in (tmp_path / "none.bin", tmp_path):
        with pytest.raises(DataError) as caught:
            read_verified(path, SHA256, REMEDY)
        assert str(caught.value) == f"{path} is missing: ask for the file again"


# --- fetch -----------------------------------------------------------------------


def test_a_file_is_fetched_whole_into_a_folder_that_is_made(file, tmp_path):
    there = tmp_path / "new" / "folder" / "data.bin"
    fetch(file.as_uri(), there, SHA256)
    assert there.read_bytes() == CONTENT
    assert [path.name for path in there.parent.iterdir()] == ["data.bin"]


def test_a_file_that_is_there_is_replaced(file, tmp_path):
    there = tmp_path / "old.bin"
    there.write_bytes(b"old")
    fetch(file.as_uri(), there, SHA256)
    assert there.read_bytes() == CONTENT


def test_a_download_with_another_checksum_leaves_what_is_there(file, tmp_path):
    there = tmp_path / "old.bin"
    there.write_bytes(b"old")
    other = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(DataError, match=f"should be {other}, but is {SHA256}"):
        fetch(file.as_uri(), there, other)
    assert there.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.bin", "old.bin"]


@pytest.mark.parametrize(
    "error",
    [URLError("no network"), IncompleteRead(b"half"), TimeoutError("slow")],
    ids=lambda error: type(error).__name__,
)
def test_a_download_that_fails_says_what_to_do_by_hand(monkeypatch, tmp_path, error):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise error

    monkeypatch.setattr(files, "urlopen", lambda *_, **__: Broken())
    there = tmp_path / "data.bin"
    with pytest.raises(DataError) as caught:
        fetch("https://example.org/data.bin", there, SHA256)
    message = str(caught.value)
    assert "https://example.org/data.bin cannot be downloaded" in message
    assert f"save it as {there}" in message
    assert not list(tmp_path.iterdir())


def test_a_crash_while_writing_leaves_what_is_there(file, tmp_path, monkeypatch):
    there = tmp_path / "old.bin"
    there.write_bytes(b"old")

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", crash)
    with pytest.raises(DataError, match="cannot be written: disk full"):
        fetch(file.as_uri(), there, SHA256)
    assert there.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.bin", "old.bin"]


def test_nowhere_to_write_is_said(file, tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        fetch(file.as_uri(), file / "inside" / "a file", SHA256)


# --- zipped ----------------------------------------------------------------------


def packed(**contents):
    """A zip of these files, double underscores being slashes."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr("empty/", "")
        for name, content in contents.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer


def test_the_files_of_a_zip_come_with_their_names_and_bytes(tmp_path):
    archive = packed(a="first", folder__b="second")
    assert list(zipped(archive, "z")) == [("a", b"first"), ("folder/b", b"second")]
    path = tmp_path / "z.zip"
    path.write_bytes(archive.getvalue())
    assert dict(zipped(path, path)) == {"a": b"first", "folder/b": b"second"}


def test_what_systems_add_of_their_own_is_left_out():
    archive = packed(
        **{"__MACOSX/._a": "x", ".DS_Store": "x", "f/.DS_Store": "x", "f/a": "kept"}
    )
    assert dict(zipped(archive, "z")) == {"f/a": b"kept"}


@pytest.mark.parametrize("name", ["../evil", "folder/../../evil"])
def test_a_name_that_leads_outside_is_refused(name):
    with pytest.raises(DataError, match=r"z holds .*evil, which leads outside it"):
        list(zipped(packed(**{name: "x"}), "z"))


def test_what_is_no_zip_is_refused():
    whole = packed(a="first" * 100).getvalue()
    for content in (b"", b"no zip", whole[: len(whole) // 2]):
        with pytest.raises(DataError, match="z is no zip file, or a truncated one"):
            list(zipped(io.BytesIO(content), "z"))


def test_a_damaged_file_in_a_zip_is_refused_by_name():
    bad = bytearray(packed(a="first" * 100).getvalue())
    at = bad.index(b"firstfirst")
    bad[at + 3] ^= 1
    with pytest.raises(DataError, match="a in z cannot be read"):
        list(zipped(io.BytesIO(bytes(bad)), "z"))
