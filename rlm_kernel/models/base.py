"""Who answers, as the engine sees it: the `Model` protocol, one request in and one reply out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Protocol

from rlm_kernel.trace import CallKind, Message, Mode, Usage

CHARS_PER_TOKEN = 4


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a model is asked. `call_id`, `turn` and `kind` say who asks; only the rest is sent.

    `max_output_tokens` and `temperature` are left to the server when None; `seconds` is the deadline of the
    whole request, its retries included. `output_cap` is sent in the place of `max_output_tokens`: what the run's limit
    leaves for the reply. It says how much may be spent, not what is asked, so it has no part in the hash: a record
    is found again whatever was left then. `retries` is how often it is tried again, as the model has it when None.
    """

    messages: tuple[Message, ...]
    model: str
    call_id: str
    turn: int
    kind: CallKind
    temperature: float | None = None
    max_output_tokens: int | None = None
    seconds: float = 120.0
    output_cap: int | None = None
    retries: int | None = None

    @property
    def most_output_tokens(self) -> int | None:
        """What is sent as the maximum of the reply."""
        return self.max_output_tokens if self.output_cap is None else self.output_cap

    @property
    def hash(self) -> str:
        """Identifies what is sent: the same for the same messages, model and parameters."""
        parts = [self.model, self.temperature, self.max_output_tokens]
        digest = hashlib.sha256(json.dumps(parts).encode())
        for message in self.messages:
            digest.update(
                b"\0" + message.role.encode() + b"\0" + message.content.encode("utf-8", "surrogatepass")
            )
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a model answered. `model` is the one that did; `retries` how often it was asked again.

    `mode` says where the reply comes from when that is not the model that was asked: a record, whose reply had
    `first_mode`, or a person.
    """

    text: str
    model: str
    usage: Usage = field(default_factory=Usage)
    finish_reason: str = "stop"
    reasoning: str = ""
    retries: int = 0
    mode: Mode | None = None
    first_mode: Mode | None = None


class Model(Protocol):
    """Anything that answers requests. `mode` labels its replies wherever they appear."""

    name: str
    mode: Mode

    async def reply(self, request: Request) -> Reply:
        """The reply. Raises `ModelError`; may be called many times at once, on the engine's loop thread."""
        ...

    async def close(self) -> None:
        """Frees connections; the next request opens new ones."""
        ...


def estimate(request: Request, text: str) -> Usage:
    """A usage of our own counting, marked as such, for replies that come without one."""
    sent = sum(len(message.content) for message in request.messages)
    return Usage(
        requests=1,
        input_tokens=-(-sent // CHARS_PER_TOKEN),
        output_tokens=-(-len(text) // CHARS_PER_TOKEN),
        estimated=True,
    )


__all__ = ["CHARS_PER_TOKEN", "Model", "Reply", "Request", "estimate"]
