"""Links between the two languages of a page."""

from __future__ import annotations

from .languages import LANGUAGES, other


def link_languages(app, pagename, templatename, context, doctree) -> None:
    """On ``html-page-context``: the switcher's target and the ``hreflang`` links."""
    there = LANGUAGES[other(app.config.book_lang)]
    up = "../" * (pagename.count("/") + 1)
    context["other_language"] = there
    context["other_language_url"] = f"{up}{there.code}/{pagename}.html"
    site = app.config.html_baseurl.rstrip("/").rpartition("/")[0]
    context["metatags"] = context.get("metatags", "") + alternates(site, pagename)


def alternates(site: str, pagename: str) -> str:
    """The ``<link rel="alternate">`` elements of a page; strangers get English."""
    codes = {lang.hreflang: lang.code for lang in LANGUAGES.values()}
    return "".join(
        f'<link rel="alternate" hreflang="{hreflang}"'
        f' href="{site}/{code}/{pagename}.html">\n'
        for hreflang, code in (codes | {"x-default": "en"}).items()
    )
