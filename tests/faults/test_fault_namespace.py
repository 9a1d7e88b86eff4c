"""F13–F22, F27–F31: a block that spoils what it runs in. The next block must not notice, and the user's kernel even less."""

from __future__ import annotations

import builtins
import json
import threading
from pathlib import Path

import pytest
from faults import NEXT, SLACK, After
from processes import gone
from scripts import submit

from rlm_kernel import Request


def test_f13_a_deleted_builtin_is_missing_for_that_block_only() -> None:
    """`del builtins.len`."""
    after = After("kept = 'abc'\nimport builtins\ndel builtins.len\nlen(kept)", "print(len(kept))")
    assert after.error().startswith("NameError: name 'len'")
    assert after.executed(2).stdout == "3\n"
    assert "The block replaced `len` of Python's own, which is back now" in after.told()
    assert len("abc") == 3


@pytest.mark.parametrize(
    "spoil",
    [
        "import builtins, json\nbuiltins.print = lambda *_: 1/0\njson.dumps = json.loads = None",
        "import builtins\nvars(builtins).clear()",
        "import builtins\nbuiltins.isinstance = builtins.__import__ = builtins.BaseException = None",
        "import os, io, traceback, ast\nos.dup2 = os.makedirs = io.FileIO = ast.parse = traceback.TracebackException = None",
        "import sys\nsys.modules.clear()\nsys.meta_path.clear()\nsys.path.clear()\nsys.stdout = sys.excepthook = None",
        "__builtins__ = {}",
        "import sys\nsys.settrace(lambda *_: 1/0)\nsys.setrecursionlimit(40)",
        "import sys\nsys.setprofile(lambda *_: 1/0)",
    ],
    ids=[
        "functions",
        "all builtins",
        "three builtins",
        "modules",
        "sys",
        "__builtins__",
        "tracing",
        "profiling",
    ],
)
def test_f14_what_a_block_replaces_in_python_is_back_in_the_next(spoil: str) -> None:
    """`print`, `json.dumps` and others monkeypatched."""
    dumps, shown = json.dumps, builtins.print
    check = "import json, csv\nclass A: pass\ndef deep(n): return n and deep(n - 1)\nprint(json.dumps([kept, deep(200)]))"
    after = After(f"kept = 'abc'\n{spoil}", check)
    assert after.executed(2).stdout == '["abc", 0]\n'
    assert after.executed(2).error is None
    assert (json.dumps, builtins.print) == (dumps, shown)


@pytest.mark.parametrize("name", ["context", "llm_query", "rlm_query_batched", "SHOW_VARS"])
def test_f15_scaffold_names_that_are_rebound_come_back(name: str) -> None:
    """`context = …`, `llm_query = …`."""
    after = After(f"{name} = 'mine'", "print(context, llm_query('a'), callable(SHOW_VARS))")
    assert f"`{name}` was assigned to and has been put back" in after.told()
    assert after.executed(2).stdout == "some text <a> True\n"


def test_f15_an_answer_that_is_rebound_counts() -> None:
    """`answer = …`."""
    assert After("answer = {'content': 'rebound', 'ready': True}").answer == "rebound"
    after = After("answer = 'a text'", then="answer['content']")
    assert "`answer` was assigned a str; it is a dict" in after.told()
    assert after.answer == "a text"


def test_f16_scaffold_names_that_are_deleted_come_back() -> None:
    """`del context, answer`."""
    after = After("del context, answer", "print(context, answer)")
    assert "`context` was deleted and has been put back" in after.told()
    assert "`answer` was deleted and has been put back" in after.told()
    assert after.executed(2).stdout == "some text {'content': '', 'ready': False}\n"


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("context.clear()", "{}"),
        ("context['a'].append('y')", "{'a': ['x', 'y']}"),
        ("context['a'][0] = 'X'", "{'a': ['X']}"),
        ("context['b'] = 1", "{'a': ['x'], 'b': 1}"),
    ],
)
def test_f17_a_change_inside_the_context_is_flagged_and_never_reaches_the_user(
    change: str, left: str
) -> None:
    """The context changed in place.

    Exception: the pristine copy comes with a fresh worker, not on request within one."""
    papers = {"a": ["x"]}
    after = After(change, "print(context)\nimport os; os._exit(1)", "print(context)", context=papers)
    assert papers == {"a": ["x"]}
    assert "`context` was changed in place. It is your copy, the user's own data is as it was" in after.told()
    assert "changed in place" not in after.told(2)
    assert after.executed(2).stdout == f"{left}\n"
    assert after.executed(3).stdout == "{'a': ['x']}\n"


def test_f17_a_changed_table_is_flagged_too() -> None:
    """A column added, a cell overwritten."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(1000), "b": ["text"] * 1000})
    after = After("context['c'] = 1", "context.loc[999, 'b'] = 'x'", "context.a.sum()", context=frame)
    assert [("changed in place" in after.told(block)) for block in (1, 2, 3)] == [True, True, False]
    assert list(frame.columns) == ["a", "b"]


def test_f17_a_child_is_given_the_context_as_the_code_has_it() -> None:
    """A child that is handed `context` must not get another one than the code sees."""

    def count(request: Request) -> str:
        return submit("len(context)")

    after = After(
        "context.append('c')\nn = rlm_query('How many?', context=context)",
        then="n",
        context=["a", "b"],
        child=count,
    )
    assert after.answer == "3"


def test_f18_what_was_assigned_before_an_error_is_kept() -> None:
    """An error after assignments."""
    after = After("kept = 7\nraise ValueError('no')", then="kept")
    assert after.error() == "ValueError: no"
    assert after.answer == "7"


def test_f19_a_function_sees_what_was_defined_after_it() -> None:
    """A function that uses a later redefinition."""
    after = After("def g(): return 5\ndef f(): return g()", "def g(): return 6", then="f()")
    assert after.answer == "6"


def test_f20_classes_and_pickle_work() -> None:
    """`class`, a dataclass and pickle in a block."""
    block = (
        "import dataclasses, pickle\n@dataclasses.dataclass\nclass Point:\n    x: int\n"
        "print(pickle.loads(pickle.dumps(Point(3))))"
    )
    assert After(block).executed().stdout == "Point(x=3)\n"


@pytest.mark.parametrize(
    "start",
    [
        "import multiprocessing\nmultiprocessing.Pool(2)",
        "import multiprocessing\nmultiprocessing.Process(target=print).start()",
        "import multiprocessing as m\nm.get_context('spawn').Manager()",
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor(2)",
    ],
)
def test_f20_multiprocessing_is_refused_with_words_that_help(start: str) -> None:
    """`multiprocessing.Pool` in a block."""
    after = After(f"kept = 7\n{start}", then="kept")
    assert "PermissionError: a block cannot start processes. Use threads (concurrent.futures" in after.told()
    assert after.answer == "7"


def test_f21_a_thread_that_outlives_its_block_says_whose_its_output_is(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A thread that prints in somebody else's block."""
    start = (
        "import os, threading\ngo, done = threading.Event(), threading.Event()\n"
        "def late():\n    go.wait()\n    print('late', 1)\n    done.set()\n    threading.Event().wait()\n"
        "threading.Thread(target=late).start()\nprint(os.getpid())"
    )
    after = After(start, "print('mine')\ngo.set(); done.wait()\nprint('mine')")
    assert after.executed(2).stdout == "mine\n[a thread of <rlm:0.1 block 1>] late 1\nmine\n"
    assert gone(int(after.executed().stdout))
    assert capfd.readouterr() == ("", "")


def test_f22_exit_hooks_of_the_code_die_with_it(capfd: pytest.CaptureFixture[str]) -> None:
    """`atexit` and `__del__`."""
    hooks = (
        "import atexit, os, time\n"
        "def stay(*_):\n    print('still here', flush=True)\n    time.sleep(60)\n"
        "class Clinging: __del__ = stay\n"
        "clinging = Clinging()\natexit.register(stay)\nprint(os.getpid())"
    )
    after = After(hooks)
    assert after.seconds < SLACK
    assert gone(int(after.executed().stdout))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "close",
    [
        "sys.stdout.close()",
        "sys.stdout = sys.stderr = sys.stdin = None",
        "os.close(1); os.close(2)",
        "sys.stdout.detach()",
    ],
)
def test_f27_streams_that_are_closed_are_new_in_the_next_block(close: str) -> None:
    """`sys.stdout.close()`."""
    after = After(f"kept = 7\nimport os, sys\n{close}", "print('back', kept)")
    assert after.executed(2).stdout == "back 7\n"


@pytest.mark.parametrize("first", [0, 3])
def test_f28_a_worker_that_closes_every_descriptor_is_replaced(first: int) -> None:
    """`os.closerange(0, 256)`."""
    after = After(f"import os; os.closerange({first}, 256)", NEXT, block_seconds=30)
    assert after.executed().seconds < SLACK
    assert "the process that ran the block is gone" in after.told()
    assert after.executed(2).stdout == "next some text\n"


@pytest.mark.parametrize("leave", ["", "os.chdir('/')\n"])
def test_f29_a_deleted_working_folder_is_there_again(leave: str) -> None:
    """The working folder deleted."""
    before = Path.cwd()
    remove = f"import os, shutil\nhere = os.getcwd()\nopen('mine', 'w').close()\n{leave}shutil.rmtree(here, ignore_errors=True)"
    after = After(remove, "print(os.listdir(), os.getcwd() == here)\nopen('again', 'w').close()")
    assert after.executed(2).stdout == "[] True\n"
    assert after.executed(2).error is None
    assert Path.cwd() == before


def test_f30_input_says_at_once_that_nobody_is_there() -> None:
    """`input()` waits for somebody."""
    after = After(
        "name = input('Your name? ')", "import sys\nprint(repr(sys.stdin.read()))", block_seconds=30
    )
    assert after.error().startswith("EOFError: input() has nobody to ask")
    assert "Take what you need from `context`, or ask with llm_query" in after.told()
    assert after.executed(2).stdout == "''\n"
    assert after.seconds < SLACK


def test_f31_the_users_own_threads_keep_their_output_and_their_folder(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A thread of the user's prints while a run goes on."""
    folders: list[Path] = []
    step, stop = threading.Event(), threading.Event()

    def user() -> None:
        while not stop.is_set():
            print("mine", len(folders))
            folders.append(Path.cwd())
            if len(folders) == 15:
                step.set()
            stop.wait(0.001)

    def wait(request: Request) -> str:
        step.wait(10)  # the user's thread has printed while a block ran
        return "done"

    thread = threading.Thread(target=user)
    thread.start()
    try:
        after = After(
            "import os; os.chdir('/'); print('model', llm_query('wait'))", llm=wait, block_seconds=30
        )
    finally:
        stop.set()
        thread.join()
    assert after.executed().stdout == "model done\n"
    assert capfd.readouterr().out == "".join(f"mine {number}\n" for number in range(len(folders)))
    assert set(folders) == {Path.cwd()}
