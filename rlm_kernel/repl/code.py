"""What a class or a function of the notebook is, for its hash: its code and what that uses, not where it was typed."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

# What Python adds to a class; it says nothing of what the class does, or differs each time.
_NOT_SAID = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__module__",
        "__firstlineno__",
        "__static_attributes__",
        "_abc_impl",
        "__annotations_cache__",
        "__annotate_func__",
    ]
)


def goes_by_value(value: Any) -> bool:
    """Whether a class or function is one that no module offers."""
    return value.__module__ == "__main__" or "<" in value.__qualname__


def class_parts(kind: type) -> list[Any]:
    """The class's name, what it is made from, and what is defined in it."""
    inside = [(name, _attribute(value)) for name, value in vars(kind).items() if name not in _NOT_SAID]
    return ["class", kind.__qualname__, [base for base in kind.__bases__ if base is not object], inside]


def function_parts(function: types.FunctionType) -> list[Any]:
    """The function's code, its defaults, and the variables that it uses."""
    names = set(_names(function.__code__))
    used = sorted(name for name in names if name in function.__globals__)
    cells = [_cell(cell) for cell in function.__closure__ or ()]
    return [
        *("function", function.__qualname__, _code(function.__code__)),
        *(function.__defaults__, function.__kwdefaults__, cells),
        [(name, function.__globals__[name]) for name in used],
        sorted(vars(function).items()),
    ]


def _attribute(value: Any) -> Any:
    if isinstance(value, staticmethod | classmethod):
        return [type(value).__name__, value.__func__]
    if isinstance(value, property):
        return ["property", value.fget, value.fset, value.fdel]
    if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
        return ["slot", value.__name__]
    return value


def _cell(cell: Any) -> Any:
    try:
        return [cell.cell_contents]
    except ValueError:
        return []  # it has not been given a value yet


def _code(code: types.CodeType) -> list[Any]:
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return [shape, code.co_code, names, [_constant(constant) for constant in code.co_consts]]


def _constant(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return _code(value)
    if isinstance(value, frozenset):
        return sorted(map(repr, value))  # their order differs between processes
    return [_constant(item) for item in value] if isinstance(value, tuple) else value


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


__all__ = ["class_parts", "function_parts", "goes_by_value"]
