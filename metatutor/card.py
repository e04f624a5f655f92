"""A model card: what a file of weights is, in a JSON file beside it.

    card.write("letters.safetensors", data="…", licence="OFL", seed=0, …)
    card.read("letters.safetensors")["scores"]

The card names the weights by their SHA-256, so that the two cannot part unnoticed,
and holds text and numbers only: reading it runs no code. What a card should say is
from Mitchell et al. 2019, section 4, cut down to what a small model needs.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .data.files import DataError, read_verified, store
from .results import Result
from .version import __version__

FORMAT = 1
TEXTS = {
    "data": "what it was trained on",
    "licence": "under which licence others may use it",
    "inputs": "what an input must look like: shape, range, which value is ink",
}
SCORE = ("mean", "ci95", "n", "metric", "transductive")
REMEDY = "take the weights and their card again from where they came, both together"


def path(weights: str | Path) -> Path:
    """Where the card of a weights file lies: ``a.safetensors`` → ``a.card.json``."""
    return Path(weights).with_suffix(".card.json")


def write(
    weights: str | Path,
    *,
    data: str,
    licence: str,
    inputs: str,
    seed: int,
    scores: Mapping[str, Result],
    limits: Sequence[str],
) -> dict[str, Any]:
    """Writes the card of a weights file, and returns what it says.

    The checksum of the weights and the versions of Python, torch, NumPy and metatutor
    are filled in.

    Args:
        weights: an existing file, of any format.
        data: what it was trained on, and which split.
        licence: of the weights.
        inputs: what an input must look like.
        seed: of the training.
        scores: what was measured, by name, each with its interval.
        limits: what it was not tested on, or is known to get wrong.

    Raises:
        ValueError: a part that is missing or empty, said by name.
        DataError: no such weights file.
    """
    file = Path(weights)
    if not file.is_file():
        raise DataError(f"{file} is missing: save the weights first, then their card")
    made = {
        "card": FORMAT,
        "weights": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "data": data,
        "licence": licence,
        "inputs": inputs,
        "seed": seed,
        "scores": {name: plain(score) for name, score in dict(scores or {}).items()},
        "limits": limits if isinstance(limits, str) else list(limits or []),
        "versions": versions(),
    }
    for fault in faults(made):
        raise ValueError(f"the card of {file.name} is incomplete: {fault}")
    text = json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False)
    store((text + "\n").encode(), path(file))
    return made


def read(weights: str | Path) -> dict[str, Any]:
    """The card of a weights file, if it is complete and these are its weights.

    Raises:
        DataError: either file is missing, truncated or altered, or the card lacks a
            part; it says which, and what to do.
    """
    beside = path(weights)
    if not beside.is_file():
        raise DataError(f"{beside} is missing: {REMEDY}")
    try:
        made = json.loads(beside.read_text("utf8"), parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{beside} is no card ({error}): {REMEDY}") from error
    for fault in faults(made):
        raise DataError(f"{beside} is incomplete: {fault}; {REMEDY}")
    read_verified(weights, made["sha256"], remedy=REMEDY)
    return made


def faults(made: Any) -> list[str]:
    """What a card lacks; empty if nothing."""
    if not isinstance(made, dict) or made.get("card") != FORMAT:
        return [f"it is no card of format {FORMAT}"]
    found = [
        f"{name!r} must say {what}"
        for name, what in TEXTS.items()
        if not is_text(made.get(name))
    ]
    sha256 = made.get("sha256")
    if not (isinstance(sha256, str) and len(sha256) == 64):
        found.append("'sha256' must be the checksum of the weights")
    if isinstance(made.get("seed"), bool) or not isinstance(made.get("seed"), int):
        found.append("'seed' must be the whole number that training started from")
    limits = made.get("limits")
    if not (isinstance(limits, list) and limits and all(map(is_text, limits))):
        found.append(
            "'limits' must list what it was not tested on: there is always one"
        )
    scores = made.get("scores")
    if not (
        isinstance(scores, dict) and scores and all(map(is_score, scores.values()))
    ):
        found.append(f"'scores' must give, for each test, {', '.join(SCORE)}")
    named = made.get("versions")
    if not (isinstance(named, dict) and named and all(map(is_text, named.values()))):
        found.append("'versions' must say what it was made with")
    return found


def is_text(value: Any) -> bool:
    """Whether there is anything to read."""
    return isinstance(value, str) and bool(value.strip())


def is_score(score: Any) -> bool:
    """Whether a score has all its parts: a mean is never told without its interval."""
    if not isinstance(score, dict) or any(part not in score for part in SCORE):
        return False
    numbers = (score["mean"], score["ci95"], score["n"])
    return (
        all(isinstance(x, int | float) and abs(x) < math.inf for x in numbers)
        and score["n"] >= 2
        and is_text(score["metric"])
        and isinstance(score["transductive"], bool)
    )


def plain(score: Result) -> dict[str, Any]:
    """A result as the numbers and words that a card holds."""
    if not isinstance(score, Result):
        raise ValueError(
            f"a score is a {type(score).__name__}: what meta_evaluate returns is "
            "needed, a mean with its interval and its number of tasks"
        )
    return {part: getattr(score, part) for part in SCORE}


def versions() -> dict[str, str]:
    """What the weights were made with."""
    return {
        "python": platform.python_version(),
        "metatutor": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def refuse_constant(name: str) -> None:
    """JSON has no NaN and no infinity; Python's reader would take them."""
    raise ValueError(f"{name} is no number")
