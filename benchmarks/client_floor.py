"""The client process of the floor: bare sockets and `exec`; no SDK, no trace, no isolation, no retries.

It shows what the machine itself costs, so that the other figures can be read; nobody should use it.
"""

import asyncio
import json
import re
import socket
from typing import Any
from urllib.parse import urlsplit

from benchmarks.job import QUESTION, Job, serve_job

_BLOCK = re.compile(r"```repl\n(.*?)\n```", re.DOTALL)
_CONTENT_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def http_request(messages: list[dict[str, str]]) -> bytes:
    """The bytes of a chat request."""
    body = json.dumps({"model": "bench", "messages": messages}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def reply_text(body: bytes) -> str:
    """The text of a chat completion."""
    return str(json.loads(body)["choices"][0]["message"]["content"])


def user(prompt: str) -> list[dict[str, str]]:
    """The messages of a sub-call."""
    return [{"role": "user", "content": prompt}]


class Floor:
    """A connection, a message list and a namespace."""

    def __init__(self, job: Job) -> None:
        address = urlsplit(job.base_url)
        self._address = (str(address.hostname), int(address.port or 80))
        self._socket = socket.create_connection(self._address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")
        self._concurrency = job.concurrency or 200

    def ask(self, messages: list[dict[str, str]]) -> str:
        """The reply to `messages`."""
        self._socket.sendall(http_request(messages))
        length = 0
        while (line := self._reader.readline()) not in (b"\r\n", b""):
            if match := _CONTENT_LENGTH.match(line):
                length = int(match[1])
        return reply_text(self._reader.read(length))

    def ask_batch(self, prompts: list[str]) -> list[str]:
        """The replies to `prompts`, in order."""
        return asyncio.run(self._ask_batch(prompts))

    async def _ask_batch(self, prompts: list[str]) -> list[str]:
        replies = [""] * len(prompts)
        todo = iter(enumerate(prompts))

        async def one_connection() -> None:
            reader, writer = await asyncio.open_connection(*self._address)
            for index, prompt in todo:
                writer.write(http_request(user(prompt)))
                head = await reader.readuntil(b"\r\n\r\n")
                length = _CONTENT_LENGTH.search(head)
                assert length, head
                replies[index] = reply_text(await reader.readexactly(int(length[1])))
            writer.close()

        await asyncio.gather(*(one_connection() for _ in range(self._concurrency)))
        return replies


def ask(job: Job, context: str) -> str:
    """The answer of one run."""
    floor = Floor(job)
    printed: list[str] = []
    namespace: dict[str, Any] = {
        "context": context,
        "answer": {"content": "", "ready": False},
        "llm_query": lambda prompt: floor.ask(user(prompt)),
        "llm_query_batched": floor.ask_batch,
        "print": lambda *values: printed.append(" ".join(map(str, values))),
    }
    messages = [{"role": "system", "content": "Write blocks."}, *user(QUESTION)]
    while not namespace["answer"]["ready"]:
        reply = floor.ask(messages)
        for code in _BLOCK.findall(reply):
            exec(code, namespace)  # noqa: S102 - our own script; executing it is the job
        messages += [{"role": "assistant", "content": reply}, *user("\n".join(printed))]
        printed.clear()
    return str(namespace["answer"]["content"])


if __name__ == "__main__":
    serve_job(ask)
