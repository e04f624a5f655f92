"""How readers come in: the root page, a wrong address, files without a server."""

import pytest
from reading import wait_until_ready


@pytest.mark.parametrize(
    "locale, lang", [("zh-CN", "zh"), ("zh-TW", "zh"), ("en-GB", "en"), ("fr-FR", "en")]
)
def test_the_root_leads_to_the_language_of_the_browser(open_page, locale, lang):
    tab = open_page("", locale=locale)
    tab.wait_for_url(f"**/{lang}/book/index.html")
    assert tab.errors == tab.remote == []
    tab.context.close()


def test_without_scripts_the_root_has_two_links(open_page):
    tab = open_page("index.html", java_script_enabled=False)
    links = tab.locator("a")
    targets = [links.nth(i).get_attribute("href") for i in range(links.count())]
    assert targets == ["zh/book/index.html", "en/book/index.html"]
    tab.context.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_language_folder_leads_to_its_first_page(open_page, lang):
    tab = open_page(f"{lang}/")
    tab.wait_for_url(f"**/{lang}/book/index.html")
    tab.context.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_book_can_be_read_from_files(open_page, site, lang):
    tab = open_page((site / lang / "chapters" / "04-maml.html").as_uri())
    wait_until_ready(tab)
    assert tab.locator(".math mjx-container").count() > 0
    assert tab.errors == tab.remote == []
    tab.context.close()


def test_a_wrong_address_has_a_page_that_leads_back(site):
    text = (site / "404.html").read_text(encoding="utf-8")
    assert "/zh/book/index.html" in text and "/en/book/index.html" in text
    assert "$" not in text
