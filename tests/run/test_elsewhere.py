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


WINDOWS = """
import importlib, os, select, signal, socket, sys, types
from pathlib import Path
# These look at the system as they are imported.
import asyncio, ctypes.wintypes, multiprocessing, subprocess, tempfile
import aiohttp, ipykernel.kernelapp, ipywidgets, openai, pandas, psutil, zmq

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "grp", "pwd", "resource", "termios"):
            raise ImportError(name)

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
for module, names in {
    os: ("fork", "getuid", "killpg", "memfd_create", "pidfd_open", "pread", "setsid", "sysconf", "uname", "waitid"),
    select: ("epoll", "poll"),
    signal: ("SIGALRM", "SIGHUP", "SIGKILL", "pidfd_send_signal", "pthread_kill"),
    socket: ("AF_UNIX", "SCM_RIGHTS", "SOCK_SEQPACKET", "recv_fds", "send_fds"),
}.items():
    for name in names:
        delattr(module, name)
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
sys.platform = "win32"

import rlm_kernel

root = Path(rlm_kernel.__file__).parent
for path in sorted(root.rglob("*.py")):
    parts = path.relative_to(root).with_suffix("").parts
    if parts[0] in ("labextension", "viewer", "__main__"):
        continue
    name = ".".join(("rlm_kernel", *parts)).removesuffix(".__init__")
    try:
        importlib.import_module(name)
    except (AttributeError, ImportError) as error:
        print(f"{name}: {error}")
"""


def test_every_module_can_be_imported_without_what_windows_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
