"""The tree as an ipywidget: what it keeps in a notebook, and that it speaks as the channel does."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest
from scripts import ask, submit

from rlm_kernel import Run
from rlm_kernel.trace import Trace
from rlm_kernel.views import MIME, mime_bundle
from rlm_kernel.views.widget import TraceWidget

SECONDS = 10.0
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def run() -> Run:
    return ask(submit("'yes'"))[0]


@pytest.fixture
def widget(run: Run) -> Iterator[TraceWidget]:
    made = run.widget()
    yield made
    made.close()


@pytest.fixture
def sent(widget: TraceWidget, monkeypatch: pytest.MonkeyPatch) -> Queue[dict[str, Any]]:
    """The custom messages the widget sends."""
    messages: Queue[dict[str, Any]] = Queue()
    monkeypatch.setattr(widget._session, "_send", messages.put)
    return messages


def test_a_widget_shows_itself_and_stays_readable_without_a_kernel(widget: TraceWidget, run: Run) -> None:
    bundle = widget._repr_mimebundle_()
    assert set(bundle) == {VIEW, MIME, "text/html", "text/plain"}
    assert bundle[VIEW]["model_id"] == widget.model_id
    assert {name: bundle[name] for name in (MIME, "text/html", "text/plain")} == mime_bundle(run.trace)


def test_its_state_is_small_and_names_the_extension(widget: TraceWidget, run: Run) -> None:
    state = widget.get_state()
    own = {name: state.pop(name) for name in list(state) if name.startswith(("_model", "_view"))}
    assert own == {
        "_model_module": "rlm-kernel",
        "_model_module_version": "*",
        "_model_name": "TraceModel",
        "_view_module": "rlm-kernel",
        "_view_module_version": "*",
        "_view_name": "TraceView",
        "_view_count": None,
    }
    assert (state["run_id"], state["height"]) == (run.id, "")
    assert len(str(state)) < 400


def test_a_height_is_an_option(run: Run) -> None:
    made = TraceWidget(run, height="30em")
    assert made.height == "30em"
    made.close()


def test_its_messages_are_those_of_the_channel(
    widget: TraceWidget, run: Run, sent: Queue[dict[str, Any]]
) -> None:
    widget._handle_custom_msg({"op": "watch", "run": run.id, "since": 0}, [])
    messages = [sent.get(timeout=SECONDS)]
    while messages[-1]["op"] != "events":
        messages.append(sent.get(timeout=SECONDS))
    assert (len(messages[-1]["events"]), messages[-1]["live"]) == (len(run.trace), False)
    widget._handle_custom_msg({"op": "bundle", "run": run.id, "ask": 1}, [])
    reply = sent.get(timeout=SECONDS)
    assert reply == {"op": "reply", "ask": 1, "data": mime_bundle(run.trace)}
    widget._handle_custom_msg({"op": "bundle", "run": "another", "ask": 2}, [])
    assert "has no run 'another'" in sent.get(timeout=SECONDS)["error"]


class FakeRun:
    def __init__(self) -> None:
        self.trace = Trace(live=True, run_id="widget-1")

    def cancel(self) -> None:
        raise AssertionError("closing a widget stops no run")

    def answer_now(self) -> None:
        raise AssertionError("closing a widget hurries no run")

    def try_now(self) -> None:
        raise AssertionError("closing a widget tries nothing")


def test_a_closed_widget_leaves_the_run_alone() -> None:
    widget = TraceWidget(FakeRun())
    widget._handle_custom_msg({"op": "watch", "run": "widget-1", "since": 0}, [])
    thread = widget._session._thread
    assert thread is not None
    widget.close()
    thread.join(SECONDS)
    assert not thread.is_alive()
