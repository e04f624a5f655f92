import execute
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


@pytest.fixture
def chapter(tmp_path):
    def write(code: str):
        path = tmp_path / "chapter.ipynb"
        cells = [
            new_markdown_cell("# 题目", metadata={"lang": "zh"}),
            new_code_cell(code, metadata={"execution": {"iopub.status.idle": "now"}}),
        ]
        metadata = {
            "widgets": {"state": {}},
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
        }
        nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
        return path

    return write


def test_outputs_are_stored_without_what_varies(chapter):
    path = chapter("import os; print('支持集', os.environ['TQDM_DISABLE'])")
    assert execute.main([str(path)]) == 0
    first = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(first, as_version=4)
    assert notebook.cells[1].outputs[0].text == "支持集 1\n"
    assert "widgets" not in notebook.metadata
    assert notebook.cells[0].metadata == {"lang": "zh"}
    assert "execution" not in notebook.cells[1].metadata
    assert "题目" in first and first.startswith('{\n "cells"') and first.endswith("}\n")
    assert execute.main([str(path)]) == 0
    assert path.read_text(encoding="utf-8") == first
    assert [entry.name for entry in path.parent.iterdir()] == ["chapter.ipynb"]


def test_a_failing_cell_leaves_the_file_as_it_was(chapter, capsys):
    path = chapter("1 / 0")
    before = path.read_bytes()
    assert execute.main([str(path)]) == 1
    assert path.read_bytes() == before
    assert "ZeroDivisionError" in capsys.readouterr().err
