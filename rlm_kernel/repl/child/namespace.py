"""The child namespace: runs blocks one after the other, and says what each did.

What it is not: a sandbox. Process and guard keep the user safe; here one block is only kept from spoiling the next.
"""

from __future__ import annotations

import ast
import linecache
import os
import time
import traceback
import types

from rlm_kernel.repl.child.refused import explain
from rlm_kernel.repl.child.scaffold import FILE_PREFIX, Scaffold, Submitted
from rlm_kernel.repl.child.values import pack_values
from rlm_kernel.repl.child.variables import changes, glance, own_names
from rlm_kernel.text import cut

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rlm_kernel.repl.child.inline_stage import InlineStage
    from rlm_kernel.repl.child.stage import Stage

MAX_ANSWER = 16_000_000
_SPARE_BYTES = 4_000_000
_OURS = os.path.dirname(__file__)


class Namespace:
    """One namespace for the whole life of the worker. Everything here runs on one thread. `running` is whether a block
    is, and may be interrupted."""

    def __init__(self, scaffold: Scaffold, stage: Stage | InlineStage) -> None:
        self.running = False
        self._stage = stage
        self._variables = stage.variables
        self._gallery = stage.gallery
        self._scaffold = scaffold
        scaffold.install(self._variables)
        self._hidden = self._scaffold.names
        self._glance = glance(self._variables, self._hidden)
        self._spare = bytearray(_SPARE_BYTES)

    def run(self, code: str, name: str) -> dict[str, Any]:
        """What the block named `name` did, as the fields of a `done` frame."""
        self._save_room()
        self._notes = self._stage.set(name, self._on_interrupt)
        started = time.monotonic()
        error = self._execute(code, name)
        if error is None or error["type"] != "KeyboardInterrupt":  # one that was stopped has no time to draw
            error = self._guarded(self._gallery.finish) or error
        notes = self._notes
        notes += self._scaffold.restore()
        answer = {"ready": False, "content": "", "how": ""}
        stopped = self._guarded(lambda: answer.update(self._submission(error, notes)))
        if stopped:
            self._scaffold.answer.update(content="", ready=False)
            notes.append("`answer` took too long to be shown as text and was emptied. Submit a text.")
        return {
            "error": stopped or error,
            "answer": answer,
            "variables": self._changes(),
            "names": sorted(self._glance),
            "notes": notes + self._gallery.notes,
            "outputs": self._gallery.outputs,
            "seconds": time.monotonic() - started,
        }

    def values(self, names: list[str] | None, budget_bytes: int) -> tuple[dict[str, Any], bytes]:
        """The variables of those names, all when None, with what is in `answer`, as fields and bytes of a frame."""
        own = {name: self._variables[name] for name in own_names(self._variables, self._hidden)}
        own["answer"] = self._scaffold.answer.get("content")
        wanted = own if names is None else {name: own[name] for name in names if name in own}
        return pack_values(wanted, budget_bytes)

    def _save_room(self) -> None:
        try:
            self._spare = self._spare or bytearray(_SPARE_BYTES)
        except MemoryError:
            return  # what fills the memory is still there; the block may be about to delete it

    def _on_interrupt(self, *_: object) -> None:
        # An interrupt that comes just after a block ended must not end the worker.
        if self.running:
            raise KeyboardInterrupt

    def _execute(self, code: str, name: str) -> dict[str, str] | None:
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        return self._guarded(lambda: _run(code, name, self._variables, self._stage.echo))

    def _guarded(self, work: Callable[[], object]) -> dict[str, str] | None:
        """What the work raised, as data. It can be interrupted, and so can an error that is slow to say what it is."""
        error = self._raised(work)
        if error is None or isinstance(error, Submitted):
            return None
        if isinstance(error, MemoryError):
            self._make_room(error)
        told: list[dict[str, str]] = []
        stopped = self._raised(lambda: told.append(_error(error)))
        return told[0] if told else _error(stopped or error, said="<unprintable>")

    def _make_room(self, error: MemoryError) -> None:
        # There is no memory to say so with: what the block's calls held goes, and what was kept for this.
        self._spare = bytearray()
        traceback.clear_frames(error.__traceback__)

    def _raised(self, work: Callable[[], object]) -> BaseException | None:
        try:
            self.running = True
            try:
                work()
            finally:
                self.running = False
                self._notes += self._stage.clear()
        except BaseException as error:  # noqa: BLE001 - whatever the model's code raises is data for the model
            return error
        return None

    def _changes(self) -> dict[str, Any]:
        before, self._glance = self._glance, glance(self._variables, self._hidden)
        return changes(before, self._glance)

    def _submission(self, error: dict[str, str] | None, notes: list[str]) -> dict[str, Any]:
        answer, how = self._scaffold.answer, self._scaffold.how or "answer"
        self._scaffold.how = ""
        content = answer.get("content")
        text = "" if content is None else _text(content, notes)
        size, text = len(text), cut(text, MAX_ANSWER)
        if not _true(answer.get("ready")):
            return {"ready": False, "content": text, "how": ""}
        problem = _problem(error, text, size)
        if problem:
            answer["ready"] = False
            notes.append(problem)
        return {"ready": not problem, "content": text, "how": how}


def _run(code: str, name: str, variables: dict[str, Any], echo: Callable[[Any], None]) -> None:
    try:
        tree = ast.parse(code, name)
    except SyntaxError as error:
        explain(error)
        raise
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    _evaluate(compile(tree, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), variables)
    if isinstance(last, ast.Expr):
        expression = ast.Expression(last.value)
        value = _evaluate(compile(expression, name, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), variables)
        if value is not None:
            echo(value)


def _evaluate(code: types.CodeType, variables: dict[str, Any]) -> Any:
    value = eval(code, variables)
    if code.co_flags & 0x80:  # inspect.CO_COROUTINE: the code has a top-level await
        import asyncio  # a third of the worker's start-up time, and few blocks await

        return asyncio.run(value)
    return value


def _error(error: BaseException, said: str | None = None) -> dict[str, str]:
    # First, because `traceback` would swallow an interrupt of it.
    message = _message(error) if said is None else said
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(FILE_PREFIX):
        trace = trace.tb_next
    report = traceback.TracebackException(type(error), error, trace, limit=-12)
    chain: traceback.TracebackException | None = report
    while chain is not None:
        theirs = [frame for frame in chain.stack if not frame.filename.startswith(_OURS)]
        chain.stack = traceback.StackSummary.from_list(theirs)
        chain = chain.__cause__ or chain.__context__
    return {
        "type": type(error).__qualname__,
        "message": message,
        "traceback": "".join(report.format()),
    }


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - an exception's __str__ is the model's code too
        return "<unprintable>"


def _problem(error: dict[str, str] | None, text: str, size: int) -> str:
    if error is not None:
        return (
            "The block raised after `answer` was marked ready, so the answer was not submitted. "
            'Check it and set `answer["ready"] = True` again.'
        )
    if not text.strip():
        return '`answer["ready"]` was set while `answer["content"]` is empty: nothing was submitted.'
    if size > MAX_ANSWER:
        return f"The answer has {size:,} characters; at most {MAX_ANSWER:,} can be submitted."
    return ""


def _text(content: Any, notes: list[str]) -> str:
    if isinstance(content, str):
        return str.__str__(content)
    try:
        return str.__str__(str(content))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the content may be any object of the model's making
        notes.append(f'`answer["content"]` cannot be shown as text: {type(error).__name__}. Submit a text.')
        return ""


def _true(value: Any) -> bool:
    try:
        return bool(value)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - as above: a numpy array has no truth value, say
        return True


__all__ = ["Namespace"]
