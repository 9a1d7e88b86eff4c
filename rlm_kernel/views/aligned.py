"""Two runs side by side: the same places of both (calls and turns, by their path) and what is not the same there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Literal

from rlm_kernel.trace import Call, Status, Trace, Turn
from rlm_kernel.views.figures import Figures
from rlm_kernel.views.outputs import output_line, read_output
from rlm_kernel.views.summary import (
    Rollup,
    code_line,
    is_recorded,
    is_replayed,
    line,
    rollups,
    said,
    turn_rollup,
    turn_seconds,
)
from rlm_kernel.views.words import Piece, word_diff

Aspect = Literal["status", "prompt", "model", "reply", "code", "output", "answer", "error"]
Verdict = Literal["same", "changed", "only left", "only right"]
StepKind = Literal["rlm", "llm", "turn"]

_ASPECTS: tuple[Aspect, ...] = ("status", "prompt", "model", "reply", "code", "output", "answer", "error")
_FEW = 3
# A place of the tree as the numbers of its path: in their order parents come before what is below them.
_Place = tuple[int, ...]
_Step = tuple[Call, Turn | None]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one aspect of a place was on the left and is on the right. An empty text: nothing."""

    aspect: Aspect
    left: str
    right: str

    @cached_property
    def pieces(self) -> list[Piece]:
        """Both texts, word by word."""
        return word_diff(self.left, self.right)


@dataclass(frozen=True, kw_only=True)
class Side:
    """A place as it is in one of the runs. `figures` has what is below it too; `title` is a line that tells it."""

    status: Status
    figures: Figures
    replayed: bool
    title: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A call (`0.3.2`) or a turn (`0.3`) and what is not the same there."""

    place: str
    kind: StepKind
    left: Side | None
    right: Side | None
    changes: tuple[Change, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Whether both runs have it, and have the same there."""
        if self.left is None:
            return "only right"
        if self.right is None:
            return "only left"
        return "changed" if self.changes else "same"


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Rows in one, which have the same verdict and nothing more to tell."""

    rows: tuple[Row, ...]

    @property
    def place(self) -> str:
        """From where to where."""
        return f"{self.rows[0].place}…{self.rows[-1].place}"

    @property
    def verdict(self) -> Verdict:
        """That of each."""
        return self.rows[0].verdict


def align(left: Trace, right: Trace) -> list[Row]:
    """The places of both runs, parents first, in the order of their paths."""
    mine, theirs = _steps(left), _steps(right)
    below = [rollups(trace.root) if trace.root else {} for trace in (left, right)]
    return [
        _row(place, mine.get(place), theirs.get(place), below[0], below[1])
        for place in sorted({*mine, *theirs})
    ]


def folded(rows: list[Row]) -> Iterator[Row | Fold]:
    """The rows, those without anything to tell together: places that are the same, and many sub-calls that only one
    run has."""

    def key(row: Row) -> object:
        alone = row.verdict == "changed" or (row.verdict != "same" and row.kind == "turn")
        return row.place if alone else row.verdict

    for _, group in groupby(rows, key=key):
        parts = tuple(group)
        if len(parts) == 1 or (parts[0].verdict != "same" and len(parts) <= _FEW):
            yield from parts
        else:
            yield Fold(rows=parts)


def _steps(trace: Trace) -> dict[_Place, _Step]:
    out: dict[_Place, _Step] = {}
    for call in trace.walk():
        place = tuple(map(int, call.id.split(".")))
        out[place] = call, None
        if call.kind == "rlm":  # the one turn of a plain request is the request
            out |= {(*place, turn.number): (call, turn) for turn in call.turns}
    return out


def _row(
    place: _Place,
    left: _Step | None,
    right: _Step | None,
    below: dict[str, Rollup],
    below_right: dict[str, Rollup],
) -> Row:
    kinds: list[StepKind] = [
        call.kind if turn is None else "turn" for call, turn in (s for s in (left, right) if s)
    ]
    return Row(
        place=".".join(map(str, place)),
        kind=kinds[-1],
        left=_side(left, below) if left else None,
        right=_side(right, below_right) if right else None,
        changes=tuple(_changes(left, right)) if left and right else (),
    )


def _side(step: _Step, below: dict[str, Rollup]) -> Side:
    call, turn = step
    usage = below[call.id].usage if turn is None else turn_rollup(turn, below).usage
    reply = turn.reply if turn else None
    return Side(
        status=_status(step),
        figures=Figures(usage=usage, seconds=turn_seconds(turn) if turn else call.seconds),
        replayed=is_recorded(reply) if reply else turn is None and is_replayed(call),
        title=line(call.prompt, 60)
        if turn is None
        else code_line(turn, 60) or line(reply.text if reply else "", 60),
    )


def _status(step: _Step) -> Status:
    call, turn = step
    if turn is None:
        return call.status
    if turn.reply is None or any(block.executed is None for block in turn.blocks):
        return "cut off" if call.status == "finished" else call.status
    failed = turn.reply.error or any(block.executed and block.executed.error for block in turn.blocks)
    return "failed" if failed else "finished"


def _changes(left: _Step, right: _Step) -> Iterator[Change]:
    mine, theirs = _told(left), _told(right)
    differ = [aspect for aspect in _ASPECTS if mine.get(aspect, "") != theirs.get(aspect, "")]
    raw = [_raw(step) for step in (left, right)]
    if raw[0] != raw[1] and not {"reply", "code"} & set(differ):
        # The fences around the code are other ones, say: what it did is the same, what was said is not.
        yield Change(aspect="reply", left=raw[0], right=raw[1])
    for aspect in differ:
        yield Change(aspect=aspect, left=mine.get(aspect, ""), right=theirs.get(aspect, ""))


def _raw(step: _Step) -> str:
    turn = step[1]
    return turn.reply.text if turn and turn.reply else ""


def _told(step: _Step) -> dict[Aspect, str]:
    """What a place says, each aspect as one text. What a call below it says is told there."""
    call, turn = step
    status = _status(step)
    if turn is None:
        aspects: dict[Aspect, str] = {"prompt": call.prompt, "error": str(call.error or ""), "status": status}
        aspects["reply" if call.kind == "llm" else "answer"] = _said(call)
        return {**aspects, "model": call.model} if call.kind == "llm" else aspects
    done = [block.executed for block in turn.blocks if block.executed]
    errors = [turn.reply.error if turn.reply else None, *(each.error for each in done)]
    return {
        "status": status,
        "prompt": "\n\n".join(message.content for message in turn.messages),
        "model": turn.reply.model if turn.reply else "",
        "reply": said(turn),
        "code": "\n\n".join(each.code for each in done),
        "output": "".join(
            [
                *(each.stdout + each.stderr for each in done),
                *(f"{output_line(read_output(output))}\n" for each in done for output in each.outputs),
            ]
        ),
        "error": "\n".join(str(error) for error in errors if error),
    }


def _said(call: Call) -> str:
    if call.kind == "llm":
        return call.reply.text if call.reply else ""
    return call.answer or ""


__all__ = ["Aspect", "Change", "Fold", "Row", "Side", "StepKind", "Verdict", "align", "folded"]
