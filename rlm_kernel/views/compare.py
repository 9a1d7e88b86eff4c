"""Two runs side by side, for people: what is the same, what changed, what it cost more or less."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from html import escape

from rlm_kernel.text import cut, visible
from rlm_kernel.trace import Status, Trace
from rlm_kernel.views.aligned import Change, Fold, Row, Side, Verdict, align, folded
from rlm_kernel.views.derived import differ_words, differing, origin_line
from rlm_kernel.views.extent import MAX_BYTES, fitted
from rlm_kernel.views.figures import Delta, Figures
from rlm_kernel.views.markup import changed, details, grid, inline, items, prose
from rlm_kernel.views.sources import Replies, label, replies_of
from rlm_kernel.views.summary import MARKS, REPLAYED, count, line
from rlm_kernel.views.words import marked, shortened_diff, word_diff

MAX_LINES = 200
_CHANGE_LINES = 12
_CHANGE_CHARS = 1_500
_ANSWER_CHARS = 8_000
_VERDICTS: tuple[Verdict, ...] = ("same", "changed", "only left", "only right")
# Characters of a change, and rows. The first that fits is taken.
_SIZES = ((8_000, 100), (2_000, 100), (600, 100), (200, 50), (80, 20), (60, 5), (60, 0))


@dataclass(frozen=True, kw_only=True)
class RunCard:
    """One of the runs. `origin` is how it was made from another, `label` what one must know of its replies; both are
    empty for most. `replies` is None where none could come from a record, `differing` counts the steps that were not
    what that has."""

    run_id: str
    status: Status
    answer: str | None
    error: str
    figures: Figures
    origin: str
    label: str
    replies: Replies | None
    differing: int

    @classmethod
    def of(cls, trace: Trace) -> RunCard:
        """That of a trace."""
        end, started = trace.tree.end, trace.started
        return cls(
            run_id=trace.run_id,
            status=trace.status,
            answer=end.answer if end else None,
            error=str(end.error) if end and end.error else "",
            figures=Figures.of(trace),
            origin=origin_line(started.origin) if started and started.origin else "",
            label=label(trace),
            replies=replies_of(trace),
            differing=differing(trace),
        )

    @property
    def reply_words(self) -> str:
        """How many replies were replayed, and how many steps differ."""
        parts = [str(self.replies or ""), differ_words(self.differing) if self.differing else ""]
        return " · ".join(part for part in parts if part)

    @property
    def status_words(self) -> str:
        """The status with its sign."""
        return f"{MARKS[self.status]} {self.status}"


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison:
    """Two runs place by place; `rows` has every call and turn of both. It shows itself in a notebook."""

    left: RunCard
    right: RunCard
    rows: tuple[Row, ...]

    @property
    def delta(self) -> Delta:
        """By how much the right run took more."""
        return Delta.between(self.left.figures, self.right.figures)

    @property
    def same(self) -> bool:
        """Whether the runs did the same, and came to the same."""
        ends = [(card.status, card.answer, card.error) for card in (self.left, self.right)]
        return ends[0] == ends[1] and all(row.verdict == "same" for row in self.rows)

    @cached_property
    def folded(self) -> tuple[Row | Fold, ...]:
        """The rows, those without anything to tell together."""
        return tuple(folded(list(self.rows)))

    def text(self, *, max_lines: int = MAX_LINES) -> str:
        """The comparison for a terminal, in at most so many lines and those of its head and its answer."""
        rows: list[str] = []
        for at, row in enumerate(self.folded):
            told = _row_text(row)
            if rows and len(rows) + len(told) > max_lines:
                rows.append(f"… {count(len(self.folded) - at, 'more place')} left out …")
                break
            rows += told
        return "\n".join([*self._head(), *rows, *self._foot()])

    def html(self, *, max_bytes: int | None = MAX_BYTES) -> str:
        """The comparison as an HTML fragment of at most `max_bytes` of UTF-8 (None: with all rows)."""
        if max_bytes is None:
            return self._html(_SIZES[0][0], len(self.rows))
        return fitted(self._html, _SIZES, max_bytes)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Comparison of {line(self.left.run_id)} and {line(self.right.run_id)}: {self._steps()}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}

    def _steps(self) -> str:
        found = Counter(row.verdict for row in self.rows)
        told = [
            f"{found[each]:,} {'the same' if each == 'same' else each}" for each in _VERDICTS if found[each]
        ]
        return ", ".join(told) or "none"

    def _head(self) -> list[str]:
        out = []
        for name, card in (("Left", self.left), ("Right", self.right)):
            told = " · ".join(part for part in (card.status_words, str(card.figures)) if part)
            out.append(
                f"{name:<10}{line(card.run_id, 80)}  {told}" + (f"  [{card.label}]" if card.label else "")
            )
            made = " · ".join(part for part in (card.origin, card.reply_words) if part)
            out += [f"{'':<10}{made}"] if made else []
        delta = self.delta
        told = " · ".join((delta.token_words, f"cost {delta.cost_words}", f"time {delta.time_words}"))
        return [*out, f"{'Delta':<10}{told}", f"{'Steps':<10}{self._steps()}"]

    def _foot(self) -> list[str]:
        out = []
        for name, before, now in self._ends():
            if before == now:
                out.append(f"{name:<10}the same: {visible(cut(before, _CHANGE_CHARS))}")
            else:
                diff = marked(shortened_diff(word_diff(before, now), _ANSWER_CHARS))
                out.append(f"{name:<10}{diff}")
        return out

    def _ends(self) -> list[tuple[str, str, str]]:
        """What the runs came to: answer and error of the left and the right one, where one of them has any."""
        left, right = self.left, self.right
        pairs = (("Answer", left.answer, right.answer), ("Error", left.error, right.error))
        return [(name, one or "", other or "") for name, one, other in pairs if one or other]

    def _html(self, chars: int, most: int) -> str:
        shown = self.folded[:most]
        rest = len(self.folded) - len(shown)
        rows = "".join(_row_html(row, chars) for row in shown)
        more = f"<li>… {count(rest, 'more place')} not shown here; the traces have them</li>" if rest else ""
        parts = [self._table(), f"<p><b>Steps</b> {self._steps()}</p>", items(rows + more)]
        for name, before, now in self._ends():
            same = prose(cut(before, chars))
            diff = same if before == now else changed(word_diff(before, now), chars)
            parts.append(f"<p><b>{name}</b>{' (the same)' if before == now else ''}</p>{diff}")
        return "<div>" + "\n".join(parts) + "</div>"

    def _table(self) -> str:
        left, right, delta = self.left, self.right, self.delta
        rows = [
            ("Run", left.run_id, right.run_id, ""),
            ("Made", left.origin, right.origin, ""),
            ("Status", left.status_words, right.status_words, ""),
            ("Replies", left.reply_words, right.reply_words, ""),
            ("Source", left.label, right.label, ""),
            ("Tokens", left.figures.token_words, right.figures.token_words, delta.token_words),
            ("Cost", left.figures.cost_words, right.figures.cost_words, delta.cost_words),
            ("Time", left.figures.time_words, right.figures.time_words, delta.time_words),
        ]
        return grid(("", "Left", "Right", "Difference"), [row for row in rows if any(row[1:])])


def compare(left: Trace, right: Trace) -> Comparison:
    """The two runs side by side, their calls and turns matched by path. Both may still run; it is how they stand."""
    return Comparison(left=RunCard.of(left), right=RunCard.of(right), rows=tuple(align(left, right)))


def _row_text(row: Row | Fold) -> list[str]:
    if isinstance(row, Fold):
        return [f"{row.place}  {_fold_words(row)}"]
    head = f"{row.place} {row.kind}  {' · '.join(_told(row))}"
    return [head, *(told for change in _shown(row) for told in _change_text(change))]


def _change_text(change: Change) -> list[str]:
    lines = marked(shortened_diff(change.pieces, _CHANGE_CHARS)).rstrip("\n").split("\n")
    left_out = len(lines) - _CHANGE_LINES
    if left_out > 1:
        lines = [*lines[:_CHANGE_LINES], f"… {left_out:,} more lines"]
    return [f"     {change.aspect if at == 0 else '':<7} {told}".rstrip() for at, told in enumerate(lines)]


def _row_html(row: Row | Fold, chars: int) -> str:
    if isinstance(row, Fold):
        return f"<li>{inline(row.place, 200)} · {_fold_words(row)}</li>"
    summary = f"<b>{inline(row.place, 200)} {row.kind}</b> · {escape(' · '.join(_told(row)))}"
    body = "".join(
        f"<div><b>{change.aspect.capitalize()}</b></div>{changed(change.pieces, chars)}"
        for change in _shown(row)
    )
    return details(summary, body) if body else f"<li>{summary}</li>"


def _shown(row: Row) -> list[Change]:
    # The status is in the row, the root's answer and error are below all rows.
    told = ("status", "answer", "error") if row.place == "0" else ("status",)
    return [change for change in row.changes if change.aspect not in told]


def _told(row: Row) -> list[str]:
    """What stands in a row: what changed, or whose it is, and what it took more."""
    mark = f"{REPLAYED} replayed" if row.right and row.right.replayed else ""
    if row.left and row.right:
        aspects = ", ".join(change.aspect for change in row.changes if change.aspect != "status")
        delta = str(Delta.between(row.left.figures, row.right.figures))
        parts = [_statuses(row.left, row.right), mark, f"{aspects} changed" if aspects else "", delta]
        parts += ["the same"] if row.verdict == "same" else []
    else:
        side = row.left or row.right
        assert side is not None
        parts = [
            row.verdict,
            f"{MARKS[side.status]} {side.status}",
            mark,
            str(side.figures),
            f"“{side.title}”",
        ]
    return [part for part in parts if part]


def _statuses(left: Side, right: Side) -> str:
    now = f"{MARKS[right.status]} {right.status}"
    return now if left.status == right.status else f"{MARKS[left.status]} {left.status} → {now}"


def _fold_words(fold: Fold) -> str:
    turns = sum(row.kind == "turn" for row in fold.rows)
    calls = len(fold.rows) - turns
    replayed = sum(row.right is not None and row.right.replayed for row in fold.rows)
    told = " and ".join(
        [*([count(calls, "call")] if calls else []), *([count(turns, "turn")] if turns else [])]
    )
    verdict = "the same" if fold.verdict == "same" else fold.verdict
    return f"{told} {verdict}" + (f" · {REPLAYED} {replayed:,} replayed" if replayed else "")


__all__ = ["MAX_LINES", "Comparison", "RunCard", "compare"]
