"""Read the book's data files and refuse what is wrong, naming file, row and key."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import yaml
from sphinx.errors import ExtensionError

Check = Callable[[object], str | None]


class DataError(ExtensionError):
    """A data file that cannot be used as it is."""

    category = "Book data"


@dataclass(frozen=True)
class Chapter:
    """A planned chapter; ``written`` when it is part of this build."""

    slug: str
    title: dict[str, str]
    article: str
    written: bool

    def link(self, lang: str) -> str:
        """MyST for the chapter: a link once it is written, until then its title."""
        if self.written:
            return f"{{doc}}`/chapters/{self.slug}`"
        planned = {"zh": "（待写）", "en": " (planned)"}
        return self.title[lang] + planned[lang]


def a_text(value: object) -> str | None:
    """Complain unless the value is a text with something in it."""
    if isinstance(value, str) and value.strip():
        return None
    return "should be a text that is not empty"


def text_or_empty(value: object) -> str | None:
    """Complain unless the value is a text or null."""
    return None if value is None or isinstance(value, str) else "should be a text"


def both_languages(value: object) -> str | None:
    """Complain unless the value holds a text for zh and one for en."""
    if not isinstance(value, dict) or set(value) != {"zh", "en"}:
        return "should have exactly the keys zh and en"
    wrong = [lang for lang in ("zh", "en") if a_text(value[lang])]
    return f"is empty or no text in {', '.join(wrong)}" if wrong else None


def texts(value: object) -> str | None:
    """Complain unless the value is a list of texts; it may be empty."""
    if isinstance(value, list) and not any(a_text(item) for item in value):
        return None
    return "should be a list of texts"


def a_number(value: object) -> str | None:
    """Complain unless the value is a number."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if good else "should be a number"


def a_number_or_none(value: object) -> str | None:
    """Complain unless the value is a number or null."""
    return None if value is None else a_number(value)


def anything(value: object) -> str | None:
    """No complaint."""
    return None


def a_name(known: Collection[str], where: str) -> Check:
    """A check that the value is one of the known names."""

    def check(value: object) -> str | None:
        return None if value in known else f"names {value!r}, which {where} lacks"

    return check


def names(known: Collection[str], where: str) -> Check:
    """A check that the value is a list of known names."""

    def check(value: object) -> str | None:
        if complaint := texts(value):
            return complaint
        unknown = [name for name in value if name not in known]
        return f"names {', '.join(unknown)}, which {where} lacks" if unknown else None

    return check


def check_rows(
    path: Path,
    rows: object,
    required: dict[str, Check],
    optional: dict[str, Check] | None = None,
    key: str | None = None,
) -> list[dict]:
    """Return the rows of a file when each has what it needs and nothing unknown.

    Args:
        path: The file, for the message.
        rows: What the file holds.
        required: A check for each key that a row must have.
        optional: A check for each key that a row may have.
        key: The key whose values must all differ.

    Raises:
        DataError: Names the file, the row and the key.
    """
    checks = required | (optional or {})
    if not isinstance(rows, list):
        raise DataError(f"{path}: should be a list of rows")
    seen = set()
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DataError(f"{path}: row {number} should be a mapping of keys")
        name = row.get(key) or row.get("zh") or row.get("experiment")
        where = f"{path}: row {number}" + (f" ({name})" if name else "")
        for missing in required.keys() - row.keys():
            raise DataError(f"{where}: key {missing!r} is missing")
        for unknown in row.keys() - checks.keys():
            raise DataError(f"{where}: key {unknown!r} is not known")
        for field, value in row.items():
            if complaint := checks[field](value):
                raise DataError(f"{where}: key {field!r} {complaint}")
        if key and row[key] in seen:
            raise DataError(f"{where}: {key} {row[key]!r} stands there twice")
        seen.add(row.get(key))
    return rows


def read_yaml(path: Path) -> object:
    """Parse a YAML file; YAML's own message names the line."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise DataError(f"{path}: {error}") from None


def load_chapters(path: Path, written: set[str]) -> dict[str, Chapter]:
    """All planned chapters by slug, in the book's order."""
    rows = check_rows(
        path,
        read_yaml(path),
        {"slug": a_text, "title": both_languages, "article": anything},
        key="slug",
    )
    chapters = {
        row["slug"]: Chapter(**row, written=row["slug"] in written) for row in rows
    }
    if strangers := written - chapters.keys():
        raise DataError(f"{path}: no row for chapter {', '.join(sorted(strangers))}")
    return chapters


def load_glossary(path: Path) -> list[dict]:
    """The glossary's entries in the order of the file."""
    return check_rows(
        path,
        read_yaml(path),
        {"zh": a_text, "en": a_text, "def": both_languages},
        {"note": both_languages, "aliases_zh": texts, "aliases_en": texts},
        key="zh",
    )


def load_equations(path: Path) -> dict[str, dict[str, str]]:
    """The identities of each chapter, with the test of each, as the file has them."""
    listed = read_yaml(path)
    unknown = set(listed) ^ {"identities", "definitions"}
    if unknown:
        raise ExtensionError(
            f"{path}: identities and definitions are needed, and nothing else: "
            f"{sorted(unknown)}"
        )
    return listed["identities"]


def load_errata(path: Path, chapters: dict[str, Chapter]) -> list[dict]:
    """The errata in the order of the file."""
    return check_rows(
        path,
        read_yaml(path),
        {
            "id": a_text,
            "items": texts,
            "problem": both_languages,
            "right": both_languages,
            "cite": texts,
            "chapters": names(chapters, "chapters.yml"),
        },
        # an omission has nothing to quote
        {"quote": text_or_empty, "quote_en": text_or_empty},
        key="id",
    )


def load_source_map(path: Path, chapters: dict[str, Chapter]) -> list[dict]:
    """Every item of the source article and the chapter that takes it up."""
    return check_rows(
        path,
        read_yaml(path),
        {
            "id": a_text,
            "zh": a_text,
            "en": a_text,
            "chapter": a_name(chapters, "chapters.yml"),
        },
        key="id",
    )


def load_results(path: Path) -> list[dict]:
    """The ledger of long runs; none when there is no file yet."""
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: {error}") from None
    return check_rows(
        path,
        rows,
        {
            "experiment": a_text,
            "method": a_text,
            "metric": a_text,
            "value": a_number,
            "ci95": a_number_or_none,
            "n": a_number_or_none,
            "seeds": anything,
            "seconds": a_number_or_none,
            "device": a_text,
            "commit": a_text,
            "command": a_text,
        },
        {
            "per_seed": anything,
            "inner_lr": anything,
            "iterations": anything,
            "torch": anything,
        },
    )
