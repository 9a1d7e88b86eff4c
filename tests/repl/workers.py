"""A worker that tests drive from their own thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlm_kernel.engine.thread import submit
from rlm_kernel.repl.base import BlockResult, Repl, Serve, SubcallBatch, SubcallResult
from rlm_kernel.repl.isolation import obtain
from rlm_kernel.repl.pack import Packed, pack_context
from rlm_kernel.repl.repls import Repls
from rlm_kernel.repl.terms import Terms


async def echo(batch: SubcallBatch) -> Sequence[SubcallResult]:
    return [SubcallResult(answer=f"<{request.prompt}>") for request in batch.requests]


class Worker:
    """A worker driven from the test's thread, as the engine drives it from its own."""

    def __init__(
        self,
        context: Any = None,
        *,
        block_seconds: float = 20,
        serve: Serve = echo,
        seed: int = 0,
        isolation: str = "auto",
        memory_mb: int | None = None,
        readable: tuple[str, ...] = (),
    ) -> None:
        self.packed = None if context is None else pack_context(context)
        terms = obtain(isolation, memory_mb=memory_mb, readable=readable)
        self.serve = serve
        self.repl: Repl = submit(self._make(terms, self.packed, block_seconds, seed)).result(20)

    async def _make(self, terms: Terms, packed: Any, block_seconds: float, seed: int) -> Repl:
        self._repls = Repls(terms, packed, block_seconds=block_seconds)
        return self._repls.make(packed, seed=seed)

    def another(self, packed: Packed | None = None) -> Repl:
        """One more namespace of the same run, with that context or, without one, the same."""
        return submit(self._another(packed or self.packed)).result(20)

    async def _another(self, packed: Packed | None) -> Repl:
        return self._repls.make(packed, seed=0)

    def run(self, code: str, serve: Serve | None = None) -> BlockResult:
        work = self.repl.execute(code, name="<rlm:0.1 block 1>", serve=serve or self.serve)
        return submit(work).result(40)

    def close(self) -> None:
        submit(self.repl.close()).result(10)
        submit(self._repls.close()).result(10)
