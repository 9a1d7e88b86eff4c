"""The thread in which blocks run in their owner's own process: over the very objects, with nothing between."""

from __future__ import annotations

import itertools
import linecache
import threading
from queue import SimpleQueue

from rlm_kernel.repl.child.inline_stage import InlineStage
from rlm_kernel.repl.child.interrupting import Gate
from rlm_kernel.repl.child.lanes import Lane
from rlm_kernel.repl.child.namespace import Namespace
from rlm_kernel.repl.child.orders import obey
from rlm_kernel.repl.child.scaffold import FILE_PREFIX, Scaffold
from rlm_kernel.repl.live import live_context

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_INTERRUPTED = "the block was interrupted"


class InlineLink:
    """The thread's end of the line to the engine. `deliver` hands a frame over, from any thread."""

    def __init__(self, deliver: Callable[[dict[str, Any], bytes], None]) -> None:
        self._deliver = deliver
        self._waiting: dict[int, tuple[SimpleQueue[dict[str, Any]], int]] = {}
        self._numbers = itertools.count()
        self._given_up = ""
        self.orders: SimpleQueue[dict[str, Any] | None] = SimpleQueue()

    def send(self, data: dict[str, Any], blob: bytes = b"") -> None:
        """Hands one frame over; nobody takes it once the block was given up."""
        if not self._given_up:
            self._deliver(data, blob)

    def ask(self, data: dict[str, Any], blob: bytes, lane: Lane) -> dict[str, Any]:
        """The engine's reply to a sub-call; blocks the calling thread, and only that one."""
        lane.settle()
        number = next(self._numbers)
        waiter: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._waiting[number] = waiter, threading.get_ident()
        try:
            if self._given_up:  # looked at now: from here on giving up reaches the waiter
                return {"refused": self._given_up}
            self.send({**data, "number": number}, blob)
            return waiter.get()
        finally:
            del self._waiting[number]

    def answer(self, reply: dict[str, Any]) -> None:
        """Hands a reply to who waits for it."""
        waiting = self._waiting.get(reply["number"])
        if waiting is not None:
            waiting[0].put(reply)

    def wake(self, thread: int) -> None:
        """Has that thread wait no longer."""
        self._refuse(_INTERRUPTED, thread)

    def give_up(self, why: str) -> None:
        """Ends the line: what is still sent goes nowhere, and sub-calls are refused."""
        self._given_up = why
        self._refuse(why)
        self.orders.put(None)

    def _refuse(self, why: str, thread: int | None = None) -> None:
        for waiter, waits in list(self._waiting.values()):
            if thread in (None, waits):
                waiter.put({"refused": why})


class InlineScaffold(Scaffold):
    """The names of a block that runs over live objects."""

    CHANGED = (
        "`context` was changed in place. It is the user's own object, not a copy: they see the change, and so do children "
        "that are given `context`. Keep results in variables of your own."
    )

    def __init__(self, link: InlineLink, context: Any) -> None:
        super().__init__(link, context)
        self._here = threading.local()

    def _lane(self) -> Lane:
        # How threads are started is not watched here, so nothing is known of a thread but that it is another.
        if not hasattr(self._here, "lane"):
            self._here.lane = Lane()
        lane: Lane = self._here.lane
        return lane

    def _flush(self) -> None:
        """Nothing is held back, and the process's own stream is its owner's."""

    def _packed(self, context: Any) -> tuple[Any, bytes]:
        return live_context(context), b""


class InlineNamespace(Namespace):
    """The namespace of one call. `mark` makes the names of its blocks its own: in this process others may have one of
    the same name, and Python looks for their lines by it."""

    def __init__(self, scaffold: Scaffold, stage: InlineStage, gate: Gate, mark: str) -> None:
        super().__init__(scaffold, stage)
        self._gate = gate
        self._mark = mark
        self._named: list[str] = []

    def run(self, code: str, name: str) -> dict[str, Any]:
        """What the block did, as the fields of a `done` frame."""
        own = self._mark + name.removeprefix(FILE_PREFIX)
        self._named.append(own)
        done = super().run(code, own)
        if done["error"] is not None:
            done["error"] = {
                key: text.replace(self._mark, FILE_PREFIX) for key, text in done["error"].items()
            }
        return done

    def close(self) -> None:
        """Leaves nothing of its blocks in this process but what they did."""
        for name in self._named:
            linecache.cache.pop(name, None)

    def _raised(self, work: Callable[[], object]) -> BaseException | None:
        try:
            self._gate.run(work)
        except BaseException as error:  # noqa: BLE001 - whatever the model's code raises is data for the model
            self._gate.shut()
            return error
        return None


def serve(link: InlineLink, context: Any, stage: InlineStage, gate: Gate, mark: str) -> None:
    """Serves the engine on the calling thread until there is no order any more."""
    scaffold = InlineScaffold(link, context)
    namespace = InlineNamespace(scaffold, stage, gate, mark)
    try:
        link.send({"op": "opened", "isolation": "inline", "holes": []})
        obey(link, scaffold, namespace)
    finally:
        namespace.close()


__all__ = ["InlineLink", "InlineNamespace", "InlineScaffold", "serve"]
