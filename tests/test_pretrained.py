"""Trained backbones: loaded by name with a checksum, or from a file of one's own."""

import json

import pytest
import torch

import metatutor as mt
from metatutor import pretrained
from metatutor.data import DataError
from metatutor.models import freeze_statistics, residual


@pytest.fixture
def images():
    return mt.data.Glyphs("val").examples[:12, 0]


@pytest.fixture
def saved(tmp_path, images):
    """A small frozen network and the file it was saved in."""
    torch.manual_seed(0)
    backbone = freeze_statistics(residual((8, 8)), images)
    file = tmp_path / "own.safetensors"
    arguments = {"widths": [8, 8], "norm": "frozen"}
    pretrained.save(backbone, file, "residual", arguments, {"seed": 0, "data": "字"})
    return backbone, file


def shipped():
    return pytest.mark.parametrize("name", pretrained.names())


def test_what_is_loaded_computes_what_was_saved(saved, images):
    backbone, file = saved
    again = pretrained.load(file)
    torch.testing.assert_close(again(images), backbone(images))
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    assert pretrained.notes(file) == {"seed": 0, "data": "字"}


def test_an_architecture_that_could_not_be_loaded_is_not_saved(tmp_path, saved):
    with pytest.raises(ValueError, match=r"'resnet50'.*'residual'"):
        pretrained.save(saved[0], tmp_path / "x.safetensors", "resnet50", {})
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize("damage", ["truncated", "empty", "noise", "header", "shape"])
def test_a_damaged_file_is_refused_by_its_path(saved, damage):
    backbone, file = saved
    content = file.read_bytes()
    if damage == "shape":  # whole, but of another network than it says
        arguments = {"widths": [8, 16], "norm": "frozen"}
        pretrained.save(backbone, file, "residual", arguments)
    else:
        file.write_bytes(
            {
                "truncated": content[: len(content) // 2],
                "empty": b"",
                "noise": b"\xff" * 64,
                "header": content.replace(b"metatutor", b"somebody", 1),
            }[damage]
        )
    with pytest.raises(DataError, match=r"own\.safetensors holds no backbone"):
        pretrained.load(file)


def test_a_name_that_is_none_says_which_there_are():
    with pytest.raises(DataError, match="nothing is neither a file nor one of"):
        pretrained.load("nothing")
    with pytest.raises(ValueError, match="'nothing' is none of the backbones"):
        pretrained.describe("nothing")


def test_a_shipped_file_that_was_altered_is_refused(saved, tmp_path, monkeypatch):
    registry = tmp_path / "pretrained.json"
    registry.write_text(json.dumps({"own": {"sha256": "0" * 64}}))
    monkeypatch.setattr(pretrained, "REGISTRY", registry)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    with pytest.raises(DataError, match=f"SHA-256 should be {'0' * 64}"):
        pretrained.load("own")


def test_three_backbones_are_shipped_within_their_sizes():
    assert set(pretrained.names()) == {"glyphs", "glyphs+small1", "glyphs-tiny"}
    for name in pretrained.names():
        size = (pretrained.FOLDER / f"{name}.safetensors").stat().st_size
        assert size <= (500_000 if name == "glyphs-tiny" else 3_000_000)


@shipped()
def test_a_shipped_backbone_says_how_it_was_made(name):
    made = pretrained.describe(name)
    assert made["command"].startswith("python -m metatutor.experiments")
    assert {"seed", "seconds", "iterations", "scores", "sha256"} <= made.keys()
    notes = pretrained.notes(pretrained.FOLDER / f"{name}.safetensors")
    assert notes["command"] == made["command"] and notes["seed"] == made["seed"]
    # trained without the scripts that the trials test
    assert notes["split"] == "train"
    assert notes["data"] == ("both" if name == "glyphs+small1" else "glyphs")


@shipped()
def test_a_shipped_backbone_does_what_its_scores_say(name):
    learner = mt.PrototypicalNetwork(pretrained.load(name))
    source = mt.data.Glyphs("test", 20, 1, 1, within_script=True)
    result = mt.meta_evaluate(learner, source, tasks=100, metric=mt.accuracy)
    assert not result.transductive
    score = pretrained.describe(name)["scores"][
        "accuracy, glyph test scripts, 20-way 1-shot within script"
    ]["value"]
    assert result.mean == pytest.approx(score, abs=3 * result.ci95 / 1.96)
