"""Sphinx extension of the book: one source, two one-language sites.

Jupyter Book builds the site; this adds what it lacks, one idea per file. Each build
sees one language, ``book_lang``: the other one's text is blanked as pages are read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from . import (
    accessibility,
    anchors,
    chinese_search,
    downloads,
    interactive,
    mermaid,
    pages,
    switcher,
    theme,
    toc,
)
from .language_filter import blank_markdown, blank_notebook


def filter_language(app, docname: str, source: list[str]) -> None:
    """On ``source-read``: leave this site's language, fill generated parts in."""
    lang = app.config.book_lang
    if Path(app.env.doc2path(docname)).suffix == ".ipynb":
        notebook = blank_notebook(json.loads(source[0]), lang)
        source[0] = json.dumps(notebook, ensure_ascii=False)
    else:
        source[0] = pages.fill(blank_markdown(source[0], lang), app)


def setup(app) -> dict:
    """Connect every part; the priorities are relative to the theme's (500)."""
    # the package beside the book, not one that happens to be installed
    sys.path.insert(0, str(app.srcdir))
    app.add_config_value("book_lang", None, "env", types=[str])
    app.add_search_language(chinese_search.ChineseSearch)
    app.add_directive("mermaid", mermaid.Mermaid)
    app.add_node(mermaid.mermaid, html=(mermaid.visit_html, None))
    app.add_directive("interactive", interactive.Interactive)
    app.add_node(
        interactive.interactive,
        html=(interactive.visit_html, interactive.depart_html),
    )

    app.connect("config-inited", theme.configure, priority=100)
    # sphinx-external-toc reads its file at 900
    app.connect("config-inited", toc.translate_captions, priority=950)
    app.connect("builder-inited", theme.supplement_translations)
    app.connect("source-read", filter_language, priority=100)
    app.connect("doctree-read", anchors.number_sections)
    app.connect("html-page-context", switcher.link_languages, priority=100)
    app.connect("html-page-context", mermaid.add_scripts)
    app.connect("html-page-context", interactive.add_scripts)
    app.connect("html-page-context", accessibility.repair_page)
    app.connect("html-page-context", theme.drop_thebe, priority=950)
    app.connect("autodoc-process-docstring", pages.api.separate_plurals)
    app.connect("build-finished", downloads.write_sources)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
