"""The run as one HTML file that draws itself: the tree of JupyterLab in a page to keep or to mail, without a network.

The page holds the whole trace as JSON and the viewer, which `labextension/build-viewer.mjs` makes. Its Content Security
Policy lets that one script run and lets nothing be loaded. Where scripts are off, the static tree is shown.
`labextension/src/core/export/page.ts` makes the same page in the browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from rlm_kernel.errors import ConfigError
from rlm_kernel.trace import FORMAT, Trace, to_dict
from rlm_kernel.views.html import html_tree
from rlm_kernel.views.summary import line

_FOLDER = Path(__file__).parent.parent / "viewer"
# What would end the element around the JSON, what older scripts take for a line's end, and half characters, which no
# file can hold. All of it stands inside strings, where JSON has another spelling for it.
_UNSAFE = re.compile("[<\u2028\u2029\ud800-\udfff]")

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<noscript>{twin}</noscript>
<main id="rlm-page"></main>
<script type="application/json" id="rlm-trace">{trace}</script>
<script>{script}</script>
</body>
</html>
"""


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """What draws a trace in a page: one script and one style sheet."""

    script: str
    style: str


def html_page(trace: Trace, viewer: Viewer | None = None) -> str:
    """The page of the run, with everything in it. Raises `ConfigError` where the viewer was not built."""
    viewer = viewer or built_viewer()
    return _PAGE.format(
        policy=_policy(viewer.script),
        title=escape(line(trace.started.query if trace.started else "A run", 80)),
        style=viewer.style,
        twin=html_tree(trace, max_bytes=None),
        trace=_json(trace),
        script=viewer.script,
    )


def built_viewer() -> Viewer:
    """The viewer that comes with the package. Raises `ConfigError` where it was not built."""
    try:
        script, style = (Path(_FOLDER, name).read_text("utf-8") for name in ("viewer.js", "viewer.css"))
    except FileNotFoundError:
        raise ConfigError(
            "the interactive page needs the viewer, which this copy of rlm_kernel was not built with: install the "
            "package again with pip, or write the static page with interactive=False",
            setting="interactive",
        ) from None
    return Viewer(script=script, style=style)


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _json(trace: Trace) -> str:
    data: dict[str, Any] = {
        "format": FORMAT,
        "run": trace.run_id,
        "live": trace.live,
        "events": [to_dict(event) for event in list(trace.events)],
        "path": trace.place,
        "warning": trace.warning,
        "cut_texts": 0,
        "omitted_calls": 0,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


__all__ = ["Viewer", "built_viewer", "html_page"]
