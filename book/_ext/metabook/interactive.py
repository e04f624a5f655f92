"""The ``{interactive}`` directive: a figure that the reader moves, by a local script.

The page holds a still picture with a description; where JavaScript runs, the figure's
script replaces the picture and adds its controls. Pages without one load nothing.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

FOLDER = Path(__file__).resolve().parents[2] / "_static" / "interactive"
SCRIPTS = {
    "drawing": (
        "figure.js",
        "drawing-weights.js",
        "drawing-network.js",
        "drawing-pad.js",
        "drawing.js",
    ),
    "quadratics": ("figure.js", "quadratics.js"),
    "quadratics-three": ("figure.js", "quadratics.js"),
    "sinusoid": ("figure.js", "sinusoid-weights.js", "sinusoid.js"),
}
WITHOUT_SCRIPT = {
    "zh": "没有 JavaScript，这里只显示静态图。",
    "en": "Without JavaScript this is a still picture.",
}


class interactive(nodes.General, nodes.Element):
    """A figure by ``name``, its description in ``alt``; the caption is its content."""


class Interactive(SphinxDirective):
    """A figure by name; ``:alt:`` says what one sees, the content is the caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Make the node; an unknown figure or one without a description is refused."""
        name = self.arguments[0]
        if name not in SCRIPTS:
            raise self.error(f"{name!r} is no interactive figure: {', '.join(SCRIPTS)}")
        if "alt" not in self.options:
            raise self.error(
                "an interactive figure needs :alt:, a description in words"
            )
        lang = self.config.book_lang
        self.env.note_dependency(str(picture(name, lang)))
        node = interactive(name=name, alt=self.options["alt"], lang=lang)
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def picture(name: str, lang: str) -> Path:
    """The still picture, which ``book/draw_stills.py`` draws."""
    return FOLDER / f"{name}.{lang}.svg"


def opening(name: str, alt: str, lang: str) -> str:
    """The figure up to its caption, as it stands where no script runs."""
    still = picture(name, lang).read_text(encoding="utf-8").strip()
    return (
        f'<figure class="interactive" data-figure="{name}">\n'
        f'<div class="interactive-picture" role="img" aria-label="{escape(alt)}">'
        f"{still}</div>\n"
        f'<p class="interactive-still">{WITHOUT_SCRIPT[lang]}</p>\n'
        "<figcaption>\n"
    )


def visit_html(translator, node: interactive) -> None:
    """Write the still picture; the caption follows."""
    translator.body.append(opening(node["name"], node["alt"], node["lang"]))


def depart_html(translator, node: interactive) -> None:
    """Close what `visit_html` opened."""
    translator.body.append("</figcaption>\n</figure>\n")


def add_scripts(app, pagename, templatename, context, doctree) -> None:
    """On ``html-page-context``: load what the page's figures need, each once."""
    if doctree is None:
        return
    names = [node["name"] for node in doctree.findall(interactive)]
    scripts = dict.fromkeys(script for name in names for script in SCRIPTS[name])
    for script in scripts:
        # before the formulas are set, which takes longer
        app.add_js_file(f"interactive/{script}", priority=300, loading_method="defer")
