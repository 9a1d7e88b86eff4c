"""A run that is kept: in a notebook without a kernel, trusted or not, and in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab_page import Lab, Notebook
from paced import ANSWER, BATCH, FINE, LOOK, PAPERS, Paced, question
from playwright.sync_api import Locator, expect
from server import ChatServer
from trace_examples import wide

from rlm_kernel.trace import save
from rlm_kernel.views import mime_bundle

expect.set_options(timeout=15_000)
MIME = "application/vnd.rlm.trace+json"
PWNED = "<img src=x onerror='window.__pwned = 1'><script>window.__pwned = 2</script>"


def run_view(notebook: Notebook, at: int = 0) -> Locator:
    notebook.show(at)
    return notebook.run_view(at)


def row(view: Locator, key: str) -> Locator:
    return view.locator(f'.rlm-row[data-key="{key}"]')


def kept(lab: Lab, path: str, *outputs: dict[str, Any]) -> str:
    """A notebook that nobody here has run, with these outputs of one cell."""
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "rlm", "display_name": "Python 3"}})
    made = [nbformat.v4.new_output("display_data", output) for output in outputs]
    notebook.cells = [nbformat.v4.new_code_cell("%%rlm papers\nWhat?", outputs=made, execution_count=1)]
    lab.store(path, notebook)
    return path


def test_a_notebook_without_a_kernel_has_the_whole_tree(lab: Lab) -> None:
    script = Paced([LOOK, BATCH, ANSWER], FINE)
    script.go()
    with ChatServer(script) as server:
        notebook = lab.open(lab.write("kept.ipynb", PAPERS, question(server.url)))
        notebook.run(0, 1)
        saved = notebook.save()
        lab.shut_down()

    with lab.without_kernels() as other:
        notebook = other.open("kept.ipynb", kernel=False)
        view = run_view(notebook, 1)
        assert notebook.is_trusted(1)
        look_around(view)
        saved.cells.append(saved.cells[0].copy())  # no longer what was signed
        saved.cells[-1].id = "another"
        other.store("stranger.ipynb", saved)
        notebook = other.open("stranger.ipynb", kernel=False)
        view = run_view(notebook, 1)
        assert not notebook.is_trusted(1)
        look_around(view)


def look_around(view: Locator) -> None:
    expect(view.locator(".rlm-status")).to_contain_text("finished")
    expect(view.locator(".rlm-answer")).to_contain_text(FINE)
    batch = row(view, "0.2.1+")
    expect(row(view, "0.2.1")).to_have_count(0)
    batch.locator(".rlm-chevron").click()
    expect(row(view, "0.2.1")).to_contain_text("Rate one")
    row(view, "0.2.1").dblclick()
    expect(view.locator(".rlm-detail")).to_contain_text("llm 0.2.1")


def test_a_live_tree_that_no_kernel_answers_for_is_cut_off(lab: Lab) -> None:
    trace = wide(3, batched=True)
    bundle = mime_bundle(trace)
    bundle[MIME] = {**bundle[MIME], "live": True, "events": bundle[MIME]["events"][:4]}
    with lab.without_kernels() as other:
        notebook = other.open(kept(other, "torn.ipynb", bundle), kernel=False)
        expect(run_view(notebook).locator(".rlm-status")).to_contain_text("cut off")


@pytest.mark.parametrize(
    ("name", "bundle", "says"),
    [
        ("newer", {"format": 99, "run": "r", "events": []}, "written by a newer rlm_kernel: update it"),
        (
            "events",
            {"format": 1, "run": "r", "events": [{"type": "call_started"}]},
            "event 1: call_id is missing",
        ),
        ("kind", {"format": 1, "run": "r", "events": 5}, "events is a number, not a list"),
        ("list", [1, 2], "the bundle is a list, not an object"),
        (
            "hostile",
            {"format": 1, "run": PWNED, "events": [{"type": "run_started", "run_id": 7}]},
            "run_id is a",
        ),
    ],
)
def test_a_bundle_that_cannot_be_drawn_says_so_and_shows_the_static_view(
    lab: Lab, name: str, bundle: object, says: str
) -> None:
    data = {MIME: bundle, "text/html": f"<details open><summary>static twin</summary>{PWNED}</details>"}
    with lab.without_kernels() as other:
        notebook = other.open(kept(other, f"bad-{name}.ipynb", data), kernel=False)
        notebook.show(0)
        output = notebook.output(0)
        expect(output.get_by_role("alert")).to_contain_text(says)
        expect(output).to_contain_text("static twin")
        assert output.locator("script, [onerror]").count() == 0
        assert other.page.evaluate("() => window.__pwned") is None


def test_without_html_the_text_stands_below_the_sentence(lab: Lab) -> None:
    with lab.without_kernels() as other:
        path = kept(other, "bare.ipynb", {MIME: {"format": 99, "events": []}, "text/plain": "plain twin"})
        notebook = other.open(path, kernel=False)
        notebook.show(0)
        expect(notebook.output(0)).to_contain_text("plain twin")


def test_a_kernel_gives_back_what_did_not_fit_the_notebook(lab: Lab) -> None:
    """The trace is on disk, and a new kernel of the notebook finds it."""
    trace = wide(2000, batched=True)
    folder = lab.server.notebooks / ".rlm"
    folder.mkdir(exist_ok=True)
    save(trace, folder / f"{trace.run_id}.rlm.jsonl")
    small = mime_bundle(trace, inline_kb=8)
    assert small[MIME]["omitted_calls"] > 0
    notebook = lab.open(kept(lab, "small.ipynb", small))
    view = run_view(notebook)
    expect(view.locator(".rlm-figures")).to_contain_text("2000 sub-calls")
    expect(view.locator(".rlm-notices")).not_to_contain_text("kept in this notebook")


def open_file(lab: Lab, path: Path) -> Locator:
    """A double click in the file browser; the tab that opens."""
    lab.command("filebrowser:refresh")
    item = lab.page.locator(".jp-DirListing-item", has_text=path.name)
    item.dblclick()
    lab.page.wait_for_function(
        "name => window.jupyterapp.shell.currentWidget?.context?.path === name", arg=path.name
    )
    return lab.page.locator(".rlm-file:visible")


def test_a_double_click_on_a_trace_opens_it(lab: Lab) -> None:
    lab.load()
    path = lab.server.notebooks / "whole.rlm.jsonl"
    save(wide(5, batched=True), path)
    tab = open_file(lab, path)
    expect(tab.locator(".rlm-status")).to_contain_text("finished")
    expect(tab.locator(".rlm-run")).to_have_class("rlm-run rlm-fill")
    lab.shot("file")


def test_a_trace_that_is_still_written_is_followed(lab: Lab) -> None:
    lab.load()
    path = lab.server.notebooks / "growing.rlm.jsonl"
    save(wide(5, batched=True), path)
    whole = path.read_text("utf-8")
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(lines[:4]), "utf-8")
    tab = open_file(lab, path)
    expect(tab.locator(".rlm-status")).to_contain_text("cut off")
    path.write_text(whole, "utf-8")
    expect(tab.locator(".rlm-status")).to_contain_text("finished")


def test_a_file_that_is_no_trace_says_so_and_shows_its_text(lab: Lab) -> None:
    lab.load()
    path = lab.server.notebooks / "wrong.rlm.jsonl"
    path.write_text(f'{{"type": "nothing"}}\n{PWNED}\n', "utf-8")
    tab = open_file(lab, path)
    expect(tab.get_by_role("alert")).to_contain_text("cannot be read")
    expect(tab).to_contain_text("onerror")
    assert tab.locator("img, script").count() == 0
