"""From what went wrong between us and a server to an error that says what to do.

What a server says may be anything: it is shown without what looks like a key, and never more than 300 characters of it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from rlm_kernel.errors import (
    BadReply,
    ContextTooLong,
    KeyRejected,
    ModelError,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    Redirected,
    ReplyTooLarge,
    RequestRejected,
    ServerFailed,
    ServerUnreachable,
    TimedOut,
)
from rlm_kernel.trace.redact import REDACTED, redact, redact_keys

SAID_CHARS = 300
QUOTA_CODES = ("insufficient_quota", "billing_hard_limit_reached")
"""What servers call it when another try cannot help, because nothing is left to pay with."""

_LOOKED_AT = 20_000
_KEY_CHARS = 6
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|size|window)|prompt is too long|input is too long|input token count",
    re.IGNORECASE,
)
_TOO_LARGE = "request too large"  # for what the account may send in a minute: waiting does not help
_TOO_LONG_CODES = ("context_length_exceeded", "exceed_context_size_error")
_LIMITS = (
    r"context (?:length|size|window)(?: of| is|:)? ?\(?([\d,]{3,12})",
    r"\blimit:? ([\d,]{3,12})",
    r"> ?([\d,]{3,12})",
    r"tokens allowed \(([\d,]{3,12})",
    r"([\d,]{3,12}) tokens? (?:maximum|limit)",
)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Where a request went, what for, and how often it was tried. `secrets` are never shown."""

    url: str
    model: str
    retries: int
    sent: bool = True
    secrets: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The server's scheme, host and port."""
        return origin(self.url)

    @property
    def again(self) -> str:
        """How often it was tried, in words."""
        return f" (tried {self.retries + 1} times)" if self.retries else ""

    def error(self, kind: type[ModelError], message: str, status: int | None = None) -> ModelError:
        """An error of that kind."""
        error = kind(message, model=self.model, status=status, retries=self.retries)
        error.sent = self.sent
        return error


def origin(url: str) -> str:
    """The scheme, host and port of a URL, and nothing that could be a secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}"


def shown(text: str, secrets: tuple[str, ...]) -> str:
    """The beginning of what a server says, as it may be shown and recorded."""
    text = redact(redact_keys(text[:_LOOKED_AT]), secrets)
    for secret in secrets:  # a key may look like a word, and is still nobody's business
        text = text.replace(secret, REDACTED) if len(secret) >= _KEY_CHARS else text
    return text[:SAID_CHARS]


def is_final(body: bytes) -> bool:
    """Whether an error that begins so will come again however often the request is tried."""
    said = body.decode("utf-8", "replace").lower()
    return _TOO_LARGE in said or any(code in said for code in QUOTA_CODES)


def unreachable(facts: Facts, why: str) -> ModelError:
    """There was no connection, or it broke."""
    if "certificate" in why.lower():
        return facts.error(
            ServerUnreachable,
            f"the certificate of {facts.origin} cannot be trusted. Is the base URL right, and the clock?",
        )
    return facts.error(
        ServerUnreachable, f"no connection to {facts.origin}{facts.again}. Is the server running?"
    )


def overdue(facts: Facts, seconds: float, status: int | None, *, waiting: bool) -> ModelError:
    """The deadline is over. `status` is what the server said last; `waiting` says that it was still to answer."""
    within = f"within {seconds:g} s"
    longer = "A longer limit is --request-seconds."
    if waiting:
        return facts.error(
            TimedOut, f"{facts.origin} gave no complete reply {within}. Is the server overloaded? {longer}"
        )
    if status is None:
        return facts.error(
            ServerUnreachable,
            f"no connection to {facts.origin} {within}{facts.again}. Is the server running?",
        )
    kind, said = (RateLimited, "refuses more requests") if status == 429 else (ServerFailed, "fails")
    return facts.error(
        kind, f"{facts.origin} {said} ({status}) and did not recover {within}. {longer}", status
    )


def unusable(facts: Facts, what: str, *, too_large: bool) -> ModelError:
    """What came was not read to its end."""
    if too_large:
        return facts.error(ReplyTooLarge, f"{facts.origin} sent {what} as a reply, and was cut off there")
    return facts.error(BadReply, f"{facts.origin} sent {what}")


def rejected(facts: Facts, status: int, body: object, headers: Any) -> ModelError:
    """The server answered with a status that is no success."""
    said = _said(body, facts.secrets)
    where = facts.origin
    if status < 400:
        return _redirected(facts, status, headers.get("location"))
    if status == 402 or _codes(body) & set(QUOTA_CODES):
        return facts.error(
            QuotaExhausted,
            f"the account at {where} has nothing left to pay with ({status}): {said} Top it up.",
            status,
        )
    if status in (401, 403):
        message = f"{where} rejected the key ({status}): {said} Set OPENAI_API_KEY to a valid key."
        return facts.error(KeyRejected, message, status)
    if status == 404:
        return facts.error(
            ModelNotFound,
            f"{where} has no model {facts.model!r} (404): {said} %rlm models lists what it has; "
            "the base URL usually ends in /v1.",
            status,
        )
    if status == 429 and _TOO_LARGE in said.lower():
        return _too_long(facts, status, body, said)
    if status == 429:
        message = (
            f"{where} refuses more requests for now (429){facts.again}: {said} Wait, or lower --concurrency."
        )
        return _with_wait(facts.error(RateLimited, message, status), headers)
    if status >= 500 or status == 408:
        message = f"{where} failed ({status}){facts.again}: {said}"
        return _with_wait(facts.error(ServerFailed, message, status), headers)
    if status == 413 or _codes(body) & set(_TOO_LONG_CODES) or _TOO_LONG.search(said):
        return _too_long(facts, status, body, said)
    return facts.error(RequestRejected, f"{where} will not take the request ({status}): {said}", status)


def _redirected(facts: Facts, status: int, location: str | None) -> ModelError:
    try:
        there = origin(urljoin(facts.url, location or ""))
    except ValueError:
        there = "an address that is none"
    if there == facts.origin:
        there = "another path of its own"
    return facts.error(
        Redirected,
        f"{facts.origin} sends the request on to {there} ({status}), and it was not sent there. "
        "If that is the server you mean, name it with --base-url.",
        status,
    )


def _too_long(facts: Facts, status: int, body: object, said: str) -> ModelError:
    limit = _limit(body, said)
    most = f" It takes at most {limit:,} tokens." if limit else ""
    error = facts.error(
        ContextTooLong,
        f"the prompt is too long for {facts.model!r} at {facts.origin} ({status}): {said}{most} "
        "Ask with less text at a time.",
        status,
    )
    assert isinstance(error, ContextTooLong)
    error.limit = limit
    return error


def _limit(body: object, said: str) -> int | None:
    told = body.get("n_ctx") if isinstance(body, dict) else None
    if isinstance(told, int) and not isinstance(told, bool) and 0 < told < 10**12:
        return told
    for pattern in _LIMITS:
        found = re.search(pattern, said, re.IGNORECASE)
        if found:
            return int(found[1].replace(",", "") or 0) or None
    return None


def _with_wait(error: ModelError, headers: Any) -> ModelError:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return error
    error.retry_after = seconds if math.isfinite(seconds) and seconds > 0 else None
    return error


def _codes(body: object) -> set[str]:
    if not isinstance(body, dict):
        return set()
    return {value for value in (body.get("code"), body.get("type")) if isinstance(value, str)}


def _said(body: object, secrets: tuple[str, ...]) -> str:
    message = body.get("message") if isinstance(body, dict) else None
    text = message if isinstance(message, str) else str(body or "no reason given")
    return shown(text, secrets).rstrip(". ") + "."


__all__ = [
    "QUOTA_CODES",
    "SAID_CHARS",
    "Facts",
    "is_final",
    "origin",
    "overdue",
    "rejected",
    "shown",
    "unreachable",
    "unusable",
]
