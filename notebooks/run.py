"""Runs a notebook in its own kernel, without a browser: `python notebooks/run.py NOTEBOOK --out DIR`.

Writes the executed notebook and an HTML page into DIR, then prints what each `%%rlm` cell asked and answered.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

MIME = "application/vnd.rlm.trace+json"


def main(words: list[str] | None = None) -> int:
    """The exit status: 0 when every cell ran."""
    arguments = _parser().parse_args(words)
    source, out = arguments.notebook, arguments.out
    try:
        notebook = nbformat.read(source, as_version=4)
    except (OSError, nbformat.reader.NotJSONError) as error:
        return _fail(f"cannot read {source}: {error}")
    problem = execute(notebook, _scratch(out, source.stem), arguments.timeout)
    paths = save(notebook, out, source.stem)
    for report in reports(notebook):
        print(report, end="\n\n")
    print("\n".join(f"{what:19}{path}" for what, path in paths.items()))
    return _fail(problem) if problem else 0


def execute(notebook: nbformat.NotebookNode, folder: Path, timeout: int) -> str:
    """Runs the cells in that folder, in the kernel the notebook names; what went wrong, or an empty text."""
    client = NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(folder)}})
    try:
        client.execute()
    except CellExecutionError as error:
        return f"a cell failed: {_head(_failed_cell(notebook))!r}: {error.ename}: {error.evalue}"
    except Exception as error:  # noqa: BLE001 - no kernel, a dead kernel, a timeout: each is one line for a person
        return f"the notebook did not run: {type(error).__name__}: {error}"
    return ""


def save(notebook: nbformat.NotebookNode, out: Path, stem: str) -> dict[str, Path]:
    """Where the executed notebook and its HTML page are now."""
    paths = {"Executed notebook": out / f"{stem}.ipynb", "HTML page": out / f"{stem}.html"}
    nbformat.write(notebook, paths["Executed notebook"])
    html, _ = HTMLExporter().from_notebook_node(notebook)
    paths["HTML page"].write_text(html, encoding="utf-8")
    return paths


def reports(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """For each `%%rlm` cell its line, and the question, the tree and the labelled answer as text."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith("%%rlm"):
            trees = [output.data["text/plain"] for output in cell.outputs if MIME in output.get("data", {})]
            yield "\n".join([cell.source.splitlines()[0], *(trees or ["(no run: the cell did not finish)"])])


def _scratch(out: Path, stem: str) -> Path:
    folder = out / f"{stem}-files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _failed_cell(notebook: nbformat.NotebookNode) -> str:
    """The source of the cell that ran last; a mistake in a magic's line leaves no error among its outputs."""
    return str(max(notebook.cells, key=lambda cell: cell.get("execution_count") or 0).source)


def _head(source: str) -> str:
    lines = source.strip().splitlines() or [""]
    return lines[0] + (" …" if len(lines) > 1 else "")


def _fail(problem: str) -> int:
    print("error: " + " ".join(problem.split()), file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run a notebook in its own kernel, without a browser.")
    parser.add_argument("notebook", type=Path, help="the notebook to run")
    parser.add_argument("--out", type=Path, required=True, help="the folder for what comes out")
    parser.add_argument("--timeout", type=int, default=600, help="seconds that one cell may take (600)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
