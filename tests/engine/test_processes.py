"""Several processes compute what one would, and end clearly when one is lost."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import metatutor as mt
from metatutor.checkpoint import load_checkpoint
from metatutor.engine import processes

RANK = Path(__file__).with_name("rank.py")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def start(size, folder, *words, checkpoint="run.ckpt", result="weights"):
    """As many processes as asked for; ``size`` 0 is one without a process group."""
    shared = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    shared |= {"MASTER_PORT": free_port(), "TQDM_DISABLE": "1"}
    command = [sys.executable, str(RANK), str(folder / checkpoint)]
    command += [str(folder / result), *map(str, words)]
    running = []
    for rank in range(max(size, 1)):
        env = shared | ({"RANK": str(rank), "WORLD_SIZE": str(size)} if size else {})
        running.append(
            subprocess.Popen(
                command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True,
            )
        )  # fmt: skip
    ended = [process.communicate(timeout=200) for process in running]
    return [
        (process.returncode, err)
        for process, (_, err) in zip(running, ended, strict=True)
    ]


def weights(folder, rank=0, result="weights"):
    return torch.load(folder / f"{result}.{rank}", weights_only=True)


def finished(ended):
    assert [code for code, _ in ended] == [0] * len(ended), ended


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The weights that one process without a group ends with."""
    folder = tmp_path_factory.mktemp("alone")
    finished(start(0, folder, "--validate", "--iterations", 100))
    return weights(folder)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_hundred_iterations_end_where_one_process_ends(alone, tmp_path, size):
    """12 tasks on 1, 2 and 3 processes, validations and checkpoints included."""
    finished(start(size, tmp_path, "--validate", "--iterations", 100))
    for rank in range(size):
        torch.testing.assert_close(weights(tmp_path, rank), alone, rtol=0, atol=1e-6)
        assert torch.equal(weights(tmp_path, rank), weights(tmp_path))


def test_shares_need_not_be_equal(tmp_path):
    finished(start(0, tmp_path, "--meta-batch", 5, checkpoint="a", result="one"))
    finished(start(2, tmp_path, "--meta-batch", 5, checkpoint="b", result="two"))
    one, two = weights(tmp_path, result="one"), weights(tmp_path, result="two")
    torch.testing.assert_close(two, one, rtol=0, atol=1e-6)


def test_fewer_tasks_than_processes_are_refused(tmp_path):
    ended = start(2, tmp_path, "--meta-batch", 1)
    for code, error in ended:
        assert code == 1
        assert "1 tasks cannot be spread over 2 processes" in error


def test_a_dead_process_ends_the_run_and_any_number_goes_on(tmp_path):
    """Process 1 is killed in iteration 13; the checkpoint of 10 is whole."""
    finished(start(0, tmp_path, checkpoint="whole", result="whole"))
    (survivor, error), (dead, _) = start(
        2, tmp_path, "--dies-at", 14, "--dies-at-rank", 1
    )
    assert dead == -9
    assert survivor == 1
    assert "ProcessLostError" in error
    assert "one of them has died" in error
    assert "at iteration 13; the last good checkpoint is" in error
    assert "run.ckpt (iteration 10)" in error
    assert not (tmp_path / "weights.0").exists()
    assert len(load_checkpoint(tmp_path / "run.ckpt")["history"]["loss"]) == 10
    saved = (tmp_path / "run.ckpt").read_bytes()
    for size in (0, 2, 3):
        (tmp_path / "run.ckpt").write_bytes(saved)
        finished(start(size, tmp_path))
        torch.testing.assert_close(
            weights(tmp_path), weights(tmp_path, result="whole"), rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_in_one_process_ends_the_others_too(tmp_path, rank):
    ended = start(2, tmp_path, "--fails-at", 8, "--fails-at-rank", rank)
    code, error = ended.pop(rank)
    assert code == 1
    assert "ZeroDivisionError: the data are gone" in error
    ((code, error),) = ended
    assert code == 1
    assert "ProcessLostError" in error
    assert "(iteration 5)" in error


def test_a_damaged_checkpoint_is_told_by_every_process(tmp_path):
    (tmp_path / "run.ckpt").write_bytes(b"nothing of ours")
    for code, error in start(2, tmp_path):
        assert code == 1
        assert "is not a metatutor checkpoint" in error


def test_torchrun_starts_it(tmp_path, alone):
    words = ["--standalone", "--nproc-per-node", "2", str(RANK)]
    words += [str(tmp_path / "run.ckpt"), str(tmp_path / "weights")]
    words += ["--validate", "--iterations", "100", "--engine", "vmap"]
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words],
        check=True, capture_output=True, timeout=200,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"},
    )  # fmt: skip
    torch.testing.assert_close(weights(tmp_path), alone, rtol=0, atol=1e-6)


def test_an_error_while_computing_reaches_the_others(monkeypatch):
    """A process that fails tells so in the message that the others wait for."""
    sent = []
    monkeypatch.setattr(processes.dist, "all_reduce", sent.append)

    def fails():
        raise ZeroDivisionError("in the loss")

    parameters = [torch.zeros(2, 3)]
    with pytest.raises(ZeroDivisionError, match="in the loss"):
        processes.averaged(fails, 0.5, parameters)
    (message,) = sent
    assert message.tolist() == [1] + [0] * 7


def test_the_others_stop_when_told_so(monkeypatch):
    def told(message):
        message[0] += 1

    monkeypatch.setattr(processes.dist, "all_reduce", told)
    monkeypatch.setattr(processes, "size", lambda: 4)
    found = processes.MetaGradient(torch.tensor(1.0), [torch.ones(3)])
    with pytest.raises(mt.ProcessLostError, match="1 of 4 processes stopped"):
        processes.averaged(lambda: found, 0.5, [torch.zeros(3)])
