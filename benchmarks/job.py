"""One run in a client process: what it is asked (`Job`) and what it says at the end (`Outcome`).

Only the standard library is imported here: this module is loaded before the client's clock starts.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

QUESTION = "Follow the plan."
_LINE = "The quick brown fox jumps over the lazy dog while numbers 0123456789 stay in order.\n"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run: where the server is, how large the context, and the options that differ between contenders."""

    base_url: str
    max_turns: int
    context_mb: int = 0
    concurrency: int | None = None
    trace_dir: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The answer, when the run was started (CLOCK_MONOTONIC) and how long making the context took."""

    answer: str
    run_called_ns: int
    context_made_ns: int


def make_context(megabytes: int) -> str:
    """`megabytes` million characters of ASCII text."""
    million = (_LINE * (1_000_000 // len(_LINE) + 1))[:1_000_000]
    return million * megabytes if megabytes else "a small context"


def serve_job(ask: Callable[[Job, str], str]) -> None:
    """Do the job in argv with `ask(job, context) -> answer`, and print the outcome as the last line."""
    job = Job(**json.loads(sys.argv[1]))
    started_ns = time.monotonic_ns()
    context = make_context(job.context_mb)
    run_called_ns = time.monotonic_ns()
    answer = ask(job, context)
    outcome = Outcome(answer=answer, run_called_ns=run_called_ns, context_made_ns=run_called_ns - started_ns)
    print(json.dumps(asdict(outcome)))
