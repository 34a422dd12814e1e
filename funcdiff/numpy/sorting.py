"""Sorting, partitioning and unique values."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib._arraysetops_impl import UniqueAllResult, UniqueCountsResult, UniqueInverseResult

from funcdiff.core.recording import concrete
from funcdiff.numpy._arguments import as_array, at_least_1d, axis_of, to_dtype
from funcdiff.numpy._protocol import implements
from funcdiff.primitives import ordering, queries
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.shape import reshape


def _flat_or_axis(a: Any, axis: Any) -> tuple[Any, int]:
    a = as_array(a)
    if axis is None:
        return reshape(a, shape=(prod(a.shape),)), 0
    return a, axis_of(axis, len(a.shape))


def _kind(kind: str | None, stable: bool | None) -> str | None:
    if kind is not None and stable is not None:
        raise ValueError(
            "`kind` and `stable` parameters can't be provided at the same time. Use only one of them."
        )
    return "stable" if stable else kind


def _no_order(name: str, order: Any) -> None:
    if order is not None:
        raise ValueError(f"{name}: cannot specify order when the array has no fields.")


@implements(np.sort)
def _sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    _no_order("sort", order)
    a, axis = _flat_or_axis(a, axis)
    return ordering.sort(a, axis=axis, kind=_kind(kind, stable))


def sort(
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """Sort along an axis; the derivative is the permutation.  `descending` is the Array API's."""
    out = _sort(a, axis, kind, order, stable=stable)
    return np.flip(out, -1 if axis is None else axis) if descending else out


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """Sort by real part, then imaginary part, as a complex array."""
    out = sort(a)
    if out.dtype.kind == "c":
        return out
    return to_dtype(out, {"g": np.clongdouble}.get(out.dtype.char, np.complex128))


@implements(np.argsort)
def _argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    _no_order("argsort", order)
    a, axis = _flat_or_axis(at_least_1d(as_array(a)), axis)
    return queries.argsort(a, axis=axis, kind=_kind(kind, stable))


def argsort(
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """Return the order that sorts an array.  `descending` is the Array API's; equal elements keep their order."""
    if not descending:
        return _argsort(a, axis, kind, order, stable=stable)
    a, axis = _flat_or_axis(at_least_1d(as_array(a)), axis)
    stable = kind is None if stable is None else stable
    last = a.shape[axis] - 1
    return last - np.flip(_argsort(np.flip(a, axis), axis, kind, order, stable=stable), axis)


def _kths(kth: Any, length: int) -> tuple[int, ...]:
    found = tuple(int(k) for k in np.atleast_1d(np.asarray(concrete(as_array(kth)))))
    for k in found:
        if length and not -length <= k < length:
            raise ValueError(f"kth(={k}) out of bounds ({length})")
    return tuple(k % length if length else 0 for k in found)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Any:
    """Partition along an axis; the derivative is the permutation."""
    _no_order("partition", order)
    a, axis = _flat_or_axis(a, axis)
    return ordering.partition(a, axis=axis, kth=_kths(kth, a.shape[axis]))


@implements(np.argpartition)
def argpartition(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Any:
    """Return an order that partitions an array."""
    _no_order("argpartition", order)
    a, axis = _flat_or_axis(at_least_1d(as_array(a)), axis)
    return queries.argpartition(a, axis=axis, kth=_kths(kth, a.shape[axis]))


@implements(np.lexsort)
def lexsort(keys: Any, axis: Any = -1) -> Any:
    """Return the order that sorts by several keys, the last one first."""
    plain = [np.asarray(concrete(as_array(k))) for k in keys]
    return np.lexsort(plain, axis)


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """Return the unique values; each takes its derivative from its first occurrence."""
    ar = as_array(ar)
    plain = np.asarray(concrete(ar))
    _, first, inverse, counts = np.unique(
        plain, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=equal_nan
    )
    if axis is None:
        values = getitem(reshape(ar, shape=(prod(ar.shape),)), index=(first,))
    else:
        values = getitem(ar, index=(slice(None),) * axis_of(axis, len(ar.shape)) + (first,))
    wanted = (return_index, return_inverse, return_counts)
    extra = tuple(part for part, want in zip((first, inverse, counts), wanted, strict=True) if want)
    return (values, *extra) if extra else values


@implements(np.unique_values)
def unique_values(x: Any, /) -> Any:
    """Return the unique values."""
    return unique(x, equal_nan=False)


def _unique_parts(x: Any) -> Any:
    return unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False)


@implements(np.unique_all)
def unique_all(x: Any, /) -> Any:
    """Return the unique values, where each is first, the inverse and the counts."""
    values, first, inverse, counts = _unique_parts(x)
    return UniqueAllResult(values, first, inverse, counts)


@implements(np.unique_counts)
def unique_counts(x: Any, /) -> Any:
    """Return the unique values and how often each occurs."""
    values, _, _, counts = _unique_parts(x)
    return UniqueCountsResult(values, counts)


@implements(np.unique_inverse)
def unique_inverse(x: Any, /) -> Any:
    """Return the unique values and the indices that build the array of them."""
    values, _, inverse, _ = _unique_parts(x)
    return UniqueInverseResult(values, inverse)
