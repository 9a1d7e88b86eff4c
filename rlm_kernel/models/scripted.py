"""`ScriptedModel`: replies that were written down. For tests, documentation and teaching without a key."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence

from rlm_kernel.errors import BadReply
from rlm_kernel.models.base import Reply, Request, estimate
from rlm_kernel.trace import Mode

Scripted = str | Reply | Exception
Script = Sequence[Scripted] | Callable[[Request], Scripted | Awaitable[Scripted]]


class ScriptedModel:
    """Answers rlm turns from `replies` and plain sub-calls from `llm`; each is a list, taken in order, or a
    function of the `Request`. Without `llm` everything comes from `replies`. An exception in a list is raised.

    `requests` keeps what was asked.
    """

    mode: Mode = "scripted"

    def __init__(self, replies: Script, *, llm: Script | None = None, name: str = "scripted") -> None:
        self.name = name
        self.requests: list[Request] = []
        self._scripts = {"rlm": _Script(replies)}
        self._scripts["llm"] = self._scripts["rlm"] if llm is None else _Script(llm)

    async def reply(self, request: Request) -> Reply:
        """The next scripted reply. Raises `BadReply` when the script is at its end."""
        self.requests.append(request)
        item = await self._scripts[request.kind].next(request, self.name)
        if isinstance(item, Exception):
            raise item
        if isinstance(item, Reply):
            return item
        return Reply(text=item, model=request.model, usage=estimate(request, item))

    async def close(self) -> None:
        """Nothing to free."""


class _Script:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._taken = 0

    async def next(self, request: Request, name: str) -> Scripted:
        if callable(self._script):
            item = self._script(request)
            return await item if inspect.isawaitable(item) else item
        if self._taken >= len(self._script):
            raise BadReply(
                f"the script has {len(self._script)} replies and call {request.call_id}, turn {request.turn}, "
                "asks for one more; add a reply, or use a function of the request",
                model=name,
            )
        self._taken += 1
        return self._script[self._taken - 1]


__all__ = ["Script", "ScriptedModel"]
