"""`--isolation inline`: blocks run in the user's own process, over the very objects. By explicit choice only.

Nothing is protected from them: what they change is changed, what the process can reach they can reach, and where they end
it (`os._exit`) it ends. A block runs in a thread, and no thread can be killed: one that does not stop when it is told to
is given up. What it prints and asks goes nowhere from then on, and the model and the tree are told that it may go on. A
call that keeps the interpreter to itself (`sum(range(10**11))`) stops the whole process for as long as it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import logging
import threading
from dataclasses import replace
from typing import Any

from rlm_kernel.errors import ContextError, ProtocolError, WorkerLost
from rlm_kernel.repl.base import SubcallBatch
from rlm_kernel.repl.calls import read_batch
from rlm_kernel.repl.child.inline import InlineLink, serve
from rlm_kernel.repl.child.inline_stage import InlineStage
from rlm_kernel.repl.child.interrupting import Gate
from rlm_kernel.repl.child.scaffold import FILE_PREFIX
from rlm_kernel.repl.launcher import Hooks
from rlm_kernel.repl.live import Live
from rlm_kernel.repl.output import Output
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.routes import decode
from rlm_kernel.repl.worker import WorkerRepl
from rlm_kernel.trace import ErrorInfo

CLOSE_SECONDS = 0.5
"""How long the end of a run waits for a block that was told to stop."""
_GIVEN_UP = "this block was given up: nobody waits for it any more"
_PLAIN = ("none", "text", "bytes", "marshal")  # no code can hide in them
_marks = itertools.count(1)
_log = logging.getLogger(__name__)


class InlineRepl(WorkerRepl):
    """A namespace in a thread of this process; see `WorkerRepl`."""

    def _read(self, data: dict[str, Any], blob: bytes) -> SubcallBatch:
        # Nothing that comes as bytes can hold such an object, so a worker cannot pass one off as its context.
        lives = [context if isinstance(context, Live) else None for context in data["contexts"]]
        contexts = [
            each if live is None else None for each, live in zip(data["contexts"], lives, strict=True)
        ]
        batch = read_batch({**data, "contexts": contexts}, blob)
        pairs = zip(batch.requests, lives, strict=True)
        return replace(
            batch, requests=tuple(replace(each, packed=live) if live else each for each, live in pairs)
        )

    def _told(self, lost: WorkerLost) -> tuple[ErrorInfo, str]:
        why, _ = super()._told(lost)
        what = f"the block did not stop ({why.message if self._why_stopped else lost})"
        message = f"{what}. It cannot be ended either: it may still run, in the user's own process"
        note = (
            "The block was given up: what it prints from now on is lost, its sub-calls are refused, and what it does to the "
            "user's objects is done. You have a new namespace: your variables are lost, `context` and the functions are there."
        )
        return ErrorInfo(type=why.type, message=message), note


class InlineLauncher:
    """Starts threads where other launchers start processes."""

    isolation = "inline"

    async def start(self, hooks: Hooks, context: Packed | None, *, seed: int) -> InlineProcess:
        """A thread with a namespace of its own. Chance is not seeded: the generators are the user's. Raises
        `ContextError`."""
        return InlineProcess(hooks, _value(context))

    async def close(self) -> None:
        """There is nothing to end: each namespace has been closed."""


class InlineProcess:
    """A namespace in a thread, as a `Process`. Use on the engine's loop thread only."""

    def __init__(self, hooks: Hooks, context: Any) -> None:
        self._hooks = hooks
        self._loop = asyncio.get_running_loop()
        self._mark = f"{FILE_PREFIX}~{next(_marks)}:"
        self.stdout = InlineStream(hooks.flood, self._mark)
        self.stderr = InlineStream(hooks.flood, self._mark)
        self._link = InlineLink(self._deliver)
        self._gate = Gate()
        self._ended = asyncio.Event()
        self._over = False
        # In the context of whoever asked: a notebook tells by it which cell something that a library prints belongs to.
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(self._serve, context), name="rlm-inline", daemon=True)
        thread.start()

    def send(self, data: dict[str, Any]) -> None:
        """Hands a frame over; see `Process.send`."""
        if self._over:
            return
        if data["op"] == "reply":
            self._link.answer(data)
        else:
            self._link.orders.put(data)

    def interrupt(self) -> None:
        """Raises `KeyboardInterrupt` in the running block, as soon as it runs Python again."""
        if self._gate.interrupt():
            self._link.wake(self._gate.thread)

    def kill(self, why: str) -> None:
        """Gives the thread up; `on_lost` follows."""
        if not self._over:
            self._give_up()
            self._loop.call_soon(self._hooks.on_lost, WorkerLost(why))

    async def close(self) -> None:
        """Ends the thread, or gives it up when it does not end soon."""
        if self._over:
            return
        self._give_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._ended.wait()
        if not self._ended.is_set():
            _log.warning(
                "a block of a run that has ended did not stop, and may still run in this process (inline)"
            )

    def _give_up(self) -> None:
        self._over = True
        self._link.give_up(_GIVEN_UP)
        self.stdout.end()
        self.stderr.end()
        self.interrupt()

    def _deliver(self, data: dict[str, Any], blob: bytes) -> None:
        self._loop.call_soon_threadsafe(self._receive, data, blob)

    def _receive(self, data: dict[str, Any], blob: bytes) -> None:
        if self._over:
            return
        try:
            self._hooks.on_frame((data, blob))
        except ProtocolError as error:
            self.kill(f"it broke the protocol: {error}")

    def _serve(self, context: Any) -> None:
        stage = InlineStage(self.stdout, self.stderr)
        why = "its thread ended"
        try:
            serve(self._link, context, stage, self._gate, self._mark)
        except BaseException as error:  # noqa: BLE001 - the block of a thread that was given up may raise anything
            why = f"its thread ended with {type(error).__name__}"
        self._loop.call_soon_threadsafe(self._end, why)

    def _end(self, why: str) -> None:
        self._ended.set()
        self.kill(why)


class InlineStream:
    """What the blocks print to one of the standard streams, from any thread; see `launcher.Stream`."""

    def __init__(self, flood: int, mark: str) -> None:
        self._flood = flood
        self._mark = mark
        self._output = Output()
        self._lock = threading.Lock()
        self._open = True

    def write(self, text: str, /) -> int:
        """Takes a text. Raises `OSError` once a block has written far too much."""
        with self._lock:
            if not self._open:
                return len(text)
            if self._output.size > self._flood:
                raise OSError(f"the block wrote more than {self._flood:,} bytes of output; print less")
            self._output.add(text.replace(self._mark, FILE_PREFIX).encode("utf-8", "backslashreplace"))
        return len(text)

    def renew(self) -> None:
        """Starts a new block's output."""
        with self._lock:
            self._output = Output()

    def read_all(self) -> None:
        """What was written is there already."""

    def text(self) -> tuple[str, int]:
        """What the block wrote; see `Output.text`."""
        with self._lock:
            return self._output.text()

    def end(self) -> None:
        """Takes nothing any more."""
        with self._lock:
            self._open = False


def _value(context: Packed | None) -> Any:
    if context is None:
        return None
    if isinstance(context, Live):
        return context.value
    if context.route not in _PLAIN:
        raise ContextError(
            f"a {context.card.type} that was packed elsewhere is not unpacked in this process: inline takes the object itself",
            type_name=context.card.type,
        )
    return decode(context.route, context.fd, context.size)


__all__ = ["CLOSE_SECONDS", "InlineLauncher", "InlineProcess", "InlineRepl", "InlineStream"]
