"""Floor 3: from a trace to something a person sees. Knows no engine, no model and no notebook.

Names are loaded when they are first used: a run from plain Python may never be shown.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

    from rlm_kernel.views.bundle import MIME, live_bundle, mime_bundle
    from rlm_kernel.views.html import html_document, html_tree
    from rlm_kernel.views.notebook import notebook_json
    from rlm_kernel.views.page import html_page
    from rlm_kernel.views.text import call_text, text_tree

_HOMES = {
    "MIME": "bundle",
    "call_text": "text",
    "html_document": "html",
    "html_page": "page",
    "html_tree": "html",
    "live_bundle": "bundle",
    "mime_bundle": "bundle",
    "notebook_json": "notebook",
    "text_tree": "text",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'rlm_kernel.views' has no attribute {name!r}")
    return getattr(import_module(f"rlm_kernel.views.{home}"), name)


__all__ = [
    "MIME",
    "call_text",
    "html_document",
    "html_page",
    "html_tree",
    "live_bundle",
    "mime_bundle",
    "notebook_json",
    "text_tree",
]
