"""The tree of a run: `Call` nodes built from flat events in one forward scan.

The scan takes events as they come, one at a time or all at once, and tolerates interleaved calls and a missing
end: a call without one is running while the run lives, and cut off in a trace that simply stops.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from rlm_kernel.trace.events import (
    BlockHeld,
    CallFinished,
    CallStarted,
    CodeExecuted,
    Event,
    ModelAsked,
    ModelReplied,
    RunContinued,
    RunFinished,
    RunPaused,
    RunStarted,
)
from rlm_kernel.trace.values import Batch, CallKind, ContextCard, ErrorInfo, Message, Site, Status, Usage

_ID = re.compile(r"0(?:\.[1-9][0-9]{0,8}\.[1-9][0-9]{0,8})*")


@dataclass
class Block:
    """One code block of a turn and the sub-calls it issued, in the order they were submitted."""

    number: int
    held: BlockHeld | None = None
    executed: CodeExecuted | None = None
    calls: list[Call] = field(default_factory=list)


@dataclass
class Turn:
    """One ask-the-model-and-run-its-code round. Asked twice, it was given up the first time for a last turn."""

    number: int
    asks: list[ModelAsked] = field(default_factory=list)
    reply: ModelReplied | None = None
    blocks: list[Block] = field(default_factory=list)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Those added since the turn before."""
        return tuple(message for asked in self.asks for message in asked.messages)

    @property
    def asked_at(self) -> float:
        """When its model was asked, in seconds since the run began."""
        return self.asks[-1].t if self.asks else 0.0

    def block(self, number: int) -> Block:
        """The block of that number, made when it is new."""
        for block in self.blocks:
            if block.number == number:
                return block
        self.blocks.append(Block(number))
        return self.blocks[-1]


@dataclass
class Call:
    """A node of the tree: an rlm call with its turns, or one plain llm request."""

    started: CallStarted
    parent: Call | None = None
    turns: list[Turn] = field(default_factory=list)
    finished: CallFinished | None = None
    alive: bool = True

    @property
    def id(self) -> str:
        """The path that names the call: `0`, `0.3.2`."""
        return self.started.call_id

    @property
    def kind(self) -> CallKind:
        """`rlm` (it has its own REPL) or `llm` (one plain request)."""
        return self.started.kind

    @property
    def depth(self) -> int:
        """How far below the root, which is 0."""
        return self.started.depth

    @property
    def prompt(self) -> str:
        """The question of an rlm call, the whole prompt of an llm call."""
        return self.started.prompt

    @property
    def context(self) -> ContextCard | None:
        """What is known of the call's context; None for an llm call."""
        return self.started.context

    @property
    def batch(self) -> Batch | None:
        """Where it stands in the batch it was issued with."""
        return self.started.batch

    @property
    def site(self) -> Site | None:
        """The line of code that issued it."""
        return self.started.site

    @property
    def status(self) -> Status:
        """How it stands; `cut off` when the trace stops before its end."""
        if self.finished:
            return self.finished.status
        return "running" if self.alive else "cut off"

    @property
    def answer(self) -> str | None:
        """What it gave back to whoever asked."""
        if self.finished and self.finished.answer is not None:
            return self.finished.answer
        if self.kind == "llm" and self.status == "finished" and self.reply:
            return self.reply.text
        return None

    @property
    def how(self) -> str:
        """Where the answer came from."""
        return self.finished.how if self.finished else ""

    @property
    def error(self) -> ErrorInfo | None:
        """Why it failed."""
        return self.finished.error if self.finished else None

    @property
    def reply(self) -> ModelReplied | None:
        """The last reply of its model."""
        return next((turn.reply for turn in reversed(self.turns) if turn.reply), None)

    @property
    def model(self) -> str:
        """The model that answered, or the one asked for while none has."""
        return self.reply.model if self.reply else self.started.model

    @property
    def retries(self) -> int:
        """How often its own requests were tried again."""
        return sum(turn.reply.retries for turn in self.turns if turn.reply)

    @property
    def calls(self) -> list[Call]:
        """Its sub-calls, in the order they were submitted."""
        return [call for turn in self.turns for block in turn.blocks for call in block.calls]

    @property
    def usage(self) -> Usage:
        """What its own requests used."""
        return Usage.sum(turn.reply.usage for turn in self.turns if turn.reply)

    @property
    def total_usage(self) -> Usage:
        """What its requests and those of every call below it used."""
        return Usage.sum(call.usage for call in self.walk())

    @property
    def start(self) -> float:
        """When it was submitted, in seconds since the run began."""
        return self.started.t

    @property
    def end(self) -> float | None:
        """When it ended, or None."""
        return self.finished.t if self.finished else None

    @property
    def seconds(self) -> float | None:
        """How long it took, or None while it has no end."""
        return None if self.end is None else self.end - self.start

    def walk(self) -> Iterator[Call]:
        """This call and every call below it, parents first, in the order they were submitted."""
        stack = [self]
        while stack:
            call = stack.pop()
            yield call
            stack.extend(reversed(call.calls))

    def messages(self, turn: int | None = None) -> list[Message]:
        """The exact messages its model was sent at that turn (the last one by default)."""
        if self.kind == "llm":
            return [Message(role="user", content=self.prompt)]
        turns = [each for each in self.turns if turn is None or each.number <= turn]
        out: list[Message] = []
        for each in turns:
            out += each.messages
            if each.reply and each is not turns[-1]:
                out.append(Message(role="assistant", content=each.reply.text))
        return out

    def turn(self, number: int) -> Turn:
        """The turn of that number, made when it is new."""
        for turn in reversed(self.turns):
            if turn.number == number:
                return turn
        made = Turn(number)
        insort(self.turns, made, key=lambda turn: turn.number)
        return made

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.kind} {self.status}, {len(self.calls)} sub-calls>"


class Tree:
    """The calls of a run so far, fed by `apply`. `root` is None until the first call starts; `paused` is the pause
    that the run is in, or ended in; `pauses` are those that are over."""

    def __init__(self) -> None:
        self.run: RunStarted | None = None
        self.end: RunFinished | None = None
        self.paused: RunPaused | None = None
        self.pauses: list[RunContinued] = []
        self.calls: dict[str, Call] = {}

    @property
    def root(self) -> Call | None:
        """The call at depth 0."""
        return self.calls.get("0")

    def apply(self, event: Event) -> None:
        """Takes the next event. One that names an unknown call is dropped: a damaged trace still opens."""
        match event:
            case RunStarted():
                self.run = event
            case RunFinished():
                self.end = event
            case RunPaused():
                self.paused = event
            case RunContinued():
                self.paused = None
                self.pauses.append(event)
            case CallStarted():
                self._start(event)
            case ModelAsked() | ModelReplied() | BlockHeld() | CodeExecuted() | CallFinished():
                call = self.calls.get(event.call_id)
                if call is not None:
                    _fill(call, event)

    def _start(self, event: CallStarted) -> None:
        if event.call_id in self.calls or not _ID.fullmatch(event.call_id):
            return
        call = Call(event)
        self.calls[call.id] = call
        if event.call_id == "0":
            return
        parent_id, turn, _ = event.call_id.rsplit(".", 2)
        call.parent = self.calls.get(parent_id)
        if call.parent is not None:
            number = event.site.block if event.site else 1
            block = call.parent.turn(int(turn)).block(number)
            insort(block.calls, call, key=_place)

    def cut(self) -> None:
        """Says that no more events will come: calls without an end are cut off."""
        for call in self.calls.values():
            call.alive = False


def _place(call: Call) -> int:
    return int(call.id.rpartition(".")[2])


def _fill(call: Call, event: ModelAsked | ModelReplied | BlockHeld | CodeExecuted | CallFinished) -> None:
    match event:
        case ModelAsked():
            call.turn(event.turn).asks.append(event)
        case ModelReplied():
            call.turn(event.turn).reply = event
        case BlockHeld():
            call.turn(event.turn).block(event.block).held = event
        case CodeExecuted():
            call.turn(event.turn).block(event.block).executed = event
        case CallFinished():
            call.finished = event


__all__ = ["Block", "Call", "Tree", "Turn"]
