from types import SimpleNamespace

import pytest
from metabook.languages import pick
from metabook.toc import translate_captions


@pytest.mark.parametrize("lang, half", [("zh", "基础"), ("en", "Foundations")])
def test_a_caption_shows_its_half(lang, half):
    subtree = SimpleNamespace(caption="基础 | Foundations")
    document = SimpleNamespace(title=None, subtrees=[subtree])
    config = SimpleNamespace(book_lang=lang, external_site_map={"index": document})
    translate_captions(None, config)
    assert subtree.caption == half


def test_a_text_without_halves_serves_both():
    assert pick("API", "zh", " | ") == pick("API", "en", " | ") == "API"
