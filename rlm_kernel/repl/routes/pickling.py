"""`pickled`: a value as a pickle, its large buffers beside it, untouched.

What is defined in the notebook cannot be imported in a worker, so it goes by value, with cloudpickle. Nothing else does:
a module's classes are the module's.
"""

from __future__ import annotations

import pickle
import types

from rlm_kernel.errors import ContextError
from rlm_kernel.repl.routes import arrow, movable

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROTOCOL = 5
# Below this a buffer is better off in the pickle.
_LARGE = 4_096
_NAMED = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType)


class Pickled:
    """A pickle that was written: `size` bytes, which name these `buffers` and load these `modules`."""

    def __init__(self) -> None:
        self.size = 0
        self.buffers: list[memoryview] = []
        self.modules: set[str] = set()


class NotImportable(Exception):
    """Something in the value is defined where a worker cannot import it from."""


class Rules:
    """What our picklers have in common: what they refuse, what goes beside the pickle, which modules it needs."""

    def __init__(self, done: Pickled) -> None:
        self._done = done
        self._usual: set[type] = set()

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """Keeps a large buffer beside the pickle; true for one that goes in it."""
        raw = buffer.raw()
        if raw.nbytes < _LARGE:
            return True
        self._done.buffers.append(raw)
        return False

    def reduced(self, value: Any) -> Any:
        """As `reducer_override`. Raises `Refused`."""
        kind = type(value)
        if kind in self._usual:
            return NotImplemented
        movable.check(value)
        self._done.modules.add(kind.__module__)
        if isinstance(value, (type, *_NAMED)):
            self._done.modules.add(str(value.__name__ if kind is types.ModuleType else value.__module__))
            return NotImplemented
        if kind.__module__.partition(".")[0] in arrow.TOPS:
            return arrow.reduced(value)
        if not movable.differs(kind):
            self._usual.add(kind)  # the others of its type go the same way, without being asked
        return NotImplemented


class _Pickler(pickle.Pickler):
    def __init__(self, file: Any, rules: Rules) -> None:
        super().__init__(file, PROTOCOL, buffer_callback=rules.take)
        self._rules = rules

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type | types.FunctionType) and value.__module__ == "__main__":
            raise NotImportable
        return self._rules.reduced(value)


class _File:
    """Where a pickler writes to."""

    def __init__(self, write: Callable[[Any], object]) -> None:
        self._write = write
        self.size = 0

    def write(self, data: Any) -> int:
        self._write(data)
        size = len(data)
        self.size += size
        return size


def pickled(value: Any, write: Callable[[Any], object], restart: Callable[[], object]) -> Pickled:
    """The value's pickle, written in pieces; `restart` takes back what has been written. Raises `ContextError`."""
    try:
        return _written(value, write, _Pickler)
    except ContextError:
        raise  # there is no room where it is written to
    except movable.Refused as error:
        raise movable.refusal(value, error) from error
    except (RecursionError, MemoryError) as error:
        raise movable.refusal(value, error) from None  # its traceback is as deep as what it is about
    except Exception:  # noqa: BLE001 - how a stranger is pickled is anybody's code
        restart()
    # Slow to import, and few contexts are in need of it.
    from rlm_kernel.repl.routes.by_value import ByValuePickler

    try:
        return _written(value, write, ByValuePickler)
    except ContextError:
        raise
    except Exception as error:
        raise movable.refusal(value, error) from error


def _written(value: Any, write: Callable[[Any], object], pickler: Callable[[Any, Rules], Any]) -> Pickled:
    done, file = Pickled(), _File(write)
    pickler(file, Rules(done)).dump(value)
    done.size = file.size
    return done


__all__ = ["NotImportable", "Pickled", "Rules", "pickled"]
