"""Pickles that hold the notebook's own classes and functions in full, with the variables that those use."""

from __future__ import annotations

import cloudpickle

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

    from rlm_kernel.repl.routes.pickling import Rules


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc] # it ships no types
    """As cloudpickle does it, by our rules."""

    def __init__(self, file: Any, rules: Rules) -> None:
        super().__init__(file, 5, buffer_callback=rules.take)
        self._rules = rules

    def reducer_override(self, value: Any) -> Any:
        """As `pickle.Pickler.reducer_override`."""
        reduced = self._rules.reduced(value)
        return super().reducer_override(value) if reduced is NotImplemented else reduced


__all__ = ["ByValuePickler"]
