"""Floor 3: from a trace to something a person sees. Knows no engine, no model and no notebook."""

from rlm_kernel.views.bundle import MIME, live_bundle, mime_bundle
from rlm_kernel.views.html import html_document, html_tree
from rlm_kernel.views.snapshot import snapshot
from rlm_kernel.views.text import call_text, text_tree

__all__ = [
    "MIME",
    "call_text",
    "html_document",
    "html_tree",
    "live_bundle",
    "mime_bundle",
    "snapshot",
    "text_tree",
]
