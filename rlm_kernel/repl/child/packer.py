"""`Packer`: one variable on its way out, with its budget, its depth and the bytes beside its JSON.

A value that cannot go is told in its place; one that contains itself, is nested too deep or takes too much is
told as a whole.
"""

from __future__ import annotations

import json

from rlm_kernel.repl.child.glimpse import glimpse
from rlm_kernel.repl.describe import type_name
from rlm_kernel.repl.values.limits import MAX_DEPTH, MAX_DIGITS, MAX_LISTS, MAX_NUMBER_BITS, ZONE_KEY
from rlm_kernel.text import cut

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SCALARS = frozenset((type(None), bool, int, float, str))
# Bound once: code in a worker may replace what the json module exports.
_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=True, allow_nan=False, check_circular=False
).encode


class Refused(Exception):
    """A value that cannot go; the text says why, and what would help."""


class RefusedWhole(Refused):
    """A variable that cannot go for what is somewhere in it."""


class Packer:
    """Packs one variable, and others after it. `pack` makes the node of a value that is neither number nor text."""

    def __init__(self, budget: int, pack: Callable[[Packer, Any], Any]) -> None:
        self.budget = budget
        self.spent = 0
        self._pack = pack
        self._blobs: list[bytes] = []
        self._above: list[int] = []  # the containers around the value that is packed
        self._keys = 0

    def variable(self, value: Any) -> tuple[bytes, bytes]:
        """The JSON of the variable and the bytes beside it; any failure is told in the JSON."""
        try:
            text = _encode(self.node(value)).encode("ascii")
            if text.count(b"[") > MAX_LISTS:
                raise RefusedWhole(f"it has more than {MAX_LISTS:,} parts")
        except Refused as refused:
            return self.described(value, str(refused))
        except BaseException as error:  # noqa: BLE001 - what the model made may fail in any way
            return self.described(value, f"it could not be packed ({type(error).__name__})")
        return text, b"".join(self._blobs)

    def described(self, value: Any, why: str) -> tuple[bytes, bytes]:
        """The variable told instead of given."""
        self.spent = 0
        return _encode(stub(value, why)).encode("ascii"), b""

    def node(self, value: Any) -> Any:
        """The value as JSON, or why it cannot be given."""
        if type(value) in _SCALARS:
            return self._pack(self, value)
        if len(self._above) >= MAX_DEPTH:
            raise RefusedWhole(f"it is nested more than {MAX_DEPTH} deep")
        if id(value) in self._above:
            raise RefusedWhole("it contains itself")
        self.spend(24)
        kept = len(self._blobs)
        self._above.append(id(value))
        try:
            return self._pack(self, value)
        except RefusedWhole:
            raise
        except Refused as refused:
            if self._keys:
                raise
            del self._blobs[kept:]
            told = stub(value, str(refused))
            self.spend(6 * sum(map(len, told)))
            return told
        finally:
            self._above.pop()

    def key(self, value: Any) -> Any:
        """The node of a value that will be hashed: a key of a dict, a member of a set, a name."""
        self._keys += 1
        try:
            return self.node(value)
        except RefusedWhole:
            raise
        except Refused as refused:
            raise Refused(f"a key or member of it cannot be restored: {refused}") from None
        finally:
            self._keys -= 1

    def blob(self, data: bytes) -> int:
        """Puts the bytes beside the JSON; gives their number, which is all the JSON says of them."""
        self.spend(len(data) + 24)
        self._blobs.append(data)
        return len(data)

    def spend(self, size: int, *, ahead: int = 0) -> None:
        """Counts bytes against the budget; `ahead` are about to be needed."""
        self.spent += size
        if self.spent + ahead > self.budget:
            least = max(self.spent + ahead, self.budget) / 1e6
            raise RefusedWhole(
                f"it takes {least:,.1f} MB or more, and {self.budget / 1e6:,.1f} MB are restored at most; "
                "a part of it, in a variable of its own, could be restored"
            )

    def check_number(self, value: int) -> None:
        """Refuses a huge number where it would be hashed and compared, which takes long."""
        if self._keys and value.bit_length() > MAX_NUMBER_BITS:
            raise Refused(f"a number of {value.bit_length():,} bits, too large there")

    def check_digits(self, digits: int) -> None:
        """Refuses a decimal of more digits than can be worked with soon."""
        if digits > MAX_DIGITS:
            raise Refused(f"a decimal of {digits:,} digits, of which at most {MAX_DIGITS:,} are restored")

    def zone(self, zone: Any) -> Any:
        """A time zone: an offset of its own, or one of the time zone database."""
        kind = f"{type(zone).__module__}.{type(zone).__qualname__}"
        self.spend(80)
        if kind == "datetime.timezone":
            offset, *name = zone.__getinitargs__()
            return ["offset", offset.days, offset.seconds, offset.microseconds, *map(self.node, name)]
        key = getattr(zone, "key", None) if kind.startswith("zoneinfo.") else None
        if type(key) is str and ZONE_KEY(key):
            return ["zone", key]
        raise Refused(f"its time zone is a {type_name(zone)}; in UTC it could be restored")


def stub(value: Any, why: str) -> list[str]:
    """The node of a value that is told instead of given. Nothing here may fail."""
    try:
        kind, look = type_name(value), glimpse(value)
    except BaseException:  # noqa: BLE001 - a class of the model's making may fail in any way
        kind, look = "object", ""
    return ["unrestored", cut(kind, 150), cut(why, 400), look]


__all__ = ["Packer", "Refused", "RefusedWhole", "stub"]
