"""Run the tests on mutants: ``python tests/mutation/run.py FILE.json``.

Each mutant gets a copy of the repository and the tests nearest to its file, then the
others; it is killed if one fails or the time is up. What survives is printed as a
difference, to be read. ``--ledger`` records the share of those killed.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("metatutor", "tests", "pyproject.toml", "conftest.py")
PROBABILISTIC = [
    "alpaca",
    "bmaml",
    "linear_gaussian",
    "neural_process",
    "probabilistic",
]
NEAREST = {
    "metatutor/results.py": ["tests/test_results.py"],
    "metatutor/training.py": ["tests/test_training.py", "tests/test_checkpoint.py"],
    **{
        f"metatutor/learners/{name}.py": [
            "tests/learners/test_probabilistic.py",
            "tests/test_calibration.py",
        ]
        for name in PROBABILISTIC
    },
}
OTHERS = [
    "tests/test_tasks.py",
    "tests/test_results.py",
    "tests/learners",
    "tests/test_toy_learner.py",
    "tests/engine/test_mapping.py",
    "tests/test_equations.py",
]
# progress bars and whole trainings: seconds each, and the others say the same
SLOW = "not progress and not short_training and not easier and not average_wave"


def nearest(file: str) -> list[str]:
    """The test files to begin with."""
    name = f"tests/learners/test_{Path(file).name}"
    return NEAREST.get(file, [name] if (ROOT / name).exists() else [])


def survives(mutant: dict, folder: Path, seconds: float) -> bool:
    """Whether all tests pass on the mutant, in a copy of the repository."""
    original = (ROOT / mutant["file"]).read_bytes()
    (folder / mutant["file"]).write_text(mutant["code"], "utf8")
    command = [sys.executable, "-m", "pytest", "-qx", "-o", "addopts=", "-k", SLOW]
    command += ["-p", "no:cacheprovider", *nearest(mutant["file"]), *OTHERS]
    alone = {
        "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "",
    }  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | alone, capture_output=True,
            timeout=seconds,
        )  # fmt: skip
        if done.returncode > 1 and done.returncode != 2:  # 2: not even collected
            raise RuntimeError(done.stdout.decode(errors="replace")[-2000:])
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        (folder / mutant["file"]).write_bytes(original)


def difference(mutant: dict) -> str:
    """What the mutant changes, in a line or a few."""
    old = (ROOT / mutant["file"]).read_text("utf8").splitlines()
    lines = difflib.unified_diff(old, mutant["code"].splitlines(), n=0, lineterm="")
    return "\n".join([mutant["file"], *list(lines)[2:]])


def run(mutants: list[dict], workers: int, seconds: float, until: float) -> list[dict]:
    """The mutants that were run before the time ``until``, each with its fate."""
    with TemporaryDirectory() as scratch:
        folders: SimpleQueue[Path] = SimpleQueue()
        for number in range(workers):
            folder = Path(scratch) / str(number)
            for name in COPIED:
                target = folder / name
                if (ROOT / name).is_dir():
                    litter = shutil.ignore_patterns("__pycache__", "vendor")
                    shutil.copytree(ROOT / name, target, ignore=litter)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / name, target)
            folders.put(folder)

        def fate(mutant: dict) -> dict | None:
            folder = folders.get()
            try:
                if time.monotonic() > until:
                    return None
                return mutant | {"survived": survives(mutant, folder, seconds)}
            finally:
                folders.put(folder)

        unchanged = {"file": "metatutor/tasks.py"}
        unchanged["code"] = (ROOT / unchanged["file"]).read_text("utf8")
        if not fate(unchanged)["survived"]:
            sys.exit("the tests fail, or last too long, without any mutant")
        with ThreadPoolExecutor(workers) as pool:
            return [done for done in pool.map(fate, mutants) if done]


def main() -> None:
    """Run, and print the survivors and the score."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mutants")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--timeout", type=float, default=900, help="seconds a mutant")
    parser.add_argument("--limit", type=float, default=1e9, help="seconds in all")
    parser.add_argument("--out", help="JSON file for the fate of each mutant")
    options = parser.parse_args()
    mutants = json.loads(Path(options.mutants).read_text("utf8"))
    until = time.monotonic() + options.limit
    done = run(mutants, options.workers, options.timeout, until)
    survivors = [mutant for mutant in done if mutant["survived"]]
    for mutant in survivors:
        print(difference(mutant), end="\n\n")
    print(f"{len(done) - len(survivors)} of {len(done)} mutants killed")
    if options.out:
        Path(options.out).write_text(json.dumps(done), "utf8")


if __name__ == "__main__":
    main()
