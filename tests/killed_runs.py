"""Trains in processes that are killed at random moments; run by ``test_kill.py``.

``python killed_runs.py FOLDER KILLS SEED`` prints one JSON object. This process imports
torch once and forks one child for each stretch of a run. The child is killed with
SIGKILL, and the next one goes on from the checkpoint, until the run is at its end; then
another run begins, until ``KILLS`` children were killed.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

import metatutor as mt
from metatutor import checkpoint, run

ITERATIONS = 8
STAGES = {
    "i": "between writes",
    "s": "serialising",
    "w": "writing the new file",
    "r": "putting it in its place",
}


def train(path, note):
    """One run, a checkpoint at every iteration; ``note`` is told what comes next."""
    real_save, real_open, real_replace = run.save_checkpoint, open, os.replace

    def noted(stage, function):
        def call(*arguments, **options):
            note(stage)
            return function(*arguments, **options)

        return call

    def save(*arguments):
        note("s")
        real_save(*arguments)
        note("i")

    run.save_checkpoint = save
    checkpoint.open = noted("w", real_open)  # stands before the built-in one
    checkpoint.os.replace = noted("r", real_replace)
    torch.manual_seed(0)
    model = mt.models.mlp(1, 1, hidden=(8,), activation=nn.Tanh)
    # 4 MB that cost nothing to compute with: most of the time goes into writing
    model.register_buffer("ballast", torch.randn(1_000_000))
    learner = mt.MAML(model, mt.mse, inner_lr=0.01, inner_steps=1)
    history = mt.meta_train(
        learner,
        mt.data.Sinusoid(shots=2),
        iterations=ITERATIONS,
        meta_batch=1,
        checkpoint=path,
        checkpoint_every=1,
        resume=True,
        progress=False,
    )
    return history.loss, [p.detach().clone() for p in model.parameters()]


def stretch(path, end, kill_after=None):
    """Runs a child until it ends or is killed.

    Args:
        path: the checkpoint.
        end: where the child writes what it ends with.
        kill_after: in seconds after it has begun to train; never if None.

    Returns:
        The stage at which it was killed, None if it came to its end; and the seconds.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.write(writing, b"i")
            result = train(path, lambda stage: os.write(writing, stage.encode()))
            os.write(writing, b"e")
            torch.save(result, end)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    stages = os.read(reading, 1)
    started = time.perf_counter()
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    while more := os.read(reading, 1000):  # ends with the child
        stages += more
    seconds = time.perf_counter() - started
    os.close(reading)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and not stages.endswith(b"e"):
        return stages[-1:].decode(), seconds
    if not os.WIFEXITED(status) or os.WEXITSTATUS(status):
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"a child failed with status {status}")
        end.unlink(missing_ok=True)  # killed when the run was over
        return None, seconds
    return None, seconds


def behind(path):
    """The iterations in a checkpoint, which must be whole; None if there is none."""
    if not path.exists():
        return None
    return len(checkpoint.load_checkpoint(path)["history"]["loss"])


def same(first, second):
    """Equal losses and weights, to the last bit."""
    return first[0] == second[0] and all(map(torch.equal, first[1], second[1]))


def main(folder, kills, seed):
    draw = random.Random(seed)
    torch.set_num_threads(1)
    end = folder / "end.pt"
    _, whole = stretch(folder / "reference" / "run.ckpt", end)
    reference = torch.load(end)
    killed, leftovers, runs, lost = [], 0, 0, 0
    while len(killed) < kills:
        path = folder / f"run{runs}" / "run.ckpt"
        path.parent.mkdir()
        before, done = None, False
        while not done:
            again = len(killed) < kills
            stage, _ = stretch(path, end, draw.uniform(0, whole) if again else None)
            done = stage is None
            if not done:
                killed.append(STAGES[stage])
            after = behind(path)  # raises if the file is not whole
            lost += before is not None and (after is None or after < before)
            before = after
            names = {file.name for file in path.parent.iterdir()} - {path.name}
            strange = [name for name in names if not name.endswith(".tmp")]
            if strange or len(names) > 1:
                raise SystemExit(f"left beside the checkpoint: {sorted(names)}")
            leftovers += len(names)
        stretch(path, end)  # nothing to do, if it was not killed at its very end
        if not same(torch.load(end), reference):
            raise SystemExit(f"run {runs} did not come to the same numbers")
        if len(list(path.parent.iterdir())) != 1:
            raise SystemExit("what killed processes left is still there")
        runs += 1
    counts = {stage: killed.count(stage) for stage in STAGES.values()}
    found = {"kills": len(killed), "stages": counts, "runs": runs}
    print(json.dumps(found | {"leftovers": leftovers, "went back": lost}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
