"""Two runs side by side in a real browser, over a kernel made here: by mouse, by keyboard, wide, narrow, light and dark."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acting_page import ActingPage, build, opened
from lab_page import Lab
from paced import PAPERS, block, question
from playwright.sync_api import Browser, expect
from server import ChatServer
from trace_examples import SYSTEM, Story, fenced, used

from rlm_kernel.trace import Origin, Trace, to_dict

expect.set_options(timeout=10_000)
CODE = "sums = llm_query_batched([f'Sum up {p}' for p in context])\nprint(sums)"
NEW_CODE = "sums = llm_query_batched([f'Sum up in one line: {p}' for p in context])\nprint(sums)"
ORIGIN = Origin(
    kind="fork", run="papers-1", at="0.2", edit={"hint": "Be brief, and look at papers 7 and 8 too."}
)
FORK = "papers-1-fork"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("comparing"))


@pytest.fixture
def page(chromium: Browser, file: Path) -> Iterator[ActingPage]:
    """The page in a light theme."""
    with opened(chromium, file, "light", 1300) as acting:
        yield acting


def first() -> Trace:
    """A run of three turns; the second asks six sub-calls at once."""
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced("print(len(context))"), usage=used(900, 30, 0.002))
    story.code("0", 1, "print(len(context))", stdout="6\n")
    _asked(story, CODE, "Paper {} says that eight hours of sleep are enough for most people.", 6)
    story.ask("0", 3, "Block 1 printed six sums.")
    story.reply("0", 3, fenced("FINAL('Papers 1 and 3 disagree about sleep.')"))
    story.code("0", 3, "FINAL('Papers 1 and 3 disagree about sleep.')")
    story.finish("0", answer="Papers 1 and 3 disagree about sleep.", how="FINAL")
    return story.end(answer="Papers 1 and 3 disagree about sleep.")


def fork(*, ended: bool = True) -> Trace:
    """That run gone on from turn 2 with a hint: other sums, and two sub-calls more."""
    story = Story(run_id=FORK, origin=ORIGIN)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.again("0", 1, fenced("print(len(context))"))
    story.code("0", 1, "print(len(context))", stdout="6\n")
    _asked(story, NEW_CODE, "Paper {} says seven hours of sleep are enough.", 8)
    if not ended:
        return story.trace
    story.finish("0", answer="Papers 1 and 7 disagree about sleep.", how="FINAL")
    return story.end(answer="Papers 1 and 7 disagree about sleep.")


def _asked(story: Story, code: str, said: str, many: int) -> None:
    story.ask("0", 2, "Block 1 printed 6.")
    story.reply("0", 2, fenced(code), usage=used(1200, 60, 0.004))
    for number in range(1, many + 1):
        story.llm(f"0.2.{number}", f"Sum up paper {number}")
        story.reply(f"0.2.{number}", 1, said.format(number), usage=used(300, 20, 0.001))
        story.finish(f"0.2.{number}", how="reply")
    story.code("0", 2, code, stdout=f"{many} sums\n")


def picture(page: ActingPage, name: str) -> None:
    """Where RLM_SCREENSHOTS is set, for whoever wants to look."""
    folder = os.environ.get("RLM_SCREENSHOTS")
    if folder:
        page.page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_fork_is_compared_in_the_place_of_its_variants(page: ActingPage) -> None:
    page.saved(first())
    _variants(page)
    picture(page, "compare-variants")
    page.panel.get_by_role("button", name="Compare").click()
    expect(page.panel.locator(".rlm-compare-runs")).to_contain_text(FORK)
    expect(page.panel.locator(".rlm-compare-steps")).to_contain_text("only right")
    assert page.faults() == []
    picture(page, "compare-pane")
    page.panel.get_by_role("button", name="Insert cell").click()
    assert page.cells == [f"%rlm diff papers-1 {FORK}"]
    page.panel.get_by_role("button", name="All variants").click()
    expect(page.panel.locator(".rlm-variant")).to_have_count(1)


def test_it_opens_in_a_tab_where_there_are_tabs(page: ActingPage) -> None:
    page.saved(first(), abilities=("openCompare",))
    _variants(page)
    page.panel.get_by_role("button", name="Compare").click()
    assert page.page.evaluate("() => window.rlmActing.page.compared") == [f"papers-1 {FORK}"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 560])
def test_a_place_of_its_own_has_no_faults(chromium: Browser, file: Path, scheme: str, width: int) -> None:
    with opened(chromium, file, scheme, width) as page:
        _beside(page, fork())
        page.page.locator('[data-place="0.2"] .rlm-compare-open').click()
        page.page.locator('[data-place="0.2.1"] .rlm-compare-open').click()
        assert page.faults() == []
        picture(page, f"compare-{scheme}-{width}")
        page.page.get_by_role("button", name="Side by side").click()
        page.page.get_by_role("button", name="Only what differs").click()
        assert page.faults() == []
        picture(page, f"compare-sides-{scheme}-{width}")
        page.page.locator(".rlm-compare-steps > tbody").last.scroll_into_view_if_needed()
        picture(page, f"compare-end-{scheme}-{width}")
        lefts = page.page.evaluate(
            "() => [...document.querySelectorAll('[data-place=\"0.2\"] .rlm-side')]"
            ".slice(0, 2).map(each => Math.round(each.getBoundingClientRect().left))"
        )
        assert (lefts[0] < lefts[1]) == (width == 1300)
        assert page.page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def test_a_run_that_goes_on_is_followed_by_keyboard(page: ActingPage) -> None:
    part = fork(ended=False)
    _beside(page, part, goes_on=True)
    expect(page.page.locator(".rlm-compare-runs")).to_contain_text("○ running")
    page.page.locator('[data-place="0.2"] .rlm-compare-open').focus()
    page.press("Enter")
    expect(page.page.locator('[data-place="0.2"] .rlm-compare-changes')).to_be_visible()
    picture(page, "compare-live")
    page.more(fork(), len(part.events), run=FORK, goes_on=False)
    expect(page.page.locator(".rlm-compare-runs")).not_to_contain_text("running")
    expect(page.page.locator('[data-place="0.2"] .rlm-compare-changes')).to_be_visible()
    assert page.focused() == "0.2 turn"
    expect(page.page.locator(".rlm-compare-text").first).to_contain_text("removed: 3added: 7")


def _model(body: dict[str, Any]) -> str:
    """Rates papers; told a hint, it says so."""
    if body["messages"][0]["role"] != "system":
        return f"{body['messages'][-1]['content'].split()[-1]} is fine"
    if sum(message["role"] == "assistant" for message in body["messages"]) == 0:
        return block("found = llm_query_batched([f'Rate {paper}' for paper in context])", "print(found)")
    hinted = "A hint from the user" in body["messages"][-1]["content"]
    return block(f"FINAL('{'hinted' if hinted else 'fine'}')")


def test_in_jupyterlab_it_is_a_tab_over_a_real_kernel(lab: Lab) -> None:
    with ChatServer(_model) as server:
        notebook = lab.open(lab.write("compare.ipynb", PAPERS, question(server.url)))
        notebook.run(0, 1)
        view = notebook.run_view(1)
        row = view.locator('.rlm-row[data-key="0@2"]')
        row.click()
        row.press("Enter")
        view.locator("[data-action=fork]").click()
        form = view.locator(".rlm-form:visible")
        form.get_by_label("Hint").first.check()
        form.locator("textarea:visible").fill("How many are they?")
        form.get_by_role("button", name="Run it").click()
        expect(view.locator(".rlm-variant")).to_contain_text("hinted")
        view.locator(".rlm-variant").get_by_role("button", name="Compare").click()
        tab = lab.page.locator(".rlm-compare")
        expect(tab.locator('[data-place="0.2"]')).to_contain_text("code changed")
        expect(tab.locator(".rlm-compare-runs")).to_contain_text("5 replayed")
        tab.locator('[data-place="0.2"] .rlm-compare-open').click()
        lab.shot("compare-tab")
        tab.get_by_role("button", name="Insert cell").click()
        lab.command("application:close")
        assert any("%rlm diff " in str(cell["source"]) for cell in notebook.cells)
        notebook.run(2)
        expect(notebook.cell(2)).to_contain_text("Steps")
        lab.shot("compare-cell")
        view.locator(".rlm-variant").get_by_role("button", name="Open").click()
        lab.page.locator(".rlm-fill .rlm-origin").get_by_role("button", name="Compare").click()
        expect(lab.page.locator(".rlm-compare-runs")).to_contain_text("5 replayed")
        lab.command("application:close")
        lab.command("application:close")


def _variants(page: ActingPage) -> None:
    page.made(FORK, "fork", "0.2")
    page.select("0@2")
    page.page.get_by_role("tab", name="Variants").click()
    page.settle()
    page.more(fork(), 0, run=FORK, goes_on=False)


def _beside(page: ActingPage, right: Trace, *, goes_on: bool = False) -> None:
    page.saved(first())
    page.made(FORK, "fork", "0.2")
    page.page.evaluate(
        "events => window.rlmActing.beside(events, 'papers-1-fork')",
        [to_dict(event) for event in first().events],
    )
    page.more(right, 0, run=FORK, goes_on=goes_on)
