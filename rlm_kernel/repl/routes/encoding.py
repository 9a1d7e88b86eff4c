"""`encode`: the bytes of a context, by the route that fits its type."""

from __future__ import annotations

from rlm_kernel.repl.routes import layout, plain
from rlm_kernel.repl.routes.pickling import pickled

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from rlm_kernel.repl.routes.plain import Piece

ROUTES = ("none", "text", "bytes", "marshal", "pickle")


def encode(value: Any) -> tuple[str, Iterator[Piece]]:
    """The value's route and its bytes in pieces. Raises `ContextError` for what cannot move."""
    route = route_of(value)
    return route, _pickle_pieces(value) if route == "pickle" else plain_pieces(route, value)


def route_of(value: Any) -> str:
    """How the value goes."""
    kind = type(value)
    if value is None:
        return "none"
    if kind is str:
        return "text"
    if kind is bytes:
        return "bytes"
    return "marshal" if plain.is_plain(value) else "pickle"


def plain_pieces(route: str, value: Any) -> Iterator[Piece]:
    """The bytes of a value that goes by that route, which is not `pickle`."""
    match route:
        case "none":
            return iter(())
        case "text":
            return plain.text_pieces(value)
        case "bytes":
            return plain.bytes_pieces(value)
    return plain.marshal_pieces(value)


def _pickle_pieces(value: Any) -> Iterator[Piece]:
    pieces: list[Piece] = []
    done = pickled(value, pieces.append, pieces.clear)
    layout.finish(pieces.append, done.size, done.buffers)
    return iter(pieces)


__all__ = ["ROUTES", "encode", "plain_pieces", "route_of"]
