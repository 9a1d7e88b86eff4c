"""What a namespace is told to do, one order after the other."""

from __future__ import annotations

from rlm_kernel.repl.child.foresight import Foresight

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any, Protocol

    from rlm_kernel.repl.child.namespace import Namespace
    from rlm_kernel.repl.child.scaffold import Scaffold

    class Line(Protocol):
        """Where orders come from, and answers go to."""

        orders: Any

        def send(self, data: dict[str, Any], blob: bytes = b"") -> None: ...

        def ask(self, data: dict[str, Any], blob: bytes, lane: Any) -> dict[str, Any]: ...


def obey(line: Line, scaffold: Scaffold, namespace: Namespace) -> None:
    """Does as it is told until there is no order any more."""
    while (order := line.orders.get()) is not None:
        if order["op"] == "values":
            data, blob = namespace.values(order["names"], order["budget_bytes"])
            line.send({"op": "values", "number": order["number"], **data}, blob)
        else:
            scaffold.plain_children = order["plain_children"]
            scaffold.foresight = Foresight(order["model"], order["foreseen"])
            done = namespace.run(order["code"], order["name"])
            line.send({"op": "done", **done})


__all__ = ["obey"]
