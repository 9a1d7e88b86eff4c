"""The sub-calls of one rlm call: named by their place, counted before any is made, made together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from rlm_kernel.engine.issued import Asked, Claim, Fingerprint
from rlm_kernel.engine.limits import Ledger
from rlm_kernel.engine.past import Past
from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.spec import CallSpec
from rlm_kernel.errors import LimitExceeded
from rlm_kernel.repl.base import SubcallBatch, SubcallRequest, SubcallResult
from rlm_kernel.repl.pack import Packed, pack_context
from rlm_kernel.trace import Batch, CallKind, Site

Start = Callable[[CallSpec], None]
Make = Callable[[CallSpec], Awaitable[SubcallResult]]


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """What is asked for, before it has a place."""

    kind: CallKind
    model: str
    prompt: str
    packed: Packed | None = None
    prompt_is_context: bool = False
    depth_capped: bool = False

    @property
    def fingerprint(self) -> Fingerprint:
        return self.kind, self.model, self.prompt, self.packed.card.hash if self.packed else ""

    def changed(self, past: Past) -> _Draft:
        """This, as a person wants it where the record is left."""
        edit = past.edit
        if edit is None:
            return self
        draft = self
        if edit.model is not None and edit.turn == 1:
            draft = replace(draft, model=edit.model.name)
        if edit.prompt is not None:
            packed = pack_context(edit.prompt) if self.prompt_is_context else self.packed
            draft = replace(draft, prompt=edit.prompt, packed=packed)
        return draft


class Subcalls:
    """Serves what the blocks of `parent` ask for. `start` records a submission, `make` makes the call.

    `settings` are those of the run, and those that hold where it follows its record. `models` are the names that answer
    children and plain requests where the code names none.
    """

    def __init__(
        self,
        parent: CallSpec,
        settings: tuple[Settings, Settings],
        ledger: Ledger,
        models: tuple[str, str],
        start: Start,
        make: Make,
    ) -> None:
        self._parent = parent
        self._settings, self._settings_then = settings
        self._ledger = ledger
        self._rlm_model, self.llm_model = models
        self._start = start
        self._make = make
        self._turn = 0

    def begin_turn(self, turn: int) -> None:
        """Starts numbering anew: an id is the turn and the place in it."""
        self._turn = turn
        self._parent.past.begin(turn)

    def are_plain(self, block: int) -> bool:
        """Whether children that the block asks for are plain requests, as deep as it is."""
        return self._parent.depth + 1 >= self._limits(block).max_depth

    async def serve(self, batch: SubcallBatch, block: int) -> Sequence[SubcallResult]:
        """The results in the order of the requests. Raises `LimitExceeded` before anything is spent."""
        specs: list[CallSpec] = []
        drafts: list[_Draft] = []
        try:
            limits = self._limits(block)
            self._check_depth(limits)
            drafts = [self._draft(request, limits) for request in batch.requests]
            self._ledger.take_calls(len(drafts), limits)
            claim, specs = self._specs(drafts, batch, block)
            for spec in specs:
                self._start(spec)
            results = await self._made(specs)
            if claim.unit is not None:
                claim.unit.ended.set()
            return results
        finally:
            self._close(
                *(request.packed for request in batch.requests),
                *(draft.packed for draft in drafts),
                *(spec.packed for spec in specs),
            )

    async def _made(self, specs: Sequence[CallSpec]) -> Sequence[SubcallResult]:
        if len(specs) == 1:
            return [await self._make(specs[0])]
        return await asyncio.gather(*(self._make(spec) for spec in specs))

    def _specs(
        self, drafts: Sequence[_Draft], batch: SubcallBatch, block: int
    ) -> tuple[Claim, list[CallSpec]]:
        asked = Asked(
            block=block,
            lane=batch.lane,
            batched=batch.batched,
            fingerprints=tuple(draft.fingerprint for draft in drafts),
        )
        claim, pasts = self._parent.past.claim(asked)
        base = f"{self._parent.id}.{self._turn}"
        site = Site(block=block, line=batch.line, code=batch.code, lane=batch.lane)
        specs = []
        for index, (draft, number, past) in enumerate(zip(drafts, claim.numbers, pasts, strict=True)):
            size = len(drafts)
            place = Batch(id=f"{base}.{claim.numbers[0]}", index=index, size=size) if batch.batched else None
            meant = draft.changed(past)
            specs.append(
                CallSpec(
                    id=f"{base}.{number}",
                    kind=meant.kind,
                    depth=self._parent.depth + 1,
                    model=meant.model,
                    prompt=meant.prompt,
                    past=past,
                    packed=meant.packed,
                    prompt_is_context=meant.prompt_is_context,
                    site=site,
                    batch=place,
                    depth_capped=meant.depth_capped,
                )
            )
        return claim, specs

    def _limits(self, block: int) -> Settings:
        return self._settings_then if self._parent.past.is_known(self._turn, block) else self._settings

    def _draft(self, request: SubcallRequest, limits: Settings) -> _Draft:
        capped = request.kind == "rlm" and self._parent.depth + 1 >= limits.max_depth
        if request.kind == "llm" or capped:
            model = request.model or self.llm_model
            return _Draft(kind="llm", model=model, prompt=request.prompt, depth_capped=capped)
        packed = self._parent.packed if request.inherit else request.packed
        return _Draft(
            kind="rlm",
            model=request.model or self._rlm_model,
            prompt=request.prompt,
            packed=packed or pack_context(request.prompt),
            prompt_is_context=packed is None,
        )

    def _close(self, *contexts: Packed | None) -> None:
        own = {id(packed): packed for packed in contexts if packed is not None}
        own.pop(id(self._parent.packed), None)
        for packed in own.values():
            packed.close()

    def _check_depth(self, limits: Settings) -> None:
        depth, most = self._parent.depth + 1, limits.max_depth
        if depth > most:
            raise LimitExceeded(
                f"no sub-calls at depth {depth}: this run's max_depth is {most}. Work in Python.",
                limit="max_depth",
                used=depth,
                allowed=most,
            )


__all__ = ["Subcalls"]
