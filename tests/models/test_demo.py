"""The demo model: which questions it understands, what it writes, and what comes out of whole runs."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel import RLM, Run
from rlm_kernel.engine import prompts
from rlm_kernel.engine.blocks import parse
from rlm_kernel.engine.settings import Settings
from rlm_kernel.models import Request
from rlm_kernel.models.demo import DemoModel
from rlm_kernel.models.demo.model import next_step
from rlm_kernel.models.demo.plan import View, literal, plan, squeeze
from rlm_kernel.models.demo.questions import HELP, ask_digest, ask_rows, understand
from rlm_kernel.models.demo.reader import read
from rlm_kernel.models.demo.things import THINGS
from rlm_kernel.repl.describe import describe
from rlm_kernel.trace import ContextCard, Message

CLASSES = next(thing for thing in THINGS if thing.one == "class name")
BOOK = """\
# Loomings

Call me Ishmael. The great white whale was seen by Captain Ahab in 1851.
Write to ahab@pequod.example.org, or to starbuck@pequod.example.org.

# The Carpet-Bag

In 1851 the Whale turned upon the ship, and Captain Ahab stood in the white water.
"""
CODE = {
    "a.py": "import json\n\nclass Reader:\n    pass\n\nclass Error(Exception):\n    pass\n",
    "b.py": "import os, json\n\nclass Reader:\n    def read(self): ...\n",
    "c.py": "# import json\nclass Writer:\n    def write(self): ...\n",
}


def run(question: str, context: Any, **options: Any) -> Run:
    return RLM(model="demo", trace_dir=None, **options).run(question, context=context)


def messages(question: str, context: Any, *said: str, settings: Settings | None = None) -> list[Message]:
    """The messages of a root call: its opening, then replies and observations in turn."""
    settings = settings or Settings()
    card = ContextCard(**describe(context)) if context is not None else None
    opening = [
        Message(role="system", content=prompts.system(settings, 0)),
        Message(role="user", content=prompts.opening(question, card, settings)),
    ]
    roles = ("assistant", "user")
    return opening + [Message(role=roles[at % 2], content=text) for at, text in enumerate(said)]


def code(messages: Sequence[Message]) -> str:
    """The one block of the next reply."""
    (block,) = parse(next_step(messages)).blocks
    ast.parse(block)
    return block


# Which questions it understands


@pytest.mark.parametrize(
    ("question", "kind", "text"),
    [
        ("How many times does the word 'whale' occur?", "count", "whale"),
        ("how often is “sea bird” mentioned", "count", "sea bird"),
        ('Count the occurrences of "don\'t".', "count", "don't"),
        ("How many modules import json?", "parts", "json"),
        ("How many papers mention `entropy`?", "parts", "entropy"),
        ("Which file mentions ‘timeout’ most often?", "most", "timeout"),
        ("Which chapter is the longest?", "extreme", ""),
        ("How many words are there?", "size", ""),
        ("How long is it?", "size", ""),
        ("Which class name is defined in the most modules?", "rank", ""),
        ("What are the top 10 names?", "rank", ""),
        ("List every e-mail address.", "list", ""),
        ("Summarise the text.", "summary", ""),
        ("What is this book about?", "summary", ""),
        ("Who is happy, and why?", "none", ""),
        ("", "none", ""),
    ],
)
def test_recognises_a_question_and_the_word_in_it(question: str, kind: str, text: str) -> None:
    task = understand(question)

    assert (task.kind, task.text) == (kind, text)


def test_the_questions_it_says_it_understands_are_understood() -> None:
    questions = [part + "?" for line in HELP for part in line.removesuffix("?").split("?  ")]

    assert [question for question in questions if understand(question).kind == "none"] == []


def test_in_the_most_modules_counts_modules_and_not_occurrences() -> None:
    by_parts = understand("Which class name is defined in the most modules?")
    by_times = understand("Which ten years are mentioned most often?")

    assert (by_parts.by_parts, by_parts.unit, by_parts.top) == (True, "modules", 1)
    assert (by_times.by_parts, by_times.top) == (False, 10)


def test_a_question_may_ask_for_recursion() -> None:
    assert understand("Which word occurs most often? Work recursively.").recursive
    assert not understand("Which word occurs most often?").recursive


# What it answers to a plain prompt


def test_reads_the_parts_of_a_prompt_and_replies_in_lines_of_json() -> None:
    prompt = f'{ask_rows(CLASSES)}\n\n--- part: "a.py" ---\nclass A:\nclass A:\n\n--- part: "b.py" ---\nx = 1'

    assert read(prompt) == '{"part": "a.py", "found": {"A": 2}}'


def test_replies_with_an_empty_row_when_there_is_nothing() -> None:
    assert json.loads(read(f"{ask_rows(CLASSES)}\n\nno code here")) == {"part": "", "found": {}}


def test_a_digest_quotes_sentences_of_the_text() -> None:
    reply = json.loads(read(f"{ask_digest()}\n\n{BOOK}"))

    assert reply["words"]["white"] == 2
    assert all(sentence in " ".join(BOOK.split()) for sentence in reply["sentences"])


def test_says_that_it_is_no_language_model_when_no_rule_fits() -> None:
    assert "not a language model" in read("Translate this into French.\n\nGood morning.")


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.one)
@pytest.mark.parametrize("text", ["a" * 100_000, "A" * 100_000, " " * 100_000, "Aa " * 33_000, "# " * 50_000])
def test_a_pattern_takes_no_longer_on_a_text_made_to_slow_it_down(thing: Any, text: str) -> None:
    asked = f"{ask_rows(thing)}\n\n{text}"

    assert read(asked).startswith("{")  # pytest's timeout fails it where a pattern is quadratic


# What it writes


@given(word=st.text(min_size=1), settings=st.integers(0, 3).map(lambda depth: Settings(max_depth=depth)))
def test_any_word_gives_valid_python_in_one_block(word: str, settings: Settings) -> None:
    for question in (f"How many times does '{word}' occur?", f"How many files mention “{word}”?", word):
        code(messages(question, CODE, settings=settings))
        code(messages(question, CODE, "look", "Block 1 printed nothing.", settings=settings))


@given(st.text(alphabet="`ab \n\\'\"", max_size=400))
def test_a_literal_is_the_value_and_holds_no_backtick(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text
    assert "`" not in literal(text)


@pytest.mark.parametrize("turns", [1, 2, 3, 4, 20])
@pytest.mark.parametrize("question", [*HELP, f"{HELP[-1]} Recursively.", ask_digest(), ask_rows(CLASSES)])
def test_a_plan_fits_the_turns_there_are_and_submits_at_its_end(question: str, turns: int) -> None:
    for calls, children in ((False, False), (True, False), (True, True)):
        view = View(type="dict", flat=True, chars=1000, calls=calls, children=children)
        steps = squeeze(plan(understand(question), view), turns)
        assert 1 <= len(steps) <= turns
        assert all(ast.parse(step.block) for step in steps)
        assert 'answer["ready"] = True' in steps[-1].block
        assert "_query" not in "".join(step.block for step in steps) or calls


def test_the_same_messages_give_the_same_reply() -> None:
    asked = messages("How many files import json?", CODE, "look", "Block 1 printed nothing.")

    assert next_step(asked) == next_step(asked)


def test_without_sub_calls_it_does_the_work_in_python() -> None:
    said = messages(
        "List every year.", BOOK, "look", "Block 1 printed nothing.", settings=Settings(max_depth=0)
    )

    assert "re.findall" in code(said)


def test_after_a_failure_it_does_all_of_it_in_one_block_without_sub_calls() -> None:
    failed = "Block 1 failed:\nTraceback (most recent call last):\nKeyError: 'found'\n\nTurn 3 of 20."
    block = code(messages("List every year.", BOOK, "look", failed))

    assert "_query" not in block
    assert 'answer["ready"] = True' in block


def test_after_two_failures_it_gives_up_and_says_why() -> None:
    failed = "Block 1 failed:\nTraceback (most recent call last):\nKeyError: 'found'\n\nTurn 3 of 20."

    assert "KeyError" in code(messages("List every year.", BOOK, "look", failed, "again", failed))


def test_in_the_last_turn_it_submits_without_sub_calls() -> None:
    last = prompts.last_turn(["Block 1 printed nothing."], "All turns are used.")
    block = code(messages("List every year.", BOOK, "look", last))

    assert "_query" not in block
    assert 'answer["ready"] = True' in block


def test_usage_is_its_own_estimate() -> None:
    request = Request(
        messages=(Message(role="user", content="Hi"),), model="demo", call_id="0", turn=1, kind="llm"
    )
    reply = asyncio.run(DemoModel().reply(request))

    assert reply.usage.estimated
    assert reply.model == "demo"


# Whole runs


@pytest.mark.parametrize(
    ("question", "context", "answer"),
    [
        ("How many times does the word 'whale' occur?", BOOK, "'whale' occurs 2 times"),
        ("How many modules import json?", CODE, "2 of 3 modules import 'json'"),
        ("Which document mentions whale most often?", [BOOK, "whale whale whale"], "document 2: 3 times"),
        ("How many documents contain 'whale'?", {"whale", "boat"}, "1 of 2 documents contain 'whale'"),
        ("How many words are there?", ("one two", "three"), "3 words"),
        ("How many texts mention whale?", {"papers": [BOOK, "x"], "note": "whale"}, "2 of 3 texts"),
        ("Which class name is defined in the most modules?", CODE, "is Reader: in 2 of 3 modules"),
        (
            "Which class name is defined in the most modules? Use children.",
            CODE,
            "is Reader: in 2 of 3 modules",
        ),
        ("Which names are mentioned most?", BOOK, "Captain Ahab (2 times)"),
        ("List every e-mail address.", [BOOK], "2 different e-mail addresses"),
        ("Summarise the text recursively.", BOOK, "extract by counting words"),
        ("How many words are there?", {}, "0 words"),
        ("Which year is mentioned most?", {}, "There is no year"),
        ("Who is happy?", BOOK, "not a language model"),
        ("How many words are there?", 42, "of type int"),
        ("How many words are there?", None, "no context"),
    ],
)
def test_answers_from_the_context(question: str, context: Any, answer: str) -> None:
    done = run(question, context)

    assert done.status == "finished"
    assert answer in str(done.answer)


def test_asks_about_pieces_in_one_batch_and_adds_the_replies_up() -> None:
    big = {f"{number}.py": f"class C{number % 3}:\n" + "# padding\n" * 9_000 for number in range(7)}
    done = run("Which class name is defined in the most files?", big)

    assert "is C0: in 3 of 7 files" in str(done.answer)
    assert [call.kind for call in done.walk()] == ["rlm"] + ["llm"] * 7


def test_a_file_longer_than_a_piece_counts_once() -> None:
    long = {"a.py": "class A:\n    x = 1\n" * 20_000, "b.py": "class B:\n", "c.py": "class B:\n"}
    done = run("Which class name is defined in the most files?", long)

    assert "is B: in 2 of 3 files" in str(done.answer)


def test_children_run_the_same_rules_on_their_part() -> None:
    done = run("Which function name is defined in the most modules? Work recursively.", CODE)
    children = [call for call in done.walk() if call.depth == 1]

    assert {call.kind for call in children} == {"rlm"}
    assert all(json.loads(line) for call in children for line in str(call.answer).splitlines())


@pytest.mark.parametrize("limit", [{"max_turns": 1}, {"max_turns": 2}, {"max_depth": 0}, {"max_calls": 0}])
def test_answers_within_narrow_limits(limit: dict[str, int]) -> None:
    done = run("Which class name is defined in the most modules?", CODE, **limit)

    assert "is Reader: in 2 of 3 modules" in str(done.answer)


def test_reads_tables() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": ["a whale", "a boat", "whale, whale"], "year": [1851, 1852, 1853]})

    assert "3 times, in 2 of 3" in str(run("How many times does the word 'whale' occur?", table).answer)
    assert "3 times, in 2 of 3" in str(
        run("How many times does the word 'whale' occur?", table["text"]).answer
    )
