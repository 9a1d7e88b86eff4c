"""What can be done with a run: tabs, files, settings, the palette."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from lab_page import Lab, Notebook
from paced import FINE, PAPERS, Paced, question
from playwright.sync_api import expect
from server import ChatServer

from rlm_kernel.trace import load

expect.set_options(timeout=15_000)
PROSE, CODE = "text/x-ipythongfm", "text/x-ipython"
SETTINGS = "rlm-kernel:plugin"


def finished(lab: Lab, paced: Paced, server: ChatServer, path: str) -> Notebook:
    """A notebook whose run has ended."""
    paced.go()
    notebook = lab.open(lab.write(path, PAPERS, question(server.url)))
    notebook.run(0, 1)
    expect(notebook.run_view(1).locator(".rlm-status")).to_contain_text("finished")
    return notebook


def set_to(lab: Lab, name: str, value: object) -> None:
    """Sets one of the extension's settings, as the settings editor does."""
    lab.page.evaluate(
        """async ([plugin, name, value]) => {
          const { settings } = window.jupyterapp.serviceManager;
          const { schema } = await settings.fetch(plugin);
          if (!(name in schema.properties)) throw new Error(name);
        }""",
        [SETTINGS, name, value],
    )
    file = lab.server.settings / "rlm-kernel" / "plugin.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({name: value}))


def test_a_run_opens_in_a_tab_and_goes_on_there(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    notebook = lab.open(lab.write("tab.ipynb", PAPERS, question(asked.url)))
    notebook.run(0)
    notebook.start(1)
    view = notebook.run_view(1)
    paced.go(1)
    expect(view.locator('.rlm-row[data-key="0@2"]')).to_be_visible()
    view.get_by_role("button", name="More").click()
    view.get_by_role("menuitem", name="Open in a tab").click()
    tab = lab.page.locator(".jp-MainAreaWidget .rlm-run.rlm-fill:visible")
    expect(tab.locator(".rlm-status")).to_contain_text("running")
    paced.go()
    expect(tab.locator(".rlm-answer")).to_contain_text(FINE)
    lab.shot("tab")
    lab.open("tab.ipynb")
    expect(view.locator(".rlm-answer")).to_contain_text(FINE)


@pytest.mark.parametrize(
    "label", ["Export the Run as JSONL", "Export the Run as a Notebook", "Export the Run as a Web Page"]
)
def test_a_run_leaves_as_a_file(
    lab: Lab, paced: Paced, asked: ChatServer, tmp_path: Path, label: str
) -> None:
    notebook = finished(lab, paced, asked, f"leaves-{label.split()[-1]}.ipynb")
    notebook.run_view(1).locator(".rlm-row").nth(1).click()
    ends = {"JSONL": ".rlm.jsonl", "Notebook": ".ipynb", "Page": ".html"}[label.split()[-1]]
    content = lab.download(ends, lambda: lab.palette(label))
    if ends == ".html":
        assert "<script" in content
        assert FINE in content
    elif ends == ".ipynb":
        nbformat.validate(nbformat.reads(content, as_version=4))
    else:
        file = tmp_path / "run.rlm.jsonl"
        file.write_text(content, "utf-8")
        trace = load(file)
        assert trace.status == "finished"
        assert trace.root is not None
        assert trace.root.answer == FINE


def test_the_palette_inserts_a_question_and_checks_the_installation(lab: Lab) -> None:
    notebook = lab.open(lab.write("insert.ipynb", PAPERS))
    notebook.cell(0).click()
    lab.palette("Ask About a Variable")
    notebook.wait_for_languages(CODE, PROSE)
    lab.page.keyboard.type("papers")
    assert notebook.cells[1]["source"] == "%%rlm papers"
    lab.palette("Check the Installation")
    notebook.wait(2)
    assert "the extension in your browser" in notebook.text(2)


def test_following_is_switched_by_command(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    notebook = lab.open(lab.write("follow.ipynb", PAPERS, question(asked.url)))
    notebook.run(0)
    notebook.start(1)
    follow = notebook.run_view(1).get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "true")
    lab.palette("Follow the Newest Step")
    expect(follow).to_have_attribute("aria-pressed", "false")
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    notebook.run_view(1).locator(".rlm-tree").hover()
    lab.page.mouse.wheel(0, 40)
    expect(follow).to_have_attribute("aria-pressed", "false")


def test_settings_decide_how_a_run_is_shown_and_a_question_edited(
    lab: Lab, paced: Paced, asked: ChatServer
) -> None:
    set_to(lab, "lens", "table")
    lab.load()
    notebook = finished(lab, paced, asked, "lens.ipynb")
    table = notebook.run_view(1).get_by_role("tab", name="Table")
    expect(table).to_have_attribute("aria-selected", "true")

    set_to(lab, "prose", False)
    lab.load()
    notebook = lab.open("lens.ipynb")
    notebook.wait_for_languages(CODE, CODE)
    set_to(lab, "prose", True)
    lab.load()
    notebook = lab.open("lens.ipynb")
    notebook.wait_for_languages(CODE, PROSE)


def test_notebook_7_has_the_commands_and_no_tabs(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    finished(lab, paced, asked, "seven.ipynb").save()
    with lab.classic("seven.ipynb") as other:
        notebook = other.opened("seven.ipynb")
        view = notebook.run_view(1)
        expect(view.locator(".rlm-answer")).to_contain_text(FINE)
        view.get_by_role("button", name="More").click()
        expect(view.get_by_role("menuitem", name="Open in a tab")).to_have_count(0)
        content = other.download(
            ".rlm.jsonl", lambda: view.get_by_role("menuitem", name="Download the trace").click()
        )
        assert FINE in content
