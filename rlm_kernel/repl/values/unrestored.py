"""`Unrestored`: what stands for a variable that stays in the child namespace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Unrestored:
    """A value of the child namespace that is told instead of given: its type, why, and what it looked like."""

    type: str
    why: str
    preview: str = ""

    def __repr__(self) -> str:
        look = f" {self.preview}" if self.preview else ""
        return f"<not restored: {self.type}{look}: {self.why}>"


__all__ = ["Unrestored"]
