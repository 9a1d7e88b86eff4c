"""Traces on disk: written as things happen, read after any crash."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_examples import CARD, STORIES, SYSTEM, Story, fenced, nested, one_call, texts, unicode
from trace_strategies import EVENT, RUN_STARTED

from rlm_kernel.errors import TraceError, TraceVersionError
from rlm_kernel.trace import Event, RunStarted, Trace, TraceWriter, load, save

TORN = "the last line was cut off while it was written and is left out"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces")


def write(path: Path, events: list[Event]) -> Path:
    path.unlink(missing_ok=True)
    writer = TraceWriter(path)
    for event in events:
        writer.write(event)
    writer.close()
    return path


def is_not_a_start(event: Event) -> bool:
    return not isinstance(event, RunStarted)


@settings(deadline=None)
@given(start=RUN_STARTED, events=st.lists(EVENT.filter(is_not_a_start), max_size=4))
def test_what_is_appended_is_loaded(folder: Path, start: Event, events: list[Event]) -> None:
    told = [replace(event, seq=seq) for seq, event in enumerate([start, *events])]
    trace = load(write(folder / "any.rlm.jsonl", told))
    assert trace.events == told
    assert trace.warning == ""


@pytest.mark.parametrize("name", STORIES)
def test_a_told_story_is_loaded_as_it_was(name: str, tmp_path: Path) -> None:
    path = tmp_path / "story.rlm.jsonl"
    told = STORIES[name](path)
    trace = load(path)
    assert trace.events == told.events
    assert trace.path == path
    assert not trace.live


def test_each_event_is_one_line_of_ascii_json(tmp_path: Path) -> None:
    trace = one_call(tmp_path / "run.rlm.jsonl")
    lines = (tmp_path / "run.rlm.jsonl").read_text("ascii").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(len(trace.events)))


def test_a_large_text_is_stored_once_under_its_hash(tmp_path: Path) -> None:
    large = "x" * 5000
    path = tmp_path / "run.rlm.jsonl"
    story = Story(path=path)
    story.root()
    story.ask("0", 1, SYSTEM, large)
    story.code("0", 1, "print(context)", stdout=large)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    stored = [line for line in lines if line["type"] == "text"]
    assert stored == [{"type": "text", "hash": stored[0]["hash"], "text": large}]
    assert lines[-1]["stdout"] == lines[-1]["shown"] == {"$text": stored[0]["hash"]}
    assert path.read_text().count(large) == 1
    assert load(path).events == story.trace.events


def test_the_context_is_described_and_not_copied(tmp_path: Path) -> None:
    one_call(tmp_path / "run.rlm.jsonl")
    first = json.loads((tmp_path / "run.rlm.jsonl").read_text().splitlines()[0])
    assert first["context"] == {
        "name": "papers",
        "type": "list",
        "length": 3,
        "chars": 1200,
        "schema": "list of 3 str",
        "hash": "c0ffee",
    }
    assert CARD.preview == ""


def test_a_trace_grows_with_its_turns_and_not_with_their_square(tmp_path: Path) -> None:
    def size(turns: int) -> int:
        path = tmp_path / f"{turns}.rlm.jsonl"
        story = Story(path=path)
        story.root()
        story.ask("0", 1, SYSTEM, "Which?")
        for turn in range(1, turns + 1):
            story.reply("0", turn, fenced(f"print(context[{turn}])"))
            story.code("0", turn, f"print(context[{turn}])", stdout=f"paper {turn} " * 200)
            story.ask("0", turn + 1, f"Block 1 printed:\npaper {turn}")
        return path.stat().st_size

    assert size(200) < 2.1 * size(100)


def test_a_trace_truncated_anywhere_has_exactly_its_complete_events(tmp_path: Path) -> None:
    whole = tmp_path / "whole.rlm.jsonl"
    large = "論\u2028\ud83d" + "x" * 1022
    story = Story(path=whole)
    story.root()
    story.ask("0", 1, SYSTEM, large)
    story.code("0", 1, "print(context)", stdout=large)
    events = story.end(answer="1 und 3 — 第三").events
    content = whole.read_bytes()
    assert b'"type":"text"' in content
    path = tmp_path / "torn.rlm.jsonl"
    for size in range(len(content)):
        head = content[:size]
        path.write_bytes(head)
        complete = sum(b'"seq":' in line for line in head.split(b"\n")[:-1])
        if complete == 0:
            with pytest.raises(TraceError, match="is not a trace"):
                load(path)
            continue
        trace = load(path)
        assert trace.events == events[:complete]
        assert trace.warning == ("" if head.endswith(b"\n") else TORN)


def test_a_torn_character_is_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    one_call(path)
    with path.open("ab") as file:
        file.write('{"type":"text","text":"…'.encode()[:-1])
    assert load(path).warning == TORN


def test_what_a_crash_left_behind_can_be_saved_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    STORIES["cut-off"](path)
    torn = load(path)
    whole = load(save(torn, tmp_path / "saved.rlm.jsonl"))
    assert whole.events == torn.events
    assert (torn.warning, whole.warning) == (TORN, "")


@pytest.mark.parametrize(
    "line", [b"", b"no", b"[1]", b"7", b'{"type":"call_started"}', b'{"seq":', b"\xff\xfe"]
)
def test_a_bad_line_in_the_middle_is_left_out_and_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "run.rlm.jsonl"
    told = one_call(path)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:3], line, *lines[3:]]))
    trace = load(path)
    assert trace.events == told.events
    assert trace.warning == (
        "1 line cannot be read (4) and is left out: steps may be missing or look unfinished"
    )


@pytest.mark.parametrize(
    "line", [b"", b"no", b"[1]", b"7", b'{"type":"call_started"}', b'{"seq":', b"\xff\xfe"]
)
def test_what_does_not_begin_with_a_run_is_refused_with_its_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "run.rlm.jsonl"
    one_call(path)
    path.write_bytes(line + b"\n" + path.read_bytes())
    with pytest.raises(TraceError, match=r"run\.rlm\.jsonl, line 1 ") as caught:
        load(path)
    assert (caught.value.path, caught.value.line) == (path, 1)


def damaged(path: Path, *numbers: int) -> list[Event]:
    """The events of a run whose file is damaged in those lines, all of them."""
    told = nested(path)
    lines = path.read_bytes().split(b"\n")
    for number in numbers:
        lines[number - 1] = b"\x00" * len(lines[number - 1])
    path.write_bytes(b"\n".join(lines))
    return told.events


def test_a_damaged_line_takes_only_itself_away(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    events = damaged(path, 3, 7)
    trace = load(path)
    assert trace.events == [event for event in events if event.seq not in (2, 6)]
    assert trace.warning == (
        "2 lines cannot be read (3, 7) and are left out: steps may be missing or look unfinished"
    )
    assert (
        load(save(trace, tmp_path / "saved.rlm.jsonl")).warning == "2 events of the run are not in the file"
    )


def test_many_damaged_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    damaged(path, 2, 3, 4, 5, 6)
    assert load(path).warning.startswith("5 lines cannot be read (2, 3, 4, …) and are left out")


@pytest.mark.parametrize("tail", [b"\x00" * 4096, b"\x00" * 511 + b"\xff\x7fELF", b"\xde\xad{"])
def test_a_tail_of_nuls_or_garbage_costs_no_event_before_it(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "run.rlm.jsonl"
    told = one_call(path)
    with path.open("ab") as file:
        file.write(tail)
    trace = load(path)
    assert (trace.events, trace.warning) == (told.events, TORN)


def test_garbage_with_newlines_at_the_end_is_told_as_an_end(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    told = one_call(path)
    with path.open("ab") as file:
        file.write(b"\x00" * 100 + b"\n\xff\n\x01")
    trace = load(path)
    assert trace.events == told.events
    assert trace.warning == (
        f"{TORN}; the last 2 lines cannot be read, as after a power cut, and are left out"
    )


def test_a_line_that_somebody_took_out_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    told = one_call(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    trace = load(path)
    assert trace.events == [event for event in told.events if event.seq != 2]
    assert trace.warning == "1 event of the run is not in the file"


def test_events_out_of_order_are_told(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    one_call(path)
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, *reversed(rest)]))
    assert load(path).warning == "the events are not in the order in which they were recorded"


def test_a_file_with_two_runs_is_the_first_of_them_and_says_so(tmp_path: Path) -> None:
    path, other = tmp_path / "run.rlm.jsonl", tmp_path / "other.rlm.jsonl"
    told, second = one_call(path), unicode(other)
    path.write_bytes(path.read_bytes() + other.read_bytes())
    trace = load(path)
    assert trace.started == told.started
    assert len(trace.events) == len(told.events) + len(second.events) - 1
    assert "cannot be read" in trace.warning
    assert "not in the order" in trace.warning


def test_an_event_of_a_kind_to_come_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    told = one_call(path)
    lines = path.read_text().splitlines()
    lines[2] = '{"type":"call_renamed","seq":2,"name":"x"}'
    path.write_text("\n".join(lines) + "\n")
    trace = load(path)
    assert len(trace.events) == len(told.events) - 1
    assert trace.warning == "1 event of a kind that this version does not know is left out"


def test_a_newer_format_is_refused_with_the_next_move(tmp_path: Path) -> None:
    path = tmp_path / "new.rlm.jsonl"
    path.write_text('{"type":"run_started","format":2,"shape":"unheard of"}\n')
    with pytest.raises(TraceVersionError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path} has trace format 2; this rlm_kernel reads up to 1. Update it: pip install -U rlm-kernel"
    )


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"hello\n", b"{}\n", b'{"type":"text","hash":"a","text":"b"}\n']
)
def test_what_is_not_a_trace_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"notes\.txt"):
        load(path)


def test_no_file_there(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no trace at"):
        load(tmp_path / "none.rlm.jsonl")


def test_a_folder_is_not_a_trace(tmp_path: Path) -> None:
    with pytest.raises(TraceError):
        load(tmp_path)


@pytest.mark.parametrize("text", ["a\u2028b\u2029c\x85d", "half \ud83d", "\ud83d" * 2000, "\x00\x1b", "\r\n"])
def test_odd_characters_come_back(tmp_path: Path, text: str) -> None:
    story = Story(text, path=tmp_path / "run.rlm.jsonl")
    assert load(tmp_path / "run.rlm.jsonl").events == story.trace.events


def test_a_file_never_holds_what_json_has_no_word_for(tmp_path: Path) -> None:
    story = Story(settings={"temperature": float("nan")})
    writer = TraceWriter(tmp_path / "run.rlm.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.write(story.trace.events[0])
    writer.close()
    assert (tmp_path / "run.rlm.jsonl").read_bytes() == b""


def test_a_file_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "traces" / "run.rlm.jsonl"
    one_call(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_writer_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        TraceWriter(path)
    assert path.read_text() == "mine"


def test_save_replaces_a_file_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    path.write_text("older")
    trace = one_call()
    assert save(trace, path) == path
    assert load(path).events == trace.events
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_save_keeps_the_old_file_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    path.write_text("older")
    broken = Trace([*one_call().events, object()])  # type: ignore[list-item]
    with pytest.raises(KeyError):
        save(broken, path)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_trace_saved_twice_is_the_same_file(tmp_path: Path) -> None:
    first = save(unicode(), tmp_path / "first.rlm.jsonl")
    assert save(load(first), tmp_path / "second.rlm.jsonl").read_bytes() == first.read_bytes()


@pytest.mark.parametrize("key", ["$text", "$$text", "$"])
def test_data_with_a_key_like_a_reference_is_data(tmp_path: Path, key: str) -> None:
    story = Story(settings={key: "what the model's code called it"}, path=tmp_path / "run.rlm.jsonl")
    assert load(tmp_path / "run.rlm.jsonl").events == story.trace.events


def test_a_text_is_never_stored_in_an_event_and_beside_it(tmp_path: Path) -> None:
    save(unicode(), tmp_path / "run.rlm.jsonl")
    for line in (tmp_path / "run.rlm.jsonl").read_text().splitlines():
        data = json.loads(line)
        if data["type"] != "text":
            assert all(len(text) <= 1024 for text in texts(data))


def test_a_lazy_writer_has_written_all_when_it_is_closed(tmp_path: Path) -> None:
    trace = nested()
    eager, lazy = tmp_path / "eager.rlm.jsonl", tmp_path / "lazy.rlm.jsonl"
    writers = TraceWriter(eager), TraceWriter(lazy, lazy=True)
    for event in trace.events:
        for writer in writers:
            writer.write(event)
    assert lazy.stat().st_size == 0
    for writer in writers:
        writer.close()
    assert lazy.read_bytes() == eager.read_bytes()
