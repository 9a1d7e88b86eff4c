"""A process that asks, killed at a random moment, again and again: what it recorded is there, and nothing is paid twice.

    python -m tests.soak.crash --kills 1000

Each time a real process runs a question over real HTTP against the test server, and tells through a pipe of every event
that its recorder has taken. It gets SIGKILL at a random moment. Its trace then has to hold every event that was told of,
as it was told; and a resumed run has to reach the answer without asking for any reply that the trace has.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import struct
import sys
import tempfile
import threading
import time
import zlib
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]  # where the test server is, also without pytest

from server import ChatServer  # noqa: E402

from rlm_kernel import RLM, Run, load  # noqa: E402
from rlm_kernel.errors import TraceError  # noqa: E402
from rlm_kernel.models import Request  # noqa: E402
from rlm_kernel.trace import Event, Message, ModelReplied, Recorder, to_dict  # noqa: E402

PAPERS = [f"paper {number}" for number in range(40)]
TURNS = [
    "```repl\nfirst = llm_query_batched(['Rate ' + paper for paper in context])\nprint(len(first), first[0] * 100)\n```",
    "```repl\nsums = [rlm_query('Sum up ' + paper) for paper in context[:2]]\nprint(sums)\n```",
    "```repl\nthen = [llm_query('Again ' + paper) for paper in context[:10]]\nprint(then)\n```",
    "```repl\nanswer['content'] = '; '.join([*first, *sums, *then])\nanswer['ready'] = True\n```",
]
CHILD = "```repl\nanswer['content'] = llm_query('Shorten: ' + context)\nanswer['ready'] = True\n```"
ACK = struct.Struct("!II")
SECONDS = 60.0


def reply(body: dict[str, Any]) -> str:
    """What the server answers: always the same to the same."""
    messages = body["messages"]
    if messages[0]["role"] != "system":
        return f"{messages[0]['content']}: fine"
    if "Sum up" in messages[1]["content"]:
        return CHILD
    return TURNS[sum(message["role"] == "assistant" for message in messages)]


def ask(url: str, folder: str, told: Connection) -> None:
    """The process: one run, whose every recorded event is told of once its recorder has taken it."""
    record = Recorder.record

    def told_of(recorder: Recorder, event: Event) -> None:
        record(recorder, event)
        taken = recorder.trace.events[-1]
        os.write(told.fileno(), ACK.pack(taken.seq, checksum(taken)))

    Recorder.record = told_of  # type: ignore[method-assign]
    RLM(model="small", base_url=url, trace_dir=folder, concurrency=8).run("How are they?", context=PAPERS)
    os._exit(0)


def checksum(event: Event) -> int:
    return zlib.crc32(json.dumps(to_dict(event), sort_keys=True).encode())


@dataclass
class Tally:
    """What came of all kills. `unknown` counts requests that were under way: the server had them, and may bill them."""

    kills: int = 0
    finished: int = 0
    unbegun: int = 0
    events: int = 0
    lost: int = 0
    changed: int = 0
    resumed: int = 0
    paid: int = 0
    paid_twice: int = 0
    unknown: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.changed or self.paid_twice or self.wrong)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills: {self.events:,} events acknowledged, {self.lost} lost, {self.changed} changed; "
            f"{self.resumed} runs resumed, {self.paid:,} replies in their traces, {self.paid_twice} asked for again, "
            f"{self.unknown} under way when they were killed; {self.unbegun} killed before the run began, "
            f"{self.finished} after it had ended" + "".join(f"\n  {each}" for each in self.wrong)
        )


class Harness:
    """Kills and resumes. A fork server has loaded what a run needs, so that each of its processes starts at once."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.tally = Tally()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["rlm_kernel.run.run", "rlm_kernel.models.transport"])
        self._takes = 0.0
        self._answer: str | None = None

    def measure(self, folder: Path) -> None:
        """Runs it once to its end: how long that takes, and what the answer is."""
        with ChatServer(reply) as server:
            self._killed(server, folder, after=SECONDS)  # the first one loads what only it has to
            started = time.monotonic()
            self._killed(server, folder, after=SECONDS)
            self._takes = time.monotonic() - started
        self._answer = load(next(folder.glob("*.rlm.jsonl"))).answer
        assert self._answer is not None

    def kill(self, folder: Path) -> None:
        """One process, killed at a moment that is as likely as any other from its first event to just after its end."""
        with ChatServer(reply) as server:
            acks = self._killed(server, folder, after=self.chance.uniform(0, 1.05 * self._takes))
            self.tally.kills += 1
            self.tally.events += len(acks)
            try:
                (path,) = folder.glob("*.rlm.jsonl")
                run = load(path)
            except (ValueError, TraceError) as error:
                # Killed before its first line was whole: then nothing of it can have been acknowledged.
                self.tally.unbegun += 1
                self.tally.lost += len(acks)
                self.tally.wrong += [str(error)] if acks else []
                return
            self._compare(run.trace.events, acks)
            self._resume(server, run)

    def _killed(self, server: ChatServer, folder: Path, *, after: float) -> list[tuple[int, int]]:
        """What the process told of before it was killed, so many seconds after it first did."""
        reader, writer = self._context.Pipe(duplex=False)
        process = self._context.Process(target=ask, args=(server.url, str(folder), writer), daemon=True)
        process.start()
        writer.close()
        told, begun = bytearray(), threading.Event()
        drain = threading.Thread(target=_drain, args=(reader, told, begun))
        drain.start()
        begun.wait(SECONDS)
        process.join(after)
        process.kill()
        process.join()
        drain.join()
        return list(ACK.iter_unpack(told[: len(told) // ACK.size * ACK.size]))

    def _compare(self, events: list[Event], acks: list[tuple[int, int]]) -> None:
        self.tally.lost += sum(seq >= len(events) for seq, _ in acks)
        self.tally.changed += sum(checksum(events[seq]) != told for seq, told in acks if seq < len(events))

    def _resume(self, server: ChatServer, run: Run) -> None:
        tally = self.tally
        if run.status == "finished":
            tally.finished += 1
            return
        if run.trace.root is None:
            tally.unbegun += 1
            return
        replies = [event for event in run.trace.events if isinstance(event, ModelReplied)]
        paid = {event.request_hash for event in replies if event.error is None}
        tally.paid += len(paid)
        tally.unknown += sum(_hash(asked.body) not in paid for asked in server.asked)
        server.asked.clear()
        resumed = run.reach(base_url=server.url).resume(context=PAPERS)
        tally.resumed += 1
        tally.paid_twice += sum(_hash(asked.body) in paid for asked in server.asked)
        if (resumed.status, resumed.answer) != ("finished", self._answer):
            tally.wrong.append(f"{run.id}: {resumed.status}, {str(resumed.answer)[:80]!r}")


def _drain(reader: Connection, told: bytearray, begun: threading.Event) -> None:
    while data := os.read(reader.fileno(), 65536):
        told += data
        begun.set()
    begun.set()
    reader.close()


def _hash(body: dict[str, Any]) -> str:
    """What a trace has of a request, from what came to the server."""
    messages = tuple(Message(**message) for message in body["messages"])
    return Request(messages=messages, model=body["model"], call_id="", turn=1, kind="llm").hash


def crash(kills: int, seed: int) -> Tally:
    """What comes of so many kills."""
    harness = Harness(seed)
    with tempfile.TemporaryDirectory(prefix="rlm-crash-") as folder:
        harness.measure(Path(folder, "whole"))
        for number in range(kills):
            harness.kill(Path(folder, str(number)))
            shutil.rmtree(Path(folder, str(number)), ignore_errors=True)
    return harness.tally


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    arguments = parser.parse_args()
    started = time.monotonic()
    print(f"seed {arguments.seed}", flush=True)
    tally = crash(arguments.kills, arguments.seed)
    print(tally)
    print(f"{(time.monotonic() - started) / max(1, tally.kills):.2f} s a kill")
    return 0 if tally.good else 1


if __name__ == "__main__":
    sys.exit(main())
