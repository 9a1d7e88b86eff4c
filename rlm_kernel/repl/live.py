"""A context that stays where it is: the very object, for code that runs in its owner's own process (`inline`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from rlm_kernel.repl.beside import HashBeside
from rlm_kernel.repl.content import Content, content_of
from rlm_kernel.repl.describe import describe, type_name
from rlm_kernel.repl.pack import Packed, pack_context
from rlm_kernel.repl.routes.encoding import plain_pieces, route_of
from rlm_kernel.repl.terms import Terms
from rlm_kernel.trace import ContextCard

HASHED_BYTES = 100 * 10**6
"""Of a larger context no hash is told: a replay then takes whatever it is given for the same."""
_CONTAINERS = (list, tuple, dict, set, frozenset)
_TABLES = ("numpy", "pandas", "polars", "pyarrow")


@dataclass(frozen=True, kw_only=True)
class Live(Packed):
    """The object itself, as `value`. There are no bytes of it, and there never will be."""

    value: Any = field(repr=False, compare=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a live context is an object of this process and cannot leave it")


def context_under(terms: Terms, value: Any, name: str = "context") -> Packed:
    """The value ready for code that runs under those terms: itself where they say inline, else a copy. Raises
    `ContextError` for what cannot be copied."""
    return live_context(value, name) if terms.isolation == "inline" else pack_context(value, name)


def live_context(value: Any, name: str = "context") -> Live:
    """The value for code that gets the very object. Any object will do; it is looked at, never used up."""
    card = ContextCard(**_described(value, name), hash=_hash(value))
    return Live(card=card, route="live", fd=-1, size=0, value=value)


def _described(value: Any, name: str) -> dict[str, Any]:
    try:
        return describe(value, name)
    except Exception:  # noqa: BLE001 - a live object's properties are anybody's code
        bare = {"length": None, "chars": None, "schema": "", "preview": "<unprintable>"}
        return {"name": name, "type": type_name(value), **bare}


def _hash(value: Any) -> str:
    """The hash that a copy would have, so that a replay knows the context again; empty for what is large, and for what
    cannot be read without running its owner's code."""
    known = isinstance(value, str | bytes) or type(value) in _CONTAINERS
    if not known and type(value).__module__.partition(".")[0] not in _TABLES:
        return ""
    try:
        route = route_of(value)
        return _content(value) if route == "pickle" else _plain(route, value)
    except Exception:  # noqa: BLE001 - somebody else may be changing it at this moment
        return ""


def _plain(route: str, value: Any) -> str:
    if isinstance(value, str | bytes) and len(value) > HASHED_BYTES:
        return ""
    left = HASHED_BYTES
    with HashBeside() as digest:
        for piece in plain_pieces(route, value):
            left -= len(piece)
            if left < 0:
                return ""
            digest.add(piece)
        return digest.hexdigest()


def _content(value: Any) -> str:
    content = content_of(value, _Small())
    return content.digest() if content is not None and content.size <= HASHED_BYTES else ""


class _Small(Content):
    """Content that is given up when it turns out to be large."""

    def __init__(self) -> None:
        super().__init__()
        self._left = HASHED_BYTES

    def write(self, data: Any) -> int:
        """Takes what a pickler says. Raises `ValueError` when that is too much."""
        written = super().write(data)
        self._left -= written
        if self._left < 0:
            raise ValueError("too large to be hashed")
        return written


__all__ = ["HASHED_BYTES", "Live", "context_under", "live_context"]
