"""`SilentModel`: the model of a replay, which has nothing to say: every reply comes from the record."""

from __future__ import annotations

from rlm_kernel.errors import MissingReply
from rlm_kernel.models.base import Reply, Request
from rlm_kernel.trace import Mode


class SilentModel:
    """Stands for the model of that name and never answers."""

    mode: Mode = "replayed"

    def __init__(self, name: str) -> None:
        self.name = name

    async def reply(self, request: Request) -> Reply:
        """Raises `MissingReply`: a replay spends nothing."""
        where = f"turn {request.turn} of call {request.call_id}" if request.kind == "rlm" else "this prompt"
        raise MissingReply(
            f"the record has no reply for {where}. A replay asks no model: fork the run at this step, or resume it, "
            "to go on with one.",
            model=self.name,
        )

    async def close(self) -> None:
        """Nothing to free."""


__all__ = ["SilentModel"]
