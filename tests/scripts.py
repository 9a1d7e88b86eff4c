"""Short ways to write down a model's replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlm_kernel import RLM, Request, Run, ScriptedModel


def code(*lines: str) -> str:
    """A reply with one block."""
    return "```repl\n" + "\n".join(lines) + "\n```"


def submit(expression: str) -> str:
    """A reply whose block submits the value of the expression."""
    return code(f'answer["content"] = {expression}', 'answer["ready"] = True')


def ask(
    *replies: str | Exception,
    context: Any = "some text",
    llm: Callable[[Request], Any] | None = None,
    child: Callable[[Request], Any] | None = None,
    **options: Any,
) -> tuple[Run, ScriptedModel]:
    """A run whose root says `replies`, whose plain sub-calls `llm` answers (by default with `<prompt>`) and whose
    children `child` answers; and the model, which knows what it was asked."""
    model = scripted(*replies, llm=llm, child=child)
    return RLM(model=model, trace_dir=options.pop("trace_dir", None), **options).run(
        "What?", context=context
    ), model


def scripted(
    *replies: str | Exception,
    llm: Callable[[Request], Any] | None = None,
    child: Callable[[Request], Any] | None = None,
) -> ScriptedModel:
    """The model of `ask`."""

    def rlm(request: Request) -> Any:
        if request.call_id != "0":
            assert child is not None, "a child was made that the script does not expect"
            return child(request)
        return replies[request.turn - 1]

    return ScriptedModel(rlm, llm=llm or (lambda request: f"<{request.messages[0].content}>"))


def seen(model: ScriptedModel, turn: int) -> str:
    """The last message the root was sent at that turn."""
    request = next(request for request in model.requests if request.call_id == "0" and request.turn == turn)
    return request.messages[-1].content
