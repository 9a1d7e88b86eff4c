"""The HTTP client that the `openai` SDK is given: straight over aiohttp, with what a chat request needs.

The SDK's own aiohttp client builds and parses each request and response in full, twice; here a request keeps its
parsed URL, and a response keeps its body and the few headers that the SDK's retries look at. Imported with the SDK,
never before: both are slow to load.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import ssl
import zlib
from typing import Any
from urllib.request import getproxies

import aiohttp
import httpx2
import openai

from rlm_kernel.models.failures import is_final
from rlm_kernel.models.progress import PROGRESS, Progress

CONNECT_SECONDS = 15.0
MOST_BYTES = 32_000_000
"""Of a reply, as it is sent and as it is unpacked. The longest replies of models have less than a hundredth of it."""
# Not the request's id: the SDK logs it, and it is whatever the server says.
_KEPT = frozenset({"content-type", "location", "retry-after", "retry-after-ms", "x-should-retry"})
_PACKINGS = frozenset({"gzip", "x-gzip", "deflate"})
_PLAIN = frozenset({"", "identity"})
_TOLD_BYTES = 4_000


class Unusable(openai.OpenAIError):
    """What came is no HTTP, or too much of it. The SDK does not try again after an error of its own kind."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


class _Request(httpx2.Request):
    """A request whose parts are made already."""

    def __init__(self, method: str, url: httpx2.URL, headers: httpx2.Headers, content: bytes) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.extensions = {}
        self.stream = httpx2.ByteStream(content)
        self._content = content


class AioClient(httpx2.AsyncClient):
    """An HTTP client on one aiohttp session. It follows no redirect: a prompt goes where it was sent."""

    def __init__(self) -> None:
        super().__init__(transport=httpx2.AsyncBaseTransport(), trust_env=False, follow_redirects=False)
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, httpx2.URL] = {}
        self._made_headers: tuple[Any, httpx2.Headers] = (None, httpx2.Headers())
        self.users = 0

    def build_request(self, method: str, url: Any, **options: Any) -> httpx2.Request:
        """The request; what is the same for all of them, its URL and its headers, is made once."""
        content = options.get("content")
        if options.get("params") or options.get("files") or not isinstance(content, bytes):
            return super().build_request(method, url, **options)
        if url not in self._urls:
            self._urls[url] = httpx2.URL(url)
        if self._made_headers[0] != options.get("headers"):
            self._made_headers = options.get("headers"), httpx2.Headers(options.get("headers"))
        return _Request(method, self._urls[url], self._made_headers[1], content)

    async def send(self, request: httpx2.Request, **_: Any) -> httpx2.Response:
        """The whole response. Raises the `httpx2` errors that the SDK retries, and `Unusable`."""
        progress = PROGRESS.get() or Progress()
        progress.tries += 1
        progress.status, progress.under_way = None, True
        try:
            response = await self._send(request)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            progress.under_way = False
            raise httpx2.ConnectError(str(error), request=request) from error
        except (aiohttp.ClientError, OSError, zlib.error) as error:
            progress.sent, progress.under_way = True, False
            raise _told(error, request) from error
        progress.sent, progress.under_way, progress.status = True, False, response.status_code
        return response

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        session = self._session or self._open(request.url.scheme)
        sent = session.request(
            request.method,
            str(request.url),
            data=request.content or None,
            headers=[*request.headers.multi_items(), ("Accept-Encoding", "gzip")],
            allow_redirects=False,
        )
        async with sent as answer:
            try:
                body = await _body(answer)
            except Unusable:
                answer.close()  # or the rest of it would be read before the connection is used again
                raise
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() in _KEPT]
        if answer.status >= 400 and is_final(body[:_TOLD_BYTES]):
            kept.append(("x-should-retry", "false"))
        return httpx2.Response(answer.status, headers=kept, content=body, request=request)

    def _open(self, scheme: str) -> aiohttp.ClientSession:
        # The certificates are read only for a server that has one: that takes a tenth of a second.
        context: ssl.SSLContext | bool = httpx2.create_ssl_context() if scheme == "https" else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=context),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=bool(getproxies()),
            auto_decompress=False,  # it knows no limit
        )
        return self._session

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        await super().aclose()


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """The body, unpacked. Raises `Unusable` as soon as it is too large."""
    packing = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in _PACKINGS | _PLAIN:
        raise Unusable(f"a reply packed as {packing[:20]!r}, which nobody asked for")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32) if packing in _PACKINGS else None
    if (answer.content_length or 0) > MOST_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    taken = size = 0
    async for chunk in answer.content.iter_any():
        taken += len(chunk)
        part = unpacker.decompress(chunk, MOST_BYTES + 1 - size) if unpacker else chunk
        size += len(part)
        if max(size, taken) > MOST_BYTES:
            raise _too_large()
        parts.append(part)
    if unpacker is not None and parts and not unpacker.eof:
        raise Unusable("a packed reply that is cut off")
    return b"".join(parts)


def _too_large() -> Unusable:
    return Unusable(f"more than {MOST_BYTES // 1_000_000} MB", too_large=True)


def _told(error: Exception, request: httpx2.Request) -> Exception:
    """The error as the SDK knows it."""
    if isinstance(error, TimeoutError):
        return httpx2.ReadTimeout(str(error), request=request)
    if isinstance(error, aiohttp.ClientConnectionError):
        return httpx2.ConnectError(str(error), request=request)
    if isinstance(error, aiohttp.ClientResponseError | zlib.error):
        return Unusable("something that is not HTTP as it should be")
    return httpx2.ReadError(str(error), request=request)


def connect(base_url: str, api_key: str, retries: int) -> openai.AsyncOpenAI:
    """The SDK's client for that server, on the connections that all models of this event loop share."""
    loop = asyncio.get_running_loop()
    http = _clients.setdefault(loop, AioClient())
    http.users += 1
    return openai.AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=retries, http_client=http)


async def release() -> None:
    """Undoes one `connect` on this event loop; after the last one the connections are closed."""
    loop = asyncio.get_running_loop()
    http = _clients.get(loop)
    if http is None:
        return
    http.users -= 1
    if http.users <= 0:
        del _clients[loop]
        await http.aclose()


_clients: dict[asyncio.AbstractEventLoop, AioClient] = {}


@atexit.register
def _close_all() -> None:
    for loop, client in _clients.items():
        if loop.is_running():
            closing = asyncio.run_coroutine_threadsafe(client.aclose(), loop)
            concurrent.futures.wait([closing], timeout=1)


__all__ = ["MOST_BYTES", "AioClient", "Unusable", "connect", "release"]
