"""Frames survive any way a stream is cut, and refuse what is not one."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.errors import ProtocolError
from rlm_kernel.repl.frames import MAX_BLOB, MAX_JSON, FrameParser, pack

DATA = st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers() | st.none(), max_size=4).map(
    lambda fields: {**fields, "op": "x"}
)


def test_a_frame_is_an_object_and_bytes_beside_it() -> None:
    assert list(FrameParser().feed(pack({"op": "call", "n": 1}, b"\x00\xff"))) == [
        ({"op": "call", "n": 1}, b"\x00\xff")
    ]


@given(st.lists(st.tuples(DATA, st.binary(max_size=50)), max_size=5), st.integers(1, 40))
def test_any_cut_of_the_stream_gives_the_same_frames(
    frames: list[tuple[dict[str, object], bytes]], step: int
) -> None:
    stream = b"".join(pack(data, blob) for data, blob in frames)
    parser = FrameParser()
    out = [frame for at in range(0, len(stream), step) for frame in parser.feed(stream[at : at + step])]
    assert out == frames


@pytest.mark.parametrize("sizes", [(MAX_JSON + 1, 0), (2, MAX_BLOB + 1), (2**32 - 1, 2**32 - 1)])
def test_a_frame_over_a_cap_is_refused_by_its_header(sizes: tuple[int, int]) -> None:
    with pytest.raises(ProtocolError, match="over the cap"):
        list(FrameParser().feed(struct.pack("!II", *sizes)))


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"op": 1}', b"nonsense", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_an_object_with_an_op_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(FrameParser().feed(struct.pack("!II", len(body), 0) + body))


@given(st.binary(max_size=200))
def test_garbage_never_raises_anything_else(garbage: bytes) -> None:
    try:
        for data, _ in FrameParser().feed(garbage):
            json.dumps(data)
    except ProtocolError:
        pass
