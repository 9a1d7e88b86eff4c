"""What is defined in a notebook goes to a worker in full: the worker has no notebook to import it from."""

from __future__ import annotations

import subprocess
import sys
import threading
from textwrap import dedent

from rlm_kernel.repl.pack import pack_context

NOTEBOOK = """
import enum
from dataclasses import dataclass, field

FACTOR = 3

@dataclass
class Paper:
    title: str
    pages: list = field(default_factory=list)
    factor: int = 2

    def shout(self):
        return self.title.upper() * FACTOR

    @property
    def first(self):
        return self.pages[0]

class Kind(enum.Enum):
    SHORT = 1
    LONG = 2

def longer(paper, least=2):
    return len(paper.pages) > least or longer_than(paper)

def longer_than(paper):
    return paper.title in {"a", "b", "c"} and longer is not None

def counter():
    seen = [0]
    return lambda: seen

CONTEXTS = {
    "instance": Paper("rlm", ["one"]),
    "class": Paper,
    "list": [Paper("a"), Paper("b", ["x"])],
    "enum": {"kind": Kind.LONG},
    "function": longer,
    "lambda": lambda text: text * FACTOR,
    "closure": counter(),
}
"""
PACK = """
import subprocess, sys
from rlm_kernel.repl.pack import pack_context
packed = {name: pack_context(value) for name, value in CONTEXTS.items()}
"""
SEND = """
each = packed[{name!r}]
code = "import sys; from rlm_kernel.repl.routes import decode; context = decode(*sys.argv[1:2], *map(int, sys.argv[2:4]));"
subprocess.run(
    [sys.executable, "-c", code + {look!r}, each.route, str(each.fd), str(each.size)], pass_fds=[each.fd], check=True
)
"""


def notebook(code: str, source: str = NOTEBOOK) -> str:
    """What a notebook prints whose cells are the source, then that code."""
    done = subprocess.run(
        [sys.executable, "-c", source + dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def sent(name: str, look: str) -> str:
    return notebook(PACK + SEND.format(name=name, look=look))


def test_an_instance_has_its_methods() -> None:
    assert sent("instance", "print(context.shout(), context.first, context)") == (
        "RLMRLMRLM one Paper(title='rlm', pages=['one'], factor=2)"
    )


def test_a_class_and_the_instances_of_it() -> None:
    assert sent("class", "print(context('x').shout())") == "XXX"
    assert sent("list", "print(type(context[0]) is type(context[1]), context[1].pages)") == "True ['x']"
    assert sent("enum", "print(context['kind'], context['kind'].value)") == "Kind.LONG 2"


def test_functions_have_what_they_use() -> None:
    paper = "type('P', (), dict(pages=[], title='a'))"
    assert sent("function", f"print(context({paper}))") == "True"
    assert sent("lambda", "print(context('ab'))") == "ababab"
    assert sent("closure", "context().append(1); print(context())") == "[0, 1]"


HASHES = PACK + "print({name: each.card.hash for name, each in packed.items()})"


def test_the_same_definitions_have_the_same_hash_in_another_notebook() -> None:
    first = notebook(HASHES)
    assert notebook(HASHES, "# another line\n\n" + NOTEBOOK) == first
    assert len(set(eval(first).values())) == 7


def test_other_definitions_have_another_hash() -> None:
    first = eval(notebook(HASHES))
    for change, touched in (
        (("FACTOR = 3", "FACTOR = 4"), {"instance", "class", "list", "lambda"}),
        (('"rlm", ["one"]', '"rlm", ["two"]'), {"instance"}),
        (("seen = [0]", "seen = [1]"), {"closure"}),
        (("least=2", "least=3"), {"function"}),
        (('{"a", "b", "c"}', '{"a", "b", "d"}'), {"function"}),
        (("LONG = 2", "LONG = 3"), {"enum"}),
    ):
        other = eval(notebook(HASHES, NOTEBOOK.replace(*change)))
        assert {name for name in first if first[name] != other[name]} == touched, change


def test_what_a_module_offers_goes_by_its_name() -> None:
    packed = pack_context([dedent, subprocess.Popen])
    packed.close()
    assert packed.size < 200


def test_a_local_class_goes_by_value_too() -> None:
    class Local:
        def two(self) -> int:
            return 2

    first, second = pack_context([Local()]), pack_context([Local()])
    first.close()
    second.close()
    assert first.card.hash == second.card.hash


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    pack_context("x" * 10**7).close()
    assert threading.active_count() == before
