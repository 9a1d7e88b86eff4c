"""The tree by mouse and by keyboard, with all that a run can hold, in a real browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from trace_examples import SYSTEM, Story, fenced, used, wide
from tree_page import TreePage

from rlm_kernel.trace import (
    Batch,
    ContextCard,
    ErrorInfo,
    RichOutput,
    Site,
    Trace,
    Usage,
    Variable,
    VariableChanges,
)

Show = Callable[[Trace], TreePage]
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
    )
).decode()
ASKS = 'parts = llm_query_batched([f"Sum up {p}" for p in context])'


def whole_story() -> Trace:
    """A run with something of everything: a batch with a failure, a child, a figure and a table, a failed block."""
    story = Story(settings={"max_calls": 50, "max_turns": 20, "max_depth": 2, "output_chars": 400})
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, f"I look first.\n{fenced(ASKS)}", usage=used(1200, 80, 0.01), reasoning="Sums first.")
    lost = ErrorInfo(type="ServerFailed", message="500 after 3 retries")
    for index in range(4):
        place = Batch(id="0.1.1", index=index, size=4)
        story.llm(
            f"0.1.{index + 1}",
            f"Sum up paper {index + 1}",
            batch=place,
            site=Site(block=1, line=1, code=ASKS),
        )
    for call_id in ("0.1.2", "0.1.1", "0.1.4"):
        story.reply(call_id, 1, f"Paper {call_id[-1]} says yes.", usage=used(300, 20, 0.001))
        story.finish(call_id, how="reply")
    story.reply("0.1.3", 1, "", usage=Usage(), retries=3, error=lost)
    story.finish("0.1.3", "failed", error=lost)
    table = {
        "columns": ["paper", "says"],
        "rows": [["1", "yes"], ["2", "no"]],
        "total_rows": 2,
        "total_columns": 2,
        "index": None,
    }
    long = "first line\n" + "middle " * 200 + "\nlast line\n"
    story.code(
        "0",
        1,
        ASKS,
        stdout=long,
        shown=f"Block 1 printed ({len(long):,} characters):\n{long[:200]}\n… 1,022 characters left out …\n{long[-200:]}",
        variables=VariableChanges(added=(Variable(name="parts", type="list", size="4", preview="['…']"),)),
        outputs=(
            RichOutput(data={"application/vnd.rlm.table+json": json.dumps(table)}),
            RichOutput(data={"image/png": PIXEL}),
        ),
    )
    story.ask("0", 2, "Block 1 printed.")
    child = 'found = rlm_query("Check paper 1")\nprint(found)'
    story.reply("0", 2, fenced(child), usage=used(1500, 40, 0.02))
    story.rlm("0.2.1", "Check paper 1", site=Site(block=1, line=1, code='found = rlm_query("Check paper 1")'))
    story.ask("0.2.1", 1, SYSTEM, "Check paper 1")
    story.reply("0.2.1", 1, fenced('FINAL(llm_query("Is it true?"))'), usage=used(90, 9, 0.001))
    story.llm("0.2.1.1.1", "Is it true?", site=Site(block=1, line=1, code='FINAL(llm_query("Is it true?"))'))
    story.reply("0.2.1.1.1", 1, "It is not.", usage=used(50, 5, 0.001))
    story.finish("0.2.1.1.1", how="reply")
    story.code("0.2.1", 1, 'FINAL(llm_query("Is it true?"))')
    story.finish("0.2.1", answer="It is not.", how="FINAL")
    wrong = ErrorInfo(
        type="NameError",
        message="name 'fund' is not defined",
        traceback="  File \"<rlm:0.2 block 1>\", line 2, in <module>\nNameError: name 'fund' is not defined",
    )
    story.code("0", 2, child, shown="NameError: name 'fund' is not defined", error=wrong)
    story.ask("0", 3, "Block 1 failed.")
    story.reply("0", 3, fenced('FINAL("1 and 3")'), usage=used(1600, 10, 0.02))
    story.code("0", 3, 'FINAL("1 and 3")')
    story.finish("0", answer="1 and 3", how="FINAL")
    return story.end(answer="1 and 3")


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1200, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture
def show(page: Page, tmp_path: Path) -> Show:
    """Shows a run; whatever the test does with it, no script fails and nothing is asked of a network."""
    return lambda trace: TreePage(page, trace, tmp_path)


@pytest.fixture
def tree(show: Show) -> Iterator[TreePage]:
    made = show(whole_story())
    yield made
    assert made.complaints == []
    assert [url for url in made.asked if not url.startswith(("file:", "data:"))] == []


CLOSED = ["0", "0@1", "0.1.1+", "0@2", "0.2.1", "0@3"]


def test_a_collapsed_tree_tells_the_story(tree: TreePage) -> None:
    assert tree.rows() == CLOSED
    head = tree.page.locator(".rlm-head").inner_text()
    assert "Which papers disagree?" in head
    assert "✓ finished" in head
    assert "6 sub-calls" in head
    assert "1 failed inside" in head
    batch = tree.row("0.1.1+").inner_text()
    assert "4 × llm" in batch
    assert "✓✓✗✓" in batch
    strip = tree.row("0.1.1+").locator(".rlm-marks")
    assert strip.get_attribute("aria-label") == "3 finished, 1 failed"
    assert "✗ NameError: name 'fund' is not defined" in tree.row("0@2").inner_text()
    assert "→ It is not." in tree.row("0.2.1").inner_text()
    assert "line 1" in tree.row("0.2.1").inner_text()
    assert "1 and 3" in tree.page.locator(".rlm-answer").inner_text()


def test_by_keyboard(tree: TreePage) -> None:
    tree.focus()
    tree.press("ArrowDown", "ArrowDown")
    assert tree.selected() == "0.1.1+"
    assert "4 × llm" in tree.active()
    tree.press("ArrowRight")
    assert tree.rows() == [*CLOSED[:3], "0.1.1", "0.1.2", "0.1.3", "0.1.4", *CLOSED[3:]]
    assert tree.attributes("0.1.3", "aria-level", "aria-posinset", "aria-setsize", "aria-expanded") == [
        *("4", "3", "4"),
        None,
    ]
    assert tree.attributes("0.1.1+", "aria-expanded") == ["true"]
    tree.press("ArrowRight", "ArrowDown")
    assert tree.selected() == "0.1.2"
    tree.press("ArrowLeft")
    assert tree.selected() == "0.1.1+"
    tree.press("ArrowLeft")
    assert tree.rows() == CLOSED
    tree.press("End")
    assert tree.selected() == "0@3"
    tree.press("Home")
    assert tree.selected() == "0"
    tree.press("e")
    assert tree.selected() == "0.1.3"
    tree.press("e")
    assert tree.selected() == "0@2"
    tree.press("[")
    assert tree.selected() == "0@1"
    tree.press("]", "]")
    assert tree.selected() == "0@3"
    tree.press("Home", "ArrowLeft")
    assert tree.rows() == ["0"]
    tree.press("Space")
    assert tree.rows()[:2] == ["0", "0@1"]
    assert tree.page.locator(".rlm-tree").get_attribute("aria-rowcount") == str(len(tree.rows()) + 1)


def test_by_mouse(tree: TreePage) -> None:
    tree.row("0.1.1+").locator(".rlm-chevron").click()
    tree.settle()
    assert "0.1.4" in tree.rows()
    assert tree.selected() == "0"
    tree.row("0.1.4").click()
    tree.settle()
    assert tree.selected() == "0.1.4"
    assert "Paper 4 says yes." in tree.detail.inner_text()
    tree.row("0.1.1+").dblclick()
    tree.settle()
    assert "0.1.4" not in tree.rows()
    before = tree.page.locator(".rlm-stage").bounding_box()
    bar = tree.page.locator(".rlm-splitter").bounding_box()
    assert before and bar
    tree.page.mouse.move(bar["x"] + 2, bar["y"] + 40)
    tree.page.mouse.down()
    tree.page.mouse.move(bar["x"] - 150, bar["y"] + 40)
    tree.page.mouse.up()
    after = tree.page.locator(".rlm-stage").bounding_box()
    assert after and after["width"] < before["width"] - 100


def test_search(tree: TreePage) -> None:
    tree.focus()
    tree.press("/")
    tree.page.keyboard.type("says yes")
    tree.settle()
    assert tree.rows() == ["0", "0@1", "0.1.1+", "0.1.1", "0.1.2", "0.1.4"]
    expect(tree.page.locator(".rlm-count")).to_have_text("3 of 11")
    tree.press("Enter")
    assert tree.selected() == "0.1.1"
    tree.press("Enter")
    assert tree.selected() == "0.1.2"
    tree.press("Shift+Enter", "Shift+Enter")
    assert tree.selected() == "0.1.4"
    tree.press("ArrowDown", "n")
    assert tree.selected() == "0.1.1"
    tree.press("Shift+N")
    assert tree.selected() == "0.1.4"
    tree.press("/", "Escape")
    assert "0@3" in tree.rows()
    assert tree.selected() == "0.1.4"

    tree.page.locator(".rlm-search").fill("tokens>lots")
    expect(tree.page.locator(".rlm-count")).to_have_text("tokens>lots needs a number")
    tree.page.locator(".rlm-search").fill("kind:llm depth:2")
    tree.settle()
    assert tree.rows() == ["0", "0@2", "0.2.1", "0.2.1@1", "0.2.1.1.1"]


def test_quick_searches(tree: TreePage) -> None:
    errors = tree.page.get_by_role("button", name="Errors (2)")
    errors.click()
    tree.settle()
    assert tree.rows() == ["0", "0@1", "0.1.1+", "0.1.3", "0@2"]
    assert errors.get_attribute("aria-pressed") == "true"
    errors.click()
    tree.settle()
    assert "0@3" in tree.rows()
    tree.page.get_by_role("button", name="Costliest").click()
    expect(tree.page.locator(".rlm-search")).to_have_value("costliest:10")
    tree.settle()
    assert "0.1.3" not in tree.rows()
    tree.page.get_by_role("button", name="Slowest").click()
    tree.settle()
    assert "0.2.1" in tree.rows()


def test_three_lenses_on_one_selection(tree: TreePage) -> None:
    tree.focus()
    tree.press("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown")
    assert tree.selected() == "0.2.1"
    for name in ("Timeline", "Table"):
        tree.page.get_by_role("tab", name=name).click()
        tree.settle()
        assert "0.2.1" in tree.active()
    tree.press("ArrowRight")
    assert tree.page.get_by_role("tab", name="Tree").get_attribute("aria-selected") == "true"
    tree.focus()
    tree.press("3")
    tree.page.locator(".rlm-stage [tabindex='0']").first.focus()
    tree.press("Home")
    tree.press("1")
    assert tree.selected() == "0"
    tree.page.locator(".rlm-search").fill("kind:rlm")
    tree.page.get_by_role("tab", name="Table").click()
    tree.settle()
    shown = tree.grid.inner_text()
    assert "Check paper 1" in shown
    assert "Sum up paper 1" not in shown


def test_the_timeline_is_zoomed_by_mouse_and_by_keyboard(tree: TreePage) -> None:
    tree.page.get_by_role("tab", name="Timeline").click()
    tree.settle()
    told = tree.page.locator(".rlm-tl-zoomed")
    assert not told.is_visible()
    strip = tree.page.locator(".rlm-tl-brush").bounding_box()
    assert strip
    middle = strip["y"] + strip["height"] / 2
    tree.page.mouse.move(strip["x"] + strip["width"] * 0.3, middle)
    tree.page.mouse.down()
    tree.page.mouse.move(strip["x"] + strip["width"] * 0.6, middle, steps=4)
    tree.page.mouse.up()
    tree.settle()
    expect(told).to_contain_text("Zoomed: ")
    start, end = tree.page.get_by_role("slider").all()
    zoomed = float(start.get_attribute("aria-valuenow") or 0)
    assert zoomed > 0.3
    start.focus()
    tree.press("ArrowRight")
    assert float(start.get_attribute("aria-valuenow") or 0) > zoomed
    tree.press("Home")
    assert float(start.get_attribute("aria-valuenow") or 1) == 0
    assert float(end.get_attribute("aria-valuenow") or 0) < 3
    tree.press("Escape")
    expect(told).to_be_hidden()

    tree.page.locator(".rlm-tl-rows").focus()
    tree.press("Home", "ArrowDown")
    assert "4 × llm" in tree.active()
    tree.press("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown")
    assert "0.1.3" in tree.active()
    assert "failed" in tree.active()
    tree.press("Enter")
    expect(tree.detail).to_contain_text("500 after 3 retries")


def test_the_table_is_sorted_by_mouse_and_by_keyboard(tree: TreePage) -> None:
    tree.page.get_by_role("tab", name="Table").click()
    tree.settle()

    def ids() -> list[str]:
        rows = tree.page.locator(".rlm-tb-row[data-key]")
        found = [(row.bounding_box() or {"y": 0})["y"] for row in rows.all()]
        keys = [row.get_attribute("data-key") or "" for row in rows.all()]
        return [key for _, key in sorted(zip(found, keys, strict=True))]

    usual = ["0", "0.1.1", "0.1.2", "0.1.3", "0.1.4", "0.2.1", "0.2.1.1.1"]
    assert ids() == usual
    cost = tree.page.get_by_role("columnheader", name="Cost")
    cost.get_by_role("button").click()
    tree.settle()
    assert cost.get_attribute("aria-sort") == "descending"
    assert ids()[0] == "0"
    assert ids()[-1] == "0.1.3"  # it cost nothing that is known
    assert "–" in tree.page.locator('.rlm-tb-row[data-key="0.1.3"]').inner_text()
    tree.press("Enter")
    assert cost.get_attribute("aria-sort") == "ascending"
    assert ids()[-1] == "0.1.3"
    tree.press("ArrowRight", "Space")
    start = tree.page.get_by_role("columnheader", name="Start")
    assert start.get_attribute("aria-sort") == "descending"
    assert ids()[0] == "0.2.1.1.1"
    tree.press("Space", "Space")
    assert ids() == usual
    tree.page.locator(".rlm-tb-rows").focus()
    tree.press("End")
    assert "0.2.1.1.1" in tree.active()


def test_the_menu_by_keyboard(tree: TreePage) -> None:
    more = tree.page.get_by_role("button", name="More")
    more.focus()
    tree.press("ArrowDown", "End", "ArrowDown")
    assert more.get_attribute("aria-expanded") == "true"
    first = tree.page.get_by_role("menuitem").first
    assert first.evaluate("item => item === document.activeElement")
    tree.press("Escape")
    assert more.evaluate("button => button === document.activeElement")
    assert more.get_attribute("aria-expanded") == "false"
    tree.press("Enter", "End", "ArrowUp")
    with tree.page.expect_download() as download:
        tree.page.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith(".rlm.jsonl")


def test_what_is_shown_is_copied(tree: TreePage) -> None:
    tree.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tree.page.locator(".rlm-answer").get_by_role("button", name="Copy").click()
    expect(tree.page.locator(".rlm-answer")).to_contain_text("Copied")
    assert tree.page.evaluate("() => navigator.clipboard.readText()") == "1 and 3"
    tree.row("0.2.1").click()
    tree.press("ArrowRight", "ArrowRight")
    tree.detail.get_by_role("button", name="Copy as code").click()
    expect(tree.detail).to_contain_text("Copied")
    code = tree.page.evaluate("() => navigator.clipboard.readText()")
    assert "Check paper 1" in code
    compile(code, "copied", "exec")


def test_every_step_shows_what_the_model_saw_and_did(tree: TreePage) -> None:
    tree.row("0@1").click()
    for tab, told in {
        "Prompt": SYSTEM,
        "Reply": "I look first.",
        "Code": "llm_query_batched",
        "Output": "characters left out",
        "Variables": "parts",
        "Usage": "1,200",
        "Raw": '"model_replied"',
    }.items():
        tree.detail.get_by_role("tab", name=tab).click()
        expect(tree.detail).to_contain_text(told)
    tree.detail.get_by_role("tab", name="Output").click()
    assert tree.detail.locator("table tbody").inner_text().split() == ["1", "yes", "2", "no"]
    picture = tree.detail.locator("img")
    assert picture.evaluate("img => img.complete && img.naturalWidth") == 1
    assert picture.get_attribute("alt")
    tree.detail.get_by_role("tab", name="Code").click()
    expect(tree.detail.locator("[class*=tok-]").nth(3)).to_be_visible()
    tree.row("0@2").click()
    expect(tree.detail).to_contain_text("fund")


def test_the_detail_by_keyboard(tree: TreePage) -> None:
    tree.focus()
    tree.press("ArrowDown", "Enter")
    assert tree.detail.evaluate("pane => pane.contains(document.activeElement)")
    tree.press("Escape")
    assert tree.page.evaluate("() => document.activeElement.getAttribute('role')") == "treegrid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(show: Show, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    tree = show(whole_story())
    assert tree.faults() == []
    tree.row("0@1").click()
    for tab in ("Prompt", "Reply", "Code", "Output", "Variables", "Usage", "Raw"):
        tree.detail.get_by_role("tab", name=tab).click()
        tree.settle()
        assert tree.faults() == []
    for lens in ("Timeline", "Table"):
        tree.page.get_by_role("tab", name=lens).click()
        tree.settle()
        assert tree.faults() == []


def test_ten_thousand_calls_in_under_two_thousand_elements(show: Show) -> None:
    tree = show(wide(10_000, batched=True))
    tree.focus()
    tree.press("End", "ArrowRight", "End")
    assert tree.selected() == "0.1.10000"
    assert "Sum up 10000" in tree.row("0.1.10000").inner_text()
    for lens in ("Timeline", "Table", "Tree"):
        tree.page.get_by_role("tab", name=lens).click()
        tree.settle()
        assert tree.page.locator(".rlm-run *").count() < 2000


HOSTILE = (
    "<script>window.__pwned = 1</script>",
    "<img src=x onerror='window.__pwned = 2'>",
    "<svg onload='window.__pwned = 3'></svg>",
    "<iframe srcdoc='<script>parent.__pwned = 5</script>'></iframe>",
    "</script></noscript><script>window.__pwned = 6</script><!--",
    "[look](javascript:window.__pwned=7) ![x](http://stranger.invalid/y.png)",
    "\x1b[31mred\x1b[0m \x1b]8;;http://stranger.invalid\x07link",
    "abc\u202egnp.exe \u200b\u2066hidden\u2069 \U000e0041",
    "lone \ud800 surrogate \u2028 line",
    "{{7*7}} ${alert(1)} %1 %2",
)


def hostile_story(bad: str) -> Trace:
    """A run in which every text a stranger can choose is `bad`."""
    card = ContextCard(name=bad, type=bad, schema=bad, preview=bad, hash=bad)
    story = Story(bad, context=card, settings={bad: bad, "model": bad})
    story.root()
    story.ask("0", 1, bad, bad)
    story.reply("0", 1, bad, reasoning=bad, model=bad, finish_reason=bad)
    story.llm("0.1.1", bad, site=Site(block=1, line=1, code=bad))
    story.reply("0.1.1", 1, bad, model=bad)
    story.finish("0.1.1", how=bad)
    error = ErrorInfo(type=bad, message=bad, traceback=bad)
    story.code(
        "0",
        1,
        bad,
        stdout=bad,
        stderr=bad,
        shown=bad,
        error=error,
        variables=VariableChanges(
            added=(Variable(name=bad, type=bad, size=bad, preview=bad),), removed=(bad,)
        ),
        outputs=(
            RichOutput(data={"text/html": bad}),
            RichOutput(data={"image/png": f'x" onerror="{bad}'}),
            RichOutput(data={"image/svg+xml": "<svg onload='window.__pwned = 8'/>"}),
            RichOutput(data={"application/vnd.rlm.table+json": bad}),
        ),
    )
    story.finish("0", "failed", answer=bad, error=error)
    trace = story.end("failed", answer=bad, error=error)
    trace.path, trace.warning = Path(HOSTILE[1].replace("/", "")), bad
    return trace


def test_hostile_texts_stay_texts(show: Show, page: Page) -> None:
    tree = show(hostile_story("\n".join(HOSTILE)))
    for key in ("0", "0@1", "0.1.1"):
        tree.row(key).click()
        tree.settle()
        for tab in tree.detail.get_by_role("tab").all():
            tab.click()
            tree.settle()
            found = page.locator(".rlm-run").locator("script, svg, a, iframe, link, style, object, img")
            assert found.count() == 0
    for lens in ("Timeline", "Table"):
        tree.page.get_by_role("tab", name=lens).click()
        tree.settle()
    assert page.evaluate("() => window.__pwned") is None
    assert tree.complaints == []
    assert [url for url in tree.asked if not url.startswith("file:")] == []
    shown = page.locator(".rlm-run").inner_text()
    assert not {"\u202e", "\u200b", "\u2066"} & set(shown)


def test_a_line_of_ten_megabytes_does_no_harm(show: Show) -> None:
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, "x" * 10_000_000)
    story.reply("0", 1, "y" * 10_000_000)
    tree = show(story.end(answer="z" * 10_000_000))
    tree.row("0@1").click()
    tree.detail.get_by_role("tab", name="Reply").click()
    expect(tree.detail).to_contain_text("10,000,000")
    assert tree.page.locator(".rlm-run").evaluate("run => run.textContent.length") < 200_000
