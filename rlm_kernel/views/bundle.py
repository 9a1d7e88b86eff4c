"""The display contract: what a notebook is given for a run, while it runs and when it has ended."""

from __future__ import annotations

from html import escape
from typing import Any

from rlm_kernel.trace import Trace
from rlm_kernel.views.html import html_tree
from rlm_kernel.views.snapshot import snapshot
from rlm_kernel.views.text import text_tree

MIME = "application/vnd.rlm.trace+json"
LIVE_LINES = 60


def mime_bundle(trace: Trace) -> dict[str, Any]:
    """The three formats of a run: the trace for our own renderer, static HTML, plain text. Never a widget view:
    a saved one shows an error and hides the HTML."""
    return {MIME: snapshot(trace), "text/html": html_tree(trace), "text/plain": text_tree(trace)}


def live_bundle(trace: Trace, now: float) -> dict[str, Any]:
    """How a run looks while it runs, `now` seconds after its start: the tree so far, its running calls ticking."""
    text = text_tree(trace, now=now, max_lines=LIVE_LINES)
    return {"text/html": f"<pre>{escape(text)}</pre>", "text/plain": text}


__all__ = ["LIVE_LINES", "MIME", "live_bundle", "mime_bundle"]
