"""What must hold of every program: replay is exact and free, a fork pays for what depends on it, resume pays once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import CONTEXT, Program, World, divergences, programs, story

from rlm_kernel import Run
from rlm_kernel.trace import Call, ModelReplied, Trace

EXAMPLES = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def derived(run: Run, world: World) -> Run:
    """The run, with that world to answer from where it goes another way."""
    copy = Run(Trace(run.trace.events))
    return copy.answer_with(world.model).look_up_context(lambda: CONTEXT)


@EXAMPLES
@given(program=programs(), chance=st.integers(0, 99))
def test_a_replay_asks_nothing_and_is_the_same_in_all(program: Program, chance: int) -> None:
    world = World(program, chance=chance)
    run = world.run()
    asked = len(world.asked)
    replay = run.replay()
    assert len(world.asked) == asked
    assert divergences(replay) == []
    assert (replay.status, replay.answer) == (run.status, run.answer)
    assert story(replay) == story(run)
    assert replay.usage.requests == 0
    again = replay.replay()
    assert story(again) == story(run)


@EXAMPLES
@given(program=programs(races=False))
def test_a_fork_at_every_turn_pays_for_that_turn_and_what_comes_after(program: Program) -> None:
    world = World(program)
    run = world.run()
    for turn in range(1, len(run["0"].turns) + 1):
        # Whatever the model now writes is new.
        after = World(renamed(program), suffix="!")
        fork = derived(run, after).fork(f"0.{turn}", hint="go another way")
        paid = Counter(request.call_id for request in after.asked)
        assert paid["0"] == len(fork["0"].turns) - turn + 1
        before = [call.id for call in run.walk() if call.depth and int(call.id.split(".")[1]) < turn]
        assert not set(before) & set(paid)
        kept = [call for call in fork.walk() if call.id in before]
        assert len(kept) == len(before)
        assert all(each.reply.mode == "replayed" for each in kept if each.reply)
        assert divergences(fork) == []


@EXAMPLES
@given(program=programs(races=False), data=st.data())
def test_so_does_a_fork_in_a_child(program: Program, data: Any) -> None:
    run = World(program).run()
    children = [call for call in run.walk() if call.kind == "rlm" and call.depth]
    if not children:
        return
    child = data.draw(st.sampled_from(children))
    turn = data.draw(st.integers(1, len(child.turns)))
    live = World(program)
    fork = derived(run, live).fork(f"{child.id}.{turn}", hint="go another way")
    # The hint changes nothing but what the child is asked: it is asked anew from there on, and nobody else is.
    asked = Counter(request.call_id for request in live.asked)
    assert asked == {child.id: len(child.turns) - turn + 1}
    assert (fork.status, fork.answer) == (run.status, run.answer)


def renamed(program: Program) -> Program:
    """The program, with other prompts in all its blocks."""
    other = {
        name: replace(renamed(child), blocks=renamed(child).blocks)
        for name, child in program.children.items()
    }
    words = ("alpha", "beta", "gamma", "delta", "broken")

    def new(block: str) -> str:
        for word in words:
            block = block.replace(word, f"new {word}")
        return block.replace("child", "new child")

    return Program(
        tuple(map(new, program.blocks)), {f"new {name}": child for name, child in other.items()} | other
    )


@EXAMPLES
@given(program=programs(races=False), data=st.data())
def test_editing_a_prompt_costs_what_depends_on_it(program: Program, data: Any) -> None:
    world = World(program)
    run = world.run()
    # Not those of threads, whose ids go by who comes first: in the other world they would be another's.
    plain = [call.id for call in run.walk() if call.kind == "llm" and call.site and not call.site.lane]
    if not plain:
        return
    at = data.draw(st.sampled_from(plain))
    edit = data.draw(st.sampled_from(["edited", "broken edit"]))
    # The same program from its beginning, in a world where that one call is asked the other prompt.
    elsewhere = World(program)
    elsewhere.instead[at] = edit
    whole = elsewhere.run()
    before = Counter(request.hash for request in world.asked if request.call_id == at)
    depends = (elsewhere.hashes - before) - world.hashes
    live = World(program)
    fork = derived(run, live).fork(at, prompt=edit)
    assert (fork.status, fork.answer) == (whole.status, whole.answer)
    edited = Counter(request.hash for request in live.asked if request.call_id == at)
    assert edited.total() == 1
    assert live.hashes - edited == depends
    assert divergences(fork) == []


@EXAMPLES
@given(program=programs(races=False, depth=1), chance=st.integers(0, 9), data=st.data())
def test_a_run_killed_at_any_event_goes_on_to_the_same_answer_and_pays_once(
    program: Program, chance: int, data: Any
) -> None:
    world = World(program)
    whole = world.run()
    events = whole.trace.events
    # From the first call on, and before the end.
    for at in sorted({2, len(events) - 1, *data.draw(st.lists(st.integers(2, len(events) - 1), max_size=3))}):
        cut = Run(Trace(events[:at]))
        live = World(program)
        resumed = cut.answer_with(live.model).resume(context=CONTEXT)
        assert (resumed.status, resumed.answer) == (whole.status, whole.answer)
        answered = sum(1 for event in events[:at] if isinstance(event, ModelReplied))
        assert len(live.asked) == len(world.asked) - answered
        assert divergences(resumed) == []


@EXAMPLES
@given(program=programs(), chance=st.integers(0, 99), data=st.data())
def test_a_fork_that_says_the_same_again_changes_and_costs_nothing(
    program: Program, chance: int, data: Any
) -> None:
    world = World(program, chance=chance)
    run = world.run()
    asked = len(world.asked)
    call, turn = data.draw(st.sampled_from([(call, turn) for call in run.walk() for turn in said(call)]))
    at = f"{call.id}.{turn}" if call.kind == "rlm" else call.id
    fork = run.fork(at, reply=call.turns[turn - 1].reply.text)
    assert len(world.asked) == asked
    assert story(fork) == story(run)


def said(call: Call) -> list[int]:
    return [turn.number for turn in call.turns if turn.reply and turn.reply.text.strip()]
