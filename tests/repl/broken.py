"""A class whose objects go to a worker and cannot be rebuilt there. It has a module of its own, quick to import."""

from __future__ import annotations


class Broken:
    """Does what it says when it is rebuilt."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __getstate__(self) -> dict[str, str]:
        return {"code": self.code}

    def __setstate__(self, state: dict[str, str]) -> None:
        exec(state["code"])
