"""Repairs to generated HTML that screen readers stumble over."""

from __future__ import annotations

REPAIRS = {
    # docutils uses a role that has been withdrawn
    ' role="doc-biblioentry"': ' role="listitem"',
    # a fixed English label over the text that is there, which says more
    '<summary aria-label="Toggle hidden content">': "<summary>",
}


def repair(body: str) -> str:
    """The page's body with every repair made."""
    for broken, good in REPAIRS.items():
        body = body.replace(broken, good)
    return body


def repair_page(app, pagename, templatename, context, doctree) -> None:
    """On ``html-page-context``: repair the body of the page."""
    if "body" in context:
        context["body"] = repair(context["body"])
