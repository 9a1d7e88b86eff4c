"""Tables, figures and images of a block: what is kept of them, and what a worker cannot send."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workers import Worker

from rlm_kernel.repl.base import BlockResult
from rlm_kernel.repl.rich import (
    MAX_BLOCK_CHARS,
    MAX_CELL,
    MAX_CHARS,
    MAX_COLUMNS,
    MAX_OUTPUTS,
    MAX_ROWS,
    TABLE,
    checked,
)
from rlm_kernel.trace import ErrorInfo

Run = Callable[[str], BlockResult]
PNG = b"\x89PNG\r\n\x1a\n"
PLOT = "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([1, 2])\n"


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    worker.run("import pandas as pd")
    yield worker
    worker.close()


@pytest.fixture
def run(worker: Worker) -> Run:
    return worker.run


def tables(result: BlockResult) -> list[Any]:
    return [json.loads(output.data[TABLE]) for output in result.outputs]


def images(result: BlockResult, mime: str = "image/png") -> list[bytes]:
    return [base64.b64decode(output.data[mime], validate=True) for output in result.outputs]


def test_the_last_expression_is_printed_and_kept_as_a_table(run: Run) -> None:
    result = run("pd.DataFrame({'name': ['Ada', 'Alan'], 'born': [1815, 1912]}, index=['a', 'b'])")
    assert result.stdout == "   name  born\na   Ada  1815\nb  Alan  1912\n"
    assert tables(result) == [
        {
            "columns": ["name", "born"],
            "rows": [["Ada", "1815"], ["Alan", "1912"]],
            "total_rows": 2,
            "total_columns": 2,
            "index": ["a", "b"],
        }
    ]


def test_display_prints_and_keeps_each_of_its_objects(run: Run) -> None:
    result = run("display('text', pd.Series([1.5, None], name='x'), 42, metadata={})")
    assert result.stdout == "'text'\n0    1.5\n1    NaN\nName: x, dtype: float64\n42\n"
    (table,) = tables(result)
    assert (table["columns"], table["rows"], table["index"]) == (["x"], [["1.5"], ["nan"]], ["0", "1"])


def test_nothing_is_kept_of_what_is_only_printed(run: Run) -> None:
    assert run("frame = pd.DataFrame({'a': [1]})\nprint(frame)").outputs == ()
    assert run("'text'").outputs == ()


def test_a_large_table_is_cut_and_says_how_large_it_is(run: Run) -> None:
    (table,) = tables(run("pd.DataFrame([['x' * 1000] * 500] * 2000)"))
    assert (table["total_rows"], table["total_columns"]) == (2000, 500)
    assert (len(table["rows"]), len(table["columns"]), len(table["index"])) == (
        MAX_ROWS,
        MAX_COLUMNS,
        MAX_ROWS,
    )
    assert table["rows"][0][0] == "x" * (MAX_CELL - 1) + "…"


@pytest.mark.parametrize(
    ("code", "columns", "rows", "index"),
    [
        ("pd.DataFrame()", [], [], []),
        ("pd.DataFrame([[1, 2]], columns=['a', 'a'])", ["a", "a"], [["1", "2"]], ["0"]),
        ("pd.DataFrame([[[1, 2]]], columns=[('a', 1)])", ["('a', 1)"], [["[1, 2]"]], ["0"]),
        ("pd.DataFrame({'a': [1]}, index=[('x', 'y')])", ["a"], [["1"]], ["('x', 'y')"]),
        ("pd.Series(pd.to_datetime(['2020-01-02']))", [""], [["2020-01-02 00:00:00"]], ["0"]),
        ("pd.Series(['<b>\\ud800\\x00'], dtype=object)", [""], [["<b>\ud800\x00"]], ["0"]),
        ("pd.Series([10**5000], dtype=object)", [""], [["<unprintable int>"]], ["0"]),
    ],
)
def test_odd_tables(
    worker: Worker, code: str, columns: list[str], rows: list[list[str]], index: list[str]
) -> None:
    (table,) = tables(worker.run(f"display.__self__.add({code})"))
    assert (table["columns"], table["rows"], table["index"]) == (columns, rows, index)


def test_a_table_without_columns_is_one(run: Run) -> None:
    (table,) = tables(run("pd.DataFrame(index=[1, 2])"))
    assert (table["columns"], table["total_rows"], table["total_columns"]) == ([], 2, 0)


def test_a_table_of_polars_is_known_by_its_class(run: Run) -> None:
    # What polars has of it: head, select, columns, rows, shape; it has no index.
    code = """
class DataFrame:
    __module__ = "polars.dataframe.frame"
    columns, shape = [f"c{n}" for n in range(40)], (1000, 40)
    def __repr__(self): return "shape: (1000, 40)"
    def head(self, count): self.count = count; return self
    def select(self, names): self.columns = names; return self
    def rows(self): return [tuple(range(len(self.columns)))] * self.count
DataFrame()
"""
    result = run(code)
    assert result.stdout == "shape: (1000, 40)\n"
    (table,) = tables(result)
    assert (len(table["rows"]), table["columns"][-1], table["total_columns"]) == (100, "c29", 40)
    assert table["index"] is None


def test_a_figure_left_open_is_kept_and_closed(run: Run) -> None:
    result = run(PLOT + "plt.show()")
    assert [image[:8] for image in images(result)] == [PNG]
    assert (result.stdout, result.stderr, result.notes) == ("", "", ())
    after = run("print(plt.get_fignums())")
    assert (after.stdout, after.outputs) == ("[]\n", ())


def test_a_figure_that_was_displayed_is_kept_once(run: Run) -> None:
    result = run(PLOT + "display(figure)")
    assert (len(images(result)), result.stdout) == (1, "<Figure size 640x480 with 1 Axes>\n")
    assert len(images(run(PLOT + "figure"))) == 1


def test_figures_of_a_block_that_fails_are_kept(run: Run) -> None:
    result = run(PLOT + "plt.figure()\n1/0")
    assert len(images(result)) == 2
    assert str(result.error) == "ZeroDivisionError: division by zero"


def test_figures_of_a_block_that_is_stopped_come_with_the_next() -> None:
    stopped = Worker()
    try:
        stopped.run("import matplotlib.pyplot as plt")

        async def stop(batch: Any) -> Any:
            stopped.repl.stop(ErrorInfo(type="Interrupted", message="enough"))
            return []

        result = stopped.run(PLOT + "llm_query('x')\nwhile True: pass", serve=stop)
        assert result.error is not None
        assert (result.error.type, result.outputs) == ("Interrupted", ())
        assert len(images(stopped.run("axes.get_title()"))) == 1
    finally:
        stopped.close()


def test_a_figure_that_cannot_be_drawn_is_told_and_nothing_else_fails(run: Run) -> None:
    result = run(PLOT + "axes.set_title('$\\\\frac{$')\nprint('fine')")
    assert (result.stdout, result.error, result.outputs) == ("fine\n", None, ())
    assert "A Figure could not be shown: ValueError(" in result.notes[0]
    assert len(images(run(PLOT))) == 1


def test_images_are_kept_as_they_show_themselves(run: Run) -> None:
    assert images(run("from PIL import Image\nImage.new('RGB', (4, 3), 'red')"))[0].startswith(PNG)
    noise = "import os\nImage.frombytes('RGB', (800, 600), os.urandom(800 * 600 * 3))"
    (image,) = images(run(noise), "image/jpeg")  # as PNG it would be too large
    assert image.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize(
    ("method", "note"),
    [
        ("raise OSError('no pixels')", "A Strange could not be shown: OSError('no pixels')"),
        ("return b'not a png'", "A rich output was not kept: its data is no image/png."),
        ("return '<svg onload=alert(1)>'", ""),
        ("return None", ""),
        ("return b'\\x89PNG\\r\\n\\x1a\\n' * 200_000", "1 of this block's figures and tables were not kept"),
    ],
)
def test_objects_that_show_nonsense(run: Run, method: str, note: str) -> None:
    result = run(f"class Strange:\n    def _repr_png_(self):\n        {method}\nStrange()")
    assert (result.error, result.outputs) == (None, ())
    assert " ".join(result.notes).startswith(note)
    assert bool(result.notes) == bool(note)


def test_a_block_keeps_so_many_and_counts_the_rest(run: Run) -> None:
    result = run("for number in range(50): display(pd.DataFrame({'n': [number]}))")
    assert [table["rows"] for table in tables(result)] == [[[str(number)]] for number in range(MAX_OUTPUTS)]
    assert result.notes[0].startswith("42 of this block's figures and tables were not kept: at most 8 are")


def test_a_block_keeps_so_much_and_counts_the_rest(run: Run) -> None:
    code = (
        "class Large:\n"
        "    def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n'.ljust(700_000)\n"
        "    def __repr__(self): return 'large'\n"
        "display(*[Large()] * 6)"
    )
    result = run(code)
    assert len(result.outputs) == 4
    assert sum(len(text) for output in result.outputs for text in output.data.values()) <= MAX_BLOCK_CHARS
    assert result.notes[0].startswith("2 of this block's figures and tables were not kept")


def test_the_name_is_the_blocks_to_use_and_comes_back(run: Run) -> None:
    assert run("def display(value): return 'mine'\nprint(display(1))").notes == ()
    assert run("print(display(1))").stdout == "mine\n"
    run("del display\nimport builtins\nbuiltins.display = None")
    assert len(run("display(pd.DataFrame({'a': [1]}))").outputs) == 1
    assert "display" not in run("print(SHOW_VARS())").stdout


def test_a_worker_loads_nothing_for_it() -> None:
    worker = Worker()
    try:
        loaded = worker.run("import sys\nprint(*sys.modules)").stdout.split()
    finally:
        worker.close()
    assert {"matplotlib", "pandas", "numpy", "PIL", "base64", "asyncio", "dataclasses"} & {*loaded} == set()


def test_what_a_worker_sends_is_checked_and_the_run_goes_on(run: Run) -> None:
    code = "display.__self__.outputs += [{'text/html': '<script>'}, {'image/svg+xml': '<svg/>'}, 7]"
    result = run(code)
    assert result.outputs == ()
    assert result.notes == (
        "A rich output was not kept: 'text/html' is neither a table nor a PNG or JPEG image.",
        "A rich output was not kept: 'image/svg+xml' is neither a table nor a PNG or JPEG image.",
        "A rich output was not kept: it is not one MIME type with its data.",
    )


def test_a_worker_that_sends_no_list_is_told_so(run: Run) -> None:
    result = run("display.__self__.outputs = {'image/png': ''}")
    assert result.notes == ("The rich outputs are not a list but a dict; none was kept.",)


def table(**changes: Any) -> dict[str, str]:
    sound = {"columns": ["a"], "rows": [["1"]], "total_rows": 1, "total_columns": 1, "index": None}
    return {TABLE: json.dumps({**sound, **changes})}


def image(data: bytes, mime: str = "image/png") -> dict[str, str]:
    return {mime: base64.b64encode(data).decode()}


def test_sound_outputs_pass_and_what_a_table_should_not_have_is_left_out() -> None:
    kept, notes = checked(
        [table(script="<script>", index=["x"]), image(PNG), image(b"\xff\xd8\xff", "image/jpeg")]
    )
    assert json.loads(kept[0][TABLE]) == {**json.loads(table(index=["x"])[TABLE])}
    assert (kept[1:], notes) == ([image(PNG), image(b"\xff\xd8\xff", "image/jpeg")], [])


@pytest.mark.parametrize(
    "output",
    [
        None,
        [],
        {},
        "image/png",
        {"image/png": None},
        {"image/png": 3},
        {"image/png": ["x"]},
        {3: "x"},
        {"image/png": "!!!!"},
        {"image/png": "iVBORw0KGgo=\n"},
        {"image/png": "iVBORw0KGgo"},
        {"image/png": "iVBORw0KGgo=<script>"},
        {"image/png": "é"},
        {"image/png": ""},
        image(b"GIF89a"),
        image(PNG, "image/jpeg"),
        image(PNG, "image/svg+xml"),
        image(PNG, 'image/png"><script>'),
        image(PNG, "IMAGE/PNG"),
        {**image(PNG), **table()},
        {"text/html": "<b>"},
        {"application/javascript": "alert(1)"},
        {TABLE: "{"},
        {TABLE: "[]"},
        {TABLE: "null"},
        {TABLE: "[" * 100_000},
        {TABLE: "{}"},
        table(columns="a"),
        table(columns=[1]),
        table(columns=["a"] * (MAX_COLUMNS + 1), rows=[]),
        table(rows=[["1", "2"]]),
        table(rows=[[1]]),
        table(rows=[["x" * (MAX_CELL + 1)]]),
        table(rows=[["1"]] * (MAX_ROWS + 1), total_rows=1000),
        table(rows={"0": ["1"]}),
        table(index=["a", "b"]),
        table(index=[None]),
        table(total_rows=0),
        table(total_rows=True),
        table(total_rows=1.5),
        table(total_rows=2**60),
        table(total_columns="1"),
        {TABLE: table()[TABLE] + " " * MAX_CHARS},
    ],
    ids=lambda output: ascii(output)[:60],
)
def test_anything_else_is_not_kept(output: Any) -> None:
    kept, notes = checked([output, table()])
    assert kept == [{TABLE: '{"columns":["a"],"rows":[["1"]],"total_rows":1,"total_columns":1,"index":null}'}]
    assert len(notes) == 1
    assert notes[0].startswith("A rich output was not kept: ")
    assert len(notes[0]) < 400


def test_too_many_or_too_much_is_not_kept_either() -> None:
    kept, notes = checked([image(PNG)] * 1000)
    assert (len(kept), notes) == (MAX_OUTPUTS, ["992 rich outputs over 8 were not kept."])
    kept, notes = checked([image(PNG.ljust(740_000))] * MAX_OUTPUTS)
    assert (len(kept), len(notes)) == (4, 4)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["image/png", TABLE]), inner),
)


@given(JSON)
def test_no_output_breaks_the_check(output: Any) -> None:
    kept, _ = checked(output)
    assert all(set(each) <= {"image/png", "image/jpeg", TABLE} for each in kept)
