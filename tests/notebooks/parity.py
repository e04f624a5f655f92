"""What the two languages of a chapter must share, and where they first differ.

The comparison is of structure, not of meaning: headings, labels, equations,
citations, links, directives, lists, tables, and code shown in the text. A false
alarm is cheaper than a false pass.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import zip_longest

FENCED = re.compile(r"^(```+|~~~+|:::+)[^\n]*\n.*?^\1[ \t]*$", re.M | re.S)
HEADING = re.compile(r"^(#{1,6}) ", re.M)
LABEL = re.compile(r"^\(([\w-]+)\)=|^:label: *(\S+)|\$\$ *\(([\w-]+)\)", re.M)
DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.S)
INLINE = re.compile(r"(?<!\$)\$(?!\$)([^$\n]+)\$(?!\$)")
WORDS = re.compile(r"\\(?:text|mathrm)\{[^}]*\}|\s")
ROLE = re.compile(r"\{([\w:]+)\}`(?:[^`<]*<([^`>]+)>|([^`]+))`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
DIRECTIVE = re.compile(r"^\s*(?:```+|:::+|~~~+)\{([\w:-]+)\}", re.M)
OPTION = re.compile(r"^:(?!alt|label)([\w-]+): *(.*)$", re.M)
CODE = re.compile(r"^~~~python\n(.*?)^~~~", re.M | re.S)
ITEM = re.compile(r"^( *)(?:[-*]|\d+\.) ", re.M)
ROW = re.compile(r"^\|.*\|$", re.M)


def without_fences(text: str) -> str:
    return FENCED.sub("", text)


def roles(text: str) -> list[str]:
    """References and citations by target; glossary terms have names of their own."""
    found = []
    for name, target, plain in ROLE.findall(text):
        if name == "term":
            continue
        targets = (
            (target or plain).split(",")
            if name.startswith("cite")
            else [target or plain]
        )
        found += [f"{{{name}}} {t.strip()}" for t in targets]
    return found


def levels(text: str) -> list[int]:
    return [len(mark) for mark in HEADING.findall(without_fences(text))]


def labels(text: str) -> list[str]:
    return ["".join(match) for match in LABEL.findall(text)]


def equations(text: str) -> list[str]:
    return [WORDS.sub("", formula) for formula in DISPLAY.findall(text)]


def formulas(text: str) -> list[str]:
    return [WORDS.sub("", formula) for formula in INLINE.findall(DISPLAY.sub("", text))]


def items(text: str) -> list[int]:
    return [len(indent) for indent in ITEM.findall(text)]


def columns(text: str) -> list[int]:
    return [row.count("|") for row in ROW.findall(text)]


# in order: what is compared, how it is read off a cell, and whether order counts
FEATURES: dict[str, tuple[Callable[[str], list], bool]] = {
    "heading levels": (levels, True),
    "labels": (labels, True),
    "equations": (equations, True),
    "inline formulas": (formulas, False),
    "references and citations": (roles, False),
    "links": (LINK.findall, False),
    "directives": (DIRECTIVE.findall, True),
    "directive options": (OPTION.findall, True),
    "code in the text": (CODE.findall, True),
    "list items": (items, True),
    "table columns": (columns, True),
}


def first_difference(zh: str, en: str) -> str | None:
    """What differs first between two twins, in words; None if nothing does."""
    for name, (read, ordered) in FEATURES.items():
        ours, theirs = read(zh), read(en)
        if ordered and ours != theirs:
            for i, (a, b) in enumerate(zip_longest(ours, theirs)):
                if a != b:
                    return f"{name} differ at number {i + 1}: zh {a!r}, en {b!r}"
        if not ordered and Counter(ours) != Counter(theirs):
            only_zh = sorted((Counter(ours) - Counter(theirs)).elements())
            only_en = sorted((Counter(theirs) - Counter(ours)).elements())
            return f"{name} differ: only zh {only_zh}, only en {only_en}"
    return None


def differences(cells: list[dict]) -> Iterator[str]:
    """Every pair of twins that differs, and every cell that has no twin."""
    waiting: tuple[int, str] | None = None
    for i, cell in enumerate(cells):
        lang = cell["metadata"].get("lang")
        markdown = cell["cell_type"] == "markdown"
        if waiting and not (markdown and lang == "en"):
            yield f"cell {waiting[0]} (zh) is not followed by its English twin"
            waiting = None
        if not markdown:
            continue
        text = "".join(cell["source"])
        if lang == "zh":
            waiting = (i, text)
        elif lang == "en" and waiting:
            if difference := first_difference(waiting[1], text):
                yield f"cells {waiting[0]} and {i}: {difference}"
            waiting = None
        elif lang == "en":
            yield f"cell {i} (en) does not follow its Chinese twin"
        else:
            yield f"cell {i} has no language: its metadata need lang zh or en"
    if waiting:
        yield f"cell {waiting[0]} (zh) is not followed by its English twin"
