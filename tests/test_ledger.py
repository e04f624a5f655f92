"""The stored figures reach the paper's, and are quoted as they are stored."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEDGER = json.loads((ROOT / "book" / "results.json").read_text("utf8"))
# Finn et al. 2017, appendix C, table 2, by number of steps
PAPER = {1: 0.67, 5: 0.38, 10: 0.35}


def row(method: str) -> list[dict]:
    """The figures after 1, 5 and 10 steps."""
    metrics = [f"MSE, 5-shot, after {n} step{'s' * (n > 1)}" for n in PAPER]
    figures = {
        (e["method"], e["metric"]): e for e in LEDGER if e["experiment"] == "sinusoid"
    }
    return [figures[method, metric] for metric in metrics]


@pytest.mark.parametrize("steps", PAPER)
def test_maml_reaches_the_paper(steps):
    entry = row("MAML")[list(PAPER).index(steps)]
    assert entry["value"] - entry["ci95"] <= PAPER[steps]
    assert entry["n"] >= 600 and len(entry["seeds"]) >= 3
    assert entry["command"] == "python -m metatutor.experiments sinusoid"


def test_maml_beats_every_baseline_beyond_both_intervals():
    for method in ("joint pre-training", "from scratch"):
        for ours, theirs in zip(row("MAML"), row(method), strict=True):
            assert ours["value"] + ours["ci95"] < theirs["value"] - theirs["ci95"]


# --- all methods, one table --------------------------------------------------------

METHODS = [e for e in LEDGER if e["experiment"].startswith("methods, ")]


def test_every_method_stands_in_the_table():
    """And notebooks/test_figures.py finds there what is not in the ledger."""
    text = (ROOT / "chapters" / "10-tradeoffs.ipynb").read_text("utf8")
    assert len(METHODS) == 27
    for e in METHODS:
        decimals = 2 if e["value"] > 1 else 3
        figure = f"{e['value']:.{decimals}f} ± {e['ci95']:.{decimals}f}"
        assert text.count(f"| {figure} |") >= 2, figure  # once a language
        assert e["n"] >= 1000 and len(e["seeds"]) >= 2


def test_what_the_text_says_of_the_table():
    figure = {(e["experiment"].split()[1], e["method"]): e["value"] for e in METHODS}
    sines = {m: v for (p, m), v in figure.items() if p == "sinusoid"}
    letters = {m: v for (p, m), v in figure.items() if p == "glyphs"}
    assert min(sines, key=sines.get) == "R2D2"
    best = sorted(letters, key=letters.get)[-2:]
    assert set(best) == {"prototypical network", "matching network"}
    for method in ("Meta-SGD", "MAML++"):
        assert sines[method] < 0.4 * sines["MAML"]
    for method in ("CAVIA", "ANIL"):
        assert sines[method] < sines["MAML"]
    for method in ("embedding, nearest mean", "embedding, linear probe"):
        assert letters["MAML"] < letters[method]
        assert abs(letters["MAML++"] - letters[method]) < 0.015
    for method in ("MAML++", "ANIL"):
        assert letters["MAML"] < letters[method]
    assert abs(letters["Meta-SGD"] - letters["MAML"]) < 0.02
    assert abs(letters["FOMAML"] - letters["MAML"]) < 0.02


# --- the Omniglot challenge --------------------------------------------------------

TRIALS = "error %, 20 trials of small2-new"
WITHIN = "accuracy, glyph test scripts, 20-way 1-shot within script"


def challenge(method: str) -> dict[str, dict]:
    """The figures of a row of the plan, by metric."""
    return {
        e["metric"]: e
        for e in LEDGER
        if (e["experiment"], e["method"]) == ("omniglot_challenge", method)
    }


def test_glyphs_alone_reach_their_marks_in_150_seconds():
    found = challenge("glyphs, 150 s")
    assert found[WITHIN]["value"] - found[WITHIN]["ci95"] >= 0.90
    assert found["accuracy, Omniglot small2, 5-way 1-shot"]["value"] >= 0.93
    assert len(found[WITHIN]["seeds"]) >= 3


def test_the_challenge_is_far_below_its_baseline():
    baseline = challenge("modified Hausdorff distance, nothing learned")
    low = baseline[f"{TRIALS}, one view"]
    for method in ("glyphs, 150 s", "both, 150 s", "both, 600 s"):
        ours = challenge(method)[TRIALS]
        assert ours["n"] == 20
        assert ours["value"] + ours["ci95"] < low["value"] - low["ci95"]


@pytest.mark.parametrize(
    ("name", "method"), [("glyphs", "glyphs, 150 s"), ("glyphs+small1", "both, 600 s")]
)
def test_shipped_weights_have_the_scores_of_the_ledger(name, method):
    from metatutor import pretrained

    made = pretrained.describe(name)
    for metric, score in made["scores"].items():
        e = challenge(method)[metric]
        assert score["value"] == e["per_seed"][e["seeds"].index(made["seed"])]
