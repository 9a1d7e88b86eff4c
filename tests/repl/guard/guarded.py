"""Runs code in a worker's place: forked from a clean process that holds a key, with a work directory, locked or not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rlm_kernel
from rlm_kernel.repl.guard import reach

KEY = "sk-canary-7f3a"
NOBODY = 65534
SOURCE = str(Path(rlm_kernel.__file__).parents[1])

# The key is in the environment it was started with and in its memory, as in a notebook's kernel.
OWNER = """
import json, os, sys
sys.path.append({source!r})
order = json.loads({order!r})
sys.path.extend(order["path"])
import ctypes, encodings.idna, mmap, resource, signal, socket, struct, subprocess, threading, traceback, multiprocessing.pool
from rlm_kernel.repl.guard import guard, limits
from rlm_kernel.repl.guard.linux import call
in_memory = bytearray(("KEY=" + os.environ["KEY"]).encode())
if order["uid"]:
    os.setgroups([]), os.setgid(order["uid"]), os.setuid(order["uid"])
    call("prctl", 4, 1)  # who changes its user is hidden from others of that user, a kernel's process is not
guard.prepare()
owner = os.getpid()
pid = os.fork()
if pid == 0:
    try:
        os.setsid()
        limits.die_with_parent(owner)
        os.environ.clear()
        os.chdir(order["workdir"])
        os.environ.update(HOME=order["workdir"], TMPDIR=order["workdir"], MPLCONFIGDIR=order["workdir"], MPLBACKEND="Agg")
        if order["memory"] is not None:
            limits.limit(order["memory"])
        if order["lock"]:
            guard.lock(order["workdir"], order["readable"])
        exec(compile(order["code"], "<guarded>", "exec"), {{"__name__": "__main__", "order": order}})
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def run(
    code: str,
    workdir: Path,
    *,
    lock: bool = True,
    uid: int = 0,
    memory: int | None = None,
    path: Sequence[str] = (),
    extra: Sequence[str] = (),
    **facts: Any,
) -> subprocess.CompletedProcess[str]:
    """What that code printed there, and its exit code. `facts` are in its `order`."""
    workdir.mkdir(exist_ok=True)
    search = [*path, *(each for each in sys.path if each)]
    readable = reach.readable(search, cwd=str(workdir.parent), home=str(workdir.parent), extra=extra)
    order = {"workdir": str(workdir), "code": code, "lock": lock, "uid": uid, "memory": memory}
    order |= {"path": search, "readable": readable, **facts}
    return subprocess.run(
        [sys.executable, "-s", "-P", "-c", OWNER.format(source=SOURCE, order=json.dumps(order))],
        check=False,
        env={"KEY": KEY},
        capture_output=True,
        text=True,
        timeout=120,
    )


def printed(code: str, workdir: Path, **options: Any) -> str:
    """What that code printed there; it must not fail."""
    done = run(code, workdir, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


__all__ = ["KEY", "NOBODY", "printed", "run"]
