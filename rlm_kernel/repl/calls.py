"""Sub-calls as frames between engine and worker: what a worker asks is checked, what it is told is written down."""

from __future__ import annotations

from typing import Any

from rlm_kernel.errors import ProtocolError
from rlm_kernel.repl.base import Foreseen, SubcallBatch, SubcallRequest, SubcallResult
from rlm_kernel.repl.pack import store
from rlm_kernel.repl.routes import ROUTES
from rlm_kernel.trace import Variable, VariableChanges


def read_batch(data: dict[str, Any], blob: bytes) -> SubcallBatch:
    """The sub-calls in a frame of a worker. Raises `ProtocolError` for what makes no sense."""
    try:
        contexts, at = data["contexts"], 0
        requests = []
        for prompt, context in zip(data["prompts"], contexts, strict=True):
            size = int(context.get("size", 0)) if context else 0
            requests.append(_request(data, str(prompt), context, blob[at : at + size]))
            at += size
        return SubcallBatch(
            requests=tuple(requests),
            batched=bool(data["batched"]),
            line=int(data["line"]),
            code=str(data["code"]),
            lane=_lane(data["lane"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"a sub-call that makes no sense: {error!r}") from error


def _lane(name: Any) -> str:
    # A name of ours is digits and dots; a deep one is cut, and then only less is known of who asked.
    return name[:100] if isinstance(name, str) and not name.strip("0123456789.") else ""


def _request(
    data: dict[str, Any], prompt: str, context: dict[str, Any] | None, blob: bytes
) -> SubcallRequest:
    kind, model = data["kind"], data["model"]
    if kind not in ("llm", "rlm"):
        raise ValueError(kind)
    packed = None
    if context and not context.get("inherit"):
        if context["route"] not in ROUTES:
            raise ValueError(context["route"])
        packed = store(context["route"], [blob], context["card"])
    inherit = bool(context and context.get("inherit"))
    return SubcallRequest(kind=kind, prompt=prompt, model=model, packed=packed, inherit=inherit)


def foreseen_frame(foreseen: Foreseen) -> dict[str, Any]:
    """What a block is told ahead, for a worker."""
    results = [result_frame(result) for result in foreseen.results]
    asked = {"prompts": list(foreseen.prompts), "model": foreseen.model, "batched": foreseen.batched}
    return {**asked, "lane": foreseen.lane, "results": results}


def result_frame(result: SubcallResult) -> dict[str, Any]:
    """A result, for a worker."""
    return {"error": str(result.error)} if result.error else {"answer": result.answer}


def read_changes(data: dict[str, Any]) -> VariableChanges:
    """What a worker says a block did to its variables. Raises what a missing or odd field raises."""
    return VariableChanges(
        added=tuple(Variable(**item) for item in data["added"]),
        changed=tuple(Variable(**item) for item in data["changed"]),
        removed=tuple(map(str, data["removed"])),
    )


__all__ = ["foreseen_frame", "read_batch", "read_changes", "result_frame"]
