"""What is carried from step to step: its leaves, and the checks that a step returns what it was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.free import buffer, settle
from funcdiff.core.matching import convert
from funcdiff.core.mutation import clone
from funcdiff.core.recording import TracedArray
from funcdiff.core.trees import AnyTree, flatten, path_name
from funcdiff.transforms.arguments import leaf_value

PYTHON = (bool, int, float, complex)


class Carry:
    """The structure and types of a carry; a Python number takes the type that the first step gives it."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.leaves, self.tree = flatten(value)
        self.weak = [type(x) in PYTHON for x in self.leaves]
        self.values = [self._value(x, n) for n, x in enumerate(self.leaves)]
        self.kinds = [type_of(x) for x in self.values]

    def given(self, keep: Callable[[Any], Any]) -> list[Any]:
        """Return what the first step is given: Python's numbers as they are, and what is kept of arrays.

        Not its booleans: to Python ``~True`` is the number -2.
        """
        return [
            (np.bool_(x) if type(x) is bool else x) if weak else keep(value)
            for x, value, weak in zip(self.leaves, self.values, self.weak, strict=True)
        ]

    def _value(self, x: Any, n: int) -> Any:
        value = leaf_value(x)
        if getattr(value, "dtype", np.dtype(object)).kind not in "fcbiu":
            raise errors.StructureError(
                errors.at_user_line(
                    f"{self.name}: the carry{self._where(n)} is {type(x).__name__}, not an array of numbers"
                )
            )
        return value

    def _where(self, n: int) -> str:
        path = path_name(self.tree.paths()[n])
        return f" at {path}" if path else ""

    def check(self, value: Any) -> list[Any]:
        """Return the leaves of the next carry, which must be of the same structure and types."""
        leaves, tree = flatten(value)
        if not tree == self.tree:
            raise errors.StructureError(
                errors.at_user_line(
                    f"{self.name}: the carry has structure {self.tree!r}, and the body returned one of structure "
                    f"{tree!r}. A step must return a carry of the structure it was given"
                    + (", also one that it has written to." if value is None else ".")
                )
            )
        values = [self._value(x, n) for n, x in enumerate(leaves)]
        for n, (x, kind) in enumerate(zip(values, self.kinds, strict=True)):
            found = type_of(x)
            if found == kind:
                continue
            if self.weak[n] and found.shape == kind.shape and _promotes(kind, found):
                self.kinds[n] = found  # a Python number gives way
                continue
            if type(leaves[n]) in PYTHON and not kind.shape and _promotes(found, kind):
                values[n] = convert(x, kind.dtype)
                continue
            raise errors.StructureError(
                errors.at_user_line(
                    f"{self.name}: the carry{self._where(n)} is {kind}, and the body returned {found}. A step must "
                    "return a carry of the shapes and dtypes it was given: broadcast or cast the initial value."
                )
            )
        self.weak = [False] * len(values)
        return values


def _promotes(weak: ArrayType, found: ArrayType) -> bool:
    return "biufc".index(weak.dtype.kind) <= "biufc".index(found.dtype.kind)


def own(x: Any, traced: bool) -> Any:
    """Return a value that a step may write to without anybody else seeing it."""
    if type(x) is TracedArray:
        return clone(x)
    if type(x) is np.ndarray:
        return buffer(x.copy(order="K")) if traced else x.copy(order="K")
    return x


def separate(values: Sequence[Any], traced: bool) -> list[Any]:
    """Let no two values of a new carry be the same object or a view of something."""
    seen: set[int] = set()
    made = []
    for x in values:
        if id(x) in seen or getattr(x, "base", None) is not None:
            x = own(x, traced)
        elif traced and type(x) is np.ndarray:
            x = buffer(x)
        seen.add(id(x))
        made.append(x)
    return made


def closes_over_traced(*functions: Callable[..., Any]) -> bool:
    """Tell whether a function has a traced array in its closure."""
    for f in functions:
        f = getattr(f, "__wrapped__", f)
        for cell in getattr(f, "__closure__", None) or ():
            try:
                content = cell.cell_contents
            except ValueError:
                continue
            if isinstance(content, FunctionType):
                if content is not f and closes_over_traced(content):
                    return True
            elif is_any_traced(flatten(content)[0]):
                return True
    return False


def is_any_traced(leaves: Sequence[Any]) -> bool:
    """Tell whether any leaf is traced."""
    return any(type(x) is TracedArray for x in leaves)


def structure(x: Any) -> tuple[list[Any], AnyTree]:
    """Return leaves as arrays, and their structure."""
    leaves, tree = flatten(x)
    return [leaf_value(leaf) for leaf in leaves], tree


def cast(x: Any, kind: ArrayType) -> Any:
    """Give a value the dtype of a type."""
    return x if type_of(x) == kind else convert(x, kind.dtype)


def result(x: Any) -> Any:
    """Return a value of a carry as the caller gets it."""
    return settle(x)
