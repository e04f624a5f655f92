"""Vendored files are the published ones, and their licences stand beside them."""

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / "book" / "_static" / "vendor", ROOT / "tests" / "site" / "vendor"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.parent.name)
def test_vendored_files_are_listed_with_their_checksums(folder):
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in map(str.split, lines)}
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("SHA256SUMS", "README.md")
    }
    assert listed == {name: digest.hexdigest() for name, digest in found.items()}
    assert any("LICENSE" in name for name in listed)
