"""Run notebooks and store what they print: ``python book/execute.py chapters/*.ipynb``.

The site shows stored outputs, so run this after changing a chapter or the package,
and look at the difference before committing it. What changes from run to run
without meaning anything (timings, widget state) is not stored. A notebook is
replaced only when all of its cells ran; otherwise its file stays as it was.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CELL_TIMEOUT = 600  # seconds: a chapter as a whole should take at most 90


def run(path: Path) -> nbformat.NotebookNode:
    """Execute a notebook in its own folder and return it with its outputs.

    Raises:
        CellExecutionError: A cell failed; the message holds the cell and the error.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    return notebook


def normalise(notebook: dict) -> str:
    """The text of a notebook file, the same for the same cells and outputs."""
    metadata = {
        key: value for key, value in notebook["metadata"].items() if key != "widgets"
    }
    cells = [_without_timings(cell) for cell in notebook["cells"]]
    tidy = {**notebook, "metadata": metadata, "cells": cells}
    text = nbformat.writes(nbformat.from_dict(tidy), version=nbformat.NO_CONVERT)
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"


def _without_timings(cell: dict) -> dict:
    metadata = {
        key: value for key, value in cell["metadata"].items() if key != "execution"
    }
    return {**cell, "metadata": metadata}


def write_whole(path: Path, text: str) -> None:
    """Write beside, then rename: the file is never half-written."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(beside, path.stat().st_mode)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def main(paths: list[str]) -> int:
    """Execute each notebook; the exit status says whether all of them ran."""
    # progress bars would be stored as noise
    os.environ["TQDM_DISABLE"] = "1"
    failed = False
    for path in map(Path, paths):
        print(f"{path} …", flush=True)
        try:
            write_whole(path, normalise(run(path.resolve())))
        except CellExecutionError as error:
            failed = True
            print(f"{path} is left as it was:\n{error}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
