"""Rearranging elements: flip, roll, repeat, tile, split and their relatives."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from operator import index as as_index
from typing import Any

import numpy as np

from funcdiff.core.recording import concrete
from funcdiff.numpy._arguments import as_array, at_least_1d, axes_of, axis_of, shape_of
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.shapes import permuted, reshape
from funcdiff.primitives import shape as p
from funcdiff.primitives.indexing import getitem

# --- reversed and rolled ------------------------------------------------------------------------------


def sliced(a: Any, axis: int, *bounds: int | None) -> Any:
    """Return a slice along one axis, as a view."""
    return a[(slice(None),) * axis + (slice(*bounds),)]


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """Reverse the order of elements along axes, as a view."""
    m = as_array(m)
    axes = axes_of(axis, len(m.shape))
    return m[tuple(slice(None, None, -1) if n in axes else slice(None) for n in range(len(m.shape)))]


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """Reverse the first axis, as a view."""
    m = as_array(m)
    if not m.shape:
        raise ValueError("Input must be >= 1-d.")
    return m[::-1]


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """Reverse the second axis, as a view."""
    m = as_array(m)
    if len(m.shape) < 2:
        raise ValueError("Input must be >= 2-d.")
    return m[:, ::-1]


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Rotate by quarter turns in the plane of two axes, as a view."""
    m = as_array(m)
    rank = len(m.shape)
    axes = tuple(axes)
    if len(axes) != 2:
        raise ValueError("len(axes) must be 2.")
    if not all(-rank <= n < rank for n in axes):
        raise ValueError(f"Axes={axes} out of range for array of ndim={rank}.")
    i, j = (axis_of(n, rank) for n in axes)
    if i == j:
        raise ValueError("Axes must be different.")
    k %= 4
    if k == 0:
        return m[:]
    if k == 2:
        return flip(flip(m, i), j)
    order = list(range(rank))
    order[i], order[j] = j, i
    if k == 1:
        return permuted(flip(m, j), tuple(order))
    return flip(permuted(m, tuple(order)), j)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Roll elements along axes; those that leave at the end come in at the front."""
    a = as_array(a)
    if axis is None:
        return reshape(roll(reshape(a, -1 if prod(a.shape) else (0,)), shift, 0), a.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts, places = np.broadcast_arrays(np.atleast_1d(concrete(as_array(shift))), np.asarray(axes))
    total: dict[int, int] = {}
    for by, place in zip(shifts.tolist(), places.tolist(), strict=True):
        place = axis_of(place, len(a.shape))
        total[place] = total.get(place, 0) + by
    out = a
    for place, by in total.items():
        length = a.shape[place]
        by = by % length if length else 0
        if by:
            parts = (
                getitem(out, index=along(place, length - by, None)),
                getitem(out, index=along(place, 0, length - by)),
            )
            out = p.concatenate(*parts, axis=place)
    return p.copy(a) if out is a else out


def along(axis: int, *bounds: int | None) -> tuple[Any, ...]:
    """Return the index of a slice of one axis."""
    return (slice(None),) * axis + (slice(*bounds),)


# --- repeated -----------------------------------------------------------------------------------------


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """Repeat an array a number of times along each axis."""
    a = as_array(A)
    times = shape_of(reps)
    rank = max(len(times), len(a.shape))
    times = (1,) * (rank - len(times)) + times
    shape = (1,) * (rank - len(a.shape)) + a.shape
    if all(n == 1 for n in times):
        return p.copy(p.reshape(a, shape=shape))
    out = p.reshape(a, shape=tuple(m for length in shape for m in (1, length)))
    out = p.broadcast_to(out, shape=tuple(m for pair in zip(times, shape, strict=True) for m in pair))
    out = p.reshape(out, shape=tuple(n * length for n, length in zip(times, shape, strict=True)))
    return p.copy(out) if type(out) is np.ndarray else out  # of a buffer of no transform, it may be a view


def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    """Repeat each element of an array after itself."""
    if getattr(repeats, "dtype", None) == np.uint64:
        repeats = repeats.astype(np.int64)  # NumPy takes no other whole numbers
    return _repeat(a, repeats, axis)


@implements(np.repeat)
def _repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    a = as_array(a)
    if axis is None:
        a, axis = p.reshape(a, shape=(prod(a.shape),)), 0
    a = at_least_1d(a)
    axis = axis_of(axis, len(a.shape))
    times = np.asarray(concrete(as_array(repeats)))
    length = a.shape[axis]
    if times.size == 1 and times.dtype.kind in "biu":
        n = int(times.reshape(()))
        if n < 0 and length:
            raise ValueError("repeats may not contain negative values.")
        n = max(n, 0)
        spread = p.reshape(a, shape=(*a.shape[: axis + 1], 1, *a.shape[axis + 1 :]))
        spread = p.broadcast_to(spread, shape=(*a.shape[: axis + 1], n, *a.shape[axis + 1 :]))
        out = p.reshape(spread, shape=(*a.shape[:axis], length * n, *a.shape[axis + 1 :]))
        return p.copy(out) if n == 1 else out
    return getitem(a, index=(slice(None),) * axis + (np.repeat(np.arange(length), times),))


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """Return a new array of a shape, filled with repeated copies."""
    a = as_array(a)
    shape = shape_of(new_shape)
    if any(n < 0 for n in shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    size, new = prod(a.shape), prod(shape)
    if size == 0 or new == 0:
        return np.zeros(shape, a.dtype)
    flat = tile(p.reshape(a, shape=(size,)), -(-new // size))
    return p.reshape(getitem(flat, index=slice(0, new)), shape=shape)


# --- split --------------------------------------------------------------------------------------------


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split into views; a number of sections need not divide the length."""
    ary = as_array(ary)
    axis = axis_of(axis, len(ary.shape))
    length = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = as_index(indices_or_sections)
        if sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, extra = divmod(length, sections)
        ends = np.cumsum([0] + extra * [each + 1] + (sections - extra) * [each]).tolist()
    else:
        ends = [0, *(as_index(n) for n in indices_or_sections), length]
    return [sliced(ary, axis, start, end) for start, end in pairwise(ends)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split into equal views, or at indices."""
    ary = as_array(ary)
    if np.ndim(indices_or_sections) == 0:
        length = ary.shape[axis_of(axis, len(ary.shape))]
        if length % as_index(indices_or_sections):
            raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the second axis, or the only one."""
    ary = as_array(ary)
    if not ary.shape:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if len(ary.shape) > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the first axis."""
    ary = as_array(ary)
    if len(ary.shape) < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the third axis."""
    ary = as_array(ary)
    if len(ary.shape) < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Split into views along an axis, which is dropped."""
    x = as_array(x)
    if not x.shape:
        raise ValueError("Input array must be at least 1-d.")
    axis = axis_of(axis, len(x.shape))
    return tuple(x[(slice(None),) * axis + (n,)] for n in range(x.shape[axis]))


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """Cut leading and trailing zeros off, as their values say."""
    filt = as_array(filt)
    plain = np.asarray(concrete(np.not_equal(filt, 0)))
    axes = axes_of(axis, len(filt.shape))
    index = [slice(None)] * len(filt.shape)
    for n in axes:
        found = np.flatnonzero(plain.any(axis=tuple(m for m in range(plain.ndim) if m != n)))
        first = int(found[0]) if found.size else plain.shape[n]
        last = int(found[-1]) + 1 if found.size else plain.shape[n]
        index[n] = slice(first if "f" in trim.lower() else None, last if "b" in trim.lower() else None)
    return filt[tuple(index)]
