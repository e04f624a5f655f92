"""The benchmark compares like with like, and says what it found."""

import importlib.util
import json
import os
import subprocess
import sys
import types
from functools import partial

import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor.benchmark import (
    agreement,
    cases,
    contestants,
    memory,
    peers,
    problems,
    ranks,
    timing,
    training,
)
from metatutor.benchmark.__main__ import PARTS, main
from metatutor.benchmark.agreement import Refused, check, gradient
from metatutor.benchmark.cases import Case
from metatutor.benchmark.contestants import ALL, BOUNDS, ENGINES, PEERS
from metatutor.benchmark.report import tables
from metatutor.benchmark.settings import Settings
from metatutor.experiments.ledger import write_json

TINY = Settings(seconds=0.0, rounds=2, quick=True)


def smooth(tasks=3):
    """A problem on which float64 has digits to spare."""
    model = mt.models.mlp(1, 1, hidden=(6, 5), activation=nn.Tanh)
    batch = mt.data.Sinusoid(shots=4, queries=6).sample(tasks)
    return problems.Problem(model, mt.mse, batch, 0.1)


def convolutional(tasks=2):
    images = torch.rand(5, 4, 1, 16, 16)
    batch = mt.Episodes(images, ways=3, shots=1, queries=2).sample(tasks)
    model = mt.models.conv4(3, channels=4, norm="batch")
    return problems.Problem(model, mt.cross_entropy, batch, 0.1)


def meta_gradient(prepare, problem, steps):
    step = prepare(problem.model, problem.loss, problem.inner_lr, steps)
    step(problem.batch)
    return gradient(problem.model)


def impostor(model, loss, inner_lr, inner_steps):
    """First order, under the name of MAML."""
    learner = mt.MAML(model, loss, inner_lr, inner_steps, first_order=True)
    return mt.Engine(learner, "vmap")


LIBRARIES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(name) is None, reason=f"{name} is not installed"
        ),
    )
    for name in ("higher", "torchopt")
]


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(
    "who", ["engine-vmap", "engine-loop", "engine-workers", *LIBRARIES]
)
def test_everybody_computes_the_same_on_the_dense_problem(float64, who, steps):
    problem = smooth()
    reference = meta_gradient(peers.loop, problem, steps)
    found = meta_gradient(ALL[who], problem, steps)
    assert check(who, found, reference) <= 1e-8
    # a second call replaces the gradient and adds nothing to it
    prepared = ALL[who](problem.model, problem.loss, problem.inner_lr, steps)
    for _ in range(2):
        prepared(problem.batch)
    torch.testing.assert_close(gradient(problem.model), found)


@pytest.mark.parametrize("who", ["engine-auto", "engine-loop", *LIBRARIES])
def test_everybody_computes_the_same_on_the_convolutional_problem(float64, who):
    problem = convolutional()
    reference = meta_gradient(peers.loop, problem, 2)
    assert check(who, meta_gradient(ALL[who], problem, 2), reference) <= 1e-8


def test_the_reference_is_the_derivative_of_the_mean_query_loss(float64):
    """By central differences along the meta-gradient itself."""
    problem, steps = smooth(), 2
    slope = meta_gradient(peers.loop, problem, steps)
    learner = mt.MAML(problem.model, problem.loss, problem.inner_lr, steps)
    theta = nn.utils.parameters_to_vector(problem.model.parameters()).detach()
    losses = []
    for side in (1e-5, -1e-5):
        moved = theta + side * slope / slope.norm()
        nn.utils.vector_to_parameters(moved, problem.model.parameters())
        losses.append(learner.meta_loss(problem.batch).item())
    assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(slope.norm().item(), 1e-6)


def test_an_impostor_is_refused(monkeypatch):
    """One that leaves out second derivatives, and would have been the fastest."""
    monkeypatch.setitem(ALL, "impostor", impostor)
    case = Case("mlp", 3, 1, ("loop", "impostor"))
    with pytest.raises(Refused, match="impostor computes another meta-gradient"):
        cases.measure(case, TINY, print)


def test_the_benchmark_ends_with_an_error_where_one_is_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(ALL, "engine-vmap", impostor)
    left_out = [*BOUNDS, *(e for e in ENGINES if e != "engine-vmap")]
    words = ["--only", "mlp", "--quick", "--json", str(tmp_path / "found.json")]
    with pytest.raises(Refused, match="engine-vmap"):
        main([*words, "--leave-out", *left_out])
    assert list(tmp_path.iterdir()) == []  # no figures of a comparison that failed


@pytest.mark.parametrize("wrong", [float("nan"), 0.0, 1.002, -1.0])
def test_what_differs_or_is_no_number_is_refused(wrong):
    reference = torch.tensor([3.0, 4.0])
    assert check("right", reference * 1.0001, reference) == pytest.approx(1e-4, 1e-2)
    with pytest.raises(Refused, match="wrong"):
        check("wrong", reference * wrong, reference)


def test_a_missing_library_is_named_in_a_line_and_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "higher", None)  # what Python has for "is not"
    said = []
    rows = cases.measure(Case("mlp", 2, 1, ("loop", "higher")), TINY, said.append)
    assert [row["who"] for row in rows] == ["loop"]
    (line,) = said
    assert "\n" not in line
    assert line.startswith("higher is left out: ModuleNotFoundError")


def test_a_library_that_breaks_at_its_import_is_left_out(monkeypatch, tmp_path):
    (tmp_path / "torchopt.py").write_text("raise AttributeError('torch\\nchanged')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchopt", raising=False)
    with pytest.raises(peers.MissingPeer, match="AttributeError: torch changed"):
        peers.torchopt(nn.Linear(1, 1), mt.mse, 0.1, 1)


def test_an_error_while_a_contestant_computes_is_not_hidden(monkeypatch):
    monkeypatch.setitem(sys.modules, "higher", types.ModuleType("higher"))
    with pytest.raises(AttributeError, match="innerloop_ctx"):
        cases.measure(Case("mlp", 2, 1, ("higher",)), TINY, print)


def test_plain_passes_are_as_many_as_they_say():
    problem, passes = smooth(tasks=3), []
    problem.model.register_forward_hook(lambda *call: passes.append(len(call[1][0])))
    for name, sizes in (("plain", [4, 4, 6] * 3), ("plain-together", [12, 12, 18])):
        passes.clear()
        meta_gradient(ALL[name], problem, steps=2)
        assert passes == sizes


def test_contestants_take_turns(monkeypatch):
    monkeypatch.setattr(timing, "TURN", 0.0)
    calls = []
    actions = {who: partial(calls.append, who) for who in "abc"}
    times = timing.in_turns(actions, seconds=0.0, at_least=3)
    assert "".join(calls) == "abcbcacab"
    assert {who: len(taken) for who, taken in times.items()} == dict.fromkeys("abc", 3)


def test_times_are_medians_and_quartiles_in_milliseconds():
    row = timing.timed([0.005, 0.001, 0.002, 0.1, 0.003], tasks=6)
    assert row["milliseconds"] == pytest.approx(3)
    assert (row["low"], row["high"]) == (pytest.approx(2), pytest.approx(5))
    assert (row["calls"], row["tasks_per_second"]) == (5, pytest.approx(2000))


def test_a_speedup_is_over_the_best_peer_and_a_cost_over_plain_passes():
    took = {"loop": 8.0, "higher": 6.0, "engine-auto": 2.0, "plain": 1.0}
    rows = [{"who": who, "milliseconds": ms} for who, ms in took.items()]
    found = cases.ratios(rows[2], rows)
    assert found == {"best_peer": "higher", "speedup": 3.0, "times_plain": 2.0}
    assert cases.ratios(rows[2], rows[2:3]) == {}


def test_each_size_is_the_same_problem_every_time():
    before = torch.get_rng_state()
    for name in problems.PROBLEMS:
        first, second = problems.make(name, 2), problems.make(name, 2)
        for a, b in zip(first.batch.tensors, second.batch.tensors, strict=True):
            assert torch.equal(a, b)
        weights, others = first.model.parameters(), second.model.parameters()
        assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.batch.support_x.shape == (2, 5, 1, 28, 28)
    assert first.batch.query_x.shape == (2, 75, 1, 28, 28)


def test_every_case_names_contestants_who_exist_and_can_compute_it():
    for part in cases.CASES.values():
        for case in part:
            assert set(case.who) <= set(ALL)
            assert case.problem in problems.PROBLEMS
            assert case.problem == "mlp" or "engine-vmap" not in case.who
    assert set(cases.CASES) < set(PARTS)
    assert contestants.REFERENCE in PEERS


def test_memory_is_measured_in_a_fresh_process_and_a_limit_lowers_it():
    unlimited, limited = (
        memory.measured(memory.Call(tasks, limit, steps=1))
        for tasks, limit in ((256, None), (256, 1.0))
    )
    assert 0 <= limited["mebibytes"] < unlimited["mebibytes"]
    assert unlimited["tasks_per_second"] > 0


def test_two_processes_compute_what_one_does():
    told = ranks.launched(ranks.Crew(2, 1, "loop", tasks=2, calls=2))
    assert len(told["times"]) == 2
    assert told["difference"] <= agreement.TOLERANCE[torch.float32]


@pytest.mark.parametrize(
    "measured",
    [
        lambda: memory.measured(memory.Call(4, 64.0)),
        lambda: ranks.launched(ranks.Crew(2, 1, "loop")),
    ],
    ids=["memory", "ranks"],
)
def test_a_process_that_fails_is_reported_with_its_last_words(monkeypatch, measured):
    def fail(words, **options):
        return subprocess.CompletedProcess(words, 3, "", "out of luck\n")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(RuntimeError, match="failed:\nout of luck"):
        measured()


def test_the_full_run_ends_with_a_test_error(monkeypatch):
    monkeypatch.setattr(training, "STRATEGY", "vmap")  # compiling takes too long here
    monkeypatch.setattr("metatutor.experiments.sinusoid.VALIDATION_TASKS", 30)
    monkeypatch.setattr("metatutor.experiments.sinusoid.RATES", (0.01,))
    said = []
    rows = list(training.run(TINY, said.append))
    assert [row["who"] for row in rows] == [
        "1 test step",
        "5 test steps",
        "10 test steps",
    ]
    assert all(row["mse"] > 0 and row["iterations"] == 3 for row in rows)
    assert rows[0]["milliseconds"] == pytest.approx(rows[0]["seconds"] / 3 * 1e3)
    assert "3 iterations" in said[0]


def test_tables_are_as_wide_as_their_words():
    rows = [
        {"part": "mlp", "problem": "mlp", "tasks": 2, "steps": 1, "who": who, **row}
        for who, row in (
            ("loop", {"milliseconds": 12.0, "difference": 0.0}),
            ("plain", {"milliseconds": 1234.5}),
        )
    ]
    assert tables(rows).splitlines() == [
        "mlp: mlp, 2 tasks, 1 inner step",
        "  who         ms  differs by",
        "  loop     12.00       0e+00",
        "  plain  1234.50",
    ]


def test_a_write_that_fails_leaves_the_old_document(tmp_path, monkeypatch):
    file = tmp_path / "found.json"
    write_json(file, {"rows": [1]})
    with pytest.raises(ValueError, match="JSON"):
        write_json(file, {"rows": [float("inf")]})

    def crash(*paths):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="no space"):
        write_json(file, {"rows": [2]})
    assert json.loads(file.read_text("utf8")) == {"rows": [1]}
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]


def test_the_command_from_end_to_end(tmp_path):
    file = tmp_path / "new" / "found.json"
    words = ["--only", "mlp", "--quick", "--threads", "1", "--json", str(file)]
    leave_out = ["--leave-out", "engine-auto", "higher", "torchopt"]
    done = subprocess.run(
        [sys.executable, "-m", "metatutor.benchmark", *words, *leave_out],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(file.read_text("utf8"))
    assert found["machine"].keys() == {
        "cpu", "cores", "threads", "torch", "device", "commit", "load"
    }  # fmt: skip
    assert found["machine"]["threads"] == 1
    assert found["machine"]["torch"] == torch.__version__
    who = [name for name in ALL if name not in ("engine-auto", "higher", "torchopt")]
    assert [(row["steps"], row["who"]) for row in found["rows"]] == [
        (steps, name) for steps in (1, 2) for name in who
    ]
    for row in found["rows"]:
        assert row["part"] == row["problem"] == "mlp"
        assert 0 < row["low"] <= row["milliseconds"] <= row["high"]
        assert row["tasks_per_second"] == pytest.approx(3e3 / row["milliseconds"])
        assert row["first_call_seconds"] > 0
        assert row["who"] in BOUNDS or row["difference"] <= 1e-3
        assert f"{row['milliseconds']:.2f}" in done.stdout
        assert row["best_peer"] == "loop"


def test_an_unknown_part_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "cosine"])
    assert "sinusoid" in capsys.readouterr().err
