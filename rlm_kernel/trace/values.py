"""The small frozen values that events are made of. Pure data: they know no storage, model or display."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

CallKind = Literal["rlm", "llm"]
Status = Literal["running", "finished", "failed", "exhausted", "interrupted", "cut off"]
Mode = Literal["live", "scripted", "demo", "human", "replayed"]
Role = Literal["system", "user", "assistant"]
Derived = Literal["replay", "fork", "rerun", "resume"]
Decision = Literal["", "edited", "skipped"]

MODE_LABELS: dict[str, str] = {
    "live": "",
    "scripted": "scripted replies, not a model's",
    "demo": "demo rules, not a language model",
    "human": "a person's replies",
    "replayed": "replayed from a trace",
}
"""What a person is told about where replies came from; an empty label is a live model."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One chat message."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What requests used: tokens as the server counted them, money in US dollars.

    `cost` is None when unknown, which is never the same as 0; a sum with an unknown part is unknown.
    `estimated` says that at least one count is ours (4 characters a token) because the server gave none.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage.sum((self, other))

    @classmethod
    def sum(cls, parts: Iterable[Usage]) -> Usage:
        """The total; parts without a request count for nothing."""
        made = [part for part in parts if part.requests]
        costs = [part.cost for part in made]
        known = [cost for cost in costs if cost is not None]
        return cls(
            requests=sum(part.requests for part in made),
            input_tokens=sum(part.input_tokens for part in made),
            output_tokens=sum(part.output_tokens for part in made),
            cached_tokens=sum(part.cached_tokens for part in made),
            cost=sum(known) if known and len(known) == len(costs) else None,
            estimated=any(part.estimated for part in made),
        )


@dataclass(frozen=True, kw_only=True)
class ErrorInfo:
    """An error as data: its type, message, and the traceback with the model's own line numbers."""

    type: str
    message: str
    traceback: str = ""

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, kw_only=True)
class ContextCard:
    """What is told about a context instead of the context: type, sizes, a short preview, a hash.

    `chars` is the total number of characters of text in it, `length` its `len()`; `schema` says how it is built in a
    line; `hash` is the SHA-256 of the bytes that were sent to the worker, or of the content where equal values may have
    other bytes.
    """

    name: str
    type: str
    length: int | None = None
    chars: int | None = None
    schema: str = ""
    preview: str = ""
    hash: str = ""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Where a call stands in the batch it was issued with; `id` is the first call's id."""

    id: str
    index: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Site:
    """The place in the model's code that issued a call: block (from 1), line (from 1), the line's text.

    `lane` names the thread of that code by how it was started (`2.1`: the first that the second one started), so
    that it is the same when the code runs again; empty for the block's own.
    """

    block: int
    line: int
    code: str = ""
    lane: str = ""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable of a child namespace as a person would glance at it."""

    name: str
    type: str
    size: str = ""
    preview: str = ""


@dataclass(frozen=True, kw_only=True)
class VariableChanges:
    """What a block did to its namespace."""

    added: tuple[Variable, ...] = ()
    changed: tuple[Variable, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, kw_only=True)
class RichOutput:
    """One rich output of a block (a figure, a table): MIME type to text, images in base64."""

    data: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """One way in which a step, done again, was not what the record has: `what` (`output`, `error`, `variables`,
    `sub-calls`, `prompt`, `reply`), then what was recorded and what was found, each shortened for people."""

    what: str
    recorded: str
    found: str


@dataclass(frozen=True, kw_only=True)
class Original:
    """What a call gave when it was first made: beside it a variant is compared. `seconds` is None without an end."""

    prompt: str
    model: str
    answer: str | None = None
    usage: Usage = field(default_factory=Usage)
    seconds: float | None = None
    error: ErrorInfo | None = None


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The run that a run was made from, and how.

    `at` is the step: a call (`0.3.2`) or a turn of one (`0.3`), empty for the whole run. `edit` holds what was
    changed there, by the name of the option. A rerun also has the call's `original`.
    """

    kind: Derived
    run: str
    at: str = ""
    edit: dict[str, Any] = field(default_factory=dict)
    original: Original | None = None


__all__ = [
    "MODE_LABELS",
    "Batch",
    "CallKind",
    "ContextCard",
    "Decision",
    "Derived",
    "Divergence",
    "ErrorInfo",
    "Message",
    "Mode",
    "Origin",
    "Original",
    "RichOutput",
    "Role",
    "Site",
    "Status",
    "Usage",
    "Variable",
    "VariableChanges",
]
