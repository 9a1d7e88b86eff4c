"""Any OpenAI-compatible server, over the `openai` SDK's async client.

The SDK does connections, retries (429, 5xx, lost connections; `Retry-After` honoured) and headers. Two things are
done here instead: the body is read as plain JSON, because building the SDK's typed objects costs more than a
sub-call's whole bookkeeping, and there is one deadline for a request with all its retries.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rlm_kernel.errors import BadReply, ConfigError, ModelError
from rlm_kernel.models.base import Reply, Request
from rlm_kernel.models.completion import billed, body_of, read_reply
from rlm_kernel.models.failures import Facts, origin, overdue, rejected, shown, unreachable, unusable
from rlm_kernel.models.progress import PROGRESS, Progress
from rlm_kernel.trace import Mode, Usage

if TYPE_CHECKING:
    import openai

DEFAULT_BASE_URL = "https://api.openai.com/v1"
LIST_SECONDS = 10.0
"""How long a server may take to say which models it has."""
_NO_KEY = "none"
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

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown or recorded: the key, where there is one."""
        return () if self._key == _NO_KEY else (self._key,)

    async def reply(self, request: Request) -> Reply:
        """The reply. An empty or malformed one is asked for once more. Raises `ModelError`."""
        progress = Progress()
        mine = PROGRESS.set(progress)
        try:
            async with asyncio.timeout(request.seconds):
                return await self._reply(request, progress)
        except TimeoutError:
            facts = self._facts(request.model, progress)
        finally:
            PROGRESS.reset(mine)
        raise overdue(facts, request.seconds, progress.status, waiting=progress.under_way)

    async def models(self) -> list[str]:
        """The names of the models that the server lists. Raises `ModelError`."""
        client = await self._connect()
        try:
            async with asyncio.timeout(LIST_SECONDS):
                page = await client.models.list()
            return sorted(model.id for model in page.data)
        except TimeoutError:
            failed = overdue(self._facts(self.name, Progress()), LIST_SECONDS, None, waiting=True)
        except self._sdk.OpenAIError as error:
            failed = self._error(error, self._facts(self.name, Progress()))
        except (AttributeError, TypeError, ValueError):
            facts = self._facts(self.name, Progress())
            failed = unusable(facts, "something that is no list of models", too_large=False)
        raise failed  # here, where it does not carry the SDK's error, which carries the key

    async def close(self) -> None:
        """Lets go of the connections, which models share; the last one to let go closes them."""
        if self._client is not None:
            self._client = None
            await self._transport.release()

    async def _reply(self, request: Request, progress: Progress) -> Reply:
        spent, body, useless = Usage(), b"", None
        for _ in (0, 1):
            try:
                body = await self._post(request, progress)
                reply = read_reply(body, request, progress.tries - 1)
            except BadReply as error:
                spent += billed(body)
                useless = self._useless(error, request, progress)
                continue
            return reply if not spent.requests else replace(reply, usage=spent + reply.usage)
        assert useless is not None
        raise useless  # here, where it does not carry what came, which may repeat the key

    async def _post(self, request: Request, progress: Progress) -> bytes:
        client = await self._connect()
        # The SDK's spelling of "give me the response, not an object of yours".
        options: Any = {"headers": {"X-Stainless-Raw-Response": "true"}, "timeout": request.seconds}
        if request.retries is not None:
            options["max_retries"] = request.retries
        try:
            raw: Any = await client.post(self._url, cast_to=object, body=body_of(request), options=options)
        except self._sdk.OpenAIError as error:
            failed = self._error(error, self._facts(request.model, progress))
        else:
            content: bytes = raw.http_response.content
            return content
        raise failed  # here, where it does not carry the SDK's error, which carries the key

    async def _connect(self) -> openai.AsyncOpenAI:
        transport = await asyncio.wrap_future(_transport[0]) if self._client is None else None
        if transport is not None and self._client is None:  # another request may have connected meanwhile
            self._transport, self._sdk = transport, transport.openai
            self._client = transport.connect(self.base_url, self._key, self.retries)
        assert self._client is not None
        return self._client

    def _error(self, error: openai.OpenAIError, facts: Facts) -> ModelError:
        if isinstance(error, self._transport.Unusable):
            return unusable(facts, str(error), too_large=error.too_large)
        if not isinstance(error, self._sdk.APIStatusError):
            return unreachable(facts, repr(error.__cause__))
        return rejected(facts, error.status_code, error.body, error.response.headers)

    def _useless(self, error: BadReply, request: Request, progress: Progress) -> BadReply:
        last = type(error)(shown(str(error), self.secrets), model=request.model, retries=progress.tries - 1)
        last.__dict__.update({name: value for name, value in vars(error).items() if name == "finish_reason"})
        return last

    def _facts(self, model: str, progress: Progress) -> Facts:
        retries, sent = max(0, progress.tries - 1), progress.sent or progress.under_way
        return Facts(url=self._url, model=model, retries=retries, sent=sent, secrets=self.secrets)

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r}, base_url={self.origin!r})"


def _checked(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("the base URL must look like http://localhost:8000/v1", setting="base_url")
    if parts.username or parts.password:
        raise ConfigError(
            "a password does not belong into the base URL; write http://host/v1 and set OPENAI_API_KEY",
            setting="base_url",
        )
    if parts.query or parts.fragment:
        raise ConfigError(
            "a query does not belong into the base URL; write http://host/v1, and set OPENAI_API_KEY if it held a key",
            setting="base_url",
        )
    return base_url


def _no_key(base_url: str) -> str:
    if base_url == DEFAULT_BASE_URL:
        raise ConfigError(
            "no API key: set OPENAI_API_KEY, or name another server with --base-url", setting="api_key"
        )
    return _NO_KEY  # local servers want no key, and the SDK wants one


def _start_import() -> None:
    # Importing the SDK takes most of a second; it happens while the context is packed and the worker starts.
    if not _transport:
        run = contextvars.copy_context().run
        _transport.append(_importer.submit(run, importlib.import_module, "rlm_kernel.models.transport"))


__all__ = ["DEFAULT_BASE_URL", "LIST_SECONDS", "OpenAIModel", "origin"]
