"""The things the demo can look for in a text, each by one regular expression."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something to look for. `rule` tells a person what the pattern takes for it; `fold` ignores case."""

    one: str
    many: str
    asked: str
    pattern: str
    rule: str
    fold: bool = False


_COMMON = "about after again also because been before being between both could does each from have here into just like"
_COMMON += " made make many more most much must only other over same should some such than that their them then there"
_COMMON += " these they this those through under until very well were what when where which while will with would your"
_NOT_NAMES = (
    "After All Also And At But By For From He His How If In It Its My No Not Of On Or Our She So That The"
)
_NOT_NAMES += " Their Then There These They This Those To We What When Where Which While Who With You"

THINGS = (
    Thing(
        one="e-mail address",
        many="e-mail addresses",
        asked=r"\be-?mails?\b",
        # A start inside a longer run of such characters is refused, or each of them would be tried in turn.
        pattern=r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+",
        rule="name@host.domain",
    ),
    Thing(
        one="URL",
        many="URLs",
        asked=r"\b(?:urls?|links?|web addresses)\b",
        pattern=r"https?://[^\s<>\"'`)\]}]+(?<![.,;:!?])",
        rule="text that begins with http:// or https://",
    ),
    Thing(
        one="date",
        many="dates",
        asked=r"\bdates?\b",
        pattern=r"\b\d{4}-\d\d-\d\d\b",
        rule="written as 2024-05-31",
    ),
    Thing(
        one="year",
        many="years",
        asked=r"\byears?\b",
        pattern=r"\b(?:1[5-9]\d\d|20\d\d)\b",
        rule="numbers from 1500 to 2099",
    ),
    Thing(
        one="heading",
        many="headings",
        asked=r"\bheadings?\b",
        pattern=r"(?m)^#{1,6}[ \t]+(\S.*)$",
        rule="lines that begin with one to six #",
    ),
    Thing(
        one="TODO comment",
        many="TODO comments",
        asked=r"\b(?:todos?|fixmes?|xxx)\b",
        pattern=r"\b(?:TODO|FIXME|XXX)\b[^\n]{0,200}",
        rule="text from TODO, FIXME or XXX to the end of its line",
    ),
    Thing(
        one="exception raised",
        many="exceptions raised",
        asked=r"\b(?:exceptions?|errors?)\b.*\braised?\b|\braised? (?:exceptions?|errors?)\b",
        pattern=r"(?m)^[ \t]*raise[ \t]+([\w.]*[A-Z]\w*)",
        rule="lines that begin with raise NAME",
    ),
    Thing(
        one="class name",
        many="class names",
        asked=r"\bclass(?:es)?\b",
        pattern=r"(?m)^[ \t]*class[ \t]+(\w+)[ \t]*[(:\[]",
        rule="lines that begin with class NAME",
    ),
    Thing(
        one="function name",
        many="function names",
        asked=r"\b(?:functions?|methods?)\b",
        pattern=r"(?m)^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)",
        rule="lines that begin with def NAME",
    ),
    Thing(
        one="word",
        many="words",
        asked=r"\bwords?\b",
        pattern=rf"\b(?!(?:{_COMMON.replace(' ', '|')})\b)[^\W\d_]{{4,}}\b",
        rule="of four letters or more, without the commonest ones",
        fold=True,
    ),
    Thing(
        one="name",
        many="names",
        asked=r"\b(?:names?|people|persons?|characters?)\b",
        pattern=rf"\b(?!(?:{_NOT_NAMES.replace(' ', '|')})\b)[A-Z][a-z]+(?:[ \t]+(?:[A-Z]\.[ \t]*)?[A-Z][a-z]+)+\b",
        rule="two or more capitalised words in a row",
    ),
)

WORDS = next(thing for thing in THINGS if thing.one == "word")

__all__ = ["THINGS", "WORDS", "Thing"]
