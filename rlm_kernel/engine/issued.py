"""`Issued`: the sub-calls that a turn of a recorded call issued, found again when its code runs again.

What is asked decides which reply is given; who asks (block, lane, and how often it asked before) decides between
equals, and which name a sub-call gets. So a replay is exact however the threads of the code happen to be scheduled,
and a changed prompt still stands at its old place in the tree.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from rlm_kernel.trace import Block, Call, Turn

Fingerprint = tuple[str, str, str, str]
"""What is asked: kind, model, prompt, and the hash of the context."""

_MOST = 1_000_000  # no batch is larger; a damaged trace may say so
PATIENCE_SECONDS = 0.5
"""How long a result is kept back for one that came before it in the record: code that does something else this time
may never ask for that."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a block asks for at once, and who of it asks."""

    block: int
    lane: str
    batched: bool
    fingerprints: tuple[Fingerprint, ...]


@dataclass(kw_only=True, eq=False)
class Unit:
    """What was asked for at once in the record. `before` is the one of its block whose results came just before;
    `ended` is set when those of this one have been given to the block again."""

    calls: tuple[Call, ...]
    asked: Asked
    before: Unit | None = None
    named: bool = False
    found: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def numbers(self) -> range:
        """Its numbers in the turn, also of those that a kernel which died did not come to."""
        first, here = self.calls[0], len(self.calls)
        if first.batch is None:
            return range(_number(first), _number(first) + here)
        start = max(1, _number(first) - max(0, first.batch.index))
        return range(start, start + max(here, min(first.batch.size, _MOST)))

    async def follow(self) -> None:
        """Returns when the block has what came before."""
        if self.before is not None and not self.before.ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.before.ended.wait(), PATIENCE_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Where new sub-calls stand: their numbers in the turn, the unit of the record that they are, if any, and the one
    in whose place they are."""

    numbers: tuple[int, ...]
    unit: Unit | None
    place: Unit | None = None


class Issued:
    """The units of one turn."""

    def __init__(self, turn: Turn | None) -> None:
        self._alike: dict[tuple[bool, tuple[Fingerprint, ...]], deque[Unit]] = defaultdict(deque)
        self._mine: dict[tuple[str, bool, tuple[Fingerprint, ...]], deque[Unit]] = defaultdict(deque)
        self._places: dict[tuple[int, str, int], Unit] = {}
        self._counts: Counter[tuple[int, str]] = Counter()
        self._highest = 0
        for block in turn.blocks if turn else []:
            units = list(_units(block))
            for unit in units:
                self._add(unit)
            _link(units)
        self._counts.clear()

    def claim(self, asked: Asked, is_free: Callable[[Call], bool]) -> Claim:
        """The place of what is asked now. Each unit of free calls is found once, and its numbers are given once."""
        place = self._places.get(self._place(asked))
        unit = self._find(asked, is_free)
        named = unit if unit is not None and not unit.named else self._same_size(place, asked)
        if named is None:
            first = self._highest + 1
            self._highest += len(asked.fingerprints)
            return Claim(numbers=tuple(range(first, self._highest + 1)), unit=unit)
        named.named = True
        numbers = tuple(named.numbers[: len(asked.fingerprints)])
        return Claim(numbers=numbers, unit=unit, place=named)

    def _add(self, unit: Unit) -> None:
        self._places[self._place(unit.asked)] = unit
        self._alike[unit.asked.batched, unit.asked.fingerprints].append(unit)
        self._mine[unit.asked.lane, unit.asked.batched, unit.asked.fingerprints].append(unit)
        self._highest = max(self._highest, unit.numbers[-1])

    def _place(self, asked: Asked) -> tuple[int, str, int]:
        who = asked.block, asked.lane
        self._counts[who] += 1
        return (*who, self._counts[who])

    def _find(self, asked: Asked, is_free: Callable[[Call], bool]) -> Unit | None:
        key = asked.batched, asked.fingerprints
        for waiting in (self._mine.get((asked.lane, *key)), self._alike.get(key)):
            while waiting:
                unit = waiting.popleft()
                if not unit.found and all(map(is_free, unit.calls)):
                    unit.found = True
                    return unit
        return None

    def _same_size(self, place: Unit | None, asked: Asked) -> Unit | None:
        if place is None or place.named or place.asked.batched != asked.batched:
            return None
        return place if len(place.numbers) == len(asked.fingerprints) else None


def fingerprint(call: Call) -> Fingerprint:
    """What a recorded call asked."""
    context = call.context.hash if call.context else ""
    return call.kind, call.started.model, call.prompt, context


def _units(block: Block) -> Iterator[Unit]:
    groups: list[list[Call]] = []
    for call in block.calls:
        last = groups[-1][0] if groups else None
        if last is not None and last.batch and call.batch and last.batch.id == call.batch.id:
            groups[-1].append(call)
        else:
            groups.append([call])
    for group in groups:
        first = group[0]
        asked = Asked(
            block=block.number,
            lane=first.site.lane if first.site else "",
            batched=first.batch is not None,
            fingerprints=tuple(map(fingerprint, group)),
        )
        yield Unit(calls=tuple(group), asked=asked)


def _link(units: list[Unit]) -> None:
    # Only threads can tell in which order results come; those of the block itself come one after the other anyway.
    if all(not unit.asked.lane for unit in units):
        return
    whole = [unit for unit in units if all(call.finished for call in unit.calls)]
    for before, unit in pairwise(sorted(whole, key=_ended)):
        unit.before = before


def _ended(unit: Unit) -> int:
    return max(call.finished.seq for call in unit.calls if call.finished)


def _number(call: Call) -> int:
    return int(call.id.rpartition(".")[2])


__all__ = ["PATIENCE_SECONDS", "Asked", "Claim", "Fingerprint", "Issued", "Unit", "fingerprint"]
