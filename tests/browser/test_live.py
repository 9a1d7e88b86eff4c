"""A run while it is under way: the tree grows, stops, answers and outlives a reload of the page."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from lab_page import Lab, Notebook
from paced import ANSWER, BATCH, FINE, LOOK, PAPERS, Paced, block, question
from playwright.sync_api import Locator, expect
from server import ChatServer

expect.set_options(timeout=15_000)
MIME = "application/vnd.rlm.trace+json"


def ask(lab: Lab, server: ChatServer, path: str, *more: str) -> Notebook:
    """A notebook in which a question is being asked."""
    notebook = lab.open(lab.write(path, PAPERS, question(server.url), *more))
    notebook.run(0)
    notebook.start(1)
    return notebook


def turn(view: Locator, number: int) -> Locator:
    return view.locator(f'.rlm-row[data-key="0@{number}"]')


def status(view: Locator) -> Locator:
    return view.locator(".rlm-status")


def runs(notebook: Notebook, at: int) -> list[dict[str, Any]]:
    """The bundles in the outputs of a cell, as they would be saved."""
    return [
        output["data"][MIME] for output in notebook.cells[at]["outputs"] if MIME in output.get("data", {})
    ]


def test_the_tree_grows_below_the_cell(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    notebook = ask(lab, asked, "grows.ipynb")
    view = notebook.run_view(1)
    expect(status(view)).to_contain_text("running")
    expect(turn(view, 1)).to_contain_text("waiting for the model")
    expect(turn(view, 2)).to_have_count(0)
    paced.go(1)
    expect(turn(view, 1)).to_contain_text("print(len(context))")
    expect(turn(view, 2)).to_be_visible()
    paced.go(2, 3)
    notebook.wait(1)
    expect(status(view)).to_contain_text("finished")
    expect(view.locator(".rlm-answer")).to_contain_text(FINE)
    assert notebook.output(1).count() == 1
    assert [run.get("live", False) for run in runs(notebook, 1)] == [False]


@pytest.mark.parametrize("way", ["tree", "keyboard", "cell toolbar", "palette"])
def test_stop_keeps_the_work(lab: Lab, paced: Paced, asked: ChatServer, way: str) -> None:
    notebook = ask(lab, asked, f"stop-{way[0]}.ipynb", "run.status")
    view = notebook.run_view(1)
    paced.go(1)
    expect(turn(view, 2)).to_be_visible()
    stop = notebook.cell_toolbar(1, "rlm:stop")
    expect(stop).to_be_visible()
    if way == "tree":
        view.get_by_role("button", name="Stop").click()
    elif way == "keyboard":
        view.get_by_role("button", name="Answer now").focus()
        for key in ("Tab", "Enter"):
            lab.page.keyboard.press(key)
    elif way == "cell toolbar":
        stop.click()
    else:
        lab.palette("Stop the Run")
    notebook.wait(1)
    expect(status(view)).to_contain_text("interrupted")
    expect(turn(view, 1)).to_contain_text("print(len(context))")
    expect(stop).to_be_hidden()
    notebook.run(2)
    assert notebook.text(2) == "'interrupted'"
    assert len(asked.asked) == 2


def test_answer_now_takes_one_last_turn(lab: Lab) -> None:
    script = Paced([LOOK, LOOK, block("answer['content'] = 'so far'", "answer['ready'] = True")], FINE)
    with ChatServer(script) as server:
        script.go(1, 3)
        notebook = ask(lab, server, "now.ipynb")
        view = notebook.run_view(1)
        expect(turn(view, 2)).to_be_visible()
        view.get_by_role("button", name="Answer now").click()
        notebook.wait(1)
        script.go()
        expect(status(view)).to_contain_text("exhausted")
        expect(view.locator(".rlm-answer")).to_contain_text("so far")


def test_a_reload_finds_the_run_again_and_saves_its_end(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    notebook = ask(lab, asked, "again.ipynb")
    expect(turn(notebook.run_view(1), 1)).to_be_visible()
    notebook = lab.reload("again.ipynb")
    view = notebook.run_view(1)
    expect(status(view)).to_contain_text("running")
    expect(notebook.cell(1).locator(".jp-InputPrompt")).to_contain_text("*")
    lab.shot("reloaded")
    paced.go(1)
    expect(turn(view, 2)).to_be_visible()
    paced.go()
    expect(status(view)).to_contain_text("finished")
    expect(view.locator(".rlm-answer")).to_contain_text(FINE)
    expect(notebook.cell(1).locator(".jp-InputPrompt")).not_to_contain_text("*")

    saved = notebook.save().cells[1]["outputs"]
    bundles = [output["data"][MIME] for output in saved]
    assert [bundle.get("live", False) for bundle in bundles] == [False]
    assert bundles[0]["events"][-1]["type"] == "run_finished"


def test_a_reload_after_a_save_in_the_run_shows_one_tree(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    notebook = ask(lab, asked, "saved.ipynb")
    expect(turn(notebook.run_view(1), 1)).to_be_visible()
    notebook.save()
    notebook = lab.reload("saved.ipynb")
    view = notebook.run_view(1)
    expect(status(view)).to_contain_text("running")
    view.get_by_role("button", name="Stop").click()
    expect(status(view)).to_contain_text("interrupted")
    lab.page.wait_for_function(
        "() => !window.jupyterapp.shell.currentWidget.content.widgets[1].model.outputs.get(0).data"
        f"['{MIME}'].live"
    )
    assert len(notebook.save().cells[1]["outputs"]) == 1


def test_thousands_of_sub_calls_all_arrive(lab: Lab) -> None:
    many = block("found = llm_query_batched([f'Rate {number}' for number in range(2000)])")
    script = Paced([many, ANSWER], FINE)
    with ChatServer(script) as server:
        asks = f"%%rlm papers --model small --max-calls 2000 --base-url {server.url}\nWhich?"
        notebook = lab.open(lab.write("many.ipynb", PAPERS, asks))
        notebook.run(0)
        notebook.start(1)
        script.go(1)
        batch = notebook.run_view(1).locator('.rlm-row[data-key="0.1.1+"]')
        expect(batch).to_contain_text("2,000 finished", timeout=60_000)
        script.go()
        notebook.wait(1)
        expect(status(notebook.run_view(1))).to_contain_text("finished")
        assert [output["output_type"] for output in notebook.cells[1]["outputs"]] == ["display_data"]


def test_two_notebooks_run_at_once(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    other = Paced([LOOK, BATCH, ANSWER], "Another finding")
    with ChatServer(other) as server:
        first = ask(lab, asked, "first.ipynb")
        expect(turn(first.run_view(1), 1)).to_be_visible()
        second = ask(lab, server, "second.ipynb")
        paced.go()
        other.go(1)
        expect(turn(second.run_view(1), 2)).to_be_visible()
        expect(status(second.run_view(1))).to_contain_text("running")
        lab.open("first.ipynb")
        expect(first.run_view(1).locator(".rlm-answer")).to_contain_text(FINE)
        other.go()
        lab.open("second.ipynb")
        expect(second.run_view(1).locator(".rlm-answer")).to_contain_text("Another finding")


def test_many_runs_of_one_notebook_go_on_at_once(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    other = Paced([LOOK, BATCH, ANSWER], "Another finding")
    with ChatServer(other) as server:
        starts = (
            "one, two = (RLM(model='small', base_url=url).start('Which?', context=papers) for url in urls)"
        )
        notebook = lab.open(
            lab.write(
                "many-runs.ipynb",
                f"from rlm_kernel import RLM\n{PAPERS}\nurls = {[asked.url, server.url]!r}",
                starts,
                "display(one, two)",
            )
        )
        notebook.run(0, 1, 2)
        views = notebook.run_view(2)
        first, second = views.nth(0), views.nth(1)
        other.go(1)
        expect(turn(second, 2)).to_be_visible()
        expect(turn(first, 2)).to_have_count(0)
        second.get_by_role("button", name="Stop").click()
        expect(status(second)).to_contain_text("interrupted")
        expect(status(first)).to_contain_text("running")
        paced.go()
        expect(first.locator(".rlm-answer")).to_contain_text(FINE)


def test_two_versions_are_named_in_the_tree_and_by_the_doctor(
    lab: Lab, paced: Paced, asked: ChatServer
) -> None:
    older = "import rlm_kernel.version\nrlm_kernel.version.__version__ = '0.0.7'\n%load_ext rlm_kernel"
    path = lab.write("versions.ipynb", older, PAPERS, question(asked.url), "%rlm doctor", kernel="python3")
    paced.go()
    notebook = lab.open(path)
    notebook.run(0, 1, 2, 3)
    expect(notebook.run_view(2).locator(".rlm-notice")).to_contain_text("the kernel has rlm_kernel 0.0.7")
    notebook.show(3)
    told = [line for line in notebook.text(3).splitlines() if line.startswith("!!") and "extension" in line]
    assert any("0.0.7" in line for line in told)


def test_a_kernel_that_dies_leaves_a_tree_that_stops_there(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    notebook = lab.open(lab.write("dies.ipynb", f"import os\n{PAPERS}\nos.getpid()", question(asked.url)))
    notebook.run(0)
    notebook.start(1)
    view = notebook.run_view(1)
    paced.go(1)
    expect(turn(view, 2)).to_be_visible()
    os.kill(int(notebook.text(0)), signal.SIGKILL)
    expect(status(view)).to_contain_text("cut off")
    expect(view.get_by_role("button", name="Stop")).to_be_hidden()
    lab.page.click(".jp-Dialog button:has-text('Ok')")


def test_a_kernel_that_loads_the_package_is_connected(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    path = lab.write("loads.ipynb", "%load_ext rlm_kernel", PAPERS, question(asked.url), kernel="python3")
    notebook = lab.open(path)
    notebook.run(0, 1)
    notebook.start(2)
    view = notebook.run_view(2)
    expect(turn(view, 1)).to_be_visible()
    view.get_by_role("button", name="Stop").click()
    expect(status(view)).to_contain_text("interrupted")
    notebook.wait(2)


def test_a_widget_of_a_run_is_the_same_tree(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    boxed = "import ipywidgets\nipywidgets.VBox([run.widget()])"
    paced.go()
    notebook = ask(lab, asked, "widget.ipynb", boxed)
    notebook.wait(1)
    notebook.run(2)
    expect(notebook.run_view(2).locator(".rlm-answer")).to_contain_text(FINE)


def test_notebook_7_shows_and_stops_a_run(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    path = lab.write("classic.ipynb", PAPERS, question(asked.url))
    with lab.classic(path) as other:
        notebook = other.opened(path)
        other.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
        )
        notebook.run(0)
        notebook.start(1)
        view = notebook.run_view(1)
        paced.go(1)
        expect(turn(view, 2)).to_be_visible()
        other.shot("notebook-7")
        view.get_by_role("button", name="Stop").click()
        notebook.wait(1)
        expect(status(view)).to_contain_text("interrupted")
