"""How a worker ends when its own code fails: at once, and without a word from the model's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.engine.thread import submit
from rlm_kernel.repl.frames import Frame
from rlm_kernel.repl.isolation import obtain
from rlm_kernel.repl.launcher import Hooks, Launcher
from rlm_kernel.repl.portable import PortableLauncher
from rlm_kernel.repl.process import ZygoteLauncher

LAST_WILL = """
import atexit, sys, threading, time
atexit.register(open, {target!r}, "w")
sys.excepthook = threading.excepthook = lambda *args: time.sleep(600)
threading.Thread(target=time.sleep, args=(600,)).start()
"""
EXECUTE = {"op": "execute", "name": "<rlm:0.1 block 1>", "plain_children": False, "model": "", "foreseen": []}


async def ended(launcher: Launcher, code: str, then: dict[str, Any]) -> tuple[str, str]:
    """How a worker ended that ran the code and then got that order, and what it wrote."""
    done, lost = asyncio.Event(), asyncio.get_running_loop().create_future()

    def hear(frame: Frame) -> None:
        if frame[0]["op"] == "done":
            done.set()

    hooks = Hooks(on_frame=hear, on_lost=lost.set_result, flood=10**6)
    process = await launcher.start(hooks, None, seed=0)
    process.send({**EXECUTE, "code": code})
    await asyncio.wait_for(done.wait(), 20)
    process.send(then)
    said = str(await asyncio.wait_for(lost, 5))
    process.stderr.read_all()
    wrote, _ = process.stderr.text()
    await process.close()
    return said, wrote


@pytest.mark.parametrize("launcher", [ZygoteLauncher, PortableLauncher])
@pytest.mark.parametrize("order", [{"op": "execute"}, {"op": "reply"}], ids=["main thread", "reader thread"])
def test_a_failure_of_our_own_runs_nothing_of_the_models_and_waits_for_nobody(
    tmp_path: Path, launcher: Any, order: dict[str, Any]
) -> None:
    target = tmp_path / "written at the end"
    code = LAST_WILL.format(target=str(target))
    said, wrote = submit(ended(launcher(obtain("worker")), code, order)).result(40)
    assert said == "it ended with exit code 1"
    assert "KeyError" in wrote
    assert not target.exists()
