"""A front end's session with a transport of our own: what it asks, what it is told, and on which thread."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from trace_examples import Story, nested

from rlm_kernel.errors import TraceError, UnknownStep
from rlm_kernel.trace import Decision, Derived, Origin, Peek, RunStarted, Trace, load, to_dict
from rlm_kernel.version import __version__
from rlm_kernel.views.channel import NAME, Session
from rlm_kernel.views.op import Wish, read_op
from rlm_kernel.views.runs import RUNS, Runs

SECONDS = 10.0
"""How long a message may take on a busy machine; nothing waits for it to pass."""


class FakeRun:
    """A run as the channel knows it."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.done: list[str] = []

    def cancel(self) -> None:
        self.done.append("cancel")

    def answer_now(self) -> None:
        self.done.append("answer_now")

    def try_now(self) -> None:
        self.done.append("try_now")

    def decide(
        self, call_id: str, turn: int, block: int, decision: Decision = "", code: str | None = None
    ) -> bool:
        self.done.append(f"{call_id} {turn} {block} {decision} {code}")
        return block == 1

    def derive(self, kind: Derived, at: str, edit: Mapping[str, Any]) -> list[FakeRun]:
        raise AssertionError("the desk makes them")


class FrontEnd:
    """The other end: `sent` has what came and on which thread. It is its own desk, which has `known`."""

    def __init__(self) -> None:
        self.sent: Queue[tuple[dict[str, Any], str]] = Queue()
        self.known: dict[str, Trace] = {}
        self.on_disk: list[Peek] = []
        self.session = Session(self.take, self)

    def take(self, message: dict[str, Any]) -> None:
        self.sent.put((message, threading.current_thread().name))

    def next(self) -> dict[str, Any]:
        return self.sent.get(timeout=SECONDS)[0]

    def next_of(self, op: str) -> dict[str, Any]:
        """The next message of that kind, whatever else comes before it."""
        while (message := self.next())["op"] != op:
            pass
        return message

    def ask(self, **message: Any) -> dict[str, Any]:
        """The reply."""
        self.session.receive({"ask": 1, **message})
        reply = self.next_of("reply")
        assert reply.pop("ask") == 1
        return reply

    def watch(self, run: str, since: int = 0) -> None:
        self.session.receive({"op": "watch", "run": run, "since": since})

    def find(self, run_id: str) -> Trace | None:
        if run_id == "broken":
            raise TraceError("line 3 is not JSON", line=3)
        if run_id == "cursed":
            raise ZeroDivisionError("one by nothing")
        return self.known.get(run_id)

    def traces(self) -> list[Trace]:
        return list(self.known.values())

    def bundle(self, trace: Trace) -> dict[str, Any]:
        return {"text/plain": trace.run_id}

    def stored(self) -> list[Peek]:
        return self.on_disk

    def derive(self, run_id: str, wish: Wish) -> list[str]:
        if wish.at == "0.9":
            raise UnknownStep("no call or turn '0.9' in this run", step="0.9")
        return [f"{wish.kind} of {run_id} at {wish.at} with {wish.edit}"]


@pytest.fixture
def front_end() -> Iterator[FrontEnd]:
    made = FrontEnd()
    yield made
    made.session.close()


def ended(thread: threading.Thread) -> bool:
    thread.join(SECONDS)
    return not thread.is_alive()


def own_thread() -> threading.Thread:
    (found,) = (thread for thread in threading.enumerate() if thread.name == NAME)
    return found


def test_it_greets_with_its_version_and_the_runs(front_end: FrontEnd) -> None:
    front_end.known["papers-1"] = nested()
    front_end.session.greet()
    card = {"run": "papers-1", "cell": "", "status": "finished", "live": False, "origin": None}
    assert front_end.next() == {"op": "hello", "version": __version__, "protocol": 1, "runs": [card]}


def test_a_run_is_told_when_it_begins_and_when_it_ends(front_end: FrontEnd) -> None:
    front_end.session.greet()
    assert front_end.next()["runs"] == []
    story = Story()
    front_end.known["papers-1"] = story.trace
    front_end.session.wake()
    assert front_end.next() == {
        "op": "run",
        "card": {"run": "papers-1", "cell": "", "status": "running", "live": True, "origin": None},
    }
    front_end.known.clear()  # nobody else keeps it
    story.end("exhausted")
    told = [front_end.next()["card"]]
    while told[-1]["live"]:  # it has its status a moment before its trace is closed
        told.append(front_end.next()["card"])
    assert (told[-1]["status"], told[-1]["live"]) == ("exhausted", False)


def test_a_run_made_from_another_says_so_as_soon_as_it_knows(front_end: FrontEnd) -> None:
    front_end.session.greet()
    front_end.next()
    front_end.known["fork-1"] = Trace(live=True, run_id="fork-1")
    front_end.session.wake()
    assert front_end.next()["card"]["origin"] is None
    origin = Origin(kind="fork", run="papers-1", at="0.3", edit={"hint": "look again"})
    started = RunStarted(
        run_id="fork-1", query="?", started="", version="", mode="live", isolation="worker", origin=origin
    )
    front_end.known["fork-1"].append(started)
    front_end.session.wake()
    assert front_end.next()["card"]["origin"] == {"kind": "fork", "run": "papers-1", "at": "0.3"}


def test_a_run_that_begins_anywhere_in_the_process_wakes_it(front_end: FrontEnd) -> None:
    front_end.session.greet()
    front_end.next()
    run = FakeRun(Trace(live=True, run_id="from-elsewhere-1"))
    front_end.known["from-elsewhere-1"] = run.trace
    RUNS.add(run)
    assert front_end.next()["card"]["run"] == "from-elsewhere-1"


def test_it_has_one_thread_in_the_context_of_the_first_message(front_end: FrontEnd) -> None:
    place = contextvars.ContextVar("place", default="nowhere")
    seen: list[str] = []
    front_end.known["papers-1"] = nested()
    front_end.traces = lambda: seen.append(place.get()) or []  # type: ignore[method-assign,func-returns-value]

    def subshell() -> None:
        place.set("subshell")
        front_end.session.greet()

    contextvars.copy_context().run(subshell)
    front_end.session.receive({"op": "bundle", "run": "papers-1", "ask": 1})
    front_end.watch("papers-1")
    messages = [front_end.sent.get(timeout=SECONDS) for _ in range(3)]
    assert [message["op"] for message, _ in messages] == ["hello", "reply", "events"]
    assert ({thread for _, thread in messages}, set(seen)) == ({NAME}, {"subshell"})
    assert own_thread().daemon


def test_a_watched_run_is_told_as_it_grows(front_end: FrontEnd) -> None:
    story = Story()
    front_end.known["papers-1"] = story.trace
    front_end.session.greet()
    front_end.next()
    front_end.watch("papers-1")
    assert [event["type"] for event in front_end.next()["events"]] == ["run_started"]
    assert front_end.session.watches("papers-1")
    story.root()
    assert [event["type"] for event in front_end.next()["events"]] == ["call_started"]
    front_end.session.receive({"op": "unwatch", "run": "papers-1"})
    assert "error" not in front_end.ask(op="bundle", run="papers-1")  # by now it has unwatched
    assert not front_end.session.watches("papers-1")
    story.rlm("0.1.1", "p")
    front_end.watch("papers-1", since=2)
    assert [event["call_id"] for event in front_end.next()["events"]] == ["0.1.1"]


def test_a_run_can_be_watched_before_its_first_event(front_end: FrontEnd) -> None:
    trace = front_end.known["new-1"] = Trace(live=True, run_id="new-1")
    front_end.watch("new-1")
    told = front_end.next_of("events")
    assert (told["events"], told["live"]) == ([], True)
    trace.append(nested().events[0])
    assert len(front_end.next_of("events")["events"]) == 1


def test_a_run_that_is_over_is_watched_no_more(front_end: FrontEnd) -> None:
    front_end.known["papers-1"] = nested()
    front_end.session.greet()
    front_end.next()
    front_end.watch("papers-1")
    assert front_end.next()["live"] is False
    front_end.ask(op="bundle", run="papers-1")
    assert not front_end.session.watches("papers-1")


@pytest.mark.parametrize(("run", "warning"), [("nothing", ""), ("broken", "%rlm show broken")])
def test_whoever_watches_what_is_not_there_hears_that_nothing_comes(
    run: str, warning: str, front_end: FrontEnd
) -> None:
    front_end.watch(run, since=7)
    told = front_end.next()
    assert (told["run"], told["since"], told["events"], told["live"]) == (run, 7, [], False)
    assert warning in told["warning"]


@pytest.mark.parametrize(
    ("op", "done"), [("stop", "cancel"), ("answer_now", "answer_now"), ("try_now", "try_now")]
)
def test_an_end_is_passed_on_by_the_thread_that_brings_it(op: str, done: str, front_end: FrontEnd) -> None:
    run = FakeRun(Trace(live=True, run_id=f"run-to-{op}"))
    RUNS.add(run)
    front_end.session.receive({"op": op, "run": f"run-to-{op}", "ask": "k"})
    assert run.done == [done]
    reply, thread = front_end.sent.get_nowait()
    assert (reply, thread) == ({"op": "reply", "ask": "k", "ok": True}, threading.current_thread().name)


def test_an_end_needs_no_reply(front_end: FrontEnd) -> None:
    run = FakeRun(Trace(live=True, run_id="unanswered"))
    RUNS.add(run)
    front_end.session.receive({"op": "stop", "run": "unanswered"})
    assert run.done == ["cancel"]
    assert front_end.sent.empty()


def test_a_run_that_has_ended_cannot_be_hurried(front_end: FrontEnd) -> None:
    trace = nested()
    trace.events[:] = []
    trace._run_id = "ended-already"
    run = FakeRun(trace)
    RUNS.add(run)
    assert "ended already" in front_end.ask(op="answer_now", run="ended-already")["error"]
    assert "ended already" in front_end.ask(op="try_now", run="ended-already")["error"]
    assert run.done == []


def test_a_stop_of_an_unknown_run_names_the_next_move(front_end: FrontEnd) -> None:
    assert "interrupt the kernel" in front_end.ask(op="stop", run="nothing")["error"]


def test_events_whole(front_end: FrontEnd) -> None:
    trace = front_end.known["papers-1"] = nested()
    reply = front_end.ask(op="whole", run="papers-1", seqs=[3, 1, 99])
    assert reply == {"op": "reply", "events": [to_dict(trace.events[1]), to_dict(trace.events[3])]}


def test_the_bundle_is_the_desks(front_end: FrontEnd) -> None:
    front_end.known["papers-1"] = nested()
    assert front_end.ask(op="bundle", run="papers-1") == {"op": "reply", "data": {"text/plain": "papers-1"}}


def test_the_file_is_the_whole_trace(front_end: FrontEnd, tmp_path: Path) -> None:
    trace = front_end.known["papers-1"] = nested()
    path = tmp_path / "copy.rlm.jsonl"
    path.write_text(front_end.ask(op="file", run="papers-1")["text"])
    assert load(path).events == trace.events


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("nothing", "%rlm list"),
        ("broken", "line 3 is not JSON"),
        ("cursed", "ZeroDivisionError: one by nothing"),
    ],
)
def test_what_cannot_be_had_is_an_error_and_the_session_goes_on(
    run: str, said: str, front_end: FrontEnd
) -> None:
    assert said in front_end.ask(op="file", run=run)["error"]
    front_end.known["papers-1"] = nested()
    assert "error" not in front_end.ask(op="file", run="papers-1")


def test_a_closed_session_says_nothing_and_has_no_thread(front_end: FrontEnd) -> None:
    story = Story()
    front_end.known["papers-1"] = story.trace
    front_end.watch("papers-1")
    front_end.next()
    thread = own_thread()
    front_end.session.close()
    assert ended(thread)
    while not front_end.sent.empty():
        front_end.sent.get()
    front_end.session.greet()
    front_end.session.receive({"op": "stop", "run": "papers-1", "ask": 1})
    assert front_end.sent.empty()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=5,
)
OPS = st.sampled_from(
    ["watch", "unwatch", "whole", "stop", "answer_now", "try_now", "bundle", "file", "dance", 3, None]
)
NEARLY = st.fixed_dictionaries(
    {}, optional={"op": OPS, "run": JSON, "ask": JSON, "since": JSON, "seqs": JSON, "more": JSON}
)


@example(data={"op": "unwatch", "run": "x", "since": None})
@example(data={"op": "unwatch", "run": "x", "seqs": None})
@given(data=JSON | NEARLY)
def test_no_message_is_too_odd_to_be_read(data: Any) -> None:
    op = read_op(data)
    if op is None:
        return
    assert isinstance(op.run, str) and isinstance(op.error, str)
    assert op.ask is None or type(op.ask) in (int, str)
    assert op.error == "" or op.ask is not None
    assert op.since >= 0 and all(seq >= 0 for seq in op.seqs)


MISTAKES = {
    "an unknown op": ({"op": "dance", "run": "x"}, "update it"),
    "no op": ({"run": "x"}, "update it"),
    "no run": ({"op": "stop"}, "the id of a run"),
    "a run that is a number": ({"op": "stop", "run": 1}, "the id of a run"),
    "no since": ({"op": "watch", "run": "x"}, "'since'"),
    "a since below nothing": ({"op": "watch", "run": "x", "since": -1}, "'since'"),
    "a since that is a bool": ({"op": "watch", "run": "x", "since": True}, "'since'"),
    "no seqs": ({"op": "whole", "run": "x"}, "'seqs'"),
    "words for seqs": ({"op": "whole", "run": "x", "seqs": ["1"]}, "'seqs'"),
    "too many seqs": ({"op": "whole", "run": "x", "seqs": [1] * 1001}, "'seqs'"),
}


@pytest.mark.parametrize(("message", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_to_whoever_asks(message: dict[str, Any], said: str, front_end: FrontEnd) -> None:
    assert said in front_end.ask(**message)["error"]
    front_end.session.receive(message)
    assert front_end.sent.empty()


# The runs of the process


def test_a_run_is_there_as_long_as_somebody_holds_it() -> None:
    runs, run = Runs(), FakeRun(Trace(run_id="a"))
    runs.add(run)
    assert runs.get("a") is run
    del run
    assert runs.get("a") is None


def test_a_loaded_copy_does_not_take_the_place_of_the_run() -> None:
    runs, run, copy = Runs(), FakeRun(Trace(live=True, run_id="a")), FakeRun(Trace(run_id="a"))
    runs.add(run)
    runs.add(copy)
    assert runs.get("a") is run
    assert runs.live() == [run.trace]


def test_a_run_knows_the_cell_that_started_it_and_a_loaded_one_none() -> None:
    runs, run, copy = Runs(), FakeRun(Trace(live=True, run_id="a")), FakeRun(Trace(run_id="b"))
    runs.cell = lambda: "cell-1"
    runs.add(run)
    runs.add(copy)
    assert (runs.cell_of("a"), runs.cell_of("b"), runs.cell_of("c")) == ("cell-1", "", "")


class Ear:
    def __init__(self, hear: Callable[[], None]) -> None:
        self.wake = hear

    def watches(self, run_id: str) -> bool:
        return run_id == "a"


def test_a_listener_hears_of_runs_that_begin() -> None:
    runs, heard = Runs(), list[str]()
    ear = Ear(lambda: heard.append("run"))
    runs.listen(ear)
    kept = [FakeRun(Trace(run_id="old")), FakeRun(Trace(live=True, run_id="new"))]
    for run in kept:
        runs.add(run)
    assert heard == ["run"]
    assert (runs.watched("a"), runs.watched("b")) == (True, False)
    del ear
    assert not runs.watched("a")


def test_it_tells_of_runs_on_disk_that_were_made_from_others(front_end: FrontEnd) -> None:
    stored = Peek(run_id="fork-1", kind="fork", parent="papers-1", at="0.3", status="finished")
    front_end.known["papers-1"] = nested()
    front_end.on_disk = [stored, replace(stored, run_id="papers-1")]
    front_end.session.greet()
    origin = {"kind": "fork", "run": "papers-1", "at": "0.3"}
    card = {"run": "fork-1", "cell": "", "status": "finished", "live": False, "origin": origin}
    runs = front_end.next()["runs"]
    assert [each["run"] for each in runs] == ["papers-1", "fork-1"]
    assert runs[1] == card


def test_a_run_is_made_from_another(front_end: FrontEnd) -> None:
    wish = {"op": "derive", "run": "papers-1", "kind": "fork", "at": "0.3", "edit": {"hint": "look"}}
    assert front_end.ask(**wish) == {
        "op": "reply",
        "runs": ["fork of papers-1 at 0.3 with {'hint': 'look'}"],
    }
    assert front_end.ask(**{**wish, "at": "0.9"})["error"] == "no call or turn '0.9' in this run"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "steal"}, "derive needs under 'kind' one of replay, fork, rerun, resume"),
        ({"kind": None}, "derive needs under 'kind' one of"),
        ({"at": 3}, "derive needs under 'at' the path of a step"),
        ({"edit": "code"}, "derive needs under 'edit' an object"),
        ({"edit": {"code": 1, "wait": True}}, "derive cannot change code, wait like that"),
        ({"edit": {"limits": {"max_turns": "many"}}}, "derive cannot change limits like that"),
        ({"edit": {"temperature": True}}, "derive cannot change temperature like that"),
        ({"run": None}, "derive needs the id of a run under 'run'"),
    ],
)
def test_a_wish_that_makes_no_sense(front_end: FrontEnd, wrong: dict[str, Any], told: str) -> None:
    wish = {"op": "derive", "run": "papers-1", "kind": "fork", "at": "0.3", "edit": {}}
    assert front_end.ask(**{**wish, **wrong})["error"].startswith(told)


def test_a_person_decides_about_a_block(front_end: FrontEnd) -> None:
    run = FakeRun(Trace(live=True, run_id="stepped-1"))
    RUNS.add(run)
    place = {"op": "decide", "run": "stepped-1", "call": "0", "turn": 2, "block": 1}
    assert front_end.ask(**place, what="run") == {"op": "reply", "ok": True}
    assert front_end.ask(**place, what="edit", code="n = 1") == {"op": "reply", "ok": True}
    assert front_end.ask(**place, what="skip")["ok"]
    assert run.done == ["0 2 1  None", "0 2 1 edited n = 1", "0 2 1 skipped None"]
    gone = front_end.ask(**{**place, "block": 2}, what="run")["error"]
    assert gone == "no block waits at block 2 of turn 2 of call 0 any more"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"what": "burn"}, "decide needs under 'what' one of run, edit, skip"),
        ({"turn": "1"}, "decide needs a place"),
        ({"what": "edit", "code": None}, "decide needs the new 'code'"),
    ],
)
def test_a_decision_that_makes_no_sense(front_end: FrontEnd, wrong: dict[str, Any], told: str) -> None:
    message = {"op": "decide", "run": "stepped-1", "call": "0", "turn": 1, "block": 1, "what": "run"}
    assert front_end.ask(**{**message, **wrong})["error"].startswith(told)
