"""Joining arrays: concatenate, stack and their relatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.recording import concrete
from funcdiff.numpy._arguments import as_array, axis_of, deliver, to_dtype
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.shapes import atleast_1d, atleast_2d, atleast_3d, moveaxis, ravel
from funcdiff.primitives import shape as p
from funcdiff.primitives.indexing import getitem


def _all(arrays: Any, dtype: Any, casting: str) -> list[Any]:
    if dtype is None:
        return [as_array(a) for a in arrays]
    dtype = np.dtype(dtype)
    given = [as_array(a) for a in arrays]
    for a in given:
        if not np.can_cast(a.dtype, dtype, casting):  # type: ignore[arg-type]
            raise TypeError(
                f"Cannot cast array data from {a.dtype!r} to {dtype!r} according to the rule {casting!r}"
            )
    return [to_dtype(a, dtype) for a in given]


@implements(np.concatenate, np.concat)
def concatenate(
    arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Join arrays along an existing axis; None flattens them first."""
    parts = _all(arrays, dtype, casting)
    if axis is None:
        parts, axis = [ravel(a) for a in parts], 0
    if any(not a.shape for a in parts):
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    return deliver(p.concatenate(*parts, axis=axis_of(axis, len(parts[0].shape))), out, "concatenate")


concat = concatenate


@implements(np.stack)
def stack(
    arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Join arrays of one shape along a new axis."""
    parts = _all(arrays, dtype, casting)
    if len({a.shape for a in parts}) != 1:
        raise ValueError("all input arrays must have the same shape")
    return deliver(p.stack(*parts, axis=axis_of(axis, len(parts[0].shape) + 1)), out, "stack")


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join arrays as rows."""
    return concatenate([atleast_2d(a) for a in tup], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join arrays along the second axis, or the first if they are one-dimensional."""
    arrays = [atleast_1d(a) for a in tup]
    axis = 0 if arrays and len(arrays[0].shape) == 1 else 1
    return concatenate(arrays, axis, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """Join arrays along the third axis."""
    return concatenate([atleast_3d(a) for a in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Join one-dimensional arrays as columns."""
    arrays = [as_array(a) for a in tup]
    return concatenate([a if len(a.shape) > 1 else atleast_2d(a).T for a in arrays], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    """Append values to the end of an array."""
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        arr, values, axis = ravel(arr), ravel(values), 0
    return concatenate((arr, values), axis)


@implements(np.block)
def block(arrays: Any) -> Any:
    """Assemble an array from nested lists of blocks; the innermost lists join along the last axis."""
    depth = _depth(arrays)
    rank = max(depth, _rank(arrays))
    return _block(arrays, depth, rank)


def _depth(x: Any) -> int:
    if isinstance(x, tuple):
        raise TypeError(
            "only lists can be used to arrange blocks: np.block does not convert tuples to arrays"
        )
    if not isinstance(x, list):
        return 0
    if not x:
        raise ValueError("List at arrays cannot be empty")
    depths = {_depth(i) for i in x}
    if len(depths) != 1:
        raise ValueError("List depths are mismatched.")
    return 1 + depths.pop()


def _rank(x: Any) -> int:
    return max(_rank(i) for i in x) if isinstance(x, list) else len(as_array(x).shape)


def _block(x: Any, depth: int, rank: int) -> Any:
    if isinstance(x, list):
        return concatenate([_block(i, depth - 1, rank) for i in x], -depth)
    x = as_array(x)
    return p.copy(p.reshape(x, shape=(1,) * (rank - len(x.shape)) + x.shape))


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """Insert values before given indices along an axis."""
    arr = as_array(arr)
    if axis is None:
        arr = ravel(arr)
    rank = len(arr.shape)
    axis = rank - 1 if axis is None else axis_of(axis, rank)
    length = arr.shape[axis]
    places = _places(obj, length, axis)
    values = to_dtype(as_array(values), arr.dtype)
    if places.size == 1:  # one place takes any number of values
        values = p.reshape(values, shape=(1,) * (rank - len(values.shape)) + values.shape)
        if places.ndim == 0:
            values = moveaxis(values, 0, axis)
        places = np.full(values.shape[axis], places.reshape(()))
    count = len(places)
    values = p.broadcast_to(values, shape=(*arr.shape[:axis], count, *arr.shape[axis + 1 :]))
    joined = p.concatenate(arr, values, axis=axis)
    order = np.insert(np.arange(length), places, np.arange(length, length + count))
    return getitem(joined, index=(slice(None),) * axis + (order,))


def _places(obj: Any, length: int, axis: int) -> Any:
    """Return the places of an insertion, counted from the front."""
    if isinstance(obj, slice):
        return np.arange(*obj.indices(length))
    places = np.asarray(concrete(as_array(obj)))
    if places.dtype == bool:
        if places.ndim != 1:
            raise ValueError("boolean array argument obj to insert must be one dimensional")
        places = np.flatnonzero(places)
    elif places.ndim > 1:
        raise ValueError("index array argument obj to insert must be one dimensional or scalar")
    if places.size == 0:
        places = places.astype(np.intp)
    if np.any((places < -length) | (places > length)):
        raise IndexError(f"index {obj} is out of bounds for axis {axis} with size {length}")
    return np.where(places < 0, places + length, places)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    """Return an array with the elements at some indices left out."""
    arr = as_array(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = axis_of(axis, len(arr.shape))
    if not isinstance(obj, slice):
        obj = concrete(as_array(obj))
        obj = obj.astype(np.intp) if obj.size == 0 else obj
    rest = np.delete(np.arange(arr.shape[axis]), obj)
    return getitem(arr, index=(slice(None),) * axis + (rest,))
