"""Every sentence a model is told. Pure functions from values to text; history only ever grows at its end.

The aims are the reference's, in our words: the model orchestrates rather than reads, looks before it answers,
filters in Python, gives sub-calls few but well-filled prompts, and submits what it has before turns run out
(paper, appendix C; reference prompts).
"""

from __future__ import annotations

from collections.abc import Sequence

from rlm_kernel.engine.settings import Settings
from rlm_kernel.repl.base import BlockResult
from rlm_kernel.text import cut
from rlm_kernel.trace import ContextCard, Decision

PROMPT_CHARS = 4_000
"""A child's prompt longer than this is its context; the question shown is its head and tail."""

HURRY = "A person asked for the answer now."
"""Why a run stops when nothing but somebody's patience is used up."""

_BASE = """\
You answer a question about a context that is too large to read at once. The context is not in this conversation: \
it is the variable `context` in a Python session that you control. You work in turns. In each turn you reply with \
Python in a fenced block tagged repl:

```repl
print(type(context), len(context))
```

The block runs, its variables stay for the next turn, and you get back what it printed (and the value of a last \
expression). Long output is cut in the middle, so print little: counts, samples, the few lines that matter.

In the session:
- `context`: the data. It is a copy; keep it as it is.
- `answer`: a dict. Put the result in `answer["content"]` and set `answer["ready"] = True` to submit it. The run \
ends when that block has run without an error.
- `SHOW_VARS()`: your variables with types and sizes.
- `FINAL(value)` and `FINAL_VAR("name")`: submit a value, or the value of a variable, at once.
"""

_COPY = "It is a copy; keep it as it is."
_LIVE = "It is no copy: what you change in it is changed for its owner too. Keep it as it is."

_CALLS = """\
- `llm_query(prompt)`: the reply of a language model, a str. It sees only the prompt, so put the text into it \
together with a precise question.
- `llm_query_batched(prompts)`: many at the same time, replies in the same order. Use it instead of a loop.
"""

_CHILDREN = """\
- `rlm_query(prompt, context=data)`: the answer of an assistant like you, with a session of its own in which \
`context` is that data. For pieces that need several steps of their own; slower and dearer than `llm_query`.
- `rlm_query_batched(prompts, contexts=pieces)`: many of those at the same time.
"""

_CALLS_ADVICE = """\
A failed single call raises SubcallError; a failed slot of a batch is a SubcallError in the list.

How to work:
1. Look first: type, sizes, a few samples, how the data is divided.
2. Do in Python what Python can do exactly: search, count, filter, sort, parse, join. A model only for meaning.
3. For meaning, cut the relevant part into pieces of up to about 100,000 characters, give each piece to one prompt \
of a batch (few full prompts, not thousands of tiny ones; about 20 to a batch), ask for short structured replies, \
and combine them in Python.
4. Print the result and check it before you submit it. Submit before the turns run out.
"""

_NO_CALLS_ADVICE = """\

How to work: look first (type, sizes, samples); search, count, filter and parse in Python; print the result and \
check it before you submit it. Submit before the turns run out.
"""


def system(settings: Settings, depth: int) -> str:
    """The system message of an rlm call at that depth."""
    parts = [_BASE.replace(_COPY, _LIVE) if settings.isolation == "inline" else _BASE]
    if depth < settings.max_depth:
        parts.append(_CALLS)
        if depth + 1 < settings.max_depth:
            parts.append(_CHILDREN)
        parts.append(_CALLS_ADVICE)
    else:
        parts.append(_NO_CALLS_ADVICE)
    return "".join(parts)


def opening(query: str, card: ContextCard | None, settings: Settings) -> str:
    """The first user message: the question and what is known of the context."""
    return (
        f"Question:\n{query}\n\n{describe(card)}\n\n"
        f"You have not looked at the context yet; examine it before you answer.\n{turn_line(1, settings.max_turns)}"
    )


def describe(card: ContextCard | None) -> str:
    """The context in a few lines: never its content."""
    if card is None:
        return "There is no context for this question: `context` is None."
    lines = [f"The variable `context` is a {card.type}."]
    if card.name != "context":
        lines[0] = f"The variable `context` is a {card.type} (the user calls it {card.name!r})."
    if card.length is not None:
        lines.append(f"Length: {card.length:,}")
    if card.chars is not None and card.chars != card.length:
        lines.append(f"Characters of text: {card.chars:,}")
    if card.schema:
        lines.append(f"Structure: {card.schema}")
    if card.preview:
        lines.append(f"Preview: {card.preview}")
    return "\n".join(lines)


def child_question(prompt: str) -> str:
    """The question of a child that was given a prompt and no context: the prompt is also its context."""
    if len(prompt) <= PROMPT_CHARS:
        return f"{prompt}\n\n(This text is also the value of `context`.)"
    return (
        f"Your task is stated in `context`, a text of {len(prompt):,} characters that holds both the question and "
        f"its material. It reads, with its middle left out:\n{cut(prompt, PROMPT_CHARS)}"
    )


def turn_line(turn: int, of: int) -> str:
    """The line that opens a turn."""
    return f"Turn {turn} of {of}."


def shown(number: int, result: BlockResult, limit: int) -> str:
    """What the model sees of a block: output with its true length, the traceback, notes."""
    parts = [_printed(f"Block {number}", result.stdout, result.stdout_chars, limit)]
    if result.stderr:
        parts.append(_printed(f"Block {number}, on stderr,", result.stderr, result.stderr_chars, limit // 4))
    if result.error:
        text = result.error.traceback or str(result.error)
        parts.append(f"Block {number} failed:\n{cut(text.rstrip(), limit // 2)}")
        if not result.error.traceback.rstrip().endswith(result.error.message.rstrip()):
            parts.append(result.error.message)
    parts += [f"Note: {note}" for note in result.notes]
    return "\n".join(parts)


def decided(number: int, decision: Decision, code: str, shown: str) -> str:
    """What the model sees of a block that a person had a say in."""
    if decision == "skipped":
        return f"Block {number} did not run: the user skipped it."
    if decision == "edited":
        return f"The user changed block {number} before it ran. This is what ran:\n{code}\n\n{shown}"
    return shown


def hint(text: str) -> str:
    """What a person tells the model in the middle of a run."""
    return f"A hint from the user: {text}"


def observation(said: Sequence[str], names: Sequence[str], turn: int, of: int) -> str:
    """The user message after a turn: what its blocks did, and that the next turn begins."""
    parts = [*said]
    if names:
        parts.append(f"Your variables: {cut(', '.join(names), 1000)}")
    return "\n\n".join([*parts, turn_line(turn, of)])


def last_turn(said: Sequence[str], why: str) -> str:
    """The user message before the one extra turn that a call gets when a limit is reached."""
    ask = (
        f"{why} This is your last reply, and no sub-calls are possible any more. Give the best answer you can from "
        'what you have: one repl block that sets `answer["content"]` and `answer["ready"] = True`, or the answer '
        "itself as plain text."
    )
    return "\n\n".join([*said, ask])


def _printed(what: str, text: str, chars: int, limit: int) -> str:
    if not text:
        return f"{what} printed nothing. (Use print to see a value.)"
    count = f"{chars:,} characters" if chars != 1 else "1 character"
    return f"{what} printed ({count}):\n{_middle_out(text, chars, limit)}"


def _middle_out(text: str, chars: int, limit: int) -> str:
    text = text.rstrip("\n")
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {max(chars, len(text)) - 2 * half:,} characters left out …\n{text[-half:]}"


__all__ = [
    "HURRY",
    "PROMPT_CHARS",
    "child_question",
    "decided",
    "describe",
    "hint",
    "last_turn",
    "observation",
    "opening",
    "shown",
    "system",
    "turn_line",
]
