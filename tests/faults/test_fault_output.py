"""F23–F26: what a block writes, however much and whatever it is, is kept within bounds and shown as what it is."""

from __future__ import annotations

import pytest
from faults import After, Memory

from rlm_kernel.repl.output import KEEP_BYTES
from rlm_kernel.views import call_text, mime_bundle, text_tree


def test_f23_much_output_keeps_its_head_its_tail_and_its_length() -> None:
    """40 MB of output."""
    memory = Memory()
    after = After("for number in range(40): print(f'{number:02}' + 'x' * 1_000_000)", block_seconds=30)
    done = after.executed()
    assert done.error is None
    assert done.stdout_chars == 40 * 1_000_003
    assert done.stdout.startswith("00xxx")
    assert done.stdout.endswith("xxx\n")
    assert len(done.stdout) < 2 * KEEP_BYTES + 100
    assert "bytes left out" in done.stdout
    assert len(after.told()) < 25_000
    assert memory.grown() < 20_000_000


def test_f23_a_flood_of_output_is_stopped_and_the_model_told() -> None:
    """1 GB of output."""
    memory = Memory()
    after = After("for _ in range(1000): print('x' * 1_000_000)", "print('next', context)", block_seconds=30)
    assert "it wrote more than 50,000,000 bytes of output" in after.told()
    assert after.executed().seconds < 5
    assert after.executed(2).stdout == "next some text\n"
    assert memory.grown() < 20_000_000


HIDDEN = "\x1b]52;c;Y2FuYXJ5\x07\x1b[2J\x00\u202emoc.elpmaxe\u200b"


def test_f24_control_characters_are_kept_in_the_trace_and_spelt_out_where_people_read() -> None:
    """Terminal codes, NUL and bidirectional marks in what is printed."""
    after = After(f"print({HIDDEN!r})", then=repr(HIDDEN))
    assert after.executed().stdout == f"{HIDDEN}\n"
    assert after.answer == HIDDEN
    trace = after.run.trace
    assert trace.root is not None
    texts = [text_tree(trace), call_text(trace.root), mime_bundle(trace)["text/plain"]]
    for text in texts:
        assert not set(HIDDEN) & {"\x1b", "\x07", "\x00", "\u202e", "\u200b"} & set(text)
    assert "\\u001b]52;c;Y2FuYXJ5" in texts[1]


def test_f25_a_lone_surrogate_loses_nothing(tmp_path) -> None:
    """Text that is not valid Unicode: printed, asked, answered and saved."""
    lone = "a\ud800b"
    after = After(f"print({lone!r}, llm_query({lone!r}))", then=repr(lone), trace_dir=tmp_path, context=lone)
    assert after.executed().stdout == "a\\ud800b <a\\ud800b>\n"
    assert after.model.requests[1].messages[0].content == lone
    assert after.answer == lone


@pytest.mark.parametrize(
    "write",
    [
        "import sys; sys.stdout.buffer.write(b'below\\n')",
        "import os; os.write(1, b'below\\n')",
        "import ctypes; libc = ctypes.CDLL(None); libc.puts(b'below'); libc.fflush(None)",
        "import os; os.write(2, b'below\\n')",
    ],
    ids=["buffer", "descriptor", "C library", "stderr"],
)
def test_f26_output_below_python_is_captured(write: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Writes to the descriptor, from Python or from C."""
    done = After(write).executed()
    assert "below\n" in (done.stdout, done.stderr) or done.stdout.startswith("below\n")
    assert capfd.readouterr() == ("", "")


def test_f26_what_another_process_writes_is_captured_where_one_can_be_started(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A child process's output. A guarded worker can start none, and says so."""
    after = After("import subprocess\nsubprocess.run(['/bin/echo', 'from below'])\nprint('done')")
    if after.executed().error is None:
        assert after.executed().stdout == "from below\ndone\n"
    else:
        assert after.error().startswith("PermissionError")
    assert capfd.readouterr() == ("", "")
