"""What the text and the page of a run say of its pauses."""

from __future__ import annotations

from trace_examples import OUT, Story, paused

from rlm_kernel.trace import RunContinued, RunPaused
from rlm_kernel.views import html_tree, text_tree
from rlm_kernel.views.pauses import pause_line


def waiting(**more: int) -> Story:
    story = Story()
    story.root()
    story.record(RunPaused(call_id="0", turn=1, error=OUT, retry_at=9.0, until=125.0, **more))
    return story


def test_a_paused_run_says_why_and_when_it_tries_again() -> None:
    story = waiting()
    assert pause_line(story.trace, 4.9) == (
        "❚❚ paused: http://localhost:8000 failed (503): busy · trying again in 4.1 s"
    )
    assert pause_line(story.trace, 9.5).endswith("busy · trying now")
    assert pause_line(story.trace).endswith("busy · trying again")
    assert "\nServer    ❚❚ paused: http" in text_tree(story.trace, now=5.0)
    assert "<p>❚❚ paused: http" in html_tree(story.trace)


def test_it_says_how_often_it_tried_in_vain() -> None:
    assert pause_line(waiting(tries=1).trace, 4.9).endswith("in 4.1 s, tried 1 time in vain")
    assert pause_line(waiting(tries=3).trace, 4.9).endswith("in 4.1 s, tried 3 times in vain")


def test_a_run_that_went_on_says_how_long_it_waited() -> None:
    assert pause_line(paused()) == "❚❚ 1 pause while the server was out, 0.20 s in all"
    story = waiting()
    story.record(RunContinued(seconds=4, call_id="0"))
    story.record(RunContinued(seconds=61))
    assert pause_line(story.trace) == "❚❚ 2 pauses while the server was out, 1 min 5 s in all"


def test_a_run_that_ended_in_a_pause_says_so() -> None:
    story = waiting()
    story.finish("0", "interrupted")
    assert pause_line(story.end("failed", error=OUT)) == (
        "❚❚ it ended in a pause: http://localhost:8000 failed (503): busy"
    )


def test_a_run_without_a_pause_says_nothing() -> None:
    story = Story()
    story.root()
    assert pause_line(story.trace) == ""
    assert "Server" not in text_tree(story.trace)
