"""The hash of what is in a value, for values that go by pickle.

Equal values do not give equal pickles: who shares which object gets into them, and pandas lays out a frame anew when it
is shown. A run that is done again over the same data must find it the same.
"""

from __future__ import annotations

import hashlib
import pickle
from typing import Any

_PLAIN_KINDS = "biufcmM"


def content_hash(value: Any) -> str:
    """The SHA-256 of the content, as hexadecimal digits; the same for equal frames, series, arrays and containers of
    them, whatever was done with them before. The order of a set counts, and differs between processes.

    Empty where the content cannot be told from the pickle: a value that holds itself has no end without its memo.
    """
    stream = _Digest()
    pickler = _ContentPickler(stream, protocol=5)
    pickler.fast = True  # says what is there, not which parts are the same object
    try:
        pickler.dump(value)
    except Exception:  # noqa: BLE001 - how a stranger is pickled is anybody's code
        return ""
    return stream.digest.hexdigest()


class _Digest:
    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return memoryview(data).nbytes


class _ContentPickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """What is hashed in the place of a value whose pickle says more than its content."""
        kind = type(value)
        if kind.__module__.partition(".")[0] != "pandas":
            return NotImplemented
        parts = _parts(value)
        return NotImplemented if parts is None else (tuple, (parts,))


def _parts(value: Any) -> list[Any] | None:
    name = type(value).__name__
    if name == "DataFrame":
        columns = [_column(value.iloc[:, place]) for place in range(value.shape[1])]
        return [name, list(value.columns), list(value.columns.names), _index(value.index), columns]
    if name == "Series":
        return [name, value.name, _index(value.index), _column(value)]
    return None


def _index(index: Any) -> list[Any]:
    return [type(index).__name__, list(index.names), *_column(index)]


def _column(values: Any) -> list[Any]:
    dtype = values.dtype
    if getattr(dtype, "kind", "O") in _PLAIN_KINDS and type(dtype).__module__.startswith("numpy"):
        return [str(dtype), values.to_numpy().tobytes()]
    return [str(dtype), list(values)]


__all__ = ["content_hash"]
