"""How the demo goes about a task: the steps of its plan, and the Python of each step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rlm_kernel.models.demo import snippets as code
from rlm_kernel.models.demo import subcalls as sub
from rlm_kernel.models.demo.questions import NO_ROW, Task, ask_digest, ask_rows
from rlm_kernel.models.demo.reader import not_understood
from rlm_kernel.models.demo.things import WORDS

PIECE_CHARS = 100_000
MAX_PIECES = 300
"""Pieces are longer than `PIECE_CHARS` only where the root would need more than this many of them."""
CHILD_PIECES = 40
MAX_CHILDREN = 8
GROUP_OVER = {"summary": 20 * PIECE_CHARS, "rank": 200 * PIECE_CHARS, "list": 200 * PIECE_CHARS}
"""Characters of context from which a question goes to children unasked."""

_LINE = 95
_TABLE = re.compile(r"(pandas|polars|numpy)\.")
_TEXTUAL = ("str", "dict", "list", "tuple", "set", "frozenset")


@dataclass(frozen=True, kw_only=True)
class View:
    """What the messages tell of the context and of what the session can do."""

    type: str = ""
    flat: bool = False
    chars: int = 0
    calls: bool = False
    children: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """One turn: a sentence or two, and a block made of snippets under the constants they use."""

    prose: str
    snippets: tuple[str, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)

    def __add__(self, other: Step) -> Step:
        return Step(
            prose=f"{self.prose} {other.prose}",
            snippets=self.snippets + other.snippets,
            constants={**self.constants, **other.constants},
        )

    @property
    def reply(self) -> str:
        """The step as a reply: its prose and its fenced block."""
        return f"{self.prose}\n\n```repl\n{self.block}\n```"

    @property
    def block(self) -> str:
        """The Python: imports first, then each snippet under the constants that it is the first to use."""
        lines = "\n".join(self._bodies()).splitlines()
        imports = sorted({line for line in lines if line.startswith(("import ", "from "))})
        rest = "\n".join(line for line in lines if line not in imports)
        return re.sub(r"\n{3,}", "\n\n", "\n".join([*imports, "", rest])).strip()

    def _bodies(self) -> Iterator[str]:
        left = dict(self.constants)
        for snippet in self.snippets:
            used = [name for name in left if re.search(rf"\b{name}\b", snippet)]
            yield "\n" + "\n".join(f"{name} = {literal(left.pop(name))}" for name in used)
            yield snippet


def plan(task: Task, view: View) -> list[Step]:
    """The steps for a task, first to last; the last one submits."""
    if task.kind == "none":
        return [say("I have no rule for this question.", not_understood("No rule fits this question."))]
    if not view.type:
        return [say("There is nothing to look at.", not_understood("There is no context to read."))]
    if not readable(view):
        sorry = not_understood(f"The context is of type {view.type}, which they do not read.")
        return [_look(view), say("This is neither a text nor a container of texts.", sorry)]
    if task.kind in ("count", "parts", "most", "size", "extreme"):
        return [_look(view), _divide(view, task) + _count(task), _submit("That is the figure; I submit it.")]
    if not view.calls:
        return [_look(view), _divide(view, task) + _alone(task), _finish(task)]
    if view.children and (task.recursive or view.chars > GROUP_OVER.get(task.kind, view.chars)):
        return [_look(view), _divide(view, task) + _group(view), _ask_children(task), _finish(task)]
    return [_look(view), _divide(view, task) + _cut(task), _ask(task), _finish(task)]


def squeeze(steps: list[Step], turns: int) -> list[Step]:
    """The same work in at most that many steps: the last ones become one."""
    if len(steps) <= turns:
        return steps
    head, last = steps[: turns - 1], steps[turns - 1]
    for step in steps[turns:]:
        last += step
    return [*head, last]


def alone(task: Task, prose: str) -> Step:
    """One step that does the whole task in Python, over a context of any kind, without sub-calls."""
    anything = Step(prose=prose, snippets=(code.PARTS_OF_ANYTHING,), constants={"ONE": _one(task.unit)})
    if task.kind in ("count", "parts", "most", "size", "extreme"):
        return anything + _count(task) + _submit("")
    return anything + _alone(task) + _finish(task)


def say(prose: str, text: str) -> Step:
    """A step that submits a text."""
    return Step(prose=prose, snippets=(code.SUBMIT,), constants={"result": text})


def literal(value: Any) -> str:
    """The value as Python source that can stand in a fenced block; a long text on lines of its own."""
    if not isinstance(value, str) or len(value) <= _LINE:
        return _safe(value)
    lines = re.findall(rf"(?s).{{1,{_LINE}}}(?:\s|$)|.{{1,{_LINE}}}", value)
    return "(\n" + "".join(f"    {_safe(line)}\n" for line in lines) + ")"


def _safe(value: Any) -> str:
    return repr(value).replace("`", "\\x60")


def readable(view: View) -> bool:
    """Whether the rules can read a context of that type."""
    return view.type in _TEXTUAL or _TABLE.match(view.type) is not None


def _look(view: View) -> Step:
    prose = "I look at the context first: its type, its size, and how it is divided."
    snippets = {"str": code.LOOK_AT_TEXT, "dict": code.LOOK_AT_DICT, "pandas.DataFrame": code.LOOK_AT_TABLE}
    other = code.LOOK_AT_ITEMS if view.type in _TEXTUAL else code.LOOK_AT_ANYTHING
    return Step(prose=prose, snippets=(snippets.get(view.type, other),))


def _divide(view: View, task: Task) -> Step:
    one = {"ONE": _one(task.unit)}
    if view.type == "str":
        return Step(prose="It is one text.", snippets=(code.PARTS_OF_TEXT,))
    if view.flat and view.type == "dict":
        return Step(
            prose="It is a dict of texts, so its entries are its natural parts.",
            snippets=(code.PARTS_OF_DICT,),
        )
    if view.flat:
        return Step(prose="Its items are its natural parts.", snippets=(code.PARTS_OF_ITEMS,), constants=one)
    prose = "It is not flat, so I first collect every text in it, with a name for each."
    return Step(prose=prose, snippets=(code.PARTS_OF_ANYTHING,), constants=one)


def _count(task: Task) -> Step:
    if task.kind in ("size", "extreme"):
        sizes = code.SIZES if task.kind == "size" else code.EXTREMES
        return Step(prose="", snippets=(sizes,), constants={"MEASURE": task.measure, "UNIT": task.unit})
    shown = {"count": code.COUNTED, "parts": code.PLACED, "most": code.RANKED_PLACES}[task.kind]
    constants = {"TEXT": task.text, "PATTERN": task.pattern, "RULE": task.rule, "UNIT": task.unit}
    if task.kind == "parts":
        constants["VERB"] = task.verb
    return Step(
        prose="This is counting, which Python does exactly.",
        snippets=(code.SEARCH, shown),
        constants=constants,
    )


def _cut(task: Task) -> Step:
    most = CHILD_PIECES if task.kind in ("rows", "digest") else MAX_PIECES
    prose = "I pack whole parts into pieces that fit a prompt, and cut only the parts that are longer."
    return Step(prose=prose, snippets=(sub.PACK, sub.PIECES), constants={"MOST_PIECES": most})


def _ask(task: Task) -> Step:
    prose = "I ask about each piece in a prompt of its own, twenty at a time, and add up the replies."
    return Step(prose=prose, snippets=_adding(task, sub.ASK_PIECES), constants=_asked(task))


def _group(view: View) -> Step:
    children = min(MAX_CHILDREN, max(2, -(-view.chars // PIECE_CHARS)))
    prose = "For several assistants to work on it, I divide it into a few groups of about the same size."
    return Step(prose=prose, snippets=(sub.PACK, sub.GROUPS), constants={"CHILDREN": children})


def _ask_children(task: Task) -> Step:
    prose = "Each group goes to a child with a session of its own; I add up what they answer."
    return Step(prose=prose, snippets=_adding(task, sub.ASK_GROUPS), constants=_asked(task))


def _alone(task: Task) -> Step:
    thing = task.thing or WORDS
    constants: dict[str, Any] = {"PATTERN": thing.pattern}
    if task.kind in ("summary", "digest"):
        return Step(prose="I count its words.", snippets=(sub.WORDS_ALONE, sub.WEIGH), constants=constants)
    constants = {**constants, "FOLD": thing.fold, "MANY": thing.many}
    snippets = (sub.FIND_ALONE, *_ranking(task))
    return Step(prose=f"I look for {thing.many} by a pattern.", snippets=snippets, constants=constants)


def _adding(task: Task, ask: str) -> tuple[str, ...]:
    if task.thing is None:
        return (sub.ADD_DIGESTS, ask, sub.WEIGH)
    return (sub.ADD_ROWS, ask, *_ranking(task))


def _ranking(task: Task) -> tuple[str, str]:
    return (sub.SCORE_BY_PARTS if task.by_parts else sub.SCORE_BY_TIMES, sub.RANK)


def _asked(task: Task) -> dict[str, Any]:
    if task.thing is None:
        return {"QUESTION": ask_digest()}
    return {"QUESTION": ask_rows(task.thing), "MANY": task.thing.many}


def _finish(task: Task) -> Step:
    if task.kind == "digest":
        return _submit("I submit it as the line of JSON that was asked for.", sub.DIGESTED)
    if task.kind == "summary" or task.thing is None:
        prose = "I put the frequent words and the best sentences together and submit them."
        return _submit(prose, sub.SUMMARISED, sub.SAY_FAILED, UNIT=task.unit)
    if task.kind == "rows":
        return _submit(
            "I submit it as the lines of JSON that were asked for.",
            sub.ROWS,
            sub.ROWS_AS_JSON,
            NO_ROW=NO_ROW,
        )
    named = {"NAME": task.thing.one, "RULE": task.thing.rule}
    if task.kind == "list":
        return _submit(
            "I check a sample, list them, and submit.", sub.CHECK, sub.LISTED, sub.SAY_FAILED, **named
        )
    how = f"in the most {task.unit}" if task.by_parts else "most often"
    amount = sub.AMOUNT_IN_PARTS if task.by_parts else sub.AMOUNT_IN_TIMES
    said = sub.BEST if task.top == 1 else sub.TOP_ONES
    constants = {"HOW": how, "UNIT": task.unit, "TOP": task.top, "MANY": task.thing.many, **named}
    prose = "I check the first one against the context, and submit."
    return _submit(prose, sub.CHECK, amount, said, sub.SAY_FAILED, **constants)


def _submit(prose: str, *snippets: str, **constants: Any) -> Step:
    return Step(prose=prose, snippets=(*snippets, code.SUBMIT), constants=constants)


def _one(unit: str) -> str:
    return f"{unit[:-3]}y" if unit.endswith("ies") else unit.removesuffix("s")


__all__ = ["Step", "View", "alone", "literal", "plan", "readable", "say", "squeeze"]
