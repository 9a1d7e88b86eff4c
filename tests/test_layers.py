"""The house: imports go down only, and what a first import costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import rlm_kernel

# A noun may import those on lower floors, and itself.
FLOORS = {
    "magic": 5,
    "__main__": 5,
    "run": 4,
    "views": 3,
    "engine": 2,
    "models": 1,
    "repl": 1,
    "trace": 0,
    "errors": 0,
    "text": 0,
    "version": 0,
}
# The one import between neighbours: reading a trace raises our errors.
NEIGHBOURS = {("trace", "errors")}
# The package's own `__init__` names what it offers for type checkers, from every floor.
DOOR = "__init__"
# Who may import what from outside the standard library.
OUTSIDE = {
    "magic": {"IPython", "ipykernel", "ipywidgets", "traitlets", "comm"},
    "__main__": {"jupyter_client"},
    "run": {"pandas"},
    "models": {"openai", "httpx", "httpx2", "aiohttp"},
    "repl": {
        "cloudpickle",
        "numpy",
        "pandas",
        "polars",
        "pyarrow",
        "psutil",
        "jupyter_client",
        "zmq",
        "comm",
    },
    DOOR: {"IPython"},
}
# The one module of its noun that may: it is imported where somebody asks for a widget, and by nothing else.
ALONE = {"views/widget.py": {"ipywidgets", "traitlets"}}

ROOT = Path(rlm_kernel.__file__).parent
MODULES = sorted(
    path
    for path in ROOT.rglob("*.py")
    if not {"labextension", "__pycache__"} & set(path.relative_to(ROOT).parts)
)
NAMES = [path.relative_to(ROOT).as_posix() for path in MODULES]


def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text("utf-8"))


def noun(name: str) -> str:
    return Path(name).parts[0].removesuffix(".py")


def imports(name: str) -> Iterator[tuple[int, str]]:
    """The line and full name of every import of a module, inside functions and for type checkers too."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} is a relative import; name the module in full"
            module = node.module or ""
            if module == "rlm_kernel":
                yield from ((node.lineno, f"rlm_kernel.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def test_every_noun_has_its_floor() -> None:
    assert {noun(name) for name in NAMES} - {DOOR} == set(FLOORS)


@pytest.mark.parametrize("name", [name for name in NAMES if noun(name) != DOOR])
def test_imports_go_down_only(name: str) -> None:
    here = noun(name)
    for line, imported in imports(name):
        if imported.split(".")[0] != "rlm_kernel":
            continue
        there = imported.split(".")[1]
        assert there in FLOORS, f"{name}:{line} imports {imported}, which is on no floor"
        down = FLOORS[there] < FLOORS[here] or there == here or (here, there) in NEIGHBOURS
        assert down, (
            f"{name}:{line} imports {imported}: {here} is on floor {FLOORS[here]}, {there} on floor {FLOORS[there]}"
        )


@pytest.mark.parametrize("name", NAMES)
def test_only_the_named_places_import_other_packages(name: str) -> None:
    allowed = {*sys.stdlib_module_names, "rlm_kernel", *OUTSIDE.get(noun(name), ()), *ALONE.get(name, ())}
    for line, imported in imports(name):
        assert imported.split(".")[0] in allowed, (
            f"{name}:{line} imports {imported}, and {noun(name)} may not"
        )


@pytest.mark.parametrize("alone", ALONE)
def test_a_module_that_may_import_more_is_imported_by_its_door_only(alone: str) -> None:
    module = "rlm_kernel." + alone.removesuffix(".py").replace("/", ".")
    assert {name for name in NAMES for _, imported in imports(name) if imported == module} == {"run/run.py"}


def loaded(statement: str) -> set[str]:
    """The modules that a statement loads in a fresh interpreter."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT.parent)!r}); before = set(sys.modules)\n"
        f"{statement}\nprint(*sorted(set(sys.modules) - before))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


HEAVY = {
    "IPython",
    "ipywidgets",
    "ipykernel",
    "jupyter_client",
    "openai",
    "httpx",
    "pydantic",
    "pandas",
    "numpy",
}


def test_the_package_loads_next_to_nothing() -> None:
    found = loaded("import rlm_kernel")
    assert {name for name in found if name.startswith("rlm_kernel")} == {"rlm_kernel"}
    assert found & {*HEAVY, "asyncio", "dataclasses", "inspect", "json", "re", "typing"} == set()


def test_the_door_for_python_loads_no_notebook_and_no_client() -> None:
    assert loaded("from rlm_kernel import RLM, load") & HEAVY == set()


def test_the_door_for_notebooks_loads_no_client() -> None:
    found = loaded("import rlm_kernel.magic")
    assert "IPython" in found
    assert found & {"rlm_kernel.trace", "rlm_kernel.views", "rlm_kernel.run"} == set()
    assert found & {"openai", "httpx", "pydantic", "pandas", "numpy"} == set()


@pytest.mark.parametrize("noun", ["trace", "views"])
def test_a_saved_run_is_seen_with_the_standard_library_alone(noun: str) -> None:
    others = {
        name
        for name in loaded(f"import rlm_kernel.{noun}")
        if name.split(".")[0] not in sys.stdlib_module_names
    }
    above = {
        name for name in others if name.split(".")[0] != "rlm_kernel" or "engine" in name or "models" in name
    }
    assert above == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(tree(name)), f"{name} has no docstring"


@pytest.mark.parametrize("name", NAMES)
def test_no_module_is_long(name: str) -> None:
    lines = len((ROOT / name).read_text("utf-8").splitlines())
    assert lines <= 350, f"{name} has {lines} lines; split it by its nouns"


def offered(name: str) -> list[str] | None:
    """The `__all__` of a module, or None."""
    for node in tree(name).body:
        if isinstance(node, ast.Assign) and any(
            getattr(target, "id", "") == "__all__" for target in node.targets
        ):
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def order(name: str) -> tuple[int, list[tuple[bool, int, str]]]:
    """Where a name stands: constants, then classes, then the rest; each in natural order."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return kind, [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def is_script(name: str) -> bool:
    return name.endswith(("__main__.py", "child/main.py"))


@pytest.mark.parametrize("name", [name for name in NAMES if offered(name) is not None])
def test_what_a_module_offers_is_sorted_and_there(name: str) -> None:
    names = offered(name) or []
    assert names == sorted(names, key=order)
    assert len(names) == len(set(names))
    module = import_module(
        "rlm_kernel." + name.removesuffix(".py").replace("/", ".") if name != "__init__.py" else "rlm_kernel"
    )
    for each in names:
        assert hasattr(module, each), f"{name} offers {each}, which is not there"


def test_every_module_with_a_name_for_others_offers_it() -> None:
    for name in NAMES:
        defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree(name).body)
        assert not defines or is_script(name) or offered(name) is not None, f"{name} has no __all__"


def test_the_names_of_the_package_have_a_home_each() -> None:
    assert sorted(rlm_kernel._HOMES, key=order) == rlm_kernel.__all__
    for name, home in rlm_kernel._HOMES.items():
        assert name in import_module(home).__all__ or name == "__version__"
        assert getattr(rlm_kernel, name) is getattr(import_module(home), name)


def test_the_names_of_the_package_are_typed_as_they_are_loaded() -> None:
    found = dict[str, str]()
    for node in ast.walk(tree("__init__.py")):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rlm_kernel."):
            found |= {alias.name: node.module or "" for alias in node.names}
    assert found == rlm_kernel._HOMES


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'rlm_kernel' has no attribute 'RLN'"):
        _ = rlm_kernel.RLN  # type: ignore[attr-defined]
    assert {"RLM", "Run", "load", "__version__"} <= set(dir(rlm_kernel))
