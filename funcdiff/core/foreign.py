"""Arithmetic of a traced array and an object of a class of the user's own, or of Python's other numbers."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray

NUMBERS = (np.ndarray, np.generic, int, float, complex)
_METHODS = {
    "add": ("+", "__radd__"),
    "subtract": ("-", "__rsub__"),
    "multiply": ("*", "__rmul__"),
    "divide": ("/", "__rtruediv__"),
}


def is_operator(primitive: Any) -> bool:
    """Tell whether a primitive is what one of the four operators calls at once, whatever the operands."""
    return primitive.name in _METHODS


def operate(primitive: Any, a: Any, b: Any) -> Any:
    """Answer ``a + b`` and so on as NumPy does: what it would take for an array, a class that knows better."""
    symbol, method = _METHODS[primitive.name]
    if _is_foreign(b) and (result := _reflected(a, b, method)) is not NotImplemented:
        return result
    x, y = as_numbers(a), as_numbers(b)
    if x is not None and y is not None:
        return primitive.function(x, y)
    names = [f"a traced {x.dtype}" if type(x) is TracedArray else repr(type(x).__name__) for x in (a, b)]
    raise TypeError(f"unsupported operand type(s) for {symbol}: {' and '.join(names)}")


def _is_foreign(x: Any) -> bool:
    return type(x) is not TracedArray and not isinstance(x, NUMBERS)


def _reflected(a: Any, b: Any, method: str) -> Any:
    """Let the right operand answer, unless NumPy would make an array of numbers of it."""
    reflected = getattr(type(b), method, None)
    if reflected is None or isinstance(b, (str, bytes)) or (as_numbers(b) is not None and not defers_to(b)):
        return NotImplemented
    return reflected(b, a)


def defers_to(x: Any) -> bool:
    """Tell whether NumPy leaves arithmetic to an operand."""
    return getattr(x, "__array_ufunc__", x) is None or getattr(x, "__array_priority__", 0) > 0


def as_numbers(x: Any) -> Any:
    """Return what NumPy would make of an operand, None if not numbers."""
    if not _is_foreign(x):
        return x
    if isinstance(x, numbers.Real):
        return float(x)
    try:
        plain = np.asarray(x)
    except Exception:  # noqa: BLE001  # of the user's class: then it is no array
        return None
    return plain if plain.dtype.kind in "biufc" else None
