"""Generated parts of pages: the generators are pure functions from data to text."""

import pytest
from metabook.pages import api, equations, errata, fill, glossary, results, source_map
from metabook.pages.data import Chapter
from sphinx.errors import ExtensionError

CHAPTERS = {
    "04-maml": Chapter("04-maml", {"zh": "好起点", "en": "Start"}, "S3.3", True),
    "05-metric": Chapter("05-metric", {"zh": "度量", "en": "Metric"}, "S3.1", False),
}
ERRATUM = {
    "id": "B16",
    "items": ["S3.3", "S9.1"],
    "quote": "良好的性能",
    "quote_en": "good performance",
    "problem": {"zh": "含混", "en": "vague"},
    "right": {"zh": "学习 $\\theta$", "en": "learns $\\theta$"},
    "cite": ["finn2017"],
    "chapters": ["04-maml", "05-metric"],
}


def test_a_written_chapter_is_linked_and_a_planned_one_is_named():
    assert CHAPTERS["04-maml"].link("zh") == "{doc}`/chapters/04-maml`"
    assert CHAPTERS["05-metric"].link("zh") == "度量（待写）"
    assert CHAPTERS["05-metric"].link("en") == "Metric (planned)"


def test_an_erratum_has_its_label_and_all_its_parts():
    text = errata.render([ERRATUM], CHAPTERS, "zh")
    assert "(erratum-b16)=\n### B16" in text
    for part in ("> 良好的性能", "学习 $\\theta$", "{cite}`finn2017`", "S3.3、S9.1"):
        assert part in text
    assert "{doc}`/chapters/04-maml`、度量（待写）" in text
    assert "good performance" not in text


def test_the_chinese_quote_is_marked_on_the_english_page():
    text = errata.render([ERRATUM], CHAPTERS, "en")
    assert '> <span lang="zh">良好的性能</span>\n>\n> good performance' in text


def test_an_omission_has_no_quote_and_may_cite_nothing():
    text = errata.render([ERRATUM | {"quote": "", "cite": []}], CHAPTERS, "en")
    assert ">" not in text
    assert "{cite}" not in text


def test_errata_are_grouped_in_the_order_of_the_article():
    rows = [ERRATUM | {"id": "B61", "items": ["S10.1"]}, ERRATUM]
    text = errata.render(rows, CHAPTERS, "en")
    assert text.index("3. Principles") < text.index("B16") < text.index("leaves out")


def test_the_source_map_links_errata_and_chapters():
    rows = [
        {"id": "S3.3", "zh": "模型无关", "en": "a | b", "chapter": "04-maml"},
        {"id": "S3.1", "zh": "小样本", "en": "few-shot", "chapter": "05-metric"},
    ]
    lines = source_map.render(rows, [ERRATUM], CHAPTERS, "en").split("\n")
    assert lines[-2:] == [
        "| S3.1 | few-shot | Metric (planned) |  |",
        r"| S3.3 | a \| b | {doc}`/chapters/04-maml` | {ref}`B16 <erratum-b16>` |",
    ]


def test_each_identity_is_linked_and_names_its_test():
    tests = {"eq-a": "x.py::test_a", "eq-b": "x.py::test_a", "eq-c": "x.py::test_c"}
    assert equations.render({"04-maml": tests}, CHAPTERS, "en").split("\n") == [
        "{doc}`/chapters/04-maml`",
        "",
        "- {eq}`eq-a`, {eq}`eq-b`: `test_a`",
        "- {eq}`eq-c`: `test_c`",
    ]
    assert "- {eq}`eq-a`、{eq}`eq-b`：`test_a`" in equations.render(
        {"04-maml": tests}, CHAPTERS, "zh"
    )


ENTRY = {
    "zh": "支持集",
    "en": "support set",
    "def": {"zh": "用于适应。", "en": "Adaptation data."},
    "note": {"zh": "原文未区分。", "en": "Not told apart in the article."},
    "aliases_zh": ["支撑集"],
}


def test_a_glossary_entry_lists_terms_the_twin_and_the_definition():
    assert glossary.render_entry(ENTRY, "zh").split("\n") == [
        "支持集",
        "支撑集",
        '  <span class="term-twin" lang="en">support set</span>',
        "",
        "  用于适应。",
        "",
        "  原文未区分。",
    ]
    assert '<span class="term-twin" lang="zh">支持集、支撑集</span>' in (
        glossary.render_entry(ENTRY, "en")
    )


def test_chinese_terms_are_in_pinyin_order():
    terms = ["支持集", "元学习", "查询集", "内循环"]
    assert sorted(terms, key=lambda term: glossary.sort_key(term, "zh")) == [
        "查询集",  # cha
        "内循环",  # nei
        "元学习",  # yuan
        "支持集",  # zhi
    ]


RUN = {
    "experiment": "sinusoid",
    "method": "MAML",
    "metric": "MSE",
    "value": 0.65823,
    "ci95": 0.0612,
    "n": 600,
    "seeds": [0, 1],
    "seconds": 754,
    "device": "2 cores",
    "commit": "0123456789abcdef",
    "command": "python -m metatutor.experiments sinusoid",
}


def test_a_run_is_one_row_with_as_many_digits_as_it_knows():
    assert results.render_row(RUN) == (
        "MAML",
        "MSE",
        "0.658 ± 0.061",
        "600",
        "0, 1",
        "13 min",
    )


def test_figures_of_one_run_stand_below_how_it_was_made():
    shown = results.render([RUN, RUN | {"method": "FOMAML"}], "en")
    how = "Command `python -m metatutor.experiments sinusoid`; commit `0123456`; device"
    assert shown.count("## `sinusoid`") == shown.count(how) == 1
    assert shown.index(how) < shown.index("| MAML |") < shown.index("| FOMAML |")
    again = results.render([RUN, RUN | {"commit": "fedcba9876543210"}], "zh")
    assert again.count("## `sinusoid`") == 2


@pytest.mark.parametrize(
    "value, ci95, text",
    [(98.76, 0.53, "98.76 ± 0.53"), (1234.5, 56, "1234 ± 56"), (0.5, None, "0.5")],
)
def test_intervals(value, ci95, text):
    assert results.with_interval(value, ci95) == text


def test_an_empty_ledger_says_so():
    assert "No long run" in results.render([], "en")
    assert "目前还没有" in results.render([], "zh")


def test_public_modules_are_found(tmp_path):
    for name in ("__init__", "tasks", "_private", "learners/maml", "experiments/long"):
        path = tmp_path / "metatutor" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    modules = ["metatutor", "metatutor.learners.maml", "metatutor.tasks"]
    assert api.find_modules(tmp_path, "metatutor") == modules
    assert api.render(modules).count(".. automodule:: ") == 3


def test_plural_literals_in_docstrings():
    lines = ["of ``Tensor``s and", "``Module``s, ``state`` to ``path``."]
    api.separate_plurals(None, "", "", None, None, lines)
    assert lines == [
        r"of ``Tensor``\ s and",
        r"``Module``\ s, ``state`` to ``path``.",
    ]


def test_an_unknown_placeholder_is_refused():
    with pytest.raises(ExtensionError, match=r"no generated part \{\{ glosary \}\}"):
        fill("{{ glosary }}", app=None)
