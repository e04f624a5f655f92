"""The two languages of the book and what each is called where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """One language under the names that its various readers use."""

    code: str  # cell metadata, folders of the site: "zh"
    sphinx: str  # Sphinx's own translations: "zh_CN"
    html: str  # the lang attribute: "zh-CN"
    hreflang: str  # for search engines: "zh-Hans"
    name: str  # as its speakers call it


LANGUAGES = {
    "zh": Language("zh", "zh_CN", "zh-CN", "zh-Hans", "中文"),
    "en": Language("en", "en", "en", "en", "English"),
}


def other(code: str) -> str:
    """The other language's code."""
    return "en" if code == "zh" else "zh"


def pick(text: str, code: str, separator: str) -> str:
    """One half of ``"中文<separator>English"``; a text without it serves both."""
    chinese, found, english = text.partition(separator)
    if not found:
        return text
    return (chinese if code == "zh" else english).strip()
