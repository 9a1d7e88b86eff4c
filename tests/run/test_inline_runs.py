"""A whole run whose code runs inline: in this process, over live objects; asked for by nothing but the user."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts import ask, code, scripted, submit

from rlm_kernel import RLM, load
from rlm_kernel.errors import ConfigError, ContextError, ContextMismatch
from rlm_kernel.repl import isolation
from rlm_kernel.views.html import html_tree
from rlm_kernel.views.isolation import UNPROTECTED
from rlm_kernel.views.notebook import notebook_json
from rlm_kernel.views.text import text_tree


def test_a_run_over_a_live_object() -> None:
    mine: dict[str, Any] = {"rows": [1, 2], "who": os.getpid}
    run, model = ask(
        code("context['seen'] = id(context), context['who']()", "reply = llm_query('a')"),
        submit("reply, len(context['rows'])"),
        context=mine,
        isolation="inline",
    )
    assert run.answer == "('<a>', 2)"
    assert mine["seen"] == (id(mine), os.getpid())
    assert run.trace.started is not None and run.trace.started.isolation == "inline"
    system = model.requests[0].messages[0].content
    assert "It is no copy" in system and "It is a copy" not in system


def test_what_cannot_move_is_no_hindrance() -> None:
    letters = (letter for letter in "abc")
    with pytest.raises(ContextError, match="--isolation inline"):
        ask(submit("''.join(context)"), context=letters)
    run, _ = ask(submit("''.join(context)"), context=letters, isolation="inline")
    assert run.answer == "abc"
    assert next(letters, "used up") == "used up"


def test_children_get_what_they_are_given_alive() -> None:
    mine = [iter("xyz"), []]
    run, _ = ask(
        code("got = rlm_query('first?', context=context[0])", "rlm_query('append', context=context[1])"),
        submit("got"),
        context=mine,
        child=lambda request: (
            submit("next(context)")
            if "first?" in request.messages[1].content
            else code("context.append('child')", "answer.update(content='done', ready=True)")
        ),
        isolation="inline",
    )
    assert (run.answer, next(mine[0]), mine[1]) == ("x", "y", ["child"])


def test_a_child_whose_prompt_is_its_context() -> None:
    run, _ = ask(
        code("got = rlm_query('what is this?')"),
        submit("got"),
        child=lambda _: submit("context"),
        isolation="inline",
    )
    assert run.answer == "what is this?"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """The trace of a run that ran inline."""
    replies = code("import os", "pid = os.getpid()", "reply = llm_query('a')"), submit("reply")
    run, _ = ask(*replies, context=[1, 2], isolation="inline", trace_dir=tmp_path)
    return Path(run.trace.path or "")


def test_a_replay_runs_in_a_worker_again(recorded: Path) -> None:
    run = load(recorded).replay(context=[1, 2])
    assert run.answer == "<a>"
    assert run.trace.started is not None and run.trace.started.isolation != "inline"
    assert run.trace.started.settings["isolation"] == "auto"


def test_a_replay_inline_is_asked_for(recorded: Path) -> None:
    mine = [1, 2]
    run = load(recorded).replay(context=mine, limits={"isolation": "inline"})
    assert run.answer == "<a>"
    assert run.trace.started is not None and run.trace.started.isolation == "inline"
    with pytest.raises(ContextMismatch):
        load(recorded).replay(context=[1, 3], limits={"isolation": "inline"})
    with pytest.raises(ConfigError, match="takes no max_turns"):
        load(recorded).replay(context=mine, limits={"max_turns": 3})


def test_a_fork_inline_is_asked_for(recorded: Path) -> None:
    run = load(recorded).answer_with(scripted("", submit("'other'")))
    made = run.fork("0.2", hint="Another way.", context=[1, 2])
    assert made.trace.started is not None and made.trace.started.isolation != "inline"
    made = run.fork("0.2", hint="Another way.", context=[1, 2], limits={"isolation": "inline"})
    assert (made.answer, made.trace.started and made.trace.started.isolation) == ("other", "inline")


def test_a_policy_refuses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / isolation.POLICY_FILE).write_text(json.dumps({"isolation": "strict"}), "utf-8")
    monkeypatch.setattr(isolation, "config_folders", lambda: [tmp_path])
    model = scripted(submit("1"))
    with pytest.raises(ConfigError, match="allows no isolation 'inline'"):
        RLM(model=model, trace_dir=None, isolation="inline").run("What?", context="x")
    assert model.requests == []


def test_a_block_that_does_not_end_is_told_of_in_the_tree_and_to_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rlm_kernel.repl.worker.GRACE_SECONDS", 0.1)
    run, model = ask(
        code("import time", "time.sleep(0.6)"),
        submit("'on'"),
        context="x",
        isolation="inline",
        block_seconds=0.1,
    )
    assert run.answer == "on"
    told = model.requests[1].messages[-1].content
    assert "may still run, in the user's own process" in told and "given up" in told
    executed = run["0"].turns[0].blocks[0].executed
    assert executed is not None and executed.error is not None and "may still run" in executed.error.message


@pytest.mark.parametrize("draw", [text_tree, html_tree, notebook_json])
def test_it_is_labelled_wherever_the_run_is_shown(draw: Callable[[Any], str]) -> None:
    inline, _ = ask(submit("1"), isolation="inline")
    kept, _ = ask(submit("1"), isolation="worker")
    assert UNPROTECTED.removeprefix("isolation: ") in draw(inline.trace).replace("&#x27;", "'")
    assert "no protection" not in draw(kept.trace)
