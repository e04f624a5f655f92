"""Checkpoint files that are either whole or refused.

A file is one header line, ``metatutor-checkpoint VERSION SHA256``, and what
``torch.save`` wrote. It is written beside its place and then renamed, so that a
crash leaves the previous file; it is read back only if the checksum matches, and
never unpickles code (``weights_only=True``).
"""

from __future__ import annotations

import hashlib
import io
import os
from glob import escape
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch

MAGIC = b"metatutor-checkpoint"
VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why and what to do."""


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Writes ``state`` (tensors and plain values) to ``path``, whole or not at all."""
    path = Path(path)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    digest = hashlib.sha256(payload).hexdigest().encode()
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(beside, "wb") as file:
            file.write(b"%s %d %s\n" % (MAGIC, VERSION, digest))
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """The state that `save_checkpoint` wrote; the file itself is only read.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: not a checkpoint, of another version, its checksum is not the
            one written in it (truncated or altered), or it holds what no checkpoint
            does, such as code.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise CheckpointError(f"{path} is no file: a checkpoint is needed")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error})") from error
    header, _, payload = content.partition(b"\n")
    words = header.split(b" ")
    if len(words) != 3 or words[0] != MAGIC:
        raise CheckpointError(f"{path} is not a metatutor checkpoint")
    if words[1] != b"%d" % VERSION:
        raise CheckpointError(
            f"{path} is a checkpoint of version {words[1].decode(errors='replace')}: "
            f"this metatutor reads version {VERSION}"
        )
    expected = words[2].decode(errors="replace")
    found = hashlib.sha256(payload).hexdigest()
    if found != expected:
        raise CheckpointError(
            f"{path} is truncated or altered: its SHA-256 should be {expected}, but is "
            f"{found}. The file was left as it is; resume from an older checkpoint"
        )
    try:
        state = unpacked(payload)
    except Exception as error:  # what a file made by hand can raise has no end
        raise CheckpointError(
            f"{path} holds something that no checkpoint does, and was not unpacked "
            f"({type(error).__name__}): take checkpoints only from those you trust"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not a state")
    return state


def unpacked(payload: bytes) -> Any:
    """What ``torch.save`` packed; code in it is refused, and so is what would swell."""
    with ZipFile(io.BytesIO(payload)) as archive:
        if any(file.compress_type != ZIP_STORED for file in archive.infolist()):
            raise BadZipFile("torch.save does not compress")
    # to the CPU: whoever loads it may not have the device it was saved from
    return torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")


def clear_leftovers(path: str | Path) -> None:
    """Removes what a process that was killed while writing ``path`` left beside it."""
    path = Path(path)
    for beside in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        beside.unlink(missing_ok=True)
