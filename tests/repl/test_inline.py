"""Blocks in the user's own process, over live objects: nothing is copied, nothing is protected, nothing is taken over."""

from __future__ import annotations

import builtins
import gc
import json
import linecache
import os
import pickle
import signal
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from workers import echo

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ContextError, ProtocolError
from rlm_kernel.repl import worker as worker_module
from rlm_kernel.repl.base import BlockResult, Repl, Serve, SubcallBatch, SubcallResult
from rlm_kernel.repl.calls import read_batch
from rlm_kernel.repl.inline import InlineRepl
from rlm_kernel.repl.isolation import obtain
from rlm_kernel.repl.live import HASHED_BYTES, Live, live_context
from rlm_kernel.repl.pack import pack_context
from rlm_kernel.repl.repls import Repls
from rlm_kernel.trace import ErrorInfo

SWALLOWS = (
    "import time\nprint('before')\nend = time.monotonic() + 1\nwhile time.monotonic() < end:\n    try:\n"
    "        while time.monotonic() < end: pass\n    except BaseException: pass\nprint('after')"
)


class Inline:
    """A namespace over a live object, driven from the test's thread as the engine drives it from its own."""

    def __init__(self, context: Any = None, *, block_seconds: float = 20, packed: Any = None) -> None:
        self.live = packed or (None if context is None else live_context(context))
        self.repl: Repl = submit(self._make(block_seconds)).result(10)

    async def _make(self, block_seconds: float) -> Repl:
        self._repls = Repls(obtain("inline"), self.live, block_seconds=block_seconds)
        return self._repls.make(self.live, seed=0)

    def start(self, code: str, serve: Serve = echo, *, name: str = "<rlm:0.1 block 1>") -> Any:
        return submit(self.repl.execute(code, name=name, serve=serve))

    def run(self, code: str, serve: Serve = echo) -> BlockResult:
        result: BlockResult = self.start(code, serve).result(20)
        return result

    def close(self) -> None:
        submit(self.repl.close()).result(10)
        submit(self._repls.close()).result(10)


@pytest.fixture
def make() -> Iterator[Callable[..., Inline]]:
    made: list[Inline] = []

    def build(*args: Any, **options: Any) -> Inline:
        made.append(Inline(*args, **options))
        return made[-1]

    yield build
    for each in made:
        each.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "GRACE_SECONDS", 0.1)


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "rlm-inline"]


# The object itself


def test_the_context_is_the_very_object(make: Callable[..., Inline]) -> None:
    mine = {"rows": [1, 2]}
    assert make(mine).run("id(context)").stdout == f"{id(mine)}\n"


def test_what_the_code_changes_is_changed_and_the_model_is_told(make: Callable[..., Inline]) -> None:
    mine = [1, 2]
    result = make(mine).run("context.append(3)")
    assert mine == [1, 2, 3]
    assert "the user's own object, not a copy" in result.notes[0]


@pytest.mark.parametrize(
    ("value", "code", "told"),
    [
        ((letter for letter in "abc"), "''.join(context)", "'abc'\n"),
        (
            sqlite3.connect(":memory:", check_same_thread=False),
            "context.execute('select 7').fetchone()",
            "(7,)\n",
        ),
        (threading.Lock(), "context.acquire(), context.release()", "(True, None)\n"),
    ],
    ids=["generator", "database", "lock"],
)
def test_what_cannot_move_works(make: Callable[..., Inline], value: Any, code: str, told: str) -> None:
    with pytest.raises(ContextError, match="--isolation inline"):
        pack_context(value)
    assert make(value).run(code).stdout == told
    if isinstance(value, sqlite3.Connection):
        value.close()


def test_an_object_whose_properties_raise_is_a_context_too(make: Callable[..., Inline]) -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

        def __repr__(self) -> str:
            raise RuntimeError("repr")

    mine = Proxy()
    assert live_context(mine).card.preview == "<unprintable>"
    assert make(mine).run("id(context)").stdout == f"{id(mine)}\n"


@pytest.mark.parametrize(
    "value", ["text", b"bytes", ["a", 1], {"a": {"b": 2}}, [object, 1j, {3: (1, 2)}], ""]
)
def test_the_hash_is_that_of_a_copy(value: Any) -> None:
    packed, live = pack_context(value), live_context(value)
    packed.close()
    assert live.card == packed.card
    assert live.card.hash


def test_a_table_has_the_hash_of_its_copy() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    packed = pack_context(frame)
    packed.close()
    assert live_context(frame).card.hash == packed.card.hash != ""


@pytest.mark.parametrize(
    "value", ["x" * (HASHED_BYTES + 1), [bytes(HASHED_BYTES + 1)], [bytearray(HASHED_BYTES), 1j, object]]
)
def test_what_is_large_is_not_hashed(value: Any) -> None:
    assert live_context(value).card.hash == ""


def test_looking_at_a_generator_does_not_use_it_up() -> None:
    mine = (number for number in range(3))
    assert live_context(mine).card.hash == ""
    assert list(mine) == [0, 1, 2]


def test_a_live_context_never_leaves_the_process() -> None:
    secret = "only here"
    live = live_context([secret])
    assert live == live_context([secret]) and secret not in repr(live).replace(live.card.preview, "")
    with pytest.raises(TypeError, match="cannot leave"):
        pickle.dumps(live)
    with pytest.raises(TypeError):
        json.dumps({"contexts": [live]})


def test_bytes_that_code_may_hide_in_are_not_unpacked_here(make: Callable[..., Inline]) -> None:
    packed = pack_context([object()])
    assert packed.route == "pickle"
    with pytest.raises(ContextError, match="packed elsewhere"):
        make(packed=packed).run("context")
    packed.close()


def test_no_worker_can_pass_a_live_object_off_as_its_context() -> None:
    frame = {
        "op": "call", "kind": "rlm", "prompts": ["?"], "model": None, "batched": False, "line": 1, "code": "", "lane": "",
    }  # fmt: skip
    card = {"name": "c", "type": "str", "length": 1, "chars": 1, "schema": "", "preview": "", "hash": ""}
    forged = {"route": "live", "size": 0, "value": "x", "live": True, "card": card}
    with pytest.raises(ProtocolError, match="no route 'live'"):
        read_batch({**frame, "contexts": [forged]}, b"")
    with pytest.raises(ProtocolError):
        read_batch({**frame, "contexts": [live_context("x")]}, b"")


# Blocks


def test_it_is_a_namespace_like_any_other(make: Callable[..., Inline]) -> None:
    inline = make("abc")
    assert inline.run("x = 41\nprint('hi')\nx + 1").stdout == "hi\n42\n"
    assert inline.run("def f(): return x\nx = 2\nf()").stdout == "2\n"
    result = inline.run("answer['content'] = len(context)\nanswer['ready'] = True")
    assert (result.submission.ready, result.submission.content) == (True, "3")
    assert [each.name for each in inline.run("y = [1]").variables.added] == ["y"]
    assert inline.run("import asyncio\nawait asyncio.sleep(0, 'done')").stdout == "'done'\n"
    assert submit(inline.repl.values(["y"])).result(10) == {"y": [1]}


def test_classes_work(make: Callable[..., Inline]) -> None:
    code = "import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\nP(3).x"
    assert make().run(code).stdout == "3\n"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("kept = 1\n1 / 0", "ZeroDivisionError: division by zero"),
        ("kept = 1\nraise SystemExit(3)", "SystemExit: 3"),
        ("kept = 1\nraise KeyboardInterrupt", "KeyboardInterrupt"),
        ("kept = 1\ninput('name?')", "EOFError: input() has nobody to ask"),
    ],
)
def test_whatever_it_raises_is_an_error_of_the_block(
    make: Callable[..., Inline], code: str, error: str
) -> None:
    inline = make()
    result = inline.run(code)
    assert result.error and str(result.error).startswith(error)
    assert '<rlm:0.1 block 1>", line 2' in result.error.traceback
    assert code.splitlines()[1] in result.error.traceback
    assert "rlm_kernel" not in result.error.traceback
    assert inline.run("kept").stdout == "1\n"


def test_a_syntax_error_names_the_block(make: Callable[..., Inline]) -> None:
    result = make().run("def")
    assert result.error and "(<rlm:0.1 block 1>, line 1)" in result.error.message


def test_the_standard_streams_that_print_is_given_are_the_blocks(
    make: Callable[..., Inline], capsys: Any
) -> None:
    result = make().run(
        "import sys\nprint('a', 'b', sep='-')\nprint('e', file=sys.stderr)\nprint('o', file=sys.stdout)"
    )
    assert (result.stdout, result.stderr) == ("a-b\no\n", "e\n")
    assert capsys.readouterr() == ("", "")


def test_what_a_library_prints_goes_where_it_always_goes(make: Callable[..., Inline], capfd: Any) -> None:
    assert make().run("import sys\nprint('ours')\n_ = sys.stdout.write('theirs')").stdout == "ours\n"
    assert capfd.readouterr().out == "theirs"


def test_threads_print_whole_lines(make: Callable[..., Inline]) -> None:
    code = (
        "import threading\ndef say(n):\n    for _ in range(50): print('line', n, 'x' * 50)\n"
        "them = [threading.Thread(target=say, args=(n,)) for n in range(4)]\n"
        "[each.start() for each in them]; [each.join() for each in them]; None"
    )
    lines = make().run(code).stdout.splitlines()
    assert len(lines) == 200
    assert {line.split()[0] for line in lines} == {"line"}


def test_a_display_is_kept(make: Callable[..., Inline]) -> None:
    pytest.importorskip("pandas")
    result = make().run("import pandas\ndisplay(pandas.DataFrame({'a': [1]}))")
    assert len(result.outputs) == 1 and "a" in result.stdout


def test_far_too_much_output_is_an_error_and_nothing_is_lost(
    make: Callable[..., Inline], monkeypatch: Any
) -> None:
    monkeypatch.setattr(worker_module, "OUTPUT_LIMIT", 1000)
    inline = make()
    result = inline.run("kept = 1\nwhile True: print('x' * 100)")
    assert result.error and result.error.type == "OSError" and "1,000 bytes" in result.error.message
    assert inline.run("kept").stdout == "1\n"


# Sub-calls


def test_sub_calls_and_batches_are_answered(make: Callable[..., Inline]) -> None:
    inline = make()
    assert inline.run("llm_query('a')").stdout == "'<a>'\n"
    assert inline.run("llm_query_batched(['a', 'b'])").stdout == "['<a>', '<b>']\n"
    threads = "from concurrent.futures import ThreadPoolExecutor as T\nwith T(4) as t: print(list(t.map(llm_query, 'abcd')))"
    assert inline.run(threads).stdout == "['<a>', '<b>', '<c>', '<d>']\n"
    assert "must be a str" in str(inline.run("llm_query(b'x')").error)


def test_a_child_gets_the_object_too(make: Callable[..., Inline]) -> None:
    seen: list[Any] = []

    async def serve(batch: SubcallBatch) -> Sequence[SubcallResult]:
        seen.extend(batch.requests)
        return await echo(batch)

    mine = [1, 2]
    inline = make(mine)
    inline.run("part = (x for x in context)\nrlm_query('q', context=part)", serve)
    inline.run("rlm_query('q', context=context)", serve)
    inline.run("rlm_query_batched(['q', 'r'], contexts=[context[0], [3]])", serve)
    assert isinstance(seen[0].packed, Live) and next(seen[0].packed.value) == 1
    assert seen[1].inherit and seen[1].packed is None
    assert [each.packed.value for each in seen[2:]] == [1, [3]]


def test_a_failed_sub_call_raises(make: Callable[..., Inline]) -> None:
    async def serve(batch: SubcallBatch) -> Sequence[SubcallResult]:
        return [SubcallResult(error=ErrorInfo(type="ModelError", message="no"))]

    result = make().run("llm_query('a')", serve)
    assert result.error and str(result.error) == "SubcallError: ModelError: no"


# Stopping


def test_a_loop_is_stopped_and_its_variables_are_kept(make: Callable[..., Inline]) -> None:
    inline = make(block_seconds=0.1)
    result = inline.run("kept = 1\nwhile True: pass")
    assert (
        result.error and result.error.type == "TimeoutError" and "longer than 0.1 s" in result.error.message
    )
    assert inline.run("kept").stdout == "1\n"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "code",
    [
        "import threading\nprint('before', flush=True)\nthreading.Event().wait(0.8)\nprint('after')",
        "import time\nprint('before')\ntime.sleep(1)\nprint('after')",
        "import hashlib\nprint('before')\nhashlib.pbkdf2_hmac('sha256', b'x', b'y', 700_000)\nprint('after')",
        SWALLOWS,
    ],
    ids=["wait", "sleep", "C loop", "swallows"],
)
def test_a_block_that_does_not_stop_is_given_up_and_said(make: Callable[..., Inline], code: str) -> None:
    before = set(threads())
    mine = ["mine"]
    inline = make(mine, block_seconds=0.1)
    inline.run("lost = 1")
    (thread,) = set(threads()) - before
    result = inline.run(code)
    assert result.error and result.error.type == "TimeoutError"
    assert (
        "did not stop" in result.error.message
        and "may still run, in the user's own process" in result.error.message
    )
    assert "given up" in result.notes[0] and "your variables are lost" in result.notes[0]
    assert result.stdout == "before\n"
    assert inline.run("'lost' in dir(), context").stdout == "(False, ['mine'])\n"
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.usefixtures("impatient")
def test_a_block_that_was_given_up_gets_no_sub_calls_and_no_output(make: Callable[..., Inline]) -> None:
    go_on, told, asked = threading.Event(), list[str](), list[str]()

    async def serve(batch: SubcallBatch) -> Sequence[SubcallResult]:
        asked.extend(request.prompt for request in batch.requests)
        return await echo(batch)

    code = (
        "go_on, told = context\n"
        "def late():\n    go_on.wait()\n    print('late')\n"
        "    try: llm_query('late')\n    except SubcallError as error: told.append(str(error))\n"
        "import threading, time\nthreading.Thread(target=late).start()\ntime.sleep(1)"
    )
    inline = make((go_on, told), block_seconds=0.1)
    assert inline.run(code, serve).error
    go_on.set()
    until(lambda: told)
    assert told == ["this block was given up: nobody waits for it any more"]
    assert (inline.run("1", serve).stdout, asked) == ("1\n", [])


def test_a_stop_reaches_a_block_that_waits_for_a_sub_call(make: Callable[..., Inline]) -> None:
    waiting = threading.Event()

    async def never(batch: SubcallBatch) -> Sequence[SubcallResult]:
        waiting.set()
        await worker_module.asyncio.Event().wait()
        return []

    inline = make()
    work = inline.start("kept = 1\nllm_query('a')", never)
    assert waiting.wait(10)
    why = ErrorInfo(type="Interrupted", message="a person asked for the answer now")

    async def stop() -> None:
        inline.repl.stop(why)

    started = time.monotonic()
    submit(stop()).result(10)
    result = work.result(10)
    assert time.monotonic() - started < 0.8
    assert result.error and str(result.error) == str(why)
    assert inline.run("kept").stdout == "1\n"


def test_an_interrupt_reaches_nothing_but_a_block(make: Callable[..., Inline]) -> None:
    inline = make()
    inline.run("1")

    async def interrupt() -> None:
        assert isinstance(inline.repl, InlineRepl) and inline.repl._worker
        inline.repl._worker.interrupt()

    for number in range(200):
        submit(interrupt()).result(10)
        assert inline.run(f"{number}").stdout == f"{number}\n"


def test_an_interrupt_at_any_moment_ends_a_block_and_never_the_thread(make: Callable[..., Inline]) -> None:
    inline = make()
    inline.run("kept = 1")

    async def stop() -> None:
        inline.repl.stop(ErrorInfo(type="Interrupted", message="now"))

    for number in range(200):
        work = inline.start(f"for _ in range({number * 20}): pass")
        submit(stop()).result(10)
        result = work.result(10)
        assert result.error is None or result.error.type == "Interrupted"
    assert inline.run("kept").stdout == "1\n"


def test_the_end_of_a_run_ends_its_thread(make: Callable[..., Inline]) -> None:
    before = set(threads())
    inline = make([threading.Event()])
    work = inline.start("context[0].set()\nwhile True: pass")
    assert inline.live.value[0].wait(10)
    work.cancel()
    inline.close()
    until(lambda: set(threads()) <= before)


def test_the_end_of_a_run_says_what_it_could_not_end(make: Callable[..., Inline], caplog: Any) -> None:
    inline = make([threading.Event()])
    work = inline.start("context[0].set()\nimport time\ntime.sleep(1)")
    assert inline.live.value[0].wait(10)
    work.cancel()
    inline.close()
    assert "may still run in this process (inline)" in caplog.text


# Beside others


def test_two_at_once_do_not_meet(make: Callable[..., Inline]) -> None:
    barrier = threading.Barrier(2)
    ones = [make((barrier, name)) for name in "ab"]
    code = "barrier, name = context\n{}barrier.wait(5)\nprint(name)\n\nraise ValueError(name)"
    works = [one.start(code.format("\n" * number)) for number, one in enumerate(ones)]
    for name, number, work in zip("ab", (5, 6), works, strict=True):
        result = work.result(10)
        assert (result.stdout, str(result.error)) == (f"{name}\n", f"ValueError: {name}")
        assert f'"<rlm:0.1 block 1>", line {number}' in result.error.traceback
        assert "raise ValueError(name)" in result.error.traceback


def process_wide() -> dict[str, Any]:
    return {
        "stdout": sys.stdout,
        "stderr": sys.stderr,
        "stdin": sys.stdin,
        "cwd": Path.cwd(),
        "environ": dict(os.environ),
        "main": sys.modules["__main__"],
        "main names": set(vars(sys.modules["__main__"])),
        "builtins": dict(vars(builtins)),
        "handlers": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "start": threading.Thread.start,
        "importers": list(sys.meta_path),
        "path": list(sys.path),
        "hooks": (sys.excepthook, sys.displayhook, threading.excepthook),
        "warnings": list(warnings.filters),
        "limit": sys.getrecursionlimit(),
        "lines": {name for name in linecache.cache if name.startswith("<rlm:")},
    }


def test_nothing_of_the_process_is_taken_over(make: Callable[..., Inline]) -> None:
    make().run("1")  # what is imported once stays
    gc.collect()
    before = process_wide()
    during: list[dict[str, Any]] = []
    inline = make({"look": lambda: during.append(process_wide())}, block_seconds=0.1)
    namespace = (
        "import threading\nprint('hi')\ndisplay(1)\nprint = 1\nlen = 2\nthreading.Thread(target=int).start()"
    )
    inline.run(namespace)
    inline.run("while True: pass")
    inline.run("looks = context['look']()")
    (seen,) = during
    for name in set(before) - {"lines"}:
        assert seen[name] == before[name], name
    inline.close()
    after = process_wide()
    assert after.pop("lines") <= before.pop(
        "lines"
    )  # a block that another test gave up may have ended meanwhile
    assert after == before


def test_chance_is_the_users_own(make: Callable[..., Inline]) -> None:
    import random

    random.seed(7)
    state = random.getstate()
    make().run("import random")
    assert random.getstate() == state
