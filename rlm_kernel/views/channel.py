"""A front end's conversation with the kernel while a run goes on: what it asks for, and what it is told unasked.

A `Session` is one end of it and knows nothing of how messages travel. They come in on whatever thread the transport
has, and that thread never waits: a stop is passed on there and then, everything else is done by the session's own
thread. That one is started in the contextvars of the first message, so that a kernel takes what it sends for an
answer to that message, and not for output of the cell that happens to run.
"""

from __future__ import annotations

import contextvars
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from rlm_kernel.errors import RLMError
from rlm_kernel.trace import Peek, Trace, save, to_dict
from rlm_kernel.version import __version__
from rlm_kernel.views.feed import Feed
from rlm_kernel.views.op import Op, Verdict, Wish, read_op
from rlm_kernel.views.runs import RUNS
from rlm_kernel.views.shortened import sendable

PROTOCOL = 1
PAUSE_SECONDS = 0.1
NAME = "rlm-channel"


class Desk(Protocol):
    """Where a session looks things up. Its methods may take their time."""

    def find(self, run_id: str) -> Trace | None:
        """The trace of that run, or None. Raises `RLMError` for one that cannot be read."""

    def traces(self) -> list[Trace]:
        """Those a front end is told about unasked."""

    def stored(self) -> list[Peek]:
        """Runs that were made from others and are only on disk."""

    def bundle(self, trace: Trace) -> dict[str, Any]:
        """What the notebook should hold of it, by MIME type."""

    def derive(self, run_id: str, wish: Wish) -> list[str]:
        """The ids of new runs, under way, made from that one. Raises `RLMError`."""


class Session:
    """One front end. `send` takes a JSON-able message, on any thread."""

    def __init__(self, send: Callable[[dict[str, Any]], None], desk: Desk) -> None:
        self._send = send
        self._desk = desk
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._woken = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._feeds: dict[str, Feed] = {}
        self._going: dict[str, Trace] = {}
        self._told: dict[str, tuple[object, ...]] = {}
        RUNS.listen(self)

    def greet(self) -> None:
        """Says hello: who this is, and which runs there are."""
        self._later(self._hello)

    def receive(self, data: object) -> None:
        """Takes a message and returns at once. No message makes it raise."""
        op = read_op(data)
        if op is None or self._closed:
            return
        if op.error:
            self._reply(op, error=op.error)
        elif op.name in ("stop", "answer_now", "try_now"):
            self._pass_on(op)
        elif op.name == "derive":
            # Packing a context and replaying up to a call take their time, and the trees are to grow meanwhile.
            self._beside(lambda: self._serve(op))
        else:
            self._later(lambda: self._serve(op))

    def wake(self) -> None:
        """Has the session look at its runs now."""
        self._woken.set()

    def watches(self, run_id: str) -> bool:
        """Whether the front end draws the run from what it is sent."""
        return run_id in self._feeds

    def close(self) -> None:
        """Ends the session: nothing more is sent, and its thread ends."""
        self._closed = True
        self._feeds = {}
        self.wake()

    # On the transport's thread

    def _later(self, work: Callable[[], None]) -> None:
        self._inbox.put(work)
        self.wake()
        if self._thread is None:
            run = contextvars.copy_context().run
            self._thread = threading.Thread(target=run, args=(self._loop,), name=NAME, daemon=True)
            self._thread.start()

    def _beside(self, work: Callable[[], None]) -> None:
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(work,), name=NAME, daemon=True).start()

    def _pass_on(self, op: Op) -> None:
        run = RUNS.get(op.run)
        if run is None:
            self._reply(
                op, error=f"this kernel has no run {op.run!r} under way: interrupt the kernel instead"
            )
        elif op.name == "stop":
            run.cancel()
            self._reply(op, ok=True)
        elif not run.trace.live:
            self._reply(op, error="the run has ended already: what it has is in its tree")
        else:
            if op.name == "try_now":
                run.try_now()
            else:
                run.answer_now()
            self._reply(op, ok=True)

    # On the session's own thread

    def _loop(self) -> None:
        while not self._closed:
            self._woken.clear()
            self._work()
            self._tell()
            if not self._feed():
                self._woken.wait(PAUSE_SECONDS if self._feeds or self._going else None)

    def _work(self) -> None:
        while not self._closed:
            try:
                self._inbox.get_nowait()()
            except Empty:
                return

    def _tell(self) -> None:
        """Tells of each run that is new or stands otherwise than when it was last told of."""
        for trace in self._traces():
            card = self._card(trace)
            if self._told.get(card["run"]) != _standing(card):
                self._note(trace, card)
                self._send_on({"op": "run", "card": card})

    def _feed(self) -> bool:
        """Sends each watched run's next message; whether there is more to send at once."""
        more = False
        for run_id, feed in list(self._feeds.items()):
            message = feed.take()
            if message:
                self._send_on(message)
            if feed.over:
                self._feeds.pop(run_id, None)
            more = more or feed.more
        return more

    def _hello(self) -> None:
        cards = []
        for trace in self._traces():
            cards.append(self._card(trace))
            self._note(trace, cards[-1])
        known = {card["run"] for card in cards}
        cards += [card for card in map(_stored_card, self._desk.stored()) if card["run"] not in known]
        self._send_on({"op": "hello", "version": __version__, "protocol": PROTOCOL, "runs": cards})

    def _traces(self) -> list[Trace]:
        # Those told of as live are kept until their end is told, also when nobody else keeps them.
        return list({trace.run_id: trace for trace in (*self._going.values(), *self._desk.traces())}.values())

    def _card(self, trace: Trace) -> dict[str, Any]:
        live, run_id = trace.live, trace.run_id
        origin = trace.started.origin if trace.started else None
        made = {"kind": origin.kind, "run": origin.run, "at": origin.at} if origin else None
        card = {
            "run": run_id,
            "cell": RUNS.cell_of(run_id),
            "status": trace.status,
            "live": live,
            "origin": made,
        }
        sent: dict[str, Any] = sendable(card)
        return sent

    def _note(self, trace: Trace, card: dict[str, Any]) -> None:
        self._told[card["run"]] = _standing(card)
        if card["live"]:
            self._going[trace.run_id] = trace
        else:
            self._going.pop(trace.run_id, None)

    def _serve(self, op: Op) -> None:
        try:
            if op.name == "watch":
                self._feeds[op.run] = Feed(self._trace(op.run), op.since)
            elif op.name == "unwatch":
                self._feeds.pop(op.run, None)
            else:
                self._reply(op, **self._result(op))
        except (RLMError, OSError) as error:
            self._reply(op, error=str(error))
        except Exception as error:  # noqa: BLE001 - a request that fails must not end those of every other run
            self._reply(op, error=f"{type(error).__name__}: {error}; restart the kernel and ask again")

    def _trace(self, run_id: str) -> Trace:
        # Whoever watches has to hear that nothing will come.
        try:
            found = self._desk.find(run_id)
        except RLMError:
            found = Trace(run_id=run_id)
            found.warning = f"the trace of this run cannot be read: %rlm show {run_id} says why"
        return Trace(run_id=run_id) if found is None else found

    def _result(self, op: Op) -> dict[str, Any]:
        if op.wish is not None:
            return {"runs": self._desk.derive(op.run, op.wish)}
        if op.verdict is not None:
            return _decided(op.run, op.verdict)
        trace = self._desk.find(op.run)
        if trace is None:
            return {"error": f"this kernel has no run {op.run!r}: %rlm list has those there are"}
        if op.name == "whole":
            wanted = set(op.seqs)
            return {"events": [sendable(to_dict(each)) for each in list(trace.events) if each.seq in wanted]}
        if op.name == "bundle":
            return {"data": self._desk.bundle(trace)}
        return {"text": _jsonl(trace)}

    # On both

    def _reply(self, op: Op, **result: Any) -> None:
        if op.ask is not None:
            self._send_on({"op": "reply", "ask": op.ask, **result})

    def _send_on(self, message: dict[str, Any]) -> None:
        if not self._closed:
            self._send(message)


def _stored_card(stored: Peek) -> dict[str, Any]:
    made = {"kind": stored.kind, "run": stored.parent, "at": stored.at}
    card = {"run": stored.run_id, "cell": "", "status": stored.status, "live": False, "origin": made}
    sent: dict[str, Any] = sendable(card)
    return sent


def _standing(card: dict[str, Any]) -> tuple[object, ...]:
    """What of a card is news when it is different."""
    return card["status"], card["live"], card["origin"] is not None


def _decided(run_id: str, verdict: Verdict) -> dict[str, Any]:
    run = RUNS.get(run_id)
    place = verdict.call, verdict.turn, verdict.block
    if run is not None and run.decide(*place, verdict.decision, verdict.code):
        return {"ok": True}
    return {
        "error": f"no block waits at block {verdict.block} of turn {verdict.turn} of call {verdict.call} any more"
    }


def _jsonl(trace: Trace) -> str:
    with tempfile.TemporaryDirectory(prefix="rlm-") as folder:
        return save(trace, Path(folder, "trace")).read_text("ascii")


__all__ = ["NAME", "PAUSE_SECONDS", "PROTOCOL", "Desk", "Session"]
