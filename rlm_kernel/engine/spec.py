"""A call about to be made, and how one ended: the values that engine and loop pass between them."""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel.engine.past import Past
from rlm_kernel.repl.pack import Packed
from rlm_kernel.trace import Batch, CallKind, Site, Status


@dataclass(frozen=True, kw_only=True)
class CallSpec:
    """A call that is about to be made. `past` is what a record says about it.

    `prompt_is_context` marks a child that was given a prompt and nothing else: the prompt is its context too.
    `depth_capped` marks an `rlm_query` that the depth limit turned into a plain request.
    """

    id: str
    kind: CallKind
    depth: int
    model: str
    prompt: str
    past: Past
    packed: Packed | None = None
    batch: Batch | None = None
    site: Site | None = None
    prompt_is_context: bool = False
    depth_capped: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a call ended, when it ended with an answer; `how` says where the answer came from."""

    status: Status
    answer: str
    how: str


__all__ = ["CallSpec", "Outcome"]
