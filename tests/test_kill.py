"""A process killed at any moment costs no more than the iteration that it was in."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from metatutor.checkpoint import clear_leftovers

SCRIPT = Path(__file__).with_name("killed_runs.py")
KILLS = 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_fifty_kills_lose_nothing(tmp_path):
    """Whole files, the same numbers in the end, nothing left behind: see the script."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), str(KILLS), "0"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == KILLS
    assert found["went back"] == 0
    # the test is of no use unless many kills fell into a write
    assert found["stages"]["between writes"] <= KILLS - 10, found


def test_only_what_was_left_of_this_checkpoint_is_removed(tmp_path):
    kept = ["run.ckpt", "run2.ckpt", ".run2.ckpt.7.tmp", "run.ckpt.7.tmp", "[r].tmp"]
    for name in [*kept, ".run.ckpt.7.tmp", ".run.ckpt.123.tmp"]:
        (tmp_path / name).write_bytes(b"half")
    clear_leftovers(tmp_path / "run.ckpt")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(kept)
    clear_leftovers(tmp_path / "no folder" / "run.ckpt")
