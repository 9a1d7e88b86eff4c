"""Variants of one call beside its original."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_examples import Story, used
from view_checks import hidden, read_diff

from rlm_kernel.trace import CallStarted, ErrorInfo, Origin, Original, Trace, Usage
from rlm_kernel.views.variants import LATER, Agreement, VariantTable, variants

FIRST = Original(
    prompt="Is 1 true?", model="small", answer="It is not.", usage=used(100, 10, 0.002), seconds=0.2
)


def asked_again(
    answer: str | None,
    prompt: str = FIRST.prompt,
    *,
    run_id: str = "papers-2",
    mode: Any = "live",
    **more: Any,
) -> Trace:
    """The run of a rerun of 0.1.2; without an answer it failed."""
    story = Story(
        run_id=run_id, mode=mode, origin=Origin(kind="rerun", run="papers-1", at="0.1.2", original=FIRST)
    )
    story.record(CallStarted(call_id="0", kind="llm", depth=0, model="large", prompt=prompt))
    if answer is None:
        lost = ErrorInfo(type="ServerFailed", message="500 after 3 retries")
        story.reply("0", 1, "", usage=Usage(), error=lost)
        story.finish("0", "failed", error=lost)
        return story.end("failed", error=lost)
    story.reply("0", 1, answer, **more)
    story.finish("0", how="reply")
    return story.end(answer=answer)


def test_one_variant() -> None:
    found = variants(FIRST, [asked_again("It is so.", "Is 2 true?", usage=used(50, 5, 0.001))])
    assert (
        found.text()
        == f"""\
Original  0.1.2 small  0.20 s · 100 → 10 tokens · $0.0020
          It is not.
Variant 1 papers-2 large  ✓ finished · 0.20 s · 50 → 5 tokens · $0.0010 · (−55 tokens · −$0.0010)
          Prompt: Is [-1-]{{+2+}} true?
          It is [-not-]{{+so+}}.
Note      {LATER}"""
    )
    assert found.agreement is None
    assert repr(found) == "<1 variant of 0.1.2>"
    assert found.call == "0.1.2"


def test_one_variant_as_html() -> None:
    html = variants(FIRST, [asked_again("It is so.", "Is 2 true?", usage=used(50, 5, 0.001))]).html()
    read_diff(html)
    for part in (
        "<p><b>Original</b> 0.1.2</p>\n<p>It is not.</p>",
        "<tr><th>Variant 1</th><td>large</td><td>50 → 5 tokens (−55 tokens)</td><td>$0.0010 (−$0.0010)</td>",
        "<td>0.20 s (±0.00 s)</td><td>✓ finished</td></tr>",
        "<div><b>Prompt</b></div><pre>Is <del>1</del><ins>2</ins> true?</pre>",
        "<div><b>Answer</b></div><pre>It is <del>not</del><ins>so</ins>.</pre>",
        f"<p><b>Note</b> {LATER}</p>",
    ):
        assert part in html
    assert "Samples" not in html


def test_samples_say_how_they_agree() -> None:
    answers = ["It is not.", "it  is\nNOT.", "It is.", "It is not. ", None]
    found = variants(FIRST, [asked_again(answer) for answer in answers])
    assert found.agreement == Agreement(same=3, original=3, of=5)
    assert "Samples   3 of 5 the same, 3 as the original" in found.text()
    assert "<p><b>Samples</b> 3 of 5 the same, 3 as the original</p>" in found.html()
    assert found.text().count("the same answer") == 3
    assert "          ✗ ServerFailed: 500 after 3 retries" in found.text()


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["a", "a"], "2 of 2 the same, none as the original"),
        (["a", "b"], "no two of 2 the same, none as the original"),
        ([None, None], "none of 2 has an answer"),
    ],
)
def test_how_samples_agree(answers: list[str | None], told: str) -> None:
    assert str(variants(FIRST, [asked_again(answer) for answer in answers]).agreement) == told


def test_a_variant_that_no_model_gave_says_so() -> None:
    found = variants(FIRST, [asked_again("x", mode="scripted")])
    assert "[scripted replies, not a model's]" in found.text()
    assert "scripted replies, not a model&#x27;s</summary>" in found.html()


def test_a_cost_that_is_not_known_is_never_nothing() -> None:
    html = variants(FIRST, [asked_again("x", usage=used(50, 5, None))]).html()
    assert "<td>50 → 5 tokens (−55 tokens)</td><td>unknown</td>" in html


def test_an_original_of_a_record_has_what_it_used_then() -> None:
    then = Original(
        prompt="p", model="m", answer="a", usage=Usage(requests=0, input_tokens=9, output_tokens=1, cost=0.5)
    )
    assert "9 → 1 tokens · $0.5000" in variants(then, []).text()


def test_an_original_without_an_answer() -> None:
    lost = Original(prompt="p", model="m", error=ErrorInfo(type="E", message="gone"))
    found = variants(lost, [asked_again("x"), asked_again("y")], call="0.7.1")
    assert found.text().splitlines()[:2] == ["Original  0.7.1 m", "          ✗ E: gone"]
    assert found.agreement == Agreement(same=1, original=0, of=2)
    read_diff(found.html())


def test_a_variant_that_runs_has_no_answer_yet() -> None:
    story = Story()
    story.record(CallStarted(call_id="0", kind="llm", depth=0, model="large", prompt="p"))
    found = variants(FIRST, [story.trace, Trace(live=True)])
    assert "○ running" in found.text()
    assert "no answer" in found.text()
    assert found.delta(found.variants[0]).seconds is None


SLY = (
    "a\x1b[2Jb\u202ec\u200bd\x00e\rf\u2028g\ud83d</pre><script>alert(1)</script><img src=x onerror=alert(1)>"
)


def test_nothing_hides_and_nothing_becomes_markup() -> None:
    lost = ErrorInfo(type=SLY, message=SLY, traceback=SLY)
    for first in (
        Original(prompt=SLY, model=SLY, answer=SLY, error=lost),
        Original(prompt=SLY, model=SLY, error=lost),
    ):
        found = variants(
            first, [asked_again(f"{SLY} more", SLY, run_id=SLY, model=SLY), asked_again(None)], call=SLY
        )
        assert hidden(found.text()) == []
        seen = read_diff(found.html())
        assert hidden(seen.text) == []
        assert seen.text.count("alert(1)") >= 6


def test_many_long_variants_fit() -> None:
    runs = [asked_again(f"{number} {'語 & ' * 20_000}") for number in range(60)]
    html = variants(FIRST, runs).html()
    assert len(html.encode()) <= 128 * 1024
    read_diff(html)
    assert "<p><b>Samples</b> no two of 60 the same, none as the original</p>" in html


@settings(deadline=None, max_examples=50)
@given(answers=st.lists(st.none() | st.text(max_size=20) | st.sampled_from(["a", "A ", "b"]), max_size=4))
def test_any_variants(answers: list[str | None]) -> None:
    found: VariantTable = variants(FIRST, [asked_again(answer) for answer in answers])
    assert hidden(found.text()) == []
    assert hidden(read_diff(found.html()).text) == []
    agreement = found.agreement
    assert (agreement is None) == (len(answers) < 2)
    if agreement:
        assert agreement.of == len(answers)
        assert (agreement.same > 0) == any(answer is not None for answer in answers)
        assert agreement.original <= agreement.of
