"""The names a block finds in its namespace: the contract with the model, and nothing else.

`context`, `answer`, `llm_query`, `llm_query_batched`, `rlm_query`, `rlm_query_batched`, `SHOW_VARS`, `FINAL`,
`FINAL_VAR` and `SubcallError`; all but the last are the reference's names, because models are trained on them.
"""

from __future__ import annotations

import linecache
import sys
import types

from rlm_kernel.errors import ContextError
from rlm_kernel.repl.child import lanes
from rlm_kernel.repl.child.fingerprint import fingerprint
from rlm_kernel.repl.child.foresight import Foresight
from rlm_kernel.repl.describe import describe, length_of, type_name
from rlm_kernel.repl.routes import encode

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

    from rlm_kernel.repl.child.lanes import Lane
    from rlm_kernel.repl.child.orders import Line

FILE_PREFIX = "<rlm:"
NO_CONTEXT = object()


class SubcallError(Exception):
    """A sub-call that failed. `llm_query` raises it; a failed slot of a batch is one."""


class Submitted(BaseException):
    """Ends the block after `FINAL`; not an `Exception`, so that `except Exception` lets it through."""


class Text(str):
    """Text that shows as itself when it is the last expression of a block."""

    __slots__ = ()
    __repr__ = str.__str__


class Scaffold:
    """Makes the names, and puts them back after each block. With `plain_children` an `rlm_query` goes out as a plain
    request, its context in the prompt."""

    CHANGED = (
        "`context` was changed in place. It is your copy, the user's own data is as it was; from now on your code, and "
        "children that are given `context`, see the change. Keep results in variables of your own."
    )

    def __init__(self, link: Line, context: Any) -> None:
        self._link = link
        self._context = context
        self._mark = fingerprint(context)
        self._changed = False
        self.plain_children = False
        self.foresight = Foresight()
        self._namespace: dict[str, Any] = {}
        self.answer: dict[str, Any] = {"content": "", "ready": False}
        self.how = ""
        self._names = {
            "context": context,
            "answer": self.answer,
            "llm_query": self.llm_query,
            "llm_query_batched": self.llm_query_batched,
            "rlm_query": self.rlm_query,
            "rlm_query_batched": self.rlm_query_batched,
            "SHOW_VARS": self.show_vars,
            "FINAL": self.final,
            "FINAL_VAR": self.final_var,
            "SubcallError": SubcallError,
        }

    def install(self, namespace: dict[str, Any]) -> None:
        """Puts the names into the namespace they belong to from now on."""
        self._namespace = namespace
        namespace.update(self._names)

    @property
    def names(self) -> frozenset[str]:
        """The names that belong to the scaffold."""
        return frozenset(self._names)

    def restore(self) -> list[str]:
        """Puts every name back; the notes say which ones the block had changed."""
        notes = self._look_at_context()
        for name, value in self._names.items():
            found = self._namespace.get(name, NO_CONTEXT)
            if found is value:
                continue
            self._namespace[name] = value
            if name == "answer":
                notes += self._adopt(found)
            else:
                what = "deleted" if found is NO_CONTEXT else "assigned to"
                notes.append(
                    f"`{name}` was {what} and has been put back; use another name for your own value."
                )
        return notes

    def _look_at_context(self) -> list[str]:
        mark = fingerprint(self._context)
        if mark == self._mark:
            return []
        self._mark, self._changed = mark, True
        return [self.CHANGED]

    def _adopt(self, found: Any) -> list[str]:
        if issubclass(type(found), dict):
            self.answer.clear()
            self.answer.update(dict.items(found))  # whatever methods a class of the model's making has
            return []
        if found is NO_CONTEXT:
            return ["`answer` was deleted and has been put back."]
        self.answer["content"] = found
        note = f"`answer` was assigned a {type(found).__name__}; it is a dict. The value is now in "
        return [note + '`answer["content"]`. Set `answer["ready"] = True` to submit it.']

    def llm_query(self, prompt: str, model: str | None = None) -> str:
        """The reply of a model to one prompt. It sees the prompt and nothing else."""
        return self._one("llm", prompt, model, NO_CONTEXT)

    def llm_query_batched(self, prompts: list[str], model: str | None = None) -> list[Any]:
        """The replies to many prompts, asked at the same time, in the order of the prompts.

        A slot that failed holds a `SubcallError` instead of a text.
        """
        return self._many("llm", prompts, model, None)

    def rlm_query(self, prompt: str, model: str | None = None, context: Any = NO_CONTEXT) -> str:
        """The answer of a child with a REPL of its own, to a question over `context` (the prompt when not given)."""
        return self._one("rlm", prompt, model, context)

    def rlm_query_batched(
        self, prompts: list[str], model: str | None = None, contexts: list[Any] | None = None
    ) -> list[Any]:
        """The answers of many children at the same time, in order; a failed slot holds a `SubcallError`."""
        return self._many("rlm", prompts, model, contexts)

    def show_vars(self) -> str:
        """Your variables with their types and sizes."""
        own = [name for name in self._namespace if name not in self._names and not name.startswith("_")]
        lines = [f"{name}: {_summary(self._namespace[name])}" for name in own]
        return Text("\n".join(lines) or "no variables yet")

    def final(self, value: Any) -> None:
        """Submits the value as the answer and ends the block."""
        self.answer.update(content=value, ready=True)
        self.how = "FINAL"
        raise Submitted

    def final_var(self, name: Any) -> None:
        """Submits the value of the variable of that name and ends the block."""
        if not isinstance(name, str):
            self.final(name)
        key = name.strip().strip("'\"`")
        if key not in self._namespace:
            raise NameError(f"FINAL_VAR: there is no variable {key!r}. Yours are:\n{self.show_vars()}")
        self.answer.update(content=self._namespace[key], ready=True)
        self.how = f"FINAL_VAR({key!r})"
        raise Submitted

    def _one(self, kind: str, prompt: Any, model: Any, context: Any) -> str:
        _check_prompt(prompt, f"{kind}_query", "prompt")
        result = self._ask(kind, [prompt], model, [context], batched=False)[0]
        if isinstance(result, SubcallError):
            raise result
        return str(result)

    def _many(self, kind: str, prompts: Any, model: Any, contexts: Any) -> list[Any]:
        function = f"{kind}_query_batched"
        if not isinstance(prompts, list | tuple):
            raise TypeError(f"{function} takes a list of prompts, not a {type(prompts).__name__}")
        for index, prompt in enumerate(prompts):
            _check_prompt(prompt, function, f"prompts[{index}]")
        if contexts is not None and len(contexts) != len(prompts):
            raise ValueError(f"{function}: {len(prompts)} prompts but {len(contexts)} contexts")
        if not prompts:
            return []
        return self._ask(kind, list(prompts), model, contexts or [NO_CONTEXT] * len(prompts), batched=True)

    def _ask(
        self, kind: str, prompts: list[str], model: Any, contexts: list[Any], *, batched: bool
    ) -> list[Any]:
        if model is not None and (not isinstance(model, str) or len(model) > 200 or "\n" in model):
            raise TypeError("model takes the name of a model; pass data as context=…")
        if kind == "rlm" and self.plain_children:
            prompts = [_with_context(*pair) for pair in zip(prompts, contexts, strict=True)]
            contexts = [NO_CONTEXT] * len(prompts)
        cards, blobs = [], []
        for context in contexts:
            card, blob = self._pack(context)
            cards.append(card)
            blobs.append(blob)
        line, code = _site()
        lane = self._lane()
        self._flush()
        frame: dict[str, Any] = {"op": "call", "kind": kind, "prompts": prompts, "model": model}
        frame |= {"batched": batched, "contexts": cards, "line": line, "code": code, "lane": lane.name}
        told = None if kind == "rlm" else self.foresight.take(prompts, model, batched=batched, lane=lane)
        if told is None:
            reply = self._link.ask(frame, b"".join(blobs), lane)
            if "refused" in reply:
                raise SubcallError(reply["refused"])
            told = reply["results"]
        else:
            self._link.send({**frame, "known": True})
        return [_result(item) for item in told]

    def _lane(self) -> Lane:
        return lanes.current()

    def _flush(self) -> None:
        sys.stdout.flush()

    def _pack(self, context: Any) -> tuple[Any, bytes]:
        if context is NO_CONTEXT:
            return None, b""
        if context is self._context and not self._changed and fingerprint(context) == self._mark:
            return {"inherit": True}, b""
        return self._packed(context)

    def _packed(self, context: Any) -> tuple[Any, bytes]:
        try:
            route, chunks = encode(context)
        except ContextError as error:
            raise TypeError(str(error)) from None
        blob = b"".join(chunks)
        return {"route": route, "size": len(blob), "card": describe(context)}, blob


def _summary(value: Any) -> str:
    try:
        length = length_of(value)
        return type_name(value) + ("" if length is None else f", length {length:,}")
    except KeyboardInterrupt:
        raise  # the block's time is over
    except BaseException:  # noqa: BLE001 - its class and its length are the model's code
        return "<unprintable>"


def _check_prompt(prompt: Any, function: str, what: str) -> None:
    if not isinstance(prompt, str):
        raise TypeError(f"{function}: {what} must be a str, not {type(prompt).__name__}")
    if not prompt.strip():
        raise ValueError(f"{function}: {what} is empty")


def _with_context(prompt: str, context: Any) -> str:
    if context is NO_CONTEXT:
        return prompt
    if isinstance(context, dict):
        text = "\n\n".join(f"{key}:\n{value}" for key, value in context.items())
    elif isinstance(context, list | tuple):
        text = "\n\n".join(map(str, context))
    else:
        text = str(context)
    return f"{prompt}\n\nContext:\n{text}"


def _result(item: dict[str, Any]) -> Any:
    error = item.get("error")
    return SubcallError(error) if error is not None else item["answer"]


def _site() -> tuple[int, str]:
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(FILE_PREFIX):
            return frame.f_lineno, linecache.getline(name, frame.f_lineno).strip()[:200]
        frame = frame.f_back
    return 0, ""


__all__ = ["FILE_PREFIX", "Scaffold", "SubcallError", "Submitted"]
