"""Frames between engine and worker: a length-capped JSON object, and bytes that travel beside it.

Both sides use this module. JSON is all that is ever decoded; the bytes (a context on its way to a child) are
only handed on. A frame over the caps is an error before anything is kept of it.
"""

from __future__ import annotations

import json
import os
import re
import struct
from itertools import islice

from rlm_kernel.errors import ProtocolError

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MAX_JSON = 256 * 2**20
MAX_BLOB = 2**31
MAX_VALUES = 1_000_000
"""Of a frame: a value can take twenty times the memory of its bytes, unless it is a text."""
_HEADER = struct.Struct("!II")
# Bound once: code in a worker may replace what the json module exports.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode
_decode = json.JSONDecoder().decode
_pieces = re.compile(rb'[,\[{]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL).finditer

Frame = tuple["dict[str, Any]", bytes]


def pack(data: dict[str, Any], blob: bytes = b"") -> bytes:
    """The frame as bytes. Raises `ProtocolError` when it is over a cap."""
    body = _encode(data).encode("ascii")
    _check(len(body), len(blob))
    return _HEADER.pack(len(body), len(blob)) + body + blob


class FrameParser:
    """Turns a stream of bytes into frames, whatever way it is cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Raises `ProtocolError` for anything that is not one."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            json_size, blob_size = _HEADER.unpack_from(self._buffer)
            _check(json_size, blob_size)
            start, middle = _HEADER.size, _HEADER.size + json_size
            end = middle + blob_size
            if len(self._buffer) < end:
                return
            body, blob = bytes(self._buffer[start:middle]), bytes(self._buffer[middle:end])
            del self._buffer[:end]
            yield _object(body), blob


def read_frame(fd: int) -> Frame:
    """The next frame of a pipe, and not a byte more. Raises `ProtocolError`."""
    json_size, blob_size = _HEADER.unpack(_read(fd, _HEADER.size))
    _check(json_size, blob_size)
    return _object(_read(fd, json_size)), _read(fd, blob_size)


def _read(fd: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = os.read(fd, size - len(data))
        if not piece:
            raise ProtocolError("a frame ended before its end")
        data += piece
    return bytes(data)


def _check(json_size: int, blob_size: int) -> None:
    if json_size > MAX_JSON or blob_size > MAX_BLOB:
        raise ProtocolError(f"a frame of {json_size + blob_size:,} bytes is over the cap; send less at once")


def _is_dense(body: bytes) -> bool:
    """Whether there is more in the JSON than a frame has: commas and brackets that are not in a text."""
    if len(body) <= MAX_VALUES or sum(map(body.count, (b",", b"[", b"{"))) <= MAX_VALUES:
        return False
    # A text is one piece, so this is quick for what may be large, and soon at its end for the rest.
    return next(islice(_pieces(body), 2 * MAX_VALUES, None), None) is not None


def _object(body: bytes) -> dict[str, Any]:
    try:
        if _is_dense(body):
            raise ValueError(f"it has more than {MAX_VALUES:,} values")
        data = _decode(body.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a frame is not JSON: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("op"), str):
        raise ProtocolError("a frame is not an object with an 'op'")
    return data


__all__ = ["MAX_BLOB", "MAX_JSON", "Frame", "FrameParser", "pack", "read_frame"]
