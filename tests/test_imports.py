"""Imports run one way: whoever reads from the bottom up meets nothing unknown."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import metatutor

PACKAGE = Path(metatutor.__file__).parent

# a module may import what stands on a lower line, or within its own folder
LAYERS = [
    {"version", "doctor", "misfits", "checks"},
    {"tasks"},
    {"checkpoint", "ways"},
    {"results", "losses"},
    {"plotting"},
    {"data", "models"},
    {"article"},
    {"engine", "pretrained", "card", "export", "zero_shot"},
    {"learners"},
    {"evaluation", "run", "hypergradient", "architecture"},
    {"training", "pretraining", "calibration"},
    {"exercises", "experiments"},
    {"benchmark"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

# the few that may import only what is named
ONLY = {
    "doctor": set(),
    "checks": set(),
    "tasks": {"checks"},
    "ways": {"checks", "tasks"},
    "misfits": set(),
    "losses": set(),
    "checkpoint": set(),
    "data": {"checks", "tasks"},
    "models": {"checks", "misfits"},
    "article": {"data"},
    "results": {"checks"},
    "plotting": {"results", "tasks"},
    "engine": {"models", "data", "misfits", "checks", "tasks", "ways"},
    "pretrained": {"models", "data", "checks"},
    "card": {"results", "data", "version"},
    "export": {"data"},
}


def unit(file):
    """The part of the package with a file: ``learners/maml.py`` → learners."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(file):
    """The parts of the package that a file imports from, anywhere in it."""
    # the package that relative imports start from
    here = ["metatutor", *file.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(file.read_text("utf8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            targets = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for target in targets:
            if target[0] == "metatutor" and len(target) > 1:
                yield target[1]


FILES = sorted(f for f in PACKAGE.rglob("*.py") if f != PACKAGE / "__init__.py")


def test_every_part_has_its_place():
    assert {unit(file) for file in FILES} <= set(RANK)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_run_one_way(file):
    mine = unit(file)
    for other in set(imported(file)) - {mine}:
        assert other in RANK, f"imports {other}, which has no place"
        assert RANK[other] < RANK[mine], f"{mine} must not import {other}"
        assert other in ONLY.get(mine, {other}), f"{mine} must not import {other}"


def test_the_package_itself_leaves_out_exercises_and_experiments():
    parts = set(imported(PACKAGE / "__init__.py"))
    assert {"tasks", "learners", "training"} <= parts  # the test reads what it should
    assert not parts & {"exercises", "experiments"}


def test_every_name_offered_exists():
    assert all(hasattr(metatutor, name) for name in metatutor.__all__)
    assert len(set(metatutor.__all__)) == len(metatutor.__all__)


@pytest.mark.parametrize("name", ["book", "chapters", "learn2learn", "higher"])
def test_the_package_knows_of_no_book_and_no_other_library(name):
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf8"))):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] != name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module.split(".")[0] != name


def test_importing_draws_nothing_and_prints_nothing():
    """The global random state is the reader's, from the first line on."""
    program = """
import torch
before = torch.get_rng_state()
import metatutor, metatutor.exercises
assert torch.equal(torch.get_rng_state(), before)
assert torch.get_default_dtype() is torch.float32
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
