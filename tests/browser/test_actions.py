"""Replay, rerun, fork, resume and held blocks by mouse and by keyboard in a real browser, over a kernel made here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from acting_page import ActingPage, build, opened
from playwright.sync_api import Browser, expect
from trace_examples import SYSTEM, Story, batch, cut_off, fenced, used

from rlm_kernel.trace import Divergence, Origin, Original, Trace, Usage

expect.set_options(timeout=10_000)
HELD = "for path in paths:\n    remove(path)"
OLD = "Paper 2 says that eight hours of sleep are enough."
NEW = "Paper 2 says that seven hours of sleep are enough."


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("acting"))


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(chromium: Browser, file: Path) -> Iterator[ActingPage]:
    """The page in a light theme."""
    with opened(chromium, file, "light", 1300) as acting:
        yield acting


def asked() -> Trace:
    """A run with a plain sub-call."""
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced("print(llm_query(context[1]))"))
    story.llm("0.1.1", "Sum up paper 2")
    story.reply("0.1.1", 1, OLD, usage=used(300, 20, 0.001))
    story.finish("0.1.1", how="reply")
    story.code("0", 1, "print(llm_query(context[1]))", stdout=OLD)
    story.finish("0", answer=OLD, how="FINAL")
    return story.end(answer=OLD)


def rerun(run: str) -> Trace:
    """That sub-call asked again."""
    original = Original(
        prompt="Sum up paper 2", model="small", answer=OLD, usage=used(300, 20, 0.001), seconds=0.2
    )
    origin = Origin(kind="rerun", run="papers-1", at="0.1.1", edit={"model": "big"}, original=original)
    story = Story("Sum up paper 2", run_id=run, origin=origin, context=None)
    story.llm("0", "Sum up paper 2")
    story.reply("0", 1, NEW, usage=used(320, 26, 0.004))
    story.finish("0", how="reply")
    return story.end(answer=NEW)


def held(more: bool = False) -> Trace:
    """A run of which a block waits for a person; with `more`, it has run and the next one waits."""
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced(HELD))
    story.hold("0", 1, HELD)
    if more:
        story.code("0", 1, "print(paths)", decision="edited")
        story.ask("0", 2, "Block 1 printed nothing.")
        story.reply("0", 2, fenced("x = 1"))
        story.hold("0", 2, "x = 1")
    return story.trace


def forked() -> Trace:
    """A fork whose first turn is replayed and differs."""
    story = Story(origin=Origin(kind="fork", run="papers-0", at="0.2", edit={"hint": "Look again."}))
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.again("0", 1, fenced("print(len(context))"))
    story.code(
        "0",
        1,
        "print(len(context))",
        stdout="4\n",
        divergences=(Divergence(what="output", recorded="3", found="4"),),
    )
    story.ask("0", 2, "Block 1 printed: 4")
    story.reply("0", 2, fenced('FINAL("2 and 4")'), mode="human", usage=Usage())
    story.code("0", 2, 'FINAL("2 and 4")')
    story.finish("0", answer="2 and 4", how="FINAL")
    return story.end(answer="2 and 4")


def test_a_call_is_asked_again_and_stands_beside_what_it_gave(page: ActingPage) -> None:
    page.saved(asked())
    page.select("0.1.1")
    page.act("rerun")
    expect(page.text).to_have_value("Sum up paper 2")
    page.form.get_by_label("Model").fill("big")
    page.form.get_by_role("button", name="Run it").click()
    assert page.heard[-1] == {
        "op": "derive",
        "run": "papers-1",
        "kind": "rerun",
        "at": "0.1.1",
        "edit": {"model": "big"},
    }
    page.reply(runs=["0-1-1-again"])
    expect(page.panel).to_contain_text("starting…")
    page.made("0-1-1-again", "rerun", "0.1.1")
    expect(page.panel).to_contain_text("○ running")
    page.more(rerun("0-1-1-again"), 0, run="0-1-1-again", goes_on=False)
    expect(page.panel.locator("del")).to_have_text("removed: eight")
    expect(page.panel.locator("ins")).to_have_text("added: seven")
    expect(page.panel).to_contain_text("346 tokens (+26) · $0.0040 (+$0.0030)")
    expect(page.panel).to_contain_text("Later steps of this run were not recomputed.")
    expect(page.row("0.1.1")).to_contain_text("1 variant")
    page.panel.get_by_role("button", name="Open").click()
    assert page.opened == ["0-1-1-again"]


def test_a_turn_is_forked_by_keyboard_alone(page: ActingPage) -> None:
    page.saved(batch())
    page.page.locator(".rlm-tree").focus()
    page.press("End", "Enter")
    expect(page.page.locator(".rlm-detail")).to_contain_text("turn 2")
    for _ in range(20):
        if page.focused() == "Fork…":
            break
        page.press("Shift+Tab")
    page.press("Enter")
    assert page.focused() == "Code"
    page.press("ArrowRight")
    assert page.focused() == "Hint"
    page.press("Tab")
    page.page.keyboard.type("Look at 2020.\nThen at 2021.")
    page.press("Control+Enter")
    edit = {"hint": "Look at 2020.\nThen at 2021."}
    assert page.heard[-1] == {"op": "derive", "run": "papers-1", "kind": "fork", "at": "0.2", "edit": edit}
    page.reply(error="turn 0.2 was not reached: the code did something else this time")
    expect(page.form.get_by_role("alert")).to_have_text(
        "turn 0.2 was not reached: the code did something else this time"
    )
    expect(page.text).to_have_value("Look at 2020.\nThen at 2021.")
    page.press("Escape")
    expect(page.form).to_have_count(0)
    assert page.focused() == "Fork…"


def test_the_same_as_a_cell(page: ActingPage) -> None:
    page.saved(batch(), kernel=False)
    page.select("0@2")
    page.act("fork")
    expect(page.form.get_by_role("button", name="Run it")).to_be_disabled()
    expect(page.form).to_contain_text("needs a kernel with rlm_kernel: run a cell, then %load_ext rlm_kernel")
    page.text.fill('FINAL("2")')
    page.form.get_by_role("button", name="Insert cell").click()
    page.form.get_by_role("radio", name="Hint").check()
    page.text.fill("Look at 2020.")
    page.form.get_by_role("button", name="Insert cell").click()
    assert page.cells == [
        '%%rlm fork papers-1 0.2 --code\nFINAL("2")',
        "%rlm fork papers-1 0.2 --hint 'Look at 2020.'",
    ]


def test_a_run_that_was_cut_off_goes_on(page: ActingPage) -> None:
    page.saved(cut_off())
    page.page.locator(".rlm-head").get_by_role("button", name="Resume…").click()
    page.form.get_by_label("Turns").fill("30")
    page.form.get_by_role("button", name="Run it").click()
    edit = {"limits": {"max_turns": 30}}
    assert page.heard[-1] == {"op": "derive", "run": "papers-1", "kind": "resume", "at": "", "edit": edit}
    page.reply(runs=["papers-2"])
    expect(page.page.get_by_role("tab", name="Runs made from this (1)")).to_have_attribute(
        "aria-selected", "true"
    )


def test_a_block_waits_for_its_person(page: ActingPage) -> None:
    page.live(held())
    bar = page.page.locator(".rlm-held-bar")
    expect(bar).to_contain_text("Block 1 of turn 1 waits for you")
    bar.get_by_role("button", name="Look at it").click()
    expect(page.text).to_have_value(HELD)
    expect(page.form.get_by_role("button", name="Run edited")).to_be_disabled()
    page.text.fill("print(paths)")
    page.press("Control+Enter")
    place = {"op": "decide", "run": "papers-1", "call": "0", "turn": 1, "block": 1}
    assert page.heard[-1] == {**place, "what": "edit", "code": "print(paths)"}
    page.reply(ok=True)
    expect(page.form.get_by_role("button", name="Skip")).to_be_disabled()
    page.more(held(more=True), 5)
    expect(bar).to_contain_text("Block 1 of turn 2 waits for you")
    expect(page.row("0@1")).to_contain_text("a person edited the code")
    expect(page.row("0@2")).to_contain_text("waiting for you")
    expect(page.text).to_have_value("x = 1")
    # One more press of Enter does not run what nobody has looked at.
    page.press("Enter")
    assert page.heard[-1]["turn"] == 1
    page.form.get_by_role("button", name="Skip").click()
    assert page.heard[-1] == {**place, "turn": 2, "what": "skip"}


@pytest.mark.parametrize("width", [1300, 600])
def test_nobody_is_left_out(chromium: Browser, file: Path, scheme: str, width: int) -> None:
    with opened(chromium, file, scheme, width) as page:
        page.saved(asked())
        page.select("0.1.1")
        page.act("rerun")
        assert page.faults() == []
        page.form.get_by_role("button", name="Run it").click()
        page.reply(runs=["0-1-1-again"])
        page.made("0-1-1-again", "rerun", "0.1.1")
        page.more(rerun("0-1-1-again"), 0, run="0-1-1-again", goes_on=False)
        expect(page.panel.locator("ins")).to_have_text("added: seven")
        assert page.faults() == []
        assert page.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    with opened(chromium, file, scheme, width) as page:
        page.saved(forked())
        page.select("0@1")
        page.page.get_by_role("tab", name="Output").click()
        expect(page.panel).to_contain_text("Differs from the record")
        page.act("fork")
        assert page.faults() == []
    with opened(chromium, file, scheme, width) as page:
        page.live(held())
        page.page.locator(".rlm-held-bar").get_by_role("button", name="Look at it").click()
        expect(page.text).to_have_value(HELD)
        assert page.faults() == []
