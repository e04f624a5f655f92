"""One session of a program given in blocks; started by its path, not imported.

Reads ``{"blocks", "seed", "stand_in", "limit", "weights"}`` from the first file that
is named, and writes what became of the program into the second. The program's own
output goes where it always goes.
"""

from __future__ import annotations

import json
import linecache
import sys
import traceback
from pathlib import Path

import torch
import torchvision
from stand_in import Digits  # this file's neighbour: its folder is where Python looks


def execute(blocks: list[str], space: dict) -> dict:
    """Runs blocks one after another, as cells; what stopped them, and where."""
    for number, text in enumerate(blocks, start=1):
        name = f"block {number}"
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        try:
            exec(compile(text, name, "exec"), space)
        except Exception as error:
            return failure(error)
    return {}


def failure(error: Exception) -> dict:
    """The error in one line, and every block and line that led to it, outer first."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{f.filename}, line {f.lineno}" for f in frames]
    if isinstance(error, SyntaxError):
        places.append(f"{error.filename}, line {error.lineno}")
    path = [place for place in places if place.startswith("block ")]
    # str(error) has no "Did you mean …?", which differs among Pythons
    return {"error": f"{type(error).__name__}: {error}", "path": path}


def main(order: Path, answer: Path) -> None:
    asked = json.loads(order.read_text("utf8"))
    torch.set_num_threads(1)  # the same sums in the same order, wherever it runs
    if asked["stand_in"]:
        Digits.limit = asked["limit"]
        torchvision.datasets.MNIST = Digits
    if asked["seed"] is not None:
        torch.manual_seed(asked["seed"])
    space = {"__name__": "__main__"}
    found = execute(asked["blocks"], space)
    if isinstance(model := space.get("model"), torch.nn.Module):
        torch.save(model.state_dict(), asked["weights"])
    answer.write_text(json.dumps(found), "utf8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
