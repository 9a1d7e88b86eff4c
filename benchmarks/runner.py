"""Runs contenders in fresh processes against one server and returns what the server saw."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from benchmarks.job import Job, Outcome
from benchmarks.scripts import Script

ROOT = Path(__file__).parent.parent
RUN_TIMEOUT_S = 180


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A client module, and the options it runs with."""

    module: str
    traced: bool = False
    concurrency: int | None = None


# Ours pays for its trace in every measure; rlms leaves none unless it is given a logger.
OURS = Contender(module="benchmarks.client_ours", traced=True)
RLMS = Contender(module="benchmarks.client_rlms")
FLOOR = Contender(module="benchmarks.client_floor")


class RunFailedError(Exception):
    """A client did not do what its script says, so its times mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """One chat request as the server saw it (CLOCK_MONOTONIC)."""

    kind: str
    received_ns: int
    written_ns: int


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished run."""

    spawned_ns: int
    outcome: Outcome
    stamps: tuple[Stamp, ...]
    trace_bytes: int

    def of_kind(self, kind: str) -> list[Stamp]:
        """The requests of root turns (`root`) or of sub-calls (`sub`)."""
        return [stamp for stamp in self.stamps if stamp.kind == kind]


def child_environment() -> dict[str, str]:
    """This environment without proxies: every request goes over loopback."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


class Runner:
    """The server, and a way to run contenders against it; use as a context manager."""

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout
        self._port = int(self._server.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        # Closes its standard input, upon which it ends.
        self._server.communicate(timeout=10)

    def interleave(
        self, contenders: dict[str, Contender], script: Script, *, runs: int, context_mb: int = 0
    ) -> dict[str, list[Record]]:
        """Each contender's records, one per round; the contenders take turns within a round."""
        records: dict[str, list[Record]] = {name: [] for name in contenders}
        for _ in range(runs):
            for name, contender in contenders.items():
                records[name].append(self.run(contender, script, context_mb=context_mb))
        return records

    def run(self, contender: Contender, script: Script, *, context_mb: int = 0) -> Record:
        """One run in a fresh process; raises `RunFailedError` unless it gave the script's answer."""
        self._control("script", {"replies": script.replies, "latency_s": script.latency_s})
        with TemporaryDirectory(prefix="rlm-bench-") as trace_dir:
            job = Job(
                base_url=f"http://127.0.0.1:{self._port}/v1",
                max_turns=len(script.replies) + 10,
                context_mb=context_mb,
                concurrency=contender.concurrency,
                trace_dir=trace_dir if contender.traced else None,
            )
            spawned_ns = time.monotonic_ns()
            outcome = _run_client(contender, job)
            trace_bytes = sum(path.stat().st_size for path in Path(trace_dir).rglob("*") if path.is_file())
        stamps = tuple(Stamp(**stamp) for stamp in self._control("stamps")["stamps"])
        record = Record(spawned_ns=spawned_ns, outcome=outcome, stamps=stamps, trace_bytes=trace_bytes)
        _check(record, script, contender)
        return record

    def _control(self, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        with closing(connection):
            connection.request("GET" if data is None else "POST", f"/control/{name}", data)
            return dict(json.load(connection.getresponse()))


def _run_client(contender: Contender, job: Job) -> Outcome:
    command = [sys.executable, "-m", contender.module, json.dumps(asdict(job))]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=child_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise RunFailedError(f"{contender.module} did not end in {RUN_TIMEOUT_S} s") from error
    if done.returncode:
        raise RunFailedError(f"{contender.module} exited with {done.returncode}:\n{done.stderr[-3000:]}")
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def _check(record: Record, script: Script, contender: Contender) -> None:
    seen = (record.outcome.answer, len(record.of_kind("root")), len(record.of_kind("sub")))
    expected = (script.expected_answer, len(script.replies), script.expected_sub_calls)
    if seen != expected:
        raise RunFailedError(
            f"{contender.module}: (answer, turns, sub-calls) {seen!r}, expected {expected!r}"
        )
