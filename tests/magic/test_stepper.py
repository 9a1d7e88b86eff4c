"""`--step` where there are no buttons: each block is asked about by `input()`."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rlm_kernel.magic.stepper import PATIENCE_SECONDS, Stepper

LOOK = "```repl\nfound = len(papers_seen := context)\nprint(found)\n```"
SAY = "```repl\nanswer['content'] = str(found)\nanswer['ready'] = True\n```"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Has a person type these lines; gives what they were asked with."""

    def types(*lines: str) -> list[str]:
        waiting: Iterator[str] = iter(lines)
        asked: list[str] = []

        def read(prompt: str = "") -> str:
            asked.append(prompt)
            return next(waiting)

        monkeypatch.setattr(builtins, "input", read)
        return asked

    return types


@pytest.fixture
def stepped(notebook: Any, serve: Any) -> Callable[[], str]:
    """Runs a cell with `--step` over a model that looks and then answers; what the cell printed."""
    server = serve([LOOK, SAY, SAY])
    notebook.cell("papers = ['one', 'two', 'three']")

    def run() -> str:
        out, _ = notebook.printed(
            f"%%rlm papers --step -o run -m small --base-url {server.url}\nHow many are there?"
        )
        return str(out)

    return run


def test_each_block_is_shown_and_runs_when_it_may(notebook: Any, typed: Any, stepped: Any) -> None:
    asked = typed("r", "")
    printed = stepped()
    assert "Block 1 of turn 1 of call 0:\nfound = len(papers_seen := context)\nprint(found)\n" in printed
    assert asked == ["[r]un it, [e]dit it, [s]kip it, run [a]ll that follow, s[t]op: "] * 2
    run = notebook.space["run"]
    assert (run.status, run.answer) == ("finished", "3")


def test_a_block_is_changed(notebook: Any, typed: Any, stepped: Any) -> None:
    typed("what?", "e", "found = 7", "print('seven')", ".", "r")
    stepped()
    run = notebook.space["run"]
    block = run["0.1"].turn.blocks[0].executed
    assert (block.code, block.decision) == ("found = 7\nprint('seven')", "edited")
    assert run.answer == "7"
    assert "The user changed block 1 before it ran." in run["0.2"].prompt


def test_a_block_is_skipped(notebook: Any, typed: Any, stepped: Any) -> None:
    typed("s", "e", "FINAL('nothing was looked at')", ".")
    stepped()
    run = notebook.space["run"]
    assert run["0.1"].turn.blocks[0].executed.decision == "skipped"
    assert "Block 1 did not run: the user skipped it." in run["0.2"].prompt
    assert run.answer == "nothing was looked at"


def test_all_others_run_without_a_question(notebook: Any, typed: Any, stepped: Any) -> None:
    asked = typed("a")
    stepped()
    assert len(asked) == 1
    assert notebook.space["run"].answer == "3"


def test_the_run_is_stopped(notebook: Any, typed: Any, stepped: Any) -> None:
    typed("t")
    stepped()
    run = notebook.space["run"]
    assert run.status == "interrupted"
    assert len(run["0"].turns) == 1


def test_the_new_blocks_of_a_fork_wait_too(notebook: Any, typed: Any, stepped: Any) -> None:
    typed("a")
    stepped()
    asked = typed("e", "FINAL('stepped again')", ".")
    notebook.cell("%rlm fork run 0.2 --step -o again")
    assert len(asked) == 3
    again = notebook.space["again"]
    assert again.answer == "stepped again"
    assert again["0.1"].turn.blocks[0].executed.decision == ""


def test_where_nobody_can_be_asked_the_cell_says_so(
    notebook: Any, monkeypatch: pytest.MonkeyPatch, stepped: Any
) -> None:
    from IPython.core.error import StdinNotImplementedError

    def read(prompt: str = "") -> str:
        raise StdinNotImplementedError("raw_input was called, but this frontend does not support stdin.")

    monkeypatch.setattr(builtins, "input", read)
    assert "Block 1 of turn 1" in stepped()
    assert notebook.space["run"].status == "interrupted"


def test_a_front_end_with_buttons_has_a_moment_to_show_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Waiting:
        waiting = ((("0", 1, 1), "print(1)"),)

    now = [100.0]
    monkeypatch.setattr("rlm_kernel.magic.stepper.time.monotonic", lambda: now[0])
    with_buttons, without = Stepper(Waiting(), buttons=True), Stepper(Waiting(), buttons=False)  # type: ignore[arg-type]
    assert (with_buttons.asks(), without.asks()) == (False, True)
    now[0] += PATIENCE_SECONDS
    assert with_buttons.asks()
