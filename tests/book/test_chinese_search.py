import json
import shutil
import subprocess

import pytest
from metabook.chinese_search import SPLIT_QUERY, ChineseSearch, index_terms

TEXT = "元学习（meta-learning）在内循环里用 R2D2 与 MAML 适应。"


def test_characters_and_pairs_are_indexed():
    assert index_terms("元学习") == ["元", "学", "习", "元学", "学习"]


def test_other_scripts_are_indexed_by_word():
    assert index_terms("用 R2D2 与 MAML") == ["用", "R2D2", "与", "MAML"]


def split_in_javascript(query: str) -> list[str]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    script = f"{SPLIT_QUERY}; console.log(JSON.stringify(splitQuery({query!r})))"
    done = subprocess.run([node, "-e", script], capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("query", ["元", "元学习", "内循环", "R2D2", "MAML 适应", TEXT])
def test_what_the_browser_looks_for_is_what_the_index_holds(query):
    terms = split_in_javascript(query)
    assert terms
    assert set(terms) <= set(index_terms(TEXT))


def test_case_does_not_matter():
    search = ChineseSearch({})
    assert search.stem("MAML") == search.stem("maml")
    assert all(map(search.word_filter, index_terms(TEXT)))
