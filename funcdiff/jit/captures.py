"""The arrays and numbers that a function reads from its closure, its module and its defaults.

They are constants of a recorded program, so a call looks whether they are still the same objects, and whether
arrays hold what they held. What is reached otherwise, by an attribute or within a container, is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CellType, CodeType, FunctionType
from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray
from funcdiff.jit.contents import Content, content_of

_MISSING: Any = object()
_NUMBERS = (bool, int, float, complex)
_WATCHED = (np.ndarray, np.generic, TracedArray, *_NUMBERS)


class Captures:
    """What was read when the programs were recorded.

    `before` is what was known of the same function; copies of what has not been written to are taken over.
    """

    def __init__(self, f: Any, before: Captures | None = None) -> None:
        self.globals: list[tuple[dict[str, Any], str, Any]] = []
        self.cells: list[tuple[Any, Any]] = []
        self._look(f, set())
        known = {} if before is None else before.contents
        self.contents: dict[int, Content] = {}  # of the arrays, by identity
        self._names: dict[int, str] = {}
        for name, x in self._seen():
            if id(x) not in self.contents:
                old = known.get(id(x))
                content = old if old is not None and old.same() else content_of(x)
                if content is not None:
                    self.contents[id(x)] = content
                    self._names[id(x)] = name

    def _seen(self) -> Iterator[tuple[str, Any]]:
        yield from ((f"the global name {name!r}", x) for _, name, x in self.globals)
        yield from (("its closure or defaults", x) for _, x in self.cells)

    def same(self) -> bool:
        """Tell whether every name still stands for the same object, and arrays hold the same."""
        return self.bound() and self.written() is None

    def bound(self) -> bool:
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

    def written(self) -> str | None:
        """Return the name of an array that has been written to, or None."""
        for number, content in self.contents.items():
            if not content.same():
                return self._names[number]
        return None

    def watched(self) -> list[tuple[Any, Any, Any, Any]] | None:
        """Return (holder, name or None, what was seen there, its content) of all, as the builtin takes them.

        It is None if there are arrays that only Python can compare.
        """
        tables = {number: content.table() for number, content in self.contents.items()}
        if None in tables.values():
            return None
        entries = [*self.globals, *((cell, None, seen) for cell, seen in self.cells)]
        return [(*entry, tables.get(id(entry[2]))) for entry in entries]

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
        for value in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            if isinstance(value, np.ndarray):
                self.cells.append((CellType(value), value))
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
