"""Generated programs: what a model might write in a run, with batches, children, threads, failures and retries.

A program is data. `World` is the model that "writes" it and answers what its code asks: a reply depends only on what
is asked, so the same run can be had twice, and on chance where a test says so. It counts what it was asked.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from rlm_kernel import RLM, Request, Run, ScriptedModel
from rlm_kernel.errors import ServerFailed

CONTEXT = "one two three four five"

PRELUDE = """\
from concurrent.futures import ThreadPoolExecutor
import threading
def safe(ask, *args, **options):
    try:
        return ask(*args, **options)
    except SubcallError as error:
        return 'failed: ' + str(error)
def told(replies):
    return [str(reply) for reply in replies]
out = []
"""
"""What every rlm call of a program begins with."""

STATEMENTS = {
    "one": "out.append(safe(llm_query, {first!r}))",
    "batch": "out.extend(told(llm_query_batched({prompts!r})))",
    "loop": "for p in {prompts!r}: out.append(safe(llm_query, p))",
    "retry": "for _ in range(3):\n    got = safe(llm_query, {first!r})\n    out.append(got)\n    if not got.startswith('failed'): break",
    "pool": "with ThreadPoolExecutor(2) as pool: out.extend(pool.map(lambda p: safe(llm_query, p), {prompts!r}))",
    "print": "print(len(out), {first!r})",
    "chance": "import random; out.append(str(random.random()))",
    "set": "out.append(str(set({prompts!r})))",
}
RACE = (
    "def race(p): out.append(safe(llm_query, p))\n"
    "threads = [threading.Thread(target=race, args=(p,)) for p in {prompts!r}]\n"
    "for each in threads: each.start()\n"
    "for each in threads: each.join()"
)
"""Threads that leave their replies in the order in which they come."""
FAIL = "raise ValueError('the block fails')"

PROMPT = st.sampled_from(["alpha", "beta", "gamma", "delta", "broken"])
PROMPTS = st.lists(PROMPT, min_size=1, max_size=4)


@dataclass(frozen=True)
class Program:
    """The blocks of an rlm call, one a turn, and the programs of its children by their prompts."""

    blocks: tuple[str, ...]
    children: dict[str, Program] = field(default_factory=dict)

    @property
    def replies(self) -> list[str]:
        """What the model says, turn by turn."""
        blocks = [PRELUDE + self.blocks[0], *self.blocks[1:]]
        submit = 'answer["content"] = "|".join(out) or "nothing"\nanswer["ready"] = True'
        return [f"```repl\n{block}\n```" for block in [*blocks, submit]]


@st.composite
def programs(draw: st.DrawFn, *, races: bool = True, depth: int = 1) -> Program:
    """A program whose children have programs of their own, `depth` levels down."""
    kinds = [*STATEMENTS, *(["race"] if races else []), *(["child", "children"] if depth else [])]
    children: dict[str, Program] = {}
    blocks = []
    for _ in range(draw(st.integers(1, 3))):
        lines = []
        for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3)):
            prompts = draw(PROMPTS)
            if kind in ("child", "children"):
                lines.append(_child(draw, kind, children, races, depth))
            else:
                text = RACE if kind == "race" else STATEMENTS[kind]
                lines.append(text.format(first=prompts[0], prompts=prompts))
        if draw(st.integers(0, 7)) == 0:
            lines.append(FAIL)
        blocks.append("\n".join(lines))
    return Program(tuple(blocks), children)


def _child(draw: st.DrawFn, kind: str, children: dict[str, Program], races: bool, depth: int) -> str:
    name = f"child {len(children)} of depth {depth}"
    children[name] = draw(programs(races=races, depth=depth - 1))
    if kind == "child":
        return f"out.append(safe(rlm_query, {name!r}, context=out[:2]))"
    return f"out.extend(told(rlm_query_batched([{name!r}, {name!r}], contexts=['a', 'b'])))"


class World:
    """A model for a program. With `chance`, replies come in any order and no two are the same."""

    def __init__(self, program: Program, *, chance: int | None = None, suffix: str = "") -> None:
        self.asked: list[Request] = []
        self.answered = Counter[str]()
        self.model = ScriptedModel(self._rlm, llm=self._llm)
        self.instead: dict[str, str] = {}
        self._suffix = suffix
        self._program = program
        self._random = None if chance is None else random.Random(chance)
        self._programs: dict[str, Program] = {}
        self._know(program)

    @property
    def hashes(self) -> Counter[str]:
        """What was asked, however often."""
        return Counter(request.hash for request in self.asked)

    def run(self, **options: Any) -> Run:
        """The run of the program."""
        settings = {
            "trace_dir": None,
            "max_depth": 4,
            "max_errors": 50,
            "max_turns": 30,
            "seed": 7,
            **options,
        }
        return RLM(model=self.model, **settings).run("What comes of it?", context=CONTEXT)

    def _know(self, program: Program) -> None:
        for name, child in program.children.items():
            self._programs[name] = child
            self._know(child)

    async def _rlm(self, request: Request) -> str:
        self.asked.append(request)
        await self._wait()
        opening = request.messages[1].content
        program = next(
            (each for name, each in self._programs.items() if f"\n{name}\n" in f"{opening}\n"), self._program
        )
        return program.replies[request.turn - 1]

    async def _llm(self, request: Request) -> str:
        self.asked.append(request)
        await self._wait()
        prompt = self.instead.get(request.call_id, request.messages[0].content)
        if "broken" in prompt:
            raise ServerFailed("500 from the server", model="scripted", status=500)
        luck = f" {self._random.random():.6f}" if self._random else ""
        return f"<{prompt}{luck}>{self._suffix}"

    async def _wait(self) -> None:
        if self._random:
            await asyncio.sleep(self._random.choice((0, 0, 0.001, 0.004)))


def story(run: Run) -> str:
    """All that a run did, without times and without where its replies came from."""
    calls = []
    for call in run.walk():
        turns = [
            (
                turn.number,
                [message.content for message in turn.messages],
                turn.reply.text if turn.reply else None,
                [
                    (block.executed.code, block.executed.stdout, str(block.executed.error))
                    for block in turn.blocks
                    if block.executed
                ],
            )
            for turn in call.turns
        ]
        calls.append((call.id, call.kind, call.prompt, call.status, call.answer, turns))
    return json.dumps(sorted(calls, key=lambda each: each[0]), indent=1)


def divergences(run: Run) -> list[str]:
    """What is not as in the record, over the whole run."""
    return [
        f"{call.id}.{turn.number}: {each}"
        for call in run.walk()
        for turn in call.turns
        for block in turn.blocks
        if block.executed
        for each in block.executed.divergences
    ]
