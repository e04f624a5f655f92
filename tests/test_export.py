"""An exported network computes what the original does, and runs without torch."""

import importlib
import subprocess
import sys

import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor import export
from metatutor.data import DataError

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def images():
    return mt.data.Glyphs("val").examples.flatten(0, 1)[:1000]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch.manual_seed(0)
    backbone = mt.models.conv4(channels=8)
    file = tmp_path_factory.mktemp("onnx") / "backbone.onnx"
    export.to_onnx(backbone, file, (1, 28, 28))
    return backbone, file


def test_it_agrees_to_1e_5_on_a_thousand_images(exported, images):
    backbone, file = exported
    assert len(images) == 1000
    assert export.agreement(backbone, file, images) < 1e-5


@pytest.mark.parametrize("n", [1, 2, 7])
def test_any_number_of_images_will_do(exported, images, n):
    backbone, file = exported
    found = torch.from_numpy(export.embedding(file)(images[:n].numpy()))
    torch.testing.assert_close(found, backbone(images[:n]).detach(), rtol=0, atol=1e-5)


def test_the_shipped_backbone_agrees_too(tmp_path, images):
    backbone = mt.pretrained.load("glyphs-tiny")
    export.to_onnx(backbone, tmp_path / "tiny.onnx", (1, 28, 28))
    assert export.agreement(backbone, tmp_path / "tiny.onnx", images) < 1e-5


def test_agreement_finds_another_network(exported, images):
    _, file = exported
    torch.manual_seed(1)
    other = mt.models.conv4(channels=8)
    assert export.agreement(other, file, images[:10]) > 1e-2


def test_agreement_needs_images(exported, images):
    with pytest.raises(ValueError, match="images is empty"):
        export.agreement(*exported, images[:0])


def test_exporting_leaves_the_backbone_as_it_was(exported):
    backbone, _ = exported
    assert backbone.training
    assert all(p.requires_grad for p in backbone.parameters())


def test_the_file_names_no_folder_of_this_machine(exported):
    content = exported[1].read_bytes()
    assert b"conv" in content.lower()  # the test reads what it should
    assert b"site-packages" not in content and b".py" not in content


def test_a_network_whose_images_see_each_other_is_refused(tmp_path):
    backbone = mt.models.conv4(channels=8, norm="batch")
    with pytest.raises(ValueError, match=r"alone than with others.*freeze_statistics"):
        export.to_onnx(backbone, tmp_path / "x.onnx", (1, 28, 28))
    assert not (tmp_path / "x.onnx").exists()


def test_so_is_one_that_yields_nan(tmp_path):
    class Broken(nn.Module):
        def forward(self, x):
            return x.flatten(1) * float("nan")

    with pytest.raises(ValueError, match="alone than with others"):
        export.to_onnx(Broken(), tmp_path / "x.onnx", (1, 28, 28))


@pytest.mark.parametrize("damage", ["truncated", "empty", "noise"])
def test_a_damaged_file_is_refused(exported, tmp_path, damage):
    content = exported[1].read_bytes()
    file = tmp_path / "damaged.onnx"
    file.write_bytes(
        {
            "truncated": content[: len(content) // 2],
            "empty": b"",
            "noise": b"\xff" * 99,
        }[damage]
    )
    with pytest.raises(DataError, match=r"damaged\.onnx is no ONNX.*export it again"):
        export.embedding(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.onnx is missing: write it with"):
        export.embedding(tmp_path / "none.onnx")


@pytest.mark.parametrize("name", ["onnx", "onnxscript", "onnxruntime"])
def test_without_a_package_it_says_what_to_install(
    exported, tmp_path, monkeypatch, name
):
    real = importlib.import_module

    def without(wanted, *rest):
        if wanted == name:
            raise ImportError(f"No module named {name!r}")
        return real(wanted, *rest)

    monkeypatch.setattr(export, "import_module", without)
    with pytest.raises(
        ImportError, match=rf"{name}.*pip install 'metatutor\[chapters\]'"
    ):
        if name == "onnxruntime":
            export.embedding(exported[1])
        else:
            export.to_onnx(exported[0], tmp_path / "x.onnx", (1, 28, 28))


def test_importing_metatutor_takes_none_of_them():
    program = """
import sys, metatutor
assert not {"onnx", "onnxscript", "onnxruntime", "optuna"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
