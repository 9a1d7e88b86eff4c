"""`WorkerRepl`: a `Repl` in a process of its own. A worker that dies is replaced, and the model is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rlm_kernel.errors import ProtocolError, ReplError, RLMError, WorkerLost
from rlm_kernel.repl.base import (
    BlockResult,
    Foreseen,
    Serve,
    SubcallBatch,
)
from rlm_kernel.repl.calls import foreseen_frame, read_batch, read_done, result_frame
from rlm_kernel.repl.frames import Frame
from rlm_kernel.repl.launcher import Hooks, Launcher, Process
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.process import broken_context
from rlm_kernel.repl.rich import checked
from rlm_kernel.repl.stopwatch import Stopwatch
from rlm_kernel.repl.values.limits import BUDGET_BYTES
from rlm_kernel.trace import ErrorInfo, RichOutput

OUTPUT_LIMIT = 50_000_000
GRACE_SECONDS = 1.0
VALUES_SECONDS = 60.0
MOST_AT_ONCE = 5_000
"""Each waits in a thread of the worker, so more than it can have threads are forged."""
TO_PROVE = ("guarded", "bwrap")
"""The levels at which nothing runs in a worker that is not guarded."""


class WorkerRepl:
    """A namespace in a worker process. Use on the engine's loop thread only.

    `block_seconds` limits a block's own time: the clock stands still while sub-calls are under way. When it is
    over the block is interrupted (its variables are kept), and a second later the worker is killed.
    """

    def __init__(
        self, launcher: Launcher, context: Packed | None, *, block_seconds: float, seed: int = 0
    ) -> None:
        self.isolation = launcher.isolation
        self._launcher = launcher
        self._context = context
        self._seed = seed
        self._block_seconds = block_seconds
        self._loop = asyncio.get_running_loop()
        self._serve: Serve | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._noting: list[asyncio.Task[None]] = []
        self._foreseen = 0
        self._worker: Process | None = None
        self._answered: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._given: asyncio.Future[Frame] = self._loop.create_future()
        self._giving = asyncio.Lock()  # one answer is awaited at a time
        self._asked = 0
        self._lost: WorkerLost | None = None
        self._why_stopped: ErrorInfo | None = None
        self._started = 0.0

    async def open(self) -> None:
        """Starts the worker; returns when the context is there. Raises `ContextError`, `ReplError`."""
        self._answered, self._lost = self._loop.create_future(), None
        hooks = Hooks(on_frame=self._on_frame, on_lost=self._on_lost, flood=OUTPUT_LIMIT)
        self._worker = await self._launcher.start(hooks, self._context, seed=self._seed)
        try:
            frame = await self._answered
        except WorkerLost as lost:
            raise self._never_opened(lost) from None
        if frame["op"] == "broken":
            card = self._context.card if self._context else None
            raise broken_context(str(frame.get("message")), card.type if card else "value")
        self._check(frame)

    def _never_opened(self, lost: WorkerLost) -> WorkerLost:
        said = str(self._outputs().get("stderr", "")).strip().rpartition("\n")[2]
        return WorkerLost(
            f"the worker did not start: {lost}{': ' * bool(said)}{said}", exit_code=lost.exit_code
        )

    def _check(self, opened: dict[str, Any]) -> None:
        """Holds the worker to the level that the run promised. Raises `ReplError`."""
        if self.isolation not in TO_PROVE or opened.get("isolation") == "guarded":
            return
        holes = "; ".join(map(str, opened.get("holes") or ())) or "it did not say why"
        raise ReplError(
            f"the worker is not guarded as this run promised ({holes}), so nothing runs in it. "
            "--isolation worker runs without a guard, and says so."
        )

    async def execute(
        self,
        code: str,
        *,
        name: str,
        serve: Serve,
        plain_children: bool = False,
        foreseen: Sequence[Foreseen] = (),
        model: str = "",
    ) -> BlockResult:
        """Runs a block; see `Repl.execute`."""
        if self._worker is None:
            await self.open()
        worker = self._worker
        assert worker is not None
        worker.stdout.renew()
        worker.stderr.renew()
        self._answered = self._loop.create_future()
        self._serve, self._why_stopped, self._started = serve, None, time.monotonic()
        self._watch = Stopwatch(self._block_seconds, self._overrun)
        order = {
            "op": "execute",
            "code": code,
            "name": name,
            "plain_children": plain_children,
            "model": model,
        }
        self._foreseen = len(foreseen)
        worker.send({**order, "foreseen": [foreseen_frame(each) for each in foreseen]})
        if self._lost:  # it ended after the last block: nothing answers
            self._answered.set_exception(self._lost)
        try:
            done = await self._answered
            await asyncio.gather(*self._noting)
            return self._result(done)
        except WorkerLost as lost:
            return await self._replace(lost)
        except ProtocolError as error:
            return await self._replace(WorkerLost(f"it broke the protocol: {error}"))
        finally:
            self._watch.stop()
            self._serve = None
            await self._drop_subcalls()

    async def values(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """The variables as objects; see `Repl.values`."""
        async with self._giving:
            data, blob = await self._ask_values(names)
        from rlm_kernel.repl.values.unpack import (
            unpack_values,
        )  # slow to import, and few runs are asked for variables

        # Reading millions of parts, or importing pandas, would hold up every run of this process.
        return await asyncio.to_thread(unpack_values, data, blob)

    async def _ask_values(self, names: Sequence[str] | None) -> Frame:
        if self._serve is not None:
            raise ReplError("a block is running: variables are given between blocks")
        if self._worker is None:
            await self.open()
        if self._lost or self._worker is None:
            raise ReplError(f"the variables are lost with their process: {self._lost}")
        self._given, self._asked = self._loop.create_future(), self._asked + 1
        order = {"op": "values", "number": self._asked, "budget_bytes": BUDGET_BYTES}
        self._worker.send({**order, "names": None if names is None else list(names)})
        try:
            async with asyncio.timeout(VALUES_SECONDS):
                return await self._given
        except TimeoutError:
            await self.close()
            raise ReplError(
                f"the worker did not give its variables within {VALUES_SECONDS:g} s and was ended; ask for some by name"
            ) from None

    def stop(self, why: ErrorInfo) -> None:
        """Interrupts the running block, and kills the worker when that does not end it within a second."""
        worker = self._worker
        if worker is None or self._serve is None or self._why_stopped:
            return
        self._why_stopped = why
        worker.interrupt()
        # A thread of the block may wait for these, and the block for the thread.
        for task in self._serving:
            task.cancel()
        self._watch.stop()
        self._watch = Stopwatch(GRACE_SECONDS, lambda: worker.kill("it did not stop when it was told to"))

    def partial(self) -> BlockResult:
        """What the current or last block wrote so far."""
        return BlockResult(**self._outputs(), seconds=time.monotonic() - self._started)

    async def close(self) -> None:
        """Ends the worker and whatever it runs."""
        await self._drop_subcalls()
        if self._worker is not None:
            await self._worker.close()
            self._worker = None

    def _on_frame(self, frame: Frame) -> None:
        data, blob = frame
        match data["op"]:
            case "call" if data.get("known"):
                if len(self._noting) >= self._foreseen:
                    raise ProtocolError("it was told no such results ahead")
                self._noting.append(self._loop.create_task(self._note_call(data, blob)))
            case "call":
                if len(self._serving) >= MOST_AT_ONCE:
                    raise ProtocolError(f"more than {MOST_AT_ONCE:,} sub-calls at once")
                task = self._loop.create_task(self._answer_call(data, blob))
                self._serving.add(task)
                if not self._why_stopped:
                    self._watch.pause()
                task.add_done_callback(self._served)
            case "done" | "opened" | "broken":
                if not self._answered.done():
                    self._answered.set_result(data)
            case "values":
                # The answer to somebody who was cancelled is nobody's.
                if data.get("number") == self._asked and not self._given.done():
                    self._given.set_result(frame)
            case other:
                raise ProtocolError(f"unknown frame {other!r}")

    def _served(self, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        if not self._serving and not self._why_stopped:
            self._watch.resume()
        if not task.cancelled() and task.exception() is not None and not self._answered.done():
            self._answered.set_exception(task.exception() or ReplError("a sub-call failed"))

    def _on_lost(self, error: WorkerLost) -> None:
        self._lost = error
        if not self._answered.done():
            self._answered.set_exception(error)
        if self._giving.locked() and not self._given.done():
            self._given.set_exception(error)

    async def _note_call(self, data: dict[str, Any], blob: bytes) -> None:
        # The block knows the results already.
        if self._serve is not None:
            await self._serve(self._read(data, blob))

    async def _answer_call(self, data: dict[str, Any], blob: bytes) -> None:
        reply: dict[str, Any] = {"op": "reply", "number": data.get("number")}
        try:
            if self._serve is None:
                raise RLMError("no block is running any more: a thread outlived the block that started it")
            if self._why_stopped:
                raise RLMError(self._why_stopped.message)
            results = await self._serve(self._read(data, blob))
            reply["results"] = [result_frame(result) for result in results]
        except RLMError as error:
            reply["refused"] = str(error)
        except asyncio.CancelledError:
            if self._why_stopped is None:
                raise
            reply["refused"] = self._why_stopped.message
        if self._worker is not None:
            self._worker.send(reply)

    def _read(self, data: dict[str, Any], blob: bytes) -> SubcallBatch:
        return read_batch(data, blob)

    async def _drop_subcalls(self) -> None:
        # The block has ended or is to end: nobody waits for these any more.
        tasks = [*self._serving, *self._noting]
        self._noting = []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _overrun(self) -> None:
        message = (
            f"the block ran longer than {self._block_seconds:g} s of its own time and was stopped. "
            "Work on a smaller piece, or in several blocks"
        )
        self.stop(ErrorInfo(type="TimeoutError", message=message))

    async def _replace(self, lost: WorkerLost) -> BlockResult:
        outputs = self._outputs()
        seconds = time.monotonic() - self._started
        await self.close()
        error, note = self._told(lost)
        return BlockResult(**outputs, error=error, notes=(note,), seconds=seconds)

    def _told(self, lost: WorkerLost) -> tuple[ErrorInfo, str]:
        """What the model is told of a namespace that is gone."""
        gone = ErrorInfo(type="WorkerLost", message=f"the process that ran the block is gone: {lost}")
        note = "The namespace was rebuilt: your variables are lost, `context` and the functions are there."
        return self._why_stopped or gone, note

    def _result(self, frame: dict[str, Any]) -> BlockResult:
        done = read_done(frame)
        error = done.error
        if error and self._why_stopped and error.type == "KeyboardInterrupt":
            error = replace(self._why_stopped, traceback=error.traceback)
        outputs, refused = checked(frame.get("outputs"))
        return BlockResult(
            **self._outputs(),
            error=error,
            submission=done.answer,
            variables=done.variables,
            outputs=tuple(RichOutput(data=data) for data in outputs),
            names=done.names,
            notes=(*done.notes, *refused),
            seconds=done.seconds,
        )

    def _outputs(self) -> dict[str, Any]:
        if self._worker is None:
            return {}
        self._worker.stdout.read_all()
        self._worker.stderr.read_all()
        stdout, stdout_chars = self._worker.stdout.text()
        stderr, stderr_chars = self._worker.stderr.text()
        return {
            "stdout": stdout,
            "stderr": stderr,
            "stdout_chars": stdout_chars,
            "stderr_chars": stderr_chars,
        }


__all__ = ["GRACE_SECONDS", "MOST_AT_ONCE", "OUTPUT_LIMIT", "VALUES_SECONDS", "WorkerRepl"]
