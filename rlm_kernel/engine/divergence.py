"""How a block that ran again differs from the one in the record."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rlm_kernel.repl.base import BlockResult
from rlm_kernel.text import cut
from rlm_kernel.trace import CodeExecuted, Divergence, ErrorInfo, Variable, VariableChanges

# Addresses of objects, and idents of threads, also where a preview was cut in the middle of one.
_NEVER_THE_SAME = re.compile(
    r"\b0x[0-9a-fA-F]{6,16}\b|(?<=stopped )[0-9]+|(?<=started )[0-9]+|(?<=daemon )[0-9]+|\b[0-9]+(?=\)>)"
)
_CHARS = 2_000


def divergences(
    recorded: CodeExecuted, code: str, result: BlockResult, error: ErrorInfo | None
) -> tuple[Divergence, ...]:
    """What is not as it was. Addresses of objects are never the same, and do not count."""
    pairs = (
        ("code", recorded.code, code),
        ("error", _error(recorded.error), _error(error)),
        ("output", recorded.stdout + recorded.stderr, result.stdout + result.stderr),
        ("variables", "\n".join(_lines(recorded.variables)), "\n".join(_lines(result.variables))),
    )
    return tuple(differing(what, before, now) for what, before, now in pairs if _plain(before) != _plain(now))


def differing(what: str, recorded: str, found: str) -> Divergence:
    """A divergence with its texts cut for people."""
    return Divergence(what=what, recorded=cut(recorded, _CHARS), found=cut(found, _CHARS))


def _plain(text: str) -> str:
    return _NEVER_THE_SAME.sub("0x…", text)


def _error(error: ErrorInfo | None) -> str:
    return str(error) if error else ""


def _lines(changes: VariableChanges) -> Iterator[str]:
    for sign, variables in (("+", changes.added), ("~", changes.changed)):
        yield from (sign + _line(variable) for variable in variables)
    yield from (f"-{name}" for name in changes.removed)


def _line(variable: Variable) -> str:
    size = f" ({variable.size})" if variable.size else ""
    shown = f" = {variable.preview}" if variable.preview else ""
    return f"{variable.name}: {variable.type}{size}{shown}"


__all__ = ["differing", "divergences"]
