"""A real OpenAI-compatible HTTP server in threads, scripted by a test.

with ChatServer(["the reply", error(429, "slow down", {"Retry-After": "1"}), Answer(silent=True)]) as server:
    OpenAIModel("m", base_url=server.url)

The script is a list, taken in order, or a function of the request's JSON body. `server.asked` keeps what came.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server does with one request: after `delay` seconds it sends `body`, or less of it.

    `silent` never answers, `cut` ends the connection after so many bytes of the body, `how` says in which way (`half`
    only says that nothing more will come), `drip` waits so many seconds between its bytes. The body is sent `times`
    over. `raw` is sent as it is, in the place of everything else.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    silent: bool = False
    cut: int | None = None
    how: Literal["closed", "reset", "half"] = "closed"
    drip: float = 0.0
    times: int = 1
    raw: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it arrived; `port` is the client's, so it names the connection."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    port: int


Script = Sequence[str | Answer] | Callable[[dict[str, Any]], str | Answer]


def chat(text: object, *, message: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """A chat completion's body; `fields` go in at the top, `message` into the message."""
    choice = {
        "index": 0,
        "finish_reason": fields.pop("finish_reason", "stop"),
        "message": {"role": "assistant", "content": text, **(message or {})},
    }
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    data = {"id": "c", "object": "chat.completion", "model": "served", "choices": [choice], "usage": usage}
    return json.dumps({**data, **fields}).encode()


def error(status: int, said: str, headers: dict[str, str] | None = None) -> Answer:
    """An error the way OpenAI words it."""
    return Answer(
        status=status, body=json.dumps({"error": {"message": said}}).encode(), headers=headers or {}
    )


def by_kind(turns: Sequence[str | Answer], llm: str | Answer | Callable[[str], str | Answer]) -> Script:
    """Answers rlm turns (they open with a system message) from a list and plain requests with `llm`.

    The n-th turn of a conversation gets the n-th of `turns`, so several runs can share one server.
    """

    def script(body: dict[str, Any]) -> str | Answer:
        messages = body["messages"]
        if messages[0]["role"] != "system":
            return llm(messages[0]["content"]) if callable(llm) else llm
        return turns[sum(message["role"] == "assistant" for message in messages)]

    return script


class ChatServer:
    """The server, listening from the start. `url` ends in `/v1`; `paid` counts the replies that were sent to their end.

    `go_down` ends every connection and lets nobody in until `come_back`, on the same port.
    """

    def __init__(
        self, script: Script, *, models: Sequence[str] = ("small", "big"), listed: bytes | None = None
    ) -> None:
        self.asked: list[Asked] = []
        self.paid = 0
        self.models = models
        self.listed = listed
        self.closing = threading.Event()
        self.sockets: set[socket.socket] = set()
        self._script = script
        self._lock = threading.Lock()  # the list and the record are taken by many threads
        self._listen(0)

    def _listen(self, port: int) -> None:
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.chat = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def connections(self) -> int:
        """How many connections carried the requests."""
        return len({asked.port for asked in self.asked})

    def take(self, asked: Asked) -> Answer:
        with self._lock:
            number = len(self.asked)
            self.asked.append(asked)
        if callable(self._script):
            item = self._script(asked.body)
        elif number < len(self._script):
            item = self._script[number]
        else:
            item = error(418, f"the script ends after {len(self._script)} requests")
        return Answer(body=chat(item)) if isinstance(item, str) else item

    def pay(self) -> None:
        with self._lock:
            self.paid += 1

    def go_down(self) -> None:
        self._http.shutdown()
        for connection in list(self.sockets):
            hang_up(connection)
        self._http.server_close()
        self._thread.join()

    def come_back(self) -> None:
        self._listen(self._http.server_port)

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        for connection in list(self.sockets):
            hang_up(connection)
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Http(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    chat: ChatServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def setup(self) -> None:
        super().setup()
        self.server.chat.sockets.add(self.connection)

    def finish(self) -> None:
        self.server.chat.sockets.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # the client, or the test, hung up

    def do_GET(self) -> None:
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "x"} for name in self.server.chat.models
        ]
        listed = json.dumps({"object": "list", "data": models}).encode()
        self._send(Answer(body=self.server.chat.listed or listed))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.chat.take(
            Asked(path=self.path, headers=headers, body=body, port=self.client_address[1])
        )
        if self.server.chat.closing.wait(3600 if answer.silent else answer.delay):
            self.close_connection = True
            return
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            self.close_connection = True
            return
        self.send_response(answer.status)
        length = len(answer.body) * answer.times
        headers = {"Content-Type": "application/json", "Content-Length": str(length)}
        for name, value in {**headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.drip:
            for at in range(len(answer.body)):
                self.wfile.write(answer.body[at : at + 1])
                if self.server.chat.closing.wait(answer.drip):
                    break
        else:
            for _ in range(answer.times):
                self.wfile.write(answer.body[: answer.cut])
        if answer.cut is not None:
            self._cut(answer)
        elif answer.status == 200 and self.command == "POST":
            self.server.chat.pay()

    def _cut(self, answer: Answer) -> None:
        self.close_connection = True
        if answer.how == "half":
            self.connection.shutdown(socket.SHUT_WR)
            self.server.chat.closing.wait(3600)
        elif answer.how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            hang_up(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Says nothing."""


def hang_up(connection: socket.socket) -> None:
    """Ends a connection that a thread may be reading."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        connection.close()
