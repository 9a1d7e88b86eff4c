"""Faults 69 to 74: a person interrupts, a kernel dies, a thread ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from scripts import code, submit
from server import Answer, ChatServer, by_kind, chat
from test_kernel import (
    ASLEEP,
    BUSY,
    CHILD,
    STUBBORN,
    WAITING,
    Cell,
    Serve,
    Session,
    alive,
    question,
    situation,
    trace_of,
    turn,
    until,
)

import rlm_kernel
from rlm_kernel import RLM, Request, Run, ScriptedModel, load

ROOT = Path(rlm_kernel.__file__).parents[1]
LATE = Answer(body=chat("late"), delay=60)


def began(session: Session, server: ChatServer, requests: int) -> Cell:
    """A cell whose run has asked that often, and has its worker."""
    session.run("papers = ['one']")
    cell = session.begin(question(server))
    until(lambda: len(server.asked) == requests and bool(session.workers()))
    time.sleep(0.1)  # the last reply is on its way into the worker
    return cell


def processes_of(session: Session) -> list[psutil.Process]:
    """The processes of a run: all below the kernel but the one that stays to fork from, where there is one."""
    kernel = psutil.Process(session.pid)
    below = [each for child in kernel.children() for each in child.children(recursive=True)]
    return below or kernel.children()


def python(program: str, *arguments: str, folder: Path, **options: Any) -> subprocess.Popen[str]:
    """A process of that program, which has this package."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, **options
    )


# Ctrl-C


@pytest.mark.parametrize("busy", [BUSY, STUBBORN, ASLEEP], ids=["busy", "catches everything", "asleep"])
def test_f69_ctrl_c_in_a_block_ends_the_run_within_a_second(
    busy: str, session: Session, serve: Serve, tmp_path: Path
) -> None:
    """Ctrl-C while a block runs.

    Exception: the first one ends the worker too. The run is over then, all it did is recorded, and a worker that nobody
    asks anything has nothing to keep.
    """
    cell = began(session, situation(busy, serve), 2)
    workers = processes_of(session)
    assert workers
    assert session.interrupt(cell) < 1.0
    assert cell.reply is not None and cell.reply["ename"] == "KeyboardInterrupt"
    until(lambda: not any(map(alive, workers)), 1.0)
    session.finish(cell)
    assert session.value("[run.status, run['0'].status, run['0.1.1'].answer, papers]") == [
        "interrupted",
        "interrupted",
        "ok",
        ["one"],
    ]
    kept = trace_of(tmp_path)
    executed = kept["0"].turns[0].blocks[0].executed
    assert executed is not None and executed.error is not None
    assert executed.error.type == "Interrupted"


def test_f70_after_ctrl_c_in_a_batch_no_call_is_begun(session: Session, serve: Serve, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a batch of forty calls."""

    def llm(prompt: str) -> str | Answer:
        return "ok" if int(prompt) < 5 else LATE

    batch = turn("llm_query_batched([str(n) for n in range(40)])")
    server = serve(by_kind([batch], llm))
    session.run("papers = ['one']")
    cell = session.begin(question(server, "--concurrency 10"))
    # Five are answered and ten are under way: twenty-five wait.
    until(lambda: len(server.asked) == 16)
    assert session.interrupt(cell) < 1.0
    session.finish(cell)
    until(lambda: not connections(session, server), 1.0)  # those under way are hung up
    assert len(server.asked) == 16
    run = trace_of(tmp_path)
    statuses = [call.status for call in run.walk() if call.depth == 1]
    assert (statuses.count("finished"), statuses.count("interrupted"), len(statuses)) == (5, 35, 40)
    shown = cell.of("update_display_data")[-1]["data"]["text/plain"]
    assert "interrupted" in shown and "35" in shown
    session.run("import time; time.sleep(0.5)")
    assert len(server.asked) == 16


def connections(session: Session, server: ChatServer) -> list[Any]:
    """Those of the kernel to the server that are open."""
    port = int(server.origin.rpartition(":")[2])
    found = psutil.Process(session.pid).net_connections("tcp")
    return [each for each in found if each.raddr and each.raddr.port == port and each.status == "ESTABLISHED"]


IGNORES = """
    import signal, sys
    from rlm_kernel import RLM
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run = RLM(model="small", base_url=sys.argv[1], trace_dir=None).run("What?", context="x")
    print(run.status, run.answer)
"""


def test_f71_a_signal_to_the_kernels_group_does_not_reach_its_workers(tmp_path: Path) -> None:
    """Ctrl-C in a terminal goes to every process of the group."""
    begun = tmp_path / "begun"
    sleeps = code(
        "import time",
        "end = time.monotonic() + 0.5",
        "llm_query('begun')",
        "while time.monotonic() < end: pass",
    )

    def llm(prompt: str) -> str:
        begun.touch()
        return "ok"

    with ChatServer(by_kind([sleeps, submit("'not disturbed'")], llm)) as server:
        owner = python(IGNORES, server.url, folder=tmp_path, start_new_session=True)
        until(begun.exists, 30)
        workers = psutil.Process(owner.pid).children(recursive=True)
        assert workers
        assert {os.getsid(worker.pid) for worker in workers}.isdisjoint({os.getsid(owner.pid)})
        for _ in range(5):
            os.killpg(owner.pid, signal.SIGINT)
            time.sleep(0.05)
        said, _ = owner.communicate(timeout=30)
    assert said == "finished not disturbed\n"


# The kernel dies


ASKS = """
    import sys
    from rlm_kernel import RLM
    RLM(model="small", base_url=sys.argv[1], trace_dir=".rlm", concurrency=4).run("What?", context="x")
"""
BATCH = code("got = llm_query_batched([str(n) for n in range(10)])")


def test_f72_what_was_paid_before_a_kill_is_never_paid_again(tmp_path: Path) -> None:
    """kill -9 of the kernel in the middle of a run.

    A call that was under way is `cut off` in our words: nobody knows what became of it, and it is asked again.
    """
    slow = [True]

    def llm(prompt: str) -> str | Answer:
        return LATE if slow[0] and int(prompt) >= 6 else f"<{prompt}>"

    with ChatServer(by_kind([BATCH, submit("''.join(got)")], llm)) as server:
        owner = python(ASKS, server.url, folder=tmp_path)
        until(lambda: len(server.asked) == 11, 30)
        (path,) = tmp_path.glob(".rlm/*.jsonl")
        until(lambda: path.read_text().count('"model_replied"') == 7, 30)
        owner.kill()
        owner.communicate(timeout=10)
        cut = load(path)
        calls = [call for call in cut.walk() if call.depth == 1]
        assert [call.status for call in calls] == ["finished"] * 6 + ["cut off"] * 4
        assert [call.answer for call in calls[:6]] == [f"<{n}>" for n in range(6)]
        slow[0] = False
        resumed = cut.reach(base_url=server.url).resume(context="x")
        asked = [each.body["messages"][-1]["content"] for each in server.asked[11:]]
    assert resumed.answer == "".join(f"<{n}>" for n in range(10))
    assert sorted(asked[:4]) == ["6", "7", "8", "9"]
    assert len(asked) == 5
    assert resumed.usage.requests == 5


@pytest.mark.parametrize(
    "busy",
    [WAITING, BUSY, STUBBORN, CHILD, "sum(range(10**11))"],
    ids=["waiting", "busy", "stubborn", "child", "in C"],
)
def test_f73_no_process_is_left_a_second_after_the_kernel_was_killed(
    busy: str, session: Session, serve: Serve
) -> None:
    """Workers of a kernel that was killed."""
    code_of = f"llm_query('quick')\n{busy}" if "sum" in busy else busy
    began(session, situation(code_of, serve), 3 if busy is CHILD else 2)
    workers = session.workers()
    os.kill(session.pid, signal.SIGKILL)
    took = until(lambda: not any(map(alive, workers)), 1.0)
    print(f"{len(workers)} processes gone after {took:.2f} s")


def test_f73_no_process_is_left_a_second_after_a_restart(session: Session, serve: Serve) -> None:
    """Workers of a kernel that is restarted."""
    began(session, situation(STUBBORN, serve), 2)
    workers = session.workers()
    session.restart()
    until(lambda: not any(map(alive, workers)), 1.0)


def test_f74_a_run_outlives_the_thread_that_started_it() -> None:
    """The thread that started a run ends: the system kills what such a thread forked."""
    gates = [threading.Event(), threading.Event()]

    async def reply(request: Request) -> str:
        if request.call_id != "0":
            return submit("'from a child'")
        assert await asyncio.to_thread(gates[request.turn - 1].wait, 20)
        return (
            code("kept = len(context)", "child = rlm_query('q', context='y')")
            if request.turn == 1
            else submit("(kept, child)")
        )

    model = ScriptedModel(reply)
    started: list[Run] = []
    thread = threading.Thread(
        target=lambda: started.append(RLM(model=model, trace_dir=None).start("What?", context="x"))
    )
    thread.start()
    thread.join()
    until(lambda: bool(psutil.Process().children(recursive=True)), 10)
    gates[0].set()
    (run,) = started
    until(lambda: len(model.requests) == 3, 10)
    gates[1].set()
    assert run.wait(20).answer == "(1, 'from a child')"
