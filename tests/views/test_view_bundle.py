"""What a notebook is given, and the trace as it is kept there."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from trace_examples import STORIES, SYSTEM, Story, batch, fenced, nested, one_call, wide
from trace_strategies import PLAN, RANDOM, Plan, told

from rlm_kernel.trace import (
    FORMAT,
    CallStarted,
    ModelReplied,
    RichOutput,
    Site,
    Trace,
    from_dict,
    load,
    to_dict,
)
from rlm_kernel.views import MIME, html_tree, live_bundle, mime_bundle, text_tree
from rlm_kernel.views.shortened import sendable, shortened
from rlm_kernel.views.snapshot import snapshot

LIMIT = 256 * 1024


def size(data: object) -> int:
    """Bytes as they stand in a notebook file."""
    return len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", STORIES)
def test_a_bundle_is_the_trace_html_and_text_and_no_widget(name: str) -> None:
    trace = STORIES[name](None)
    bundle = mime_bundle(trace)
    assert bundle == {MIME: snapshot(trace), "text/html": html_tree(trace), "text/plain": text_tree(trace)}
    assert list(bundle) == ["application/vnd.rlm.trace+json", "text/html", "text/plain"]
    assert json.loads(json.dumps(bundle, allow_nan=False)) == bundle


def test_a_live_bundle_is_the_trace_so_far_and_text_twice() -> None:
    story = Story("Is 1 < 2?")
    story.root()
    assert live_bundle(story.trace, 1.5) == {
        MIME: snapshot(story.trace),
        "text/html": (
            "<pre>Question  Is 1 &lt; 2?\nRun       ○ running · 1.5 s · isolation: worker\n0 rlm big  papers: list of 3 str</pre>"
        ),
        "text/plain": (
            "Question  Is 1 < 2?\nRun       ○ running · 1.5 s · isolation: worker\n0 rlm big  papers: list of 3 str"
        ),
    }


def test_a_live_bundle_stays_short() -> None:
    assert len(live_bundle(wide(5000, batched=False), 1.0)["text/plain"].splitlines()) <= 64


def test_nothing_yet() -> None:
    trace = Trace(live=True)
    assert live_bundle(trace, 0.0)["text/plain"] == "Run       ○ starting"
    assert mime_bundle(trace)[MIME]["events"] == []


def test_a_snapshot_of_a_small_run_is_all_of_it() -> None:
    trace = nested()
    assert snapshot(trace) == {
        "format": FORMAT,
        "run": "papers-1",
        "live": False,
        "events": [to_dict(event) for event in trace.events],
        "path": "",
        "warning": "",
        "cut_texts": 0,
        "omitted_calls": 0,
    }


def test_a_snapshot_says_where_the_whole_trace_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = one_call(tmp_path / ".rlm" / "run.rlm.jsonl")
    monkeypatch.chdir(tmp_path)
    assert snapshot(trace)["path"] == str(Path(".rlm") / "run.rlm.jsonl")
    monkeypatch.chdir(tmp_path / ".rlm")
    assert snapshot(trace)["path"] == "run.rlm.jsonl"


def test_a_bundle_does_not_tell_how_the_folders_of_its_author_are_named(tmp_path: Path) -> None:
    trace = one_call(tmp_path / "run.rlm.jsonl")
    assert tmp_path.name not in json.dumps(mime_bundle(trace))


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (None, ""),
        ("{here}/run.rlm.jsonl", "run.rlm.jsonl"),
        ("{here}/.rlm/run.rlm.jsonl", ".rlm/run.rlm.jsonl"),
        ("{here}-2/run.rlm.jsonl", "run.rlm.jsonl"),
        ("/home/me/run.rlm.jsonl", "run.rlm.jsonl"),
    ],
)
def test_the_place_of_a_trace_is_never_an_absolute_path(
    path: str | None, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trace = Trace()
    trace.path = Path(path.format(here=Path.cwd())) if path else None
    assert Path(trace.place) == Path(place)
    assert bool(trace.place) == bool(place)


def test_the_place_of_a_trace_opened_by_a_relative_path_is_that_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one_call(tmp_path / "traces" / "run.rlm.jsonl")
    assert Path(load(Path("traces") / "run.rlm.jsonl").place) == Path("traces") / "run.rlm.jsonl"


def test_a_trace_is_shown_when_the_working_folder_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Path:
        raise FileNotFoundError

    trace = one_call()
    trace.path = Path("/home/me/run.rlm.jsonl")
    monkeypatch.setattr(Path, "cwd", gone)
    assert mime_bundle(trace)[MIME]["path"] == "run.rlm.jsonl"


@settings(deadline=None, max_examples=50)
@given(plan=PLAN, random=RANDOM)
def test_a_snapshot_reads_back_to_the_same_events(plan: Plan, random: object) -> None:
    events = told(plan, random)  # type: ignore[arg-type]
    data = json.loads(json.dumps(snapshot(Trace(events))))
    wanted = [from_dict(sendable(to_dict(event))) for event in events]  # half a character is spelt out
    assert [from_dict(event) for event in data["events"]] == wanted


def test_half_a_character_is_spelt_out_because_no_message_can_carry_it() -> None:
    bundle = mime_bundle(STORIES["unicode"](None))
    json.dumps(bundle, ensure_ascii=False).encode("utf-8")
    assert bundle[MIME]["events"][-1]["answer"] == "1 und 3 — 第三 \\ud83d"


def test_a_snapshot_of_a_live_run_says_so_and_names_it_before_its_first_event() -> None:
    data = snapshot(Trace(live=True, run_id="papers-1"))
    assert (data["run"], data["live"], data["events"]) == ("papers-1", True, [])
    story = Story()
    assert snapshot(story.trace)["live"] is True
    assert snapshot(story.stop())["live"] is False


def test_an_event_says_how_many_of_its_texts_are_not_whole() -> None:
    story = Story()
    story.root()
    story.ask("0", 1, "x" * 300_000, "short", "y" * 300_000)
    data = snapshot(story.stop())
    assert [event.get("cut", 0) for event in data["events"]] == [0, 0, 2]
    assert data["cut_texts"] == 2


@pytest.mark.parametrize("kilobytes", [4, 16, 64, 256, 1024])
def test_a_bundle_keeps_to_its_kilobytes_of_json_and_half_of_html(kilobytes: int) -> None:
    bundle = mime_bundle(wide(2000, batched=True, text="z" * 200), inline_kb=kilobytes)
    assert size(bundle[MIME]) <= kilobytes * 1024
    assert len(bundle["text/html"]) <= max(kilobytes * 512, 4096)


def test_a_bundle_of_nothing_has_no_json_and_a_live_one_only_the_runs_name() -> None:
    trace = nested()
    assert list(mime_bundle(trace, inline_kb=0)) == ["text/html", "text/plain"]
    live = live_bundle(trace, 1.0, inline_kb=0)[MIME]
    assert (live["run"], live["events"], live["omitted_calls"]) == ("papers-1", [], 3)


@pytest.mark.parametrize("letter", ["x", '"', "\x00", "語", "🧪"], ids=ascii)
def test_huge_texts_are_shortened_and_counted(letter: str) -> None:
    huge = letter * 300_000
    story = Story()
    story.root()
    for turn in (1, 2, 3):
        story.ask("0", turn, huge)
        story.reply("0", turn, huge)
    data = snapshot(story.stop())
    assert size(data) <= LIMIT
    assert data["cut_texts"] == 6
    assert data["omitted_calls"] == 0
    assert "characters left out" in data["events"][-1]["text"]


@pytest.mark.parametrize("calls", [150, 3000])
def test_what_the_root_did_is_cut_last(calls: int) -> None:
    code, answer = "print(1)  # " + "c" * 1500, "a" * 1500
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, "Which?")
    story.reply("0", 1, fenced(code))
    for number in range(1, calls + 1):
        story.llm(f"0.1.{number}", "p" * 4000, site=Site(block=1, line=1, code="llm_query(p)"))
        story.reply(f"0.1.{number}", 1, "r" * 4000)
        story.finish(f"0.1.{number}")
    story.code("0", 1, code, stdout="o" * 500)
    story.finish("0", answer=answer, how="FINAL")
    data = snapshot(story.end(answer=answer))
    assert size(data) <= LIMIT
    root = [event for event in data["events"] if event.get("call_id", "0") == "0"]
    assert not any("cut" in event for event in root)
    assert root[-1]["answer"] == answer
    assert data["cut_texts"] > 200


def test_a_text_hardly_too_long_is_kept_whole() -> None:
    event = ModelReplied(
        call_id="0", turn=1, text="x" * 150, model="m", mode="live", seconds=0.1, request_hash="h"
    )
    assert shortened(event, text_chars=120, output_chars=120).cut == 0
    assert shortened(event, text_chars=80, output_chars=80).cut == 1


def test_a_figure_is_kept_whole_or_left_out_whole_and_counted() -> None:
    small, large = (RichOutput(data={"image/png": "iVBORw0K" * size}) for size in (1_000, 100_000))
    story = Story()
    story.root()
    story.code("0", 1, "draw()", outputs=(small, large))
    data = snapshot(story.stop())
    drawn = next(event for event in data["events"] if event["type"] == "code_executed")
    assert drawn["outputs"] == [{"data": small.data}]
    assert (data["cut_texts"], data["omitted_calls"]) == (1, 0)
    assert size(data) <= LIMIT


@pytest.mark.parametrize("calls", [1000, 5000])
@pytest.mark.parametrize("batched", [True, False])
def test_many_calls_are_left_out_and_counted(calls: int, batched: bool) -> None:
    trace = wide(calls, batched=batched)
    data = snapshot(trace)
    assert size(data) <= LIMIT
    kept = sum(event["type"] == "call_started" for event in data["events"])
    assert kept > 50
    assert data["omitted_calls"] == calls + 1 - kept
    assert (data["events"][0]["type"], data["events"][-1]["type"]) == ("run_started", "run_finished")


def test_a_snapshot_with_calls_left_out_is_still_a_tree() -> None:
    data = snapshot(wide(5000, batched=True))
    trace = Trace(event for event in map(from_dict, data["events"]) if event)
    ids = [event.call_id for event in trace.events if isinstance(event, CallStarted)]
    assert [call.id for call in trace.walk()] == ids
    assert trace.status == "finished"
    assert all(call.status == "finished" for call in trace.walk())


def test_a_long_run_of_one_call_fits() -> None:
    text = "論文を読んで要約する。" * 200
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, text)
    for turn in range(1, 101):
        story.reply("0", turn, fenced(text), reasoning=text)
        story.code("0", turn, text, stdout=text)
        story.ask("0", turn + 1, text)
    trace = story.end("exhausted", answer=text)
    data = snapshot(trace)
    assert size(data) <= LIMIT
    assert [data["events"][0]["type"], data["events"][-1]["type"]] == ["run_started", "run_finished"]


def test_a_snapshot_may_have_everything() -> None:
    trace = wide(3000, batched=True, text="z" * 5000)
    data = snapshot(trace, max_bytes=None)
    assert len(data["events"]) == len(trace.events)
    assert (data["cut_texts"], data["omitted_calls"]) == (0, 0)


def test_an_id_is_never_cut() -> None:
    data = snapshot(wide(5000, batched=True, text="z" * 200))
    ids = {event["call_id"] for event in data["events"] if "call_id" in event}
    assert all(len(call_id) < 10 for call_id in ids)


def test_the_fallbacks_of_a_bundle_tell_the_same_story() -> None:
    bundle = mime_bundle(batch())
    for view in ("text/html", "text/plain"):
        assert "4 finished, 1 failed" in bundle[view]
        assert "1 and 3" in bundle[view]
