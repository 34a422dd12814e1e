"""The arrays and numbers that a function reads from its closure and its module.

They are constants of a recorded program, so a call looks whether they are still the same objects.
What is reached otherwise, by an attribute or within a container, is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray

_MISSING: Any = object()
_NUMBERS = (bool, int, float, complex)
_WATCHED = (np.ndarray, np.generic, TracedArray, *_NUMBERS)


class Captures:
    """What was read when the programs were recorded."""

    def __init__(self, f: Any) -> None:
        self.globals: list[tuple[dict[str, Any], str, Any]] = []
        self.cells: list[tuple[Any, Any]] = []
        self._look(f, set())

    def same(self) -> bool:
        """Tell whether every name still stands for the same object."""
        for names, name, seen in self.globals:
            now = names.get(name, _MISSING)
            if now is not seen and not _equal(now, seen):
                return False
        for cell, seen in self.cells:
            now = _content(cell)
            if now is not seen and not _equal(now, seen):
                return False
        return True

    def triples(self) -> list[tuple[Any, Any, Any]]:
        """Return (holder, name or None, what was seen there) of all."""
        return [*self.globals, *((cell, None, seen) for cell, seen in self.cells)]

    def _look(self, f: Any, visited: set[int]) -> None:
        if id(f) in visited:
            return
        visited.add(id(f))
        for inner in (
            getattr(f, "__wrapped__", None),
            getattr(f, "func", None),
            getattr(f, "__func__", None),
        ):
            if callable(inner):
                self._look(inner, visited)
        if not isinstance(f, FunctionType):
            return
        for cell in f.__closure__ or ():
            value = _content(cell)
            if _is_function(value):
                self._look(value, visited)
            if not _is_ours(f) and isinstance(value, _WATCHED):
                self.cells.append((cell, value))
        if _is_ours(f):
            return
        for name in dict.fromkeys(_names(f.__code__)):
            value = f.__globals__.get(name, _MISSING)
            if _is_function(value):
                self._look(value, visited)
            if isinstance(value, _WATCHED) or (_is_function(value) and not _is_ours(value)):
                self.globals.append((f.__globals__, name, value))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_function(x: Any) -> bool:
    """Tell whether something is a function written in Python, or stands for one, as what `jit` returns does."""
    if isinstance(x, FunctionType):
        return True
    named = getattr(x, "__dict__", None)
    return isinstance(named, dict) and isinstance(named.get("__wrapped__"), FunctionType)


def _is_ours(f: Any) -> bool:
    if not isinstance(f, FunctionType):
        return False
    return str(f.__globals__.get("__name__", "")).split(".", 1)[0] in ("funcdiff", "numpy", "scipy")


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the name has been deleted, or is not bound yet
        return _MISSING


def _equal(now: Any, seen: Any) -> bool:
    return type(now) is type(seen) and isinstance(now, (*_NUMBERS, np.generic)) and bool(now == seen)
