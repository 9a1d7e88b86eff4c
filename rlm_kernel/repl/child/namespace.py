"""The child namespace: runs blocks one after the other in one real `__main__`, and says what each did.

What it is not: a sandbox. The process boundary keeps the user's kernel safe; this module only keeps one block
from spoiling the next (streams, builtins, signal handlers and scaffold names are rebuilt for each).
"""

from __future__ import annotations

import ast
import builtins
import io
import linecache
import os
import signal
import sys
import time
import traceback
import types

from rlm_kernel.repl.child import lanes
from rlm_kernel.repl.child.rich import Gallery
from rlm_kernel.repl.child.scaffold import FILE_PREFIX, Scaffold, Submitted
from rlm_kernel.repl.child.values import pack_values
from rlm_kernel.repl.child.variables import changes, glance, own_names

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_ANSWER = 16_000_000
_BUILTINS = dict(vars(builtins))
_OURS = os.path.dirname(__file__)
_STREAMS = {1: os.dup(1), 2: os.dup(2)}


class Namespace:
    """One namespace for the whole life of the worker. Everything here runs on the main thread."""

    def __init__(self, scaffold: Scaffold, workdir: str) -> None:
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self._workdir = workdir
        self._variables = module.__dict__
        self._scaffold = scaffold
        scaffold.install(self._variables)
        self._hidden = self._scaffold.names
        self._glance = glance(self._variables, self._hidden)
        self._gallery = Gallery()
        # A builtin, not a name of the contract: code written for notebooks calls it, and may well define its own.
        self._builtins = {**_BUILTINS, "display": self._gallery.display}
        self._running = False

    def run(self, code: str, name: str) -> dict[str, Any]:
        """What the block named `name` did, as the fields of a `done` frame."""
        self._prepare()
        started = time.monotonic()
        error = self._execute(code, name)
        if error is None or error["type"] != "KeyboardInterrupt":  # one that was stopped has no time to draw
            interrupted = self._guarded(self._gallery.finish)
            error = error or interrupted
        notes = self._scaffold.restore()
        answer = self._submission(error, notes)
        return {
            "error": error,
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

    def _prepare(self) -> None:
        vars(builtins).update(self._builtins)
        self._gallery.renew()
        lanes.begin_block()
        for number, saved in _STREAMS.items():
            os.dup2(saved, number)
        sys.stdout, sys.stderr = _stream(1), _stream(2)
        signal.signal(signal.SIGINT, self._on_interrupt)
        os.makedirs(self._workdir, exist_ok=True)
        os.chdir(self._workdir)

    def _on_interrupt(self, *_: object) -> None:
        # An interrupt that comes just after a block ended must not end the worker.
        if self._running:
            raise KeyboardInterrupt

    def _execute(self, code: str, name: str) -> dict[str, str] | None:
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        return self._guarded(lambda: _run(code, name, self._variables, self._gallery.add))

    def _guarded(self, work: Callable[[], None]) -> dict[str, str] | None:
        try:
            self._running = True
            work()
        except Submitted:
            return None
        except BaseException as error:  # noqa: BLE001 - whatever the model's code raises is data for the model
            return _error(error)
        finally:
            self._running = False
            _flush()
        return None

    def _changes(self) -> dict[str, Any]:
        before, self._glance = self._glance, glance(self._variables, self._hidden)
        return changes(before, self._glance)

    def _submission(self, error: dict[str, str] | None, notes: list[str]) -> dict[str, Any]:
        answer, how = self._scaffold.answer, self._scaffold.how or "answer"
        self._scaffold.how = ""
        content = answer.get("content")
        text = "" if content is None else _text(content, notes)
        if not _true(answer.get("ready")):
            return {"ready": False, "content": text, "how": ""}
        problem = _problem(error, text)
        if problem:
            answer["ready"] = False
            notes.append(problem)
        return {"ready": not problem, "content": text, "how": how}


def _run(code: str, name: str, variables: dict[str, Any], show: Callable[[Any], None]) -> None:
    tree = ast.parse(code, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    _evaluate(compile(tree, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), variables)
    if isinstance(last, ast.Expr):
        echo = ast.Expression(last.value)
        value = _evaluate(compile(echo, name, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), variables)
        if value is not None:
            print(repr(value))
            show(value)


def _evaluate(code: types.CodeType, variables: dict[str, Any]) -> Any:
    value = eval(code, variables)
    if code.co_flags & 0x80:  # inspect.CO_COROUTINE: the code has a top-level await
        import asyncio  # a third of the worker's start-up time, and few blocks await

        return asyncio.run(value)
    return value


def _error(error: BaseException) -> dict[str, str]:
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(FILE_PREFIX):
        trace = trace.tb_next
    report = traceback.TracebackException(type(error), error, trace, limit=-12)
    theirs = [frame for frame in report.stack if not frame.filename.startswith(_OURS)]
    report.stack = traceback.StackSummary.from_list(theirs)
    return {
        "type": type(error).__qualname__,
        "message": _message(error),
        "traceback": "".join(report.format()),
    }


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception's __str__ is the model's code too
        return "<unprintable>"


def _problem(error: dict[str, str] | None, text: str) -> str:
    if error is not None:
        return (
            "The block raised after `answer` was marked ready, so the answer was not submitted. "
            'Check it and set `answer["ready"] = True` again.'
        )
    if not text.strip():
        return '`answer["ready"]` was set while `answer["content"]` is empty: nothing was submitted.'
    if len(text) > MAX_ANSWER:
        return f"The answer has {len(text):,} characters; at most {MAX_ANSWER:,} can be submitted."
    return ""


def _text(content: Any, notes: list[str]) -> str:
    if isinstance(content, str):
        return str.__str__(content)
    try:
        return str(content)
    except Exception as error:  # noqa: BLE001 - the content may be any object of the model's making
        notes.append(f'`answer["content"]` cannot be shown as text: {type(error).__name__}. Submit a text.')
        return ""


def _true(value: Any) -> bool:
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 - as above: a numpy array has no truth value, say
        return True


def _stream(number: int) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    buffered = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffered, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (ValueError, OSError, AttributeError):
            continue  # the block closed or replaced it; the next block gets a new one


__all__ = ["Namespace"]
