"""Small runs, told event by event, that tests of traces and of views read.

Every clock reading is a tenth of a second after the one before, so times are the same each time a story is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from rlm_kernel.repl.rich import TABLE, table_json
from rlm_kernel.trace import (
    Batch,
    BlockHeld,
    CallFinished,
    CallStarted,
    CodeExecuted,
    ContextCard,
    Divergence,
    ErrorInfo,
    Event,
    Message,
    Mode,
    ModelAsked,
    ModelReplied,
    Origin,
    Recorder,
    RichOutput,
    RunContinued,
    RunFinished,
    RunPaused,
    RunStarted,
    Site,
    Status,
    Trace,
    Usage,
    Variable,
    VariableChanges,
)

CARD = ContextCard(name="papers", type="list", length=3, chars=1200, schema="list of 3 str", hash="c0ffee")


def ticks(step: float = 0.1) -> Callable[[], float]:
    """A clock that goes on by `step` seconds each time it is read."""
    readings = (number * step for number in count(1000))
    return lambda: next(readings)


def used(given: int = 100, written: int = 10, cost: float | None = None) -> Usage:
    """The usage of one request."""
    return Usage(requests=1, input_tokens=given, output_tokens=written, cost=cost)


class Story:
    """A run as it is told. `trace` is what there is of it; with a `path` it is written there too."""

    def __init__(
        self,
        query: str = "Which papers disagree?",
        *,
        mode: Mode = "live",
        context: ContextCard | None = CARD,
        settings: dict[str, Any] | None = None,
        path: Path | None = None,
        run_id: str = "papers-1",
        origin: Origin | None = None,
    ) -> None:
        self.mode: Mode = mode
        self.trace = Trace(live=True)
        self._recorder = Recorder(self.trace, path, clock=ticks())
        self.record(
            RunStarted(
                run_id=run_id,
                query=query,
                started="2026-01-02T03:04:05+00:00",
                version="1.0",
                mode=mode,
                isolation="worker",
                settings=settings or {"max_depth": 2, "model": "big"},
                context=context,
                origin=origin,
            )
        )
        self._context = context
        self._query = query

    def record(self, event: Event) -> None:
        self._recorder.record(event)

    def root(self) -> None:
        self.rlm("0", self._query, context=self._context)

    def rlm(self, call_id: str, prompt: str, **more: Any) -> None:
        self._start(call_id, kind="rlm", model="big", prompt=prompt, **more)

    def llm(self, call_id: str, prompt: str, **more: Any) -> None:
        self._start(call_id, kind="llm", model="small", prompt=prompt, **more)

    def _start(self, call_id: str, **facts: Any) -> None:
        self.record(CallStarted(call_id=call_id, depth=call_id.count(".") // 2, **facts))

    def ask(self, call_id: str, turn: int, *contents: str, last: str = "") -> None:
        """The first of the first turn is the system prompt, the others come from the user."""
        messages = [Message(role="user", content=content) for content in contents]
        if turn == 1:
            messages[0] = Message(role="system", content=contents[0])
        self.record(ModelAsked(call_id=call_id, turn=turn, messages=tuple(messages), last=last))

    def reply(self, call_id: str, turn: int, text: str, **more: Any) -> None:
        facts: dict[str, Any] = {
            "model": self.trace.tree.calls[call_id].started.model,
            "mode": self.mode,
            "seconds": 0.1,
            "request_hash": f"{call_id}/{turn}",
            "usage": used(),
        }
        self.record(ModelReplied(call_id=call_id, turn=turn, text=text, **{**facts, **more}))

    def again(self, call_id: str, turn: int, text: str, *, usage: Usage | None = None, **more: Any) -> None:
        """A reply of a record, by default of a live model's."""
        then = replace(usage or used(), requests=0)
        self.reply(
            call_id,
            turn,
            text,
            **{"mode": "replayed", "first_mode": "live", "usage": then, "seconds": 0.0, **more},
        )

    def hold(self, call_id: str, turn: int, code: str, *, block: int = 1) -> None:
        self.record(BlockHeld(call_id=call_id, turn=turn, block=block, code=code))

    def code(self, call_id: str, turn: int, code: str, *, block: int = 1, **more: Any) -> None:
        shown = more.pop("shown", more.get("stdout", ""))
        self.record(
            CodeExecuted(
                call_id=call_id,
                turn=turn,
                block=block,
                code=code,
                shown=shown,
                **{"seconds": 0.1, "stdout_chars": len(more.get("stdout", "")), **more},
            )
        )

    def finish(self, call_id: str, status: Status = "finished", **more: Any) -> None:
        self.record(CallFinished(call_id=call_id, status=status, **more))

    def end(self, status: Status = "finished", **more: Any) -> Trace:
        self.record(RunFinished(status=status, **more))
        return self.trace

    def stop(self) -> Trace:
        """The trace of a run that stops here, without an end."""
        self._recorder.close()
        return self.trace


def fenced(code: str) -> str:
    return f"```repl\n{code}\n```"


SYSTEM = "You have a Python REPL with the variable context."


def one_call(path: Path | None = None) -> Trace:
    """The root answers in its second turn, without a sub-call."""
    story = Story(path=path)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced("print(len(context))"), usage=used(120, 12, 0.001))
    story.code("0", 1, "print(len(context))", stdout="3\n")
    story.ask("0", 2, "Block 1 printed:\n3\n")
    code = 'answer["content"] = "1 and 3"\nanswer["ready"] = True'
    story.reply("0", 2, fenced(code), usage=used(160, 20, 0.002))
    story.code("0", 2, code, variables=VariableChanges(changed=(Variable(name="answer", type="dict"),)))
    story.finish("0", answer="1 and 3", how="answer")
    return story.end(answer="1 and 3")


def nested(path: Path | None = None) -> Trace:
    """A child rlm call that makes a plain request itself; its price is unknown."""
    story = Story(path=path)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply(
        "0", 1, fenced('found = rlm_query("Check paper 1")\nprint(found)'), usage=used(120, 12, 0.001)
    )
    story.rlm("0.1.1", "Check paper 1", site=Site(block=1, line=1, code='found = rlm_query("Check paper 1")'))
    story.ask("0.1.1", 1, SYSTEM, "Check paper 1")
    story.reply("0.1.1", 1, fenced('FINAL(llm_query("Is it true?"))'), usage=used(90, 9, 0.001))
    story.llm("0.1.1.1.1", "Is it true?", site=Site(block=1, line=1, code='FINAL(llm_query("Is it true?"))'))
    story.reply("0.1.1.1.1", 1, "It is not.", retries=2)
    story.finish("0.1.1.1.1", how="reply")
    story.code("0.1.1", 1, 'FINAL(llm_query("Is it true?"))')
    story.finish("0.1.1", answer="It is not.", how="FINAL")
    story.code("0", 1, 'found = rlm_query("Check paper 1")\nprint(found)', stdout="It is not.\n")
    story.ask("0", 2, "Block 1 printed:\nIt is not.\n")
    story.reply("0", 2, fenced('FINAL("1 and 3")'), usage=used(150, 8, 0.002))
    story.code("0", 2, 'FINAL("1 and 3")')
    story.finish("0", answer="1 and 3", how="FINAL")
    return story.end(answer="1 and 3")


def batch(path: Path | None = None) -> Trace:
    """Five plain requests at once: they end in another order than they began, and one fails."""
    code = 'parts = llm_query_batched([f"Sum up {p}" for p in context])'
    story = Story(path=path)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced(code))
    ids = [f"0.1.{number}" for number in range(1, 6)]
    for index, call_id in enumerate(ids):
        place = Batch(id="0.1.1", index=index, size=5)
        story.llm(call_id, f"Sum up p{index + 1}", batch=place, site=Site(block=1, line=1, code=code))
    lost = ErrorInfo(type="ServerFailed", message="500 after 3 retries")
    for call_id in ("0.1.3", "0.1.1", "0.1.5", "0.1.4", "0.1.2"):
        if call_id == "0.1.4":
            story.reply(call_id, 1, "", usage=Usage(), retries=3, error=lost)
            story.finish(call_id, "failed", error=lost)
        else:
            story.reply(call_id, 1, f"the sum of {call_id}")
            story.finish(call_id, how="reply")
    story.code(
        "0", 1, code, stdout="", variables=VariableChanges(added=(Variable(name="parts", type="list"),))
    )
    story.ask("0", 2, "Block 1 printed nothing.")
    story.reply("0", 2, fenced('FINAL("1 and 3")'))
    story.code("0", 2, 'FINAL("1 and 3")')
    story.finish("0", answer="1 and 3", how="FINAL")
    return story.end(answer="1 and 3")


def error(path: Path | None = None) -> Trace:
    """A block fails, and then the model cannot be reached: the run fails."""
    gone = ErrorInfo(type="ServerUnreachable", message="no connection")
    story = Story(path=path)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced("print(contxt)"))
    wrong = ErrorInfo(
        type="NameError", message="name 'contxt' is not defined", traceback="line 1, in <block 1>"
    )
    story.code("0", 1, "print(contxt)", shown="NameError: name 'contxt' is not defined", error=wrong)
    story.ask("0", 2, "Block 1 failed:\nNameError: name 'contxt' is not defined")
    story.reply("0", 2, "", usage=Usage(), retries=3, error=gone)
    story.finish("0", "failed", error=gone)
    return story.end("failed", error=gone)


def exhausted(path: Path | None = None) -> Trace:
    """The limit is reached when turn 2 is asked for, so turn 2 is asked again as the last one."""
    story = Story(path=path)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced("print(len(context))"))
    story.code("0", 1, "print(len(context))", stdout="3\n")
    story.ask("0", 2, "Block 1 printed:\n3\n")
    story.ask("0", 2, "The 1 request of the run is used. Answer now.")
    story.reply("0", 2, "1 and 3, I think.")
    story.finish("0", "exhausted", answer="1 and 3, I think.", how="plain text of the last turn")
    return story.end("exhausted", answer="1 and 3, I think.")


def cut_off(path: Path | None = None) -> Trace:
    """The kernel is killed while a line is written: one sub-call is answered, the other has no end."""
    code = 'for part in context:\n    print(llm_query(f"Sum up {part}"))'
    story = Story(path=path)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced(code))
    site = Site(block=1, line=2, code='print(llm_query(f"Sum up {part}"))')
    story.llm("0.1.1", "Sum up p1", site=site)
    story.reply("0.1.1", 1, "the sum of p1")
    story.finish("0.1.1", how="reply")
    story.llm("0.1.2", "Sum up p2", site=site)
    trace = story.stop()
    if path:
        with path.open("ab") as file:
            file.write(b'{"type":"model_replied","seq":8,"call_id":"0.1.2","text":"the s')
    return trace


def unicode(path: Path | None = None) -> Trace:
    """Every script, a line separator, a lone surrogate, hidden characters, and one long text used twice."""
    long = "Прочти это внимательно. 論文 🧪 " * 60
    story = Story("Welche Aufsätze widersprechen sich? 哪些论文?\u2028Und 🧪?", path=path)
    story.root()
    story.ask("0", 1, SYSTEM, long)
    code = 'print("a\u202eb\u200b", "\x1b[31mrot")'
    story.reply("0", 1, fenced(code), reasoning="שלום")
    story.code("0", 1, code, stdout="a\u202eb\u200b \x1b[31mrot\n")
    story.ask("0", 2, long)
    story.reply("0", 2, fenced("FINAL('1 und 3 — 第三')"))
    story.code("0", 2, "FINAL('1 und 3 — 第三')")
    story.finish("0", answer="1 und 3 — 第三 \ud83d", how="FINAL")
    return story.end(answer="1 und 3 — 第三 \ud83d")


MARKUP = "</script><img src=x onerror=alert(1)> & [x](javascript:alert(1)) $x$ `` ``` <!--"
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def rich(path: Path | None = None) -> Trace:
    """Two blocks in a turn, a figure, a table, everything a block can print, and markup in every text."""
    first = f"print({MARKUP!r})\nfound = llm_query_batched(['a'] * 5)"
    table = table_json(["paper", MARKUP], [["1", MARKUP], ["2", "a\tb\nc"]], ["x", "y"], 5000, 2)
    outputs = (RichOutput(data={"image/png": DOT}), RichOutput(data={TABLE: table}))
    lost = ErrorInfo(type="Wrong", message=MARKUP, traceback=f"line 1, in <block 2>\n{MARKUP}")
    story = Story(
        f"# Which?\n{MARKUP}\n\x85", mode="demo", path=path, settings={"$text": MARKUP, "a": [{"$b": 1}]}
    )
    story.root()
    story.ask("0", 1, SYSTEM, MARKUP)
    text = f"First.\n{MARKUP}\n{fenced(first)}\nThen:\n~~~python\nraise Wrong\n~~~\n\x1f"
    story.reply(
        "0", 1, text, reasoning=f"````\n{MARKUP}", usage=used(1234, 10, 0.03125), finish_reason="length"
    )
    for index in range(5):
        place = Batch(id="0.1.1", index=index, size=5)
        story.llm(
            f"0.1.{index + 1}",
            f"```\n{MARKUP} 🧪",
            batch=place,
            site=Site(block=1, line=2, code=first),
        )
        story.reply(f"0.1.{index + 1}", 1, f"`{index}`", usage=replace(used(), estimated=True))
        story.finish(f"0.1.{index + 1}", how="reply")
    story.code("0", 1, first, stdout=f"{MARKUP}\n", stderr="a warning", outputs=outputs)
    story.code("0", 1, "raise Wrong", block=2, error=lost, shown=f"Wrong: {MARKUP}", seconds=0.125)
    story.llm("0.1.6", "--", site=Site(block=2, line=1, code="llm_query('-')"), depth_capped=True)
    story.reply("0.1.6", 1, "")
    story.finish("0.1.6", how="reply")
    story.ask("0", 2, f"Block 2 failed:\n{MARKUP}")
    story.reply("0", 2, fenced("FINAL('1')"), seconds=12.5)
    story.code("0", 2, "FINAL('1')")
    story.finish("0", answer=f"{MARKUP}\n```\n1", how="FINAL")
    return story.end(answer=f"{MARKUP}\n```\n1")


LAST = "The 3 turns of this call are used."


def fork(path: Path | None = None) -> Trace:
    """Turn 1 comes from a record, whose clock was another; the reply of turn 2 is a person's, who also changed its
    block before it ran; turn 3 is new, and the last one."""
    code = 'print(now())\nparts = llm_query_batched([f"Sum up {p}" for p in context])'
    edit = fenced('print(llm_query("Is 3 true?"))')
    origin = Origin(kind="fork", run="papers-0", at="0.2", edit={"reply": edit, "limits": {"max_turns": 3}})
    story = Story(path=path, origin=origin)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.again("0", 1, fenced(code), usage=used(120, 12, 0.001))
    for index in range(3):
        place = Batch(id="0.1.1", index=index, size=3)
        story.llm(
            f"0.1.{index + 1}", f"Sum up p{index + 1}", batch=place, site=Site(block=1, line=2, code=code)
        )
        story.again(
            f"0.1.{index + 1}", 1, f"the sum of p{index + 1}", usage=used(100, 10, 0.002), first_mode="demo"
        )
        story.finish(f"0.1.{index + 1}", how="reply")
    moved = Divergence(what="output", recorded="12:00\n", found="12:05\n")
    story.code("0", 1, code, stdout="12:05\n", divergences=(moved,))
    story.ask("0", 2, "Block 1 printed:\n12:05\n")
    story.reply("0", 2, edit, mode="human", usage=Usage(), seconds=0.0)
    story.hold("0", 2, 'print(llm_query("Is 3 true?"))')
    story.llm("0.2.1", "Is 2 true?", site=Site(block=1, line=1, code='print(llm_query("Is 2 true?"))'))
    story.reply("0.2.1", 1, "It is not.", usage=used(50, 5, 0.001))
    story.finish("0.2.1", how="reply")
    story.code("0", 2, 'print(llm_query("Is 2 true?"))', stdout="It is not.\n", decision="edited")
    story.ask("0", 3, f"Block 1 printed:\nIt is not.\n\n{LAST} Answer now.", last=LAST)
    story.reply("0", 3, "1 and 2.", usage=used(200, 4, 0.002))
    story.finish("0", "exhausted", answer="1 and 2.", how="plain text of the last turn")
    return story.end("exhausted", answer="1 and 2.")


OUT = ErrorInfo(type="ServerFailed", message="http://localhost:8000 failed (503): busy.")


def paused(path: Path | None = None) -> Trace:
    """The server goes out under two plain requests; one tries for both, in vain at first, and both are answered."""
    code = 'parts = llm_query_batched([f"Sum up {p}" for p in context])'
    story = Story(path=path)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced(code))
    for index in range(2):
        place = Batch(id="0.1.1", index=index, size=2)
        story.llm(f"0.1.{index + 1}", f"p{index + 1}", batch=place, site=Site(block=1, line=1, code=code))
    story.record(RunPaused(call_id="0.1.2", turn=1, error=OUT, retry_at=1.7, until=120.7))
    story.record(RunPaused(call_id="0.1.2", turn=1, error=OUT, retry_at=2.8, until=120.7, tries=1))
    story.record(RunContinued(call_id="0.1.2", seconds=0.2))
    for call_id in ("0.1.2", "0.1.1"):
        story.reply(call_id, 1, f"the sum of {call_id}")
        story.finish(call_id, how="reply")
    story.code("0", 1, code, variables=VariableChanges(added=(Variable(name="parts", type="list"),)))
    story.ask("0", 2, "Block 1 printed nothing.")
    story.reply("0", 2, fenced('FINAL("1 and 3")'))
    story.code("0", 2, 'FINAL("1 and 3")')
    story.finish("0", answer="1 and 3", how="FINAL")
    return story.end(answer="1 and 3")


STORIES: dict[str, Callable[[Path | None], Trace]] = {
    "one-call": one_call,
    "nested": nested,
    "batch": batch,
    "error": error,
    "exhausted": exhausted,
    "cut-off": cut_off,
    "unicode": unicode,
    "rich": rich,
    "fork": fork,
    "paused": paused,
}


@cache
def wide(calls: int, *, batched: bool, prompt: str = "Sum up", text: str = "done") -> Trace:
    """A root that makes so many plain requests in its one turn, at once or one after the other."""
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    story.reply("0", 1, fenced("..."))
    for index in range(calls):
        call_id = f"0.1.{index + 1}"
        place = Batch(id="0.1.1", index=index, size=calls) if batched else None
        story.llm(
            call_id, f"{prompt} {index + 1}", batch=place, site=Site(block=1, line=1, code="llm_query(p)")
        )
        story.record(
            ModelReplied(
                call_id=call_id,
                turn=1,
                text=f"{text} {index + 1}",
                model="small",
                mode="live",
                seconds=0.1,
                request_hash="",
                usage=used(),
            )
        )
        story.finish(call_id, how="reply")
    story.code("0", 1, "...")
    story.finish("0", answer="done", how="FINAL")
    return story.end(answer="done")


def answered(mode: Mode) -> Trace:
    """The root answers at once, in that mode."""
    story = Story(mode=mode)
    story.root()
    story.reply("0", 1, "FINAL('1 and 3')")
    story.finish("0", answer="1 and 3", how="FINAL")
    return story.end(answer="1 and 3")


def outline(trace: Trace) -> list[tuple[Any, ...]]:
    """What the tree of a trace comes to, one row a call, for comparing two of them."""
    return [
        (
            call.id,
            call.kind,
            call.status,
            call.prompt,
            call.answer,
            call.parent.id if call.parent else None,
            [(turn.number, turn.messages, turn.reply, _blocks(turn.blocks)) for turn in call.turns],
        )
        for call in trace.walk()
    ]


def _blocks(blocks: Iterable[Any]) -> list[Any]:
    return [(block.number, block.executed, [call.id for call in block.calls]) for block in blocks]


def texts(value: Any) -> Iterator[str]:
    """Every text in JSON-able data, keys left aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts(part)
