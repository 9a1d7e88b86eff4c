"""A trace from a stranger: it opens, or it is refused with a `TraceError`. Nothing else happens."""

import gzip
import json
import os
import time
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_examples import nested, unicode

from rlm_kernel.errors import TraceError, TraceVersionError
from rlm_kernel.trace import Trace, load, save, to_dict
from rlm_kernel.views import call_text, html_tree, text_tree
from rlm_kernel.views.snapshot import snapshot

START = '{"type":"run_started","run_id":"r","query":"q","started":"","version":"1","mode":"live","isolation":"worker"}'
ROOT = '{"type":"call_started","call_id":"0","kind":"rlm","depth":0,"model":"m","prompt":"p"}'


def call(**fields: Any) -> str:
    return json.dumps({**json.loads(ROOT), "call_id": "0.1.1", "depth": 1, **fields})


def asked(turn: Any) -> str:
    return json.dumps({"type": "model_asked", "call_id": "0", "turn": turn, "messages": []})


def opened(path: Path, *lines: str) -> Trace:
    path.write_text("\n".join([START, ROOT, *lines, ""]), encoding="utf-8", errors="surrogatepass")
    return load(path)


def look(trace: Trace) -> None:
    """Everything a person would do with it."""
    _ = trace.status, trace.usage, list(trace.walk())
    text_tree(trace)
    html_tree(trace)
    for found in trace.tree.calls.values():
        call_text(found)
    json.dumps(snapshot(trace), allow_nan=False)


REFUSED = {
    "deep list": '{"type":"run_started","settings":' + "[" * 100_000 + "]" * 100_000 + "}",
    "deep object": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "deep settings": START[:-1] + ',"settings":{"a":' + "[" * 700 + "]" * 700 + "}}",
    "a number of 5,000 digits": ROOT.replace('"depth":0', '"depth":' + "9" * 5000),
    "a number of 400 digits": ROOT.replace('"depth":0', '"depth":' + "9" * 400),
    "a time of 400 digits": ROOT.replace('"depth":0', '"depth":0,"t":' + "9" * 400),
    "a time without end": ROOT.replace('"depth":0', '"depth":0,"t":1e999'),
    "a time that is no number": ROOT.replace('"depth":0', '"depth":0,"t":NaN'),
    "settings that are no number": START[:-1] + ',"settings":{"a":NaN}}',
    "a list for a kind": '{"type":["run_started"]}',
    "an object for a kind": '{"type":{"__class__":"x"}}',
    "a text that is not there": ROOT.replace('"p"', '{"$text":"00ff"}'),
    "a text named by a list": ROOT.replace('"p"', '{"$text":[1]}'),
    "a text without a text": '{"type":"text","hash":"00ff"}',
    "a text of another type": '{"type":"text","hash":"00ff","text":7}',
    "an object for a text": ROOT.replace('"p"', '{"toString":"p"}'),
    "a version in words": ROOT[:-1] + ',"format":"one"}',
    "a version of another type": ROOT[:-1] + ',"format":true}',
}


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED)
def test_a_hostile_line_is_left_out_and_named(tmp_path: Path, line: str) -> None:
    trace = opened(tmp_path / "run.rlm.jsonl", line, call())
    assert [event.call_id for event in trace.events[1:]] == ["0", "0.1.1"]  # type: ignore[attr-defined]
    assert trace.warning.startswith("1 line cannot be read (3) and is left out")
    look(trace)


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED)
def test_a_file_that_begins_with_a_hostile_line_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "run.rlm.jsonl"
    path.write_text(f"{line}\n{START}\n")
    with pytest.raises(TraceError) as caught:
        load(path)
    assert caught.value.line == 1
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("version", ["2", "1e3", "99999999999999"])
def test_a_line_of_another_version_is_never_taken_for_ours(tmp_path: Path, version: str) -> None:
    with pytest.raises(TraceVersionError) as caught:
        opened(tmp_path / "run.rlm.jsonl", f'{{"type":"call_renamed","format":{version}}}')
    assert caught.value.line == 3


def in_settings(text: str) -> str:
    return f'{START[:-1]},"settings":{{"a":{text}}}}}'


BOMBS = {
    "a number of 5,000,000 digits": lambda: in_settings("9" * 5_000_000),
    "a fraction of 5,000,000 digits": lambda: in_settings("0." + "9" * 5_000_000),
    "a million numbers": lambda: in_settings(f"[{'0,' * 1_000_000}0]"),
    "a million objects": lambda: in_settings(f"[{'{},' * 1_000_000}0]"),
    "a long line": lambda: in_settings(f'"{"x" * 40_000_000}"'),
    "a long text that is not that of its hash": lambda: (
        f'{{"type":"text","hash":"{"0" * 64}","text":"{"x" * 17_000_000}"}}'
    ),
    "a million objects in a text": lambda: (
        f'{{"type":"text","hash":"{"0" * 64}","text":"x","a":[{"{}," * 1_000_000}0]}}'
    ),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_no_second_and_no_memory_and_is_left_out(
    tmp_path: Path, bomb: Callable[[], str]
) -> None:
    path = tmp_path / "run.rlm.jsonl"
    path.write_text(f"{START}\n{ROOT}\n{bomb()}\n")
    started = time.process_time()
    trace = load(path)
    assert time.process_time() - started < 1.0
    assert len(trace.events) == 2
    assert "cannot be read" in trace.warning
    tracemalloc.start()
    try:
        load(path)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_what_is_mostly_no_lines_of_a_trace_is_none(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="line 10003 and 10,000 before it cannot be read") as caught:
        opened(tmp_path / "run.rlm.jsonl", "\n" * 1_000_000)
    assert caught.value.line == 10_003


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither")
@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_what_has_no_end_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "pipe":
        os.mkfifo(path)
    with pytest.raises(TraceError, match="is not a file"):
        load(path)


def test_a_packed_trace_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    path.write_bytes(gzip.compress(b"0" * 100_000_000))
    with pytest.raises(TraceError, match="compressed with gzip: unpack it first"):
        load(path)


OPENED = {
    "a prototype": call(__proto__={"polluted": True}, constructor={"prototype": {}}),
    "a call without a parent": call(call_id="0.7.1.1.1"),
    "a call of nobody": call(call_id="1"),
    "an empty id": call(call_id=""),
    "an id in words": call(call_id="0.first.second"),
    "an id with a tag": call(call_id="0.1.<script>"),
    "an id in other digits": call(call_id="0.١.²"),
    "an id with a long number": call(call_id=f"0.{'9' * 5000}.1"),
    "a turn before the first": asked(0),
    "a negative turn": asked(-1),
    "an event of nobody": '{"type":"call_finished","call_id":"0.9.9","status":"finished"}',
    "a second root": ROOT,
    "a second start": START,
    "lists in the settings": START[:-1] + ',"settings":{"stop":["a",{"b":[]}]}}',
    "an end that goes on": '{"type":"run_finished","status":"running"}',
    "an unknown kind": '{"type":"call_renamed","call_id":[]}',
}


@pytest.mark.parametrize("line", OPENED.values(), ids=OPENED)
def test_an_odd_line_is_refused_or_can_be_looked_at(tmp_path: Path, line: str) -> None:
    try:
        trace = opened(tmp_path / "run.rlm.jsonl", line, call())
    except TraceError:
        return
    look(trace)


def test_a_text_is_what_its_hash_says(tmp_path: Path) -> None:
    name = sha256(b"what was said").hexdigest()
    false = f'{{"type":"text","hash":"{name}","text":"not what was said"}}'
    trace = opened(tmp_path / "run.rlm.jsonl", false, call(prompt={"$text": name}))
    assert len(trace.events) == 2
    assert trace.warning.startswith("the last 2 lines cannot be read")


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "00ff", "A" * 64, f"{'0' * 63}\n", "0" * 65, "", "\u0660" * 64],
)
def test_a_text_is_named_by_a_hash_and_by_nothing_else(tmp_path: Path, name: str) -> None:
    text = json.dumps({"type": "text", "hash": name, "text": "said"})
    trace = opened(tmp_path / "run.rlm.jsonl", text, call(prompt={"$text": name}))
    assert len(trace.events) == 2
    assert trace.warning.startswith("the last 2 lines cannot be read")


def test_a_line_that_is_only_a_text_is_left_out(tmp_path: Path) -> None:
    name = sha256(b"said").hexdigest()
    text = json.dumps({"type": "text", "hash": name, "text": "said"})
    trace = opened(
        tmp_path / "run.rlm.jsonl", text, json.dumps({"$text": name}), call(prompt={"$text": name})
    )
    assert trace.tree.calls["0.1.1"].prompt == "said"
    assert "(4)" in trace.warning


@pytest.mark.parametrize("line", [asked(100_000), call(call_id="0.100000.1")], ids=["turn", "id"])
def test_a_large_number_does_not_make_a_large_tree(tmp_path: Path, line: str) -> None:
    try:
        root = opened(tmp_path / "run.rlm.jsonl", line).root
    except TraceError:
        return
    assert root is not None
    assert len(root.turns) <= 1


def test_a_deep_recursion_can_be_looked_at(tmp_path: Path) -> None:
    ids = ["0" + ".1.1" * depth for depth in range(1, 60)]
    trace = opened(tmp_path / "run.rlm.jsonl", *[call(call_id=call_id, depth=9) for call_id in ids])
    assert len(list(trace.walk())) == 60
    look(trace)


SMALL = st.integers(-3, 12)
JUNK = st.recursive(
    st.none() | st.booleans() | SMALL | st.floats() | st.text(max_size=8) | st.just("0.1.1"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "$text", "__proto__", "name", "id"]), inner, max_size=3)
    ),
    max_leaves=5,
)
GOOD = [to_dict(event) for event in (*nested().events, *unicode().events)]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    data = dict(draw(st.sampled_from(GOOD)))
    data[draw(st.sampled_from([*data, "t", "usage", "error", "batch", "site", "context", "settings"]))] = (
        draw(JUNK)
    )
    return json.dumps(data)


LINE = mutated() | JUNK.map(json.dumps) | st.text(max_size=20).map(lambda text: text.replace("\n", " "))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "run.rlm.jsonl"


@settings(deadline=None, max_examples=400)
@given(lines=st.lists(LINE, min_size=1, max_size=4))
def test_any_lines_are_refused_or_can_be_looked_at(path: Path, lines: list[str]) -> None:
    try:
        trace = opened(path, *lines)
    except TraceError:
        return
    look(trace)


@settings(deadline=None, max_examples=200)
@given(content=st.binary(max_size=60))
def test_any_bytes_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(TraceError):
        load(path)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_damage_that_costs_an_event_is_told(path: Path, data: st.DataObject) -> None:
    """Bytes are changed, taken out or put in anywhere: no event is missing or new, unless that is told."""
    told = nested().events
    whole = bytearray(save(Trace(told), path).read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at : at + data.draw(st.integers(0, 300))] = data.draw(st.binary(max_size=20))
    path.write_bytes(whole)
    try:
        trace = load(path)
    except TraceError:
        return
    look(trace)
    if len(trace.events) != len(told):
        assert trace.warning
