"""Sums and extrema of short arrays, at a third to a half of what NumPy's reductions take to begin.

A sum is the product with ones, by BLAS; the largest element is read where `argmax` finds it.  Numbers are
arrays without axes: beside a Python number a ufunc takes twice the time.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from funcdiff.compat.torch._state import QUIETLY, silence, unsilence

SHORT = 512  # elements, up to which the product with ones is as exact as NumPy's sum by halves

_added: Any = np.add.reduce
_greatest: Any = np.maximum.reduce
_least: Any = np.minimum.reduce


@lru_cache(maxsize=4096)
def _ones(shape: Any, kind: str) -> Any:
    return np.ones(shape, kind)


@lru_cache(maxsize=4096)
def number(value: float, kind: str) -> Any:
    """Return a number as an array of a type, the same one each time, not to be written to."""
    found = np.array(value, kind)
    found.flags.writeable = False
    return found


def zero(x: Any) -> Any:
    """Return zero in the type of an array."""
    return _ZEROS[x.dtype.char]


_ZEROS = {kind: number(0, kind) for kind in np.typecodes["AllInteger"] + np.typecodes["AllFloat"] + "?"}


def total(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return the sum over axes, without NumPy's warnings."""
    if 0 < x.size <= SHORT and (kind := x.dtype.char) in "fd":
        rank = x.ndim
        if len(axis) == rank:
            if not keepdims:
                return (x if rank == 1 else x.reshape(-1)).dot(_ones(x.size, kind))
        elif rank == 2:
            rows, columns = x.shape
            if axis[0]:
                return x.dot(_ones((columns, 1) if keepdims else columns, kind))
            return _ones((1, rows) if keepdims else rows, kind).dot(x)
    token = silence(QUIETLY)
    try:
        return _added(x, axis, None, None, True) if keepdims else _added(x, axis)
    finally:
        unsilence(token)


_SHORT_AXIS = 32


@lru_cache(maxsize=4096)
def ones_along(shape: tuple[int, ...], kind: str, axis: tuple[int, ...]) -> tuple[Any, bool] | None:
    """Return the matrix of ones whose product with an array is its sum over one short axis, repeated along it.

    What follows then meets equal shapes, where NumPy takes a third of the time.  The matrix stands on the
    right if so said, else on the left; it is None for long arrays, several axes and other types.
    """
    if len(axis) != 1 or len(shape) > 2 or kind not in "fd" or not 0 < math.prod(shape) <= SHORT:
        return None
    n = shape[axis[0]]
    return (_ones((n, n), kind), axis[0] == len(shape) - 1) if n <= _SHORT_AXIS else None


def spread_total(x: Any, *, axis: tuple[int, ...]) -> Any:
    """Return the sum over axes in a shape that broadcasts against `x`."""
    ones = ones_along(x.shape, x.dtype.char, axis)
    if ones is None:
        return total(x, axis=axis, keepdims=x.ndim != len(axis))
    return x.dot(ones[0]) if ones[1] else ones[0].dot(x)


@lru_cache(maxsize=4096)
def rows(count: int, keepdims: bool) -> Any:
    """Return the numbers of rows, as indices beside positions in each row."""
    return np.arange(count)[:, None] if keepdims else np.arange(count)


@lru_cache(maxsize=4096)
def extreme(shape: tuple[int, ...], axis: tuple[int, ...], keepdims: bool, position: str) -> Any:
    """Make the largest elements over axes (`argmax` for the position), or the smallest, of arrays of a shape."""
    rank, reduce = len(shape), _greatest if position == "argmax" else _least

    def largest_of_all(x: Any) -> Any:
        flat = x if rank == 1 else x.ravel()
        return flat[flat.argmax()]

    def smallest_of_all(x: Any) -> Any:
        flat = x if rank == 1 else x.ravel()
        return flat[flat.argmin()]

    def of_rows(x: Any) -> Any:
        return x[numbers, x.argmax(1)] if position == "argmax" else x[numbers, x.argmin(1)]

    def of_kept_rows(x: Any) -> Any:
        return x[numbers, getattr(x, position)(1, None, keepdims=True)]

    if 0 < math.prod(shape) <= SHORT:
        if len(axis) == rank and not keepdims:
            return largest_of_all if position == "argmax" else smallest_of_all
        if rank == 2 and axis == (1,):
            numbers = rows(shape[0], keepdims)
            return of_kept_rows if keepdims else of_rows
    return lambda x: reduce(x, axis, None, None, True) if keepdims else reduce(x, axis)


def largest(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return the largest elements over axes."""
    return extreme(x.shape, axis, keepdims, "argmax")(x)


def smallest(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return the smallest elements over axes."""
    return extreme(x.shape, axis, keepdims, "argmin")(x)
