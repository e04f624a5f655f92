"""The result ledger: a JSON list of measured figures and how each was made."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from ..data import DataError
from ..results import Result

FIELDS = (
    "experiment", "method", "metric", "value", "ci95", "n", "seeds", "per_seed",
    "seconds", "device", "torch", "commit", "command",
)  # fmt: skip


def record(path: str | Path, entries: list[dict[str, Any]]) -> None:
    """Puts ``entries`` into the ledger in place of older ones of the same figure.

    A figure is an experiment, a method and a metric.
    """
    path = Path(path)
    for entry in entries:
        missing = set(FIELDS) - set(entry)
        if missing:
            raise ValueError(f"a ledger entry lacks {sorted(missing)}")
    new = {figure(entry) for entry in entries}
    old = entries_of(path) if path.exists() else []
    kept = [entry for entry in old if figure(entry) not in new]
    write_json(path, [*kept, *entries])


def entries_of(path: Path) -> list[dict[str, Any]]:
    """The entries of a ledger.

    Raises:
        DataError: a file that is none, or a damaged one.
    """
    try:
        found = json.loads(path.read_text("utf8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is no ledger, or a damaged one ({error}): put an older copy in "
            "its place, or name another file"
        ) from error
    if not isinstance(found, list) or not all(
        isinstance(entry, dict) and set(FIELDS) <= set(entry) for entry in found
    ):
        raise DataError(f"{path} is no ledger: a list of entries is needed")
    return found


def write_json(path: str | Path, document: Any) -> None:
    """Writes JSON beside its place and renames it: a crash leaves what was there.

    Raises:
        ValueError: a number that JSON has not: a diverged figure is refused.
    """
    path = Path(path)
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    beside = path.with_name(f".{path.name}.tmp")
    try:
        beside.write_text(text + "\n", "utf8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def figure(entry: dict[str, Any]) -> tuple[str, str, str]:
    """What makes two entries figures of the same thing."""
    return entry["experiment"], entry["method"], entry["metric"]


def device_name(device: str = "cpu") -> str:
    """What a run computes on, in words: the GPU, or the processor and its threads."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} thread{'s' * (threads > 1)}"


def made_by(command: str) -> dict[str, str]:
    """What the figures of one run share; to be asked before the run begins."""
    return {
        "device": device_name(),
        "torch": torch.__version__,
        "commit": commit(),
        "command": command,
    }


def commit() -> str:
    """The package's commit, marked where the tree differs; "unknown" outside git."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        dirty = "+changes" if git("status", "--porcelain", "--", "..") else ""
        return git("rev-parse", "--short=12", "HEAD") + dirty
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def pooled(results: list[Result]) -> dict[str, Any]:
    """One figure over seeds: tasks averaged over seeds, the interval over tasks."""
    over_seeds = Result(torch.stack([r.per_task for r in results]).mean(dim=0))
    return {
        "value": round(over_seeds.mean, 4),
        "ci95": round(over_seeds.ci95, 4),
        "n": over_seeds.n,
        "per_seed": [round(r.mean, 4) for r in results],
    }
