"""The page of a run, opened from disk as whoever it was mailed to opens it: no server, no network, no script of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page
from trace_examples import batch, rich, wide

import rlm_kernel
from rlm_kernel.run import Run
from rlm_kernel.trace import Trace

Scheme = Literal["light", "dark"]
AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


class Opened:
    """A page, and everything it asked for or complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, trace: Trace, path: Path, *, interactive: bool = True) -> Page:
        address = Run(trace).to_html(path, interactive=interactive).as_uri()
        self.page.goto(address)
        assert self.asked == [address]
        return self.page


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opened]:
    """A browser without a network. Nothing else may be asked for, and nothing complained of."""
    context = chromium.new_context(viewport={"width": 1200, "height": 800}, offline=True)
    found = Opened(context.new_page())
    yield found
    assert len(found.asked) == 1
    assert found.complaints == []
    context.close()


def test_a_mailed_page_shows_the_tree(opened: Opened, tmp_path: Path) -> None:
    page = opened.open(batch(), tmp_path / "run.html")
    tree = page.get_by_role("treegrid")
    assert tree.get_by_role("row", name="5 × llm").is_visible()
    assert tree.get_by_role("row", name="Sum up p1").count() == 0

    tree.press("End")
    tree.press("ArrowUp")
    tree.press("ArrowRight")
    tree.get_by_role("row", name="Sum up p1").click()

    assert page.get_by_text("the sum of 0.1.1").first.is_visible()
    assert page.title() == "Which papers disagree?"


def test_nothing_of_a_run_comes_to_life(opened: Opened, tmp_path: Path) -> None:
    page = opened.open(rich(), tmp_path / "run.html")
    page.get_by_role("row", name="block 1").click()
    page.get_by_role("tab", name="Output").click()

    assert page.get_by_role("table").get_by_text("onerror=alert(1)").first.is_visible()
    sources = page.locator("img").evaluate_all("images => images.map(image => image.src.slice(0, 22))")
    assert set(sources) == {"data:image/png;base64,"}
    assert page.locator("script").count() == 2
    assert page.get_by_text("demo rules, not a language model").first.is_visible()


def test_without_scripts_the_static_tree_is_shown(chromium: Browser, tmp_path: Path) -> None:
    context = chromium.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(Run(batch()).to_html(tmp_path / "run.html").as_uri())

    assert page.locator("summary", has_text="batch of 5 llm").is_visible()
    assert page.locator("#rlm-page").is_hidden()
    context.close()


@pytest.mark.parametrize(("suffix", "label"), [("rlm.jsonl", "trace"), ("ipynb", "notebook")])
def test_a_page_gives_its_run_on(opened: Opened, tmp_path: Path, suffix: str, label: str) -> None:
    page = opened.open(batch(), tmp_path / "run.html")
    page.get_by_role("button", name="More").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=label).click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    opened.asked = [url for url in opened.asked if not url.startswith("blob:")]

    assert saved.name == f"papers-1.{suffix}"
    if label == "trace":
        assert rlm_kernel.load(saved).trace.events == batch().events
    else:
        assert saved.read_text("utf-8") == Run(batch()).to_notebook(tmp_path / "mine.ipynb").read_text(
            "utf-8"
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_can_be_read_by_everybody(opened: Opened, tmp_path: Path, scheme: Scheme) -> None:
    opened.page.emulate_media(color_scheme=scheme)
    page = opened.open(rich(), tmp_path / "run.html")
    page.get_by_role("treegrid").wait_for()
    paper = page.evaluate("() => getComputedStyle(document.querySelector('.rlm-run')).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 28)"}[scheme]

    # Evaluated by the test and not by the page, whose policy lets no other script in.
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        "async () => (await axe.run()).violations.map(each => [each.impact, each.id, each.nodes[0].html])"
    )
    assert [each for each in found if each[0] in ("serious", "critical")] == []


def test_thousands_of_calls_open_in_a_moment(opened: Opened, tmp_path: Path) -> None:
    page = opened.open(wide(10_000, batched=True), tmp_path / "run.html")
    page.get_by_role("row", name="10,000 × llm").wait_for()

    assert page.locator("*").count() < 2000
    assert page.evaluate("() => performance.now()") < 5000
