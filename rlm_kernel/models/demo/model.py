"""`DemoModel`: a rule-based stand-in that drives the whole machinery without a key. Not a language model.

It sees what a model sees, the messages, and keeps nothing between them: how far it is, what was asked, what is
known of the context and whether its code failed are all read from the messages each time. Its answers are
computed from the context by the code it writes; none is prepared.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from rlm_kernel.models.base import Reply, Request, estimate
from rlm_kernel.models.demo.plan import Step, View, alone, plan, readable, say, squeeze
from rlm_kernel.models.demo.questions import Task, understand
from rlm_kernel.models.demo.reader import not_understood, read
from rlm_kernel.trace import Message, Mode

_CARD = re.compile(
    r"^(?:The variable `context` is an? (\w+(?:\.\w+)*)|There is no context for this question)", re.M
)
_CHARS = re.compile(r"^(?:Characters of text|Length): ([\d,]+)$", re.M)
_FLAT = re.compile(r"^Structure: \w+ of [\d,]+ (?:[\w. |]+ -> )?str,", re.M)
_TURN = re.compile(r"^Turn \d+ of (\d+)\.", re.M)
_LAST = "This is your last reply"


class DemoModel:
    """Answers a few kinds of question about any text by rules; says so when it is asked another kind."""

    name = "demo"
    mode: Mode = "demo"

    async def reply(self, request: Request) -> Reply:
        """The next step for an rlm call; what the rules find in the prompt for a plain one."""
        if request.kind == "rlm":
            text = next_step(request.messages)
        else:  # reading 100,000 characters takes a while, and the loop has others to serve
            text = await asyncio.to_thread(read, request.messages[-1].content)
        return Reply(text=text, model=self.name, usage=estimate(request, text))

    async def close(self) -> None:
        """Nothing to free."""


def next_step(messages: Sequence[Message]) -> str:
    """The reply of an rlm call to its messages so far."""
    question, view, turns = opening(messages)
    task = understand(question)
    users = [message.content for message in messages if message.role == "user"]
    failures = [content for content in users[1:] if "failed:" in content and _failed(content)]
    if any(_LAST in content for content in users[1:]):
        return _last(task, view, failures).reply
    if failures:
        return _after_failure(task, view, failures).reply
    steps = squeeze(plan(task, view), turns)
    done = sum(message.role == "assistant" for message in messages)
    if done < len(steps):
        return steps[done].reply
    return say(
        "My plan is at its end, and nothing was accepted.",
        not_understood("None of the answers they gave was taken."),
    ).reply


def opening(messages: Sequence[Message]) -> tuple[str, View, int]:
    """The question, what is told of context and session, and how many turns there are."""
    system = "\n".join(message.content for message in messages if message.role == "system")
    first = next((message.content for message in messages if message.role == "user"), "")
    card = _CARD.search(first)
    question = first[: card.start()] if card else first
    # A preview is the context's own text, and may look like anything.
    told = first[card.start() :].partition("\nPreview:")[0] if card else ""
    chars = _CHARS.findall(told)
    turns = _TURN.findall(first)
    view = View(
        type=(card[1] or "") if card else "",
        flat=_FLAT.search(told) is not None,
        chars=int(chars[-1].replace(",", "")) if chars else 0,
        calls="llm_query" in system,
        children="rlm_query" in system,
    )
    return question.strip().removeprefix("Question:").strip(), view, int(turns[-1]) if turns else 1


def _failed(content: str) -> str:
    """The last line of the error a block ended with; empty when none failed."""
    match = re.search(r"^Block \d+ failed:\n([\s\S]*)", content, re.M)
    if not match:
        return ""
    report = match[1].split("\n\n")[0].strip().splitlines()
    return report[-1] if report else "an error"


def _after_failure(task: Task, view: View, failures: Sequence[str]) -> Step:
    error = _failed(failures[-1])
    if len(failures) > 1 or task.kind == "none" or not readable(view):
        return say("That failed again, so I stop here.", f"No answer: the code failed ({error}).")
    return alone(
        task, f"That failed ({error}), so I do all of it in Python, in one block and without sub-calls."
    )


def _last(task: Task, view: View, failures: Sequence[str]) -> Step:
    if len(failures) > 1 or task.kind == "none" or not readable(view):
        return squeeze(plan(task, view), 1)[0]
    return alone(task, "No turn is left, so I do all of it in Python, in one block and without sub-calls.")


__all__ = ["DemoModel", "next_step", "opening"]
