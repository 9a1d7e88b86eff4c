"""`%%rlm` as a person meets it: in JupyterLab, in a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe import faults
from lab_page import Lab, Notebook
from playwright.sync_api import Locator, expect
from server import Answer, ChatServer, by_kind, chat, error

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
NOT_A_MODEL = "demo rules, not a language model"
SLOW = 0.4
PAPERS = "papers = ['one', 'two', 'three', 'four']"
PROSE, CODE = "text/x-ipythongfm", "text/x-ipython"


def slow(text: str, **fields: Any) -> Answer:
    return Answer(body=chat(text, **fields), delay=SLOW)


def block(*lines: str) -> str:
    return "```repl\n" + "\n".join(lines) + "\n```"


ANSWER = block("answer['content'] = found[0]", "answer['ready'] = True")
THREE_TURNS = by_kind(
    [
        slow(block("print(len(context))")),
        slow(block("found = llm_query_batched([f'Rate {paper}' for paper in context])")),
        slow(ANSWER),
    ],
    slow("The finding is fine"),
)


@pytest.fixture
def asked() -> Iterator[ChatServer]:
    """A server whose every reply takes its time."""
    with ChatServer(THREE_TURNS) as server:
        yield server


def question(server: ChatServer) -> str:
    return f"%%rlm papers -o run --model small --base-url {server.url}\nWhat's the finding?"


def row(view: Locator, key: str) -> Locator:
    """A row of the tree."""
    return view.locator(f'.rlm-row[data-key="{key}"]')


def every_tab(view: Locator, *keys: str) -> Iterator[Locator]:
    """The detail of these rows, tab by tab."""
    for key in keys:
        row(view, key).click()
        expect(row(view, key)).to_have_attribute("aria-selected", "true")
        for name in view.locator(".rlm-detail [role=tab]:not([hidden])").all_inner_texts():
            view.locator(".rlm-detail").get_by_role("tab", name=name, exact=True).click()
            yield view.locator(".rlm-detail")


def failures(notebook: Notebook) -> list[Any]:
    """Error outputs and all that was written to stderr."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [
        output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"
    ]


def test_the_quickstart_runs_and_its_trees_outlive_the_kernel(lab: Lab) -> None:
    shutil.copy(QUICKSTART, lab.server.notebooks)
    notebook = lab.open(QUICKSTART.name)
    notebook.run_all()
    questions = [at for at, cell in enumerate(notebook.cells) if cell["source"].startswith("%%rlm")]

    assert failures(notebook) == []
    for at in questions:
        notebook.show(at)
        expect(notebook.run_view(at).locator(".rlm-answer")).to_contain_text(NOT_A_MODEL)
    notebook.show(questions[0])
    lab.shot("quickstart-collapsed")
    saved = notebook.save()
    lab.shut_down()

    with lab.without_kernels() as other:
        at = questions[1]
        notebook = other.open(QUICKSTART.name, kernel=False)
        notebook.show(at)
        assert not notebook.has_kernel()
        assert notebook.is_trusted(at)
        _read_the_third_turn(notebook.run_view(at))
        other.shot("reopened-without-kernel")

        saved.cells.append(saved.cells[0].copy())  # no longer what was signed
        saved.cells[-1].id = "another"
        other.store("untrusted.ipynb", saved)
        stranger = other.open("untrusted.ipynb", kernel=False)
        stranger.show(at)
        assert not stranger.is_trusted(at)
        _read_the_third_turn(stranger.run_view(at))
        other.shot("reopened-untrusted")


def _read_the_third_turn(view: Locator) -> None:
    expect(view.locator(".rlm-mode").first).to_have_text(NOT_A_MODEL)
    expect(view.locator(".rlm-detail")).to_be_hidden()
    row(view, "0@3").click()
    view.locator(".rlm-detail").get_by_role("tab", name="Code").click()
    expect(view.locator(".rlm-detail")).to_contain_text("import json")


def test_an_interrupt_ends_the_run_and_keeps_its_tree(lab: Lab) -> None:
    turns = [block("print(len(context))"), Answer(silent=True)]
    with ChatServer(by_kind(turns, "unused")) as server:
        notebook = lab.open(lab.write("stop.ipynb", PAPERS, question(server), "run.status"))
        notebook.run(0)
        notebook.start(1)
        notebook.output(1).filter(has_text="turn 2").wait_for()
        while len(server.asked) < 2:  # the page is told of a request before it is sent
            lab.page.wait_for_timeout(10)
        lab.page.click(".jp-NotebookPanel:not(.lm-mod-hidden) [data-jp-item-name='interrupt'] jp-button")
        notebook.wait(1)
        notebook.run(2)
        lab.shot("interrupted")

        assert "■ interrupted" in notebook.text(1)
        assert "KeyboardInterrupt" in notebook.text(1)
        assert notebook.text(2) == "'interrupted'"
        assert len(server.asked) == 2


def test_a_failed_run_says_why_below_its_tree(lab: Lab) -> None:
    with ChatServer(by_kind([block("print(len(context))"), error(400, "too long")], "unused")) as server:
        notebook = lab.open(lab.write("fail.ipynb", PAPERS, question(server), "run.status"))
        notebook.run(0, 1, 2)
        lab.shot("error")

        said = notebook.text(1).strip().splitlines()[-1]
        assert said.startswith("UsageError: ")
        assert "too long. The tree above and its trace are kept." in said
        assert "✗ failed" in notebook.text(1)
        assert notebook.text(2) == "'failed'"


def test_a_question_is_edited_as_prose_and_its_line_completed(lab: Lab) -> None:
    cells = [
        "papers = reviews = ['one']",
        "%%rlm papers\nWhat's **that**? Don't import it",
        "%%rlm pap",
        "%%rlm --max-",
    ]
    notebook = lab.open(lab.write("edit.ipynb", *cells))
    notebook.wait_for_languages(CODE, PROSE, PROSE, PROSE)
    notebook.run(0)

    notebook.editor(1).click()
    lab.page.keyboard.press("Control+Home")
    lab.page.keyboard.press("Delete")
    notebook.wait_for_languages(CODE, CODE, PROSE, PROSE)
    lab.page.keyboard.type("%")
    notebook.wait_for_languages(CODE, PROSE, PROSE, PROSE)

    assert notebook.complete(2) == ["papers"]
    options = notebook.complete(3)
    assert {"--max-turns", "--max-calls", "--max-depth"} <= set(options)
    assert all(option.startswith("--max-") for option in options)


# Each would set `__pwned` or ask another host where it came to life.
PAYLOADS = (
    "<script>window.__pwned = 1</script>",
    "<img src=x onerror='window.__pwned = 2'>",
    "<svg onload='window.__pwned = 3'></svg>",
    "<a href='javascript:window.__pwned = 4'>look</a>",
    "<iframe srcdoc='<script>parent.__pwned = 5</script>'></iframe>",
    "<img src='http://stranger.invalid/pixel.png'>",
    "<link rel=stylesheet href='http://stranger.invalid/style.css'>",
    "</pre></details></code><style>@import 'http://stranger.invalid/s.css';</style>",
    "[look](javascript:window.__pwned=6) ![x](http://stranger.invalid/y.png)",
)


def test_what_a_model_says_never_comes_to_life(lab: Lab) -> None:
    bad = " ".join(PAYLOADS)
    asks = block(
        f"bad = {bad!r}", "print(bad, context)", "said = llm_query(bad)", f"raise ValueError({bad!r})"
    )
    ends = block(f"answer['content'] = {bad!r}", "answer['ready'] = True")
    hostile = {"model": bad, "message": {"reasoning_content": bad}}
    script = by_kind([slow(f"{bad}\n{asks}", **hostile), slow(ends, **hostile)], slow(bad, **hostile))
    with ChatServer(script) as server:
        asking = f"%%rlm papers -o run --model small --base-url {server.url}\n{bad}"
        notebook = lab.open(lab.write("bad.ipynb", f"papers = {{{bad!r}: {[bad]!r}}}", asking))
        notebook.run(0, 1)
        assert "1 sub-call" in notebook.text(1)
        _harmless(lab, notebook)
        saved = notebook.save()
        lab.shut_down()
        lab.load()
        notebook = lab.open("bad.ipynb")
        assert notebook.is_trusted(1)
        _harmless(lab, notebook)
        lab.shot("hostile")

        saved.cells.append(saved.cells[0].copy())  # no longer what was signed
        saved.cells[-1].id = "another"
        lab.store("bad-untrusted.ipynb", saved)
        notebook = lab.open("bad-untrusted.ipynb")
        assert not notebook.is_trusted(1)
        _harmless(lab, notebook)


def _harmless(lab: Lab, notebook: Notebook) -> None:
    view = notebook.run_view(1)
    read = ""
    for detail in every_tab(view, "0", "0@1", "0.1.1", "0@2"):
        read += detail.inner_text()
        assert view.locator("script, img, svg, a, iframe, link, style").count() == 0
    assert read.count(PAYLOADS[0]) > 5
    assert lab.page.evaluate("() => window.__pwned") is None


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_every_text_can_be_read_in_every_theme(lab: Lab, asked: ChatServer, theme: str) -> None:
    name = theme.split()[1:]
    lab.theme(theme)
    notebook = lab.open(lab.write(f"{'-'.join(name)}.ipynb", PAPERS, question(asked)))
    notebook.run(0)
    notebook.start(1)
    view = notebook.run_view(1)
    expect(row(view, "0@2")).to_be_visible()
    assert faults(lab.page, ".rlm-run") == []
    lab.shot(f"live-{'-'.join(name)}")
    notebook.wait(1)
    for _ in every_tab(view, "0@2"):
        assert faults(lab.page, ".rlm-run") == []
    lab.shot(f"finished-{'-'.join(name)}")
    lab.theme("JupyterLab Light")
