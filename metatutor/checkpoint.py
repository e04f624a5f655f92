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
from pathlib import Path
from typing import Any

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
        CheckpointError: not a checkpoint, of another version, or its checksum is not
            the one written in it (truncated or altered).
    """
    header, _, payload = Path(path).read_bytes().partition(b"\n")
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
    # to the CPU: whoever loads it may not have the device it was saved from
    return torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
