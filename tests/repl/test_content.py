"""The hash of a context's content: the same for the same data, whatever was done with it in between."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rlm_kernel.repl.content import content_hash
from rlm_kernel.repl.pack import pack_context

FRAME = """
import io, pandas as pd
rows = "\\n".join(f"c{n % 7},{n},{n / 3},2024-01-{n % 28 + 1:02d}" for n in range(100))
frame = pd.read_csv(io.StringIO("city,n,part,when\\n" + rows), parse_dates=["when"])
"""


def frame() -> pd.DataFrame:
    names: dict[str, Any] = {}
    exec(FRAME.replace("\\\\", "\\"), names)
    made: pd.DataFrame = names["frame"]
    return made


def test_what_is_done_with_a_frame_does_not_change_it() -> None:
    data = frame()
    first = content_hash(data)
    repr(data)
    data["city"].value_counts()
    data.groupby("city").n.sum()
    assert content_hash(data) == content_hash(data.copy()) == first
    assert content_hash(pd.concat([data[["city"]], data[["n", "part", "when"]]], axis=1)) == first
    assert pack_context(data).card.hash == first


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.assign(n=data.n + 1),
        lambda data: data.assign(n=data.n.astype("int32")),
        lambda data: data.rename(columns={"n": "m"}),
        lambda data: data[["n", "city", "part", "when"]],
        lambda data: data.set_index("city"),
        lambda data: data.rename_axis("row"),
        lambda data: data.iloc[::-1],
        lambda data: data.iloc[:-1],
        lambda data: data.assign(city=data.city.replace("c1", "c9")),
    ],
)
def test_another_content_has_another_hash(change: Any) -> None:
    data = frame()
    assert content_hash(change(data)) != content_hash(data)


def test_another_process_finds_it_the_same() -> None:
    code = FRAME.replace("\\\\", "\\") + (
        "from rlm_kernel.repl.content import content_hash\n"
        "print(content_hash(frame), content_hash({'a': frame, 'b': [frame['n'], frame['city']]}))"
    )
    run = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in "12"
    ]
    assert run[0].stdout == run[1].stdout
    assert run[0].stdout.split()[0] == content_hash(frame())


def test_arrays_and_containers_of_them() -> None:
    array = np.arange(12).reshape(3, 4)
    shared = ["x" * 30]
    assert content_hash([array, shared, shared]) == content_hash([array.copy(), ["x" * 30], ["x" * 30]])
    assert content_hash(array) != content_hash(array.T)
    assert content_hash(array) != content_hash(array.astype(float))


def test_what_holds_itself_goes_by_its_bytes() -> None:
    ring: list[Any] = [frame()]
    ring.append(ring)
    assert content_hash(ring) == ""
    assert len(pack_context(ring).card.hash) == 64
