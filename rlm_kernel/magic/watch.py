"""Draws a run in the cell until it ends. Everything here is on the cell's own thread."""

from __future__ import annotations

import concurrent.futures
import time

from IPython.core.display_functions import DisplayHandle, display

from rlm_kernel.engine.prompts import HURRY
from rlm_kernel.errors import LimitExceeded, NoAnswer, RLMError
from rlm_kernel.magic.stepper import Stepper
from rlm_kernel.run import Run
from rlm_kernel.views import live_bundle, mime_bundle
from rlm_kernel.views.runs import RUNS

REDRAW_SECONDS = 0.25
WATCHED_REDRAW_SECONDS = 5.0


def watch(run: Run, *, live: bool, inline_kb: int, stepper: Stepper | None = None) -> RLMError | None:
    """The error that ended the run, if one did. The cell then shows the run for good, in all its formats.

    Ctrl-C comes through as `KeyboardInterrupt`, after every call of the run has ended and the tree is drawn; so does
    a stop from elsewhere: cells that wait their turn are not to go on without what this one was asked for.
    Without `live` (a terminal cannot redraw) only the end is shown. `stepper` asks about blocks that are held.
    """
    try:
        ended_by = _draw(run, inline_kb, stepper) if live else _wait(run, inline_kb, stepper)
    except KeyboardInterrupt:
        raise _stopped() from None
    if run.status == "interrupted":
        raise _stopped()
    return ended_by


def _draw(run: Run, inline_kb: int, stepper: Stepper | None) -> RLMError | None:
    handle = display(live_bundle(run.trace, run.trace.now(), inline_kb=inline_kb), raw=True, display_id=True)
    assert handle is not None
    try:
        _redraw(run, handle, inline_kb, stepper)
    except RLMError as error:
        return error
    finally:
        run.stop()
        handle.update(mime_bundle(run.trace, inline_kb=inline_kb), raw=True)
    return None


def _redraw(run: Run, handle: DisplayHandle, inline_kb: int, stepper: Stepper | None) -> None:
    # Looked at often, drawn less often: a large tree, because drawing must not take the run's time, and one that
    # the front end draws by itself, because what is sent here is then only for a notebook saved meanwhile.
    drawn, pause = time.monotonic(), REDRAW_SECONDS
    while not _ended(run, pause):
        watched = RUNS.watched(run.id)
        started = time.monotonic()
        asks = stepper is not None and not watched and stepper.asks()
        if watched and started - drawn < WATCHED_REDRAW_SECONDS:
            continue
        handle.update(live_bundle(run.trace, run.trace.now(), inline_kb=inline_kb), raw=True)
        drawn = time.monotonic()
        pause = max(REDRAW_SECONDS, 10 * (drawn - started))
        if stepper is not None and asks:
            stepper.ask()


def _stopped() -> KeyboardInterrupt:
    # IPython takes up to a second to draw the traceback of an interrupt, and there is nothing in it to see.
    stopped = KeyboardInterrupt("the run was stopped; its tree and trace are kept")
    stopped._render_traceback_ = lambda: [f"KeyboardInterrupt: {stopped}"]  # type: ignore[attr-defined]
    return stopped


def _wait(run: Run, inline_kb: int, stepper: Stepper | None) -> RLMError | None:
    try:
        while stepper is not None and not _ended(run, REDRAW_SECONDS):
            if stepper.asks():
                stepper.ask()
        run.wait()
    except RLMError as error:
        return error
    finally:
        run.stop()
        display(mime_bundle(run.trace, inline_kb=inline_kb), raw=True)
    return None


def explain(error: RLMError) -> str:
    """The error in a line, with what the user still has and can do."""
    kept = "The tree above and its trace are kept."
    if isinstance(error, NoAnswer) and HURRY in str(error):
        return f"{error} {kept} Run the cell again and let it work longer, or ask a narrower question."
    if isinstance(error, NoAnswer | LimitExceeded):
        return f"{error} {kept} Raise a limit (--max-turns, --max-calls, …) or ask a narrower question."
    return f"{error} {kept}"


def _ended(run: Run, pause: float) -> bool:
    try:
        run.wait(pause)
    except concurrent.futures.TimeoutError:
        return False
    return True


__all__ = ["REDRAW_SECONDS", "WATCHED_REDRAW_SECONDS", "explain", "watch"]
