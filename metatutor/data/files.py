"""Data files that are either exactly the ones meant, or refused."""

from __future__ import annotations

import hashlib
from pathlib import Path


class DataError(ValueError):
    """A data file that cannot be used; the message says why and what to do."""


def read_verified(path: str | Path, sha256: str, remedy: str) -> bytes:
    """The bytes of a file whose SHA-256 is known.

    Args:
        path: the file.
        sha256: what its checksum must be.
        remedy: what to do about a file that is missing or different: the end of
            the message.

    Raises:
        DataError: no such file, or another checksum (truncated or altered).
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is missing: {remedy}")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"{path} is truncated or altered ({len(content):,} bytes): its SHA-256 "
            f"should be {sha256}, but is {found}. {remedy[0].upper()}{remedy[1:]}"
        )
    return content
