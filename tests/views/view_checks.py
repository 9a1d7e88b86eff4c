"""What must hold of every view of every trace."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from html.parser import HTMLParser

TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
FRAGMENT = TABLE | {
    "b",
    "br",
    "code",
    "details",
    "div",
    "i",
    "img",
    "li",
    "p",
    "pre",
    "small",
    "summary",
    "ul",
}
# Only what compares two texts marks what is gone and what has come; a tree has no such words of its own.
DIFF = FRAGMENT | {"del", "ins"}
DOCUMENT = FRAGMENT | {"body", "head", "html", "meta", "title"}
ATTRIBUTES = {
    "details": [[], [("open", None)]],
    "html": [[("lang", "en")]],
    "ul": [[("style", "list-style-type:none")]],
    "meta": [[("charset", "utf-8")], [("name", "color-scheme"), ("content", "light dark")]],
}
LIST = '<ul style="list-style-type:none">'
IMAGE = re.compile(
    r'<img alt="figure, [0-9,]+ (?:KB|bytes?)" src="data:image/(?:png|jpeg);base64,[A-Za-z0-9+/]+={0,2}">'
)
INLINE = {"b", "code", "del", "i", "ins", "small"}
VOID = {"br", "img", "meta"}
PARENTS = {
    "br": {"p"},
    "img": {"div"},
    "li": {"ul"},
    "summary": {"details"},
    "pre": {"", "div", "details"},
    "del": {"pre"},
    "ins": {"pre"},
    "table": {"details", "div"},
    "thead": {"table"},
    "tbody": {"table"},
    "tr": {"thead", "tbody"},
    "th": {"tr"},
    "td": {"tr"},
}


@dataclass
class Seen:
    """What an HTML text holds: its tags as often as they come, and all its text."""

    tags: dict[str, int] = field(default_factory=dict)
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self, allowed: set[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.allowed = allowed
        self.stack: list[str] = []
        self.seen = Seen()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.allowed, f"<{tag}> is not one of ours"
        if tag == "img":
            assert IMAGE.fullmatch(self.get_starttag_text() or ""), "an image is written in one way"
        else:
            assert attrs in ATTRIBUTES.get(tag, [[]]), f"<{tag}> has {attrs}"
        assert tag != "ul" or self.get_starttag_text() == LIST, "a list is written in one way"
        parent = self.stack[-1] if self.stack else ""
        assert parent in PARENTS.get(tag, {parent}), f"<{tag}> inside <{parent}>"
        assert parent not in ("ul", "p", *INLINE) or tag in {"li", "br", *INLINE}, (
            f"<{tag}> inside <{parent}>"
        )
        assert parent != "ul" or tag == "li", f"<{tag}> inside <ul>"
        self.seen.tags[tag] = self.seen.tags.get(tag, 0) + 1
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/> is not one of ours")

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> without a start"
        assert self.stack.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        self.seen.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")


def read(html: str, *, document: bool = False) -> Seen:
    """What the HTML holds. Fails where it is not well formed or holds more than our few tags."""
    return _read(html, DOCUMENT if document else FRAGMENT)


def read_diff(html: str) -> Seen:
    """What HTML holds that compares two texts."""
    return _read(html, DIFF)


def _read(html: str, allowed: set[str]) -> Seen:
    reader = _Reader(allowed)
    reader.feed(html)
    reader.close()
    assert reader.stack == [], f"not closed: {reader.stack}"
    return reader.seen


# Format characters that are drawn: the number and end signs of Arabic, Syriac and Kaithi.
DRAWN = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"


def hidden(text: str) -> list[str]:
    """The characters in a text that hide or reorder others."""
    return [char for char in text if char not in "\t\n" and _hides(char)]


def _hides(char: str) -> bool:
    drawn = char in DRAWN or 0x13430 <= ord(char) <= 0x13455  # joined hieroglyphs
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and not drawn
