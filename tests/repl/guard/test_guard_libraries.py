"""What people compute with, in a locked process; and what it must refuse them."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest
from guarded import printed

from rlm_kernel.repl.guard import guard

pytestmark = pytest.mark.skipif(guard.offered() != "", reason=guard.offered() or "offered")

MEMORY = 4 * 2**30
WORKS = {
    "numpy with threads": """
        import numpy as np
        a = np.random.default_rng(0).random((900, 900))
        print(np.allclose(a @ np.linalg.inv(a), np.eye(900), atol=1e-6))
        """,
    "pandas": """
        import pandas as pd
        pd.DataFrame({"team": ["a", "b", "a"], "score": [1, 2, 3]}).to_csv("scores.csv", index=False)
        print(pd.read_csv("scores.csv").groupby("team").score.sum().to_dict() == {"a": 4, "b": 2})
        """,
    "polars": """
        import polars as pl
        pl.DataFrame({"team": ["a", "b", "a"], "score": [1, 2, 3]}).write_parquet("scores.parquet")
        frame = pl.scan_parquet("scores.parquet").group_by("team").agg(pl.col("score").sum()).sort("team").collect()
        print(frame.rows() == [("a", 4), ("b", 2)])
        """,
    "pyarrow": """
        import pyarrow as pa, pyarrow.compute as pc, pyarrow.dataset as ds, pyarrow.parquet as pq
        pq.write_table(pa.table({"score": list(range(100_000))}), "scores.parquet")
        table = ds.dataset("scores.parquet").to_table(filter=pc.field("score") > 99_997)
        print(pc.sum(table["score"]).as_py() == 99_998 + 99_999)
        """,
    "scikit-learn": """
        import numpy as np, warnings
        warnings.simplefilter("error")
        from sklearn.ensemble import RandomForestClassifier
        import joblib
        x = np.random.default_rng(0).random((300, 4))
        y = x[:, 0] > 0.5
        print(RandomForestClassifier(n_estimators=8, n_jobs=1).fit(x, y).score(x, y) > 0.9)
        with joblib.parallel_config(backend="threading"):
            print(RandomForestClassifier(n_estimators=8, n_jobs=2).fit(x, y).score(x, y) > 0.9)
        """,
    "matplotlib": """
        import matplotlib.pyplot as plt
        plt.plot([1, 3, 2])
        plt.title("scores")
        plt.savefig("figure.png")
        print(open("figure.png", "rb").read(4) == b"\\x89PNG")
        """,
    "asyncio": """
        import asyncio
        async def main():
            async with asyncio.timeout(10):
                return await asyncio.gather(asyncio.sleep(0.01, 1), asyncio.to_thread(lambda: 2))
        print(asyncio.run(main()) == [1, 2])
        """,
    "50 threads": """
        import threading
        ready, seen = threading.Barrier(50), []
        def work(n):
            ready.wait()
            seen.append(n)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
        for each in threads: each.start()
        for each in threads: each.join()
        print(sorted(seen) == list(range(50)))
        """,
    "thread pools": """
        from concurrent.futures import ThreadPoolExecutor
        from multiprocessing.pool import ThreadPool
        with ThreadPoolExecutor(8) as pool:
            print(list(pool.map(abs, [-1, -2])) == [1, 2])
        with ThreadPool(8) as pool:
            print(pool.map(abs, [-1, -2]) == [1, 2])
        """,
    "sqlite": """
        import sqlite3
        with sqlite3.connect("scores.db") as db:
            db.execute("pragma journal_mode = wal")
            db.execute("create table scores (score)")
            db.executemany("insert into scores values (?)", [(1,), (2,)])
            print(db.execute("select sum(score) from scores").fetchone() == (3,))
        """,
    "temporary files": """
        import tempfile, os
        with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as f:
            print(file.name.startswith(order["workdir"]) and folder.startswith(order["workdir"]))
        """,
    "the standard library": """
        import ctypes, decimal, email, hashlib, http.client, json, lzma, random, secrets, ssl, statistics, unittest, uuid
        import zoneinfo
        from datetime import datetime
        ssl.create_default_context()
        zone = zoneinfo.ZoneInfo("Europe/Berlin")
        print(datetime(2024, 7, 1, tzinfo=zone).utcoffset().total_seconds() == 7200)
        print(str(decimal.Decimal(1) / 3).startswith("0.333"), len(secrets.token_bytes(8)) == 8, uuid.uuid4().version == 4)
        """,
    "signals to itself": """
        import os, signal, threading
        caught = []
        signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        print(len(caught) == 3)
        """,
}


@pytest.mark.parametrize("what", WORKS)
def test_it_works(what: str, tmp_path: Path) -> None:
    out = printed(dedent(WORKS[what]), tmp_path / "work", memory=MEMORY)
    assert set(out.split()) == {"True"}


def test_a_package_outside_the_interpreter_is_imported(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "packages"
    package = target / "lemma"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from lemma.proof import QED\n")
    (package / "proof.py").write_text("QED = 'shown'\n")
    out = printed("import lemma; print(lemma.QED)", tmp_path / "work", path=[str(target)])
    assert out == "shown\n"


REFUSED = {
    "subprocess": "import subprocess; subprocess.run(['true'])",
    "a shell": "import os; os.execv('/bin/sh', ['sh'])",
    "a forked process": "import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
    "a spawned process": "import multiprocessing as m; m.get_context('spawn').Process(target=print).start()",
    "a pool": "import multiprocessing as m; m.get_context('fork').Pool(2)",
    "a socket": "import socket; socket.socket()",
    "a connection": "import asyncio; asyncio.run(asyncio.open_connection('127.0.0.1', 9))",
    "shared memory": "import mmap; mmap.mmap(-1, 4096)",
    "a memory file": "import os; os.memfd_create('x')",
    "the priority of others": "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "the processors of others": "import os; os.sched_setaffinity(os.getppid(), {0})",
    "a session": "import os; os.setsid()",
    "owners": "import os; os.chown('.', 0, 0)",
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused(what: str, tmp_path: Path) -> None:
    code = f"try:\n    {REFUSED[what]}\nexcept PermissionError as error:\n    print('refused')\n"
    assert printed(code, tmp_path / "work") == "refused\n"


def test_a_shell_is_not_started_behind_the_exceptions(tmp_path: Path) -> None:
    assert printed("import os; print(os.system('true') != 0)", tmp_path / "work") == "True\n"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="its default start method is another")
def test_executors_of_processes_say_why(tmp_path: Path) -> None:
    code = """
from concurrent.futures import ProcessPoolExecutor
try:
    ProcessPoolExecutor(2).submit(abs, -1).result()
except PermissionError:
    print("refused")
"""
    assert printed(code, tmp_path / "work") == "refused\n"
