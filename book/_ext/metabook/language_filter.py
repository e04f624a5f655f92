"""Leave one language of a page.

A notebook marks its Markdown cells with the metadata ``{"lang": "zh"}`` or
``{"lang": "en"}``; a Markdown page marks its blocks with ``+++ {"lang": "zh"}``.
What is not marked belongs to both languages.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

BLOCK_BREAK = re.compile(r"^\+\+\+[ \t]*(\{.*\})?[ \t]*$")
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}|:{3,})")
FEEDBACK = re.compile(
    r'<div class="metatutor-feedback" lang="(?P<lang>\w+)">.*?</div>\s*', re.DOTALL
)
TAG = re.compile(r"<[^>]+>")


def belongs(cell: dict, lang: str) -> bool:
    """Whether a notebook's cell is shown in this language."""
    if cell["cell_type"] != "markdown":
        return True
    return cell.get("metadata", {}).get("lang") in (lang, None)


def blank_notebook(notebook: dict, lang: str) -> dict:
    """Empty the other language's cells; warnings then keep their cell numbers."""
    cells = [
        one_language_code(cell, lang) if belongs(cell, lang) else cell | {"source": ""}
        for cell in notebook["cells"]
    ]
    return notebook | {"cells": cells}


def drop_notebook(notebook: dict, lang: str) -> dict:
    """Take the other language's cells out, as the downloaded notebook needs it."""
    cells = [
        one_language_code(cell, lang)
        for cell in notebook["cells"]
        if belongs(cell, lang)
    ]
    return notebook | {"cells": cells}


def one_language_code(cell: dict, lang: str) -> dict:
    """A cell with this language's feedback and this language's figure description."""
    return one_language_alt(one_language_outputs(cell, lang), lang)


def one_language_alt(cell: dict, lang: str) -> dict:
    """Turn the metadata ``{"alt": {"zh": …, "en": …}}`` into what MyST-NB reads."""
    if "alt" not in cell["metadata"]:
        return cell
    metadata = dict(cell["metadata"])
    metadata["mystnb"] = {"image": {"alt": metadata.pop("alt")[lang]}}
    return cell | {"metadata": metadata}


def one_language_outputs(cell: dict, lang: str) -> dict:
    """Keep this language's feedback in a code cell's HTML outputs."""
    if not cell.get("outputs"):
        return cell
    return cell | {"outputs": [_one_language(out, lang) for out in cell["outputs"]]}


def _one_language(output: dict, lang: str) -> dict:
    data = output.get("data", {})
    markup = "".join(data.get("text/html", ""))
    if not FEEDBACK.search(markup):
        return output
    kept = FEEDBACK.sub(lambda match: match[0] if match["lang"] == lang else "", markup)
    # the plain text says both languages in one line, so it is made anew
    plain = html.unescape(TAG.sub("", kept)).strip()
    return output | {"data": data | {"text/html": kept, "text/plain": plain}}


def blank_markdown(text: str, lang: str) -> str:
    """Empty the lines of the other language's blocks; line numbers stay."""
    return "\n".join(
        "+++" if is_break else line if kept else ""
        for line, kept, is_break in _lines(text, lang)
    )


def drop_markdown(text: str, lang: str) -> str:
    """Take the other language's blocks and all block breaks out."""
    return "\n".join(
        line for line, kept, is_break in _lines(text, lang) if kept and not is_break
    )


def _lines(text: str, lang: str) -> Iterator[tuple[str, bool, bool]]:
    """Each line, whether it is kept, and whether it is a block break.

    A ``+++`` inside a fence is only text.
    """
    keep, fence = True, None
    for line in text.split("\n"):
        if fence is None and (found := BLOCK_BREAK.match(line)):
            keep = json.loads(found[1] or "{}").get("lang") in (lang, None)
            yield line, True, True
            continue
        if found := FENCE.match(line):
            mark = found[1]
            if fence is None:
                fence = mark
            elif line.strip() == mark and mark.startswith(fence):
                fence = None
        yield line, keep, False
