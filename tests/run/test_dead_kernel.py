"""A process that is killed in the middle of a run: another one goes on from its trace and pays nothing again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from server import ChatServer

import rlm_kernel
from rlm_kernel import RLM

PAPERS = [f"paper {number}" for number in range(6)]
ASK = """
import sys
from rlm_kernel import RLM
papers = [f"paper {number}" for number in range(6)]
RLM(model="small", base_url=sys.argv[1], trace_dir=".rlm", concurrency=1).run("How are they?", context=papers)
"""
TURNS = [
    "```repl\nfirst = llm_query('Rate ' + context[0])\nprint(first)\n```",
    "```repl\nrest = llm_query_batched(['Rate ' + paper for paper in context[1:]])\nprint(len(rest))\n```",
    "```repl\nanswer['content'] = '; '.join([first, *rest])\nanswer['ready'] = True\n```",
]


class Model:
    """Answers each request; from the `stop`-th on it never does, until `go`."""

    def __init__(self) -> None:
        self.stop = 10**9
        self.asked = 0

    def __call__(self, body: dict[str, Any]) -> str:
        self.asked += 1
        while self.asked >= self.stop:
            time.sleep(0.02)
        messages = body["messages"]
        if messages[0]["role"] != "system":
            return f"{messages[0]['content']}: fine"
        return TURNS[sum(message["role"] == "assistant" for message in messages)]


def killed(server: ChatServer, model: Model, folder: Path, at: int) -> Path:
    """The trace of a run whose process was killed while its `at`-th request was under way."""
    model.asked, model.stop = 0, at
    environment = {**os.environ, "PYTHONPATH": str(Path(rlm_kernel.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", ASK, server.url], cwd=folder, env=environment)
    deadline = time.monotonic() + 30
    while model.asked < at and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    model.stop = 10**9
    (path,) = folder.glob(".rlm/*.rlm.jsonl")
    return path


@pytest.mark.parametrize("at", [1, 2, 3, 5, 9])
def test_the_run_goes_on_where_its_process_was_killed(tmp_path: Path, at: int) -> None:
    model = Model()
    with ChatServer(model) as server:
        whole = RLM(model="small", base_url=server.url, trace_dir=None).run("How are they?", context=PAPERS)
        assert model.asked == 9
        cut = rlm_kernel.load(killed(server, model, tmp_path, at))
        assert cut.status == "cut off"
        model.asked = 0
        resumed = cut.reach(base_url=server.url).resume(context=PAPERS)
    assert (resumed.status, resumed.answer) == ("finished", whole.answer)
    answered = sum(call.reply is not None for call in cut.walk() if call.kind == "llm")
    answered += sum(turn.reply is not None for turn in cut["0"].turns)
    # One request of all was under way when the process died; the server had it, the trace has no reply.
    assert answered == at - 1
    assert model.asked == 9 - answered
    assert resumed.origin is not None
    assert (resumed.origin.kind, resumed.origin.run) == ("resume", cut.id)
