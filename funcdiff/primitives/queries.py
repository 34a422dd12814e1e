"""Questions whose answers have no derivative: positions of extrema, orderings, counts, roundings."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import locally_constant
from funcdiff.core.primitive import REGISTRY, Function


def _as_integer(x: Any, *, dtype: Any) -> Any:
    return np.asarray(x).astype(dtype)[()]


def _batch(name: str) -> Function:
    """The batch rule of a primitive of one array that treats each example alone and takes no axis."""

    def batch(values: Any, _flags: Any, _size: int, **params: Any) -> Any:
        return REGISTRY[name].function(*values, **params)

    return batch


as_integer = locally_constant(
    _as_integer,
    name="as_integer",
    batch=_batch("as_integer"),
    doc="Convert to an integer, boolean or other dtype that has no derivatives.",
)


def _batch_axis(name: str) -> Function:
    def batch(values: Any, _flags: Any, _size: int, *, axis: int, **params: Any) -> Any:
        return REGISTRY[name].function(values[0], axis=axis + 1, **params)

    return batch


def _batch_axes(name: str) -> Function:
    def batch(values: Any, _flags: Any, _size: int, *, axis: tuple[int, ...], keepdims: bool) -> Any:
        return REGISTRY[name].function(values[0], axis=tuple(a + 1 for a in axis), keepdims=keepdims)

    return batch


# keepdims is Any below because NumPy's annotations ask for a literal here.
def _argmax(x: Any, *, axis: int, keepdims: Any) -> Any:
    return np.argmax(x, axis=axis, keepdims=keepdims)


def _argmin(x: Any, *, axis: int, keepdims: Any) -> Any:
    return np.argmin(x, axis=axis, keepdims=keepdims)


argmax = locally_constant(_argmax, name="argmax", batch=_batch_axis("argmax"), doc="Where the maximum is.")
argmin = locally_constant(_argmin, name="argmin", batch=_batch_axis("argmin"), doc="Where the minimum is.")


def _nanargmax(x: Any, *, axis: int, keepdims: Any) -> Any:
    return np.nanargmax(x, axis=axis, keepdims=keepdims)


def _nanargmin(x: Any, *, axis: int, keepdims: Any) -> Any:
    return np.nanargmin(x, axis=axis, keepdims=keepdims)


nanargmax = locally_constant(
    _nanargmax, name="nanargmax", batch=_batch_axis("nanargmax"), doc="Where the maximum is, NaN left out."
)
nanargmin = locally_constant(
    _nanargmin, name="nanargmin", batch=_batch_axis("nanargmin"), doc="Where the minimum is, NaN left out."
)


def _argsort(x: Any, *, axis: int, kind: str | None) -> Any:
    return np.argsort(x, axis=axis, kind=kind)  # type: ignore[arg-type]


def _argpartition(x: Any, *, axis: int, kth: tuple[int, ...]) -> Any:
    return np.argpartition(x, kth, axis=axis)


argsort = locally_constant(
    _argsort, name="argsort", batch=_batch_axis("argsort"), doc="The order that sorts."
)
argpartition = locally_constant(
    _argpartition, name="argpartition", batch=_batch_axis("argpartition"), doc="The order that partitions."
)


def _all(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return np.logical_and.reduce(x, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]


def _any(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return np.logical_or.reduce(x, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]


def _count_nonzero(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return np.asarray(np.count_nonzero(x, axis=axis, keepdims=keepdims))[()]


all_ = locally_constant(_all, name="all", batch=_batch_axes("all"), doc="Whether all elements are true.")
any_ = locally_constant(_any, name="any", batch=_batch_axes("any"), doc="Whether any element is true.")
count_nonzero = locally_constant(
    _count_nonzero, name="count_nonzero", batch=_batch_axes("count_nonzero"), doc="How many are not zero."
)


def _round(x: Any, *, decimals: int) -> Any:
    return np.round(x, decimals)


round_ = locally_constant(
    _round, name="round", batch=_batch("round"), doc="Round to decimals; constant almost everywhere."
)


def _searchsorted(a: Any, v: Any, *, side: str) -> Any:
    a, v = np.asarray(a), np.asarray(v)
    if a.ndim == 1:
        return np.searchsorted(a, v, side=side)  # type: ignore[call-overload]
    return np.stack([_searchsorted(row, w, side=side) for row, w in zip(a, v, strict=True)])


def _batch_searchsorted(values: Any, flags: Any, size: int, *, side: str) -> Any:
    from funcdiff.primitives.shape import all_mapped

    if not flags[0] and len(values[0].shape) == 1:
        return searchsorted(*values, side=side)
    return searchsorted(*all_mapped(values, flags, size), side=side)


searchsorted = locally_constant(
    _searchsorted,
    name="searchsorted",
    batch=_batch_searchsorted,
    doc="Where values would go into a sorted 1-D array (or each of a stack of them).",
)


def _isclose(a: Any, b: Any, *, rtol: Any, atol: Any, equal_nan: bool) -> Any:
    return np.isclose(a, b, rtol, atol, equal_nan)


isclose = locally_constant(_isclose, name="isclose", doc="Whether elements agree to tolerances.")
