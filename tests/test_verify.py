"""The ledger's quick figures are measured again; what differs is found."""

import json
import shlex
from argparse import ArgumentParser
from pathlib import Path

import pytest

from metatutor.data import DataError
from metatutor.experiments.__main__ import EXPERIMENTS, main
from metatutor.experiments.ledger import FIELDS, figure
from metatutor.experiments.verify import LONG, command, tolerance, verify

ROOT = Path(__file__).resolve().parents[1]
LEDGER = json.loads((ROOT / "book" / "results.json").read_text("utf8"))


def row(**changed):
    """A figure of an experiment that trains nothing."""
    plain = dict.fromkeys(FIELDS, "x") | {
        "experiment": "made-up", "method": "pixels", "metric": "accuracy",
        "value": 0.5, "ci95": 0.02, "n": 100, "seeds": [0], "per_seed": [0.5],
        "seconds": 0.0, "command": "python -m metatutor.experiments made-up --tasks 5",
    }  # fmt: skip
    return plain | changed


TRAINED = {"method": "MAML", "seconds": 9.0, "seeds": [0, 1, 2]} | {
    "per_seed": [0.49, 0.50, 0.51]
}


class MadeUp:
    """An experiment: what it can make again is told by the row."""

    @staticmethod
    def again(row):
        return ["--only", row["method"]] if row["device"] == "x" else None


def compare(tmp_path, stored, found, only=None):
    """`verify` on a ledger of these rows, when measuring again finds those."""
    ledger = tmp_path / "ledger.json"
    ledger.write_text(json.dumps(stored), "utf8")
    asked = []

    def run(words):
        asked.append(words)
        return found

    return verify(ledger, only, {"made-up": MadeUp}, run), asked


def test_the_same_figures_agree_and_the_recorded_command_made_them(tmp_path, capsys):
    stored = [row(), row(metric="again"), row(method="MAML")]
    status, asked = compare(tmp_path, stored, stored)
    assert status == 0
    made = ["made-up", "--tasks", "5", "--only"]
    assert asked == [[*made, "pixels"], [*made, "MAML"]]  # one run for two figures
    out = capsys.readouterr().out
    assert "stored 0.5000 ± 0.0200 (n = 100), found 0.5000" in out
    assert "tolerance 0.0021; 0 s" in out and "same run" in out
    assert "a tenth of the stored 95 % interval" in out
    assert out.splitlines()[-1].startswith("3 of 3 figures agree, 0 differ; ")


@pytest.mark.parametrize(
    "changed", [{"value": 0.503}, {"value": 0.497}, {"ci95": 0.025}, {"n": 99}]
)
def test_a_changed_figure_is_found_and_named(tmp_path, capsys, changed):
    status, _ = compare(tmp_path, [row(), row(metric="b", **changed)],
                        [row(), row(metric="b")])  # fmt: skip
    assert status == 1
    out = capsys.readouterr().out
    assert "DIFFERS made-up | pixels | b: stored" in out
    assert "ok      made-up | pixels | accuracy" in out
    assert "1 of 2 figures agree, 1 differ" in out


def test_training_may_differ_by_the_intervals_over_tasks_and_seeds(tmp_path):
    stored = row(**TRAINED)
    # s = 0.01 over 3 seeds
    seeds = 1.96 * 0.01 / 3**0.5
    assert tolerance(stored) == pytest.approx((2 * (0.02**2 + seeds**2)) ** 0.5)
    assert tolerance(row(method="from scratch")) == pytest.approx(0.02 * 2**0.5)
    near, far = stored | {"value": 0.532}, stored | {"value": 0.533}
    assert compare(tmp_path, [stored], [near])[0] == 0
    assert compare(tmp_path, [stored], [far])[0] == 1


def test_what_takes_long_or_needs_files_is_counted(tmp_path, capsys):
    stored = [row(), row(metric="not found"), row(device="long")]
    assert compare(tmp_path, stored, [row()])[0] == 0
    out = capsys.readouterr().out
    assert f"not measured again: 1 that {LONG}" in out
    assert "not measured again: 1 that need Omniglot" in out
    assert "1 of 1 figures agree" in out


def test_files_that_are_missing_are_no_difference(tmp_path):
    def run(words):
        raise DataError("images_background_small2.zip is missing")

    ledger = tmp_path / "ledger.json"
    ledger.write_text(json.dumps([row()]), "utf8")
    with pytest.raises(DataError, match="none of these figures could be measured"):
        verify(ledger, None, {"made-up": MadeUp}, run)


def test_only_what_is_named_is_measured(tmp_path):
    stored = [row(), row(method="MAML"), row(experiment="other", method="MAML")]
    status, asked = compare(tmp_path, stored, stored, only=["MAML"])
    assert status == 0 and [words[-1] for words in asked] == ["MAML"]
    assert len(compare(tmp_path, stored, stored, only=["made-up"])[1]) == 2
    with pytest.raises(DataError, match=r"\['MALM'\] is none of the ledger's names"):
        compare(tmp_path, stored, stored, only=["MALM"])


DAMAGED = {
    "[1, 2": "is no ledger, or a damaged one",
    "[]": "is empty",
    '{"a": 1}': "is no ledger",
    json.dumps([row() | {"value": None}]): "something else than finite numbers",
    json.dumps([row() | {"value": float("nan")}]): "something else than finite",
    json.dumps([{"value": 1.0}]): "is no ledger",
    "[7]": "is no ledger",
}


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_ledger_is_refused(tmp_path, text):
    ledger = tmp_path / "ledger.json"
    ledger.write_text(text, "utf8")
    with pytest.raises(DataError, match=DAMAGED[text]):
        verify(ledger, None, {}, None)


def test_misuse_ends_with_status_2(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["verify"]) == 2
    assert "no ledger at book/results.json" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["verify", "--fast"])
    assert left.value.code == 2


def test_a_changed_ledger_is_found_on_the_command_line(tmp_path, capsys):
    """The pixels of a smaller run, from end to end."""
    ledger = tmp_path / "ledger.json"
    words = ["methods", "--problem", "glyphs", "--tasks", "20", "--seeds", "0", "1"]
    main(["--ledger", str(ledger), *words, "--only", "pixels, nearest mean"])
    only = ["--only", "methods, glyphs"]  # not the shipped weights, which take longer
    assert main(["--ledger", str(ledger), "verify", *only]) == 0
    rows = json.loads(ledger.read_text("utf8"))
    rows[0]["value"] += 0.02
    ledger.write_text(json.dumps(rows), "utf8")
    capsys.readouterr()
    assert main(["verify", "--ledger", str(ledger), *only]) == 1
    assert "DIFFERS methods, glyphs | pixels, nearest mean" in capsys.readouterr().out


def test_each_quick_figure_has_a_command_of_its_own():
    """And the command is one that its experiment understands."""
    rows = [*LEDGER, *EXPERIMENTS["omniglot_challenge"].stored()]
    quick = [(r, command(r, EXPERIMENTS)) for r in rows]
    quick = [(r, words) for r, words in quick if words]
    has_some = {r["experiment"] for r, _ in quick}
    assert {"sinusoid", "methods, sinusoid", "methods, glyphs"} <= has_some
    assert len({figure(r) for r, _ in quick}) == len(quick) >= 20
    for r, words in quick:
        parser = ArgumentParser()
        EXPERIMENTS[words[0]].add_arguments(parser)
        options = parser.parse_args(words[1:])
        alone = r["method"] in (getattr(options, "only", None) or [])
        assert alone or options.action in ("baseline", "shipped")
        assert shlex.split(r["command"])[3] == words[0]
