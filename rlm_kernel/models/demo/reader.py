"""What the demo answers to one plain prompt: rules read the text in the prompt and reply in lines of JSON.

Counting words and matching patterns is all it does; a language model would be asked for meaning here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

from rlm_kernel.models.demo.questions import HELP, NO_ROW, understand
from rlm_kernel.models.demo.things import WORDS, Thing

_PART = re.compile(r'^--- part: (".*") ---$', re.M)
_SENTENCE = re.compile(r"(?:^|(?<=[.!?]\s)|(?<=\n))[A-Z][^.!?=<>{}\[\]|\\_#]{30,250}[.!?](?=\s|$)")
_WORDS_KEPT = 60
_SENTENCES_KEPT = 3


def read(prompt: str) -> str:
    """The rules' reply to a prompt that holds an instruction and, after it, the text."""
    instruction, parts = split(prompt)
    task = understand(instruction)
    if task.kind == "rows" and task.thing:
        return rows(task.thing, parts)
    if task.kind == "digest":
        return digest(parts)
    return not_understood("No rule fits this request.")


def not_understood(why: str) -> str:
    """The honest answer where no rule helps: a sentence that says why, and what the rules can do."""
    examples = "\n".join(f"- {example}" for example in HELP)
    return (
        f"These are demo rules, not a language model. {why} They answer questions like the following, over a text or "
        f"a container of texts:\n{examples}"
    )


def split(prompt: str) -> tuple[str, list[tuple[str, str]]]:
    """The instruction of a prompt, and its named parts."""
    instruction, *rest = _PART.split(prompt)
    if rest:
        return instruction, [(_name(name), text) for name, text in zip(rest[::2], rest[1::2], strict=True)]
    instruction, _, text = prompt.partition("\n\n")
    return instruction, [("the text", text)]


def rows(thing: Thing, parts: list[tuple[str, str]]) -> str:
    """One line of JSON for each part that has such a thing: how often each of them occurs in it."""
    lines = [
        json.dumps({"part": name, "found": found}) for name, text in parts if (found := find(thing, text))
    ]
    return "\n".join(lines) or NO_ROW


def find(thing: Thing, text: str) -> dict[str, int]:
    """How often each such thing occurs in the text."""
    text = text.lower() if thing.fold else text
    return dict(Counter(item.strip() for item in re.findall(thing.pattern, text)))


def digest(parts: list[tuple[str, str]]) -> str:
    """One line of JSON: the words that occur most, and the sentences that hold most of them."""
    counts: Counter[str] = Counter()
    for _, text in parts:
        counts.update(find(WORDS, text))
    sentences = sorted(set(_sentences(parts)), key=lambda sentence: (-_weight(sentence, counts), sentence))
    return json.dumps(
        {"words": dict(counts.most_common(_WORDS_KEPT)), "sentences": sentences[:_SENTENCES_KEPT]}
    )


def _name(literal: str) -> str:
    try:
        return str(json.loads(literal))
    except ValueError:
        return literal  # the text itself holds a line that looks like a heading of ours


def _sentences(parts: list[tuple[str, str]]) -> Iterator[str]:
    for _, text in parts:
        for match in _SENTENCE.finditer(text):
            yield " ".join(match[0].split())


def _weight(sentence: str, counts: Counter[str]) -> float:
    words = re.findall(r"\w+", sentence.lower())
    # The constant keeps the shortest sentences from winning by one frequent word.
    return sum(counts[word] for word in set(words)) / (len(words) + 10)


__all__ = ["digest", "find", "not_understood", "read", "rows", "split"]
