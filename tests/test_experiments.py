"""The result ledger, and a run of an experiment from end to end."""

import json
import os
import platform
import re
import shlex

import pytest
import torch

from metatutor.experiments import memory, methods, sinusoid
from metatutor.experiments.__main__ import main
from metatutor.experiments.ledger import FIELDS, commit, device_name, record


def entry(value=1.0, **changed):
    complete = dict.fromkeys(FIELDS, "x") | {"value": value, "metric": "MSE"}
    return complete | changed


def read(file):
    return json.loads(file.read_text("utf8"))


@pytest.fixture
def ledger(tmp_path):
    file = tmp_path / "ledger.json"
    record(file, [entry(1.0), entry(2.0, method="MAML"), entry(3.0, metric="精度")])
    return file


def test_a_new_figure_replaces_the_old_one_and_no_other(ledger):
    record(ledger, [entry(9.0, method="MAML"), entry(4.0, experiment="other")])
    found = {
        (e["experiment"], e["method"], e["metric"]): e["value"] for e in read(ledger)
    }
    assert found == {
        ("x", "x", "MSE"): 1.0,
        ("x", "MAML", "MSE"): 9.0,
        ("x", "x", "精度"): 3.0,
        ("other", "x", "MSE"): 4.0,
    }
    assert len(read(ledger)) == 4


def test_what_is_recorded_stays_readable(ledger):
    assert "精度" in ledger.read_text("utf8")
    assert ledger.read_text("utf8").endswith("]\n")
    assert [path.name for path in ledger.parent.iterdir()] == ["ledger.json"]


@pytest.mark.parametrize("field", FIELDS)
def test_an_incomplete_entry_is_refused_with_what_it_lacks(ledger, field):
    before = ledger.read_bytes()
    lacking = entry()
    del lacking[field]
    with pytest.raises(ValueError, match=rf"lacks \['{field}'\]"):
        record(ledger, [entry(7.0), lacking])
    assert ledger.read_bytes() == before


def test_a_write_that_fails_leaves_the_old_ledger(ledger, monkeypatch):
    before = ledger.read_bytes()
    with pytest.raises(TypeError):  # nothing that JSON can hold
        record(ledger, [entry(torch.zeros(1))])
    assert ledger.read_bytes() == before

    def crash(*paths):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="no space"):
        record(ledger, [entry(9.0)])
    monkeypatch.undo()
    assert ledger.read_bytes() == before
    record(ledger, [entry(9.0)])
    assert read(ledger)[-1]["value"] == 9.0


def test_a_diverged_figure_is_refused_since_infinity_is_not_json(ledger):
    before = ledger.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        record(ledger, [entry(float("inf"))])
    assert ledger.read_bytes() == before
    assert [path.name for path in ledger.parent.iterdir()] == ["ledger.json"]


def test_the_place_and_the_code_of_a_figure_are_named():
    assert re.fullmatch(r"[0-9a-f]{12}(\+changes)?|unknown", commit())
    assert platform.machine() in device_name()


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setattr(sinusoid, "VALIDATION_TASKS", 30)
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def test_the_sinusoid_experiment_from_end_to_end(small, capsys):
    words = shlex.split("sinusoid --iterations 20 --seeds 0 1 --tasks 50")
    main(["--ledger", "ledger.json", *words])
    entries = read(small / "ledger.json")
    assert {e["method"] for e in entries} == set(sinusoid.METHODS)
    assert len(entries) == len(sinusoid.METHODS) * len(sinusoid.STEPS)
    for e in entries:
        assert set(FIELDS) <= set(e)
        assert e["n"] == 50
        assert e["seeds"] == [0, 1]
        assert e["value"] == pytest.approx(sum(e["per_seed"]) / 2, abs=1e-3)
        assert e["ci95"] > 0
        assert all(rate in sinusoid.RATES for rate in e["inner_lr"])
        # the command is all that it takes to make the figure again
        command = shlex.split(e["command"])
        assert command == ["python", "-m", "metatutor.experiments", *words]
        assert e["seconds"] == 0 or e["method"] != "from scratch"
    assert "MAML 1" in capsys.readouterr().out
    first = read(small / "ledger.json")
    main(["--ledger", "ledger.json", *words])  # from the checkpoints this time
    for old, new in zip(first, read(small / "ledger.json"), strict=True):
        assert old["per_seed"] == new["per_seed"]


@pytest.mark.parametrize("problem", methods.PROBLEMS)
def test_every_method_goes_through_the_table(small, problem):
    words = shlex.split(
        f"methods --problem {problem} --budget 0.001 --tasks 4 --seeds 0 1"
    )
    main(["--ledger", "ledger.json", *words])
    entries = read(small / "ledger.json")
    assert [e["method"] for e in entries] == list(methods.PROBLEMS[problem]().methods)
    for e in entries:
        assert set(FIELDS) <= set(e)
        assert (e["n"], e["seeds"], len(e["per_seed"])) == (4, [0, 1], 2)
        assert e["experiment"] == f"methods, {problem}"
        if problem == "sinusoid":  # another seed, another start
            assert e["per_seed"][0] != e["per_seed"][1]


def test_choosing_looks_at_validation_tasks_only(small, monkeypatch):
    seen = []
    evaluate = methods.meta_evaluate

    def watching(learner, source, **options):
        seen.append((source, options["seed"]))
        return evaluate(learner, source, **options)

    monkeypatch.setattr(methods, "meta_evaluate", watching)
    problem = methods.glyphs()
    monkeypatch.setitem(methods.PROBLEMS, "glyphs", lambda: problem)
    words = "methods --problem glyphs --budget 0.001 --tasks 3 --seeds 0 --only R2D2"
    main(shlex.split(f"{words} --validate"))
    main(shlex.split(words))
    assert seen == [
        (problem.validation, methods.VALIDATION_SEED),
        (problem.test, methods.TEST_SEED),
    ]


def test_memory_grows_with_unrolled_steps_only():
    """Each figure from a fresh process: implicit gradients keep nothing of the way."""
    few, many = memory.peak("MAML", 1), memory.peak("MAML", 100)
    assert many > 20 * few
    few_implicit = memory.peak("implicit MAML", 1)
    many_implicit = memory.peak("implicit MAML", 100)
    assert many_implicit - few_implicit < 0.1 * (many - few)


def test_the_memory_experiment_records_what_it_measures(small, monkeypatch):
    sizes = iter(range(100))
    monkeypatch.setattr(memory, "peak", lambda method, steps: float(next(sizes)))
    main(shlex.split("--ledger ledger.json memory --steps 1 10 --repeats 2"))
    entries = read(small / "ledger.json")
    assert len(entries) == 2 * len(memory.METHODS)
    assert entries[0]["per_seed"] == [0, 1]
    assert entries[1]["metric"] == "MiB for a meta-gradient of 10 inner steps"
    assert all(e["n"] == 2 and e["ci95"] > 0 for e in entries)


def test_an_unknown_experiment_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        main(["cosine"])
    assert "sinusoid" in capsys.readouterr().err
