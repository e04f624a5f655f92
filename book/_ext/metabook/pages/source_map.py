"""The source map: every item of the article and where the book takes it up."""

from __future__ import annotations

from collections import defaultdict

from .article import by_section
from .data import Chapter
from .errata import link

HEADER = {
    "zh": ("条目", "原文内容", "本书章节", "勘误"),
    "en": ("Item", "In the article", "In this book", "Errata"),
}


def render(
    rows: list[dict], errata: list[dict], chapters: dict[str, Chapter], lang: str
) -> str:
    """MyST for one table for each of the article's sections."""
    touching = errata_by_item(errata)
    parts = []
    for title, group in by_section(rows, lambda row: row["id"]):
        lines = [HEADER[lang], ("---",) * 4]
        for row in group:
            links = " ".join(link(name) for name in touching[row["id"]])
            chapter = chapters[row["chapter"]].link(lang)
            lines.append((row["id"], cell(row[lang]), chapter, links))
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts += [f"## {title[lang]}", table]
    return "\n\n".join(parts)


def errata_by_item(errata: list[dict]) -> defaultdict[str, list[str]]:
    """The ids of the errata that touch each item of the article."""
    touching = defaultdict(list)
    for row in errata:
        for item in row["items"]:
            touching[item].append(row["id"])
    return touching


def cell(text: str) -> str:
    """A text that stays inside its table cell."""
    return " ".join(text.split()).replace("|", r"\|")
