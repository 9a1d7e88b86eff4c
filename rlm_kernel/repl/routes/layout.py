"""The file of a pickled context: the pickle, the large buffers that it names, and where each of them is.

A buffer begins where a page or a vector register likes it, so that a worker uses it where it is: it maps the file as
memory of its own, in which a page is copied when it is written to, and only then.
"""

from __future__ import annotations

import mmap
import pickle
import sys

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_ALIGNED = 64
_PIECE = 2**20
_NUMBER = 8
# The bytes of the pickle, and how many buffers there are, at the very end.
_TAIL = 2 * _NUMBER

if sys.version_info < (3, 13):
    # A map closes a descriptor that it has made for itself, when it ends. A forked process has closed them all, and the
    # number may be another file's by then; so no map ever ends.
    _MAPS: list[mmap.mmap] = []


def finish(write: Callable[[Any], object], pickled: int, buffers: Sequence[memoryview]) -> None:
    """Writes what comes after a pickle of that many bytes."""
    at, index = pickled, bytearray()
    for buffer in buffers:
        at += _pad(write, at)
        index += at.to_bytes(_NUMBER, "little") + buffer.nbytes.to_bytes(_NUMBER, "little")
        for start in range(0, buffer.nbytes, _PIECE):
            write(buffer[start : start + _PIECE])
        at += buffer.nbytes
    for number in (pickled, len(buffers)):
        index += number.to_bytes(_NUMBER, "little")
    write(bytes(index))


def load(fd: int, size: int) -> Any:
    """The value in a file of that size. It unpickles."""
    data = _mapped(fd, size)
    view = memoryview(data)
    pickled, count = (_number(view, size - _TAIL + place * _NUMBER) for place in (0, 1))
    index = size - _TAIL - count * 2 * _NUMBER
    buffers = [_buffer(view, index + each * 2 * _NUMBER) for each in range(count)]
    return pickle.loads(view[:pickled], buffers=buffers)


def _pad(write: Callable[[Any], object], at: int) -> int:
    missing = -at % _ALIGNED
    write(bytes(missing))
    return missing


def _mapped(fd: int, size: int) -> mmap.mmap:
    if sys.platform != "win32" and sys.version_info >= (3, 13):
        return mmap.mmap(fd, size, access=mmap.ACCESS_COPY, trackfd=False)
    data = mmap.mmap(fd, size, access=mmap.ACCESS_COPY)
    _MAPS.append(data)
    return data


def _buffer(view: memoryview, entry: int) -> memoryview:
    start = _number(view, entry)
    return view[start : start + _number(view, entry + _NUMBER)]


def _number(view: memoryview, at: int) -> int:
    return int.from_bytes(view[at : at + _NUMBER], "little")


__all__ = ["finish", "load"]
