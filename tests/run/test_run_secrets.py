"""A key that model code or a server gets hold of is in no event, and a run that has met one is done again as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from server import ChatServer

from rlm_kernel import RLM, Run, ScriptedModel, load
from rlm_kernel.trace import CodeExecuted

KEY = "sk-canary-7Q2mZ81xT0"
OTHER = "Zx81-rotated-55dQ"
TOLD = "[redacted]"
# The code gets hold of the key by putting its halves together.
HALVES = [KEY[:12], KEY[12:]]
TURNS = [
    f"It is {KEY}.\n```repl\nkey = ''.join(context)\nprint(key)\nrated = llm_query('Rate ' + key)\nprint(rated)\n```",
    "```repl\nkeys = llm_query_batched([key, key + '!'])\nprint(rlm_query('What is ' + key))\n```",
    "```repl\nanswer['content'] = f'{key} and {keys}'\nanswer['ready'] = True\n```",
]
CHILD = "```repl\nanswer['content'] = context\nanswer['ready'] = True\n```"


def script(body: dict[str, list[dict[str, str]]]) -> str:
    messages = body["messages"]
    if messages[0]["role"] != "system":
        return f"{messages[0]['content']}: echoed {KEY}"
    turn = sum(message["role"] == "assistant" for message in messages)
    return (
        CHILD if "sub-task" in messages[0]["content"] or "What is" in messages[1]["content"] else TURNS[turn]
    )


def executed(run: Run) -> list[CodeExecuted]:
    """The blocks of the root that ran."""
    return [block.executed for turn in run["0"].turns for block in turn.blocks if block.executed]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    with ChatServer(script) as server:
        made = RLM(model="m", base_url=server.url, api_key=KEY, trace_dir=tmp_path).run(
            "Which?", context=HALVES
        )
        assert all(asked.headers["authorization"] == f"Bearer {KEY}" for asked in server.asked)
        # Nor is the key sent to a model in a prompt.
        assert [asked.body for asked in server.asked if KEY in str(asked.body)] == []
    return made


def test_a_key_that_the_code_prints_is_nowhere_in_the_run(run: Run, tmp_path: Path) -> None:
    assert run.status == "finished"
    assert run.answer is not None
    assert run.answer.startswith(f"{TOLD} and ")
    assert executed(run)[0].stdout.startswith(TOLD)
    assert run.path is not None
    run.to_html(tmp_path / "a.html")
    run.to_html(tmp_path / "b.html", interactive=False)
    run.to_notebook(tmp_path / "c.ipynb")
    run.save(tmp_path / "d.rlm.jsonl")
    for path in tmp_path.iterdir():
        assert KEY not in path.read_text(), path
    assert KEY not in f"{run!r} {run} {run._repr_mimebundle_()}"


@pytest.mark.parametrize("key", [KEY, OTHER, ""], ids=["the same key", "another key", "no key"])
def test_a_run_that_met_a_key_is_replayed_without_a_difference(
    run: Run, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert run.path is not None
    again = load(run.path).replay(context=HALVES)
    assert again.status == "finished"
    if key == KEY:
        assert again.answer == run.answer
        assert [done.divergences for done in executed(again)] == [(), (), ()]
    else:
        # Without the key nothing says that what the code prints is one: the replay shows a difference.
        assert "output" in {divergence.what for divergence in executed(again)[0].divergences}


def test_values_of_the_environment_are_secrets_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", OTHER)
    monkeypatch.setenv("COLOUR", "blue-violet-3000")
    turn = f"```repl\nanswer['content'] = '{OTHER} blue-violet-3000'\nanswer['ready'] = True\n```"
    made = RLM(model=ScriptedModel([turn]), trace_dir=tmp_path).run("Which?")
    assert made.answer == f"{TOLD} blue-violet-3000"
    assert made.path is not None
    assert OTHER not in made.path.read_text()
