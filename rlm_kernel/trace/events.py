"""The facts of a run, in the past tense: frozen, flat, numbered, append-only.

Intent comes before outcome (`CallStarted` and `ModelAsked` before `ModelReplied`), so a trace that stops
anywhere still says what was under way. `seq` counts from 0 without gaps; `t` is seconds since the run began,
on a monotonic clock. Both are stamped by the recorder, never by whoever made the event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rlm_kernel.trace.values import (
    Batch,
    CallKind,
    ContextCard,
    Decision,
    Divergence,
    ErrorInfo,
    Message,
    Mode,
    Origin,
    RichOutput,
    Site,
    Status,
    Usage,
    VariableChanges,
)

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Event:
    """What every event has."""

    seq: int = -1
    t: float = 0.0


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """A question was put to a context. Always the first event.

    `started` is the wall clock in ISO 8601; `settings` holds allow-listed settings only, never a key;
    `mode` says where new replies come from; `isolation` is the level really obtained, and `isolation_why` why it is not
    a higher one, where something can be said of that; `seed` is where chance starts from in its code; `origin` is the run that this one was made from, whose seed it has.
    """

    run_id: str
    query: str
    started: str
    version: str
    mode: Mode
    isolation: str
    settings: dict[str, Any] = field(default_factory=dict)
    context: ContextCard | None = None
    seed: int = 0
    origin: Origin | None = None
    isolation_why: str = ""
    format: int = FORMAT


@dataclass(frozen=True, kw_only=True)
class CallStarted(Event):
    """A call was submitted; its id is its path (`0.3.2`: second sub-call of turn 3 of the root).

    `prompt` is the question of an rlm call or the whole prompt of an llm call; `model` is the one asked for.
    `depth_capped` marks an `rlm_query` that the depth limit turned into a plain request.
    """

    call_id: str
    kind: CallKind
    depth: int
    model: str
    prompt: str
    context: ContextCard | None = None
    batch: Batch | None = None
    site: Site | None = None
    depth_capped: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelAsked(Event):
    """An rlm call asked its model. `messages` are only those added since its previous turn.

    `last` says why this was the call's one last turn; empty for all others. A turn asked twice was given up the
    first time.
    """

    call_id: str
    turn: int
    messages: tuple[Message, ...]
    last: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelReplied(Event):
    """A model answered, or failed to (`error`). `request_hash` identifies the exact request, for replay.

    `model` is the one that answered, as the server named it; `seconds` is how long the request took with
    its retries; `mode` says where the reply comes from. A `replayed` one has its first mode in `first_mode`, and
    in `usage` what it used then, with 0 requests: it costs nothing again.
    """

    call_id: str
    turn: int
    text: str
    model: str
    mode: Mode
    seconds: float
    request_hash: str
    usage: Usage = field(default_factory=Usage)
    retries: int = 0
    finish_reason: str = ""
    reasoning: str = ""
    error: ErrorInfo | None = None
    first_mode: Mode | None = None


@dataclass(frozen=True, kw_only=True)
class BlockHeld(Event):
    """A block was put before a person, who decides whether it runs. What came of it is in its `CodeExecuted`."""

    call_id: str
    turn: int
    block: int
    code: str


@dataclass(frozen=True, kw_only=True)
class CodeExecuted(Event):
    """A block ran. `stdout` and `stderr` are what it wrote (head and tail of very long output), `shown` the
    text that went back to the model, `seconds` the block's time with its sub-calls.

    `decision` says that a person changed the block before it ran (`code` is what ran) or had it skipped;
    `divergences` how it differs from the run that it was replayed from.
    """

    call_id: str
    turn: int
    block: int
    code: str
    stdout: str = ""
    stderr: str = ""
    stdout_chars: int = 0
    shown: str = ""
    error: ErrorInfo | None = None
    variables: VariableChanges = field(default_factory=VariableChanges)
    outputs: tuple[RichOutput, ...] = ()
    seconds: float = 0.0
    decision: Decision = ""
    divergences: tuple[Divergence, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunPaused(Event):
    """The server is out, and the whole run waits; told again each time that it was tried in vain (`tries`).

    `call_id` and `turn` are of the one request that tries for all; `error` is how it last failed. `retry_at` is when
    it tries next, `until` when the run gives up: in seconds since the run began, of which none count as the run's.
    """

    call_id: str
    turn: int
    error: ErrorInfo
    retry_at: float
    until: float
    tries: int = 0


@dataclass(frozen=True, kw_only=True)
class RunContinued(Event):
    """The pause is over: the server answers again, or nobody waits for it any more (then `call_id` is empty).
    `seconds` is how long it was."""

    seconds: float
    call_id: str = ""


@dataclass(frozen=True, kw_only=True)
class CallFinished(Event):
    """A call ended. `how` says where the answer came from: the `answer` variable, `FINAL`, a last turn, …
    An llm call's answer is its reply and is not repeated here."""

    call_id: str
    status: Status
    answer: str | None = None
    how: str = ""
    error: ErrorInfo | None = None


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """The run ended; nothing follows."""

    status: Status
    answer: str | None = None
    error: ErrorInfo | None = None


EVENT_TYPES: dict[str, type[Event]] = {
    "run_started": RunStarted,
    "call_started": CallStarted,
    "model_asked": ModelAsked,
    "model_replied": ModelReplied,
    "block_held": BlockHeld,
    "code_executed": CodeExecuted,
    "run_paused": RunPaused,
    "run_continued": RunContinued,
    "call_finished": CallFinished,
    "run_finished": RunFinished,
}
"""The name an event has in a file, and its type."""

EVENT_NAMES: dict[type[Event], str] = {kind: name for name, kind in EVENT_TYPES.items()}

__all__ = [
    "EVENT_NAMES",
    "EVENT_TYPES",
    "FORMAT",
    "BlockHeld",
    "CallFinished",
    "CallStarted",
    "CodeExecuted",
    "Event",
    "ModelAsked",
    "ModelReplied",
    "RunContinued",
    "RunFinished",
    "RunPaused",
    "RunStarted",
]
