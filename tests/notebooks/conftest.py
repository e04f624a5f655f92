"""The chapters, as data."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


def read(path: Path) -> dict:
    return json.loads(path.read_text("utf8"))


def source(cell: dict) -> str:
    return "".join(cell["source"])


def pytest_generate_tests(metafunc):
    """A test that asks for ``chapter`` runs once for each."""
    if "chapter" in metafunc.fixturenames:
        ids = [path.stem for path in CHAPTERS]
        metafunc.parametrize("chapter", CHAPTERS, ids=ids)
