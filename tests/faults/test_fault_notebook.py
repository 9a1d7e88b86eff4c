"""Faults 88 to 90, 92 and 93: what a person may have, do and get in a notebook."""

from __future__ import annotations

import ast
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from scripts import ask, code, submit
from server import Answer, ChatServer, by_kind, chat
from test_kernel import Serve, Session, question, turn

import rlm_kernel
from rlm_kernel import RLM, OpenAIModel, ScriptedModel, load
from rlm_kernel.engine.settings import Settings, terms_of
from rlm_kernel.errors import ContextError, ContextMismatch, ContextMissing, MissingReply, TimedOut
from rlm_kernel.trace import RunStarted, Trace, save
from rlm_kernel.views import html_tree, mime_bundle, text_tree

PACKAGE = Path(rlm_kernel.__file__).parent


# Their variables


def test_f88_variables_of_the_same_names_stay_as_they_are(session: Session, serve: Serve) -> None:
    """A notebook that has variables named `context`, `answer`, `llm_query`."""
    own = {"context": ["mine"], "answer": {"content": "mine"}, "llm_query": "mine", "FINAL": 42, "run": "old"}
    session.run("\n".join(f"{name} = {value!r}" for name, value in own.items()) + "\npapers = context")
    meddles = turn("context.clear(); answer.clear(); llm_query = FINAL = None; papers = run = 'theirs'")
    done = turn("answer['content'] = 'done'\nanswer['ready'] = True")
    before = session.value("sorted(globals())")
    assert session.run(question(serve([meddles, done])).replace("-o run ", "")).reply["status"] == "ok"
    names = ", ".join(f"{name!r}: {name}" for name in own)
    assert session.value(f"{{{names}, 'papers': papers}}") == {**own, "papers": ["mine"]}
    assert [n for n in session.value("sorted(globals())") if n not in before and n[0] != "_"] == []


# Several at once


def test_f89_a_second_cell_waits_for_the_first(session: Session, serve: Serve) -> None:
    """A second `%%rlm` cell while one runs."""
    late = Answer(body=chat(turn("FINAL('first')")), delay=0.5)
    server = serve([late, turn("FINAL('second')")])
    session.run("papers = 'x'")
    first = session.begin(question(server).replace("-o run", "-o one"))
    second = session.begin(question(server).replace("-o run", "-o two"))
    session.until(lambda: len(server.asked) == 1)
    assert not second.messages
    assert [session.finish(cell).reply["status"] for cell in (first, second)] == ["ok", "ok"]
    assert session.value("[one.answer, two.answer, one.id != two.id]") == ["first", "second", True]


def test_f89_a_run_within_a_run_is_one_of_its_own(session: Session, serve: Serve) -> None:
    """A `%%rlm` cell that runs inside another.

    Exception: nothing is refused. Runs share nothing but the loop thread, so that one that is started in the middle of
    another, by a thread or by a function, goes on beside it, with its own tree, trace and limits.
    """

    def script(body: dict[str, Any]) -> str | Answer:
        inner = "inner" in body["messages"][1]["content"]
        answer = turn(f"FINAL('{'inner' if inner else 'outer'}')")
        return answer if inner else Answer(body=chat(answer), delay=1.0)

    server = serve(script)
    session.run(
        "papers = 'x'\nimport rlm_kernel, threading\n"
        f"rlm = rlm_kernel.RLM(model='small', base_url='{server.url}')\n"
        "outer = rlm.start('outer')\n"
        f"get_ipython().run_cell_magic('rlm', 'papers -o inner -m small --base-url {server.url}', 'inner')\n"
        "was_live = outer.trace.live\nouter.wait()"
    )
    told = session.value("[inner.answer, outer.answer, was_live, inner.path != outer.path]")
    assert told == ["inner", "outer", True, True]
    assert session.value("[len(list(inner.walk())), len(list(outer.walk()))]") == [1, 1]


def test_f89_model_code_cannot_begin_a_run() -> None:
    """A `%%rlm` cell in the model's own code."""
    run, model = ask(code("%%rlm context", "Why?"), code("import rlm_kernel.run"), submit("'ok'"))
    errors = [turn.blocks[0].executed.error for turn in run["0"].turns[:2]]  # type: ignore[union-attr]
    assert errors[0] is not None
    assert len(list(run.walk())) == 1
    assert len(model.requests) == 3


# What cannot be moved


class Unwilling:
    def __reduce__(self) -> Any:
        raise TypeError("no copies of me")


@pytest.fixture
def unmoved() -> Iterator[dict[str, Any]]:
    """What belongs to this process."""
    with socket.socket() as connection, open(os.devnull) as file:  # noqa: PTH123 - an open file is the point
        database = sqlite3.connect(":memory:")
        yield {
            "a generator": (letter for letter in "abc"),
            "a connection": connection,
            "a database": database,
            "an open file": file,
            "a lock": threading.Lock(),
            "a lock in a list": [threading.Lock()],
            "an object that refuses": Unwilling(),
        }
        database.close()


NAMES = (
    "a generator",
    "a connection",
    "a database",
    "an open file",
    "a lock",
    "a lock in a list",
    "an object that refuses",
)


@pytest.mark.parametrize("name", NAMES)
def test_f90_what_cannot_be_moved_is_refused_with_the_choices(
    name: str, unmoved: dict[str, Any], tmp_path: Path
) -> None:
    """A context that cannot be moved to a child."""
    model = ScriptedModel([submit("1")])
    rlm = RLM(model=model, trace_dir=tmp_path / "traces")
    with pytest.raises(ContextError, match="cannot be copied into the child namespace") as caught:
        rlm.start("What?", context=unmoved[name])
    said = str(caught.value)
    assert "Pass what it holds instead" in said
    assert "--isolation inline" in said and "nothing is protected" in said
    # Nothing has begun.
    assert model.requests == []
    assert not (tmp_path / "traces").exists()


def test_f90_in_a_notebook_it_is_one_line(session: Session, serve: Serve) -> None:
    """A cell about what cannot be moved."""
    server = serve([])
    session.run("papers = (n for n in range(3))")
    cell = session.run(question(server))
    assert (cell.reply["status"], cell.reply["ename"]) == ("error", "UsageError")
    assert "a generator cannot be copied" in cell.reply["evalue"]
    assert cell.reply["evalue"].count("\n") == 0
    assert cell.of("display_data") == []
    assert server.asked == []
    assert session.value("sum(papers)") == 3


# A stranger's run


EVIL = {"isolation": "inline", "readable": ["/"], "memory_mb": 10**6, "step": False, "trace_dir": "/"}


def foreign(folder: Path, *lines: str) -> tuple[Path, Path]:
    """A trace that a stranger sent, whose code leaves a mark where it runs, and where that mark would be."""
    mark = folder / "mark"
    marks = (f"open({str(mark)!r}, 'a').write('ran')", "import os; print(os.getpid())", *lines)
    blocks = code("try: " + marks[0], "except OSError as error: print(error)", *marks[1:])
    run, _ = ask(blocks, submit("'fine'"), context="some text")
    mark.unlink(missing_ok=True)
    started = run.trace.events[0]
    assert isinstance(started, RunStarted)
    made = replace(started, settings={**started.settings, **EVIL}, isolation="inline", mode="live")
    return save(Trace([made, *run.trace.events[1:]]), folder / "foreign.rlm.jsonl"), mark


def test_f92_a_foreign_trace_that_is_opened_and_shown_does_nothing(tmp_path: Path) -> None:
    """A stranger's trace, opened."""
    path, mark = foreign(tmp_path)
    files = set(tmp_path.iterdir())
    children = set(psutil.Process().children(recursive=True))
    run = load(path)
    text_tree(run.trace)
    html_tree(run.trace)
    mime_bundle(run.trace)
    repr(run), str(run["0.1"])
    assert not mark.exists()
    assert set(tmp_path.iterdir()) == files
    assert set(psutil.Process().children(recursive=True)) <= children
    # What it says it used is shown; the numbers are the stranger's.
    assert "tokens" in text_tree(run.trace)


def test_f92_a_foreign_trace_is_replayed_in_a_worker_and_spends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's trace, replayed.

    Exception: nothing asks `are you sure`, and there is no price to show. A replay is a command of its own, asks no model
    and spends nothing; and what a resumed run or a fork will ask is for its code to say, within the limits it has.
    """
    path, mark = foreign(tmp_path)
    with ChatServer(["stolen"] * 5) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-mine-0123456789abcdef")
        with pytest.raises(ContextMissing):
            load(path).replay()
        with pytest.raises(ContextMismatch):
            load(path).replay(context="something else of mine")
        assert not mark.exists()
        replayed = load(path).replay(context="some text")
        assert server.asked == []
    assert (replayed.answer, replayed.usage.requests) == ("fine", 0)
    started = replayed.trace.started
    assert started is not None
    # What the stranger's settings say about where code runs, and what it may read, has no say here.
    assert started.isolation == terms_of(Settings()).isolation != "inline"
    assert (started.settings["isolation"], started.settings["readable"]) == ("auto", [])
    ran = replayed["0"].turns[0].blocks[0].executed
    assert ran is not None
    assert str(os.getpid()) not in ran.stdout.split()
    if started.isolation == "guarded":
        assert not mark.exists()


def test_f92_code_that_asks_for_more_than_its_record_gets_nothing(tmp_path: Path) -> None:
    """A stranger's trace whose code asks for what is not in it."""
    run, _ = ask(code("got = llm_query('a')"), submit("got"), context="some text")
    other = "got = [llm_query(str(n)) for n in range(1000)]"
    events = [
        replace(event, text=code(other)) if "got = llm_query" in getattr(event, "text", "") else event
        for event in run.trace.events
    ]
    replayed = load(save(Trace(events), tmp_path / "run.rlm.jsonl"))
    with pytest.raises(MissingReply):
        replayed.replay(context="some text")


# Time


def test_f93_a_wall_clock_that_jumps_changes_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the machine is set by a year, forth and back, while a run goes on."""
    true = time.time
    jumps = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: true() + (3e7 if next(jumps) % 2 else -3e7))
    sleeps = code("import time", "time.sleep(0.6)", "kept = llm_query('a')")
    with ChatServer(by_kind([sleeps, submit("kept")], Answer(body=chat("fine"), delay=0.3))) as server:
        model = OpenAIModel("m", base_url=server.url)
        limits = {"max_seconds": 60, "block_seconds": 10, "request_seconds": 10}
        run = RLM(model=model, trace_dir=None, **limits).run("What?", context="x")
    assert run.answer == "fine"
    times = [event.t for event in run.trace.events]
    assert times == sorted(times)
    assert 0.9 < times[-1] < 30
    # And what has to end still ends.
    with ChatServer([Answer(silent=True)]) as server, pytest.raises(TimedOut):
        RLM(model=OpenAIModel("m", base_url=server.url), trace_dir=None, request_seconds=0.3).run("What?")
    stopped, _ = ask(code("while True: pass"), submit("'on'"), block_seconds=0.3)
    assert stopped.answer == "on"


def test_f93_only_dates_are_taken_from_the_wall_clock() -> None:
    """Every deadline of ours is on a clock that only goes on."""
    wall = ("time.time", "time.localtime", "datetime.now", "datetime.utcnow", "datetime.today", "date.today")
    found = {
        f"{path.relative_to(PACKAGE)}: {ast.unparse(node.func)}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(wall)
    }
    # When a run began, for people, and in its name.
    assert found == {"engine/engine.py: datetime.now", "run/underway.py: datetime.now"}


def test_f93_after_a_sleep_the_run_connects_again() -> None:
    """A laptop that slept: its connections are dead when it wakes."""
    dead = [Answer(body=chat("never seen"), cut=40, how="reset")]

    def llm(prompt: str) -> str | Answer:
        return dead.pop() if prompt == "second" and dead else f"<{prompt}>"

    turns = [code("a = llm_query('first')", "b = llm_query('second')"), submit("a + b")]
    with ChatServer(by_kind(turns, llm)) as server:
        run = RLM(model=OpenAIModel("m", base_url=server.url), trace_dir=None).run("What?", context="x")
    assert run.answer == "<first><second>"
    assert [call.status for call in run.walk()] == ["finished"] * 3
