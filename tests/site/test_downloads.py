"""The file behind the download button is in the language of the page."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from reading import ENGLISH_SENTENCE, HAN

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path.name for path in ROOT.glob("chapters/*.ipynb"))
BUTTON = re.compile(r'href="([^"]+)"[^>]*btn-download-source-button')
MARKED = re.compile(r'<span lang="\w+">.*?</span>|```.*?```|`[^`]*`|\$[^$]*\$', re.S)


def download(site: Path, lang: str, name: str) -> nbformat.NotebookNode:
    """What the page's download button leads to."""
    page = (site / lang / "chapters" / name).with_suffix(".html")
    target = BUTTON.search(page.read_text(encoding="utf-8"))[1]
    return nbformat.read((page.parent / target).resolve(), as_version=4)


def prose(notebook) -> list[str]:
    """Text and outputs without code, formulas and what is marked as foreign."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts.append(output.get("text", ""))
            texts += [
                text
                for kind, text in output.get("data", {}).items()
                if kind in ("text/plain", "text/html")
            ]
    return [MARKED.sub("", text) for text in texts]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_english_notebook_has_no_chinese(site, name):
    notebook = download(site, "en", name)
    nbformat.validate(notebook)
    assert [text for text in prose(notebook) if HAN.search(text)] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_chinese_notebook_has_no_english_sentences(site, name):
    notebook = download(site, "zh", name)
    nbformat.validate(notebook)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert any(HAN.search(text) for text in cells)
    cited = [re.sub(r"\*[^*]+\*", "", MARKED.sub("", text)) for text in cells]
    assert [text for text in cited if ENGLISH_SENTENCE.search(text)] == []
    assert not [text for text in prose(notebook) if 'lang="en"' in text]


def code(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_its_code_is_that_of_the_chapter(site, name):
    """So what is proved by running the chapters holds for what readers download."""
    chapter = nbformat.read(ROOT / "chapters" / name, as_version=4)
    for lang in ("zh", "en"):
        assert code(download(site, lang, name)) == code(chapter) != []


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_downloaded_notebook_runs(site, lang, tmp_path):
    """In an empty folder, as a reader has it; the shortest chapter stands for all."""
    notebook = download(site, lang, "02-concepts.ipynb")
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, resources=resources).execute()
