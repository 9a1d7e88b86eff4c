"""Faults 78 to 84 and 91: the record of a run, whatever the disk, the process or a stranger does to it."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from scripts import ask, code, submit
from server import ChatServer
from trace_examples import nested

import rlm_kernel
from rlm_kernel import load
from rlm_kernel.errors import RequestRejected, TraceError, TraceVersionError
from rlm_kernel.trace import CallStarted, save
from rlm_kernel.trace.writer import TraceWriter
from rlm_kernel.views import call_text, html_tree, text_tree

ROOT = Path(rlm_kernel.__file__).parents[1]


def kinds(path: Path) -> list[str]:
    """The events in a file, by their names."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["type"] for line in lines if line["type"] != "text"]


def python(program: str, *arguments: str, folder: Path) -> subprocess.Popen[str]:
    """A process of that program, which has this package."""
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def test_f78_a_step_that_fails_is_in_the_record_from_its_beginning(tmp_path: Path) -> None:
    """A step that fails."""
    seen: list[list[str]] = []

    def llm(request: Any) -> str:
        (path,) = tmp_path.glob("*.jsonl")
        seen.append(kinds(path))
        raise RequestRejected("not this one", model="m", status=400)

    with pytest.raises(RequestRejected) as caught:
        ask(code("llm_query('a')"), RequestRejected("nor this", model="m"), llm=llm, trace_dir=tmp_path)
    # While it is asked, the sub-call is on the disk already; the block that asks stands in the reply.
    assert seen[0][-3:] == ["model_asked", "model_replied", "call_started"]
    run = load(caught.value.run.path)  # type: ignore[attr-defined]
    assert kinds(run.path)[-8:] == [  # type: ignore[arg-type]
        "call_started",
        "model_replied",
        "call_finished",
        "code_executed",
        "model_asked",
        "model_replied",
        "call_finished",
        "run_finished",
    ]
    executed = run["0"].turns[0].blocks[0].executed
    assert executed is not None and executed.error is not None and executed.error.type == "SubcallError"
    assert [(run[at].status, run[at].error.type) for at in ("0", "0.1.1")] == [  # type: ignore[union-attr]
        ("failed", "RequestRejected"),
        ("failed", "RequestRejected"),
    ]


def test_f79_a_trace_holds_no_context_and_each_output_once(tmp_path: Path) -> None:
    """A context of ten megabytes; many steps that print much."""
    steps = [code(f"print({n}, len(context))") for n in range(5)]
    run, _ = ask(*steps, submit("1"), context="x" * 10_000_000, trace_dir=tmp_path)
    assert run.path is not None
    assert run.path.stat().st_size < 40_000

    steps = [code(f"print('{n} ' * 7_000)") for n in range(30)]
    run, _ = ask(*steps, submit("1"), max_turns=40, trace_dir=tmp_path)
    assert run.path is not None
    printed = sum(turn.blocks[0].executed.stdout_chars for turn in run["0"].turns)  # type: ignore[union-attr]
    # The output, what was shown of it, and the message that showed it.
    assert printed > 400_000
    assert run.path.stat().st_size < 3 * printed + 60_000


@pytest.mark.parametrize("tail", ["", "\0" * 4096, '{"type":"call_started","call_id":"0.9', "\ufffd\n\0\n"])
def test_f80_a_torn_end_costs_no_event_before_it(tail: str, tmp_path: Path) -> None:
    """A torn line at the end, and one of NULs, as a power cut leaves them.

    Exception: nothing is ever appended to a file that is there. What goes on from a torn trace is a run of its own, in a
    file of its own, so a half line never has one after it.
    """
    whole = save(nested(), tmp_path / "whole.rlm.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    events = len(load(tmp_path / "whole.rlm.jsonl").trace.events)
    torn = tmp_path / "torn.rlm.jsonl"
    torn.write_bytes(b"".join(lines[:-1]) + tail.encode())
    trace = load(torn).trace
    assert len(trace.events) == events - 1
    assert bool(trace.warning) == bool(tail)
    assert text_tree(trace).count("cut off") or not tail
    with pytest.raises(FileExistsError):
        TraceWriter(torn)


def test_f80_a_run_goes_on_from_a_torn_trace_in_a_file_of_its_own(tmp_path: Path) -> None:
    """A run that goes on from a torn trace."""
    run, _ = ask(code("got = llm_query('a')"), submit("got"), trace_dir=tmp_path)
    assert run.path is not None
    text = run.path.read_text()
    torn = tmp_path / "torn.rlm.jsonl"
    torn.write_text(text[: text.rindex('"model_replied"') + 30])
    resumed = load(torn).resume(model=rlm_kernel.ScriptedModel([submit("got")]), context="some text")
    assert resumed.answer == "<a>"
    assert resumed.path != torn
    assert torn.read_text() == text[: text.rindex('"model_replied"') + 30]


FULL = """
    import resource, sys
    from pathlib import Path
    from rlm_kernel import RLM
    # Nothing may grow beyond this: a write takes what still fits, and the next one fails, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    run = RLM(model="small", base_url=sys.argv[1], trace_dir="traces").run("What?")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(run.status, run.answer)
    print(run.trace.warning)
    print(str(run))
    run.save("saved.rlm.jsonl")
"""


def test_f81_on_a_full_disk_the_run_goes_on_under_a_banner(tmp_path: Path) -> None:
    """A disk that is full."""
    replies = [code(f"print({n}, 'x' * 500)") for n in range(6)] + [submit("'done'")]
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY:
        pytest.fail("this system lets no process raise its limit of file sizes again")
    with ChatServer(replies) as server:
        said, _ = python(FULL, server.url, folder=tmp_path).communicate(timeout=60)
    status, warning, *shown = said.splitlines()
    assert status == "finished done"
    assert warning.startswith("the trace is not saved: File too large (traces/")
    assert any("the trace is not saved" in line for line in shown)
    (torn,) = tmp_path.glob("traces/*.jsonl")
    assert torn.stat().st_size == 4_000
    assert load(torn).status == "cut off"
    saved = load(tmp_path / "saved.rlm.jsonl")
    assert (saved.status, saved.answer, saved.trace.warning) == ("finished", "done", "")


def test_f81_a_place_that_takes_no_file_does_not_end_the_run(tmp_path: Path) -> None:
    """A folder in which nothing can be written."""
    (tmp_path / "file").touch()
    run, _ = ask(submit("'done'"), trace_dir=tmp_path / "file" / "traces")
    assert (run.status, run.answer) == ("finished", "done")
    assert run.trace.warning.startswith("the trace is not saved: ")
    assert "the trace is not saved" in str(run)
    assert load(run.save(tmp_path / "elsewhere.rlm.jsonl")).answer == "done"


TWO = """
    import sys
    from rlm_kernel import RLM
    rlm = RLM(model="small", base_url=sys.argv[1], trace_dir="traces")
    for _ in range(3):
        print(rlm.run("What?", context=sys.argv[2]).path)
"""


def test_f82_two_kernels_write_a_file_for_each_run(tmp_path: Path) -> None:
    """Two kernels that write traces into one folder.

    Exception: nothing is locked. The file of a run is made new or not at all, by the one process that writes it.
    """
    with ChatServer(lambda body: submit("context * 200")) as server:
        kernels = [python(TWO, server.url, word, folder=tmp_path) for word in ("one", "two")]
        told = [kernel.communicate(timeout=60)[0].split() for kernel in kernels]
    paths = [Path(path) for each in told for path in each]
    assert len(set(paths)) == 6 == len(list(tmp_path.glob("traces/*.jsonl")))
    for word, each in zip(("one", "two"), told, strict=True):
        for path in each:
            run = load(path)
            assert (run.status, run.answer, run.trace.warning) == ("finished", word * 200, "")
            with pytest.raises(FileExistsError):
                TraceWriter(Path(path))


START = '{"type":"run_started","run_id":"r","query":"q","started":"","version":"1","mode":"live","isolation":"worker"}'
CALL = '{"type":"call_started","call_id":"0","kind":"rlm","depth":0,"model":"m","prompt":"p"}'


def bomb() -> bytes:
    """A file of 200 MB in 200 KB."""
    with BytesIO() as packed:
        with gzip.GzipFile(fileobj=packed, mode="wb") as file:
            file.write(f"{START}\n".encode())
            for _ in range(200):
                file.write(b" " * 1_000_000)
        return packed.getvalue()


def with_field(field: str) -> str:
    return f"{CALL[:-1]},{field}}}"


HOSTILE: dict[str, Callable[[], str | bytes]] = {
    "a depth of 100,000": lambda: with_field('"x":' + "[" * 100_000 + "]" * 100_000),
    "objects as deep": lambda: '{"a":' * 100_000 + "1" + "}" * 100_000,
    "a number of 5,000 digits": lambda: CALL.replace('"depth":0', '"depth":' + "9" * 5_000),
    "NaN": lambda: with_field('"t":NaN'),
    "the same key twice": lambda: with_field('"prompt":"another","call_id":"0"'),
    "half a character": lambda: CALL.replace('"p"', '"\\ud800"'),
    "__proto__": lambda: with_field('"__proto__":{"polluted":true}'),
    "a gzip bomb": bomb,
    "a line of 60 MB": lambda: "[" * 60_000_000,
    "a line of a million values": lambda: "[" + "0," * 1_000_000 + "0]",
    "a megabyte of line ends": lambda: "\n" * 1_000_000,
}


@pytest.mark.parametrize("made", HOSTILE.values(), ids=HOSTILE)
def test_f83_a_hostile_trace_is_refused_or_harmless_within_a_second(
    made: Callable[[], str | bytes], tmp_path: Path
) -> None:
    """A trace that a stranger made: deep, long, packed, with NaN, keys twice, `__proto__`."""
    path = tmp_path / "hostile.rlm.jsonl"
    content = made()
    path.write_bytes(content if isinstance(content, bytes) else f"{START}\n{content}\n".encode())
    del content
    memory = psutil.Process().memory_info().rss
    spent = time.process_time()
    with suppress(TraceError):
        trace = load(path).trace
        text_tree(trace)
        html_tree(trace)
        for call in trace.walk():
            call_text(call)
    assert time.process_time() - spent < 1.0
    assert psutil.Process().memory_info().rss - memory < 100 * 2**20


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "A" * 64, f"{'0' * 63}\n", ""])
def test_f84_a_text_is_named_by_its_hash_and_nothing_else(name: str, tmp_path: Path) -> None:
    """A text that is named by a path.

    The texts of a run are lines of its one file, so no name of theirs ever meets the file system.
    """
    call = CALL.replace('"p"', json.dumps({"$text": name}))
    text = json.dumps({"type": "text", "hash": name, "text": "said"})
    path = tmp_path / "run.rlm.jsonl"
    path.write_text(f"{START}\n{text}\n{call}\n")
    trace = load(path).trace
    assert len(trace.events) == 1
    assert "cannot be read" in trace.warning
    assert "root:" not in text_tree(trace)


def test_f84_a_text_that_is_not_the_one_of_its_hash_is_left_out(tmp_path: Path) -> None:
    """A text under another text's hash."""
    name = sha256(b"said").hexdigest()
    path = tmp_path / "run.rlm.jsonl"
    call = CALL.replace('"p"', json.dumps({"$text": name}))
    for text, events in (("said", 2), ("never said", 1)):
        path.write_text(f"{START}\n{json.dumps({'type': 'text', 'hash': name, 'text': text})}\n{call}\n")
        assert len(load(path).trace.events) == events


def test_f91_a_trace_of_a_newer_format_is_refused_with_the_next_move(tmp_path: Path) -> None:
    """A trace of a format that is not known.

    Exception: a file of a newer format is refused in a sentence and not shown as far as it is understood: fields that
    have another meaning would tell of a run that never was. A saved notebook shows its static tree below that sentence.
    """
    path = tmp_path / "newer.rlm.jsonl"
    path.write_text(f'{START[:-1]},"format":2}}\n{CALL}\n')
    with pytest.raises(TraceVersionError, match=r"this rlm_kernel reads up to 1\. Update it") as caught:
        load(path)
    assert caught.value.path == path


def test_f91_what_is_new_in_the_same_format_is_passed_over_and_told(tmp_path: Path) -> None:
    """Events and fields of a version to come."""
    path = tmp_path / "newer.rlm.jsonl"
    path.write_text(f'{START[:-1]},"mood":"good"}}\n{{"type":"call_dreamt","of":"sheep"}}\n{CALL}\n')
    run = load(path)
    assert [type(event) for event in run.trace.events[1:]] == [CallStarted]
    assert run.trace.warning == "1 event of a kind that this version does not know is left out"


def test_f91_a_run_of_another_version_is_not_done_again(tmp_path: Path) -> None:
    """A replay of a format that is not known."""
    path = tmp_path / "newer.rlm.jsonl"
    path.write_text(f'{START}\n{CALL}\n{{"type":"call_finished","call_id":"0","format":3}}\n')
    with pytest.raises(TraceVersionError):
        load(path).replay(context="x")
