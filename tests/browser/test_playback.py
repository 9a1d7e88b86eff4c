"""A run that is played back: in a page of its own, and in a saved notebook without a kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from axe import faults
from lab_page import Lab
from playwright.sync_api import Browser, Locator, Page, expect
from trace_examples import SYSTEM, Story, fenced, used, wide
from tree_page import TreePage

from rlm_kernel.trace import Batch, Event, Recorder, Site, Trace
from rlm_kernel.views import mime_bundle

expect.set_options(timeout=15_000)
ASKS = 'parts = llm_query_batched([f"Sum up {p}" for p in context])'
ENDS = "answer['content'] = rlm_query('Is paper 3 right?')"
ANSWER = "Papers 1 and 3 disagree"


class Lesson(Story):
    """A story that takes as long as it says. `told` is the trace of it."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._seconds = 0.0
        super().__init__(settings={"max_calls": 50, "max_turns": 20, "max_depth": 2})

    def record(self, event: Event) -> None:
        self._times.append(self._seconds)
        super().record(event)

    def later(self, seconds: float) -> None:
        """What is told next is that much later."""
        self._seconds += seconds

    def told(self) -> Trace:
        readings = iter([0.0, *self._times])
        trace = Trace(live=True)
        recorder = Recorder(trace, None, clock=lambda: next(readings))
        for event in self.trace.events:
            recorder.record(event)
        return trace


def lesson() -> Trace:
    """A run to show a class: a batch of which the parts come back one by one, a child, and a model that thinks long."""
    story = Lesson()
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.later(1)
    story.reply("0", 1, f"I look first.\n{fenced(ASKS)}", usage=used(1200, 80, 0.01))
    for index in range(6):
        place = Batch(id="0.1.1", index=index, size=6)
        site = Site(block=1, line=1, code=ASKS)
        story.llm(f"0.1.{index + 1}", f"Sum up paper {index + 1}", batch=place, site=site)
    for number in (2, 1, 6, 4, 3, 5):
        story.later(0.5)
        story.reply(f"0.1.{number}", 1, f"Paper {number} says yes.", usage=used(300, 20, 0.001))
        story.finish(f"0.1.{number}", how="reply")
    story.code("0", 1, ASKS, stdout="6 parts\n", seconds=3)
    story.ask("0", 2, "Block 1 printed: 6 parts")
    story.later(600)
    story.reply("0", 2, f"One needs a closer look.\n{fenced(ENDS)}", usage=used(1500, 40, 0.01))
    story.rlm("0.2.1", "Is paper 3 right?", site=Site(block=1, line=1, code=ENDS))
    story.ask("0.2.1", 1, SYSTEM, "Is paper 3 right?")
    story.later(1)
    story.reply("0.2.1", 1, fenced("FINAL('no')"), usage=used(500, 20, 0.001))
    story.code("0.2.1", 1, "FINAL('no')")
    story.finish("0.2.1", answer="no", how="FINAL")
    story.code("0", 2, ENDS, seconds=1)
    story.finish("0", answer=ANSWER, how="answer")
    story.end(answer=ANSWER)
    return story.told()


class Lecture:
    """A run in a page of its own, on a clock that stands still until a test lets it go on."""

    def __init__(self, page: Page, trace: Trace, folder: Path) -> None:
        page.clock.install(time=0)
        self.page = page
        self.tree = TreePage(page, trace, folder)
        page.clock.pause_at(page.evaluate("() => Date.now()") / 1000 + 1)
        self.bar = page.get_by_role("group", name="Playback")
        self.slider = self.bar.get_by_role("slider")

    def wait(self, seconds: float) -> None:
        """So much time goes by in the page, and all is drawn."""
        self.page.clock.run_for(round(seconds * 1000))

    def begin(self) -> None:
        """By the menu, as somebody does who does not know the keys."""
        self.page.get_by_role("button", name="More").click()
        self.page.get_by_role("menuitem", name="Play it back").click()
        self.wait(0.1)

    def press(self, name: str) -> None:
        """A button of the bar."""
        self.bar.get_by_role("button", name=name, exact=True).click()
        self.wait(0.1)

    def key(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.wait(0.1)

    def step(self) -> str:
        """What the bar says of the step that is shown."""
        return self.bar.locator(".rlm-play-line").inner_text().replace("\n", " ")

    def status(self) -> str:
        return self.page.locator(".rlm-head .rlm-status").inner_text()

    def marks(self) -> str:
        """The signs of the calls of the batch."""
        return self.tree.row("0.1.1+").locator(".rlm-marks").inner_text()

    def shot(self, name: str) -> None:
        """A picture for people, where they want some."""
        folder = os.environ.get("RLM_SCREENSHOTS")
        if folder:
            self.page.screenshot(path=Path(folder) / f"playback-{name}.png")


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1200, "height": 700}, offline=True)
    yield context.new_page()
    context.close()


def test_it_plays_as_it_was(page: Page, tmp_path: Path) -> None:
    lecture = Lecture(page, lesson(), tmp_path)
    assert ANSWER in page.locator(".rlm-answer").inner_text()
    lecture.begin()

    assert "Playback" in page.locator(".rlm-head").inner_text()
    assert lecture.status() == "○ running"
    assert ANSWER not in page.locator(".rlm-run").inner_text()
    assert lecture.tree.rows() == ["0", "0@1"]
    assert "waiting for the model" in lecture.tree.row("0@1").inner_text()
    lecture.wait(1)
    assert lecture.marks() == "○○○○○○"
    lecture.wait(1.5)
    assert lecture.marks() == "✓✓○○○✓"
    assert lecture.step() == "Step 4 of 12 3 of 6 sub-calls back"
    lecture.shot("batch")

    # Ten minutes of waiting for a model are two seconds.
    lecture.wait(1.5)
    assert lecture.tree.rows()[-1] == "0@2"
    lecture.wait(1)
    assert 150 < float(lecture.bar.locator(".rlm-play-clock").inner_text().split(" min")[0]) * 60 < 450
    lecture.wait(1)
    assert lecture.tree.rows()[-1] == "0.2.1"
    assert lecture.tree.row("0.2.1").get_attribute("data-status") == "running"
    lecture.wait(2)

    assert lecture.status() == "✓ finished"
    assert ANSWER in page.locator(".rlm-answer").inner_text()
    assert "the answer is there" in lecture.step()
    assert lecture.bar.get_by_role("button", name="Play", exact=True).is_visible()
    lecture.shot("end")
    assert lecture.tree.complaints == []


def test_it_pauses_and_steps(page: Page, tmp_path: Path) -> None:
    lecture = Lecture(page, lesson(), tmp_path)
    lecture.begin()
    lecture.press("Pause")
    lecture.wait(60)
    assert lecture.step() == "Step 1 of 12 the run starts"

    lecture.press("One step forward")
    assert lecture.step() == "Step 2 of 12 turn 1: the model replied"
    lecture.press("One step forward")
    assert lecture.step() == "Step 3 of 12 6 sub-calls sent"
    lecture.press("One step forward")
    assert lecture.step() == "Step 4 of 12 6 sub-calls back"
    assert lecture.marks() == "✓✓✓✓✓✓"
    lecture.press("One step back")
    assert lecture.marks() == "○○○○○○"
    lecture.press("To the end")
    assert ANSWER in page.locator(".rlm-answer").inner_text()
    lecture.press("One step back")
    assert ANSWER not in page.locator(".rlm-answer").inner_text()
    assert lecture.status() == "○ running"
    lecture.press("To the start")
    assert lecture.tree.rows() == ["0", "0@1"]

    # What cannot be done any more says so, and keeps the keyboard.
    start = lecture.bar.get_by_role("button", name="To the start")
    assert start.get_attribute("aria-disabled") == "true"
    assert start.evaluate("button => button === document.activeElement")


def test_the_keyboard_is_enough(page: Page, tmp_path: Path) -> None:
    lecture = Lecture(page, lesson(), tmp_path)
    lecture.tree.focus()
    lecture.key("p")
    play = lecture.bar.get_by_role("button", name="Pause")
    assert play.evaluate("button => button === document.activeElement")
    lecture.key(" ")
    assert lecture.bar.get_by_role("button", name="Play", exact=True).is_visible()
    lecture.key("ArrowRight", "ArrowRight")
    assert lecture.step().startswith("Step 3 of 12")
    lecture.slider.focus()
    lecture.key("ArrowLeft")
    assert lecture.slider.get_attribute("aria-valuetext") == "1.0 s of 10 min 5 s, turn 1 of the root"
    lecture.key("End")
    assert lecture.slider.get_attribute("aria-valuetext") == "10 min 5 s of 10 min 5 s, turn 2 of the root"
    lecture.key("Home", " ")
    assert lecture.bar.get_by_role("button", name="Pause").is_visible()
    lecture.tree.focus()
    lecture.key("p")
    assert lecture.bar.get_by_role("button", name="Play", exact=True).is_visible()

    lecture.slider.focus()
    lecture.key("Escape")
    assert lecture.bar.count() == 0
    assert lecture.status() == "✓ finished"
    assert page.evaluate("() => document.activeElement.classList.contains('rlm-tree')")


def test_the_speed_and_the_slider_are_for_whoever_is_in_a_hurry(page: Page, tmp_path: Path) -> None:
    lecture = Lecture(page, lesson(), tmp_path)
    lecture.begin()
    lecture.bar.get_by_role("combobox", name="Speed").select_option("10×")
    lecture.wait(0.5)
    assert lecture.marks() == "✓✓✓✓✓✓"
    lecture.slider.evaluate(
        "slider => { slider.value = slider.max / 4; slider.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    lecture.press("Pause")
    assert "○" in lecture.marks()
    lecture.bar.get_by_role("combobox", name="Speed").select_option("a step a second")
    lecture.press("To the start")
    lecture.press("Play")
    lecture.wait(11)
    assert lecture.status() == "✓ finished"


def test_the_name_of_a_step_leads_to_it(page: Page, tmp_path: Path) -> None:
    lecture = Lecture(page, lesson(), tmp_path)
    lecture.begin()
    lecture.press("Pause")
    for says, selected in (
        ("turn 1: the model replied", "0@1"),
        ("6 sub-calls sent", "0.1.1+"),
        ("6 sub-calls back", "0.1.1+"),
        ("turn 1: block 1 ran", "0@1"),
        ("turn 2: the model replied", "0@2"),
        ("rlm 0.2.1 starts", "0.2.1"),
    ):
        lecture.press("One step forward")
        lecture.press(says)
        assert lecture.tree.selected() == selected


def test_what_is_open_and_selected_is_there_again(page: Page, tmp_path: Path) -> None:
    lecture = Lecture(page, lesson(), tmp_path)
    lecture.tree.row("0.1.1+").locator(".rlm-chevron").click()
    lecture.wait(0.1)
    lecture.tree.row("0.1.3").click()
    lecture.begin()
    lecture.press("Pause")
    assert "Nothing is selected" in lecture.tree.detail.inner_text()
    lecture.press("To the end")
    assert lecture.tree.selected() == "0.1.3"
    assert "Paper 3 says yes." in lecture.tree.detail.inner_text()
    lecture.press("Close the playback")
    assert lecture.tree.selected() == "0.1.3"
    assert "0.1.6" in lecture.tree.rows()


@pytest.mark.parametrize("lens", ["Tree", "Timeline", "Table"])
def test_every_lens_plays(page: Page, tmp_path: Path, lens: str) -> None:
    lecture = Lecture(page, lesson(), tmp_path)
    page.get_by_role("tab", name=lens, exact=True).click()
    lecture.begin()
    lecture.wait(3)
    assert page.locator(".rlm-stage [data-status=running]").count() > 0
    lecture.shot(lens.lower())
    lecture.wait(6)
    assert page.locator(".rlm-stage [data-status=running]").count() == 0
    assert lecture.tree.complaints == []


def test_it_has_no_faults_of_accessibility(page: Page, tmp_path: Path, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    lecture = Lecture(page, lesson(), tmp_path)
    lecture.begin()
    lecture.press("Pause")
    lecture.press("One step forward")
    lecture.press("One step forward")
    lecture.shot(scheme)
    # Who looks for faults waits too.
    page.clock.resume()
    assert lecture.tree.faults() == []
    lecture.bar.get_by_role("button", name="To the end").click()
    assert lecture.tree.faults() == []


def test_ten_thousand_calls_go_back_in_a_moment(page: Page, tmp_path: Path) -> None:
    lecture = Lecture(page, wide(10_000, batched=True), tmp_path)
    lecture.begin()
    lecture.press("To the end")
    lecture.press("One step back")
    lecture.press("One step back")
    assert "10,000 × llm" in lecture.tree.row("0.1.1+").inner_text()
    assert int(lecture.step().split(" of ")[1].split()[0]) < 20


def kept(lab: Lab, path: str, trace: Trace) -> str:
    """A notebook that nobody here has run, so that nobody trusts it."""
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "rlm", "display_name": "Python 3"}})
    output = nbformat.v4.new_output("display_data", mime_bundle(trace))
    notebook.cells = [nbformat.v4.new_code_cell("%%rlm papers\nWhat?", outputs=[output], execution_count=1)]
    lab.store(path, notebook)
    return path


def test_a_notebook_without_a_kernel_plays_it_back(lab: Lab) -> None:
    with lab.without_kernels() as other:
        notebook = other.open(kept(other, "lecture.ipynb", lesson()), kernel=False)
        notebook.show(0)
        view = notebook.run_view(0)
        assert not notebook.is_trusted(0)
        expect(view.locator(".rlm-answer")).to_contain_text(ANSWER)
        play_and_step(view)
        other.shot("playback-notebook")
        assert faults(other.page, ".rlm-run") == []
        view.get_by_role("button", name="To the end").click()
        expect(view.locator(".rlm-answer")).to_contain_text(ANSWER)
        view.get_by_role("button", name="Close the playback").click()
        expect(view.get_by_role("group", name="Playback")).to_have_count(0)
        expect(view.locator(".rlm-status")).to_contain_text("finished")


def play_and_step(view: Locator) -> None:
    view.locator(".rlm-tree").focus()
    view.locator(".rlm-tree").press("p")
    expect(view.locator(".rlm-head")).to_contain_text("Playback")
    expect(view.locator(".rlm-head .rlm-status")).to_contain_text("running")
    expect(view.locator(".rlm-answer")).not_to_contain_text(ANSWER)
    # The letters and the space bar are the run's here, and no commands of the notebook.
    expect(view.locator(".rlm-play-main")).to_be_focused()
    view.page.keyboard.press(" ")
    expect(view.get_by_role("button", name="Play", exact=True)).to_be_visible()
    view.get_by_role("button", name="To the start").click()
    line = view.locator(".rlm-play-line")
    for step in ("turn 1: the model replied", "6 sub-calls sent", "6 sub-calls back"):
        view.get_by_role("button", name="One step forward").click()
        expect(line).to_contain_text(step)
    view.get_by_role("button", name="One step back").click()
    expect(view.locator('[data-key="0.1.1+"] .rlm-marks')).to_have_text("○○○○○○")


def test_a_tab_of_its_own_plays_it_back(lab: Lab) -> None:
    with lab.without_kernels() as other:
        notebook = other.open(kept(other, "tab.ipynb", lesson()), kernel=False)
        notebook.show(0)
        notebook.run_view(0).get_by_role("button", name="More").click()
        other.page.get_by_role("menuitem", name="Open in a tab").click()
        tab = other.page.locator(".rlm-fill:visible")
        play_and_step(tab)
        other.shot("playback-tab")
        # Whoever looks at the notebook meanwhile sees the run as it ended.
        expect(other.page.locator(".jp-NotebookPanel .rlm-head .rlm-status")).to_contain_text("finished")
