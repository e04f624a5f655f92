"""Files that were cut short, altered or made to do harm: refused, and never run."""

import hashlib
import io
import json
import os
import pickle
import random
import stat
import struct
from contextlib import suppress
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pytest
import torch
from safetensors.torch import save as serialise

import metatutor as mt
from metatutor import pretrained
from metatutor.checkpoint import load_checkpoint, save_checkpoint
from metatutor.data import DataError, files, glyphs
from metatutor.data.files import zipped
from metatutor.data.trials import load_recipe
from metatutor.experiments import ledger
from metatutor.models import conv4


class Attack:
    """A pickle that makes a folder when it is read carelessly."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.fixture
def marker(tmp_path):
    """Where an attack leaves its trace; the test fails if there is one."""
    place = tmp_path / "attacked"
    yield place
    assert not place.exists()


def attacks(marker):
    """Files that would run code if they were unpickled, by kind."""
    zipped_pickle, objects, archive = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"a": Attack(marker)}, zipped_pickle)
    np.savez(objects, bits=np.array([Attack(marker)], dtype=object))
    with ZipFile(archive, "w") as packed:
        packed.writestr("archive/data.pkl", pickle.dumps(Attack(marker), protocol=2))
        packed.writestr("run01/class_labels.txt", pickle.dumps(Attack(marker)))
    return {
        "pickle": pickle.dumps(Attack(marker), protocol=2),
        "torch": zipped_pickle.getvalue(),
        "objects": objects.getvalue(),
        "zip": archive.getvalue(),
    }


KINDS = ("pickle", "torch", "objects", "zip")


def stamped(payload):
    """A checkpoint file with this content, and the checksum that belongs to it."""
    digest = hashlib.sha256(payload).hexdigest().encode()
    return b"metatutor-checkpoint 1 " + digest + b"\n" + payload


# --- code ------------------------------------------------------------------------


def test_the_attack_would_work(tmp_path):
    """Without this, the tests below would prove nothing."""
    for i, kind in enumerate(KINDS[:2]):
        place = tmp_path / str(i)
        payload = attacks(place)[kind]
        if kind == "pickle":
            pickle.loads(payload)
        else:
            torch.load(io.BytesIO(payload), weights_only=False)
        assert place.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_no_loader_runs_code(kind, marker, tmp_path, monkeypatch):
    payload = attacks(marker)[kind]
    file = tmp_path / "file"
    file.write_bytes(stamped(payload))
    with pytest.raises(mt.CheckpointError, match="was not unpacked"):
        load_checkpoint(file)
    file.write_bytes(payload)
    for loader in (
        load_checkpoint,
        pretrained.load,
        pretrained.notes,
        mt.data.read_trials,
        load_recipe,
        ledger.entries_of,
    ):
        with pytest.raises((mt.CheckpointError, DataError), match="file"):
            loader(file)
    (tmp_path / "images_background_small1.zip").write_bytes(payload)
    with pytest.raises(DataError, match="SHA-256"):
        mt.data.load_omniglot("small1", tmp_path)
    # even if someone altered the checksum in the code as well
    monkeypatch.setattr(glyphs, "FILE", file)
    with pytest.raises(DataError, match="SHA-256"):
        glyphs.read.__wrapped__()
    monkeypatch.setattr(glyphs, "SHA256", hashlib.sha256(payload).hexdigest())
    with suppress(ValueError, KeyError):  # to NumPy, a zip of pickles is bytes
        glyphs.read.__wrapped__()["bits"]


# --- checkpoints -------------------------------------------------------------------


def learner():
    torch.manual_seed(0)
    return mt.MAML(mt.models.mlp(1, 1, hidden=(3,)), mt.mse)


def train(path, **options):
    ours = learner()
    before = [p.detach().clone() for p in ours.parameters()]
    named = {"iterations": 2, "meta_batch": 2, "progress": False} | options
    try:
        mt.meta_train(ours, mt.data.Sinusoid(2), checkpoint=path, **named)
    except mt.CheckpointError:
        assert all(map(torch.equal, before, ours.parameters()))
        raise
    return ours


WRONG = (None, 3, "x", [], {}, torch.zeros(2))


@pytest.mark.parametrize(
    "key",
    ["settings", "learner", "optimizer", "history", "best", "best_score", "waiting",
     "tasks_rng", "global_rng"],
)  # fmt: skip
def test_a_state_made_by_somebody_else_changes_nothing(key, tmp_path):
    file = tmp_path / "run.ckpt"
    train(file)
    state = load_checkpoint(file)
    harmless = {("best", None), ("best_score", 3), ("waiting", 3)}
    for value in WRONG:
        if isinstance(value, (int, type(None))) and (key, value) in harmless:
            continue
        save_checkpoint(file, state | {key: value})
        random_state = torch.get_rng_state()
        with pytest.raises(mt.CheckpointError, match=r"run\.ckpt"):
            train(file, resume=True)
        assert torch.equal(torch.get_rng_state(), random_state)
    save_checkpoint(file, {k: v for k, v in state.items() if k != key})
    with pytest.raises(mt.CheckpointError, match=r"run\.ckpt"):
        train(file, resume=True)


def test_a_checkpoint_is_not_blown_up(tmp_path):
    """A compressed archive of a few kilobytes could claim gigabytes."""
    payload = io.BytesIO()
    torch.save({"a": torch.zeros(10**6)}, payload)
    bomb = io.BytesIO()
    with ZipFile(payload) as whole, ZipFile(bomb, "w", ZIP_DEFLATED) as packed:
        for member in whole.infolist():
            packed.writestr(member.filename, whole.read(member))
    assert len(bomb.getvalue()) < 10**4
    file = tmp_path / "run.ckpt"
    file.write_bytes(stamped(bomb.getvalue()))
    with pytest.raises(mt.CheckpointError, match="was not unpacked"):
        load_checkpoint(file)


def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path):
    """Reading a pipe to which nobody writes would never end."""
    pipe = tmp_path / "run01" / "test" / "item01.png"
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(mt.CheckpointError, match="no file"):
            load_checkpoint(path)
        with pytest.raises(DataError, match=r"no ordinary file|neither a file"):
            pretrained.load(path)
        with pytest.raises(DataError, match="no ordinary file"):
            pretrained.notes(path)
    with pytest.raises(DataError, match="missing"):
        mt.data.read_trials(pipe)
    with pytest.raises(DataError, match=r"item01\.png is no ordinary file"):
        mt.data.read_trials(tmp_path)


# --- backbones ---------------------------------------------------------------------


@pytest.fixture
def own(tmp_path):
    torch.manual_seed(0)
    file = tmp_path / "own.safetensors"
    pretrained.save(conv4(channels=2), file, "conv4", {"channels": 2}, {"seed": 3})
    return file


def test_any_flipped_bit_of_a_backbone_is_noticed_or_changes_nothing(own):
    content = own.read_bytes()
    good, notes = pretrained.load(own).state_dict(), pretrained.notes(own)
    draw, noticed = random.Random(0), 0
    for _ in range(300):
        altered = bytearray(content)
        altered[draw.randrange(len(altered))] ^= 1 << draw.randrange(8)
        own.write_bytes(altered)
        try:
            found = pretrained.load(own).state_dict()
        except DataError:
            noticed += 1
            continue
        assert all(torch.equal(found[name], good[name]) for name in good)
        assert pretrained.notes(own) == notes
    assert noticed > 280


def test_any_truncation_of_a_backbone_is_noticed(own):
    content = own.read_bytes()
    for size in {*range(0, len(content), 37), len(content) - 1}:
        own.write_bytes(content[:size])
        with pytest.raises(DataError, match="holds no backbone"):
            pretrained.load(own)


@pytest.mark.parametrize(
    "made",
    [
        3,
        {},
        {"architecture": "conv4"},
        {"architecture": "conv4", "notes": {}},
        {"architecture": ["conv4"], "arguments": {}, "notes": {}},
        {"architecture": "conv4", "arguments": [], "notes": {}},
        {"architecture": "conv4", "arguments": {"channels": "2"}, "notes": {}},
        {"architecture": "conv4", "arguments": {"channels": 10**6}, "notes": {}},
        {"architecture": "conv4", "arguments": {"channels": 10**30}, "notes": {}},
        {"architecture": "residual", "arguments": {"widths": [1] * 99}, "notes": {}},
        {"architecture": "__init__", "arguments": {}, "notes": {}},
    ],
)
def test_a_header_that_asks_for_the_impossible_is_refused(made, own):
    tensors = conv4(channels=2).state_dict()
    own.write_bytes(serialise(tensors, metadata={"metatutor": json.dumps(made)}))
    with pytest.raises(DataError, match="holds no backbone"):
        pretrained.load(own)


def test_a_backbone_of_numbers_that_are_none_is_refused(own):
    broken = conv4(channels=2)
    with torch.no_grad():
        broken[0].bias[0] = float("nan")
    pretrained.save(broken, own, "conv4", {"channels": 2})
    with pytest.raises(DataError, match="NaN or infinite"):
        pretrained.load(own)


def test_a_header_longer_than_the_file_is_refused(own):
    for claimed in (2**63, 2**40, 10**8, 0):
        own.write_bytes(struct.pack("<Q", claimed) + b"{}" * 40)
        with pytest.raises(DataError, match="holds no backbone"):
            pretrained.load(own)


def test_a_damaged_registry_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "REGISTRY", tmp_path / "pretrained.json")
    for content in (b"", b"{", b"\xff"):
        pretrained.REGISTRY.write_bytes(content)
        with pytest.raises(DataError, match=r"pretrained\.json is damaged"):
            pretrained.names()


# --- zips, recipes, the ledger -------------------------------------------------------


def test_a_zip_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 10**6)
    bomb = tmp_path / "bomb.zip"
    with ZipFile(bomb, "w", ZIP_DEFLATED) as packed:
        for i in range(3):
            packed.writestr(f"run01/test/item{i}.png", bytes(400_000))
    assert bomb.stat().st_size < 10_000
    for reading in (
        lambda: list(zipped(bomb, bomb)),
        lambda: mt.data.read_trials(bomb),
    ):
        with pytest.raises(DataError, match=r"unpacks to 1,200,000 bytes, more than"):
            reading()


def test_a_zip_that_claims_less_than_it_holds_gives_no_more(tmp_path):
    """The size in the directory bounds what is read; the checksum then fails."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as packed:
        packed.writestr("a", bytes(10**6))
    content = buffer.getvalue().replace(struct.pack("<L", 10**6), struct.pack("<L", 9))
    with pytest.raises(DataError, match="a in z cannot be read"):
        list(zipped(io.BytesIO(content), "z"))


def test_a_link_in_a_zip_is_a_file_that_holds_its_target(tmp_path):
    """Nothing is extracted, so that no link ever leads anywhere."""
    link = ZipInfo("run01/class_labels.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as packed:
        packed.writestr(link, "/etc/passwd")
    assert list(zipped(buffer, "z")) == [(link.filename, b"/etc/passwd")]


DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    "content", [b"", b"[", DEEP, b"\xff\xfe", b"3", b"[3]", b"[{}]"]
)
def test_a_ledger_or_recipe_that_is_none_is_refused_and_left(content, tmp_path):
    file = tmp_path / "results.json"
    file.write_bytes(content)
    entry = dict.fromkeys(ledger.FIELDS, "x")
    for reading in (lambda: load_recipe(file), lambda: ledger.record(file, [entry])):
        with pytest.raises(DataError, match=r"results\.json"):
            reading()
    assert file.read_bytes() == content


@pytest.mark.parametrize("harm", ["truncated", "flipped", "empty"])
def test_glyphs_are_the_ones_meant_or_refused(harm, tmp_path, monkeypatch):
    content = glyphs.FILE.read_bytes()
    monkeypatch.setattr(glyphs, "FILE", tmp_path / "glyphs.npz")
    draw = random.Random(0)
    for _ in range(10):
        bad = bytearray(content)
        if harm == "flipped":
            bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        else:
            bad = bad[: draw.randrange(len(bad)) if harm == "truncated" else 0]
        glyphs.FILE.write_bytes(bad)
        with pytest.raises(DataError, match="truncated or altered"):
            glyphs.read.__wrapped__()
