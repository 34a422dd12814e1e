"""Differences, slopes, integrals, interpolation and convolution along an axis."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray
from funcdiff.numpy._arguments import (
    UNSET,
    as_array,
    as_scalar,
    at_least_1d,
    axes_of,
    axis_of,
    to_dtype,
)
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.rearranging import along
from funcdiff.primitives import queries
from funcdiff.primitives.comparison import logical_xor
from funcdiff.primitives.convolution import convolve as convolve_full
from funcdiff.primitives.indexing import getitem, read
from funcdiff.primitives.reduction import cumsum, flip, sum_
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import broadcast_to, concatenate, conj, reshape

# --- differences --------------------------------------------------------------------------------------


def _end(value: Any, a: Any, axis: int) -> Any:
    value = as_array(value)
    if not value.shape:
        value = broadcast_to(value, shape=(*a.shape[:axis], 1, *a.shape[axis + 1 :]))
    return value


@implements(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = UNSET, append: Any = UNSET) -> Any:
    a = as_array(a)
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if not a.shape:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = axis_of(axis, len(a.shape))
    ends = [_end(prepend, a, axis)] if prepend is not UNSET else []
    ends.append(a)
    if append is not UNSET:
        ends.append(_end(append, a, axis))
    if len(ends) > 1:
        a = concatenate(*ends, axis=axis)
    subtract = logical_xor if a.dtype == bool else np.subtract
    for _ in range(n):
        a = subtract(getitem(a, index=along(axis, 1, None)), getitem(a, index=along(axis, None, -1)))
    return a


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = UNSET, append: Any = UNSET) -> Any:
    """Return the n-th differences along an axis.  None for nothing to prepend or append is the Array API's."""
    return _diff(a, n, axis, UNSET if prepend is None else prepend, UNSET if append is None else append)


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return the differences of the flattened array, with values before and after."""
    ary = as_array(ary)
    a = diff(reshape(ary, shape=(prod(ary.shape),)))
    parts = [a]
    if to_begin is not None:
        parts.insert(0, to_dtype(_raveled(to_begin), ary.dtype))
    if to_end is not None:
        parts.append(to_dtype(_raveled(to_end), ary.dtype))
    return concatenate(*parts, axis=0) if len(parts) > 1 else a


def _raveled(x: Any) -> Any:
    x = as_array(x)
    return reshape(x, shape=(prod(x.shape),))


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Return slopes by central differences, one-sided at the ends; spacings may be traced too."""
    f = as_array(f)
    rank = len(f.shape)
    axes = tuple(range(rank)) if axis is None else axes_of(axis, rank)
    spacings = [as_array(v) for v in varargs]
    if not spacings:
        spacings = [np.asarray(1.0)] * len(axes)
    elif len(spacings) == 1 and not spacings[0].shape:
        spacings *= len(axes)
    elif len(spacings) != len(axes):
        raise TypeError("invalid number of arguments")
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    if f.dtype.kind in "biu":
        f = to_dtype(f, np.float64)
    slopes = []
    for n, spacing in zip(axes, spacings, strict=True):
        if f.shape[n] < edge_order + 1:
            raise ValueError(
                "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are "
                "required."
            )
        slopes.append(to_dtype(_slope(f, n, spacing, edge_order), f.dtype))
    return slopes[0] if len(axes) == 1 else tuple(slopes)


def _slope(f: Any, axis: int, spacing: Any, edge_order: int) -> Any:
    """Return slopes along one axis, by NumPy's formulas."""
    length = f.shape[axis]
    if len(spacing.shape) > 1:
        raise ValueError("distances must be either scalars or 1d")
    if spacing.shape and spacing.shape[0] != length:
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    h = diff(spacing) if spacing.shape else spacing
    if spacing.shape and type(h) is not TracedArray and np.all(h == h[0]):
        h = h[0]

    def at(x: Any, start: int, stop: int | None) -> Any:
        return getitem(x, index=along(axis, start, stop))

    if not h.shape:
        inner = (at(f, 2, None) - at(f, 0, -2)) / (2.0 * h)
        h = broadcast_to(h, shape=(length - 1,))
        h = reshape(h, shape=tuple(length - 1 if n == axis else 1 for n in range(len(f.shape))))
    else:
        h = reshape(h, shape=tuple(length - 1 if n == axis else 1 for n in range(len(f.shape))))
        before, after = at(h, 0, -1), at(h, 1, None)
        inner = (
            -after / (before * (before + after)) * at(f, 0, -2)
            + (after - before) / (before * after) * at(f, 1, -1)
            + before / (after * (before + after)) * at(f, 2, None)
        )
    if edge_order == 1:
        first = (at(f, 1, 2) - at(f, 0, 1)) / at(h, 0, 1)
        last = (at(f, -1, None) - at(f, -2, -1)) / at(h, -1, None)
    else:
        first = _edge(at(f, 0, 1), at(f, 1, 2), at(f, 2, 3), at(h, 0, 1), at(h, 1, 2))
        last = -_edge(at(f, -1, None), at(f, -2, -1), at(f, -3, -2), at(h, -1, None), at(h, -2, -1))
    return concatenate(first, inner, last, axis=axis)


def _edge(f0: Any, f1: Any, f2: Any, h0: Any, h1: Any) -> Any:
    """Return the slope at the end of the parabola through three points."""
    return -(2.0 * h0 + h1) / (h0 * (h0 + h1)) * f0 + (h0 + h1) / (h0 * h1) * f1 - h0 / (h1 * (h0 + h1)) * f2


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """Take out jumps by multiples of a period; the jumps are locally constant."""
    p = as_array(p)
    axis = axis_of(axis, len(p.shape))
    steps = diff(p, axis=axis)
    half = period / 2
    wrapped = np.mod(steps + half, period) - half
    wrapped = where((wrapped == -half) & (steps > 0), half, wrapped)
    jumps = where(np.abs(steps) < (half if discont is None else discont), 0, wrapped - steps)
    first = getitem(p, index=along(axis, 0, 1))
    return concatenate(first, getitem(p, index=along(axis, 1, None)) + cumsum(jumps, axis=axis), axis=axis)


# --- integration and interpolation ----------------------------------------------------------------------


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integrate along an axis by the trapezoidal rule."""
    y = as_array(y)
    rank = len(y.shape)
    axis = axis_of(axis, rank)
    if x is None:
        d: Any = dx if isinstance(dx, (int, float)) else as_array(dx)
    else:
        x = as_array(x)
        if len(x.shape) == 1:
            d = diff(x)
            d = reshape(d, shape=tuple(d.shape[0] if n == axis else 1 for n in range(rank)))
        else:
            d = diff(x, axis=axis)
    pairs = getitem(y, index=along(axis, 1, None)) + getitem(y, index=along(axis, None, -1))
    return sum_(d * pairs / 2.0, axis=(axis,), keepdims=False)


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """Interpolate linearly, differentiable in the points, the data points and their values."""
    x, xp, fp = as_array(x), as_array(xp), as_array(fp)
    for v in (x, xp, to_dtype(fp, np.float64) if fp.dtype.kind in "biu" else np.empty(0, fp.dtype).real):
        if not np.can_cast(v.dtype, np.float64):
            raise TypeError(
                f"Cannot cast array data from {v.dtype!r} to dtype('float64') according to the rule 'safe'"
            )
    x, xp = to_dtype(x, np.float64), to_dtype(xp, np.float64)  # as NumPy
    fp = to_dtype(fp, np.complex128 if fp.dtype.kind == "c" else np.float64)
    if len(xp.shape) != 1 or len(fp.shape) != 1:
        raise ValueError("Data points must be 1-D sequences")
    if xp.shape != fp.shape:
        raise ValueError("fp and xp are not of the same length.")
    if xp.shape[0] == 0:
        raise ValueError("array of sample points is empty")
    if period is not None:
        if type(period) is not TracedArray and period == 0:
            raise ValueError("period must be a non-zero value")
        left = right = None
        x, xp, fp = _periodic(x, xp, fp, np.abs(period))
    n = xp.shape[0]
    below, above = np.less(x, getitem(xp, index=0)), np.greater(x, getitem(xp, index=n - 1))
    first = getitem(fp, index=0) if left is None else left
    last = getitem(fp, index=n - 1) if right is None else right
    if n == 1:
        inner = broadcast_to(getitem(fp, index=0), shape=x.shape)
    else:
        place = queries.searchsorted(xp, x, side="right") - 1
        place = np.minimum(np.maximum(place, 0), n - 2)
        x0, x1 = read(xp, (place,)), read(xp, (place + 1,))
        y0, y1 = read(fp, (place,)), read(fp, (place + 1,))
        inner = (y1 - y0) / (x1 - x0) * (x - x0) + y0
    return as_scalar(where(below, first, where(above, last, inner)))


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    x, xp = np.mod(x, period), np.mod(xp, period)
    order = queries.argsort(xp, axis=0, kind=None)
    xp, fp = read(xp, (order,)), read(fp, (order,))

    def wrapped(v: Any, shift: Any) -> Any:
        front, back = getitem(v, index=slice(-1, None)) - shift, getitem(v, index=slice(0, 1)) + shift
        return concatenate(front, v, back, axis=0)

    return x, wrapped(xp, period), wrapped(fp, 0)


# --- convolution ----------------------------------------------------------------------------------------


def _part(full: Any, n: int, m: int, mode: Any, mirrored: bool = False) -> Any:
    """Cut the full convolution of lengths n and m down to what ``mode=`` asks for."""
    mode = {0: "valid", 1: "same", 2: "full"}.get(mode, mode)
    long, short = (n, m) if n >= m else (m, n)
    if mode == "full":
        return full
    if mode == "same":
        start = (short - 1) // 2
        if mirrored:
            start = short - 1 - start
        return getitem(full, index=slice(start, start + long))
    if mode == "valid":
        return getitem(full, index=slice(short - 1, long))
    raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    """Return the discrete linear convolution of two one-dimensional arrays."""
    a, v = _vector(a), _vector(v)
    if not a.shape[0]:
        raise ValueError("a cannot be empty")
    if not v.shape[0]:
        raise ValueError("v cannot be empty")
    return _part(convolve_full(a, v), a.shape[0], v.shape[0], mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """Return the cross-correlation of two one-dimensional arrays."""
    if np.ndim(a) == 0 or np.ndim(v) == 0:
        raise ValueError("object of too small depth for desired array")
    a, v = _vector(a), _vector(v)
    if not a.shape[0]:
        raise ValueError("first array argument cannot be empty")
    if not v.shape[0]:
        raise ValueError("second array argument cannot be empty")
    reversed_v = flip(conj(v) if v.dtype.kind == "c" else v, 0)
    return _part(convolve_full(a, reversed_v), a.shape[0], v.shape[0], mode, a.shape[0] < v.shape[0])


def _vector(x: Any) -> Any:
    x = as_array(x)
    if len(x.shape) > 1:
        raise ValueError("object too deep for desired array")
    return at_least_1d(x)
