"""The errata of the source article: quote, problem, correction, where it is taught."""

from __future__ import annotations

from .article import by_section
from .data import Chapter

WORDS = {
    "problem": {"zh": "问题", "en": "Problem"},
    "right": {"zh": "更准确的说法", "en": "More accurately"},
    "sources": {"zh": "依据", "en": "Sources"},
    "items": {"zh": "原文条目", "en": "In the article"},
    "chapters": {"zh": "相关章节", "en": "Chapters"},
}
COMMA = {"zh": "、", "en": ", "}


def label(erratum_id: str) -> str:
    """The target of ``{ref}``: ``B1`` has ``erratum-b1``."""
    return f"erratum-{erratum_id.lower()}"


def link(erratum_id: str) -> str:
    """MyST for a link to an erratum."""
    return f"{{ref}}`{erratum_id} <{label(erratum_id)}>`"


def render(rows: list[dict], chapters: dict[str, Chapter], lang: str) -> str:
    """MyST for all errata, grouped by the article's sections."""
    parts = []
    for title, group in by_section(rows, lambda row: row["items"][0]):
        parts.append(f"## {title[lang]}")
        parts += [render_erratum(row, chapters, lang) for row in group]
    return "\n\n".join(parts)


def render_erratum(row: dict, chapters: dict[str, Chapter], lang: str) -> str:
    """One erratum under a heading of its own, so that it can be linked to."""
    fields = {
        "problem": row["problem"][lang].strip(),
        "right": row["right"][lang].strip(),
        "sources": f"{{cite}}`{','.join(row['cite'])}`" if row["cite"] else "",
        "items": COMMA[lang].join(row["items"]),
        "chapters": COMMA[lang].join(
            chapters[slug].link(lang) for slug in row["chapters"]
        ),
    }
    listed = [
        f"{WORDS[key][lang]}\n: " + text.replace("\n", "\n  ")
        for key, text in fields.items()
        if text
    ]
    heading = f"({label(row['id'])})=\n### {row['id']}"
    return "\n\n".join(filter(None, [heading, render_quote(row, lang), *listed]))


def render_quote(row: dict, lang: str) -> str:
    """The article's own words; in English followed by what they say."""
    quote, gloss = row.get("quote"), row.get("quote_en")
    if not quote:
        return ""
    lines = [quote.strip()]
    if lang == "en":
        lines = [f'<span lang="zh">{quote.strip()}</span>']
        if gloss:
            lines += ["", gloss.strip()]
    return "\n".join(f"> {line}".rstrip() for line in "\n".join(lines).split("\n"))
