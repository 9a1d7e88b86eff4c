"""The run as a page that draws itself: one script that may run, nothing that may be loaded, the whole trace."""

import base64
import dataclasses
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_golden import VIEWER
from trace_examples import MARKUP, STORIES, cut_off, one_call, rich

from rlm_kernel.errors import ConfigError
from rlm_kernel.run import Run
from rlm_kernel.trace import Trace, from_dict
from rlm_kernel.views import html_tree, page
from rlm_kernel.views.page import built_viewer, html_page

OURS = [
    "html",
    "head",
    "meta",
    "meta",
    "meta",
    "meta",
    "title",
    "style",
    "body",
    "noscript",
    "main",
    "script",
]
HOSTILE = st.sampled_from(
    ["</script>", "<!--<script>", "</noscript>", "</title>", "]]>", "\u2028", "\ud83d", '"', "\\", "&lt;"]
) | st.text(max_size=5)


class Reader(HTMLParser):
    """The elements of a page outside its `<noscript>`, and what is in its scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._inside = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._inside:
            self.tags.append(tag)
            self.attributes += attrs
        self._inside = self._inside or tag == "noscript"

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "noscript"

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["script"] and data.strip():
            self.scripts.append(data)


def of_query(query: str) -> Trace:
    first, *events = one_call().events
    return Trace([dataclasses.replace(first, query=query), *events])  # type: ignore[call-arg]


@pytest.mark.parametrize("name", STORIES)
def test_a_page_holds_the_whole_trace(name: str) -> None:
    trace = STORIES[name](None)
    data, script = Reader(html_page(trace, VIEWER)).scripts
    bundle = json.loads(data)
    assert [from_dict(event) for event in bundle.pop("events")] == trace.events
    assert bundle == {
        "format": 1,
        "run": "papers-1",
        "live": trace.live,
        "path": "",
        "warning": "",
        "cut_texts": 0,
        "omitted_calls": 0,
    }
    assert script == VIEWER.script


@given(query=st.lists(HOSTILE, max_size=6).map("".join))
def test_no_text_gets_out_of_its_place(query: str) -> None:
    html = html_page(of_query(query), VIEWER)
    html.encode()  # a file can hold it
    found = Reader(html)
    assert found.tags == [*OURS, "script"]
    assert json.loads(found.scripts[0])["events"][0]["query"] == query


def test_one_script_may_run_and_nothing_may_be_loaded() -> None:
    found = Reader(html_page(rich(), VIEWER))
    policy = next(value for name, value in found.attributes if name == "content" and "src" in (value or ""))
    digest = base64.b64encode(hashlib.sha256(VIEWER.script.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert {name for name, _ in found.attributes} == {
        "charset",
        "content",
        "http-equiv",
        "id",
        "lang",
        "name",
        "type",
    }


def test_the_static_tree_is_there_for_those_without_scripts() -> None:
    trace = rich()
    html = html_page(trace, VIEWER)
    assert f"<noscript>{html_tree(trace, max_bytes=None)}</noscript>" in html
    title = re.search("<title>(.*)</title>", html)
    assert title
    assert unescape(title[1]) == "# Which?"


def test_a_damaged_file_says_so_in_its_page() -> None:
    trace = cut_off()
    trace.warning = f"torn {MARKUP}"
    html = html_page(trace, VIEWER)
    assert json.loads(Reader(html).scripts[0])["warning"] == trace.warning


def test_the_same_run_makes_the_same_page() -> None:
    assert html_page(rich()) == html_page(rich())


def test_the_viewer_that_was_built_can_stand_in_a_page() -> None:
    viewer = built_viewer()
    assert not re.search("</script|<!--", viewer.script, re.IGNORECASE)
    assert not re.search(r"</style|@import|url\(", viewer.style, re.IGNORECASE)
    assert viewer.script.startswith("/* rlm_kernel (BSD-3-Clause); @lezer/common (MIT, ")
    assert Reader(html_page(rich())).tags == [*OURS, "script"]


def test_without_the_viewer_the_next_move_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_FOLDER", tmp_path)
    with pytest.raises(
        ConfigError, match=r"install the package again with pip, or .* interactive=False"
    ) as caught:
        html_page(one_call())
    assert caught.value.setting == "interactive"


def test_a_run_writes_its_page_and_its_notebook(tmp_path: Path) -> None:
    run = Run(rich())
    drawn: Any = run.to_html(tmp_path / "run.html")
    static: Any = run.to_html(str(tmp_path / "static.html"), interactive=False)
    notebook: Any = run.to_notebook(tmp_path / "run.ipynb")
    assert 'id="rlm-trace"' in drawn.read_text("utf-8")
    assert "<script" not in static.read_text("utf-8")
    assert json.loads(notebook.read_text("utf-8"))["nbformat"] == 4
    assert b"\r" not in notebook.read_bytes()
