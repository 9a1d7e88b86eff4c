"""`CachedModel`: replies that an earlier run has paid for, served again for identical requests.

Identical is what is sent: messages, model and parameters, to the same server. The temperature has no say: with
the cache on, a reply that was drawn by chance stays as it was drawn. A run that asks the same thing several times
wants several replies, so each of them is kept and served by its number: a run never gets one reply twice, unless
the model gives it twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter, defaultdict
from dataclasses import replace

from rlm_kernel.models.base import Model, Reply, Request
from rlm_kernel.models.replies import ReplyCache
from rlm_kernel.trace import ModelReplied

_NOT_WHOLE = frozenset(("length", "max_tokens", "error", "content_filter"))


class CachedModel:
    """Answers from the cache what it has, and lets `model` answer the rest. Make one for each run.

    A reply from the cache has mode `replayed`, and a usage of 0 requests: it costs nothing again. Requests under
    way at the same time are not merged.
    """

    def __init__(self, model: Model, cache: ReplyCache) -> None:
        self.name = model.name
        self.mode = model.mode
        self.base_url: str | None = getattr(model, "base_url", None)
        self.secrets: tuple[str, ...] = getattr(model, "secrets", ())
        self.cache = cache
        self._model = model
        self._asked: Counter[str] = Counter()
        self._failed: dict[str, list[int]] = defaultdict(list)

    async def reply(self, request: Request) -> Reply:
        """The reply of the first identical request, or the model's. Raises `ModelError`; the cache never fails."""
        same = self._same(request)
        number = self._number(same)
        try:
            return await self._numbered(request, hashlib.sha256(f"{number} {same}".encode()).hexdigest())
        except BaseException:
            self._failed[same].append(number)
            raise

    async def _numbered(self, request: Request, key: str) -> Reply:
        kept = await self.cache.get(key)
        if kept is not None and kept.request_hash == request.hash and kept.error is None:
            return _again(kept)
        started = time.monotonic()
        reply = await self._model.reply(request)
        if reply.mode is None and reply.finish_reason not in _NOT_WHOLE:
            self.cache.put(key, self._kept(request, reply, time.monotonic() - started))
        return reply

    async def close(self) -> None:
        """Frees the model's connections and writes down what is still to be written."""
        await asyncio.gather(self._model.close(), self.cache.close())

    def _same(self, request: Request) -> str:
        # Hashed, because a URL's path may hold what is nobody's business. The lengths tell apart what the
        # request's hash does not: two messages, and one that spells them both.
        source = self.base_url or f"{self.mode}:{self.name}"
        lengths = [len(message.content) for message in request.messages]
        return json.dumps([source, request.hash, lengths])

    def _number(self, same: str) -> int:
        # A request that failed may be asked again, once its server is back: then it is the same one still.
        if self._failed[same]:
            return self._failed[same].pop(0)
        self._asked[same] += 1
        return self._asked[same]

    def _kept(self, request: Request, reply: Reply, seconds: float) -> ModelReplied:
        return ModelReplied(
            call_id=request.call_id,
            turn=request.turn,
            text=reply.text,
            model=reply.model,
            mode=self.mode,
            seconds=seconds,
            request_hash=request.hash,
            usage=reply.usage,
            finish_reason=reply.finish_reason,
            reasoning=reply.reasoning,
        )


def _again(kept: ModelReplied) -> Reply:
    return Reply(
        text=kept.text,
        model=kept.model,
        usage=replace(kept.usage, requests=0),
        finish_reason=kept.finish_reason,
        reasoning=kept.reasoning,
        mode="replayed",
        first_mode=kept.mode,
    )


__all__ = ["CachedModel"]
