"""The variables of a child namespace as objects here: exact where they are plain, told where not, code never."""

from __future__ import annotations

import asyncio
import functools
import json
import math
import sys
import threading
import time
import tracemalloc
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from datetime import time as clock
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workers import Worker

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ProtocolError, ReplError
from rlm_kernel.repl import worker as worker_module
from rlm_kernel.repl.child.values import pack_values
from rlm_kernel.repl.values.limits import BUDGET_BYTES, MAX_DEPTH, MAX_LISTS
from rlm_kernel.repl.values.tables import TABLES
from rlm_kernel.repl.values.unpack import Unrestored, unpack_values

MINUS_ZERO = -0.0
Point = namedtuple("Point", "x y")


def through(value: object) -> Any:
    """The value after the way from a worker to here, its table through JSON as in a frame."""
    data, blob = pack_values({"value": value}, BUDGET_BYTES)
    return unpack_values(json.loads(json.dumps(data)), blob)["value"]


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in all that a person could see: types, order, signs, nan."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    if isinstance(one, set | frozenset):
        return len(one) == len(other) and all(any(same(each, found) for found in other) for each in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and same(one.tolist(), other.tolist())
    return repr(one) == repr(other)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        2**53,
        1.5,
        MINUS_ZERO,
        5e-324,
        math.nan,
        -math.inf,
        complex(MINUS_ZERO, math.nan),
        "",
        "plain 'text'\n\x00\x7f",
        "two lone ones \ud83d\ude00 and one character 😀",
        "é" * 1000,
        b"\x00\xff" * 300,
        bytearray(b"x"),
        [],
        (1, (2, [3])),
        {},
        {"b": 1, "a": [2], (1, None): {b"k": 2.0}, 3: "", None: 0, frozenset({1}): 1},
        {math.nan: 1, float("nan"): 2},
        pytest.param({1, "a", (2, 3)}, id="a set"),  # shown in another order in each process
        frozenset({1.5}),
        range(10, -5, -3),
        range(2**80),
        date(2024, 2, 29),
        datetime(2024, 10, 27, 2, 30, 1, 7, fold=1),  # noqa: DTZ001 - one without a zone is what is meant
        datetime(2024, 10, 27, 2, 30, tzinfo=UTC),
        datetime(2024, 10, 27, 2, 30, tzinfo=timezone(timedelta(hours=-3, seconds=1), "here")),
        datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        clock(23, 59, 59, 999999),
        clock(1, tzinfo=UTC),
        timedelta(-1, 5, 7),
        Decimal("-0.10"),
        Decimal("sNaN12"),
        Decimal("1E+999999"),
        Fraction(-1, 3),
        Counter("hello"),
        OrderedDict([("b", 1), ("a", 2)]),
        deque([1, 2], maxlen=5),
        deque("ab"),
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([True, False]),
        np.array([1 + 2j, math.nan]),
        np.array([1, 2], dtype=">u2"),
        np.array(["a", "bcd\U0010ffff"]),
        np.array([b"a", b"\xff"]),
        np.array(["2024-01-01", "NaT"], dtype="M8[D]"),
        np.array([5], dtype="m8[25s]"),
        np.array(7),
        np.empty((0, 3)),
        np.array([1, "a", [2], None], dtype=object),
        np.float32(1.5),
        np.float64("nan"),
        np.int8(-3),
        np.bool_(True),
        np.str_("zeros\x00"),
        np.str_(""),
        np.bytes_(b"zeros\x00"),
        np.datetime64("2024-01-01T01", "h"),
        np.timedelta64(3, "D"),
        np.complex64(1j),
        pd.Timestamp("2024-01-01 12:00:00.123456789"),
        pd.Timestamp("2024-07-01", tz="Europe/Berlin"),
        pd.Timedelta("3 days 00:00:01"),
        pd.NaT,
        pd.NA,
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_comes_exactly_as_it_is(value: object) -> None:
    assert same(through(value), value)
    assert same(through([value, {"in": value}]), [value, {"in": value}])


def test_a_number_of_any_size_comes() -> None:
    huge = -(3**100_000)
    assert through([huge]) == [huge]


def test_a_default_dict_comes_without_its_function() -> None:
    assert same(through(defaultdict(list, {"a": [1]})), {"a": [1]})


def test_an_ordered_dict_keeps_the_order_it_was_given() -> None:
    moved = OrderedDict([("a", 1), ("b", 2)])
    moved.move_to_end("a")
    assert list(through(moved)) == ["b", "a"]


def test_what_comes_may_be_changed() -> None:
    array = through(np.arange(3))
    array += 1
    assert array.tolist() == [1, 2, 3]


FRAMES = {
    "numbers": pd.DataFrame({"a": [1, 2], "b": [0.5, math.nan]}),
    "texts": pd.DataFrame({"t": ["x", None], "o": pd.Series([1, "y"], dtype=object)}, index=["r", "s"]),
    "string dtype": pd.DataFrame({"t": pd.array(["x", None], dtype="string")}),
    "names": pd.DataFrame(
        [[1, 2]], columns=pd.Index(["a", "b"], name="c"), index=pd.Index([7], name=("r", 1))
    ),
    "the same label twice": pd.DataFrame([[1, "x"]], columns=["a", "a"]),
    "dates": pd.DataFrame({"d": pd.date_range("2024", periods=3)}, index=pd.date_range("2024", periods=3)),
    "zones": pd.DataFrame({"d": pd.date_range("2024", periods=2, tz="Europe/Berlin")}),
    "spans": pd.DataFrame({"d": pd.to_timedelta([1, 2], unit="D")}),
    "categories": pd.DataFrame({"c": pd.Categorical(["x", None, "x"], categories=["y", "x"], ordered=True)}),
    "masked": pd.DataFrame(
        {"i": pd.array([1, None], dtype="Int8"), "b": pd.array([None, True], dtype="boolean")}
    ),
    "many levels": pd.DataFrame({("a", 1): [1], ("b", 2): [2]}).rename_axis(columns=["l", "n"]),
    "rows of levels": pd.DataFrame({"v": [1, 2]}, index=pd.MultiIndex.from_product([["x"], [1, 2]])),
    "no columns": pd.DataFrame(index=[1, 2]),
    "no rows": pd.DataFrame({"a": pd.Series(dtype="float64")}),
    "nothing": pd.DataFrame(),
    "booleans": pd.DataFrame({"a": [True, False]}),
    "a range": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(5, 9, 2, name="n")),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_table_comes_exactly_as_it_is(frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(through(frame), frame, check_freq=True)
    pd.testing.assert_index_equal(through(frame.index), frame.index, exact=True)
    for at in range(frame.shape[1]):
        pd.testing.assert_series_equal(through(frame.iloc[:, at]), frame.iloc[:, at])


def test_tables_within_lists_within_tables() -> None:
    inner = pd.Series([1, 2])
    outer = through({"all": [pd.DataFrame({"s": pd.Series([inner, None], dtype=object)})]})
    pd.testing.assert_series_equal(outer["all"][0].s[0], inner)


class Foo:
    """A class that only this test module knows."""

    def __init__(self) -> None:
        self.x, self.words = 3, ["a", "b", "c", "d"]


class OwnZone(tzinfo):
    """A time zone that only this test module knows."""


class HostileList(list):  # type: ignore[type-arg]
    """Every way in which a list can call back."""

    def _call(self, *args: object) -> Any:
        raise AssertionError("code of a value was run")

    __len__ = __iter__ = __reduce__ = __reduce_ex__ = __eq__ = __getitem__ = __repr__ = __hash__ = _call  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (sys, "a module; import it"),
        (through, "run its code in a cell"),
        (Foo, "run its code in a cell, or import it"),
        (len, "run its code in a cell"),
        ((each for each in []), "a list of what it gives could be restored"),
        (Foo(), "a dict or list of what it holds could be restored"),
        (functools.partial(len), "which is not plain data"),
        (threading.Lock(), "an instance of _thread.lock"),
        (Point(1, 2), "an instance of"),
        (HostileList([1]), "HostileList"),
        (np.ma.array([1]), "numpy.MaskedArray"),
        (np.zeros(2, [("a", int)]), "an array of dtype [('a', '<i8')]"),
        (np.array([""], dtype=np.dtypes.StringDType()), "an array of dtype StringDType"),
        (pd.DataFrame({"p": pd.period_range("2024", periods=2)}), "a column of dtype period[D]"),
        ({Foo(): 1}, "a key or member of it cannot be restored"),
        ({2 ** (10**6)}, "a number of 1,000,001 bits, too large there"),
        (Decimal("1" * 30_000), "a decimal of 30,000 digits"),
        (datetime(2024, 1, 1, tzinfo=OwnZone()), "its time zone is a test_values.OwnZone"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_come_says_why_and_what_would_help(value: object, why: str) -> None:
    told = through(value)
    assert isinstance(told, Unrestored)
    assert why in told.why


def test_one_that_cannot_come_leaves_the_rest_in_place() -> None:
    found = through({"scores": np.arange(2), "fit": Foo(), "tail": b"bytes"})
    assert found["scores"].tolist() == [0, 1]
    assert repr(found["fit"]) == (
        "<not restored: test_values.Foo Foo(x=3, words=['a', 'b', 'c', … 1 more]): an instance of test_values.Foo, "
        "which is not plain data; a dict or list of what it holds could be restored>"
    )
    assert found["tail"] == b"bytes"


def test_what_was_packed_of_a_part_that_cannot_come_is_taken_back() -> None:
    found = through([{b"gone": b"with its bytes", Foo(): 1}, b"kept"])
    assert isinstance(found[0], Unrestored)
    assert found[1] == b"kept"


def test_loops_and_depth_are_refused_where_they_are_made() -> None:
    loop: list[Any] = []
    loop.append({"again": loop})
    array = np.empty(1, dtype=object)
    array[0] = array
    deep: Any = 0
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert same(through(deep), deep)
    assert through([deep]).why == f"it is nested more than {MAX_DEPTH} deep"
    assert through(loop).why == through(array).why == "it contains itself"
    assert through([loop[0], 1]).why == "it contains itself"


def test_a_value_that_doubles_itself_is_stopped_by_the_budget() -> None:
    bomb: Any = [0] * 10
    for _ in range(40):
        bomb = [bomb] * 10
    started = time.monotonic()
    data, blob = pack_values({"bomb": bomb, "kept": 1}, 1_000_000)
    found = unpack_values(data, blob)
    assert time.monotonic() - started < 20
    assert found["kept"] == 1
    assert found["bomb"].why.startswith("it takes 1.0 MB or more, and 1.0 MB are restored at most")


def test_the_budget_is_spent_on_the_smallest_first_and_the_order_is_kept() -> None:
    sizes = {"big": 700_000, "a": 300_000, "c": 500_000, "b": 100_000}
    found = unpack_values(*pack_values({name: bytes(size) for name, size in sizes.items()}, 1_000_000))
    assert list(found) == ["big", "a", "c", "b"]
    assert {name for name, value in found.items() if not isinstance(value, Unrestored)} == {"a", "b", "c"}
    assert found["big"].why == "it takes 0.7 MB, more than is left of 1 MB; ask for it alone"


def test_a_large_array_is_told_with_its_size() -> None:
    told = through(np.zeros((9_000, 1_000)))
    assert told.why.startswith("it takes 72.0 MB or more, and 64.0 MB are restored at most")
    assert told.preview == "numpy.ndarray of shape (9000, 1000)"


KEYS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.binary(),
        st.dates(),
        st.fractions(),
    ),
    lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)
LEAVES = st.one_of(
    KEYS,
    st.complex_numbers(),
    st.text(st.characters(categories=["Cs", "Lu"])),
    st.decimals(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.timedeltas(),
    st.times(),
    st.binary().map(bytearray),
    st.lists(st.floats(), max_size=4).map(np.array),
    st.lists(st.text(), max_size=4).map(lambda texts: np.array(texts, dtype=object)),
    st.integers(0, 255).map(np.uint8),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(deque),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4).map(OrderedDict),
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES)
def test_any_nested_value_comes_back_the_same(value: object) -> None:
    assert same(through(value), value)


def unpacked(text: str, data: bytes = b"") -> Any:
    """What one variable of that JSON gives."""
    body = text.encode()
    return unpack_values({"variables": [["v", len(body), len(data)]]}, body + data)["v"]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", b""),
        ("{}", b""),
        ("[]", b""),
        ("NaN", b""),
        ("[[]]", b""),
        ('["no such tag", 1]', b""),
        ('["os.system", "id"]', b""),
        ('["list"]', b""),
        ('["list", 1]', b""),
        ('["list", [], []]', b""),
        ("9" * 30, b""),
        ('["int", "0x1f"]', b""),
        ('["int", "1_0"]', b""),
        ('["float", "1e5"]', b""),
        ('["str", 2]', b"a"),
        ('["str", -1]', b""),
        ('["str", 1]', b"\xff"),
        ('["bytes", true]', b"a"),
        ('["bytes", 1]', b"left over"),
        ('["list", [["bytes", 5], ["bytes", 5]]]', b"12345"),
        ('["dict", [1]]', b""),
        ('["dict", [["list", []], 1]]', b""),
        ('["dict", [1, 2, 1, 3]]', b""),
        ('["set", [1, true]]', b""),
        ('["set", [["unrestored", "a", "b", "c"]]]', b""),
        ('["range", 1, 2, 0]', b""),
        ('["range", 1.5, 2, 1]', b""),
        ('["fraction", 1, 0]', b""),
        ('["decimal", "zero"]', b""),
        ('["date", 2024, 2, 31]', b""),
        ('["datetime", [2024, 1, 1], [0, 0, 0, 0], 2, null]', b""),
        ('["time", [0, 0, 0, 0], 0, ["zone", "../../etc/passwd"]]', b""),
        ('["time", [0, 0, 0, 0], 0, ["offset", 9, 0, 0]]', b""),
        ('["deque", [1, 2], 1]', b""),
        ('["unrestored", "a", "b"]', b""),
        ('["array", "O", [1], 8]', b"12345678"),
        ('["array", "<i8", [2], 8]', b"12345678"),
        ('["array", "<i8", [1125899906842624, 1125899906842624], 0]', b""),
        ('["array", "<i8", [-1], 8]', b"12345678"),
        ('["array", "<i8", [0, 1e3], 0]', b""),
        ('["array", "<U0", [1000000000000], 0]', b""),
        ('["array", "<U99999999", [0], 0]', b""),
        ('["array", "<U1", [1], 4]', b"\xff\xff\xff\xff"),
        ('["array", "|b1", [1], 1]', b"\x02"),
        ('["array", "i8,i8", [1], 16]', b"1234567812345678"),
        ('["array", "|V8", [1], 8]', b"12345678"),
        ('["array", "<M8[1000000000s]", [1], 8]', b"12345678"),
        ('["objects", [3], [1, 2]]', b""),
        ('["objects", [0, 1000000000000000000], []]', b""),
        ('["numpy", ["objects", [], [1]]]', b""),
        ('["frame", ["range_index", 0, 2, 1, null], ["range_index", 0, 1, 1, null], []]', b""),
        ('["frame", ["range_index", 0, 0, 1, null], ["range_index", 0, 1000000000000, 1, null], []]', b""),
        ('["series", ["objects", [1], [1]], ["range_index", 0, 1000000000, 1, null], null]', b""),
        ('["series", ["objects", [], [1]], ["range_index", 0, 1, 1, null], null]', b""),
        ('["index", ["list", [1]], null, null]', b""),
        ('["strings", "str", ["list", [1]]]', b""),
        ('["strings", "object", ["list", []]]', b""),
        ('["multi_index", [1], [], []]', b""),
        ("[" * 100_000, b""),
        ('["list",[' * 5_000 + "]]" * 5_000, b""),
        ('["list",[' * 150 + "]]" * 150, b""),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_a_worker_must_not_send_is_an_error(text: str, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpacked(text, data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"variables": {}},
        {"variables": [["v", 1]]},
        {"variables": [["v", 1, -1]]},
        {"variables": [["v", True, 0]]},
        {"variables": [[1, 1, 0]]},
        {"variables": [["v", 1, 0], ["v", 1, 0]]},
        {"variables": [["v", 9, 0]]},
        {"variables": []},
        {"variables": [["v", 0, 0]] * 10_001},
    ],
    ids=lambda data: str(data)[:50],
)
def test_a_table_that_does_not_fit_is_an_error(data: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        unpack_values(data, b"12")


def test_what_pandas_will_not_have_is_told() -> None:
    told = unpacked('["range_index", 0, 1, 0, null]')
    assert told.why.startswith("pandas does not take what came (ValueError:")


def test_a_value_whose_package_is_not_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    data, blob = pack_values({"a": np.arange(2), "b": 1}, BUDGET_BYTES)
    monkeypatch.setitem(sys.modules, "numpy", None)
    found = unpack_values(data, blob)
    assert found["a"].why == "it needs numpy, which this Python lacks; install it"
    assert found["b"] == 1


PRIME = 2**61 - 1


@pytest.mark.parametrize("tag", ["set", "dict"])
def test_keys_made_to_have_one_hash_do_not_take_forever(tag: str) -> None:
    keys = [
        f'["int", "{number * PRIME:x}"]' + (", 0" if tag == "dict" else "") for number in range(1, 100_000)
    ]
    started = time.monotonic()
    with pytest.raises(ProtocolError, match="too many keys of the same hash"):
        unpacked(f'["{tag}", [{", ".join(keys)}]]')
    assert time.monotonic() - started < 10


def test_many_honest_keys_of_one_hash_come() -> None:
    powers = {2**power: power for power in range(2_000)}
    assert through(powers) == powers


def test_a_frame_of_brackets_takes_no_memory() -> None:
    body = "[" + "[]," * (MAX_LISTS + 1) + "0]"
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="more parts than may pass"):
            unpacked(body)
        assert tracemalloc.get_traced_memory()[1] < 5 * len(body)
    finally:
        tracemalloc.stop()


SAMPLE = {
    "plain": [1, 2.5, "x", None, {"k": (b"bytes", "é" * 300)}, {1, 2}, Decimal(1), date(2024, 1, 1)],
    "array": np.arange(6.0).reshape(2, 3),
    "objects": np.array([1, "a", [b"x"]], dtype=object),
    "frame": pd.DataFrame({"a": [1, 2], "t": ["x", None], "d": pd.date_range("2024", periods=2, tz="UTC")}),
    "levels": pd.Series([1, 2], index=pd.MultiIndex.from_product([["x"], [1, 2]])),
    "told": Foo(),
}


@settings(deadline=None)
@given(st.data())
def test_a_changed_frame_gives_values_or_an_error_of_ours(data: st.DataObject) -> None:
    table, blob = pack_values(SAMPLE, BUDGET_BYTES)
    changed = bytearray(blob)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.sampled_from(b'0123456789[]{}",-eO<>|x\x00\xff'))
    rows = table["variables"]
    if data.draw(st.booleans()):
        row = data.draw(st.integers(0, len(rows) - 1))
        rows[row][data.draw(st.integers(1, 2))] += data.draw(st.integers(-3, 3))
    try:
        found = unpack_values(table, bytes(changed))
    except ProtocolError:
        return
    assert set(found) == set(SAMPLE)


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["<i8", "<U2", "|b1", "<M8[ns]", "str", "boolean", "Int8", "UTC", "zone"]),
    ),
    lambda inner: st.lists(inner, max_size=4),
)
TAGS = st.sampled_from(sorted(TABLES))


def nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(
        TAGS | st.sampled_from(["list", "dict", "set", "str", "range"]), inner, inner, inner
    ).flatmap(lambda parts: st.integers(1, 4).map(lambda size: list(parts[:size]))) | st.lists(
        inner, max_size=3
    )


@settings(deadline=None)
@given(st.recursive(JSON, nodes, max_leaves=20), st.binary(max_size=64))
def test_any_node_gives_a_value_or_an_error_of_ours(node: Any, data: bytes) -> None:
    try:
        unpacked(json.dumps(node), data)
    except ProtocolError:
        return


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker({"a": "hello"})
    yield worker
    worker.close()


def values(worker: Worker, names: list[str] | None = None) -> dict[str, Any]:
    return submit(worker.repl.values(names)).result(70)


def test_a_worker_gives_its_variables_and_its_answer(worker: Worker) -> None:
    worker.run(
        "import re, collections\nfrom os import getcwd\nclass Own:\n    def __init__(self): self.n = 1\n"
        "_hidden = 1\nnumbers = [1, 2]\nown = Own()\nanswer['content'] = ('draft', 3)\ndef f(): pass"
    )
    found = values(worker)
    assert list(found) == ["numbers", "own", "answer"]
    assert found["numbers"] == [1, 2]
    assert found["answer"] == ("draft", 3)
    assert repr(found["own"]) == (
        "<not restored: Own Own(n=1): an instance of Own, whose class exists only in the child namespace; "
        "a dict or list of what it holds could be restored>"
    )
    assert values(worker, ["numbers", "context", "_hidden", "no such"]) == {"numbers": [1, 2]}
    assert worker.run("print(numbers, context['a'])").stdout == "[1, 2] hello\n"


def test_asking_for_variables_imports_nothing_into_the_worker() -> None:
    worker = Worker()
    try:
        code = "import sys; print({'numpy', 'pandas', 'decimal', 'datetime', 'zoneinfo', 'dataclasses'} & set(sys.modules))"
        assert worker.run(code).stdout == "set()\n"
        assert values(worker) == {"answer": ""}
        assert worker.run(code).stdout == "set()\n"
    finally:
        worker.close()


HOSTILE = """
class Meta(type):
    def __getattribute__(cls, name): raise SystemExit(1)
class Evil(metaclass=Meta):
    pass
def _boom(*a, **k): raise SystemExit(1)
METHODS = ["__len__", "__iter__", "__eq__", "__repr__", "__str__", "__bool__", "__reduce__", "__getitem__", "items"]
def make(base):
    return type("Evil" + base.__name__, (base,), {name: _boom for name in METHODS} | {"__hash__": base.__hash__})
evil_list, evil_dict, evil_text, evil_int = (make(base)() for base in (list, dict, str, int))
class Odd:
    __dict__ = property(_boom)
    shape = property(_boom)
    __class__ = property(lambda self: list)
odd, meta = Odd(), [Evil()]
held = [evil_list, {"k": evil_text}, (evil_int,)]
globals()[type("Name", (str,), {})("odd_name")] = 1
"""


def test_hostile_objects_are_told_and_harm_nobody(worker: Worker) -> None:
    assert worker.run(HOSTILE).error is None
    found = values(worker)
    for name in ("evil_list", "evil_dict", "evil_text", "evil_int", "odd"):
        assert isinstance(found[name], Unrestored), name
    assert isinstance(found["meta"], Unrestored | list)
    assert [type(part).__name__ for part in found["held"]] == ["Unrestored", "dict", "tuple"]
    assert worker.run("1 + 1").stdout == "2\n"


def test_large_tables_come_from_a_worker(worker: Worker) -> None:
    worker.run("import pandas as pd\nframe = pd.DataFrame({'n': range(100_000), 't': ['x'] * 100_000})")
    expected = pd.DataFrame({"n": range(100_000), "t": ["x"] * 100_000})
    pd.testing.assert_frame_equal(values(worker, ["frame"])["frame"], expected)


def test_variables_are_given_between_blocks_only(worker: Worker) -> None:
    async def both() -> None:
        block = asyncio.ensure_future(
            worker.repl.execute("x = llm_query('a')", name="<rlm:0.1 block 1>", serve=worker.serve)
        )
        await asyncio.sleep(0)
        with pytest.raises(ReplError, match="a block is running: variables are given between blocks"):
            await worker.repl.values()
        await block

    submit(both()).result(20)


def test_two_at_once_get_an_answer_each(worker: Worker) -> None:
    worker.run("one, two = 1, 2")

    async def both() -> list[dict[str, Any]]:
        return await asyncio.gather(worker.repl.values(["one"]), worker.repl.values(["two"]))

    assert submit(both()).result(20) == [{"one": 1}, {"two": 2}]


def test_the_answer_to_somebody_who_left_is_not_given_to_the_next(worker: Worker) -> None:
    worker.run("one, two = 1, 2")

    async def both() -> dict[str, Any]:
        first = asyncio.ensure_future(worker.repl.values(["one"]))
        await asyncio.sleep(0)
        first.cancel()
        return await worker.repl.values(["two"])

    assert submit(both()).result(20) == {"two": 2}


@pytest.fixture
def fresh() -> Iterator[Callable[[], Worker]]:
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker())
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_worker_that_never_answers_is_ended(
    fresh: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "VALUES_SECONDS", 0.5)
    worker = fresh()
    worker.run("import time\nclass Odd:\n    __dict__ = property(lambda self: time.sleep(1000))\nodd = Odd()")
    with pytest.raises(ReplError, match=r"within 0\.5 s and was ended; ask for some by name"):
        values(worker)
    assert worker.run("'odd' in globals()").stdout == "False\n"


def test_a_worker_that_died_has_no_variables(fresh: Callable[[], Worker]) -> None:
    worker = fresh()
    worker.run("import os\nclass Odd:\n    __dict__ = property(lambda self: os._exit(3))\nodd = Odd()")
    with pytest.raises(ReplError, match="it ended with exit code 3"):
        values(worker)
    with pytest.raises(ReplError, match="the variables are lost with their process"):
        values(worker)
    assert "exit code 3" in str(worker.run("1").error)
    assert worker.run("1").stdout == "1\n"


def test_a_worker_that_sends_pickles_is_not_believed(fresh: Callable[[], Worker]) -> None:
    worker = fresh()
    worker.run(
        "import sys, pickle\nns = sys.modules['rlm_kernel.repl.child.namespace']\n"
        "data = pickle.dumps([1])\n"
        "ns.pack_values = lambda *_: ({'variables': [['v', 0, len(data)]]}, data)"
    )
    with pytest.raises(ProtocolError, match="a variable that makes no sense"):
        values(worker)
