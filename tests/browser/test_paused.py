"""A server goes out under a run in JupyterLab: the tree says so, a person has it tried at once, or stops the run."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from lab_page import Lab, Notebook
from paced import ANSWER, BATCH, FINE, PAPERS, question
from playwright.sync_api import Locator, expect
from server import Answer, ChatServer, by_kind, error

expect.set_options(timeout=15_000)


class Moody:
    """A server of two turns. It refuses plain requests for a minute while `out` is set, and answers once `go` is."""

    def __init__(self) -> None:
        self.out = threading.Event()
        self.go = threading.Event()
        self.server = ChatServer(by_kind([BATCH, ANSWER], self.answer))

    def answer(self, prompt: str) -> str | Answer:
        self.go.wait(30)
        if not self.out.is_set():
            return FINE
        return error(503, "we are moving house", {"Retry-After": "60", "x-should-retry": "false"})


@pytest.fixture
def moody() -> Iterator[Moody]:
    made = Moody()
    made.out.set()
    made.go.set()
    with made.server:
        yield made
        made.go.set()


def ask(lab: Lab, moody: Moody, path: str, *more: str) -> Notebook:
    notebook = lab.open(lab.write(path, PAPERS, question(moody.server.url), *more))
    notebook.run(0)
    notebook.start(1)
    return notebook


def bar(notebook: Notebook) -> Locator:
    return notebook.run_view(1).locator(".rlm-pause-bar")


def test_a_run_waits_for_its_server_until_a_person_has_it_tried(lab: Lab, moody: Moody) -> None:
    notebook = ask(lab, moody, "paused.ipynb", "run.usage.requests")
    view, banner = notebook.run_view(1), bar(notebook)
    expect(banner).to_contain_text("Paused: ")
    expect(banner).to_contain_text("failed (503): we are moving house")
    expect(banner).to_contain_text("Trying again in")
    expect(view.locator(".rlm-status")).to_contain_text("running")
    lab.shot("paused")

    banner.get_by_role("button", name="Try now").click()
    expect(banner).to_contain_text("tried 1 time in vain")
    moody.out.clear()
    banner.get_by_role("button", name="Try now").click()
    expect(banner).to_be_hidden()
    notebook.wait(1)
    expect(view.locator(".rlm-status")).to_contain_text("finished")
    expect(view.locator(".rlm-answer")).to_contain_text(FINE)
    expect(view.locator(".rlm-figures")).to_contain_text("paused")
    notebook.run(2)
    assert notebook.text(2) == "6"
    assert moody.server.paid == 6


def test_a_paused_run_is_stopped_and_resumed(lab: Lab, moody: Moody) -> None:
    notebook = ask(lab, moody, "paused-stop.ipynb", "run.resume().answer")
    view, banner = notebook.run_view(1), bar(notebook)
    banner.get_by_role("button", name="Stop").click()
    notebook.wait(1)
    expect(banner).to_be_hidden()
    expect(view.locator(".rlm-status")).to_contain_text("interrupted")
    moody.out.clear()
    notebook.run(2)
    assert FINE in notebook.text(2)
    assert moody.server.paid == 6


def test_a_lost_connection_is_found_again_by_itself(lab: Lab, moody: Moody) -> None:
    moody.out.clear()
    moody.go.clear()
    notebook = ask(lab, moody, "paused-lost.ipynb")
    view, banner = notebook.run_view(1), bar(notebook)
    expect(view.locator('.rlm-row[data-key="0@1"]')).to_contain_text("llm_query_batched")
    moody.server.go_down()
    moody.go.set()
    expect(banner).to_contain_text("no connection to")
    moody.server.come_back()
    expect(banner).to_be_hidden()
    notebook.wait(1)
    expect(view.locator(".rlm-status")).to_contain_text("finished")
    expect(view.locator(".rlm-answer")).to_contain_text(FINE)
