"""The worker process: settles, loads its context, then runs blocks until the engine goes away."""

from __future__ import annotations

import os
import signal

from rlm_kernel.repl.child import chance, lanes
from rlm_kernel.repl.child.failure import fail
from rlm_kernel.repl.child.link import Link
from rlm_kernel.repl.child.namespace import Namespace
from rlm_kernel.repl.child.orders import obey
from rlm_kernel.repl.child.scaffold import Scaffold
from rlm_kernel.repl.child.settle import settle
from rlm_kernel.repl.child.stage import Stage

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def serve(order: dict[str, Any], connect: Callable[[], Link], load: Callable[[], Any]) -> None:
    """Serves the engine; does not return. `connect` gives the link to it, `load` the context: both are called once the
    worker has settled, as the first may start a thread and the second may run anybody's code."""
    try:
        _serve(order, connect, load)
    except BaseException:  # noqa: BLE001 - whatever it is, this is the end, and hooks of the model's have no part in it
        fail()


def _serve(order: dict[str, Any], connect: Callable[[], Link], load: Callable[[], Any]) -> None:
    signal.signal(signal.SIGINT, lambda *_: None)  # only a running block is interrupted
    settled = settle(order)
    link = connect()
    lanes.install()
    chance.seed(order["seed"])
    try:
        context = load()
    except BaseException as error:  # noqa: BLE001 - unpickling runs anybody's code; the engine reports it
        link.send({"op": "broken", "message": f"{type(error).__name__}: {error}"})
        os._exit(1)
    link.send({"op": "opened", **settled})
    scaffold = Scaffold(link, context)
    obey(link, scaffold, Namespace(scaffold, Stage(order["workdir"])))


__all__ = ["serve"]
