"""Full-text search in Chinese without a dictionary.

Chinese has no spaces. Sphinx would cut the pages with a dictionary, the reader's
browser cannot, and most words are then not found. Here both cut the same way: into
single characters and pairs of neighbours.
"""

from __future__ import annotations

import re
from typing import ClassVar

from sphinx.search import SearchLanguage

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
RUNS = re.compile(rf"[{HAN}]+|[^\W{HAN}]+")
STARTS_HAN = re.compile(rf"[{HAN}]")


def index_terms(text: str) -> list[str]:
    """What the index holds of a text: characters, pairs, and words of other scripts."""
    terms = []
    for run in RUNS.findall(text):
        if STARTS_HAN.match(run):
            terms += [*run, *(run[i : i + 2] for i in range(len(run) - 1))]
        else:
            terms.append(run)
    return terms


# The browser's half: pairs only, since a query of pairs narrows down further.
SPLIT_QUERY = """
var splitQuery = (query) => {
  const terms = [];
  for (const [run] of query.matchAll(/[HAN]+|(?:(?![HAN])[\\p{L}\\p{N}_])+/gu)) {
    if (!/^[HAN]/u.test(run) || run.length <= 2) { terms.push(run); continue; }
    for (let i = 0; i + 2 <= run.length; i++) terms.push(run.slice(i, i + 2));
  }
  return terms;
};
""".replace("HAN", HAN)


class ChineseSearch(SearchLanguage):
    """Sphinx's search for zh pages, cut into character pairs."""

    lang = "zh"
    language_name = "Chinese"
    stopwords: ClassVar[set[str]] = set()
    js_stemmer_code = """
var Stemmer = function () { this.stemWord = (word) => word.toLowerCase(); };
"""
    js_splitter_code = SPLIT_QUERY

    def init(self, options: dict) -> None:
        """Nothing to set up: there is no dictionary."""

    def split(self, input: str) -> list[str]:
        """Cut a page's text into index terms."""
        return index_terms(input)

    def stem(self, word: str) -> str:
        """Lower case is all the stemming that mixed Chinese and English needs."""
        return word.lower()

    def word_filter(self, word: str) -> bool:
        """Keep every term: single characters are words in Chinese."""
        return True
