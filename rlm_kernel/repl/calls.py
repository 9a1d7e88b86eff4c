"""Sub-calls as frames between engine and worker: what a worker asks is checked, what it is told is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from rlm_kernel.errors import ProtocolError, TraceError
from rlm_kernel.repl.base import Foreseen, SubcallBatch, SubcallRequest, SubcallResult, Submission
from rlm_kernel.repl.pack import store
from rlm_kernel.repl.routes import ROUTES
from rlm_kernel.trace import CallKind, ContextCard, ErrorInfo, VariableChanges
from rlm_kernel.trace.codec import decoded


@dataclass(frozen=True, kw_only=True)
class _Context:
    """What a frame says of the context of one sub-call; its bytes travel beside the frame."""

    inherit: bool = False
    route: str = ""
    size: int = 0
    card: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The frame itself."""

    kind: CallKind
    model: str | None
    prompts: tuple[str, ...]
    contexts: tuple[_Context | None, ...]
    batched: bool
    line: int
    code: str


def read_batch(data: dict[str, Any], blob: bytes) -> SubcallBatch:
    """The sub-calls in a frame of a worker. Raises `ProtocolError` for what makes no sense."""
    if _is_plain(data, blob):
        kind, model = data["kind"], data["model"]
        return SubcallBatch(
            requests=tuple(
                SubcallRequest(kind=kind, prompt=prompt, model=model) for prompt in data["prompts"]
            ),
            batched=data["batched"],
            line=data["line"],
            code=data["code"],
            lane=_lane(data.get("lane")),
        )
    return _read_batch(data, blob)


def _is_plain(data: dict[str, Any], blob: bytes) -> bool:
    """Whether there are no contexts in a frame that is well formed: most are so, and are told at a glance."""
    get = data.get
    prompts, model, line = get("prompts"), get("model"), get("line")
    return (
        not blob
        and get("kind") in ("llm", "rlm")
        and (model is None or type(model) is str)
        and type(prompts) is list
        and get("contexts") == [None] * len(prompts)
        and all(type(prompt) is str for prompt in prompts)
        and type(get("batched")) is bool
        and type(line) is int
        and 0 <= line < 2**53
        and type(get("code")) is str
    )


def _read_batch(data: dict[str, Any], blob: bytes) -> SubcallBatch:
    requests: list[SubcallRequest] = []
    try:
        asked = decoded(_Asked, data)
        for prompt, context, part in zip(asked.prompts, asked.contexts, _parts(asked, blob), strict=True):
            requests.append(_request(asked, prompt, context, part))
    except (TraceError, ValueError, OSError) as error:
        for request in requests:
            if request.packed is not None:
                request.packed.close()
        raise ProtocolError(f"a sub-call that makes no sense: {error}") from error
    return SubcallBatch(
        requests=tuple(requests),
        batched=asked.batched,
        line=asked.line,
        code=asked.code,
        lane=_lane(data.get("lane")),
    )


def _parts(asked: _Asked, blob: bytes) -> list[bytes]:
    """The bytes of each context."""
    sizes = [context.size if context else 0 for context in asked.contexts]
    if min(sizes, default=0) < 0 or sum(sizes) != len(blob):
        raise ValueError(f"contexts of {sum(sizes):,} bytes in {len(blob):,}")
    ends = list(accumulate(sizes))
    return [blob[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _lane(name: Any) -> str:
    # A name of ours is digits and dots; a deep one is cut, and then only less is known of who asked.
    return name[:100] if isinstance(name, str) and not name.strip("0123456789.") else ""


def _request(asked: _Asked, prompt: str, context: _Context | None, blob: bytes) -> SubcallRequest:
    packed = None
    if context and not context.inherit:
        if context.route not in ROUTES:
            raise ValueError(f"no route {context.route!r}")
        card = decoded(ContextCard, context.card)  # before the bytes are kept
        facts = {name: value for name, value in vars(card).items() if name != "hash"}
        packed = store(context.route, [blob], facts)
    inherit = bool(context and context.inherit)
    return SubcallRequest(kind=asked.kind, prompt=prompt, model=asked.model, packed=packed, inherit=inherit)


def foreseen_frame(foreseen: Foreseen) -> dict[str, Any]:
    """What a block is told ahead, for a worker."""
    results = [result_frame(result) for result in foreseen.results]
    asked = {"prompts": list(foreseen.prompts), "model": foreseen.model, "batched": foreseen.batched}
    return {**asked, "lane": foreseen.lane, "results": results}


def result_frame(result: SubcallResult) -> dict[str, Any]:
    """A result, for a worker."""
    return {"error": str(result.error)} if result.error else {"answer": result.answer}


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a worker says a block did, beside what it wrote and what it shows."""

    error: ErrorInfo | None
    answer: Submission
    variables: VariableChanges
    names: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float


def read_done(data: dict[str, Any]) -> Done:
    """The end of a block in a frame of a worker. Raises `ProtocolError` for what makes no sense."""
    try:
        return decoded(Done, data)
    except TraceError as error:
        raise ProtocolError(f"the end of a block makes no sense: {error}") from error


__all__ = ["Done", "foreseen_frame", "read_batch", "read_done", "result_frame"]
