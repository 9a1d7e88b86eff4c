"""Draws a run in the cell until it ends. Everything here is on the cell's own thread."""

from __future__ import annotations

import concurrent.futures
import time

from IPython.core.display_functions import display

from rlm_kernel.errors import LimitExceeded, NoAnswer, RLMError
from rlm_kernel.run import Run
from rlm_kernel.views import live_bundle

REDRAW_SECONDS = 0.25


def watch(run: Run, *, live: bool) -> RLMError | None:
    """The error that ended the run, if one did. The cell then shows the run for good, in its three formats.

    Ctrl-C comes through as `KeyboardInterrupt`, after every call of the run has ended and the tree is drawn.
    Without `live` (a terminal cannot redraw) only the end is shown.
    """
    if not live:
        return _wait(run)
    handle = display(live_bundle(run.trace, 0.0), raw=True, display_id=True)
    assert handle is not None
    started = time.monotonic()
    try:
        pause = REDRAW_SECONDS
        while not _ended(run, pause):
            drawn = time.monotonic()
            handle.update(live_bundle(run.trace, drawn - started), raw=True)
            # A large tree is drawn less often: drawing must not take the run's time.
            pause = max(REDRAW_SECONDS, 10 * (time.monotonic() - drawn))
    except RLMError as error:
        return error
    except KeyboardInterrupt:
        raise _stopped() from None
    finally:
        run.stop()
        handle.update(run._repr_mimebundle_(), raw=True)
    return None


def _stopped() -> KeyboardInterrupt:
    # IPython takes up to a second to draw the traceback of an interrupt, and there is nothing in it to see.
    stopped = KeyboardInterrupt("the run was stopped; its tree and trace are kept")
    stopped._render_traceback_ = lambda: [f"KeyboardInterrupt: {stopped}"]  # type: ignore[attr-defined]
    return stopped


def _wait(run: Run) -> RLMError | None:
    try:
        run.wait()
    except RLMError as error:
        return error
    finally:
        run.stop()
        display(run)
    return None


def explain(error: RLMError) -> str:
    """The error in a line, with what the user still has and can do."""
    kept = "The tree above and its trace are kept."
    if isinstance(error, NoAnswer | LimitExceeded):
        return f"{error} {kept} Raise a limit (--max-turns, --max-calls, …) or ask a narrower question."
    return f"{error} {kept}"


def _ended(run: Run, pause: float) -> bool:
    try:
        run.wait(pause)
    except concurrent.futures.TimeoutError:
        return False
    return True


__all__ = ["REDRAW_SECONDS", "explain", "watch"]
