"""The notebook or page that a reader downloads: in one language, like the site."""

from __future__ import annotations

import json
from pathlib import Path

from .language_filter import drop_markdown, drop_notebook
from .pages import fill


def write_sources(app, exception) -> None:
    """On ``build-finished``: put one-language files in ``_sources``."""
    if exception or app.builder.name != "html":
        return
    for docname in app.env.found_docs:
        source = Path(app.env.doc2path(docname))
        copy = Path(app.outdir, "_sources", f"{docname}{source.suffix}")
        if copy.exists():
            text = source.read_text(encoding="utf-8")
            copy.write_text(one_language(app, source.suffix, text), encoding="utf-8")


def one_language(app, suffix: str, text: str) -> str:
    """A source file's text in the language of this site."""
    if suffix == ".ipynb":
        notebook = drop_notebook(json.loads(text), app.config.book_lang)
        return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
    return fill(drop_markdown(text, app.config.book_lang), app)
