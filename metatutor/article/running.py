"""Runs the article's program in a process of its own, without the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import torch
import torchvision
from torch import Tensor

from ..data import DataError
from .stand_in import Digits

HERE = Path(__file__).parent
RAW = Path("data", "MNIST", "raw")
"""Where torchvision looks for MNIST when told ``root='./data'``, as here."""
NAMES = [f"{part}-{kind}" for part in ("train", "t10k")
         for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]  # fmt: skip


@dataclass(frozen=True)
class Session:
    """What became of a program.

    Attributes:
        output: what it printed.
        error: the last line of its traceback, such as ``NameError: …``; empty if
            it ran to its end.
        path: the lines that led to the error, outer first: ``block 4, line 5``.
        weights: of its ``model`` when it stopped, by name; empty if there was none.
        data: ``MNIST`` or ``digits``.
    """

    output: str
    error: str = ""
    path: Sequence[str] = ()
    weights: dict[str, Tensor] = field(default_factory=dict, repr=False)
    data: str = "digits"

    @property
    def where(self) -> str:
        """The line that failed; empty if none did."""
        return self.path[-1] if self.path else ""

    def __str__(self) -> str:
        told = f"{self.where}: {self.error}" if self.error else "ran to its end"
        return (self.output + told).strip()


def mnist(limit: int | None = None) -> type:
    """What ``torchvision.datasets.MNIST`` is to a program that is `run`: a class.

    The real one if its four files lie in ``data/MNIST/raw`` below the current folder,
    and no ``limit`` is set; otherwise `Digits`, which stand in for it.

    Raises:
        DataError: neither MNIST nor scikit-learn is there.
    """
    if limit is None and all((RAW / name).is_file() for name in NAMES):
        return torchvision.datasets.MNIST
    if find_spec("sklearn") is None:
        raise DataError(
            f"there is no MNIST in {RAW} and no scikit-learn, whose digits stand in "
            "for it: install it with pip install scikit-learn"
        )
    return Digits


def run(
    blocks: Sequence[str],
    *,
    seed: int | None = 0,
    limit: int | None = None,
    timeout: float = 600,
) -> Session:
    """Runs blocks of code one after another, as the cells of a fresh session.

    ``torchvision.datasets.MNIST`` is what `mnist` says: the real one where its files
    are (10 epochs then take a minute or two), scikit-learn's digits where they are
    not. Nothing is downloaded.

    Args:
        blocks: as from `program`, and any of your own after them.
        seed: of PyTorch, set before the first block; none as in the article if None.
        limit: only so many images to train and as many to test on, of the digits.
        timeout: seconds, after which the program is stopped.

    Raises:
        DataError: neither MNIST nor scikit-learn is there.
        TimeoutError: the program took longer.
        RuntimeError: it left no word: the process itself died.
    """
    real = mnist(limit) is not Digits
    with tempfile.TemporaryDirectory() as folder:
        order, answer, weights = (Path(folder, n) for n in ("ask", "told", "weights"))
        asked = {"blocks": list(blocks), "seed": seed, "stand_in": not real}
        asked |= {"limit": limit, "weights": str(weights)}
        order.write_text(json.dumps(asked), "utf8")
        done = process([str(HERE / "_session.py"), str(order), str(answer)], timeout)
        if not answer.is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise RuntimeError(f"the process ended with {done.returncode}: {last}")
        told = json.loads(answer.read_text("utf8"))
        state = torch.load(weights, weights_only=True) if weights.is_file() else {}
    data = "MNIST" if real else "digits"
    return Session(done.stdout, **told, weights=state, data=data)


def process(arguments: list[str], timeout: float) -> subprocess.CompletedProcess:
    """Python with these arguments, its output as text, stopped in time."""
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}
    try:
        return subprocess.run(
            [sys.executable, *arguments], env=environment, timeout=timeout,
            capture_output=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"the program was stopped after {timeout} s") from None
