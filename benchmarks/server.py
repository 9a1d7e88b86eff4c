"""A scripted OpenAI-compatible server in a process of its own, which stamps what it receives and writes.

`python -m benchmarks.server` prints its port and serves until its standard input closes. HTTP/1.1 is parsed
by hand on an asyncio protocol, so that it costs far less than the clients it times.

- `POST /v1/chat/completions`: a request with a system message is a root turn and gets the script's next reply
  at once; any other is a sub-call and gets `SUB_REPLY` after the script's latency.
- `POST /control/script` starts a new script and forgets the stamps; `GET /control/stamps` returns them.
"""

import asyncio
import gc
import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

SUB_REPLY = "short answer"
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


def http_response(status: str, body: dict[str, Any]) -> bytes:
    """The bytes of a keep-alive JSON response."""
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def completion_response(text: str) -> bytes:
    """The bytes of a chat completion whose one choice says `text`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    fixed = {"id": "bench", "object": "chat.completion", "created": 1_700_000_000, "model": "bench"}
    return http_response("200 OK", fixed | {"choices": [choice], "usage": usage})


def error_response(status: str, message: str) -> bytes:
    """The bytes of an error in OpenAI's shape."""
    return http_response(status, {"error": {"message": message, "type": "invalid_request_error"}})


class Script:
    """What the server says, how late, and the stamps of what it was asked."""

    def __init__(self, replies: list[str], latency_s: float) -> None:
        # Encoded ahead of time, so that the work of making a reply is in no gap.
        self._replies = iter([completion_response(reply) for reply in replies])
        self._sub_reply = completion_response(SUB_REPLY)
        self._latency_s = latency_s
        self.stamps: list[dict[str, Any]] = []

    def answer(self, body: bytes, received_ns: int, write: Callable[[bytes], None]) -> None:
        """Write the reply to one chat request, now or after the latency, and stamp it."""
        messages = json.loads(body)["messages"]
        root = any(message["role"] in ("system", "developer") for message in messages)
        stamp = {"kind": "root" if root else "sub", "received_ns": received_ns, "written_ns": 0}
        self.stamps.append(stamp)
        if root:
            refusal = error_response("400 Bad Request", "the script has no more replies")
            self._finish(write, next(self._replies, refusal), stamp)
        elif self._latency_s:
            asyncio.get_running_loop().call_later(
                self._latency_s, self._finish, write, self._sub_reply, stamp
            )
        else:
            self._finish(write, self._sub_reply, stamp)

    @staticmethod
    def _finish(write: Callable[[bytes], None], response: bytes, stamp: dict[str, Any]) -> None:
        write(response)
        stamp["written_ns"] = time.monotonic_ns()


class Server:
    """The current script, shared by all connections."""

    def __init__(self) -> None:
        self.script = Script([], 0.0)

    def serve(self, path: str, body: bytes, received_ns: int, write: Callable[[bytes], None]) -> None:
        """Answer one request through `write`."""
        if path == "/v1/chat/completions":
            self.script.answer(body, received_ns, write)
        elif path == "/control/script":
            self.script = Script(**json.loads(body))
            write(http_response("200 OK", {}))
        elif path == "/control/stamps":
            write(http_response("200 OK", {"stamps": self.script.stamps}))
        else:
            write(error_response("404 Not Found", f"no such path: {path!r}"))


class Connection(asyncio.Protocol):
    """One keep-alive connection: cuts the byte stream into requests."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Serve each request that `data` completes; it counts as received when its last byte is here."""
        received_ns = time.monotonic_ns()
        self._buffer += data
        while request := self._take_request():
            self._server.serve(*request, received_ns, self._write)

    def _take_request(self) -> tuple[str, bytes] | None:
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        length = _CONTENT_LENGTH.search(self._buffer, 0, head_end)
        end = head_end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < end:
            return None
        path = self._buffer.split(b" ", 2)[1].decode()
        body = bytes(self._buffer[head_end + 4 : end])
        del self._buffer[:end]
        return path, body

    def _write(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)


async def serve_until_stdin_closes() -> None:
    """Print the port, then serve."""
    loop = asyncio.get_running_loop()
    server = Server()
    # The backlog holds every connection of the largest batch.
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0, backlog=2048)
    print(listener.sockets[0].getsockname()[1], flush=True)
    closed = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), closed.set)
    await closed.wait()
    listener.close()


if __name__ == "__main__":
    # A collection in the middle of a batch would be billed to the client.
    gc.disable()
    asyncio.run(serve_until_stdin_closes())
