from types import SimpleNamespace

import pytest
from metabook import accessibility, theme


def config(**given):
    return SimpleNamespace(
        html_title="元学习 · Meta-Learning",
        html_baseurl="https://example.org/book",
        html_theme_options={},
        **given,
    )


@pytest.mark.parametrize(
    "lang, sphinx, title", [("zh", "zh_CN", "元学习"), ("en", "en", "Meta-Learning")]
)
def test_the_theme_speaks_the_language_of_the_site(lang, sphinx, title):
    settings = config(book_lang=lang, language=sphinx)
    theme.configure(None, settings)
    assert settings.html_title == settings.ogp_site_name == title
    assert settings.html_baseurl == f"https://example.org/book/{lang}/"


def test_a_half_translated_site_is_refused():
    with pytest.raises(ValueError, match="book_lang is 'zh', language is 'en'"):
        theme.configure(None, config(book_lang="zh", language="en"))


def test_gaps_in_the_catalogue_are_filled():
    supplement = theme.Supplement()
    assert supplement.gettext("Color mode") == "颜色模式"
    assert supplement.gettext("something else") == "something else"


def test_thebe_is_dropped_and_the_rest_kept():
    inline = SimpleNamespace(filename=None, attributes={"body": "THEBE_JS_URL = 1"})
    local = SimpleNamespace(filename="_static/book.js", attributes={})
    remote = SimpleNamespace(filename="_static/sphinx-thebe.js", attributes={})
    context = {"script_files": [inline, local, remote], "css_files": ["book.css"]}
    theme.drop_thebe(None, "page", "page.html", context, None)
    assert context == {"script_files": [local], "css_files": ["book.css"]}


def test_repairs_leave_the_text():
    body = '<div role="doc-biblioentry">Finn</div>'
    assert accessibility.repair(body) == '<div role="listitem">Finn</div>'
