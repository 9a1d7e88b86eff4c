"""Whatever is in a file: a trace with a warning, or a `TraceError`, in bounded time. Nothing in it runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from fuzz.effort import effort, in_time
from hypothesis import example, given
from hypothesis import strategies as st

from rlm_kernel.errors import TraceError
from rlm_kernel.trace import Trace, load, save
from rlm_kernel.trace.peek import peek
from rlm_kernel.views import call_text, text_tree
from rlm_kernel.views.snapshot import snapshot

GOLDEN = sorted((Path(__file__).parents[1] / "trace/golden").glob("*.rlm.jsonl"))


@cache
def golden(number: int) -> bytes:
    return GOLDEN[number % len(GOLDEN)].read_bytes()


def opened(content: bytes) -> Trace | None:
    """The trace of a file with that content; None when it is refused."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.rlm.jsonl")
        path.write_bytes(content)
        with in_time():
            peek(path)
            try:
                return load(path)
            except TraceError:
                return None


def looked_at(trace: Trace | None) -> None:
    """A trace that opens can be seen, saved and opened again, and is then the same."""
    if trace is None:
        return
    with in_time():
        text_tree(trace)
        json.dumps(snapshot(trace), allow_nan=False)
        for call in trace.walk():
            call_text(call)
    with TemporaryDirectory() as folder:
        again = load(save(trace, Path(folder, "again.rlm.jsonl")))
    assert again.events == trace.events


@effort
@given(st.binary(max_size=300) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"")
@example(b"\n\n\n")
@example(b"\x1f\x8b")
@example(b'{"type":"run_started"}\n')
def test_any_bytes(content: bytes) -> None:
    looked_at(opened(content))


@effort
@given(
    st.integers(0),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 200), st.binary(max_size=20)), min_size=1, max_size=4),
)
def test_a_trace_with_bytes_gone_or_put_in_its_place(
    number: int, changes: list[tuple[float, int, bytes]]
) -> None:
    content = golden(number)
    for where, gone, put in changes:
        at = int(where * len(content))
        content = content[:at] + put + content[at + gone :]
    looked_at(opened(content))


MUTATIONS: list[Callable[[list[bytes], Random], None]] = [
    lambda lines, chance: chance.shuffle(lines),
    lambda lines, chance: lines.pop(chance.randrange(len(lines))),
    lambda lines, chance: lines.insert(chance.randrange(len(lines)), chance.choice(lines)),
    lambda lines, chance: lines.insert(chance.randrange(len(lines)), b"[]\n"),
    lambda lines, chance: lines.append(chance.choice(lines)[:-5]),
    lambda lines, chance: lines.reverse(),
]


@effort
@given(st.integers(0), st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=4), st.integers(0))
def test_a_trace_with_lines_gone_doubled_or_elsewhere(
    number: int, mutations: list[Callable[[list[bytes], Random], None]], seed: int
) -> None:
    lines, chance = golden(number).splitlines(keepends=True), Random(seed)
    for mutate in mutations:
        if lines:
            mutate(lines, chance)
    looked_at(opened(b"".join(lines)))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(
        ["0", "0.1.1", "rlm", "llm", "live", "9" * 30, "0." * 50, "\ud800", "__proto__", "$text"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@effort
@given(st.integers(0), st.integers(0), st.integers(0), VALUES)
def test_a_trace_with_another_value_in_a_field(number: int, line: int, field: int, value: object) -> None:
    lines = golden(number).splitlines(keepends=True)
    lines = [each for each in lines if each.endswith(b"\n")]  # one of them is torn
    at = line % len(lines)
    data = json.loads(lines[at])
    name = sorted(data)[field % len(data)]
    data[name] = value
    lines[at] = json.dumps(data).encode() + b"\n"
    looked_at(opened(b"".join(lines)))


def test_the_traces_that_are_spoilt_are_good_ones() -> None:
    assert len(GOLDEN) > 3
    for number in range(len(GOLDEN)):
        trace = opened(golden(number))
        assert trace is not None
        looked_at(trace)
