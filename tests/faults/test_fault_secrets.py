"""F32, F35–F37: what a block can reach of the user's: nothing but a line to the engine that takes requests."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from faults import NEXT, SLACK, After
from processes import gone

from rlm_kernel import Request

CANARY = "sk-canary-0123456789abcdef"


def test_f32_a_key_in_the_users_environment_is_not_in_the_blocks_nor_in_the_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`OPENAI_API_KEY` read from the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    look = "import os, sys\nprint(dict(os.environ), os.getenv('OPENAI_API_KEY'), sys.argv, sys.orig_argv)"
    after = After(look, trace_dir=tmp_path / "traces")
    assert " None " in after.executed().stdout
    saved = [path for path in (tmp_path / "traces").rglob("*") if path.is_file()]
    assert saved
    assert not [path for path in saved if b"canary" in path.read_bytes()]
    assert "canary" not in str(after.run.trace.events)


def test_f35_a_block_finds_nothing_of_the_engine_in_its_process() -> None:
    """Ledger, model and settings, looked for through frames, bound methods, modules and the collector."""
    look = (
        "import gc, sys\n"
        "frame, names = sys._getframe(), []\n"
        "while frame: names.append(frame.f_globals.get('__name__')); frame = frame.f_back\n"
        "loaded = [name for name in sys.modules if name.startswith('rlm_kernel')]\n"
        "classes = {type(each).__module__ for each in gc.get_objects()}\n"
        "reached = [type(each).__module__ for each in vars(llm_query.__self__).values()]\n"
        "bad = ('rlm_kernel.engine', 'rlm_kernel.models', 'rlm_kernel.run', 'rlm_kernel.trace', 'openai', 'IPython')\n"
        "print([name for name in [*names, *loaded, *classes, *reached] if str(name).startswith(bad)])"
    )
    assert After(look).executed().stdout == "[]\n"


def test_f35_a_request_made_past_the_functions_still_costs_what_it_costs() -> None:
    """The line to the engine used directly: each request is a call of the run like any other, under its limits."""
    ask = (
        "frame = {'op': 'call', 'kind': 'llm', 'prompts': ['free?'], 'model': None, 'batched': False, 'contexts': [None]}\n"
        "frame |= {'line': 0, 'code': '', 'lane': ''}\n"
        "from rlm_kernel.repl.child import lanes\n"
        "print([llm_query.__self__._link.ask(frame, b'', lanes.current()) for _ in range(3)])"
    )
    after = After(ask, max_calls=2)
    assert "max_calls" in after.told() or "sub-calls" in after.told()
    assert sum(request.kind == "llm" for request in after.model.requests) == 2


@pytest.mark.parametrize(
    "write",
    [
        "for fd in range(3, 256):\n    try: os.write(fd, b'\\xff' * 64)\n    except OSError: pass",
        "os.write(llm_query.__self__._link._up, b'\\xff' * 8)",
        "llm_query.__self__._link.send({'op': 'zap'})",
        "llm_query.__self__._link.send({'op': 'call', 'number': 1})\nimport time; time.sleep(0.2); os._exit(3)",
    ],
    ids=["garbage", "a huge length", "an unknown frame", "a call that makes no sense"],
)
def test_f36_what_is_no_frame_ends_the_worker_and_nothing_else(write: str) -> None:
    """Garbage on the line to the engine."""
    after = After(f"import os\n{write}\nimport time; time.sleep(20)", NEXT, block_seconds=30)
    assert after.executed().seconds < SLACK
    assert "the process that ran the block is gone" in after.told()
    assert after.executed(2).stdout == "next some text\n"
    assert after.answer == "ok"


def test_f37_nothing_listens_for_connections() -> None:
    """Another user of the machine connects."""
    pids: list[int] = []

    def look(request: Request) -> str:
        pids.append(int(request.messages[0].content))
        return str(sorted(listening(os.getpid()) | listening(pids[0])))

    after = After("import os; print(llm_query(str(os.getpid())))", llm=look, block_seconds=30)
    assert after.executed().stdout == "[]\n"
    assert gone(pids[0])


def listening(pid: int) -> set[str]:
    """The listening sockets that the process holds, as the system's tables name them."""
    links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()]
    held = {found[1] for link in links if (found := re.match(r"socket:\[(\d+)\]", link))}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in held:
                found.add(f"{table} {fields[1]}")
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[3], 16) & 0x10000 and fields[6] in held:
            found.add(f"unix {fields[-1]}")
    return found
