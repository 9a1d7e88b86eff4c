"""Hypothesis strategies for traces: any event, and any run with its calls interleaved as threads would."""

from __future__ import annotations

import base64
import dataclasses
import json
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from trace_examples import used

from rlm_kernel.trace import (
    FORMAT,
    Batch,
    CallFinished,
    CallStarted,
    CodeExecuted,
    Event,
    Message,
    ModelAsked,
    ModelReplied,
    RichOutput,
    RunFinished,
    RunStarted,
    Site,
)
from rlm_kernel.trace.events import EVENT_TYPES


def _joined(text: str) -> str:
    # JSON cannot tell two surrogates that make a pair from the character they make.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


TEXT = st.text(st.characters(), max_size=30).map(_joined)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(-(2**53) + 1, 2**53 - 1)
KEY = TEXT.filter(lambda key: key != "$text")
JSON = st.recursive(
    st.none() | st.booleans() | COUNT | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3),
    max_leaves=6,
)


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that events are made of."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.none() | of(next(part for part in parts if part is not type(None)))
    if origin is tuple:
        return st.lists(of(parts[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(KEY, JSON if parts[1] is Any else of(parts[1]), max_size=3)
    if origin is Literal:
        return st.sampled_from(parts)
    if dataclasses.is_dataclass(hint):
        return made(hint)
    return {str: TEXT, int: COUNT, float: NUMBER, bool: st.booleans()}[hint]


def made(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a dataclass, every field filled or left at its default."""
    hints = get_type_hints(kind)
    required, optional = {}, {}
    for item in dataclasses.fields(kind):
        bare = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        (required if bare else optional)[item.name] = (
            st.just(FORMAT) if item.name == "format" else of(hints[item.name])
        )
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: kind(**fields))


EVENT = st.one_of([made(kind) for kind in EVENT_TYPES.values()])
RUN_STARTED = made(RunStarted)


@dataclass
class Plan:
    """A call and what it does: a list of turns, each a list of blocks, each a list of batches of calls."""

    kind: str
    text: str
    turns: list[list[list[list[Plan]]]] = field(default_factory=list)


def png(data: bytes, width: int = 2, height: int = 2) -> str:
    """What begins as a PNG image of that size does, in base64."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size + data).decode()


TABLE = "application/vnd.rlm.table+json"
BASE64 = st.binary(max_size=200).map(lambda data: base64.b64encode(data).decode())
JPEG = st.binary(max_size=200).map(lambda data: base64.b64encode(b"\xff\xd8\xff" + data).decode())
SLY = st.sampled_from(
    [
        "<script>alert(1)</script>",
        '" onerror="alert(1)',
        "javascript:alert(1)",
        "\u202e\u200b\x1b[31m",
        "</td></table><img src=x onerror=alert(1)>",
        "[" * 5000,
        '{"columns":["a"],"rows":[["b"]],"index":null,"total_rows":1e999,"total_columns":NaN}',
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A table that is sound."""
    cell = TEXT | SLY.filter(lambda text: len(text) <= 200)
    width, height = draw(st.integers(0, 12)), draw(st.integers(0, 25))
    columns = draw(st.lists(cell, min_size=width, max_size=width))
    row = draw(st.lists(cell, min_size=width, max_size=width))
    index = draw(st.none() | st.just(["i"] * height))
    rows = {"columns": columns, "rows": [row] * height, "index": index}
    more = draw(st.integers(0, 20_000))
    return json.dumps({**rows, "total_rows": height + more, "total_columns": width + more})


def _damaged(text: str, at: float, sly: str) -> str:
    place = int(at * len(text))
    return text[:place] + sly + text[place + 1 :]


PNGS = st.builds(png, st.binary(max_size=200) | st.just(b"\0" * 20_000))
SOUND = st.one_of(
    st.tuples(st.just("image/png"), PNGS),
    st.tuples(st.just("image/jpeg"), JPEG),
    st.tuples(st.just(TABLE), tables()),
)
HOSTILE = st.tuples(
    st.sampled_from(["image/png", "image/jpeg", "image/svg+xml", "text/html", TABLE, ""]) | SLY | TEXT,
    SLY
    | TEXT
    | BASE64
    | JSON.map(json.dumps)
    | st.builds(_damaged, PNGS | tables(), st.floats(0, 0.999), SLY),
)
OUTPUT = st.lists(SOUND | HOSTILE, max_size=2).map(lambda pairs: RichOutput(data=dict(pairs)))
"""A rich output, sound or not."""


def _rlm(inner: st.SearchStrategy[Plan]) -> st.SearchStrategy[Plan]:
    batches = st.lists(inner, min_size=1, max_size=3)
    blocks = st.lists(batches, max_size=2)
    turns = st.lists(blocks, max_size=2)
    return st.builds(Plan, st.just("rlm"), TEXT, st.lists(turns, max_size=2))


PLAN = _rlm(st.recursive(st.builds(Plan, st.just("llm"), TEXT), _rlm, max_leaves=8))
RANDOM = st.randoms(use_true_random=False)


def told(plan: Plan, random: Random, outputs: Sequence[RichOutput] = ()) -> list[Event]:
    """The events of a run of that plan, the calls of a batch interleaved by chance, and these outputs in every
    block."""
    start = RunStarted(
        run_id="r", query=plan.text, started="", version="", mode="scripted", isolation="worker"
    )
    events = [start, *_call(plan, "0", {}, random), RunFinished(status="finished", answer=plan.text)]
    return [
        dataclasses.replace(event, outputs=tuple(outputs)) if isinstance(event, CodeExecuted) else event
        for event in events
    ]


def _call(plan: Plan, call_id: str, place: dict[str, Any], random: Random) -> list[Event]:
    depth = call_id.count(".") // 2
    events: list[Event] = [
        CallStarted(call_id=call_id, kind=plan.kind, depth=depth, model="m", prompt=plan.text, **place)  # type: ignore[arg-type]
    ]
    if plan.kind == "llm":
        events.append(_reply(plan, call_id, 1))
    for turn, blocks in enumerate(plan.turns, 1):
        asked = (Message(role="user", content=f"{call_id} {turn}"),)
        events += [ModelAsked(call_id=call_id, turn=turn, messages=asked), _reply(plan, call_id, turn)]
        issued = 0
        for block, batches in enumerate(blocks, 1):
            for calls in batches:
                events += _batch(calls, f"{call_id}.{turn}", issued, block, random)
                issued += len(calls)
            events.append(CodeExecuted(call_id=call_id, turn=turn, block=block, code=plan.text))
    answer = plan.text if plan.kind == "rlm" else None
    return [*events, CallFinished(call_id=call_id, status="finished", answer=answer)]


def _batch(calls: list[Plan], base: str, issued: int, block: int, random: Random) -> list[Event]:
    lists = []
    for index, call in enumerate(calls):
        place: dict[str, Any] = {"site": Site(block=block, line=1)}
        if len(calls) > 1:
            place["batch"] = Batch(id=f"{base}.{issued + 1}", index=index, size=len(calls))
        lists.append(_call(call, f"{base}.{issued + index + 1}", place, random))
    out = []
    while lists := [events for events in lists if events]:
        out.append(random.choice(lists).pop(0))
    return out


def _reply(plan: Plan, call_id: str, turn: int) -> ModelReplied:
    return ModelReplied(
        call_id=call_id,
        turn=turn,
        text=plan.text,
        model="m",
        mode="scripted",
        seconds=0.1,
        request_hash="",
        usage=used(),
    )
