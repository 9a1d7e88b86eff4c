"""The sub-calls of one rlm call: named by their place, counted before any is made, made together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from rlm_kernel.engine.limits import Ledger
from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.spec import CallSpec
from rlm_kernel.errors import LimitExceeded
from rlm_kernel.repl.base import SubcallBatch, SubcallRequest, SubcallResult
from rlm_kernel.repl.pack import Packed, pack_context
from rlm_kernel.trace import Batch, Site

Start = Callable[[CallSpec], None]
Make = Callable[[CallSpec], Awaitable[SubcallResult]]


class Subcalls:
    """Serves what the blocks of `parent` ask for. `start` records a submission, `make` makes the call.

    `models` are the names that answer children and plain requests where the code names none.
    """

    def __init__(
        self,
        parent: CallSpec,
        settings: Settings,
        ledger: Ledger,
        models: tuple[str, str],
        start: Start,
        make: Make,
    ) -> None:
        self._parent = parent
        self._settings = settings
        self._ledger = ledger
        self._rlm_model, self._llm_model = models
        self._start = start
        self._make = make
        self._turn = 0
        self._issued = 0

    def begin_turn(self, turn: int) -> None:
        """Starts numbering anew: an id is the turn and the place in it."""
        self._turn, self._issued = turn, 0

    async def serve(self, batch: SubcallBatch, block: int) -> Sequence[SubcallResult]:
        """The results in the order of the requests. Raises `LimitExceeded` before anything is spent."""
        specs: list[CallSpec] = []
        try:
            specs = self._specs(batch, block)
            for spec in specs:
                self._start(spec)
            if len(specs) == 1:
                return [await self._make(specs[0])]
            return await asyncio.gather(*(self._make(spec) for spec in specs))
        finally:
            self._close(*(request.packed for request in batch.requests), *(spec.packed for spec in specs))

    def _specs(self, batch: SubcallBatch, block: int) -> list[CallSpec]:
        self._check_depth()
        size = len(batch.requests)
        self._ledger.take_calls(size)
        first = self._issued + 1
        self._issued += size
        site = Site(block=block, line=batch.line, code=batch.code)
        base = f"{self._parent.id}.{self._turn}"
        specs = []
        for index, request in enumerate(batch.requests):
            place = Batch(id=f"{base}.{first}", index=index, size=size) if batch.batched else None
            specs.append(self._spec(request, f"{base}.{first + index}", site, place))
        return specs

    def _spec(self, request: SubcallRequest, call_id: str, site: Site, batch: Batch | None) -> CallSpec:
        depth = self._parent.depth + 1
        capped = request.kind == "rlm" and depth >= self._settings.max_depth
        if request.kind == "llm" or capped:
            return CallSpec(
                id=call_id,
                kind="llm",
                depth=depth,
                model=request.model or self._llm_model,
                prompt=request.prompt,
                site=site,
                batch=batch,
                depth_capped=capped,
            )
        packed = self._parent.packed if request.inherit else request.packed
        return CallSpec(
            id=call_id,
            kind="rlm",
            depth=depth,
            model=request.model or self._rlm_model,
            prompt=request.prompt,
            packed=packed or pack_context(request.prompt),
            prompt_is_context=packed is None,
            site=site,
            batch=batch,
        )

    def _close(self, *contexts: Packed | None) -> None:
        own = {id(packed): packed for packed in contexts if packed is not None}
        own.pop(id(self._parent.packed), None)
        for packed in own.values():
            packed.close()

    def _check_depth(self) -> None:
        depth, most = self._parent.depth + 1, self._settings.max_depth
        if depth > most:
            raise LimitExceeded(
                f"no sub-calls at depth {depth}: this run's max_depth is {most}. Work in Python.",
                limit="max_depth",
                used=depth,
                allowed=most,
            )


__all__ = ["Subcalls"]
