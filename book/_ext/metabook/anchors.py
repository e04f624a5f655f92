"""Section anchors that are the same in both languages: ``s-1-2``.

They count sections, so the twins of a page must have the same headings. With them
the language switcher can keep the section that is being read.
"""

from __future__ import annotations

from docutils import nodes


def number_sections(app, doctree: nodes.document) -> None:
    """On ``doctree-read``: give every section its anchor beside the usual one."""
    _number(doctree, ())


def _number(parent: nodes.Element, path: tuple[int, ...]) -> None:
    sections = (child for child in parent.children if isinstance(child, nodes.section))
    for count, section in enumerate(sections, start=1):
        here = (*path, count)
        # appended, not first: the heading's own id stays the one that is linked
        section["ids"].append("s-" + "-".join(map(str, here)))
        _number(section, here)
