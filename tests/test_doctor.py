"""The doctor names what is wrong, in both languages, and runs where torch does not."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from metatutor import doctor

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "metatutor" / "doctor.py"
FINE = doctor.Facts(
    python=(3, 12, 4),
    versions={
        "torch": "2.14.1+cpu",
        "torchvision": "0.29.1+cpu",
        "numpy": "2.4.6",
        "matplotlib": "3.11.2",
        "tqdm": "4.70.1",
        "safetensors": "0.8.0",
    },
    wanted=">=2.14.0",
    compiler="g++",
    free=20.0,
)
NMS = "RuntimeError: operator torchvision::nms does not exist"


def wrong(**changes):
    """The findings about a good installation with ``changes`` that are not "ok"."""
    return [f for f in doctor.diagnose(replace(FINE, **changes)) if f.level != "ok"]


def versions(**changes):
    found = {**FINE.versions, **changes}
    return {name: version for name, version in found.items() if version}


def test_everything_fine():
    report = doctor.diagnose(FINE)
    assert report.fine and {f.level for f in report} == {"ok"}
    assert {"Python", "GPU", "C++", *doctor.NEEDED} <= {f.subject for f in report}


BUILDS = versions(torch="2.14.1+cpu", torchvision="0.29.1")
WRONG = [
    ("too old a Python", {"python": (3, 8, 20)}, "Python", "3.8.20", "PYTHON="),
    ("too new a Python", {"python": (3, 15, 0)}, "Python", "3.11 至 3.14", "3.14 is"),
    ("no torch", {"versions": versions(torch=None)}, "torch", "没有装", "is missing"),
    ("old NumPy", {"versions": versions(numpy="1.19.5")}, "numpy", "太旧", "too old"),
    (
        "a torchvision for another torch",
        {"versions": versions(torchvision="0.28.0"), "wanted": "==2.13.0"},
        "torch 2.14.1+cpu + torchvision 0.28.0",
        "要求 torch ==2.13.0",
        "asks for torch ==2.13.0",
    ),
    (
        "a torchvision of another build",
        {"versions": BUILDS, "failures": {"torchvision": NMS}},
        "torch 2.14.1+cpu + torchvision 0.29.1",
        "两个不同的索引",
        "two indexes",
    ),
    ("a broken torch", {"failures": {"torch": "OSError: x"}}, "torch", "失败", "OSErr"),
    ("a broken tqdm", {"failures": {"tqdm": "E: x"}}, "tqdm", "tqdm", "txt tqdm"),
]


@pytest.mark.parametrize(
    ("changes", "subject", "zh", "en"),
    [w[1:] for w in WRONG],
    ids=[w[0] for w in WRONG],
)
def test_an_error_is_named_with_what_to_do(changes, subject, zh, en):
    (finding,) = wrong(**changes)
    assert (finding.subject, finding.level) == (subject, "error")
    assert zh in finding.zh and en in finding.en
    for command in ("make test", "uninstall torch", "constraints.txt"):
        assert finding.zh.count(command) == finding.en.count(command)
    assert "make" in finding.en or "python -m pip" in finding.en
    assert not doctor.diagnose(replace(FINE, **changes)).fine


NOTES = [
    ("no compiler", {"compiler": None}, "C++", "xcode-select"),
    ("a GPU, torch without", {"driver": True}, "GPU", "without CUDA"),
    ("a GPU out of reach", {"driver": True, "cuda": "13.0"}, "GPU", "nvidia-smi"),
]


@pytest.mark.parametrize(
    ("changes", "subject", "en"), [n[1:] for n in NOTES], ids=[n[0] for n in NOTES]
)
def test_a_note_is_no_error(changes, subject, en):
    (finding,) = wrong(**changes)
    assert (finding.subject, finding.level) == (subject, "note")
    assert en in finding.en
    assert doctor.diagnose(replace(FINE, **changes)).fine


def test_room_matters_only_while_torch_is_to_come():
    assert wrong(free=1.0) == []
    found = wrong(free=1.0, versions=versions(torch=None))
    assert [f.subject for f in found] == ["torch", "disk"]
    assert "TORCH_INDEX" in found[1].zh and "TORCH_INDEX" in found[1].en


def test_a_report_has_each_language_once():
    shown = doctor.diagnose(replace(FINE, failures={"torch": "<b>"}))
    shown = shown._repr_mimebundle_()
    page = shown["text/html"]
    assert (
        page.count('lang="zh"') == page.count('lang="en"') == page.count("</div>") / 2
    )
    assert "<b>" not in page and "&lt;b&gt;" in page
    assert not re.search("[\u4e00-\u9fff]", shown["text/plain"])


def test_what_is_needed_is_what_the_package_declares():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    low, high = map(doctor.dotted, doctor.PYTHON)
    assert declared["requires-python"] == f">={low},<{high}"
    needs = map(Requirement, declared["dependencies"])
    named = {r.name: str(r.specifier) for r in needs}
    assert named == {n: f">={doctor.dotted(v)}" for n, v in doctor.NEEDED.items()}


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2.14.1+cpu", (2, 14, 1)), ("2.15.0a0+git1", (2, 15, 0)), ("odd", ())],
)
def test_the_numbers_of_a_version(version, numbers):
    assert doctor.release(version) == numbers


def test_the_torch_that_torchvision_asks_for():
    assert doctor.torch_wanted(["numpy", "torch==2.13.0"]) == "==2.13.0"
    assert doctor.torch_wanted(["torch (>=2.14.0)"]) == ">=2.14.0"
    assert doctor.torch_wanted(["torch<3, >=2 ; extra == 'x'"]) == "<3,>=2"
    assert doctor.torch_wanted(["torchmetrics==1.0", "torch"]) is None
    assert doctor.torch_wanted(None) is None


@pytest.mark.parametrize("ranges", ["==2.14.1", ">=2.14.0", ">=2.14,<3", "<2.14.1", ""])
@pytest.mark.parametrize("version", ["2.14.1", "2.14.1+cpu", "2.13.0", "3.0", "2.14"])
def test_ranges_are_read_as_packaging_reads_them(version, ranges):
    assert doctor.within(version, ranges) == (version in SpecifierSet(ranges))


def test_a_python_too_old_for_the_package_can_still_read_it():
    tree = ast.parse(FILE.read_text("utf8"), feature_version=(3, 8))
    imported = {
        (node.names[0].name if isinstance(node, ast.Import) else node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.split(".")[0] for name in imported} <= set(sys.stdlib_module_names)


def examine(**environment):
    return subprocess.run(
        [sys.executable, FILE],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf8", **environment},
        timeout=300,
    )


def test_here_all_is_well():
    done = examine()
    assert done.returncode == 0, done.stdout.decode()
    assert "✗" not in done.stdout.decode()


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("raise OSError('libfoo.so: cannot open')", "OSError: libfoo.so"),
        ("import os; os._exit(3)", "the process ended with 3"),
    ],
)
def test_it_runs_where_torch_is_broken(tmp_path, program, told):
    (tmp_path / "torch.py").write_text(program)
    done = examine(PYTHONPATH=str(tmp_path))
    output = done.stdout.decode()
    assert (done.returncode, done.stderr) == (1, b"")
    assert "✗ torch\n" in output and told in output and "uninstall" in output
