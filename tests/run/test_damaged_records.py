"""A trace may be damaged, or a stranger's: whatever is made from it ends, with an answer or with an error of ours."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import CONTEXT, RACE, Program, World
from trace_strategies import EVENT, PLAN, RANDOM, Plan, told

from rlm_kernel import Run, ScriptedModel
from rlm_kernel.errors import RLMError
from rlm_kernel.trace import Event, Trace

EXAMPLES = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SAY = "```repl\nanswer['content'] = 'something'\nanswer['ready'] = True\n```"
WAYS: dict[str, Any] = {
    "replay": lambda run, given: run.replay(**given),
    "fork": lambda run, given: run.fork("0", **given),
    "fork at a turn": lambda run, given: run.fork("0.2", hint="look again", **given),
    "resume": lambda run, given: run.resume(**given),
    "rerun": lambda run, given: run.rerun("0.1.2", **given),
    "variables": lambda run, given: run["0.1"].variables(**given),
}


@cache
def events() -> tuple[Event, ...]:
    """Those of a run with threads, a batch, a child and a failure."""
    program = Program(
        (
            "out.extend(told(llm_query_batched(['alpha', 'broken', 'beta'])))\n"
            + RACE.format(prompts=["gamma", "gamma"]),
            "out.append(safe(rlm_query, 'child', context=out[:2]))",
        ),
        {"child": Program(("out.append(safe(llm_query, 'delta'))",))},
    )
    return tuple(World(program).run().trace.events)


def ends(found: list[Event], way: str) -> None:
    model = ScriptedModel(lambda request: SAY)
    run = Run(Trace(found)).answer_with(model)
    with suppress(RLMError):
        WAYS[way](run, {"context": CONTEXT, "other_context": True})


@pytest.mark.parametrize("way", WAYS)
@EXAMPLES
@given(data=st.data())
def test_events_that_are_missing_doubled_or_out_of_place(way: str, data: Any) -> None:
    found = list(events())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(1, len(found) - 1))
        match data.draw(st.sampled_from(["drop", "double", "move", "cut"])):
            case "drop":
                del found[at]
            case "double":
                found.insert(data.draw(st.integers(1, len(found))), found[at])
            case "move":
                found.insert(data.draw(st.integers(1, len(found) - 1)), found.pop(at))
            case "cut":
                del found[max(2, at) :]
        if len(found) < 3:
            break
    ends(found, way)


@pytest.mark.parametrize("way", WAYS)
@EXAMPLES
@given(plan=PLAN, random=RANDOM, strange=st.lists(EVENT, max_size=3))
def test_any_trace_that_can_be_read(way: str, plan: Plan, random: Random, strange: list[Event]) -> None:
    found = told(plan, random)
    for event in strange:
        found.insert(random.randint(1, len(found)), event)
    ends(found, way)
