"""Whatever a worker sends: what it may mean, or a `ProtocolError`, in bounded time and memory."""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fuzz.effort import effort, in_time
from fuzz.forged import run_block
from hypothesis import example, given
from hypothesis import strategies as st

from rlm_kernel.errors import ProtocolError
from rlm_kernel.repl import frames
from rlm_kernel.repl.base import BlockResult, Submission
from rlm_kernel.repl.calls import read_batch, read_done
from rlm_kernel.repl.frames import MAX_VALUES, FrameParser, pack
from rlm_kernel.repl.worker import MOST_AT_ONCE
from rlm_kernel.trace import CodeExecuted, to_dict
from rlm_kernel.trace.codec import from_dict

BLOBS = st.binary(max_size=40)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.integers(-5, 5)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["llm", "rlm", "text", "bytes", "pickle", "none", "inherit", "\ud800", "1.2"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
CARD = {"name": "context", "type": "str", "length": 3, "chars": 3, "schema": "str", "preview": "abc"}
CALL = {
    "op": "call", "number": 1, "kind": "rlm", "model": None, "prompts": ["a", "b", "c"], "batched": True,
    "contexts": [{"route": "text", "size": 3, "card": CARD}, None, {"inherit": True}],
    "line": 3, "code": "rlm_query_batched(…)", "lane": "1.2",
}  # fmt: skip
DONE = {
    "op": "done", "error": {"type": "ValueError", "message": "no", "traceback": "…"}, "seconds": 0.5,
    "answer": {"ready": True, "content": "42", "how": "answer"}, "names": ["x"], "notes": ["a note"], "outputs": [],
    "variables": {"added": [{"name": "x", "type": "int", "size": "", "preview": "1"}], "changed": [], "removed": ["y"]},
}  # fmt: skip


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the data."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def spoilt(data: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The data with something else, or nothing, in some places."""

    def spoil(changes: list[tuple[tuple[Any, ...], Any, bool]]) -> dict[str, Any]:
        copy = json.loads(json.dumps(data))
        for path, value, gone in changes:
            at = copy
            with suppress(KeyError, IndexError, TypeError):
                for key in path[:-1]:
                    at = at[key]
                if gone:
                    del at[path[-1]]
                else:
                    at[path[-1]] = value
        return copy

    change = st.tuples(st.sampled_from(places(data)[1:]), JSON, st.booleans())
    return st.lists(change, min_size=1, max_size=3).map(spoil)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


@effort
@given(st.lists(st.tuples(JSON, BLOBS), max_size=4), st.lists(st.integers(1, 30), min_size=1))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(
    pieces: list[tuple[Any, bytes]], cuts: list[int]
) -> None:
    sent = [({"op": "x", "data": json.loads(json.dumps(data, allow_nan=False))}, blob)
            for data, blob in pieces if _is_finite(data)]  # fmt: skip
    stream = b"".join(pack(*frame) for frame in sent)
    parser, got, at = FrameParser(), [], 0
    while at < len(stream):
        size = cuts[len(got) % len(cuts)]
        got += parser.feed(stream[at : at + size])
        at += size
    assert got == sent


def _is_finite(data: Any) -> bool:
    try:
        json.loads(json.dumps(data, allow_nan=False))
    except ValueError:
        return False
    return True


@effort
@given(st.lists(st.binary(max_size=60) | spoilt(CALL).map(lambda data: pack(data)), max_size=4))
@example([struct.pack("!II", 2**32 - 1, 0)])
@example([struct.pack("!II", 2, 0) + b"[]"])
@example([struct.pack("!II", 4, 0) + b"\xff\xff\xff\xff"])
def test_any_stream_gives_frames_or_a_protocol_error(pieces: list[bytes]) -> None:
    parser = FrameParser()
    with suppress(ProtocolError), in_time():
        for piece in pieces:
            for data, blob in parser.feed(piece):
                assert isinstance(data["op"], str)
                assert isinstance(blob, bytes)


@effort
@given(spoilt(CALL) | JSON.map(lambda value: {**CALL, "prompts": value}), BLOBS | st.just(b"abc"))
@example({**CALL, "line": float("inf")}, b"abc")
@example({**CALL, "contexts": [{"route": "text", "size": float("inf"), "card": CARD}, None, None]}, b"abc")
@example(
    {**CALL, "contexts": [{"route": "text", "size": 3, "card": {**CARD, "hash": "x"}}, None, None]}, b"abc"
)
@example({**CALL, "contexts": [CALL["contexts"][0], None, {"route": "?"}]}, b"abc")
@example({**CALL, "model": {"a": 1}}, b"abc")
@example({**CALL, "prompts": "abc"}, b"abc")
def test_any_sub_call_is_one_or_a_protocol_error_and_keeps_no_file_open(
    data: dict[str, Any], blob: bytes
) -> None:
    before = descriptors()
    try:
        with in_time():
            batch = read_batch(data, blob)
    except ProtocolError:
        pass
    else:
        for request in batch.requests:
            assert request.kind in ("llm", "rlm")
            assert isinstance(request.prompt, str)
            assert request.model is None or isinstance(request.model, str)
        assert isinstance(batch.line, int)
        batch.close()
    assert descriptors() == before


@effort
@given(spoilt(DONE) | JSON.map(lambda value: {**DONE, "variables": value}))
@example({**DONE, "seconds": float("nan")})
@example({**DONE, "seconds": 10**400})
@example({**DONE, "answer": {"content": 7, "ready": "yes"}})
@example({**DONE, "error": {"type": [], "message": None}})
@example({**DONE, "variables": {"added": [{"name": 5, "type": []}]}})
def test_any_end_of_a_block_can_be_recorded_and_read_again_or_is_a_protocol_error(
    data: dict[str, Any],
) -> None:
    try:
        with in_time():
            done = read_done(data)
    except ProtocolError:
        return
    assert isinstance(done.answer, Submission)
    event = CodeExecuted(
        call_id="0", turn=1, block=1, code="", error=done.error, variables=done.variables, seconds=done.seconds
    )  # fmt: skip
    assert from_dict(json.loads(json.dumps(to_dict(event), allow_nan=False))) == event


@pytest.mark.parametrize(
    "part",
    [b"[],", b'{"a":1},', b'"a",', b"0,", b'"",'],
    ids=["lists", "objects", "texts", "numbers", "empty"],
)
def test_a_frame_of_millions_of_values_is_refused_before_they_are_made(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(text: str) -> Any:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(frames, "_decode", never)
    body = b'{"op":"call","x":[' + part * (16 * 2**20 // len(part)) + b"0]}"
    with pytest.raises(ProtocolError, match="more than 1,000,000 values"), in_time():
        list(FrameParser().feed(struct.pack("!II", len(body), 0) + body))


def test_a_large_prompt_full_of_commas_is_no_such_frame() -> None:
    prompt = 'a, [b], {"c"}, \\' * 300_000
    ((data, _),) = FrameParser().feed(pack({"op": "call", "prompts": [prompt]}))
    assert prompt.count(",") + prompt.count("[") > MAX_VALUES
    assert data["prompts"] == [prompt]


# A worker that forges frames


@effort
@given(st.lists(spoilt(DONE) | spoilt(CALL), max_size=3).map(lambda said: [*said, DONE]))
def test_whatever_a_worker_says_a_block_ends(said: list[dict[str, Any]]) -> None:
    result = asyncio.run(run_block(said))
    assert isinstance(result, BlockResult)
    assert result.error is None or result.error.type in ("ValueError", "WorkerLost")


def test_a_worker_that_breaks_the_protocol_is_replaced_and_the_model_is_told() -> None:
    result = asyncio.run(run_block([{**DONE, "seconds": "soon"}]))
    assert result.error is not None
    assert "it broke the protocol: the end of a block makes no sense: seconds" in result.error.message


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            [{**CALL, "contexts": [None] * 3, "number": number} for number in range(MOST_AT_ONCE + 1)],
            "at once",
        ),
        ([{**CALL, "contexts": [None] * 3, "known": True}], "told no such results"),
    ],
    ids=["a flood", "what nobody told it"],
)
def test_sub_calls_that_no_block_can_make_end_the_worker(said: list[dict[str, Any]], why: str) -> None:
    result = asyncio.run(run_block([*said, DONE]))
    assert result.error is not None
    assert why in result.error.message
