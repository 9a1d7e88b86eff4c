"""F1–F4, F9–F12: a block that does not end, or ends everything; each of them as it goes in a run."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from faults import LIMIT, NEXT, SLACK, After

from rlm_kernel import Request

FOREVER = "kept = 7\nwhile True: pass"
SWALLOWING = "import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass"
IGNORING = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
HEAVY = "kept = 7\nimport itertools\nsum(range(10**12))"
BACKTRACKING = "kept = 7\nimport re\nre.match('(a+)+$', 'a' * 60 + 'b')"
LOST = "your variables are lost"


def test_f01_an_endless_loop_ends_in_time_and_its_variables_stay() -> None:
    """An endless loop."""
    after = After(FOREVER, then="kept")
    assert after.seconds < LIMIT + 1 + SLACK
    assert after.executed().seconds < LIMIT + 0.5
    assert after.error().startswith("TimeoutError: the block ran longer than 1 s")
    assert "KeyboardInterrupt" in after.told()
    assert "the block ran longer than 1 s of its own time and was stopped" in after.told()
    assert LOST not in after.told()
    assert after.answer == "7"


def test_f02_a_loop_that_swallows_every_exception_is_killed() -> None:
    """A loop that swallows the interrupt too."""
    killed(SWALLOWING)


def test_f03_a_loop_that_ignores_the_signal_is_killed() -> None:
    """A loop that does not hear the interrupt."""
    killed(IGNORING)


def test_f04_one_long_call_below_python_that_hears_no_signal_is_killed() -> None:
    """A loop in C, which looks at no signal."""
    killed(HEAVY)


@pytest.mark.parametrize("code", [BACKTRACKING, "kept = 7\nx = 7 ** 10**8"], ids=["regex", "power"])
def test_f04_one_long_call_below_python_is_stopped_or_killed_in_time(code: str) -> None:
    """A loop in C, which may look at signals: then the variables stay."""
    after = After(code, then="globals().get('kept', 'lost')")
    assert after.seconds < LIMIT + 1 + SLACK
    assert after.error().startswith("TimeoutError")
    assert after.answer == ("lost" if LOST in after.told() else "7")


def killed(code: str) -> None:
    """One second to stop, then the end; the next block has a fresh process with the context, and the model knows."""
    after = After(f"lost = 1\n{code}", NEXT, then="'lost' in globals()")
    assert after.executed().seconds >= LIMIT + 1
    assert after.seconds < LIMIT + 1 + SLACK
    assert after.error().startswith("TimeoutError: the block ran longer than 1 s")
    assert LOST in after.told()
    assert after.executed(2).stdout == "next some text\n"
    assert after.answer == "False"


@pytest.mark.parametrize("code", ["import sys; sys.exit()", "exit()", "quit(3)", "raise SystemExit"])
def test_f09_leaving_python_is_an_error_of_the_block(code: str) -> None:
    """`sys.exit()`."""
    after = After(f"kept = 7\n{code}", then="kept")
    assert after.error().startswith("SystemExit")
    assert "SystemExit" in after.told()
    assert (after.run.status, after.answer) == ("finished", "7")


def test_f10_an_interrupt_raised_by_the_code_is_an_error_of_the_block() -> None:
    """`raise KeyboardInterrupt` looks like the user's Ctrl-C."""
    after = After("kept = 7\nraise KeyboardInterrupt", then="kept")
    assert after.error().startswith("KeyboardInterrupt")
    assert (after.run.status, after.answer) == ("finished", "7")


@pytest.mark.parametrize(
    ("code", "cause"),
    [("import os; os._exit(7)", "exit code 7"), ("import ctypes; ctypes.string_at(0)", "SIGSEGV")],
    ids=["exit", "segfault"],
)
def test_f11_a_process_that_dies_is_noticed_at_once_and_replaced(code: str, cause: str) -> None:
    """`os._exit(7)`, and a crash."""
    after = After(f"print('before', flush=True)\n{code}", NEXT, block_seconds=30)
    assert after.executed().seconds < 0.2 + SLACK
    assert cause in after.error()
    assert cause in after.told()
    assert LOST in after.told()
    assert after.executed().stdout == "before\n"
    assert after.executed(2).stdout == "next some text\n"


def test_f12_a_process_that_the_system_kills_is_noticed_at_once_and_replaced() -> None:
    """The system kills the worker when memory is short."""

    def kill(request: Request) -> str:
        os.kill(int(request.messages[0].content), signal.SIGKILL)
        threading.Event().wait(0.05)
        return "too late"

    after = After("import os; llm_query(str(os.getpid()))", NEXT, llm=kill, block_seconds=30)
    assert after.executed().seconds < 0.2 + SLACK
    assert "killed by SIGKILL (out of memory?)" in after.error()
    assert LOST in after.told()
    assert after.executed(2).stdout == "next some text\n"
