"""The sections of the source article, by which two pages are grouped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby

SECTIONS = {
    "S0": {"zh": "标题与关键词", "en": "Title and keywords"},
    "S1": {"zh": "1. 背景介绍", "en": "1. Background"},
    "S2": {"zh": "2. 核心概念与联系", "en": "2. Core concepts and their relations"},
    "S3": {
        "zh": "3. 核心算法原理与操作步骤",
        "en": "3. Principles and steps of the algorithms",
    },
    "S4": {"zh": "4. 数学模型和公式", "en": "4. Mathematical models and formulas"},
    "S5": {"zh": "5. 项目实践", "en": "5. A project in practice"},
    "S6": {"zh": "6. 实际应用场景", "en": "6. Applications"},
    "S7": {"zh": "7. 工具和资源推荐", "en": "7. Tools and resources"},
    "S8": {"zh": "8. 总结与展望", "en": "8. Summary and outlook"},
    "S9": {"zh": "9. 常见问题与解答", "en": "9. Questions and answers"},
    "S10": {"zh": "原文未涉及的内容", "en": "What the article leaves out"},
}


def item_order(item: str) -> tuple[int, int]:
    """Sort key of an item: ``S10.1`` comes after ``S9.15``."""
    section, _, number = item.removeprefix("S").partition(".")
    return int(section), int(number or 0)


def by_section(
    rows: Iterable[dict], item_of: Callable[[dict], str]
) -> Iterable[tuple[dict[str, str], list[dict]]]:
    """Rows grouped under the title of their section, in the article's order."""
    ordered = sorted(rows, key=lambda row: item_order(item_of(row)))
    for section, group in groupby(ordered, key=lambda row: item_order(item_of(row))[0]):
        yield SECTIONS[f"S{section}"], list(group)
