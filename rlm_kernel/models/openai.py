"""Any OpenAI-compatible server, over the `openai` SDK's async client.

The SDK does connections, retries (429, 5xx, lost connections; `Retry-After` honoured) and headers. Two things are
done here instead: the body is read as plain JSON, because building the SDK's typed objects costs more than a
sub-call's whole bookkeeping, and there is one deadline for a request with all its retries.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import json
import math
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rlm_kernel.errors import (
    BadReply,
    ConfigError,
    KeyRejected,
    ModelError,
    ModelNotFound,
    RateLimited,
    RequestRejected,
    ServerFailed,
    ServerUnreachable,
)
from rlm_kernel.models.base import Reply, Request, estimate
from rlm_kernel.trace import Mode, Usage

if TYPE_CHECKING:
    import openai

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_importer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rlm-import")
_transport: list[Future[Any]] = []


class OpenAIModel:
    """A model behind an OpenAI-compatible server.

    Key and server come from `OPENAI_API_KEY` and `OPENAI_BASE_URL` unless given. `retries` is how often a
    request is tried again. The key is kept here and in the SDK's client, and shown nowhere.
    """

    mode: Mode = "live"

    def __init__(
        self, name: str, *, base_url: str | None = None, api_key: str | None = None, retries: int = 3
    ) -> None:
        self.name = name
        self.base_url = _checked(base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL)
        self.retries = retries
        self._key = api_key or os.environ.get("OPENAI_API_KEY") or _no_key(self.base_url)
        self._url = f"{self.base_url.rstrip('/')}/chat/completions"
        self._client: openai.AsyncOpenAI | None = None
        self._sdk: Any = None
        self._transport: Any = None
        _start_import()

    @property
    def origin(self) -> str:
        """The server's scheme, host and port: all of the URL that may be shown or recorded."""
        return origin(self.base_url)

    async def reply(self, request: Request) -> Reply:
        """The reply. An empty or malformed one is asked for once more. Raises `ModelError`."""
        try:
            async with asyncio.timeout(request.seconds):
                return await self._reply(request)
        except TimeoutError:
            raise ServerUnreachable(
                f"{self.origin} gave no complete reply within {request.seconds:g} s. "
                "Is the server overloaded? A longer limit is --request-seconds.",
                model=request.model,
            ) from None

    async def models(self) -> list[str]:
        """The names of the models that the server lists. Raises `ModelError`."""
        client = await self._connect()
        try:
            page = await client.models.list(timeout=10.0)
        except self._sdk.OpenAIError as error:
            raise self._error(error, self.name) from None
        return sorted(model.id for model in page.data)

    async def close(self) -> None:
        """Lets go of the connections, which models share; the last one to let go closes them."""
        if self._client is not None:
            self._client = None
            await self._transport.release()

    async def _reply(self, request: Request) -> Reply:
        spent, retries = Usage(), 0
        for attempt in (0, 1):
            body, tried = await self._post(request)
            retries += tried
            try:
                reply = _read(body, request, retries + attempt)
            except BadReply as error:
                spent += error_usage(body)
                if attempt:
                    raise BadReply(str(error), model=request.model, retries=retries + attempt) from None
                continue
            return reply if not spent.requests else _with_usage(reply, spent + reply.usage)
        raise AssertionError("unreachable")

    async def _post(self, request: Request) -> tuple[bytes, int]:
        client = await self._connect()
        # The SDK's spelling of "give me the response and the count of retries, not an object of yours".
        options: Any = {"headers": {"X-Stainless-Raw-Response": "true"}, "timeout": request.seconds}
        try:
            raw: Any = await client.post(self._url, cast_to=object, body=_body(request), options=options)
        except self._sdk.OpenAIError as error:
            raise self._error(error, request.model) from None
        return raw.http_response.content, raw.retries_taken

    async def _connect(self) -> openai.AsyncOpenAI:
        transport = await asyncio.wrap_future(_transport[0]) if self._client is None else None
        if transport is not None and self._client is None:  # another request may have connected meanwhile
            self._transport, self._sdk = transport, transport.openai
            self._client = transport.connect(self.base_url, self._key, self.retries)
        assert self._client is not None
        return self._client

    def _error(self, error: openai.OpenAIError, model: str) -> ModelError:
        status = getattr(error, "status_code", None)
        said = _said(error).replace(self._key, "[the key]")
        retries = _retries(error)
        facts: dict[str, Any] = {"model": model, "status": status, "retries": retries}
        again = f" (tried {retries + 1} times)" if retries else ""
        if status is None:
            return ServerUnreachable(
                f"no connection to {self.origin}{again}. Is the server running?", **facts
            )
        if status in (401, 403):
            return KeyRejected(
                f"{self.origin} rejected the key ({status}): {said} Set OPENAI_API_KEY to a valid key.",
                **facts,
            )
        if status == 404:
            return ModelNotFound(
                f"{self.origin} has no model {model!r} (404): {said} %rlm models lists what it has; "
                "the base URL usually ends in /v1.",
                **facts,
            )
        if status == 429:
            return RateLimited(
                f"{self.origin} refuses more requests for now (429){again}: {said} "
                "Wait, or lower --concurrency.",
                **facts,
            )
        if status >= 500:
            return ServerFailed(f"{self.origin} failed ({status}){again}: {said}", **facts)
        return RequestRejected(f"{self.origin} will not take the request ({status}): {said}", **facts)

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r}, base_url={self.origin!r})"


def origin(url: str) -> str:
    """The scheme, host and port of a URL, and nothing that could be a secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}"


def _checked(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("the base URL must look like http://localhost:8000/v1", setting="base_url")
    if parts.username or parts.password:
        raise ConfigError(
            "a password does not belong into the base URL; write http://host/v1 and set OPENAI_API_KEY",
            setting="base_url",
        )
    return base_url


def _no_key(base_url: str) -> str:
    if base_url == DEFAULT_BASE_URL:
        raise ConfigError(
            "no API key: set OPENAI_API_KEY, or name another server with --base-url", setting="api_key"
        )
    return "none"  # local servers want no key, and the SDK wants one


def _start_import() -> None:
    # Importing the SDK takes most of a second; it happens while the context is packed and the worker starts.
    if not _transport:
        run = contextvars.copy_context().run
        _transport.append(_importer.submit(run, importlib.import_module, "rlm_kernel.models.transport"))


def _body(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.max_output_tokens is not None:
        body["max_completion_tokens"] = request.max_output_tokens
    return body


def _read(body: bytes, request: Request, retries: int) -> Reply:
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        start = body[:80].decode("utf-8", "replace")
        raise BadReply(f"the reply is not a chat completion: {start!r}…", model=request.model) from None
    finish = str(choice.get("finish_reason") or "")
    if not isinstance(text, str) or not text.strip():
        why = f": {refusal}" if refusal else f" (finish reason {finish or 'not given'})"
        raise BadReply(f"the model gave an empty reply{why}", model=request.model)
    return Reply(
        text=text,
        model=str(data.get("model") or request.model),
        usage=_usage(data.get("usage")) or estimate(request, text),
        finish_reason=finish,
        reasoning=_text(message.get("reasoning_content")) or _text(message.get("reasoning")),
        retries=retries,
    )


def error_usage(body: bytes) -> Usage:
    """What an unusable reply was billed for: its usage where it tells one, a bare request otherwise."""
    try:
        return _usage(json.loads(body).get("usage")) or Usage(requests=1, estimated=True)
    except (ValueError, AttributeError, RecursionError):
        return Usage(requests=1, estimated=True)


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


def _with_usage(reply: Reply, usage: Usage) -> Reply:
    return Reply(**{**vars(reply), "usage": usage})


def _retries(error: openai.OpenAIError) -> int:
    request = getattr(error, "request", None)
    count = request.headers.get("x-stainless-retry-count", "0") if request is not None else "0"
    return int(count) if count.isdigit() else 0


def _said(error: openai.OpenAIError) -> str:
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    text = message if isinstance(message, str) else str(body or "no reason given")
    return text[:300].rstrip(". ") + "."


__all__ = ["DEFAULT_BASE_URL", "OpenAIModel", "origin"]
