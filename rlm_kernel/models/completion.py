"""A chat completion: the body that asks for one, and the reply in the body that comes."""

from __future__ import annotations

import json
import math
from typing import Any

from rlm_kernel.errors import BadReply, ReplyRefused
from rlm_kernel.models.base import Reply, Request, estimate
from rlm_kernel.trace import Usage

_START_BYTES = 80
_FILTERED = "content_filter"


def body_of(request: Request) -> dict[str, Any]:
    """What is sent as JSON."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.most_output_tokens is not None:
        body["max_completion_tokens"] = request.most_output_tokens
    return body


def read_reply(body: bytes, request: Request, retries: int) -> Reply:
    """The reply. Raises `BadReply` and `ReplyRefused`."""
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        start = body[:_START_BYTES].decode("utf-8", "replace")
        raise BadReply(f"the reply is not a chat completion: {start!r}…", model=request.model) from None
    finish = str(choice.get("finish_reason") or "")
    if not isinstance(text, str) or not text.strip():
        raise _empty(refusal, finish, request)
    return Reply(
        text=text,
        model=str(data.get("model") or request.model),
        usage=_usage(data.get("usage")) or estimate(request, text),
        finish_reason=finish,
        reasoning=_text(message.get("reasoning_content")) or _text(message.get("reasoning")),
        retries=retries,
    )


def billed(body: bytes) -> Usage:
    """What an unusable reply was billed for: its usage where it tells one, a bare request otherwise."""
    try:
        return _usage(json.loads(body).get("usage")) or Usage(requests=1, estimated=True)
    except (ValueError, AttributeError, RecursionError):
        return Usage(requests=1, estimated=True)


def _empty(refusal: Any, finish: str, request: Request) -> BadReply:
    if finish == _FILTERED and not refusal:
        refusal = "a content filter held it back"
    if not refusal:
        why = f" (finish reason {finish or 'not given'})"
        return BadReply(f"the model gave an empty reply{why}", model=request.model)
    error = ReplyRefused(f"the model gave an empty reply: {refusal}", model=request.model)
    error.finish_reason = finish
    return error


def _usage(data: Any) -> Usage | None:
    if not isinstance(data, dict):
        return None
    sent, made = _count(data.get("prompt_tokens")), _count(data.get("completion_tokens"))
    if sent is None or made is None:
        return None
    details, cost = data.get("prompt_tokens_details"), data.get("cost")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    priced = (
        isinstance(cost, int | float) and not isinstance(cost, bool) and math.isfinite(cost) and cost >= 0
    )
    return Usage(
        requests=1,
        input_tokens=sent,
        output_tokens=made,
        cached_tokens=cached or 0,
        cost=float(cost) if priced and cost is not None else None,
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


__all__ = ["billed", "body_of", "read_reply"]
