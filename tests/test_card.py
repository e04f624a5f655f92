"""A card says all that it must, belongs to its weights, and is refused otherwise."""

import json
import math

import pytest
import torch

from metatutor import Result, card
from metatutor.data import DataError

PARTS = {
    "data": "80 scripts, 字母",
    "licence": "MIT",
    "inputs": "(images, 1, 28, 28), ink 1 on paper 0",
    "seed": 0,
    "scores": {"5-way": Result(torch.tensor([0.5, 1.0, 1.0]), "accuracy")},
    "limits": ["drawn letters only"],
}


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "letters.safetensors"
    file.write_bytes(b"weights")
    return file


def test_the_card_names_everything_that_it_must(weights):
    written = card.write(weights, **PARTS)
    found = card.read(weights)
    assert found == written
    for name in ("data", "licence", "inputs", "seed", "limits"):
        assert found[name] == PARTS[name]
    score = found["scores"]["5-way"]
    assert (score["n"], score["metric"], score["transductive"]) == (
        3,
        "accuracy",
        False,
    )
    assert score["mean"] == pytest.approx(5 / 6)
    assert score["ci95"] == pytest.approx(PARTS["scores"]["5-way"].ci95)
    # sha256sum of the seven bytes "weights", by another program
    assert found["sha256"].startswith("9a129038")
    assert {"python", "torch", "numpy", "metatutor"} <= set(found["versions"])


def test_it_is_text_that_a_person_can_read(weights):
    card.write(weights, **PARTS)
    assert card.path(weights).name == "letters.card.json"
    assert "80 scripts, 字母" in card.path(weights).read_text("utf8")


@pytest.mark.parametrize("part", list(PARTS))
def test_a_part_that_is_empty_is_refused_by_name(weights, part):
    for empty in ("", None, [], {}):
        with pytest.raises(ValueError, match=f"incomplete: '{part}' must"):
            card.write(weights, **{**PARTS, part: empty})
    assert not card.path(weights).exists()


def test_limits_are_a_list_and_a_seed_is_a_whole_number(weights):
    with pytest.raises(ValueError, match="'limits' must list"):
        card.write(weights, **{**PARTS, "limits": "one long word"})
    with pytest.raises(ValueError, match="'seed' must be"):
        card.write(weights, **{**PARTS, "seed": True})


def test_a_score_without_an_interval_is_refused(weights):
    with pytest.raises(ValueError, match="a mean with its interval"):
        card.write(weights, **{**PARTS, "scores": {"5-way": 0.97}})
    diverged = Result(torch.tensor([1.0, math.inf]))
    with pytest.raises(ValueError, match="'scores' must give"):
        card.write(weights, **{**PARTS, "scores": {"loss": diverged}})


def test_a_card_needs_weights(tmp_path):
    with pytest.raises(DataError, match="save the weights first"):
        card.write(tmp_path / "none.safetensors", **PARTS)


@pytest.mark.parametrize("content", [b"weight", b"Weights", b""])
def test_weights_that_were_truncated_or_altered_are_refused(weights, content):
    card.write(weights, **PARTS)
    weights.write_bytes(content)
    with pytest.raises(DataError, match=r"letters\.safetensors is trunc.*Take the w"):
        card.read(weights)


@pytest.mark.parametrize("keep", [0, 1, 40, -3])
def test_a_truncated_card_is_refused(weights, keep):
    card.write(weights, **PARTS)
    file = card.path(weights)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"letters\.card\.json is no card.*take the w"):
        card.read(weights)


@pytest.mark.parametrize("what", ["missing card", "missing weights", "not a card"])
def test_what_is_missing_is_named(weights, what):
    card.write(weights, **PARTS)
    if what == "missing card":
        card.path(weights).unlink()
    elif what == "missing weights":
        weights.unlink()
    else:
        card.path(weights).write_text("[1, 2]")
    expected = {
        "missing card": "card.json is missing",
        "missing weights": "safetensors is missing",
        "not a card": "no card of format 1",
    }
    with pytest.raises(DataError, match=expected[what]):
        card.read(weights)


@pytest.mark.parametrize(
    "part",
    ["data", "licence", "inputs", "seed", "scores", "limits", "sha256", "versions"],
)
def test_an_altered_card_that_lacks_a_part_is_refused(weights, part):
    made = card.write(weights, **PARTS)
    del made[part]
    card.path(weights).write_text(json.dumps(made))
    with pytest.raises(DataError, match=f"'{part}' must"):
        card.read(weights)


@pytest.mark.parametrize("part", ["ci95", "n", "mean", "metric", "transductive"])
def test_an_altered_score_is_refused(weights, part):
    made = card.write(weights, **PARTS)
    del made["scores"]["5-way"][part]
    card.path(weights).write_text(json.dumps(made))
    with pytest.raises(DataError, match="'scores' must give"):
        card.read(weights)


def test_a_card_with_nan_is_refused(weights):
    made = card.write(weights, **PARTS)
    made["scores"]["5-way"]["mean"] = math.nan
    card.path(weights).write_text(json.dumps(made))
    with pytest.raises(DataError, match="NaN is no number"):
        card.read(weights)


def test_another_checksum_in_the_card_is_refused(weights):
    made = card.write(weights, **PARTS)
    made["sha256"] = "0" * 64
    card.path(weights).write_text(json.dumps(made))
    with pytest.raises(DataError, match=f"should be {'0' * 64}"):
        card.read(weights)


@pytest.mark.parametrize("text", ["1" + "0" * 400, "1e999", '"0.9"', "null", "[]"])
def test_a_mean_that_is_no_number_is_refused(weights, text):
    card.write(weights, **PARTS)
    file = card.path(weights)
    mean = json.loads(file.read_text("utf8"))["scores"]["5-way"]["mean"]
    changed = file.read_text("utf8").replace(str(mean), text)
    assert changed != file.read_text("utf8")
    file.write_text(changed, "utf8")
    if text.startswith("10"):  # a whole number of any size is one
        assert card.read(weights)["scores"]["5-way"]["mean"] == 10**400
    else:
        with pytest.raises(DataError, match="'scores' must give"):
            card.read(weights)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b"{}", b"7"])
def test_noise_in_place_of_a_card_is_refused(weights, content):
    card.write(weights, **PARTS)
    card.path(weights).write_bytes(content)
    with pytest.raises(DataError, match=r"letters\.card\.json"):
        card.read(weights)
