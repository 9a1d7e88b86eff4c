"""The quickstart notebook runs in its real kernel, as a reader would run it, and its own checks hold."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"
RUN = ROOT / "notebooks" / "run.py"
MIME = "application/vnd.rlm.trace+json"


def command(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A Python command as a reader would type it; no key, no server."""
    secret = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
    environment = {name: value for name, value in os.environ.items() if name not in secret}
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[nbformat.NotebookNode, str, Path]:
    """The quickstart after `run.py`: the notebook, what was printed, where it lies."""
    out = tmp_path_factory.mktemp("out")
    done = command(RUN, QUICKSTART, "--out", out, cwd=out)
    assert done.returncode == 0, done.stderr
    return nbformat.read(out / "quickstart.ipynb", as_version=4), done.stdout, out


def test_is_stored_clean() -> None:
    notebook = nbformat.read(QUICKSTART, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]

    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "rlm"
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count] == []


def test_each_run_is_kept_in_three_formats_and_without_a_widget(
    executed: tuple[nbformat.NotebookNode, str, Path],
) -> None:
    notebook, _, _ = executed
    asked = [cell for cell in notebook.cells if cell.source.startswith("%%rlm")]

    assert asked
    for cell in asked:
        (output,) = (output for output in cell.outputs if "data" in output)
        assert set(output.data) == {MIME, "text/html", "text/plain"}
    assert "widget-view" not in nbformat.writes(notebook)


def test_every_answer_says_that_it_is_not_a_language_models(
    executed: tuple[nbformat.NotebookNode, str, Path],
) -> None:
    notebook, printed, _ = executed
    asked = [cell for cell in notebook.cells if cell.source.startswith("%%rlm")]

    for cell in asked:
        (output,) = (output for output in cell.outputs if "data" in output)
        assert "not a language model" in output.data["text/plain"]
        assert "not a language model" in output.data["text/html"]
    assert printed.count("Answer ") >= len(asked)


def test_run_writes_a_page_and_leaves_traces_in_its_folder(
    executed: tuple[nbformat.NotebookNode, str, Path],
) -> None:
    _, printed, out = executed

    assert str(out / "quickstart.html") in printed
    assert "not a language model" in (out / "quickstart.html").read_text(encoding="utf-8")
    assert len(list(out.glob("quickstart-files/.rlm/*.jsonl"))) == 5


def test_run_says_in_one_line_which_cell_failed(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1\nassert x == 2, 'not two'")])
    notebook.metadata.kernelspec = {"name": "rlm", "display_name": "Python 3 (RLM)"}
    nbformat.write(notebook, tmp_path / "wrong.ipynb")
    done = command(RUN, "wrong.ipynb", "--out", "out", cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: a cell failed: 'x = 1 …': AssertionError: not two"


def test_run_says_in_one_line_that_a_notebook_is_not_there(tmp_path: Path) -> None:
    done = command(RUN, "none.ipynb", "--out", "out", cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot read none.ipynb")


def test_passes_nbmake(tmp_path: Path) -> None:
    copy = shutil.copy(QUICKSTART, tmp_path)  # its traces land beside the notebook
    done = command("-m", "pytest", "--nbmake", "-q", "--rootdir", tmp_path, copy, cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
