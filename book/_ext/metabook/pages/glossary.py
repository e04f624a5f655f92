"""The glossary: a Sphinx glossary in one language, with the other one's term."""

from __future__ import annotations

from textwrap import indent

from ..languages import other


def render(entries: list[dict], lang: str) -> str:
    """MyST for the whole glossary; ``{term}`` finds each term and each alias."""
    ordered = sorted(entries, key=lambda entry: sort_key(entry[lang], lang))
    body = "\n\n".join(render_entry(entry, lang) for entry in ordered)
    return f"::::{{glossary}}\n{body}\n::::"


def render_entry(entry: dict, lang: str) -> str:
    """One entry: its terms, the other language's term, the definition."""
    there = other(lang)
    terms = [entry[lang], *entry.get(f"aliases_{lang}", [])]
    twins = [entry[there], *entry.get(f"aliases_{there}", [])]
    separator = {"zh": "、", "en": ", "}[there]
    lines = [
        f'<span class="term-twin" lang="{there}">{separator.join(twins)}</span>',
        "",
        entry["def"][lang].strip(),
    ]
    if note := entry.get("note"):
        lines += ["", note[lang].strip()]
    return "\n".join([*terms, indent("\n".join(lines), "  ")])


def sort_key(term: str, lang: str) -> bytes | str:
    """Alphabetical order: GB 2312 lists common characters by their pinyin."""
    if lang == "zh":
        return term.encode("gb18030")
    return term.casefold()
