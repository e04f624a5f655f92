"""The two languages of every chapter and page say the same things in the same order."""

import copy
import json
import re

import pytest

from .conftest import CHAPTERS, ROOT, read
from .parity import differences, first_difference

PAGES = sorted((ROOT / "book").glob("*.md"))


def test_twins_agree(chapter):
    found = list(differences(read(chapter)["cells"]))
    assert not found, f"{chapter.name}: {found[0]}"


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_pages_agree(page):
    """Markdown pages hold their twins in ``+++ {"lang": …}`` blocks."""
    parts = re.split(
        r"^\+\+\+[ \t]*(\{.*\})?[ \t]*\n", page.read_text("utf8"), flags=re.M
    )
    blocks = zip(parts[1::2], parts[2::2], strict=True)
    cells = [
        {"cell_type": "markdown", "metadata": json.loads(metadata), "source": text}
        for metadata, text in blocks
        if metadata  # a bare +++ starts what both languages share
    ]
    assert cells, f"{page.name} has no language blocks"
    found = list(differences(cells))
    assert not found, f"{page.name}: {found[0]}"


PLANTED = {
    "heading levels": (r"^## ", "### "),
    "labels": (r":label: ex-", ":label: exx-"),
    "equations": (r"\\alpha\\,\\nabla", r"\\beta\\,\\nabla"),
    "inline formulas": (r"\$K\$", "$k$"),
    "references and citations": (r"\{cite\}`finn2017`", "{cite}`finn2018`"),
    "directives": (r"```\{solution\}", "```{note}"),
    "directive options": (r":class: dropdown", ":class: tip"),
    "code in the text": (r"~~~python\n", "~~~python\nimport os\n"),
    "list items": (r"^- ", ""),
}


@pytest.mark.parametrize("feature", PLANTED)
def test_a_planted_difference_is_found_and_named(feature):
    """Each kind of difference, planted into a real chapter's English, is reported."""
    pattern, change = PLANTED[feature]
    cells = copy.deepcopy(read(ROOT / "chapters" / "04-maml.ipynb")["cells"])
    for cell in cells:
        text = "".join(cell["source"])
        if cell["metadata"].get("lang") == "en" and re.search(pattern, text, re.M):
            cell["source"] = re.sub(pattern, change, text, count=1, flags=re.M)
            break
    else:
        pytest.fail("there was nothing to change")
    assert feature in next(differences(cells))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_missing_twin_is_found(lang):
    cells = copy.deepcopy(read(CHAPTERS[0])["cells"])
    gone = next(i for i, c in enumerate(cells) if c["metadata"].get("lang") == lang)
    del cells[gone]
    assert "twin" in next(differences(cells))


def test_terms_are_free_and_words_in_formulas_too():
    """Glossary terms and words inside formulas differ between the languages."""
    zh = "{term}`支持集` $x_\\text{新}$ {cite}`b2020, a2019`"
    en = "{term}`support set` $x_\\text{new}$ {cite}`a2019,b2020`"
    assert first_difference(zh, en) is None
