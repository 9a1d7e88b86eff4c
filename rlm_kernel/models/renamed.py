"""`RenamedModel`: the same server, asked for another of its models."""

from __future__ import annotations

from rlm_kernel.models.base import Model, Reply, Request


class RenamedModel:
    """Has another name than `model`, which answers: a request says itself which model it is for."""

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self.name = name
        self.mode = model.mode
        self.base_url: str | None = getattr(model, "base_url", None)
        self.secrets: tuple[str, ...] = getattr(model, "secrets", ())

    async def reply(self, request: Request) -> Reply:
        """The reply of the model behind it. Raises `ModelError`."""
        return await self._model.reply(request)

    async def close(self) -> None:
        """Frees its connections."""
        await self._model.close()


__all__ = ["RenamedModel"]
