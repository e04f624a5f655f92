import nbformat
import pytest
from metabook.language_filter import (
    blank_markdown,
    blank_notebook,
    drop_markdown,
    drop_notebook,
)
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

FEEDBACK = (
    '<div class="metatutor-feedback" lang="zh">✗ 再想想</div>'
    '<div class="metatutor-feedback" lang="en">✗ a &lt; b</div>'
)


@pytest.fixture
def notebook():
    shown = new_output(
        "execute_result",
        data={"text/html": FEEDBACK, "text/plain": "✗ 再想想 a < b"},
        execution_count=1,
    )
    return new_notebook(
        cells=[
            new_markdown_cell("# 题目", metadata={"lang": "zh"}),
            new_markdown_cell("# Title", metadata={"lang": "en"}),
            new_markdown_cell("$x$"),
            new_code_cell("check(x)", outputs=[shown], execution_count=1),
        ]
    )


def test_blanking_keeps_every_cell_in_its_place(notebook):
    cells = blank_notebook(notebook, "en")["cells"]
    assert [cell["source"] for cell in cells] == ["", "# Title", "$x$", "check(x)"]


def test_dropping_leaves_a_valid_notebook_of_one_language(notebook):
    kept = drop_notebook(notebook, "zh")
    assert [cell["source"] for cell in kept["cells"]] == ["# 题目", "$x$", "check(x)"]
    nbformat.validate(nbformat.from_dict(kept))


@pytest.mark.parametrize("lang, said", [("zh", "✗ 再想想"), ("en", "✗ a < b")])
def test_feedback_keeps_one_language_in_every_form(notebook, lang, said):
    data = drop_notebook(notebook, lang)["cells"][-1]["outputs"][0]["data"]
    assert data["text/html"].count("<div") == 1
    assert f'lang="{lang}"' in data["text/html"]
    assert data["text/plain"] == said


def test_a_figure_keeps_one_description(notebook):
    notebook["cells"][-1]["metadata"]["alt"] = {"zh": "一条曲线", "en": "a curve"}
    metadata = drop_notebook(notebook, "zh")["cells"][-1]["metadata"]
    assert metadata == {"mystnb": {"image": {"alt": "一条曲线"}}}
    assert "alt" in notebook["cells"][-1]["metadata"]


def test_other_outputs_are_left_alone(notebook):
    table = new_output("display_data", data={"text/html": "<table lang='zh'></table>"})
    notebook["cells"][-1]["outputs"] = [table, new_output("stream", text="25\n")]
    kept = drop_notebook(notebook, "en")["cells"][-1]["outputs"]
    assert kept == notebook["cells"][-1]["outputs"]


def test_the_notebook_that_was_read_is_not_changed(notebook):
    before = nbformat.writes(notebook)
    blank_notebook(notebook, "zh")
    drop_notebook(notebook, "en")
    assert nbformat.writes(notebook) == before


PAGE = """\
shared
+++ {"lang": "zh"}
# 题目
```text
+++ {"lang": "en"}
```
正文
+++ {"lang": "en"}
# Title
+++
end"""


def test_markdown_blocks_are_blanked_line_by_line():
    lines = blank_markdown(PAGE, "en").split("\n")
    assert len(lines) == PAGE.count("\n") + 1
    assert [line for line in lines if line not in ("", "+++")] == [
        "shared",
        "# Title",
        "end",
    ]


def test_a_block_break_inside_a_fence_is_text():
    assert drop_markdown(PAGE, "zh").split("\n") == [
        "shared",
        "# 题目",
        "```text",
        '+++ {"lang": "en"}',
        "```",
        "正文",
        "end",
    ]
