"""Readers find chapters by the words of their language."""

import pytest

KNOWN = [
    ("zh", "元学习", "chapters/01-background"),
    ("zh", "内循环", "chapters/04-maml"),
    ("zh", "支持集", "chapters/02-concepts"),
    ("zh", "查询集", "chapters/02-concepts"),
    ("zh", "元梯度", "chapters/04-maml"),
    ("zh", "任务分布", "chapters/02-concepts"),
    ("zh", "原型网络", "chapters/05-metric"),
    ("zh", "小样本", "chapters/13-case-images"),
    ("zh", "近端点", "chapters/08-proximal"),
    ("zh", "回本点", "chapters/10-tradeoffs"),
    ("zh", "类别泄漏", "chapters/03-workflow"),
    ("en", "prototype", "chapters/05-metric"),
    ("en", "transductive", "chapters/13-case-images"),
    ("en", "proximal point", "chapters/08-proximal"),
    ("en", "break-even", "chapters/10-tradeoffs"),
    ("en", "class leakage", "chapters/03-workflow"),
    ("en", "meta-learning", "chapters/01-background"),
    ("en", "support set", "chapters/02-concepts"),
    ("en", "inner loop", "chapters/04-maml"),
    ("en", "meta-gradient", "chapters/04-maml"),
    ("en", "task distribution", "chapters/02-concepts"),
]


def results(tab) -> list[str]:
    """The pages that the search page lists, once it has finished."""
    tab.wait_for_function("Search.status?.innerText")
    return tab.eval_on_selector_all(
        "#search-results li > a", "links => links.map((a) => a.getAttribute('href'))"
    )


@pytest.mark.parametrize("lang, words, chapter", KNOWN)
def test_words_lead_to_their_chapter(open_page, lang, words, chapter):
    tab = open_page(f"{lang}/search.html?q={words}")
    found = {link.partition(".html")[0] for link in results(tab)}
    assert chapter in found
    assert tab.remote == tab.errors == []
    tab.context.close()


@pytest.mark.parametrize("lang, words", [("zh", "葡萄干蛋糕"), ("en", "marmalade")])
def test_words_that_are_nowhere_are_not_found(open_page, lang, words):
    tab = open_page(f"{lang}/search.html?q={words}")
    assert results(tab) == []
    tab.context.close()
