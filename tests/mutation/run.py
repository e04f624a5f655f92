"""Run the tests on mutants: ``python tests/mutation/run.py MUTANTS.json FATES.jsonl``.

Each mutant gets a copy of the repository and the tests of these files, the quickest
first; it is killed if one fails or the time is up. Its fate is written as soon as it
is known, so that a run that was stopped goes on where it was. Survivors are printed as
differences, to be read: a mutant that computes the same can only survive.

Tests run in forks of a process that has imported PyTorch, which saves most of the time.
"""

from __future__ import annotations

import difflib
import json
import multiprocessing
import os
import shutil
import sys
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Lock

ROOT = Path(__file__).resolve().parents[2]
LEFT_BEHIND = shutil.ignore_patterns(
    ".*", "_build", "__pycache__", "vendor", "*.egg-info", "data-cache"
)
PRELOADED = ("torch", "torchvision", "matplotlib.pyplot", "hypothesis", "pytest")
PROBABILISTIC = [
    "alpaca",
    "bmaml",
    "linear_gaussian",
    "neural_process",
    "probabilistic",
]
TESTS = [
    "tests/test_checks.py",
    "tests/test_ways.py",
    "tests/test_tasks.py",
    "tests/test_results.py",
    "tests/learners",
    "tests/test_toy_learner.py",
    "tests/engine/test_mapping.py",
    "tests/test_equations.py",
]
MORE = {
    "metatutor/training.py": ["tests/test_training.py", "tests/test_checkpoint.py"],
    **{
        f"metatutor/learners/{name}.py": ["tests/test_calibration.py"]
        for name in PROBABILISTIC
    },
}
# progress bars and whole trainings: seconds each, and the others say the same
SLOW = "not progress and not short_training and not easier and not average_wave"


class QuickestFirst:
    """For pytest: orders tests by how long they took when they were last timed."""

    def __init__(self, file: Path) -> None:
        self.file, self.timed = file, {}
        self.known = json.loads(file.read_text("utf8")) if file.exists() else {}

    def pytest_collection_modifyitems(self, items: list) -> None:
        items.sort(key=lambda item: self.known.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report) -> None:
        self.timed[report.nodeid] = self.timed.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if not self.known:
            self.file.write_text(json.dumps(self.timed), "utf8")


def tested(folder: Path, tests: list[str]) -> None:
    """In a fork: the process ends with pytest's exit status."""
    os.chdir(folder)
    os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    import pytest
    import torch
    from hypothesis import Phase, settings

    torch.set_num_threads(1)
    # that a mutant fails is enough: no search for the simplest example
    settings.register_profile("quick", phases=[Phase.explicit, Phase.generate])
    settings.load_profile("quick")
    words = ["-qx", "-o", "addopts=", "-k", SLOW, "-p", "no:cacheprovider", "--tb=no"]
    with (
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        timing = QuickestFirst(folder.parent / "seconds.json")
        status = pytest.main([*words, *tests], plugins=[timing])
    assert Path(sys.modules["metatutor"].__file__).is_relative_to(folder)
    os._exit(status)


def survives(mutant: dict, tests: list[str], folder: Path, seconds: float) -> bool:
    """Whether these tests pass on the mutant, in a copy of the repository."""
    (folder / mutant["file"]).write_text(mutant["code"], "utf8")
    try:
        fork = multiprocessing.get_context("fork")
        process = fork.Process(target=tested, args=(folder, tests))
        process.start()
        end = time.monotonic() + seconds
        # `join` with a time limit would wait for the other forks, too: they hold the
        # pipe that it listens to
        while process.exitcode is None and time.monotonic() < end:
            time.sleep(0.1)
        process.kill()
        process.join()
        return process.exitcode == 0
    finally:
        shutil.copy(ROOT / mutant["file"], folder / mutant["file"])


def difference(mutant: dict) -> str:
    """What the mutant changes, in a line or a few."""
    old = (ROOT / mutant["file"]).read_text("utf8").splitlines()
    lines = difflib.unified_diff(old, mutant["code"].splitlines(), n=0, lineterm="")
    return "\n".join([mutant["file"], *list(lines)[2:]])


def key(mutant: dict) -> tuple:
    """What makes two mutants the same one."""
    return mutant["file"], mutant["operator"], mutant["place"]


def run(mutants: list[dict], workers: int, seconds: float, fates: Path) -> None:
    """Adds a line for each mutant to ``fates``, as soon as it is known."""
    with TemporaryDirectory() as scratch:
        folders: SimpleQueue[Path] = SimpleQueue()
        for number in range(workers):
            folder = Path(scratch) / str(number)
            shutil.copytree(ROOT, folder, ignore=LEFT_BEHIND)
            folders.put(folder)
        unchanged = {"file": "metatutor/tasks.py"}
        unchanged["code"] = (ROOT / unchanged["file"]).read_text("utf8")
        folder, every = folders.get(), {test for more in MORE.values() for test in more}
        if not survives(unchanged, [*TESTS, *sorted(every)], folder, seconds):
            sys.exit("the tests fail, or last too long, without any mutant")
        folders.put(folder)
        writing = Lock()

        def fate(mutant: dict) -> None:
            folder, start = folders.get(), time.monotonic()
            tests = [*TESTS, *MORE.get(mutant["file"], [])]
            try:
                survived = survives(mutant, tests, folder, seconds)
            finally:
                folders.put(folder)
            line = dict(zip(("file", "operator", "place"), key(mutant), strict=True))
            line |= {"survived": survived, "seconds": round(time.monotonic() - start)}
            with writing, fates.open("a", encoding="utf8") as file:
                file.write(json.dumps(line) + "\n")

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(fate, mutants))


def main() -> None:
    """Run what is left, and print the survivors and the score."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mutants", type=Path)
    parser.add_argument("fates", type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--timeout", type=float, default=600, help="seconds a mutant")
    parser.add_argument("--again", action="store_true", help="also what survived")
    parser.add_argument("--ledger", type=Path, help="a ledger to put the score into")
    options = parser.parse_args()
    mutants = json.loads(options.mutants.read_text("utf8"))
    fates = read(options.fates)
    done = {k for k, fate in fates.items() if not (fate["survived"] and options.again)}
    left = [mutant for mutant in mutants if key(mutant) not in done]
    if left:
        for name in PRELOADED:
            __import__(name)
        run(left, options.workers, options.timeout, options.fates)
    fates = read(options.fates)
    fates = [fates[key(mutant)] for mutant in mutants]
    for mutant, fate in zip(mutants, fates, strict=True):
        if fate["survived"]:
            print(difference(mutant), end="\n\n")
    killed = sum(not fate["survived"] for fate in fates)
    print(f"{killed} of {len(mutants)} mutants killed")
    if options.ledger:
        put_into(options.ledger, fates, mutants[0]["seed"])


def read(fates: Path) -> dict[tuple, dict]:
    """The last known fate of each mutant, by what `key` makes of it."""
    if not fates.exists():
        return {}
    lines = [json.loads(line) for line in fates.read_text("utf8").splitlines()]
    return {key(line): line for line in lines}


def put_into(ledger: Path, fates: list[dict], seed: int) -> None:
    """Records the share that was killed of the mutants drawn with this seed."""
    import torch

    from metatutor.experiments.ledger import made_by, record
    from metatutor.results import Result

    score = Result(torch.tensor([float(not fate["survived"]) for fate in fates]))
    row = {
        "experiment": "mutation testing",
        "method": f"mutants drawn with seed {seed}",
        "metric": "share of mutants killed",
        "value": round(score.mean, 4),
        "ci95": round(score.ci95, 4),
        "n": len(fates),
        "seeds": [seed],
        "per_seed": [round(score.mean, 4)],
        "seconds": sum(fate["seconds"] for fate in fates),
    }
    draw = f"mutants.py MUTANTS.json --sample {len(fates)} --seed {seed}"
    command = (
        f"cd tests/mutation; python {draw}; python run.py MUTANTS.json FATES.jsonl"
    )
    record(ledger, [row | made_by(command)])


if __name__ == "__main__":
    main()
