import re
from types import SimpleNamespace

from metabook.switcher import alternates, link_languages


def test_every_language_and_strangers_have_an_alternate():
    links = alternates("https://example.org/book", "chapters/04-maml")
    assert dict(re.findall(r'hreflang="([^"]+)" href="([^"]+)"', links)) == {
        "zh-Hans": "https://example.org/book/zh/chapters/04-maml.html",
        "en": "https://example.org/book/en/chapters/04-maml.html",
        "x-default": "https://example.org/book/en/chapters/04-maml.html",
    }


def test_the_switcher_leads_to_the_same_page():
    config = SimpleNamespace(book_lang="zh", html_baseurl="https://example.org/zh/")
    context = {"metatags": "<meta>"}
    app = SimpleNamespace(config=config)
    link_languages(app, "book/api", "page.html", context, None)
    assert context["other_language_url"] == "../../en/book/api.html"
    assert context["other_language"].name == "English"
    assert context["metatags"].startswith("<meta>")
    assert "https://example.org/zh/book/api.html" in context["metatags"]
