"""Writing into traced arrays: copyto, put, place, putmask, put_along_axis.

Into a plain array these refuse to write traced values, which would drop the derivative.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from funcdiff.core.matching import convert
from funcdiff.core.recording import TracedArray, concrete
from funcdiff.numpy._arguments import as_array, axis_of, plain_write
from funcdiff.numpy._protocol import has_traced, implements
from funcdiff.numpy.rearranging import resize
from funcdiff.numpy.selection import condition_of, in_range
from funcdiff.primitives.selection import where as select
from funcdiff.primitives.shape import reshape


def target(a: Any, name: str) -> Any:
    """Return the traced array to write into, or refuse a plain one."""
    if type(a) is not TracedArray:
        raise plain_write(name)
    return a


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Copy values from one array into another, broadcasting as necessary."""
    if type(dst) is not TracedArray and not has_traced(src):
        return np.copyto(dst, src, casting, where=np.asarray(concrete(as_array(where))))  # type: ignore[arg-type]
    dst = target(dst, "np.copyto")
    weak = isinstance(src, (int, float, complex))
    src = as_array(src)
    if not weak and not np.can_cast(src.dtype, dst.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            f"Cannot cast array data from {src.dtype!r} to {dst.dtype!r} according to the rule {casting!r}"
        )
    if src.dtype != dst.dtype:
        src = convert(src, dst.dtype) if type(src) is TracedArray else src.astype(dst.dtype)
    if where is not True:
        src = select(condition_of(where), src, dst)
        if src.shape != dst.shape:
            raise ValueError(f"could not broadcast input array from shape {src.shape} into shape {dst.shape}")
    dst[...] = src
    return None


def _flat_places(a: Any, ind: Any, mode: str) -> Any:
    size = prod(a.shape)
    places = np.asarray(concrete(as_array(ind))).ravel()
    places = in_range(places, size, mode, f"index out of bounds for array of size {size}")
    return np.unravel_index(places % size if size else places, a.shape)


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Write values at positions of the flattened array; they are repeated as necessary."""
    a = target(a, "np.put")
    places = _flat_places(a, ind, mode)
    v = as_array(v)
    if prod(v.shape) and len(places[0]):
        a[places] = resize(v, len(places[0]))


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Write values, in turn, where a mask holds; they are repeated as necessary."""
    arr = target(arr, "np.place")
    mask = np.asarray(concrete(condition_of(mask)))
    if mask.size != prod(arr.shape):
        raise ValueError("place: mask and data must be the same size")
    found = np.nonzero(mask.reshape(arr.shape))
    vals = as_array(vals)
    if len(found[0]):
        if not prod(vals.shape):
            raise ValueError("Cannot insert from an empty array!")
        arr[found] = resize(vals, len(found[0]))


@implements(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    """Write values where a mask holds, each from its own place among the (repeated) values."""
    a = target(a, "np.putmask")
    mask, values = condition_of(mask), as_array(values)
    if prod(mask.shape) != prod(a.shape):
        raise ValueError("putmask: mask and data must be the same size")
    if not prod(values.shape):
        return
    if values.shape != a.shape:
        values = resize(values, a.shape)
    if values.dtype != a.dtype:
        values = values.astype(a.dtype)
    a[...] = select(reshape(mask, shape=a.shape), values, a)


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    """Write one value per index along an axis, matching the other axes."""
    arr = target(arr, "np.put_along_axis")
    indices = as_array(indices)
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if axis is None:
        if len(indices.shape) != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        arr[np.unravel_index(np.asarray(concrete(indices)), arr.shape)] = values
        return
    rank = len(arr.shape)
    axis = axis_of(axis, rank)
    if len(indices.shape) != rank:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    index = tuple(
        indices if n == axis else np.arange(length).reshape(*(-1 if m == n else 1 for m in range(rank)))
        for n, length in enumerate(arr.shape)
    )
    arr[index] = values
