"""What the demo understands: from a question in plain words to a `Task`, by small patterns.

A new kind of question is a function in `_READERS`; a new kind of thing to look for is a row of `THINGS` in
`demo_things`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from rlm_kernel.models.demo.things import THINGS, Thing

Kind = Literal[
    "count", "parts", "most", "size", "extreme", "rank", "list", "rows", "summary", "digest", "none"
]

HELP = (
    "How many times does the word 'whale' occur?",
    "How many modules import json?  How many papers mention 'entropy'?",
    "Which file mentions 'timeout' most often?  Which chapter is the longest?",
    "How many words are there?",
    "Which class name is defined in the most modules?",
    "What are the top 10 names (years, words, URLs, e-mail addresses, functions, exceptions raised)?",
    "List every heading (TODO comment, date, year, e-mail address).",
    "Summarise the text.",
)
"""Questions the rules understand, for a person who asked another."""

ROW = '{"part": "name of the part", "found": {"item": times}}'
NO_ROW = '{"part": "", "found": {}}'
DIGEST = '{"words": {"word": times}, "sentences": ["sentence"]}'


@dataclass(frozen=True, kw_only=True)
class Task:
    """A question as the rules understand it. `unit` is what the question calls the parts of the context.

    `text` is the word it asks for, and `pattern` and `rule` how that is found; `thing` what it collects;
    `by_parts` counts parts instead of occurrences; `top` is how many are asked for.
    """

    kind: Kind = "none"
    text: str = ""
    pattern: str = ""
    rule: str = ""
    thing: Thing | None = None
    unit: str = "parts"
    measure: str = ""
    verb: str = ""
    by_parts: bool = False
    top: int = 1
    recursive: bool = False


_UNITS = r"modules?|files?|documents?|papers?|pages?|texts?|books?|chapters?|reviews?|messages?|articles?|rows?|items?|"
_UNITS += r"entries|notes?|stories|letters?|records?|parts?|e-?mails?|sections?|posts?|abstracts?|comments?"
_QUOTED = (
    r"“(?P<a>[^”]+)”|‘(?P<b>[^’]+)’|«(?P<c>[^»]+)»|`(?P<d>[^`]+)`|\"(?P<e>[^\"]+)\"|(?<!\w)'(?P<f>.+?)'(?!\w)"
)
_BARE = r"(?P<g>[\w.+#/@-]*[\w+#])"
_VERBS = r"mention|contain|import|use|include|have|define|refer to|talk about|speak of|say"
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "ten": 10, "twenty": 20}


def understand(question: str) -> Task:
    """The task a question asks for; of kind `none` when no pattern fits."""
    text = " ".join(question.split())
    task = next((task for reader in _READERS if (task := reader(text))), Task())
    recursive = re.search(r"\brecursive|\brecursion\b|\bchildren\b", text, re.I) is not None
    return replace(task, recursive=recursive)


def ask_rows(thing: Thing) -> str:
    """The prompt that asks for every such thing in the parts that follow it."""
    return (
        f"List every {thing.one} ({thing.rule}) in each of the parts. Reply with one line of JSON for each part "
        f"that has any, {ROW}, or with {NO_ROW} when no part has one. Nothing else."
    )


def ask_digest() -> str:
    """The prompt that asks what the parts that follow it are about."""
    return (
        "Summarise the parts in one line of JSON: the words of content that occur most, and three sentences, word "
        f"for word, that hold many of them: {DIGEST}. Nothing else."
    )


def _asked_as_json(text: str) -> Task | None:
    if text.startswith(ask_digest()):
        return Task(kind="digest")
    thing = next((thing for thing in THINGS if text.startswith(ask_rows(thing))), None)
    return Task(kind="rows", thing=thing) if thing else None


def _count(text: str) -> Task | None:
    times = r"how many times|how often|how frequently|number of times|(?:number of |count (?:the )?)occurrences of"
    if not re.search(rf"\b(?:{times}|how many occurrences of)\b", text, re.I):
        return None
    word = _word(
        text, rf"\b(?:word|term|name|string|phrase|text|occurrences of|does|do|is|are)\s+(?:the )?{_BARE}"
    )
    return _search(Task(kind="count"), word, text)


def _parts(text: str) -> Task | None:
    match = re.search(rf"\bhow many (?:of the )?(\w+) (?:that )?({_VERBS})s?\b", text, re.I)
    if not match:
        return None
    word = _word(
        text, rf"\b(?:{_VERBS})s?\s+(?:the |a |an )?(?:word |term |class |function |named |called )*{_BARE}"
    )
    return _search(Task(kind="parts", unit=match[1].lower(), verb=match[2].lower()), word, text)


def _most(text: str) -> Task | None:
    match = re.search(rf"\b(?:which|what) (\w+) ({_VERBS})s?\b.*\bmost\b", text, re.I)
    if not match:
        return None
    word = _word(text, rf"\b(?:{_VERBS})s?\s+(?:the |a |an )?(?:word |term )?{_BARE}")
    return _search(Task(kind="most", unit=_plural(match[1]), verb=match[2].lower()), word, text)


def _extreme(text: str) -> Task | None:
    match = re.search(r"\b(longest|largest|biggest|shortest|smallest)\b", text, re.I)
    unit = re.search(rf"\b({_UNITS})\b", text, re.I)
    if not match or not unit:
        return None
    least = match[1].lower() in ("shortest", "smallest")
    return Task(kind="extreme", measure="shortest" if least else "longest", unit=_plural(unit[1]))


def _size(text: str) -> Task | None:
    if re.search(r"\bhow (?:long|big|large) (?:is|are)\b", text, re.I):
        return Task(kind="size", measure="characters", unit=_unit(text))
    match = re.search(rf"\bhow many (words|lines|characters|{_UNITS})\b(?! addresses)", text, re.I)
    if not match:
        return None
    asked = match[1].lower()
    if asked in ("words", "lines", "characters"):
        return Task(kind="size", measure=asked, unit=_unit(text))
    return Task(kind="size", measure=asked, unit=asked)


def _rank(text: str) -> Task | None:
    thing = _thing(text)
    if not thing or not re.search(r"\bmost\b|\btop\b|\bcommonest\b", text, re.I):
        return None
    by = re.search(rf"\b(?:in|by|across) (?:the )?most (?:different )?({_UNITS})\b", text, re.I)
    unit = by[1].lower() if by else _unit(text)
    return Task(kind="rank", thing=thing, by_parts=bool(by), unit=unit, top=_top(text))


def _list(text: str) -> Task | None:
    thing = _thing(text)
    if not thing or not re.search(
        r"\b(?:list|find|extract|show|give|name|collect|which|what|how many)\b", text, re.I
    ):
        return None
    return Task(kind="list", thing=thing, unit=_unit(text))


def _summary(text: str) -> Task | None:
    if not re.search(r"\bsummar|\bwhat (?:is|are) .*\babout\b|\boverview\b|\bgist\b", text, re.I):
        return None
    return Task(kind="summary", unit=_unit(text))


_READERS: tuple[Callable[[str], Task | None], ...] = (
    _asked_as_json,
    _count,
    _parts,
    _most,
    _extreme,
    _size,
    _rank,
    _list,
    _summary,
)


def _search(task: Task, word: str, text: str) -> Task | None:
    if not word:
        return None
    exact = rf"(?<!\w){re.escape(word)}(?!\w)"
    if task.verb == "import":
        pattern = rf"(?m)^[ \t]*(?:from[ \t]+{re.escape(word)}(?:\.\w+)*[ \t]+import\b"
        pattern += rf"|import[ \t]+(?:[^#\n;]*,[ \t]*)?{re.escape(word)}(?!\w))"
        rule = "by the lines that begin with import or from"
    elif task.verb == "define":
        pattern = rf"(?m)^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+{re.escape(word)}(?!\w)"
        rule = "by the lines that begin with def or class"
    elif task.verb in ("contain", "include") or re.search(r"\b(?:string|text)\s+\W", text, re.I):
        pattern, rule = re.escape(word), "exactly as written"
    else:
        pattern, rule = f"(?i){exact}", "as a whole word, in capitals or not"
    return replace(task, text=word, pattern=pattern, rule=rule)


def _word(text: str, bare: str) -> str:
    match = re.search(_QUOTED, text) or re.search(bare, text, re.I)
    return next((group for group in match.groupdict().values() if group), "").strip() if match else ""


def _thing(text: str) -> Thing | None:
    return next((thing for thing in THINGS if re.search(thing.asked, text, re.I)), None)


def _unit(text: str) -> str:
    match = re.search(rf"\b({_UNITS})\b", text, re.I)
    return _plural(match[1]) if match else "parts"


def _plural(unit: str) -> str:
    unit = unit.lower()
    return unit if unit.endswith("s") else unit[:-1] + "ies" if unit.endswith("y") else unit + "s"


def _top(text: str) -> int:
    numbers = "|".join(_NUMBERS)
    match = re.search(
        rf"\b(\d{{1,3}}|{numbers}) (?:most|commonest|top|\w+ names|\w+s\b)|\btop[ -](\d{{1,3}}|{numbers})\b",
        text,
        re.I,
    )
    found = (match[1] or match[2]).lower() if match else ""
    if found:
        return _NUMBERS.get(found) or max(1, int(found))
    return 5 if re.search(r"\bare\b|\btop\b|\bwere\b", text, re.I) else 1


__all__ = [
    "DIGEST",
    "HELP",
    "NO_ROW",
    "ROW",
    "Kind",
    "Task",
    "ask_digest",
    "ask_rows",
    "understand",
]
