"""A context on its way to a worker: its bytes in an unnamed file that the worker inherits, and its card."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rlm_kernel.repl.beside import HashBeside
from rlm_kernel.repl.content import content_of
from rlm_kernel.repl.describe import describe
from rlm_kernel.repl.routes import layout
from rlm_kernel.repl.routes.encoding import plain_pieces, route_of
from rlm_kernel.repl.routes.forking import forkable
from rlm_kernel.repl.routes.pickling import pickled
from rlm_kernel.repl.unnamed import UnnamedFile
from rlm_kernel.trace import ContextCard


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A packed context: `fd` is an open file of `size` bytes, -1 when there is none; `route` says how to read it, and
    `forkable` whether a process that has read it may be forked, as far as is known before."""

    card: ContextCard
    route: str
    fd: int
    size: int
    forkable: bool = False

    def close(self) -> None:
        """Gives the bytes back. Workers that have read them are not affected."""
        if self.fd >= 0:
            os.close(self.fd)


def pack_context(value: Any, name: str = "context") -> Packed:
    """The value ready for a worker. Raises `ContextError` for what cannot move."""
    route = route_of(value)
    card = describe(value, name)
    return _pack_pickle(value, card) if route == "pickle" else store(route, plain_pieces(route, value), card)


def store(route: str, chunks: Iterable[Any], card: dict[str, Any]) -> Packed:
    """Bytes that are already encoded, ready for a worker. Nothing in them is decoded."""
    if route == "none":
        return Packed(card=_card(card, HashBeside().hexdigest()), route=route, fd=-1, size=0, forkable=True)
    with UnnamedFile(str(card.get("type"))) as file:
        with HashBeside() as digest:
            for chunk in chunks:
                digest.add(chunk)
                file.write(chunk)
            made = _card(card, digest.hexdigest())
        return Packed(card=made, route=route, fd=file.take(), size=file.size, forkable=route != "pickle")


def _pack_pickle(value: Any, card: dict[str, Any]) -> Packed:
    with UnnamedFile(str(card.get("type"))) as file:
        done = pickled(value, file.write, file.restart)
        content = content_of(value)

        def finish() -> None:
            layout.finish(file.write, done.size, done.buffers)

        if content is None:
            finish()
        digest = content.digest(finish) if content else ""
        return Packed(
            card=_card(card, digest or file.digest()),
            route="pickle",
            fd=file.take(),
            size=file.size,
            forkable=forkable(done.modules),
        )


def _card(card: dict[str, Any], digest: str) -> ContextCard:
    return ContextCard(**card, hash=digest)


__all__ = ["Packed", "pack_context", "store"]
