"""The files that say what to install, and how, agree with each other."""

import json
import os
import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
TWINS = [("README.md", "README.zh.md"), ("CONTRIBUTING.md", "CONTRIBUTING.zh.md")]
SETS = [
    "book/requirements.txt",
    "tests/requirements.txt",
    "chapters/requirements.txt",
    "requirements-dev.txt",
    "binder/requirements.txt",
    "pyproject.toml",
]
# what torch brings along for GPUs differs between its builds
TORCH_FOLLOWERS = re.compile(r"nvidia-|cuda-|triton$|setuptools$")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def lines(name: str) -> list[str]:
    """A requirements file without comments and empty lines."""
    stripped = (line.partition("#")[0].strip() for line in read(name).splitlines())
    return [line for line in stripped if line]


PROJECT = tomllib.loads(read("pyproject.toml"))
PYTHON = SpecifierSet(PROJECT["project"]["requires-python"])


def requirements(name: str) -> list[Requirement]:
    """What a requirements file, or the package itself, asks for by name."""
    if name == "pyproject.toml":
        return [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    return [Requirement(line) for line in lines(name) if not line.startswith("-")]


def pins() -> dict[str, Version]:
    """``constraints.txt`` as versions by name; each line is one exact pin."""
    pinned = {}
    for line in lines("constraints.txt"):
        name, version = re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups()
        assert canonicalize_name(name) not in pinned, f"{name} is pinned twice"
        pinned[canonicalize_name(name)] = Version(version)
    return pinned


def pulled_in(name: str) -> set[str]:
    """Everything that a requirements file needs, as installed here."""
    found, waiting = set(), [(r, "") for r in requirements(name)]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        key = canonicalize_name(requirement.name)
        found.add(key)
        for wanted in {"", *requirement.extras}:
            if (key, wanted) not in seen:
                seen.add((key, wanted))
                needs = requires(key) or []
                waiting += [(Requirement(text), wanted) for text in needs]
    return found


@pytest.mark.parametrize("name", SETS)
def test_what_is_asked_for_is_pinned_within_its_range(name):
    pinned = pins()
    asked = requirements(name)
    assert asked
    for requirement in asked:
        key = canonicalize_name(requirement.name)
        assert key in pinned, f"{name}: {key} is not in constraints.txt"
        assert pinned[key] in requirement.specifier, f"{name}: {requirement}"


# JupyterLab and uv are not installed where the tests run
@pytest.mark.parametrize("name", [*SETS[:3], "pyproject.toml"])
def test_what_that_pulls_in_is_pinned_too(name):
    unpinned = pulled_in(name) - pins().keys()
    assert [n for n in sorted(unpinned) if not TORCH_FOLLOWERS.match(n)] == []


def test_what_follows_torch_is_not_pinned():
    assert [name for name in pins() if TORCH_FOLLOWERS.match(name)] == []


def test_the_site_is_built_without_torch():
    needed = pulled_in("book/requirements.txt")
    assert "sphinx" in needed
    assert {name for name in needed if name.startswith("torch")} == set()


def test_torch_and_torchvision_are_a_pair():
    torch, vision = pins()["torch"], pins()["torchvision"]
    # torchvision 0.15 came with torch 2.0, and so on ever since
    assert (torch.major, vision.major, vision.minor) == (2, 0, torch.minor + 15)
    # and the one installed says for which torch it was built
    needs = map(Requirement, requires("torchvision"))
    built_for = [r.specifier for r in needs if r.name == "torch"]
    assert built_for and all(torch in specifier for specifier in built_for)


def test_jupyter_book_is_the_one_that_reads_our_configuration():
    (book,) = (
        r for r in requirements("book/requirements.txt") if r.name == "jupyter-book"
    )
    assert "2.0.0" not in book.specifier and "1.0.4" in book.specifier


def test_extras_are_the_requirement_files():
    extras = PROJECT["tool"]["setuptools"]["dynamic"]["optional-dependencies"]
    assert extras["book"]["file"] == ["book/requirements.txt"]
    assert extras["chapters"]["file"] == ["chapters/requirements.txt"]
    assert extras["test"]["file"] == [
        "tests/requirements.txt",
        "chapters/requirements.txt",
    ]
    assert set(extras["dev"]["file"]) == {
        "book/requirements.txt",
        "tests/requirements.txt",
        "chapters/requirements.txt",
        "requirements-dev.txt",
    }


def test_conda_gets_the_same():
    conda = yaml.safe_load(read("environment.yml"))["dependencies"]
    python, pip, through_pip = conda
    assert SpecifierSet(python.removeprefix("python")) == PYTHON
    assert pip == "pip"
    constraint, package = through_pip["pip"]
    assert constraint == "-c constraints.txt"
    extras = re.fullmatch(r"-e \.\[(.+)\]", package)[1].split(",")
    known = PROJECT["tool"]["setuptools"]["dynamic"]["optional-dependencies"]
    assert set(extras) <= known.keys()


def test_the_chapter_on_the_environment_says_the_same():
    cells = json.loads(read("chapters/14-environment.ipynb"))["cells"]
    readme = read("README.md")
    by_hand = re.search(r"^python -m pip install .+$", readme, re.M)[0]
    python = re.search(r"Python (3\.\d+) (?:to|至) (3\.\d+)", readme).groups()
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.M))
    for lang in ("zh", "en"):
        prose = [c["source"] for c in cells if c["metadata"].get("lang") == lang]
        text = "\n".join("".join(lines) for lines in prose)
        assert by_hand in text.splitlines()
        told = re.search(r"Python (3\.\d+) (?:to|至) (3\.\d+)", text).groups()
        assert told == python
        assert set(re.findall(r"`make ([a-z]+)", text)) <= targets
        name = yaml.safe_load(read("environment.yml"))["name"]
        assert f"`conda activate {name}`" in text


def test_binder_gets_the_same():
    assert read("binder/runtime.txt").strip().removeprefix("python-") in PYTHON
    assert "-c ../constraints.txt" in lines("binder/requirements.txt")
    script = " ".join(read("binder/postBuild").replace("\\\n", "").split())
    assert "--torch-backend cpu -c constraints.txt -e '.[chapters]'" in script
    assert not (ROOT / ".binder").exists()  # it would come before binder/


def test_make_asks_for_the_same_python():
    bounds = re.search(r"\((3, \d+)\) <= v < \((3, \d+)\)", read("Makefile"))
    low, high = (bound.replace(", ", ".") for bound in bounds.groups())
    assert SpecifierSet(f">={low},<{high}") == PYTHON


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_readers_are_told_the_same_python(readme):
    told = re.search(r"Python (3\.\d+) (?:to|至) (3\.\d+)", read(readme)).groups()
    supported = [f"3.{minor}" for minor in range(30) if f"3.{minor}" in PYTHON]
    assert told == (supported[0], supported[-1])


@pytest.mark.parametrize("workflow", ["book.yml"])
def test_ci_uses_a_python_in_range(workflow):
    jobs = yaml.safe_load(read(f".github/workflows/{workflow}"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    versions = [s["with"]["python-version"] for s in steps if "setup-python" in str(s)]
    assert versions and all(version in PYTHON for version in versions)
    assert ".ci/run" in [step.get("run") for step in steps]


@pytest.mark.parametrize("script", [".ci/run", "binder/postBuild"])
def test_scripts_can_be_run(script):
    assert os.access(ROOT / script, os.X_OK)
    text = read(script)
    assert text.startswith("#!/bin/bash\n") and "set -euo pipefail" in text


@pytest.mark.parametrize("script", [".ci/run", "README.md", "CONTRIBUTING.md"])
def test_targets_that_are_named_exist(script):
    # at the start of a line or of inline code: prose may make anything
    named = re.findall(r"(?:^|`)make ([a-z ]+)", read(script), re.M)
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.M))
    assert named and {word for words in named for word in words.split()} <= targets


def commands(text: str) -> list[str]:
    """What is in code blocks and inline code, without comments."""
    blocks = re.findall(r"```\w+\n(.*?)```", text, re.S)
    rest = re.sub(r"```\w+\n.*?```", "", text, flags=re.S)
    found = [line.partition("#")[0].strip() for b in blocks for line in b.splitlines()]
    found += re.findall(r"`([^`\n]+)`", rest)
    # the order of words within a sentence differs
    return sorted(line for line in found if line)


def links(text: str) -> list[str]:
    """Where links lead, with the language taken out."""
    found = re.findall(r"\]\(([^)]+)\)|<(https?://[^>]+)>", text)
    targets = [a or b for a, b in found]
    return sorted(re.sub(r"\.zh\.md|/zh/", _as_english, t) for t in targets)


def _as_english(match: re.Match) -> str:
    return {".zh.md": ".md", "/zh/": "/en/"}[match[0]]


@pytest.mark.parametrize("english, chinese", TWINS)
def test_twins_name_the_same_commands_and_links(english, chinese):
    en, zh = read(english), read(chinese)
    assert commands(en) == commands(zh)
    assert links(en) == links(zh) != []
    assert en.count("\n#") == zh.count("\n#")
    assert f"]({chinese})" in en and f"]({english})" in zh


@pytest.mark.parametrize("name", [name for twins in TWINS for name in twins])
def test_files_that_are_named_exist(name):
    text = read(name)
    named = [t for t in re.findall(r"\]\(([^)]+)\)", text) if "://" not in t]
    named += re.findall(r"(?:tests|book|metatutor)/[\w/.-]*\.(?:py|txt|yml|bib)", text)
    absent = [n for n in named if "chNN" not in n and not (ROOT / n).exists()]
    assert named and absent == []


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_counts_in_the_readme_are_those_of_the_data(readme):
    text = read(readme)
    errata, items, planned = (
        len(yaml.safe_load(read(f"book/data/{name}.yml")))
        for name in ("errata", "source_map", "chapters")
    )
    written = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
    for number in (errata, items, planned, planned - len(written)):
        assert re.search(rf"(?<!\d){number}(?!\d)", text), f"{number} is not named"
    assert sorted(set(re.findall(r"`(\d\d-[\w-]+)`", text))) == written


def test_the_version_is_the_same_everywhere():
    version = re.search(r'"(.+)"', read("metatutor/version.py").split("=")[1])[1]
    citation = yaml.safe_load(read("CITATION.cff"))
    top = re.search(r"^## \[([^]]+)\] - (\S+)$", read("CHANGELOG.md"), re.M)
    assert (version, citation["date-released"]) == top.groups()
    assert citation["version"] == version


def test_licences_are_those_named():
    assert read("LICENSE").startswith("MIT License")
    assert read("LICENSE-TEXT").startswith("Attribution 4.0 International")
    assert yaml.safe_load(read("CITATION.cff"))["license"] == ["MIT", "CC-BY-4.0"]
