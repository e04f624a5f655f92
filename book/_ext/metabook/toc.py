"""Captions of ``_toc.yml`` in one language: ``基础 | Foundations``."""

from __future__ import annotations

from .languages import pick


def translate_captions(app, config) -> None:
    """On ``config-inited``, after sphinx-external-toc has read the file."""
    for document in config.external_site_map.values():
        if document.title:
            document.title = pick(document.title, config.book_lang, " | ")
        for subtree in document.subtrees:
            if subtree.caption:
                subtree.caption = pick(subtree.caption, config.book_lang, " | ")
