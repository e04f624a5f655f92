"""Which test checks which equation: the identities of the book, chapter by chapter."""

from __future__ import annotations

from itertools import groupby

from .data import Chapter

COMMA = {"zh": "、", "en": ", "}
COLON = {"zh": "：", "en": ": "}


def render(
    identities: dict[str, dict[str, str]], chapters: dict[str, Chapter], lang: str
) -> str:
    """A list for each chapter, an entry for each test, links to its equations.

    Args:
        identities: by chapter and label, the test: ``file::function``.
        chapters: all chapters, by slug.
        lang: "zh" or "en".
    """
    return "\n\n".join(
        "\n".join([chapters[slug].link(lang), "", *entries(tests, lang)])
        for slug, tests in identities.items()
    )


def entries(tests: dict[str, str], lang: str) -> list[str]:
    """One chapter's equations, those in a row with the same test together."""
    return [
        f"- {COMMA[lang].join(f'{{eq}}`{label}`' for label, _ in group)}"
        f"{COLON[lang]}`{test.partition('::')[2]}`"
        for test, group in groupby(tests.items(), key=lambda item: item[1])
    ]
