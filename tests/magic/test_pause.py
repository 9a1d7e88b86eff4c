"""A cell whose server goes out: it waits, and where that was in vain the run is resumed by its line."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

from server import ChatServer, by_kind, error

ASK = "```repl\nparts = llm_query_batched(['a', 'b', 'c'])\n```"
DONE = "```repl\nanswer['content'] = ''.join(parts)\nanswer['ready'] = True\n```"


def test_a_run_that_waited_in_vain_is_resumed(notebook: Any, serve: Callable[..., ChatServer]) -> None:
    out = threading.Event()
    out.set()

    def llm(prompt: str) -> Any:
        busy = error(503, "we are moving house", {"x-should-retry": "false"})
        return busy if out.is_set() and prompt == "b" else prompt.upper()

    server = serve(by_kind([ASK, DONE], llm))
    notebook.cell("papers = ['one']")
    ask = f"%%rlm papers --model m --base-url {server.url} --pause-seconds 0.3\nWhich?"
    said = notebook.mistake(ask)
    assert "we are moving house" in said
    found = re.search(r"paused for 0\.3 s, and gave up\. (%rlm resume \S+) goes on where it stopped", said)
    assert found, said
    assert server.paid == 3

    out.clear()
    notebook.cell(f"%config RlmMagics.base_url = {server.url!r}")
    notebook.cell(f"{found[1]} -o again")
    assert notebook.space["again"].answer == "ABC"
    assert server.paid == 5


def test_the_time_to_wait_is_a_number_of_seconds(notebook: Any) -> None:
    notebook.cell("papers = ['one']")
    said = notebook.mistake("%%rlm papers --model demo --pause-seconds -1\nWhich?")
    assert said == "pause_seconds must be at least 0, not -1.0"
