"""The display contract: what a notebook is given for a run, while it runs and when it has ended."""

from __future__ import annotations

from html import escape
from typing import Any

from rlm_kernel.trace import Trace
from rlm_kernel.views.html import html_tree
from rlm_kernel.views.snapshot import snapshot
from rlm_kernel.views.text import text_tree

MIME = "application/vnd.rlm.trace+json"
INLINE_KB = 256
LIVE_LINES = 60


def mime_bundle(trace: Trace, *, inline_kb: int = INLINE_KB) -> dict[str, Any]:
    """The formats of a run: the trace for our own renderer, in at most so many kilobytes of JSON; static HTML in
    half as many; plain text. With 0 there is no JSON, and the HTML is as short as it gets. Never a widget view: a
    saved one shows an error and hides the HTML."""
    texts = {
        "text/html": html_tree(trace, max_bytes=inline_kb * 512),
        "text/plain": text_tree(trace),
    }
    return {MIME: snapshot(trace, max_bytes=inline_kb * 1024), **texts} if inline_kb else texts


def live_bundle(trace: Trace, now: float, *, inline_kb: int = INLINE_KB) -> dict[str, Any]:
    """How a run looks while it runs, `now` seconds after its start: the tree so far, its running calls ticking.

    The JSON is always there, if only with the run's id: a front end that can draw it follows the run by that.
    """
    text = text_tree(trace, now=now, max_lines=LIVE_LINES)
    return {
        MIME: snapshot(trace, max_bytes=inline_kb * 1024),
        "text/html": f"<pre>{escape(text)}</pre>",
        "text/plain": text,
    }


__all__ = ["INLINE_KB", "LIVE_LINES", "MIME", "live_bundle", "mime_bundle"]
