"""Which test checks which equation: the identities of the book, chapter by chapter."""

from __future__ import annotations

from .data import Chapter

HEADER = {
    "zh": "| 章节 | 公式 | `tests/test_equations.py` 中的测试 |",
    "en": "| Chapter | Equation | Test in `tests/test_equations.py` |",
}


def render(
    identities: dict[str, dict[str, str]], chapters: dict[str, Chapter], lang: str
) -> str:
    """A table with a link to each equation.

    Args:
        identities: by chapter and label, the test: ``file::function``.
        chapters: all chapters, by slug.
        lang: "zh" or "en".
    """
    rows = [
        f"| {chapters[slug].link(lang)} | {{eq}}`{label}` | `{function(test)}` |"
        for slug, tests in identities.items()
        for label, test in tests.items()
    ]
    return "\n".join([HEADER[lang], "|---|---|---|", *rows])


def function(test: str) -> str:
    """The name of a test without its file."""
    return test.partition("::")[2]
