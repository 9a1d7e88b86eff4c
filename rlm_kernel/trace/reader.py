"""`load`: a trace from a file, whatever happened to it. Nothing in it is run or fetched.

What cannot be read is left out, and `Trace.warning` says so to everybody who looks at the run: a damaged line takes
itself away and nothing else, because hours of work lie before and after it. A file is refused only where what is left
would not be that run: one that does not begin with a run, or that a newer version wrote.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from rlm_kernel.errors import TraceError, TraceVersionError
from rlm_kernel.trace.codec import from_dict
from rlm_kernel.trace.events import FORMAT, Event, RunStarted
from rlm_kernel.trace.store import MAX_EVENT_BYTES, MAX_TEXT_BYTES, TEXT_KEY, digest
from rlm_kernel.trace.trace import Trace

MAX_RUN_BYTES = 10 * 2**30
MAX_DEPTH = 100
MAX_VALUES = 500_000
MAX_BAD_LINES = 10_000
_TEXT_PREFIX = re.compile(rb'\{"type":"text","hash":"([0-9a-f]{64})","text":(?=")')
_HASH = re.compile(r"[0-9a-f]{64}")
_GZIP = b"\x1f\x8b"
_TORN = "the last line was cut off while it was written and is left out"
_NAMED = 3


def load(path: str | Path) -> Trace:
    """The trace in a file.

    A torn last line, as a crash leaves it, a damaged line and a missing event are told in `trace.warning`. Raises
    `TraceError` for what is not a trace, `TraceVersionError` for one of a newer format.
    """
    file = Path(path).expanduser()
    reader = _Reader(file)
    trace = Trace(reader.events())
    trace.path = file
    trace.warning = reader.warning()
    return trace


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts: dict[str, str] = {}
        self.torn = False
        self.bad: list[int] = []
        self.good = 0
        self.counted = 0
        self.seq = -1
        self.disordered = False
        self.unknown = 0

    def events(self) -> list[Event]:
        events: list[Event] = []
        with self._open() as file:
            for number, line in enumerate(self._lines(file), 1):
                try:
                    event = self._taken(line, number)
                    if event is not None:
                        self._check_place(event, first=not events)
                        events.append(event)
                    self.good = number
                except TraceVersionError:
                    raise
                except TraceError as error:
                    if not events:
                        raise self._error(f"{error}", number) from None
                    self.bad.append(number)
                    if len(self.bad) > MAX_BAD_LINES:
                        raise self._error(
                            "and 10,000 before it cannot be read: this is no trace", number
                        ) from None
        if not events:
            raise TraceError(
                f"{self.path} is not a trace: it does not begin with a run", path=self.path, line=1
            )
        return events

    def warning(self) -> str:
        """What is wrong with the file, in sentences; empty when nothing is."""
        missing = self.seq + 1 - self.counted - len(self.bad)
        said = [
            _TORN if self.torn else "",
            self._told() if self.bad else "",
            f"{_count(missing, 'event')} of the run {_is(missing)} not in the file" if missing > 0 else "",
            "the events are not in the order in which they were recorded" if self.disordered else "",
            f"{_count(self.unknown, 'event')} of a kind that this version does not know {_is(self.unknown)} left out"
            if self.unknown
            else "",
        ]
        return "; ".join(filter(None, said))

    def _told(self) -> str:
        tail = [number for number in self.bad if number > self.good]
        if tail == self.bad:
            return f"the last {_count(len(tail), 'line')} cannot be read, as after a power cut, and {_are(tail)} left out"
        named = ", ".join(map(str, self.bad[:_NAMED])) + (", …" if len(self.bad) > _NAMED else "")
        return (
            f"{_count(len(self.bad), 'line')} cannot be read ({named}) and {_are(self.bad)} left out: "
            "steps may be missing or look unfinished"
        )

    def _check_place(self, event: Event, *, first: bool) -> None:
        if isinstance(event, RunStarted) != first:
            raise TraceError("does not begin a run" if first else "begins a run again")

    def _count_in(self, seq: object) -> None:
        if not isinstance(seq, int) or seq < 0:  # written by hand
            return
        self.counted += 1
        self.disordered |= seq <= self.seq
        self.seq = max(self.seq, seq)

    def _open(self) -> BufferedReader:
        try:
            facts = self.path.stat()
            if not stat.S_ISREG(facts.st_mode):
                raise TraceError(f"{self.path} is not a file", path=self.path)
            if facts.st_size > MAX_RUN_BYTES:
                raise TraceError(f"{self.path} is larger than 10 GB and is not read", path=self.path)
            return self.path.open("rb")
        except FileNotFoundError:
            raise TraceError(f"no trace at {self.path}", path=self.path) from None
        except OSError as error:
            raise TraceError(f"cannot read {self.path}: {error.strerror or error}", path=self.path) from None

    def _lines(self, file: BufferedReader) -> Iterator[bytes]:
        """The lines without their ends. One that is too long is given as its beginning, which is no JSON."""
        if file.peek(2)[:2] == _GZIP:
            raise TraceError(f"{self.path} is compressed with gzip: unpack it first", path=self.path)
        # Only a newline ends a line (`splitlines` would cut at U+2028), and what follows the last one is torn.
        while line := file.readline(MAX_EVENT_BYTES):
            if len(line) == MAX_EVENT_BYTES and not line.endswith(b"\n"):
                if _TEXT_PREFIX.match(line):
                    line += file.readline(MAX_TEXT_BYTES - len(line))
                if not line.endswith(b"\n"):
                    line = line[:100] + _skipped(file)
            if not line.endswith(b"\n"):
                self.torn = True
                return
            yield line[:-1]

    def _taken(self, line: bytes, number: int) -> Event | None:
        named = _TEXT_PREFIX.match(line) if len(line) > MAX_VALUES else None
        if named and line.endswith(b"}"):
            # Only a text, however long: nothing else is built of it.
            self._keep(named[1].decode(), _parsed(line[named.end() : -1]))
            return None
        if len(line) > MAX_EVENT_BYTES or _values(line) > MAX_VALUES:
            raise TraceError("is too large")
        data = _parsed(line)
        if not isinstance(data, dict):
            raise TraceError("is not an object")
        if data.get("type") == "text":
            self._keep(data.get("hash"), data.get("text"))
            return None
        self._check_version(data, number)
        if TEXT_KEY in data:
            raise TraceError("is a text where an event was expected")
        try:
            event = from_dict(data if _is_plain(line) else self._resolve(data, 0))
        except (TraceError, RecursionError) as error:
            raise TraceError(f"does not fit: {error}") from None
        self._count_in(data.get("seq"))
        self.unknown += event is None
        return event

    def _keep(self, name: object, text: object) -> None:
        if not isinstance(text, str) or not isinstance(name, str) or name != digest(text):
            raise TraceError("is not the text of its hash")
        self.texts[name] = text

    def _check_version(self, data: dict[str, Any], number: int) -> None:
        version = data.get("format", FORMAT)
        if isinstance(version, bool) or not isinstance(version, int | float):
            raise TraceError(f"has no version, but {str(version)[:40]!r}")
        if version > FORMAT:
            raise TraceVersionError(
                f"{self.path} has trace format {version}; this rlm_kernel reads up to {FORMAT}. "
                "Update it: pip install -U rlm-kernel",
                path=self.path,
                line=number,
            )

    def _resolve(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise TraceError(f"more than {MAX_DEPTH} levels deep")
        if isinstance(value, list):
            return [self._resolve(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        if TEXT_KEY in value:
            return self._text(value[TEXT_KEY])
        return {key.removeprefix("$"): self._resolve(item, depth + 1) for key, item in value.items()}

    def _text(self, name: object) -> str:
        if not isinstance(name, str) or not _HASH.fullmatch(name):
            raise TraceError(f"{str(name)[:40]!r} is not the hash of a text")
        if name not in self.texts:
            raise TraceError(f"text {name[:12]} is missing")
        return self.texts[name]

    def _error(self, what: str, number: int) -> TraceError:
        if what.startswith(str(self.path)):
            return TraceError(what, path=self.path, line=number)
        return TraceError(f"{self.path}, line {number} {what}", path=self.path, line=number)


def _skipped(file: BufferedReader) -> bytes:
    """Reads to the end of the line; gives that end, if there is one."""
    while part := file.readline(2**20):
        if part.endswith(b"\n"):
            return b"\n"
    return b""


def _is_plain(line: bytes) -> bool:
    """Whether there is nothing to resolve in the line and no depth to fear, as in most lines."""
    return b"$" not in line and rb"\u0024" not in line and line.count(b"{") + line.count(b"[") <= MAX_DEPTH


def _values(line: bytes) -> int:
    """How many values are in the line at most: a few bytes of JSON can take a hundred in memory."""
    return sum(map(line.count, (b",", b"[", b"{"))) if len(line) > MAX_VALUES else 0


def _parsed(line: bytes) -> Any:
    try:
        return _decode(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise TraceError(f"is not JSON ({error})") from None


def _finite(literal: str) -> float:
    number = float(literal) if len(literal) < 1000 else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{literal[:40]} is not a number of JSON")
    return number


def _integer(literal: str) -> int:
    number = int(literal) if len(literal) <= 20 else 2**63
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{literal[:40]} is larger than 64 bits")
    return number


_decode = json.JSONDecoder(parse_constant=_finite, parse_float=_finite, parse_int=_integer).decode


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _are(numbers: list[int]) -> str:
    return _is(len(numbers))


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


__all__ = ["load"]
