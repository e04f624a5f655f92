"""The ``{mermaid}`` directive: diagrams drawn in the browser by a local mermaid.js.

The published extension imports mermaid as a module, which browsers refuse on
``file://``; this one loads the classic script, and only where a page has a diagram.
"""

from __future__ import annotations

from html import escape
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

SCRIPTS = ("vendor/mermaid/mermaid.min.js", "draw-diagrams.js")


class mermaid(nodes.General, nodes.Element):
    """A diagram: its source in ``code``, its description in ``alt``."""


class Mermaid(SphinxDirective):
    """A diagram in Mermaid's language; ``:alt:`` says what one sees in it."""

    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Make the node; a diagram without a description is refused."""
        if "alt" not in self.options:
            raise self.error("a mermaid diagram needs :alt:, a description in words")
        node = mermaid(code="\n".join(self.content), alt=self.options["alt"])
        self.set_source_info(node)
        return [node]


def visit_html(translator, node: mermaid) -> None:
    """Write the source, which stays readable where no script runs."""
    translator.body.append(
        f'<div class="diagram" role="img" aria-label="{escape(node["alt"])}">'
        f'<pre class="mermaid">{escape(node["code"])}</pre></div>\n'
    )
    raise nodes.SkipNode


def add_scripts(app, pagename, templatename, context, doctree) -> None:
    """On ``html-page-context``: load mermaid on the pages that have a diagram."""
    if doctree is not None and next(doctree.findall(mermaid), None) is not None:
        for script in SCRIPTS:
            app.add_js_file(script)
