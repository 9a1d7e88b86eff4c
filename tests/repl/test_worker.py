"""A namespace in a process of its own: one property a test, most of them hostile."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from workers import Worker, echo

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ContextError
from rlm_kernel.repl.base import BlockResult, Foreseen, SubcallBatch, SubcallResult
from rlm_kernel.repl.output import KEEP_BYTES
from rlm_kernel.repl.pack import pack_context
from rlm_kernel.trace import ErrorInfo

Run = Callable[..., BlockResult]


@pytest.fixture
def run(make: Callable[..., Worker]) -> Run:
    return make({"a": "hello", "b": "world"}).run


class Own:
    """A class that only this test module knows."""


def test_prints_and_the_value_of_a_last_expression_come_back(run: Run) -> None:
    assert run("print('hi')\n1 + 1").stdout == "hi\n2\n"


def test_variables_stay_for_the_next_block(run: Run) -> None:
    run("x = 41")
    assert run("x + 1").stdout == "42\n"


def test_a_block_that_fails_keeps_what_it_assigned_and_says_where(run: Run) -> None:
    result = run("kept = 1\nraise ValueError('no')")
    assert result.error is not None
    assert str(result.error) == "ValueError: no"
    assert 'block 1>", line 2' in result.error.traceback
    assert "rlm_kernel" not in result.error.traceback
    assert run("kept").stdout == "1\n"


def test_functions_see_current_globals(run: Run) -> None:
    run("x = 1\ndef f(): return x")
    assert run("x = 2\nf()").stdout == "2\n"


def test_classes_dataclasses_and_pickle_work(run: Run) -> None:
    code = "import dataclasses, pickle\n@dataclasses.dataclass\nclass P:\n    x: int\nprint(pickle.loads(pickle.dumps(P(3))))"
    assert run(code).stdout == "P(x=3)\n"


def test_top_level_await_works(run: Run) -> None:
    assert run("import asyncio\nawait asyncio.sleep(0)\nawait asyncio.sleep(0, 'done')").stdout == "'done'\n"


def test_a_syntax_error_is_an_error_of_the_block(run: Run) -> None:
    result = run("print(")
    assert result.error is not None
    assert result.error.type == "SyntaxError"


@pytest.mark.parametrize(
    "value",
    [
        "text with \r\n and \ud800 and é",
        "",
        b"\x00\xff",
        b"",
        ["a", "b"],
        ("a", 1),
        {1: "one", (2, 3): ["x", None, 1.5]},
        pytest.param({"x", "y"}, id="a set"),
        frozenset({1}),
        [1, 2, 3],
        range(5),
        3.5,
    ],
    ids=repr,
)
def test_a_context_arrives_exactly_as_it_is(make: Callable[..., Worker], value: object) -> None:
    code = f"print(context == {value!r}, type(context).__name__)"
    assert make(value).run(code).stdout == f"True {type(value).__name__}\n"


def test_a_dataframe_arrives_as_one(make: Callable[..., Worker]) -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert (
        make(frame).run("print(type(context).__name__, context.a.sum(), list(context.b))").stdout
        == "DataFrame 3 ['x', 'y']\n"
    )


def test_what_cannot_be_copied_is_a_clear_error_before_anything_starts() -> None:
    with pytest.raises(ContextError, match="a generator cannot be copied into the child namespace"):
        pack_context(item for item in [])
    with pytest.raises(ContextError, match=r"lock cannot be copied"):
        pack_context(threading.Lock())


def test_a_class_the_worker_cannot_import_is_a_clear_error(
    make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", module)
    monkeypatch.setattr(Own, "__module__", "only_here")
    module.Own = Own  # type: ignore[attr-defined]
    worker = make([Own()])
    with pytest.raises(ContextError, match=r"cannot be rebuilt in the child namespace.*only_here"):
        submit(worker.repl.open()).result(20)


def test_sub_calls_answer_in_order(run: Run) -> None:
    assert (
        run("print(llm_query('a'), llm_query_batched(['b', 'c']), rlm_query('d'))").stdout
        == "<a> ['<b>', '<c>'] <d>\n"
    )


def test_a_failed_sub_call_raises_and_a_failed_slot_is_an_error_value(make: Callable[..., Worker]) -> None:
    async def half(batch: SubcallBatch) -> Sequence[SubcallResult]:
        bad = SubcallResult(error=ErrorInfo(type="RateLimited", message="429"))
        return [
            SubcallResult(answer="fine") if request.prompt == "good" else bad for request in batch.requests
        ]

    worker = make(serve=half)
    result = worker.run("llm_query('bad')")
    assert result.error is not None
    assert str(result.error) == "SubcallError: RateLimited: 429"
    result = worker.run(
        "good, bad = llm_query_batched(['good', 'bad'])\nprint(good, isinstance(bad, SubcallError), isinstance(bad, str))"
    )
    assert result.stdout == "fine True False\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("llm_query(None)", "TypeError: llm_query: prompt must be a str, not NoneType"),
        ("llm_query(b'x')", "TypeError: llm_query: prompt must be a str, not bytes"),
        ("llm_query('  ')", "ValueError: llm_query: prompt is empty"),
        ("llm_query_batched('abc')", "TypeError: llm_query_batched takes a list of prompts, not a str"),
        ("llm_query_batched(['a', 3])", "TypeError: llm_query_batched: prompts[1] must be a str, not int"),
        ("rlm_query('q', ['data'])", "TypeError: model takes the name of a model; pass data as context=…"),
        (
            "rlm_query_batched(['a'], contexts=[1, 2])",
            "ValueError: rlm_query_batched: 1 prompts but 2 contexts",
        ),
        ("rlm_query('q', context=(i for i in 'a'))", "TypeError: a generator cannot be copied"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_asked(
    make: Callable[..., Worker], code: str, message: str
) -> None:
    async def never(batch: SubcallBatch) -> Sequence[SubcallResult]:
        raise AssertionError("asked")

    result = make(serve=never).run(code)
    assert str(result.error).startswith(message)


def test_an_empty_batch_asks_nothing(run: Run) -> None:
    assert run("llm_query_batched([])").stdout == "[]\n"


def test_threads_of_the_model_can_ask_at_the_same_time(run: Run) -> None:
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    print(list(pool.map(llm_query, [str(i) for i in range(20)])) == [f'<{i}>' for i in range(20)])"
    )
    assert run(code).stdout == "True\n"


def test_the_line_that_asked_is_known(make: Callable[..., Worker]) -> None:
    seen: list[tuple[int, str]] = []

    async def note(batch: SubcallBatch) -> Sequence[SubcallResult]:
        seen.append((batch.line, batch.code))
        return await echo(batch)

    worker = make(serve=note)
    worker.run("x = 1\nfor word in ['a', 'b']:\n    llm_query(word)")
    assert seen == [(3, "llm_query(word)")] * 2


def test_an_endless_loop_is_stopped_and_keeps_its_variables(make: Callable[..., Worker]) -> None:
    worker = make("text", block_seconds=0.3)
    result = worker.run("x = 7\nwhile True: pass")
    assert result.error is not None
    assert result.error.type == "TimeoutError"
    assert "0.3 s" in result.error.message
    assert worker.run("x").stdout == "7\n"


@pytest.mark.parametrize(
    "code",
    [
        "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException:\n        continue",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "sum(range(10**12))",
    ],
    ids=["swallows everything", "ignores the signal", "one long C call"],
)
def test_a_block_that_will_not_stop_is_killed_and_the_context_comes_back(
    make: Callable[..., Worker], code: str
) -> None:
    worker = make("text", block_seconds=0.2)
    started = time.monotonic()
    result = worker.run(f"lost = 1\n{code}")
    assert time.monotonic() - started < 5
    assert result.error is not None
    assert result.error.type == "TimeoutError"
    assert "your variables are lost" in result.notes[0]
    assert worker.run("print(context, 'lost' in globals())").stdout == "text False\n"


def test_a_stop_is_heard_when_the_worker_is_just_being_replaced(make: Callable[..., Worker]) -> None:
    worker = make("text")
    worker.run("import os; os._exit(1)")

    async def stop_at_once() -> BlockResult:
        block = asyncio.ensure_future(worker.repl.execute("while True: pass", name="<rlm:0.2>", serve=echo))
        while not block.done():
            worker.repl.stop(ErrorInfo(type="Interrupted", message="enough"))
            await asyncio.wait((block,), timeout=0.001)
        return block.result()

    result = submit(stop_at_once()).result(20)
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("Interrupted", "enough")


def test_a_stopped_block_gets_no_more_sub_calls(make: Callable[..., Worker]) -> None:
    asked: list[str] = []

    async def never(batch: SubcallBatch) -> Sequence[SubcallResult]:
        asked.append(batch.requests[0].prompt)
        worker.repl.stop(ErrorInfo(type="Interrupted", message="enough"))
        await asyncio.sleep(600)
        return []

    worker = make(serve=never)
    code = "said = []\nfor word in 'ab':\n    try: llm_query(word)\n    except BaseException as error: said.append(error)"
    worker.run(code)
    assert asked == ["a"]
    assert "enough" in worker.run("said").stdout


def test_waiting_for_sub_calls_does_not_count_as_a_blocks_time(make: Callable[..., Worker]) -> None:
    async def slow(batch: SubcallBatch) -> Sequence[SubcallResult]:
        await asyncio.sleep(0.6)
        return await echo(batch)

    assert make(block_seconds=0.3, serve=slow).run("print(llm_query('a'))").stdout == "<a>\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(7)", "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.closerange(0, 256)", "it ended"),
    ],
)
def test_a_worker_that_dies_is_replaced_and_the_model_is_told(
    make: Callable[..., Worker], code: str, said: str
) -> None:
    worker = make(["still", "here"])
    result = worker.run(f"print('before', flush=True)\n{code}")
    assert result.stdout == "before\n"
    assert result.error is not None
    assert result.error.type == "WorkerLost"
    assert said in result.error.message
    assert worker.run("context").stdout == "['still', 'here']\n"


@pytest.mark.parametrize(
    "code", ["import sys; sys.exit(3)", "exit()", "raise SystemExit", "raise KeyboardInterrupt"]
)
def test_leaving_is_an_error_of_the_block(run: Run, code: str) -> None:
    result = run(f"x = 5\n{code}")
    assert result.error is not None
    assert run("x").stdout == "5\n"


def test_megabytes_of_output_keep_head_and_tail_and_the_true_length(run: Run) -> None:
    result = run("print('a' * 1_000_000 + 'z')")
    assert result.stdout_chars == 1_000_002
    assert result.stdout.startswith("aaa")
    assert result.stdout.endswith("az\n")
    assert len(result.stdout) < 2 * KEEP_BYTES + 100
    assert "800,002 bytes left out" in result.stdout


def test_a_flood_of_output_ends_the_block_not_the_memory(run: Run) -> None:
    result = run("while True: print('x' * 10_000)")
    assert result.error is not None
    assert "more than 50,000,000 bytes of output" in result.error.message


def test_binary_junk_in_the_output_is_kept_readable(run: Run) -> None:
    result = run(r"import sys; sys.stdout.buffer.write(b'\xff\x00ok\n'); print('\ud800')")
    assert result.stdout == "\\xff\x00ok\n\\ud800\n"


def test_output_below_python_is_captured_too(make: Callable[..., Worker]) -> None:
    run = make(isolation="worker").run  # a guarded one starts no shell
    assert run("import os; os.write(1, b'raw\\n'); os.system('echo shell')").stdout == "raw\nshell\n0\n"


def test_streams_and_builtins_are_rebuilt_for_each_block(run: Run) -> None:
    run(
        "import sys, builtins\nsys.stdout.close()\nsys.stdout = None\ndel builtins.len\nbuiltins.print = None"
    )
    assert run("print(len('abc'))").stdout == "3\n"


def test_closing_the_output_descriptor_spoils_only_that_block(run: Run) -> None:
    run("import os; os.close(1)")
    assert run("print('back')").stdout == "back\n"


def test_the_working_folder_is_its_own_and_comes_back(run: Run) -> None:
    before = Path.cwd()
    run("import os, shutil\nopen('here', 'w').close()\nshutil.rmtree(os.getcwd())")
    assert run("open('again', 'w').close(); os.listdir()").stdout == "['again']\n"
    assert Path.cwd() == before


def test_input_says_at_once_that_nobody_is_there(run: Run) -> None:
    result = run("input('name?')")
    assert result.error is not None
    assert result.error.type == "EOFError"


def test_the_environment_is_empty_of_the_users(
    make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    assert "canary" not in make().run("import os; print(dict(os.environ))").stdout


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("context = 1", "`context` was assigned to"),
        ("del context", "`context` was deleted"),
        ("llm_query = None", "`llm_query` was assigned to"),
        ("del rlm_query, SHOW_VARS", "`rlm_query` was deleted"),
        ("del answer", "`answer` was deleted"),
    ],
)
def test_scaffold_names_come_back_and_the_model_is_told(run: Run, code: str, said: str) -> None:
    assert said in run(code).notes[0]
    result = run("print(len(context), callable(llm_query), callable(rlm_query), callable(SHOW_VARS), answer)")
    assert result.stdout == "2 True True True {'content': '', 'ready': False}\n"


def test_a_change_inside_the_context_never_reaches_the_user(make: Callable[..., Worker]) -> None:
    papers = ["one", "two"]
    make(papers).run("context.clear()")
    assert papers == ["one", "two"]


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("answer['content'] = 'x'; answer['ready'] = True", "x"),
        ("answer['ready'] = True; answer['content'] = 'x'", "x"),
        ("answer.update(content='x', ready=True)", "x"),
        ("answer = {'content': 'x', 'ready': True}", "x"),
        ("answer['content'] = 42; answer['ready'] = True", "42"),
        ("answer['content'] = ['a', 1]; answer['ready'] = True", "['a', 1]"),
        ("answer['content'] = 0; answer['ready'] = True", "0"),
        ("FINAL('x')", "x"),
        ("FINAL(3)", "3"),
        ("value = 'x'\nFINAL_VAR('value')", "x"),
        ("value = 7\nFINAL_VAR(value)", "7"),
    ],
)
def test_every_way_to_submit(run: Run, code: str, content: str) -> None:
    submission = run(code).submission
    assert (submission.ready, submission.content) == (True, content)


def test_code_after_final_does_not_run(run: Run) -> None:
    assert run("FINAL('x')\nprint('more')").stdout == ""
    assert run("try:\n    FINAL('x')\nexcept Exception:\n    print('caught')").stdout == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("answer['ready'] = True", "nothing was submitted"),
        ("answer['content'] = None; answer['ready'] = True", "nothing was submitted"),
        ("answer['content'] = 'x'; answer['ready'] = True; 1/0", "the answer was not submitted"),
        ("answer = 'forty-two'", "`answer` was assigned a str; it is a dict"),
        (
            "class Odd:\n    def __str__(self): raise RuntimeError\nanswer.update(content=Odd(), ready=True)",
            "cannot be shown as text",
        ),
    ],
)
def test_misuse_of_the_answer_is_told_and_submits_nothing(run: Run, code: str, said: str) -> None:
    result = run(code)
    assert not result.submission.ready
    assert said in " ".join(result.notes)


def test_content_builds_up_over_blocks_and_survives_misuse(run: Run) -> None:
    run("answer['content'] = 'first half'")
    assert run("answer = answer['content'] + ', second half'").submission.content == "first half, second half"
    assert run("answer['ready'] = True").submission.ready


def test_final_var_of_an_unknown_name_lists_the_known_ones(run: Run) -> None:
    result = run("total = 3\nFINAL_VAR('totl')")
    assert result.error is not None
    assert "there is no variable 'totl'" in result.error.message
    assert "total: int" in result.error.message


def test_changes_to_variables_are_reported(run: Run) -> None:
    first = run("x = 1\nnames = ['a']\nimport re\ndef f(): pass").variables
    assert [(item.name, item.type, item.size) for item in first.added] == [
        ("x", "int", ""),
        ("names", "list", "1"),
    ]
    second = run("x = 2\nnames.append('b')").variables
    assert [item.name for item in second.changed] == ["x", "names"]
    assert run("del x").variables.removed == ("x",)


def test_an_object_that_cannot_be_shown_disturbs_nothing(run: Run) -> None:
    code = (
        "class Evil:\n"
        "    def __repr__(self): raise RuntimeError\n"
        "    def __len__(self): raise RuntimeError\n"
        "    def __eq__(self, other): raise RuntimeError\n"
        "e = Evil()\nx = [e] * 3\nprint(SHOW_VARS())"
    )
    result = run(code)
    assert result.error is None
    assert "e: Evil" in result.stdout
    assert run("x = [e]\n1").stdout == "1\n"


def test_a_thread_that_outlives_its_block_cannot_ask_any_more(make: Callable[..., Worker]) -> None:
    worker = make()
    code = (
        "import threading, time\n"
        "said = []\n"
        "def late():\n"
        "    time.sleep(0.3)\n"
        "    try: said.append(llm_query('late'))\n"
        "    except SubcallError as error: said.append(str(error))\n"
        "thread = threading.Thread(target=late); thread.start()"
    )
    worker.run(code)
    time.sleep(0.6)
    assert "no block is running" in worker.run("thread.join(); said[0]").stdout


def test_garbage_on_the_socket_kills_only_the_worker(make: Callable[..., Worker]) -> None:
    worker = make("text")
    code = "import os\nfor fd in range(3, 4096):\n    try: os.write(fd, b'\\xff' * 64)\n    except OSError: pass\nimport time; time.sleep(20)"
    result = worker.run(code)
    assert result.error is not None
    assert "broke the protocol" in result.error.message
    assert worker.run("context").stdout == "'text'\n"


def test_nothing_is_left_of_a_worker_that_was_closed(make: Callable[..., Worker]) -> None:
    worker = make(isolation="worker")  # a guarded one starts no process
    pid, folder, child = worker.run(
        "import os, subprocess\nprint(os.getpid(), os.getcwd(), subprocess.Popen(['/bin/sleep', '60']).pid)"
    ).stdout.split()
    worker.close()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and (_alive(int(pid)) or _alive(int(child)) or Path(folder).exists()):
        time.sleep(0.02)
    assert not _alive(int(pid))
    assert not _alive(int(child))
    assert not Path(folder).exists()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_that_ends_after_its_block_is_replaced_by_the_next(run: Run) -> None:
    run("import os, threading\nthreading.Timer(0.1, lambda: os._exit(3)).start()")
    time.sleep(0.5)
    result = run("1 + 1")
    assert "exit code 3" in str(result.error)
    assert run("1 + 1").stdout == "2\n"


def test_an_object_that_fights_a_glance_is_no_harm(run: Run) -> None:
    code = (
        "def boom(*_): raise SystemExit(1)\nclass Odd:\n    shape = __class__ = property(boom)\nodd = Odd()"
    )
    assert [variable.name for variable in run(code).variables.added] == ["odd"]
    assert run("1 + 1").stdout == "2\n"


def foreseen(*told: tuple[str, str, str]) -> list[Foreseen]:
    """What is asked by a lane, and what it is told, in the order in which it is told."""
    return [
        Foreseen(
            prompts=(asked,), model="small", batched=False, lane=lane, results=(SubcallResult(answer=answer),)
        )
        for lane, asked, answer in told
    ]


def test_what_is_foreseen_is_told_at_once_and_the_engine_gets_to_know(make: Callable[..., Worker]) -> None:
    noted: list[str] = []

    async def note(batch: SubcallBatch) -> list[SubcallResult]:
        noted.append(batch.requests[0].prompt)
        return [SubcallResult(answer="live")]

    work = make().repl.execute(
        "print([llm_query(name) for name in 'aab'], llm_query('a', model='large'))",
        name="<rlm:0.1 block 1>",
        serve=note,
        foreseen=foreseen(("", "a", "first"), ("", "a", "second")),
        model="small",
    )
    # Whoever answers `live` was really asked: what is not foreseen, and another model.
    assert submit(work).result(20).stdout == "['first', 'second', 'live'] live\n"
    assert noted == ["a", "a", "b", "a"]


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
def test_threads_are_told_in_the_order_in_which_they_were(make: Callable[..., Worker], order: str) -> None:
    code = """
import threading
out = []
threads = [threading.Thread(target=lambda name=name: out.append(llm_query(name))) for name in 'abc']
for thread in threads: thread.start()
for thread in threads: thread.join()
print(''.join(out))
"""
    told = foreseen(*((str("abc".index(name) + 1), name, name) for name in order))
    work = make().repl.execute(code, name="<rlm:0.1 block 1>", serve=echo, foreseen=told, model="small")
    assert submit(work).result(20).stdout == f"{order}\n"
