"""A wrong data file is refused with its name, the row and the key."""

import pytest
from metabook.pages.data import (
    Chapter,
    DataError,
    load_chapters,
    load_errata,
    load_glossary,
    load_results,
    load_source_map,
)

TITLE = {"zh": "背景", "en": "Background"}
CHAPTERS = {"01-background": Chapter("01-background", TITLE, "S1", True)}


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        path = tmp_path / "data.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_good_glossary_is_read(file):
    path = file("- {zh: 任务, en: task, def: {zh: 一, en: one}, aliases_en: [tasks]}")
    assert load_glossary(path)[0]["aliases_en"] == ["tasks"]


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("- {zh: 任务, en: task}", r"data.yml: row 1 \(任务\): key 'def' is missing"),
        (
            "- {zh: 任务, en: task, def: {zh: 一}}",
            r"row 1 .*key 'def' should have exactly the keys zh and en",
        ),
        (
            "- {zh: 任务, en: task, def: {zh: 一, en: ''}}",
            r"row 1 .*key 'def' is empty or no text in en",
        ),
        (
            "- {zh: 任务, en: task, def: {zh: 一, en: one}, alias: x}",
            r"key 'alias' is not known",
        ),
        (
            "- {zh: 任务, en: task, def: {zh: 一, en: one}, aliases_zh: x}",
            r"key 'aliases_zh' should be a list of texts",
        ),
        (
            "- {zh: 任务, en: a, def: {zh: 一, en: one}}\n"
            "- {zh: 任务, en: b, def: {zh: 一, en: one}}",
            r"row 2 .*stands there twice",
        ),
        ("zh: 任务", r"data.yml: should be a list of rows"),
        ("- 任务", r"row 1 should be a mapping"),
        ("- {zh: [", r"(?s)data.yml: .*line 1"),
    ],
)
def test_what_is_wrong_is_named(file, text, complaint):
    with pytest.raises(DataError, match=complaint):
        load_glossary(file(text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none.yml: no such file"):
        load_glossary(tmp_path / "none.yml")


def test_a_chapter_that_is_not_planned_is_refused(file):
    path = file("- {id: S1.1, zh: 一, en: one, chapter: 99-none}")
    with pytest.raises(DataError, match=r"\(S1.1\): key 'chapter' names '99-none'"):
        load_source_map(path, CHAPTERS)


def test_an_erratum_names_known_chapters(file):
    path = file(
        "- {id: B1, items: [S1.1], problem: {zh: 一, en: a}, right: {zh: 一, en: a},"
        " cite: [], chapters: [99-none]}"
    )
    with pytest.raises(DataError, match=r"\(B1\): key 'chapters' names 99-none"):
        load_errata(path, CHAPTERS)


def test_a_written_chapter_must_be_planned(file):
    path = file("- {slug: 01-background, title: {zh: 一, en: one}, article: S1}")
    assert load_chapters(path, written={"01-background"})["01-background"].written
    with pytest.raises(DataError, match=r"no row for chapter 02-concepts"):
        load_chapters(path, written={"02-concepts"})


def test_a_ledger_that_is_missing_is_empty_and_a_broken_one_is_refused(file, tmp_path):
    assert load_results(tmp_path / "results.json") == []
    with pytest.raises(DataError, match=r"data.yml: Expecting"):
        load_results(file("[{"))
    with pytest.raises(DataError, match=r"row 1 \(maml\): key '\w+' is missing"):
        load_results(file('[{"experiment": "maml"}]'))
