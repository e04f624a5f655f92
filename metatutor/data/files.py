"""Data files that are either exactly the ones meant, or refused."""

from __future__ import annotations

import hashlib
import lzma
import os
import struct
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.request import urlopen
from zipfile import BadZipFile, ZipFile

# what reading a damaged, locked or unusual file may raise, a zip or an image
DAMAGED = (
    BadZipFile, EOFError, OSError, RuntimeError, ValueError, OverflowError,
    lzma.LZMAError, struct.error, zlib.error,
)  # fmt: skip


LARGEST = 2**28
"""The most bytes that a zip may unpack to, or a file hold; ours have a few million."""


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


def fetch(url: str, path: str | Path, sha256: str) -> None:
    """Downloads a file whose SHA-256 is known, in place of one that may be there.

    The file is there whole or not at all: it is written under another name beside,
    and renamed.

    Raises:
        DataError: no connection, another checksum, or nowhere to write.
    """
    path = Path(path)
    by_hand = f"fetch {url} by other means and save it as {path}"
    try:
        with urlopen(url, timeout=60) as response:
            content = response.read()
    except (OSError, HTTPException) as error:  # no network, refused, or cut off
        raise DataError(
            f"{url} cannot be downloaded ({error!r}): check the connection, or "
            f"{by_hand}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"what {url} sent is truncated or altered ({len(content):,} bytes): its "
            f"SHA-256 should be {sha256}, but is {found}. Try again, or {by_hand}"
        )
    try:
        store(content, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}") from error


def store(content: bytes, path: Path) -> None:
    """Writes a file that others see whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def zipped(source: Path | BinaryIO, name: str | Path) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each file in a zip; nothing is extracted.

    What operating systems add of their own (``__MACOSX``, ``.DS_Store``) is left out.

    Args:
        source: the zip, as a path or an open file.
        name: what messages call it.

    Raises:
        DataError: no zip, a damaged or locked one, one that unpacks to more than
            `LARGEST`, or a name that leads outside it.
    """
    try:
        archive = ZipFile(source)
    except DAMAGED as error:
        raise DataError(
            f"{name} is no zip file, or a truncated one ({error}): fetch it again"
        ) from error
    with archive:
        claimed = sum(member.file_size for member in archive.infolist())
        if claimed > LARGEST:  # reading stops at what is claimed
            raise DataError(
                f"{name} says that it unpacks to {claimed:,} bytes, more than "
                f"{LARGEST:,}: it is not the zip that is wanted"
            )
        for member in archive.infolist():
            parts = [
                part for part in member.filename.split("/") if part not in ("", ".")
            ]
            if ".." in parts:
                raise DataError(
                    f"{name} holds {member.filename}, which leads outside it: fetch "
                    "the zip again"
                )
            if member.is_dir() or is_litter(parts):
                continue
            try:
                content = archive.read(member)
            except DAMAGED as error:
                raise DataError(
                    f"{member.filename} in {name} cannot be read ({error}): fetch the "
                    "zip again"
                ) from error
            yield "/".join(parts), content


def is_litter(parts: list[str]) -> bool:
    """Whether a path is one that operating systems make for themselves."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)
