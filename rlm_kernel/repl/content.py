"""The hash of what is in a value, for values that go by pickle.

Equal values do not give equal pickles: who shares which object gets into them, pandas lays out a frame anew when it is
shown, and a class that goes by value is another one each time. A run that is done again over the same data must find
it the same.
"""

from __future__ import annotations

import hashlib
import pickle
import types
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from rlm_kernel.repl.beside import WORTH_A_THREAD, results_beside
from rlm_kernel.repl.code import class_parts, function_parts, goes_by_value
from rlm_kernel.repl.leaves import Job, array_jobs, arrow_jobs, column_jobs, polars_jobs

_PLAIN_KINDS = "biufcmMSU"


class Content:
    """What a value is made of: how it is built, with its small parts, and jobs that hash its large ones."""

    def __init__(self) -> None:
        self.frame = hashlib.sha256()
        self.jobs: list[Job] = []
        self.size = 0

    def write(self, data: Any) -> int:
        """Takes what a pickler says of how the value is built."""
        self.frame.update(data)
        return memoryview(data).nbytes

    def leaf(self, size: int, jobs: Iterable[Job]) -> int:
        """Takes a large part; gives its place among them."""
        self.size += size
        self.jobs += jobs
        return len(self.jobs)

    def digest(self, work: Callable[[], object] = lambda: None) -> str:
        """The hash, empty where a part cannot be read. Does the work meanwhile, or before."""
        jobs = [partial(_result, job) for job in self.jobs]
        if self.size < WORTH_A_THREAD:
            work()
            results = [job() for job in jobs]
        else:
            results = results_beside(jobs, work)
        if not all(results):
            return ""
        whole = self.frame.copy()
        for result in results:
            whole.update(result)
        return whole.hexdigest()


def content_hash(value: Any) -> str:
    """The SHA-256 of the content, as hexadecimal digits; the same for equal frames, tables, arrays and containers of
    them, whatever was done with them before. The order of a set counts, and differs between processes.

    Empty where the content cannot be told from the pickle: a value that holds itself has no end without its memo.
    """
    content = content_of(value)
    return content.digest() if content else ""


def content_of(value: Any, content: Content | None = None) -> Content | None:
    """The content, its large parts not hashed yet; None where it cannot be told. It goes into `content`, if there is one,
    which may refuse it."""
    content = Content() if content is None else content
    pickler = _ContentPickler(content)
    pickler.fast = True  # says what is there, not which parts are the same object
    try:
        pickler.dump(value)
    except Exception:  # noqa: BLE001 - how a stranger is pickled is anybody's code
        return None
    return content


def _result(job: Job) -> bytes:
    try:
        return job()
    except Exception:  # noqa: BLE001 - a package may have a kind of column that we know nothing of
        return b""


class _Items:
    """Stands for a list of what it yields, which is never in memory as a whole."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = iter(items)


class _ContentPickler(pickle.Pickler):
    def __init__(self, content: Content) -> None:
        super().__init__(content, protocol=5)
        self._content = content
        self._defined: dict[int, int] = {}
        self._say: dict[str, Callable[[Any], Any]] = {
            "pandas": self._pandas,
            "numpy": self._numpy,
            "pyarrow": self._pyarrow,
            "polars": self._polars,
        }

    def reducer_override(self, value: Any) -> Any:
        """What is hashed in the place of a value whose pickle says more than its content."""
        kind = type(value)
        if kind is _Items:
            return list, (), None, value.items
        if isinstance(value, type | types.FunctionType):
            return self._definition(value) if goes_by_value(value) else NotImplemented
        if kind is types.ModuleType:
            return tuple, (["module", value.__name__],)
        if kind is types.MappingProxyType:
            return dict, (dict(value),)
        say = self._say.get(kind.__module__.partition(".")[0])
        parts = say(value) if say else None
        return NotImplemented if parts is None else (tuple, (parts,))

    def _definition(self, value: Any) -> Any:
        if id(value) in self._defined:
            return tuple, (["again", self._defined[id(value)]],)
        self._defined[id(value)] = len(self._defined)
        return tuple, (class_parts(value) if isinstance(value, type) else function_parts(value),)

    def _numpy(self, value: Any) -> list[Any] | None:
        if type(value).__name__ != "ndarray":
            return None
        head = ["ndarray", str(value.dtype), value.shape]
        if value.dtype.kind in _PLAIN_KINDS:
            return [*head, self._content.leaf(value.nbytes, array_jobs(value))]
        return [*head, value.dtype.descr, _Items(value.flat)] if value.dtype.kind in "OV" else None

    def _pyarrow(self, value: Any) -> list[Any] | None:
        name = type(value).__name__
        if name in ("Table", "RecordBatch"):
            kinds = [str(kind) for kind in value.schema.types]
            jobs = column_jobs([arrow_jobs(column) for column in value.columns])
            return [name, value.schema.names, kinds, value.num_rows, self._content.leaf(value.nbytes, jobs)]
        if name.endswith("Array") and hasattr(value, "get_total_buffer_size"):
            return ["Array", str(value.type), len(value), self._content.leaf(value.nbytes, arrow_jobs(value))]
        return None

    def _polars(self, value: Any) -> list[Any] | None:
        name = type(value).__name__
        if name not in ("DataFrame", "Series"):
            return None
        frame = value.to_frame() if name == "Series" else value
        frame.clear().to_arrow()  # raises where Arrow has no such type
        size = int(frame.estimated_size())
        kinds = [str(kind) for kind in frame.dtypes]
        return [name, frame.columns, kinds, frame.height, self._content.leaf(size, polars_jobs(frame))]

    def _pandas(self, value: Any) -> list[Any] | None:
        name = type(value).__name__
        if name == "DataFrame":
            columns = [self._column(value.iloc[:, place]) for place in range(value.shape[1])]
            kinds = [kind for kind, *_ in columns]
            said = [items for _, items, _, _ in columns]
            size = sum(size for _, _, size, _ in columns)
            leaf = self._content.leaf(size, column_jobs([jobs for *_, jobs in columns]))
            names = [list(value.columns), list(value.columns.names)]
            return [name, *names, self._index(value.index), kinds, said, leaf]
        if name == "Series":
            return [name, value.name, self._index(value.index), *self._said_column(value)]
        return self._index(value) if name.endswith("Index") else None

    def _index(self, index: Any) -> list[Any]:
        head = [type(index).__name__, list(index.names), len(index)]
        if hasattr(index, "step"):  # it has no values before somebody asks for them
            return [*head, index.start, index.stop, index.step]
        return [*head, *self._said_column(index)]

    def _said_column(self, column: Any) -> list[Any]:
        kind, items, size, jobs = self._column(column)
        return [kind, items, self._content.leaf(size, jobs)]

    def _column(self, column: Any) -> tuple[Any, Any, int, list[Job]]:
        """The type of a column, its values where they are said one by one, else their size and the jobs that hash
        them."""
        dtype = column.dtype
        if type(dtype).__module__.startswith("numpy") and dtype.kind in _PLAIN_KINDS:
            array = column.to_numpy()
            return str(dtype), len(array), array.nbytes, array_jobs(array)
        if type(dtype).__name__ == "ArrowDtype" or getattr(dtype, "storage", "") == "pyarrow":
            array = column.array.__arrow_array__()
            return str(dtype), len(array), array.nbytes, arrow_jobs(array)
        kind = [str(dtype), *([list(dtype.categories)] if hasattr(dtype, "categories") else [])]
        return kind, _Items(column), 0, []


__all__ = ["Content", "content_hash", "content_of"]
