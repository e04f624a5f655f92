"""Generated parts of Markdown pages: ``{{ glossary }}`` in ``book/glossary.md``.

Each generator is a pure function from checked data to MyST text in one language.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.errors import ExtensionError

from . import api, equations, errata, glossary, results, source_map
from .data import (
    load_chapters,
    load_equations,
    load_errata,
    load_glossary,
    load_results,
    load_source_map,
)

PLACEHOLDER = re.compile(r"\{\{ (\w+) \}\}")


def fill(text: str, app) -> str:
    """Replace every placeholder of a page by what it stands for."""

    def replacement(match: re.Match) -> str:
        if match[1] not in GENERATORS:
            known = ", ".join(sorted(GENERATORS))
            raise ExtensionError(f"no generated part {match[0]}; there are: {known}")
        return GENERATORS[match[1]](app)

    return PLACEHOLDER.sub(replacement, text)


def _data(app) -> Path:
    return Path(app.srcdir, "book", "data")


def _written(app) -> set[str]:
    """The slugs of the chapters that are part of this build."""
    prefix = "chapters/"
    docs = (name for name in app.env.found_docs if name.startswith(prefix))
    return {name.removeprefix(prefix) for name in docs}


def _chapters(app):
    return load_chapters(_data(app) / "chapters.yml", written=_written(app))


def _errata(app):
    return load_errata(_data(app) / "errata.yml", chapters=_chapters(app))


def _glossary_part(app) -> str:
    entries = load_glossary(_data(app) / "glossary.yml")
    return glossary.render(entries, app.config.book_lang)


def _equations_part(app) -> str:
    identities = load_equations(_data(app) / "equations.yml")
    return equations.render(identities, _chapters(app), app.config.book_lang)


def _errata_part(app) -> str:
    return errata.render(_errata(app), _chapters(app), app.config.book_lang)


def _source_map_part(app) -> str:
    chapters = _chapters(app)
    rows = load_source_map(_data(app) / "source_map.yml", chapters=chapters)
    return source_map.render(rows, _errata(app), chapters, app.config.book_lang)


def _results_part(app) -> str:
    rows = load_results(Path(app.srcdir, "book", "results.json"))
    return results.render(rows, app.config.book_lang)


def _api_part(app) -> str:
    return api.render(api.find_modules(Path(app.srcdir), "metatutor"))


def _repository(app) -> str:
    return app.config.html_theme_options["repository_url"].rstrip("/")


def _binder(app) -> str:
    """The address that opens the chapters on Binder."""
    options = app.config.html_theme_options
    binder = options["launch_buttons"]["binderhub_url"].rstrip("/")
    repository = "/".join(_repository(app).split("/")[-2:])
    branch = options["repository_branch"]
    return f"{binder}/v2/gh/{repository}/{branch}?urlpath=lab/tree/chapters"


GENERATORS = {
    "api": _api_part,
    "binder": _binder,
    "equations": _equations_part,
    "errata": _errata_part,
    "glossary": _glossary_part,
    "repository": _repository,
    "results": _results_part,
    "source_map": _source_map_part,
}
