"""Variants of one call, for people: what it gave when it was asked again, beside what it gave at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rlm_kernel.text import cut, visible
from rlm_kernel.trace import Original, Status, Trace
from rlm_kernel.views.extent import MAX_BYTES, fitted
from rlm_kernel.views.figures import UNKNOWN, Delta, Figures
from rlm_kernel.views.markup import changed, details, grid, inline, items, prose
from rlm_kernel.views.sources import label
from rlm_kernel.views.summary import MARKS, count, line
from rlm_kernel.views.words import Piece, marked, shortened_diff, word_diff

LATER = "The later steps of the run were not computed again: they still have the original's answer."
"""What must be said beside every variant."""

_SAME = "the same answer"
_TEXT_CHARS = 2_000
# Characters of a text, and variants. The first that fits is taken.
_SIZES = ((8_000, 100), (2_000, 50), (500, 50), (120, 20), (60, 0))


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How many of the samples gave the same answer, white space and case aside. `same` is the largest such group,
    `original` how many gave the original's answer, `of` how many samples there are."""

    same: int
    original: int
    of: int

    def __str__(self) -> str:
        if not self.same:
            return f"none of {self.of:,} has an answer"
        if self.same == 1:
            return f"no two of {self.of:,} the same, {self.original or 'none'} as the original"
        return f"{self.same:,} of {self.of:,} the same, {self.original or 'none'} as the original"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The call, asked again. `answer` is None where it has none (yet), `label` says where it comes from if from no
    model."""

    run_id: str
    prompt: str
    model: str
    answer: str | None
    error: str
    status: Status
    figures: Figures
    label: str

    @classmethod
    def of(cls, trace: Trace) -> Variant:
        """That of the run that asked it."""
        root, end = trace.root, trace.tree.end
        error = end.error if end and end.error else root.error if root else None
        return cls(
            run_id=trace.run_id,
            prompt=root.prompt if root else "",
            model=root.model if root else "",
            answer=root.answer if root else None,
            error=str(error or ""),
            status=trace.status,
            figures=Figures(usage=trace.usage, seconds=root.seconds if root else None),
            label=label(trace),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class VariantTable:
    """A call's original and its variants; `call` is its path. It shows itself in a notebook."""

    call: str
    original: Original
    variants: tuple[Variant, ...]

    @property
    def agreement(self) -> Agreement | None:
        """How the samples agree; None with fewer than two."""
        if len(self.variants) < 2:
            return None
        found = Counter(_plain(each.answer) for each in self.variants if each.answer is not None)
        return Agreement(
            same=max(found.values(), default=0),
            original=sum(map(self.agrees, self.variants)),
            of=len(self.variants),
        )

    @property
    def figures(self) -> Figures:
        """Those of the original, when it was first made: also where its reply came from a record."""
        usage = self.original.usage
        then = replace(usage, requests=1) if usage.tokens and not usage.requests else usage
        return Figures(usage=then, seconds=self.original.seconds)

    def agrees(self, variant: Variant) -> bool:
        """Whether that variant gave the original's answer, white space and case aside."""
        one, other = self.original.answer, variant.answer
        return one is not None and other is not None and _plain(one) == _plain(other)

    def delta(self, variant: Variant) -> Delta:
        """By how much that variant took more than the original."""
        return Delta.between(self.figures, variant.figures)

    def text(self) -> str:
        """The variants for a terminal."""
        original, agreement = self.original, self.agreement
        head = f"Original  {line(self.call, 80)} {line(original.model, 80)}  {self.figures}".rstrip()
        out = [head, *_indented(_result(original.answer, str(original.error or "")))]
        for number, variant in enumerate(self.variants, 1):
            told = " · ".join(self._facts(variant))
            out.append(f"Variant {number:<2}{line(variant.run_id, 80)} {line(variant.model, 80)}  {told}")
            out += [
                part
                for name, diff in self._changes[number - 1]
                for part in _indented(f"{name}{_shown(diff)}")
            ]
        return "\n".join([*out, *([f"Samples   {agreement}"] if agreement else []), f"Note      {LATER}"])

    def html(self, *, max_bytes: int | None = MAX_BYTES) -> str:
        """The variants as an HTML fragment of at most `max_bytes` of UTF-8 (None: with all of them)."""
        if max_bytes is None:
            return self._html(_SIZES[0][0], len(self.variants))
        return fitted(self._html, _SIZES, max_bytes)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<{count(len(self.variants), 'variant')} of {self.call}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}

    def _facts(self, variant: Variant) -> list[str]:
        delta = str(self.delta(variant))
        told = [_status(variant), str(variant.figures), f"({delta})" if delta else ""]
        told += [_SAME if self.agrees(variant) else "", f"[{variant.label}]" if variant.label else ""]
        return [part for part in told if part]

    @cached_property
    def _changes(self) -> tuple[tuple[tuple[str, list[Piece]], ...], ...]:
        return tuple(tuple(self._diffs(variant)) for variant in self.variants)

    def _diffs(self, variant: Variant) -> Iterator[tuple[str, list[Piece]]]:
        """What is not as in the original: its prompt, where that is another one, then what came of it."""
        original = self.original
        if variant.prompt != original.prompt:
            yield "Prompt: ", word_diff(original.prompt, variant.prompt)
        if variant.answer is None:
            yield "", [Piece(kind="same", text=_result(None, variant.error))]
        elif original.answer is None:
            yield "", [Piece(kind="new", text=variant.answer)]
        else:
            yield "", word_diff(original.answer, variant.answer)

    def _html(self, chars: int, most: int) -> str:
        original, agreement = self.original, self.agreement
        shown, rest = self.variants[:most], len(self.variants) - most
        parts = [
            f"<p><b>Original</b> {inline(self.call, 200)}</p>",
            prose(cut(_result(original.answer, str(original.error or "")), chars)),
            self._table(shown),
            items("".join(self._variant(number, each, chars) for number, each in enumerate(shown, 1))),
            f"<p>… {count(rest, 'more variant')} not shown here</p>" if rest > 0 else "",
            f"<p><b>Samples</b> {agreement}</p>" if agreement else "",
            f"<p><b>Note</b> {LATER}</p>",
        ]
        return "<div>" + "\n".join(part for part in parts if part) + "</div>"

    def _table(self, shown: Sequence[Variant]) -> str:
        figures = self.figures
        rows = [("Original", self.original.model, *_words(figures, None), "")]
        for number, variant in enumerate(shown, 1):
            words = _words(variant.figures, self.delta(variant))
            rows.append((f"Variant {number}", variant.model, *words, _status(variant)))
        return grid(("", "Model", "Tokens", "Cost", "Time", "Status"), rows)

    def _variant(self, number: int, variant: Variant, chars: int) -> str:
        notes = [_SAME if self.agrees(variant) else "", inline(variant.label, 400)]
        note = "".join(f" · {part}" for part in notes if part)
        summary = (
            f"<b>Variant {number}</b> {inline(variant.run_id, 200)} · {inline(variant.model, 200)}{note}"
        )
        body = "".join(
            f"<div><b>{name.rstrip(': ') or 'Answer'}</b></div>{changed(diff, chars)}"
            for name, diff in self._changes[number - 1]
        )
        return details(summary, body, is_open=True)


def variants(original: Original, runs: Sequence[Trace], *, call: str = "") -> VariantTable:
    """The runs that asked a call again, beside what it gave at first. Where `call`, its path, is not given, it is the
    one that the first run names."""
    origins = [trace.started.origin for trace in runs if trace.started and trace.started.origin]
    named = call or (origins[0].at if origins else "")
    return VariantTable(call=named, original=original, variants=tuple(map(Variant.of, runs)))


def _plain(answer: str) -> str:
    return " ".join(answer.split()).casefold()


def _result(answer: str | None, error: str) -> str:
    if answer is not None:
        return answer
    return f"✗ {error}" if error else "no answer"


def _status(variant: Variant) -> str:
    return f"{MARKS[variant.status]} {variant.status}"


def _words(figures: Figures, delta: Delta | None) -> tuple[str, str, str]:
    own = (figures.token_words, figures.cost_words, figures.time_words)
    if delta is None:
        return own
    more = (delta.token_words, delta.cost_words, delta.time_words)
    tokens, cost, time = (
        word if by == UNKNOWN else f"{word} ({by})" for word, by in zip(own, more, strict=True)
    )
    return tokens, cost, time


def _shown(diff: list[Piece]) -> str:
    return marked(shortened_diff(diff, _TEXT_CHARS))


def _indented(text: str) -> list[str]:
    return [f"{'':<10}{part}".rstrip() for part in visible(cut(text, 2 * _TEXT_CHARS)).split("\n")]


__all__ = ["LATER", "Agreement", "Variant", "VariantTable", "variants"]
