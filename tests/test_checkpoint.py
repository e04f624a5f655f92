"""Checkpoint files are whole or refused, and never lost to a crash."""

import hashlib
import os
import pickle
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metatutor.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

STATE = {
    "weights": {"w": torch.arange(6.0).view(2, 3), "b": torch.tensor([1], dtype=int)},
    "loss": [1.5, float("inf")],
    "best": None,
    "seen": [(1, 0.5, 0.25)],
    "name": "元学习",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    file = tmp_path_factory.mktemp("checkpoint") / "run.ckpt"
    save_checkpoint(file, STATE)
    return file


def refused(file, content, match):
    """That ``content`` is refused with a message and left as it is."""
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=match) as error:
        load_checkpoint(file)
    assert str(file) in str(error.value)
    assert file.read_bytes() == content
    return str(error.value)


def test_what_was_saved_comes_back(whole):
    state = load_checkpoint(whole)
    for name, tensor in STATE["weights"].items():
        assert torch.equal(state["weights"][name], tensor)
        assert state["weights"][name].dtype == tensor.dtype
    assert {k: v for k, v in state.items() if k != "weights"} == {
        k: v for k, v in STATE.items() if k != "weights"
    }


def test_damage_is_told_with_the_checksum_expected_and_the_one_found(whole, tmp_path):
    content = bytearray(whole.read_bytes())
    start = content.index(b"\n") + 1
    expected = hashlib.sha256(content[start:]).hexdigest()
    content[start + 40] ^= 0b100
    found = hashlib.sha256(content[start:]).hexdigest()
    message = refused(tmp_path / "damaged", bytes(content), "truncated or altered")
    assert f"should be {expected}, but is {found}" in message


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_noticed(whole, data):
    content = bytearray(whole.read_bytes())
    # half of the time within the header line
    last = data.draw(st.sampled_from([content.index(b"\n"), len(content) - 1]))
    at = data.draw(st.integers(0, last))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    refused(whole.with_name("flipped"), bytes(content), "checkpoint|altered")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_truncation_is_noticed(whole, data):
    content = whole.read_bytes()
    size = data.draw(st.integers(0, len(content) - 1))
    refused(whole.with_name("short"), content[:size], "not a metatutor|truncated")


def test_another_version_is_refused_with_both_named(whole, tmp_path):
    words = whole.read_bytes().split(b" ", 2)
    newer = b" ".join([words[0], b"7", words[2]])
    message = "of version 7: this metatutor reads version 1"
    refused(tmp_path / "newer", newer, message)


def test_foreign_files_are_refused(tmp_path):
    torch.save({"a": 1}, tmp_path / "torch.pt")
    foreign = (tmp_path / "torch.pt").read_bytes()
    for content in (foreign, b"", b"\n", b"a b c\nd", "元学习".encode()):
        refused(tmp_path / "foreign", content, "is not a metatutor checkpoint")


def test_no_file_is_said_to_be_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none.ckpt")


class Attack:
    """A pickle that makes a folder when it is read carelessly."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_code_in_a_file_is_not_run(whole, tmp_path):
    """Even with a checksum that is right."""
    header = whole.read_bytes().split(b" ", 2)[:2]
    torch.save({"a": Attack(tmp_path / "made")}, tmp_path / "zipped")
    for payload in (
        pickle.dumps(Attack(tmp_path / "made"), protocol=2),
        (tmp_path / "zipped").read_bytes(),
    ):
        digest = hashlib.sha256(payload).hexdigest().encode()
        file = tmp_path / "run.ckpt"
        file.write_bytes(b" ".join([*header, digest]) + b"\n" + payload)
        with pytest.raises((pickle.UnpicklingError, CheckpointError)):
            load_checkpoint(file)
        assert not (tmp_path / "made").exists()


def test_the_folder_is_made(tmp_path):
    save_checkpoint(tmp_path / "a" / "b" / "run.ckpt", STATE)
    assert load_checkpoint(tmp_path / "a" / "b" / "run.ckpt")["name"] == "元学习"


def test_nothing_else_is_left_beside_it(whole, tmp_path):
    file = tmp_path / "run.ckpt"
    save_checkpoint(file, STATE)
    save_checkpoint(str(file), STATE | {"name": "second"})
    assert [path.name for path in tmp_path.iterdir()] == ["run.ckpt"]
    assert load_checkpoint(file)["name"] == "second"


def half_written(state, file, *rest):
    file.write(b"half of it")
    raise OSError("no space left on device")


def crash(*rest):
    raise KeyboardInterrupt


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    ("module", "name", "failure"),
    [
        (torch, "save", half_written),
        (torch, "save", crash),
        (os, "fsync", half_written),
        (os, "fsync", crash),
        (os, "replace", crash),
    ],
)
def test_a_failed_write_leaves_what_was_there(
    whole, tmp_path, monkeypatch, module, name, failure, exists
):
    file = tmp_path / "run.ckpt"
    if exists:
        shutil.copy(whole, file)

    def fails(*arguments):
        if name == "fsync" and failure is half_written:
            raise OSError("no space left on device")
        failure(*arguments)

    monkeypatch.setattr(module, name, fails)
    with pytest.raises((OSError, KeyboardInterrupt)):
        save_checkpoint(file, {"name": "new"})
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["run.ckpt"] * exists
    if exists:
        assert file.read_bytes() == whole.read_bytes()


def test_the_file_is_on_the_disk_before_it_takes_the_place(tmp_path, monkeypatch):
    """Otherwise a power cut after the rename could leave an empty file."""
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))
        )
    save_checkpoint(tmp_path / "run.ckpt", STATE)
    assert calls == ["fsync", "replace"]
