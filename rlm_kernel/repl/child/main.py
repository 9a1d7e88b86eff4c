"""The worker process: loads its context, then runs blocks until the engine goes away."""

from __future__ import annotations

import os
import resource
import signal
import sys

from rlm_kernel.repl.child import chance, lanes
from rlm_kernel.repl.child.foresight import Foresight
from rlm_kernel.repl.child.link import Link
from rlm_kernel.repl.child.namespace import Namespace
from rlm_kernel.repl.child.scaffold import Scaffold
from rlm_kernel.repl.routes import decode

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any


def main(socket_fd: int) -> None:
    """Serves the engine on that inherited socket; does not return."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, lambda *_: None)  # only a running block is interrupted
    link = Link(socket_fd)
    scaffold, namespace = _open(link, link.orders.get())
    while True:
        order = link.orders.get()
        if order["op"] == "values":
            data, blob = namespace.values(order["names"], order["budget_bytes"])
            link.send({"op": "values", "number": order["number"], **data}, blob)
        else:
            scaffold.plain_children = order["plain_children"]
            scaffold.foresight = Foresight(order["model"], order["foreseen"])
            done = namespace.run(order["code"], order["name"])
            link.send({"op": "done", **done})


def _open(link: Link, order: dict[str, Any]) -> tuple[Scaffold, Namespace]:
    sys.path.extend(path for path in order["path"] if path not in sys.path)
    workdir = os.getcwd()
    os.environ.update(HOME=workdir, TMPDIR=workdir, LANG="C.UTF-8")
    lanes.install()
    chance.seed(order["seed"])
    try:
        context = decode(order["route"], order["fd"], order["size"])
    except BaseException as error:  # noqa: BLE001 - unpickling runs anybody's code; the engine reports it
        link.send({"op": "broken", "message": f"{type(error).__name__}: {error}"})
        os._exit(1)
    if order["fd"] >= 0:
        os.close(order["fd"])
    link.send({"op": "opened"})
    scaffold = Scaffold(link, context)
    return scaffold, Namespace(scaffold, workdir)


__all__ = ["main"]
