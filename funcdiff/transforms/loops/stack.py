"""`Stack`: what a loop of unknown length keeps, one array per step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType


class Stack:
    """One array per step of a loop whose length is known only when it has run.

    Only loops read its elements.  To everything else it is of shape ``()``, whatever its length, so that
    the types on a tape hold for any number of steps; stacks add, and a number stands for a stack full of
    it.
    """

    __slots__ = ("dtype", "items")
    shape: tuple[int, ...] = ()
    ndim = 0
    size = 1

    def __init__(self, items: Sequence[Any] | np.ndarray[Any, Any], kind: ArrayType) -> None:
        self.dtype = kind.dtype
        self.items: Any = items  # an array, or a list of stacks
        if not isinstance(items, np.ndarray) and not any(isinstance(x, Stack) for x in items):
            self.items = np.array(items, dtype=kind.dtype).reshape(len(items), *kind.shape)

    @property
    def steps(self) -> int:
        """How many elements it has."""
        return len(self.items)

    def map(self, f: Callable[..., Any], *others: Any) -> Stack:
        """Apply a function of arrays whose first axis counts steps."""
        if isinstance(self.items, np.ndarray):
            made = f(self.items, *[x.items if isinstance(x, Stack) else x for x in others])
            return Stack(made, ArrayType(made.shape[1:], made.dtype))
        rows = zip(
            *[x.items if isinstance(x, Stack) else [x] * self.steps for x in (self, *others)], strict=True
        )
        return Stack([x.map(f, *rest) for x, *rest in rows], ArrayType((), self.dtype))

    def copy(self, order: str = "C") -> Stack:
        """Return a stack of its own memory."""
        del order
        return self.map(np.copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            return NotImplemented
        if not isinstance(inputs[0], Stack):
            return inputs[1].map(lambda x, y: ufunc(y, x), inputs[0])
        return inputs[0].map(ufunc, *inputs[1:])

    def __add__(self, other: Any) -> Any:
        return np.add(self, other)  # type: ignore[call-overload]

    __radd__ = __add__

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        del types
        if function is np.broadcast_to:  # to a batch: a stack of batches
            (size,) = kwargs.get("shape") or args[1]
            return self.map(lambda x: np.broadcast_to(x[:, None], (len(x), size, *x.shape[1:])))
        return NotImplemented

    def __repr__(self) -> str:
        return f"<Stack of {self.steps} steps, {self.dtype}>"


def element(x: Any, n: int, kind: ArrayType) -> Any:
    """Return what a step reads of a stacked input; a number stands for a stack full of it."""
    if isinstance(x, Stack):
        return x.items[n]
    return np.full(kind.shape, x, kind.dtype)[()]
