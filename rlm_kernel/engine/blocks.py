"""From a model's reply to the code blocks in it, and what the model must be told about its form.

A block is a fence tagged `repl`, `python` or `py`, of three or more backticks or tildes. Code may contain fences
itself: of the possible ends, the first that leaves valid Python is taken. A block that was cut off is never run.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

TAGS = ("repl", "python", "py")
TRIED_ENDS = 32
"""A block that is no Python up to this many closing fences is none."""
TRIED_CHARS = 500_000
"""How much of a reply is looked at to find where its blocks end; then each ends with the first fence."""
_OPEN = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[A-Za-z0-9_+-]*)[ \t]*(?P<rest>.*)$"
)
_THINK = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST

NO_CODE = (
    "Your reply has no code block, so nothing ran. Reply with Python in a fenced block tagged repl; "
    'to finish, set `answer["content"]` and `answer["ready"] = True` in one.'
)
CUT_OFF = (
    "Your reply was cut off in the middle of a code block, which was not run. Send the block again, shorter, "
    "or in several turns."
)
CUT_SHORT = "Your reply was cut off before it reached a code block. Be brief and send the block."
UNCLOSED = "Your code block had no closing fence; it was run as if it ended with the reply."
BROKEN = (
    "Your code block has no closing fence and is not valid Python as it stands, so it was not run. Close it."
)
OTHER_TAG = "A fenced block tagged {tag!r} was not run. Only blocks tagged repl (or python) run."


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """The code blocks of a reply in order, and notes for the model. `plain` says that it is prose without a fence."""

    blocks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    plain: bool = False


def parse(text: str, finish_reason: str = "stop") -> Parsed:
    """The blocks of a reply. Never fails: whatever is odd becomes a note."""
    lines = _clean(text).split("\n")
    blocks: list[str] = []
    notes: list[str] = []
    trial = _Trial()
    at = 0
    while at < len(lines):
        opened = _OPEN.match(lines[at])
        if opened is None:
            at += 1
        elif opened["tag"].lower() not in TAGS:
            at, note = _skip(lines, at, opened)
            notes.append(note)
        else:
            code, note, at = _block(lines, at, opened, finish_reason, trial)
            blocks += [code] if code else []
            notes += [note] if note else []
    plain = not blocks and not notes
    if plain:
        notes.append(CUT_SHORT if finish_reason == "length" else NO_CODE)
    return Parsed(blocks=tuple(blocks), notes=tuple(dict.fromkeys(notes)), plain=plain)


def with_block(text: str, number: int, code: str) -> str:
    """The reply with other code in its block of that number (from 1), the rest as it was where that is possible."""
    blocks = list(parse(text).blocks)
    old, blocks[number - 1] = blocks[number - 1], code
    if old and text.count(old) == 1:
        changed = text.replace(old, code)
        if list(parse(changed).blocks) == blocks:
            return changed
    return "\n\n".join(map(_fenced, blocks))


def _fenced(code: str) -> str:
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}repl\n{code}\n{fence}"


def prose(text: str) -> str:
    """The reply without its thinking, for the one place where plain text may be the answer."""
    return _clean(text).strip()


def _clean(text: str) -> str:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return _THINK.sub("", text)


class _Trial:
    """What is left to find out for one reply, so that a reply of nothing but fences takes no time either."""

    def __init__(self) -> None:
        self._chars = TRIED_CHARS

    def valid(self, code: str) -> bool:
        """Whether the code is Python; false too when too much has been tried."""
        self._chars -= len(code) + 1
        return self._chars >= 0 and _valid(code)


def _block(
    lines: list[str], at: int, opened: re.Match[str], finish_reason: str, trial: _Trial
) -> tuple[str, str, int]:
    one_line = _one_line(opened)
    if one_line is not None:
        return one_line, "", at + 1
    first = None
    for end in islice(_closing(lines, at + 1, opened["fence"]), TRIED_ENDS):
        first = end if first is None else first
        code = _code(lines[at + 1 : end], opened)
        if trial.valid(code):
            return code, "", end + 1
    if first is not None:
        # No end gives valid Python: take the first, and let Python tell the model what is wrong with it.
        return _code(lines[at + 1 : first], opened), "", first + 1
    code = _code(lines[at + 1 :], opened)
    if finish_reason == "length":
        return "", CUT_OFF, len(lines)
    return (code, UNCLOSED, len(lines)) if trial.valid(code) else ("", BROKEN, len(lines))


def _one_line(opened: re.Match[str]) -> str | None:
    rest, fence = opened["rest"].rstrip(), opened["fence"]
    return rest.removesuffix(fence).strip() if rest.endswith(fence) else None


def _closing(lines: list[str], start: int, fence: str) -> Iterator[int]:
    for number in range(start, len(lines)):
        line = lines[number].strip()
        if len(line) >= len(fence) and set(line) == {fence[0]}:
            yield number


def _code(lines: list[str], opened: re.Match[str]) -> str:
    first = [opened["rest"]] if opened["rest"] else []
    code = "\n".join(first + lines).removeprefix("\ufeff")
    return textwrap.dedent(code).strip("\n") if opened["indent"] else code.strip("\n")


def _valid(code: str) -> bool:
    try:
        compile(code, "<block>", "exec", _AWAIT)
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return False  # a SystemError is what Python 3.11 makes of a RecursionError while it builds the tree
    return True


def _skip(lines: list[str], at: int, opened: re.Match[str]) -> tuple[int, str]:
    end = next(_closing(lines, at + 1, opened["fence"]), len(lines))
    tag = opened["tag"] or "nothing"
    return end + 1, OTHER_TAG.format(tag=tag)


__all__ = ["NO_CODE", "TAGS", "TRIED_CHARS", "TRIED_ENDS", "Parsed", "parse", "prose", "with_block"]
