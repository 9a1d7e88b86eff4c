"""A whole run on a system that has nothing of Linux: in a process that finds itself on macOS, with what is missing there
taken away. (It has not been run on macOS itself.)"""

from __future__ import annotations

import subprocess
import sys
import textwrap

MACOS = """
import os, select, signal, socket, subprocess, sys
import asyncio, multiprocessing, psutil, tempfile  # these look at the system as they are imported

for module, names in {
    os: ("memfd_create", "pidfd_open", "waitid", "sched_getaffinity"),
    select: ("epoll",),
    signal: ("pidfd_send_signal",),
    socket: ("SOCK_SEQPACKET", "send_fds", "recv_fds"),
}.items():
    for name in names:
        delattr(module, name)
sys.platform = "darwin"

from rlm_kernel import RLM, ScriptedModel
"""


def on_macos(code: str) -> str:
    """What the code prints there."""
    whole = MACOS + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", whole], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_is_a_plain_workers_and_says_so() -> None:
    code = r"""
    model = ScriptedModel(["```repl\nkept = llm_query(context)\n```", "```repl\nFINAL(kept.upper())\n```"], llm=lambda request: "heard")
    run = RLM(model=model, trace_dir=None).run("What?", context="text")
    print(run.answer, run.trace.events[0].isolation)
    """
    assert on_macos(code) == "HEARD worker\n"


def test_a_worker_that_dies_is_replaced() -> None:
    code = r"""
    model = ScriptedModel(["```repl\nimport os\nos._exit(3)\n```", "```repl\nFINAL(context.upper())\n```"])
    print(RLM(model=model, trace_dir=None).run("What?", context="text").answer)
    """
    assert on_macos(code) == "TEXT\n"


def test_a_loop_is_stopped_and_its_variables_stay() -> None:
    code = r"""
    model = ScriptedModel(["```repl\nkept = 7\nwhile True: pass\n```", "```repl\nFINAL(kept)\n```"])
    print(RLM(model=model, trace_dir=None, block_seconds=0.5).run("What?", context="text").answer)
    """
    assert on_macos(code) == "7\n"


def test_strict_is_refused_before_anything_is_asked() -> None:
    code = r"""
    model = ScriptedModel(["never"])
    try:
        RLM(model=model, trace_dir=None, isolation="strict").run("What?")
    except Exception as error:
        print(type(error).__name__, model.requests)
    """
    assert on_macos(code) == "ConfigError []\n"
