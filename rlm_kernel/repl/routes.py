"""How a context becomes bytes and a context again. Both sides use this; only a worker ever loads.

The route fits the type: text and bytes as they are, plain containers by `marshal` (no code can hide in it, and
equal values give equal bytes, so a hash of them is a content hash), anything else by pickle.
"""

from __future__ import annotations

import marshal
import mmap
import pickle

from rlm_kernel.errors import ContextError
from rlm_kernel.repl.describe import type_name

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

ROUTES = ("none", "text", "bytes", "marshal", "pickle")
_CHUNK = 16 * 2**20
# Version 2 has no back references, so equal values give equal bytes whatever objects they share.
_MARSHAL_VERSION = 2


def encode(value: Any) -> tuple[str, Iterator[bytes]]:
    """The value's route and its bytes in chunks. Raises `ContextError` for what cannot move."""
    if value is None:
        return "none", iter(())
    if type(value) is str:
        return "text", _text_chunks(value)
    if type(value) is bytes:
        return "bytes", iter([value])
    try:
        return "marshal", iter([marshal.dumps(value, _MARSHAL_VERSION)])
    except ValueError:
        return "pickle", iter([_pickle(value)])


def decode(route: str, fd: int, size: int) -> Any:
    """The value in a file of `size` bytes. Runs in a worker only: it unpickles."""
    if route == "none":
        return None
    if size == 0:
        return "" if route == "text" else b""
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
        if route == "text":
            return str(view, "utf-8", "surrogatepass")
        if route == "bytes":
            return bytes(view)
        return marshal.loads(view) if route == "marshal" else pickle.loads(view)


def _text_chunks(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), _CHUNK):
        yield text[start : start + _CHUNK].encode("utf-8", "surrogatepass")


def _pickle(value: Any) -> bytes:
    try:
        data = pickle.dumps(value, protocol=5)
    except Exception as error:
        raise ContextError(
            f"a {type_name(value)} cannot be copied into the child namespace ({error}). "
            "Pass what it holds instead: text, a list or dict of texts, a DataFrame, an array.",
            type_name=type_name(value),
        ) from error
    return data


__all__ = ["ROUTES", "decode", "encode"]
