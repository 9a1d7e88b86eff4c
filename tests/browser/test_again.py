"""Replay, rerun, fork, resume and step mode in JupyterLab with a real kernel: what was clicked really happens."""

from __future__ import annotations

from typing import Any

import pytest
from lab_page import FRONT, Lab, Notebook
from paced import ANSWER, BATCH, FINE, LOOK, PAPERS, Paced, block, question
from playwright.sync_api import Locator, expect
from server import ChatServer

expect.set_options(timeout=15_000)
FOUND = block("found = llm_query_batched([f'Rate {paper}' for paper in context])", "print(found)")
SAY = block("answer['content'] = ' '.join(found)", "answer['ready'] = True")


def model(body: dict[str, Any]) -> str:
    """Rates papers; told a hint, it says so."""
    last = body["messages"][-1]["content"]
    if body["messages"][0]["role"] != "system":
        return f"{last.split()[-1]} is fine"
    if "A hint from the user" in last:
        return block("answer['content'] = 'hinted ' + str(len(found))", "answer['ready'] = True")
    turn = sum(message["role"] == "assistant" for message in body["messages"])
    return (FOUND, SAY)[turn]


@pytest.fixture
def server() -> Any:
    with ChatServer(model) as made:
        yield made


def answered(lab: Lab, server: ChatServer, path: str, *more: str) -> tuple[Notebook, Locator]:
    """A notebook with a run that has ended, and its view."""
    notebook = lab.open(lab.write(path, PAPERS, question(server.url), *more))
    notebook.run(0, 1)
    view = notebook.run_view(1)
    expect(view.locator(".rlm-status")).to_contain_text("finished")
    return notebook, view


def select(view: Locator, key: str) -> None:
    row = view.locator(f'.rlm-row[data-key="{key}"]')
    row.click()
    row.press("Enter")
    expect(view.locator(".rlm-detail")).to_be_visible()


def act(view: Locator, key: str, kind: str) -> Locator:
    """The form of an action on that step."""
    select(view, key)
    view.locator(f"[data-action={kind}]").click()
    form = view.locator(".rlm-form:visible")
    expect(form).to_be_visible()
    return form


def test_a_fork_is_made_from_the_tree_and_its_cell_says_the_same(lab: Lab, server: ChatServer) -> None:
    notebook, view = answered(lab, server, "fork.ipynb")
    paid = len(server.asked)
    form = act(view, "0@2", "fork")
    form.get_by_label("Hint").first.check()
    form.locator("textarea:visible").fill("How many are they?")
    lab.shot("fork-form")
    form.get_by_role("button", name="Run it").click()
    made = view.locator(".rlm-variant")
    expect(made).to_contain_text("hinted 4")
    assert len(server.asked) == paid + 1
    lab.shot("fork-made")
    form = act(view, "0@2", "fork")
    form.get_by_role("button", name="Insert cell").click()
    inserted = next(cell["source"] for cell in notebook.cells if "rlm fork" in str(cell["source"]))
    assert "0.2" in inserted
    assert "How many are they?" in inserted
    notebook.run(2)
    expect(notebook.run_view(2).locator(".rlm-answer")).to_contain_text("hinted 4")
    expect(notebook.run_view(2).locator(".rlm-head")).to_contain_text("Fork of")
    assert len(server.asked) == paid + 2
    lab.shot("fork-cell")


def test_a_replay_asks_no_model(lab: Lab, server: ChatServer) -> None:
    _, view = answered(lab, server, "replay.ipynb")
    paid = len(server.asked)
    form = act(view, "0", "replay")
    form.get_by_role("button", name="Run it").click()
    made = view.locator(".rlm-variant")
    expect(made).to_contain_text("Its answer is the same as the original")
    assert len(server.asked) == paid
    made.get_by_role("button", name="Open").click()
    tab = lab.page.locator(".rlm-fill.rlm-run")
    expect(tab.locator(".rlm-head")).to_contain_text("Replay of")
    expect(tab.locator(".rlm-head")).to_contain_text("6 replayed")
    lab.shot("replay-tab")
    lab.command("application:close")


def test_one_call_is_asked_again_beside_what_it_gave(lab: Lab, server: ChatServer) -> None:
    _, view = answered(lab, server, "rerun.ipynb")
    paid = len(server.asked)
    view.locator('.rlm-row[data-key="0.1.1+"] .rlm-chevron').click()
    form = act(view, "0.1.2", "rerun")
    form.locator("textarea:visible").fill("Rate another")
    form.get_by_role("button", name="Run it").click()
    made = view.locator(".rlm-variant").last
    expect(made).to_contain_text("another")
    expect(view.locator(".rlm-detail")).to_contain_text("not recomputed")
    assert len(server.asked) == paid + 1
    lab.shot("rerun-made")


def test_a_reopened_notebook_goes_on_from_its_trace(lab: Lab, server: ChatServer) -> None:
    notebook, _ = answered(lab, server, "reopened.ipynb", "%rlm fork run 0.2 --hint 'How many are they?'")
    notebook.run(2)
    notebook.save()
    paid = len(server.asked)
    lab.command("kernelmenu:restart")
    lab.page.click(".jp-Dialog button.jp-mod-accept")
    lab.page.wait_for_function(f"() => {FRONT}.sessionContext.session?.kernel?.status === 'idle'")
    notebook.run(0)
    notebook = lab.reload("reopened.ipynb")
    view = notebook.run_view(1)
    # What was made before the restart is on disk, and stands beside its step again.
    expect(view.locator('.rlm-row[data-key="0@2"]')).to_contain_text("1 variant")
    form = act(view, "0@2", "fork")
    form.get_by_label("Hint").first.check()
    form.locator("textarea:visible").fill("How many are they?")
    form.get_by_role("button", name="Run it").click()
    # The server's address is not in the trace, so the kernel says what it needs.
    expect(form).to_contain_text("needs a key or a server")
    notebook.cell(0).click()
    lab.page.evaluate(
        f"url => {{ {FRONT}.content.widgets[0].model.sharedModel.setSource('%config RlmMagics.base_url = \"' + url + '\"') }}",
        server.url,
    )
    notebook.start(0)
    lab.page.wait_for_function(f"() => {FRONT}.content.widgets[0].promptNode?.textContent.includes('2')")
    form.get_by_role("button", name="Run it").click()
    expect(view.locator(".rlm-variant").first).to_contain_text("papers")
    assert len(server.asked) == paid


def test_blocks_wait_for_a_person_at_buttons(lab: Lab, server: ChatServer) -> None:
    cell = question(server.url).replace("--model small", "--model small --step", 1)
    notebook = lab.open(lab.write("step.ipynb", PAPERS, cell, "run.answer"))
    notebook.run(0)
    notebook.start(1)
    view = notebook.run_view(1)
    bar = view.locator(".rlm-held-bar")
    expect(bar).to_contain_text("Block 1 of turn 1")
    assert notebook.output(1).locator(".jp-Stdin-input").count() == 0
    bar.get_by_role("button", name="Look at it").click()
    form = view.locator(".rlm-held-form:visible")
    expect(form.locator("textarea")).to_have_value(FOUND.split("\n", 1)[1].removesuffix("\n```"))
    lab.shot("held")
    form.locator("textarea").fill("found = ['mine']")
    form.get_by_role("button", name="Run edited").click()
    expect(bar).to_contain_text("turn 2")
    select(view, "0@1")
    expect(view.locator(".rlm-detail")).to_contain_text("a person edited")
    bar.get_by_role("button", name="Run", exact=True).click()
    notebook.wait(1)
    notebook.run(2)
    assert notebook.text(2) == "'mine'"
    lab.shot("stepped")


def test_a_run_that_goes_on_is_forked_and_one_that_was_stopped_is_resumed(lab: Lab) -> None:
    # The second request is given up, and asked again by the run that goes on.
    paced = Paced([LOOK, LOOK, BATCH, ANSWER], FINE)
    with ChatServer(paced) as asked:
        _forked_and_resumed(lab, paced, asked)
        paced.go()


def _forked_and_resumed(lab: Lab, paced: Paced, asked: ChatServer) -> None:
    notebook = lab.open(lab.write("goes-on.ipynb", PAPERS, question(asked.url)))
    notebook.run(0)
    notebook.start(1)
    view = notebook.run_view(1)
    paced.go(1)
    expect(view.locator('.rlm-row[data-key="0@2"]')).to_contain_text("waiting for the model")
    form = act(view, "0@1", "fork")
    form.get_by_label("Code").first.check()
    form.locator("textarea:visible").fill("answer['content'] = 'at once'\nanswer['ready'] = True")
    form.get_by_role("button", name="Run it").click()
    expect(view.locator(".rlm-variant")).to_contain_text("at once")
    expect(view.locator(".rlm-status").first).to_contain_text("running")
    lab.shot("forked-live")
    view.locator(".rlm-head .rlm-stop").click()
    notebook.wait(1)
    expect(view.locator(".rlm-status").first).to_contain_text("interrupted")
    paced.go()
    form = act(view, "0", "resume")
    lab.shot("resume-form")
    form.get_by_role("button", name="Run it").click()
    resumed = view.locator(".rlm-variant").first
    expect(resumed).to_contain_text("Resume")
    expect(resumed).to_contain_text("finished")
    # The first turn was paid for once.
    turns = [each.body["messages"] for each in asked.asked if each.body["messages"][0]["role"] == "system"]
    assert sum(len(messages) == 2 for messages in turns) == 1
