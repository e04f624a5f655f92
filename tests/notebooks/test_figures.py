"""Each figure in the text is in a ledger, in an output, in a paper, or invented."""

import json

import pytest

from .conftest import ROOT, read
from .figures import groups, held

LEDGER = json.loads((ROOT / "book" / "results.json").read_text("utf8"))
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "book").glob("*.md")])


def benchmark():
    rows = json.loads((ROOT / "book" / "benchmark.json").read_text("utf8"))["rows"]
    return [v for row in rows for v in row.values() if isinstance(v, float)]


def markdown(notebook):
    """The number, the language and the text of each Markdown cell."""
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "markdown":
            yield number, cell["metadata"].get("lang"), "".join(cell["source"])


def printed(notebook):
    """All text in the stored outputs."""
    outputs = [o for cell in notebook["cells"] for o in cell.get("outputs", [])]
    shown = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]
    return "\n".join("".join(lines) for lines in shown)


def unheld(texts, output=""):
    """The figures that come from nowhere, with their cells."""
    measured = benchmark()
    for number, _, text in texts:
        for group in groups(text):
            if not held(group, LEDGER, measured, output):
                yield f"cell {number}: {group}"


def untranslated(notebook):
    """Cells whose figures are not those of their twin."""
    texts = [(n, lang, text) for n, lang, text in markdown(notebook) if lang]
    for (_, _, zh), (number, _, en) in zip(texts[::2], texts[1::2], strict=False):
        if figures(zh) != figures(en):
            yield f"cell {number}: {figures(en)} is {figures(zh)} in Chinese"


def figures(text):
    return [str(group) for group in groups(text)]


def test_a_chapter_reports_nothing_but_what_was_measured(chapter):
    notebook = read(chapter)
    found = list(unheld(markdown(notebook), printed(notebook)))
    assert not found, f"{chapter.name}: neither in a ledger nor printed: {found}"
    assert not list(untranslated(notebook)), chapter.name


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_page_reports_nothing_but_what_was_measured(page):
    found = list(unheld([(0, None, page.read_text("utf8"))]))
    assert not found, f"{page.name}: in no ledger: {found}"


def test_the_readmes_report_the_same():
    en, zh = (figures((ROOT / f"README{x}.md").read_text("utf8")) for x in ("", ".zh"))
    assert en == zh and len(en) >= 6


PLANTED = {  # what stands there, and another figure in its place
    "README.md": ("| 0.56 ± 0.02 | 0.36 ± 0.01", "| 0.56 ± 0.02 | 0.37 ± 0.01"),
    "README.zh.md": ("错 51.8 ± 10.2", "错 51.8 ± 9.2"),
    # right figures in the wrong order, and at the wrong method
    "chapters/04-maml.ipynb": (
        "0.92 ± 0.03 / 0.57 ± 0.02",
        "0.57 ± 0.02 / 0.92 ± 0.03",
    ),
    "chapters/10-tradeoffs.ipynb": ("| ANIL | 0.132 ± 0.013", "| ANIL | 0.072 ± 0.012"),
    "chapters/08-proximal.ipynb": ("$-0.431$ |", "$-0.413$ |"),
    "chapters/03-workflow.ipynb": ("虚高了 0.07 ± 0.01", "虚高了 0.17 ± 0.01"),
    "chapters/13-case-images.ipynb": (
        "150 s | 3 | 12.0 ± 3.8",
        "150 s | 3 | 12.0 ± 3.9",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_figure_is_found(name):
    """Each kind of source, in a real text that is otherwise right."""
    there, planted = PLANTED[name]
    if name.endswith(".ipynb"):
        notebook = read(ROOT / name)
        texts, output = list(markdown(notebook)), printed(notebook)
    else:
        texts, output = [(0, None, (ROOT / name).read_text("utf8"))], ""
    assert any(there in text for _, _, text in texts)
    texts = [(n, lang, text.replace(there, planted)) for n, lang, text in texts]
    assert list(unheld(texts, output))


def test_the_rule_for_each_source():
    text = "A is at 0.5 ± 0.1.\n\n| a | b |\n|---|---|\n| A | 0.51 |\n| x | 7 |\n"
    pair, bare = groups(text)
    assert (str(pair), str(bare)) == ("0.5 ± 0.1", "0.51")
    row = {"method": "A", "value": 0.512, "ci95": 0.12, "per_seed": [0.4, 0.6]}
    other = row | {"method": "B", "value": 0.9}
    for group in (pair, bare):
        assert held(group, [other, row], [], "")
        assert held(group, [], [], "A 0.512 ± 0.12")
        assert not held(group, [other], [], "A 0.6 ± 0.12\n0.49 ± 0.2")
    assert held(bare, [], [0.507], "") and not held(pair, [], [0.5, 0.1], "")
    # figures that are printed apart were not printed as one
    both = next(groups("|a|\n|-|\n| A | 0.51 | 0.62 |\n"))
    assert held(both, [], [], "0.51 0.62") and not held(both, [], [], "0.51\n0.62")
    for said in ("{cite}`a2020` has 0.5 ± 0.1.", "An invented 0.5 ± 0.1.",
                 "虚构的 0.5 ± 0.1。", "Finn et al. 2017: 0.5 ± 0.1"):  # fmt: skip
        assert all(held(group, [], [], "") for group in groups(said)), said
    for said in ("{cite}`a2020` is good. We have 0.5 ± 0.1.",
                 "{cite}`a2020`:\n\n|a|\n|-|\n| A | 0.5 ± 0.1 |\n"):  # fmt: skip
        assert not any(held(group, [], [], "") for group in groups(said)), said
    quoted = "{cite}`a2020`:\n\n|a|\n|-|\n| A | 0.51 |\n"
    assert held(next(groups(quoted)), [], [], "")
    assert not held(next(groups(quoted.replace("{cite}", ""))), [], [], "")


def test_a_figure_that_only_one_language_has_is_found(chapter):
    notebook = read(chapter)
    for cell in notebook["cells"]:
        if cell["metadata"].get("lang") == "zh":
            cell["source"] = "".join(cell["source"]) + "\n\n虚构的 0.5 ± 0.1"
            break
    assert list(untranslated(notebook))
