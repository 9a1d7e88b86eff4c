"""Two runs side by side: matched by place, told in words, bounded, and safe to show."""

from __future__ import annotations

import dataclasses
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from trace_examples import SYSTEM, Story, batch, cut_off, error, fenced, fork, nested, one_call, used, wide
from trace_strategies import PLAN, RANDOM, Plan, told
from view_checks import hidden, read_diff

from rlm_kernel.trace import ErrorInfo, Event, ModelReplied, Origin, Trace
from rlm_kernel.views.aligned import Fold, Row
from rlm_kernel.views.compare import Comparison, compare
from rlm_kernel.views.figures import Delta, Figures
from rlm_kernel.views.sources import Replies


def told_run(
    run_id: str, *, answer: str, code: str, replayed: bool = False, price: float | None = 0.002
) -> Trace:
    """A root that prints, and answers in its second turn; its first reply may come from a record."""
    origin = Origin(kind="fork", run="papers-1", at="0.2", edit={"hint": "count again"}) if replayed else None
    story = Story(run_id=run_id, origin=origin)
    story.root()
    story.ask("0", 1, SYSTEM, "Which papers disagree?")
    text = fenced("print(len(context))")
    if replayed:
        story.again("0", 1, text, usage=used(120, 12, 0.001))
    else:
        story.reply("0", 1, text, usage=used(120, 12, 0.001))
    story.code("0", 1, "print(len(context))", stdout="3\n")
    story.ask("0", 2, "Block 1 printed:\n3\n")
    story.reply("0", 2, fenced(code), usage=used(160, 20, price))
    story.code("0", 2, code)
    story.finish("0", answer=answer, how="FINAL")
    return story.end(answer=answer)


def first() -> Trace:
    return told_run("papers-1", answer="1 and 3", code='FINAL("1 and 3")')


def second(**more: Any) -> Trace:
    return told_run("papers-2", answer="1 and 2", code='FINAL("1 and 2")', replayed=True, **more)


def test_a_fork_beside_its_run() -> None:
    assert (
        compare(first(), second()).text()
        == """\
Left      papers-1  ✓ finished · 1.00 s · 280 → 32 tokens · $0.0030
Right     papers-2  ✓ finished · 1.00 s · 160 → 20 tokens · $0.0020  [replayed from a trace]
          Fork of papers-1 at 0.2: hint “count again” · 1 replayed, 1 new
Delta     −132 tokens · cost −$0.0010 · time ±0.00 s
Steps     1 the same, 2 changed
0 rlm  ✓ finished · answer changed · −132 tokens · −$0.0010
0.1 turn  ✓ finished · ↻ replayed · −132 tokens · −$0.0010 · the same
0.2 turn  ✓ finished · code changed
     code    FINAL("1 and [-3-]{+2+}")
Answer    1 and [-3-]{+2+}"""
    )


def test_a_fork_beside_its_run_as_html() -> None:
    html = compare(first(), second()).html()
    read_diff(html)
    for part in (
        "<tr><th>Run</th><td>papers-1</td><td>papers-2</td><td></td></tr>",
        "<tr><th>Made</th><td></td><td>Fork of papers-1 at 0.2: hint “count again”</td><td></td></tr>",
        "<tr><th>Replies</th><td></td><td>1 replayed, 1 new</td><td></td></tr>",
        "<tr><th>Cost</th><td>$0.0030</td><td>$0.0020</td><td>−$0.0010</td></tr>",
        "<p><b>Steps</b> 1 the same, 2 changed</p>",
        "<summary><b>0.2 turn</b> · ✓ finished · code changed</summary>",
        "<div><b>Code</b></div><pre>FINAL(&quot;1 and <del>3</del><ins>2</ins>&quot;)</pre>",
        "<p><b>Answer</b></p><pre>1 and <del>3</del><ins>2</ins></pre></div>",
    ):
        assert part in html


def test_a_run_that_is_not_as_its_record_says_so() -> None:
    assert (
        "4 replayed, 1 by a person, 2 new · 1 step differs from the record" in compare(batch(), fork()).text()
    )
    assert (
        "<td>4 replayed, 1 by a person, 2 new · 1 step differs from the record</td>"
        in compare(batch(), fork()).html()
    )


def test_the_data_of_a_comparison() -> None:
    found = compare(first(), second())
    assert found.right.replies == Replies(replayed=1, written=0, new=1)
    assert found.delta.tokens == -132
    assert found.delta.cost == pytest.approx(-0.001)
    assert [(row.place, row.kind, row.verdict) for row in found.rows] == [
        ("0", "rlm", "changed"),
        ("0.1", "turn", "same"),
        ("0.2", "turn", "changed"),
    ]
    [code] = found.rows[2].changes
    assert (code.aspect, code.left, code.right) == ("code", 'FINAL("1 and 3")', 'FINAL("1 and 2")')
    assert not found.same
    assert repr(found) == "<Comparison of papers-1 and papers-2: 1 the same, 2 changed>"
    assert set(found._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_a_cost_that_is_not_known_is_never_nothing() -> None:
    found = compare(first(), second(price=None))
    assert (found.right.figures.cost, found.delta.cost) == (None, None)
    assert "cost unknown" in found.text()
    assert "<tr><th>Cost</th><td>$0.0030</td><td>unknown</td><td>unknown</td></tr>" in found.html()


def test_a_replay_cost_nothing_and_that_is_known() -> None:
    story = Story(origin=Origin(kind="replay", run="papers-1"))
    story.root()
    story.again("0", 1, "1")
    figures = Figures.of(story.end(answer="1"))
    assert figures.cost == 0.0
    assert (figures.cost_words, figures.token_words) == ("$0.0000", "no tokens")
    assert Delta.between(Figures.of(first()), figures).cost == pytest.approx(-0.003)


@pytest.mark.parametrize(
    ("seconds", "told"), [(None, "unknown"), (-0.001, "±0.00 s"), (-0.2, "−0.20 s"), (61.0, "+1 min 1 s")]
)
def test_how_much_longer_it_took(seconds: float | None, told: str) -> None:
    assert Delta(tokens=0, cost=0.0, seconds=seconds).time_words == told


def test_the_same_run_twice() -> None:
    found = compare(one_call(), one_call())
    assert found.same
    assert found.text().splitlines()[2:] == [
        "Delta     ±0 tokens · cost ±$0.0000 · time ±0.00 s",
        "Steps     3 the same",
        "0…0.2  1 call and 2 turns the same",
        "Answer    the same: 1 and 3",
    ]
    assert "<li>0…0.2 · 1 call and 2 turns the same</li>" in found.html()


def test_a_batch_of_which_a_few_are_others_folds() -> None:
    left, right = wide(1000, batched=True), wide(1000, batched=True)
    events = [
        dataclasses.replace(event, text="other") if isinstance(event, ModelReplied) and event.call_id == "0.1.2" else event
        for event in right.events
    ]  # fmt: skip
    found = compare(left, Trace(events))
    assert found.text().splitlines()[4:-1] == [
        "0…0.1.1  2 calls and 1 turn the same",
        "0.1.2 llm  ✓ finished · reply changed",
        "     reply   [-done 2-]{+other+}",
        "0.1.3…0.1.1000  998 calls the same",
    ]


def test_calls_that_only_one_run_has_fold_when_they_are_many() -> None:
    found = compare(wide(2, batched=False), wide(12, batched=False))
    assert found.text().splitlines()[-2] == "0.1.3…0.1.12  10 calls only right"
    assert "0.1.3 llm  only right" in compare(wide(2, batched=False), wide(3, batched=False)).text()


def test_places_that_only_one_run_has() -> None:
    found = compare(one_call(), error())
    assert [row.verdict for row in found.rows] == ["changed", "changed", "changed"]
    short, long = compare(batch(), nested()), compare(nested(), batch())
    assert [row.place for row in short.rows if row.verdict == "only right"] == ["0.1.1.1", "0.1.1.1.1"]
    assert [row.place for row in long.rows if row.verdict == "only left"] == ["0.1.1.1", "0.1.1.1.1"]
    assert "0.1.2…0.1.5  4 calls only left" in short.text()
    assert "0.1.4 llm  only left · ✗ failed · 0.90 s · “Sum up p4”" in compare(batch(), fork()).text()


def test_a_failure_and_a_status_are_told() -> None:
    text = compare(one_call(), error()).text()
    assert "0 rlm  ✓ finished → ✗ failed · answer, error changed" in text
    assert "0.1 turn  ✓ finished → ✗ failed · code, output, error changed" in text
    assert "     error   {+NameError: name 'contxt' is not defined+}" in text
    assert "Answer    [-1 and 3-]" in text
    assert "Error     {+ServerUnreachable: no connection+}" in text


def test_another_model_a_prompt_and_a_reply_are_told() -> None:
    def asked(model: str, prompt: str, text: str) -> Trace:
        story = Story()
        story.root()
        story.reply("0", 1, fenced("llm_query(p)"))
        story.llm("0.1.1", prompt)
        story.reply("0.1.1", 1, text, model=model)
        story.finish("0.1.1", how="reply")
        return story.end(answer="x")

    found = compare(asked("small", "Is 1 true?", "Yes."), asked("large", "Is 2 true?", "No."))
    assert [(change.aspect, change.left, change.right) for change in found.rows[2].changes] == [
        ("prompt", "Is 1 true?", "Is 2 true?"),
        ("model", "small", "large"),
        ("reply", "Yes.", "No."),
    ]


def test_a_reply_with_other_fences_around_the_same_code_is_not_the_same() -> None:
    def written(text: str) -> Trace:
        story = Story()
        story.root()
        story.reply("0", 1, text)
        story.code("0", 1, "x = 1")
        return story.end(answer="x")

    found = compare(written("```repl\nx = 1\n```"), written("~~~python\nx = 1\n~~~"))
    assert [change.aspect for change in found.rows[1].changes] == ["reply"]


def test_runs_that_have_not_begun_or_stop() -> None:
    assert compare(Trace(live=True), first()).text().splitlines()[0].startswith("Left")
    assert compare(Trace(), Trace()).same
    read_diff(compare(Trace(live=True), cut_off()).html())
    live = Story()
    live.root()
    found = compare(live.trace, first())
    assert found.delta.seconds is None
    assert "time unknown" in found.text()


# Bounds


@pytest.mark.parametrize("max_lines", [1, 10, 200])
def test_no_more_lines_than_asked_for(max_lines: int) -> None:
    found = compare(wide(500, batched=False), wide(500, batched=False, text="otherwise"))
    lines = found.text(max_lines=max_lines).splitlines()
    assert len(lines) <= max_lines + 4 + 1 + 1  # head, notice, answer
    assert "more places left out …" in lines[-2]


@pytest.mark.parametrize("max_bytes", [16 * 1024, 128 * 1024])
def test_html_is_no_larger_than_it_may_be(max_bytes: int) -> None:
    left = wide(400, batched=False, prompt="語" * 3000, text="a " * 500)
    right = wide(400, batched=False, prompt="<&" * 3000, text="b " * 500)
    found = compare(left, right)
    html = found.html(max_bytes=max_bytes)
    assert len(html.encode()) <= max_bytes
    read_diff(html)
    assert "not shown here; the traces have them" in html
    whole = found.html(max_bytes=None)
    assert all(f"<b>{row.place} {row.kind}</b>" in whole for row in found.rows[2:])


def test_a_long_change_is_cut_in_the_text() -> None:
    left = told_run("a", answer="x", code="\n".join(f"a{n}" for n in range(100)))
    right = told_run("b", answer="x", code="\n".join(f"b{n}" for n in range(100)))
    text = compare(left, right).text()
    assert "more lines" in text
    assert len(text.splitlines()) < 40


# Any two runs


def places(found: Comparison) -> list[str]:
    return [row.place for row in found.rows]


@settings(deadline=None, max_examples=60)
@given(one=PLAN, other=PLAN, random=RANDOM)
def test_any_two_runs(one: Plan, other: Plan, random: Random) -> None:
    left, right = Trace(told(one, random)), Trace(told(other, random))
    found, back = compare(left, right), compare(right, left)
    assert len(places(found)) == len(set(places(found)))
    assert {row.place for row in found.rows if row.left} >= {call.id for call in left.walk()}
    assert {row.place for row in found.rows if row.right} >= {call.id for call in right.walk()}
    swapped = {"only left": "only right", "only right": "only left"}
    assert [swapped.get(row.verdict, row.verdict) for row in back.rows] == [row.verdict for row in found.rows]
    assert back.delta.tokens == -found.delta.tokens
    unfolded: list[Row] = []
    for row in found.folded:
        unfolded += row.rows if isinstance(row, Fold) else [row]
    assert unfolded == list(found.rows)
    assert hidden(found.text()) == []
    assert hidden(read_diff(found.html()).text) == []
    for row in found.rows:
        for change in row.changes:
            assert "".join(piece.text for piece in change.pieces if piece.kind != "new") == change.left
            assert "".join(piece.text for piece in change.pieces if piece.kind != "old") == change.right


@settings(deadline=None, max_examples=30)
@given(plan=PLAN, random=RANDOM)
def test_any_run_is_the_same_as_itself_whatever_order_its_calls_ended_in(plan: Plan, random: Random) -> None:
    found = compare(Trace(told(plan, random)), Trace(told(plan, random)))
    assert found.same
    assert {row.verdict for row in found.rows} == {"same"}


@settings(deadline=None, max_examples=30)
@given(plan=PLAN, random=RANDOM)
def test_any_beginning_of_a_run_beside_it(plan: Plan, random: Random) -> None:
    events: list[Event] = told(plan, random)
    for size in {0, 1, 2, len(events) // 2, len(events) - 1}:
        found = compare(Trace(events[:size], live=size % 2 == 0), Trace(events))
        assert hidden(found.text()) == []
        read_diff(found.html())


SLY = (
    "a\x1b[2Jb\u202ec\u200bd\x00e\rf\u2028g\ud83d</pre><script>alert(1)</script><img src=x onerror=alert(1)>"
)


def sly(more: str) -> Trace:
    """A run whose every text is made to hide or to be markup."""
    text = f"{SLY}{more}"
    lost = ErrorInfo(type=text, message=text, traceback=text)
    story = Story(text, run_id=text, origin=Origin(kind="fork", run=text, at=text, edit={text: text}))
    story.root()
    story.ask("0", 1, text, text, last=text)
    story.reply("0", 1, text, reasoning=text, model=text)
    story.llm("0.1.1", text)
    story.reply("0.1.1", 1, text, error=lost, model=text)
    story.finish("0.1.1", "failed", error=lost)
    story.code("0", 1, text, stdout=text, stderr=text, error=lost)
    story.finish("0", answer=text, how=text, error=lost)
    return story.end(answer=text, error=lost)


@pytest.mark.parametrize("other", [first, fork, lambda: sly(" more"), Trace], ids=range(4))
def test_nothing_hides_and_nothing_becomes_markup(other: Any) -> None:
    for found in (compare(sly(""), other()), compare(other(), sly(""))):
        assert hidden(found.text()) == []
        seen = read_diff(found.html())
        assert hidden(seen.text) == []
        assert "alert(1)" in seen.text
        assert hidden(repr(found)) == []
