"""What every chapter must have, so that a reader finds the same things everywhere."""

import itertools
import re
from importlib import import_module

import pytest
import yaml

from .conftest import CHAPTERS, ROOT, read, source

CJK = re.compile(r"[\u4e00-\u9fff]")
DATA = ROOT / "book" / "data"


def code_cells(chapter):
    return [c for c in read(chapter)["cells"] if c["cell_type"] == "code"]


def prose(chapter, lang):
    cells = read(chapter)["cells"]
    return "\n\n".join(source(c) for c in cells if c["metadata"].get("lang") == lang)


def test_the_title_is_the_planned_one(chapter):
    planned = {
        c["slug"]: c for c in yaml.safe_load((DATA / "chapters.yml").read_text("utf8"))
    }
    for lang in ("zh", "en"):
        title = re.search(r"^# (.+)$", prose(chapter, lang), re.M)[1]
        assert title == planned[chapter.stem]["title"][lang]


def test_table_headers_have_words(chapter):
    """A formula alone is a picture: a screen reader has nothing to say of it."""
    for lang in ("zh", "en"):
        lines = prose(chapter, lang).splitlines()
        for line, below in itertools.pairwise(lines):
            if line.startswith("|") and re.fullmatch(r"\|[-| :]+\|", below):
                for header in re.sub(r"\$[^$]*\$", "", line).strip("|").split("|"):
                    assert header.strip(), f"a header without words: {line}"


def test_cells_are_small(chapter):
    for i, cell in enumerate(read(chapter)["cells"]):
        if cell["cell_type"] != "code":
            continue
        lines = source(cell).splitlines()
        assert len(lines) <= 20, f"cell {i} has {len(lines)} lines"
        assert max(map(len, lines)) <= 79, f"cell {i} has a line over 79 columns"


def test_stored_outputs_are_of_one_whole_clean_run(chapter):
    cells = code_cells(chapter)
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", output["text"]


def test_every_figure_is_described_in_both_languages(chapter):
    for cell in code_cells(chapter):
        if any("image/png" in o.get("data", {}) for o in cell["outputs"]):
            alt = cell["metadata"].get("alt", {})
            assert CJK.search(alt.get("zh", "")), "a figure without Chinese alt text"
            assert alt.get("en") and not CJK.search(alt["en"]), (
                "…without English alt text"
            )


def test_claims_are_asserted(chapter):
    """What a chapter claims, its notebook proves: several assertions in each."""
    assert sum(source(c).count("assert ") for c in code_cells(chapter)) >= 4


def test_a_chinese_paragraph_is_one_line(chapter):
    """A soft line break between Chinese characters would show as a space."""
    text = re.sub(r"^(```|~~~).*?^\1", "", prose(chapter, "zh"), flags=re.M | re.S)
    broken = re.search(r"[\u4e00-\u9fff，。；：、）][ \t]*\n[\u4e00-\u9fff（]", text)
    assert not broken, f"a Chinese paragraph is broken at {broken[0]!r}"


def test_no_chinese_prose_in_english_cells(chapter):
    text = re.sub(r'<span lang="zh">.*?</span>', "", prose(chapter, "en"), flags=re.S)
    text = re.sub(r"```\{mermaid\}.*?```", "", text, flags=re.S)
    assert not CJK.search(text), CJK.findall(text)


def test_every_exercise_is_checked_and_solved(chapter):
    number = chapter.stem[:2]
    checkers = import_module(f"metatutor.exercises.ch{number}").exercises.checkers
    code = "\n".join(source(c) for c in code_cells(chapter))
    assert re.findall(rf'ch{number}\.check\("([\w-]+)"', code) == list(checkers)
    for lang in ("zh", "en"):
        exercises = re.findall(
            r"\{exercise\}[^\n]*\n:label: (\S+)", prose(chapter, lang)
        )
        solutions = re.findall(r"\{solution\} (\S+)", prose(chapter, lang))
        assert exercises == solutions
        assert len(exercises) == len(checkers) >= 3


def written_errata():
    rows = yaml.safe_load((DATA / "errata.yml").read_text("utf8"))
    written = {path.stem for path in CHAPTERS}
    return [(r["id"], c) for r in rows for c in r["chapters"] if c in written]


@pytest.mark.parametrize(("erratum", "slug"), written_errata())
def test_a_chapter_links_the_errata_it_puts_right(erratum, slug):
    chapter = ROOT / "chapters" / f"{slug}.ipynb"
    for lang in ("zh", "en"):
        assert f"<erratum-{erratum.lower()}>" in prose(chapter, lang)


def test_the_plan_and_the_data_agree():
    """61 errata, 146 items of the article, 28 chapters; each names a real chapter."""
    load = lambda name: yaml.safe_load((DATA / name).read_text("utf8"))  # noqa: E731
    slugs = [c["slug"] for c in load("chapters.yml")]
    errata, items = load("errata.yml"), load("source_map.yml")
    assert [r["id"] for r in errata] == [f"B{i}" for i in range(1, 62)]
    assert (len(slugs), len(items)) == (28, 146)
    assert {i["chapter"] for i in items} <= set(slugs)
    known = {i["id"] for i in items} | {"S10.1"}
    assert {s for r in errata for s in r["items"]} <= known
    assert {path.stem for path in CHAPTERS} <= set(slugs)
