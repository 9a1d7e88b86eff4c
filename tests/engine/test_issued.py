"""Sub-calls of a recorded turn are found again by what they ask; who asks, and how often, tells equals apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rlm_kernel.engine.issued import Asked, Issued
from rlm_kernel.trace import (
    Batch,
    Call,
    CallFinished,
    CallStarted,
    Event,
    RunStarted,
    Site,
    Trace,
    Turn,
)


def recorded(*calls: tuple[str, str, int], ended: str = "") -> Turn:
    """Turn 1 of a root that issued those: prompt, lane, and the size of the batch that it begins (0: none,
    -1: it is part of one).

    The numbers of those that `ended` are in the order in which they did.
    """
    events: list[Event] = [
        RunStarted(run_id="r", query="q", started="", version="", mode="scripted", isolation="worker"),
        CallStarted(call_id="0", kind="rlm", depth=0, model="m", prompt="q"),
    ]
    for number, (prompt, lane, _) in enumerate(calls, 1):
        first = number
        while calls[first - 1][2] == -1:  # part of the batch that began before
            first -= 1
        size = calls[first - 1][2]
        batch = Batch(id=f"0.1.{first}", index=number - first, size=size) if size else None
        site = Site(block=1, line=1, lane=lane)
        events.append(
            CallStarted(
                call_id=f"0.1.{number}", kind="llm", depth=1, model="m", prompt=prompt, batch=batch, site=site
            )
        )
    events += [
        CallFinished(seq=100 + place, call_id=f"0.1.{number}", status="finished")
        for place, number in enumerate(ended)
    ]
    root = Trace(events).root
    assert root is not None
    return root.turn(1)


def ask(*prompts: str, lane: str = "", batched: bool = False, block: int = 1) -> Asked:
    """What the code asks for now."""
    fingerprints = tuple(("llm", "m", prompt, "") for prompt in prompts)
    return Asked(block=block, lane=lane, batched=batched, fingerprints=fingerprints)


def free(call: Call) -> bool:
    return True


def found(issued: Issued, asked: Asked) -> tuple[tuple[int, ...], list[str] | None]:
    """The numbers that it gets, and which recorded calls it is."""
    claim = issued.claim(asked, free)
    return claim.numbers, [call.id for call in claim.unit.calls] if claim.unit else None


def test_what_asks_the_same_is_found_and_keeps_its_name() -> None:
    issued = Issued(recorded(("a", "", 0), ("b", "", 0)))
    assert found(issued, ask("a")) == ((1,), ["0.1.1"])
    assert found(issued, ask("b")) == ((2,), ["0.1.2"])


def test_the_order_of_asking_does_not_matter() -> None:
    issued = Issued(recorded(("a", "1", 0), ("b", "2", 0)))
    assert found(issued, ask("b", lane="2")) == ((2,), ["0.1.2"])
    assert found(issued, ask("a", lane="1")) == ((1,), ["0.1.1"])


def test_equals_are_told_apart_by_who_asks() -> None:
    issued = Issued(recorded(("a", "1", 0), ("a", "2", 0)))
    assert found(issued, ask("a", lane="2")) == ((2,), ["0.1.2"])
    assert found(issued, ask("a", lane="1")) == ((1,), ["0.1.1"])


def test_equals_of_one_lane_come_in_their_order() -> None:
    issued = Issued(recorded(("a", "", 0), ("a", "", 0)))
    assert [found(issued, ask("a"))[1] for _ in range(3)] == [["0.1.1"], ["0.1.2"], None]


def test_another_lane_gets_what_is_left() -> None:
    issued = Issued(recorded(("a", "1", 0)))
    assert found(issued, ask("a", lane="7")) == ((1,), ["0.1.1"])


def test_a_batch_is_one_unit() -> None:
    issued = Issued(recorded(("a", "", 2), ("b", "", -1), ("a", "", 0)))
    assert found(issued, ask("a")) == ((3,), ["0.1.3"])
    assert found(issued, ask("a", "b", batched=True)) == ((1, 2), ["0.1.1", "0.1.2"])


def test_another_batch_is_not_a_part_of_it() -> None:
    issued = Issued(recorded(("a", "", 2), ("b", "", -1)))
    assert found(issued, ask("a", batched=True))[1] is None
    assert found(issued, ask("b", "a", batched=True))[1] is None


def test_a_changed_prompt_has_the_old_place_and_nothing_of_the_record() -> None:
    issued = Issued(recorded(("a", "", 0), ("b", "", 0)))
    assert found(issued, ask("other")) == ((1,), None)
    assert found(issued, ask("b")) == ((2,), ["0.1.2"])


def test_one_that_is_new_gets_a_new_number() -> None:
    issued = Issued(recorded(("a", "", 0)))
    assert found(issued, ask("a")) == ((1,), ["0.1.1"])
    assert found(issued, ask("more")) == ((2,), None)
    assert found(issued, ask("x", "y", batched=True)) == ((3, 4), None)


def test_no_number_is_given_twice() -> None:
    issued = Issued(recorded(("a", "", 0), ("b", "", 0), ("c", "", 0)))
    # The first place is taken by one that asks something else; then its own call comes.
    numbers = [found(issued, ask(prompt))[0] for prompt in ("z", "a", "b", "c", "b")]
    assert len({number for (number,) in numbers}) == 5


def test_a_call_that_is_taken_already_is_not_found() -> None:
    issued = Issued(recorded(("a", "", 0)))
    assert issued.claim(ask("a"), lambda call: False).unit is None


def test_a_batch_that_a_kernel_died_in_keeps_the_numbers_it_would_have_had() -> None:
    issued = Issued(recorded(("a", "", 3)))
    assert found(issued, ask("a", "b", "c", batched=True)) == ((1, 2, 3), None)
    assert found(issued, ask("d")) == ((4,), None)


def test_nothing_recorded_gives_numbers_from_one() -> None:
    issued = Issued(None)
    assert [found(issued, ask(prompt)) for prompt in "ab"] == [((1,), None), ((2,), None)]


@pytest.mark.parametrize(("lanes", "before"), [(("1", "2"), "b"), (("", ""), "")])
def test_threads_get_their_results_in_the_order_of_then(lanes: tuple[str, str], before: str) -> None:
    """Results that only one strand of the code waits for come in order anyway."""
    turn = recorded(("a", lanes[0], 0), ("b", lanes[1], 0), ended="21")
    unit = Issued(turn).claim(ask("a", lane=lanes[0]), free).unit
    assert unit is not None
    assert [call.prompt for call in (unit.before.calls if unit.before else ())] == list(before)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-5, 2), (9, 2**52), (2**40, 3)])
def test_a_damaged_batch_costs_nothing_but_its_place(index: int, size: int) -> None:
    turn = recorded(("a", "", 1))
    (call,) = turn.blocks[0].calls
    call.started = replace(call.started, batch=Batch(id="0.1.1", index=index, size=size))
    claim = Issued(turn).claim(ask("a", batched=True), free)
    assert len(claim.numbers) == 1
    assert claim.numbers[0] >= 1
    assert claim.unit is not None
