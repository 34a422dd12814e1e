"""Reductions and cumulative operations: sums, products, extrema, order statistics.

Ties share the derivative equally.  Products are right at zeros at every order: nothing is divided by
an element; products "of all others" come from cumulative products from both ends, and a cumulative
product differentiates by the linear recurrence it obeys.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.core.declare import general, linear
from funcdiff.core.primitive import Function
from funcdiff.primitives.comparison import bitwise_or, equal, not_equal
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import astype, broadcast_to, concatenate, reshape, transpose


def kept_shape(shape: tuple[int, ...], axis: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a reduction with ``keepdims=True``."""
    return tuple(1 if n in axis else length for n, length in enumerate(shape))


def keep(x: Any, shape: tuple[int, ...], axis: tuple[int, ...], keepdims: bool) -> Any:
    """Give the result of a reduction over `axis` of an array of `shape` its reduced axes back."""
    return x if keepdims or not axis else reshape(x, shape=kept_shape(shape, axis))


def reduction_samples(rng: Any) -> Any:
    """Sample arrays and parameters of a reduction, an empty set of axes included."""
    return [
        ((rng.standard_normal((2, 3, 4)),), {"axis": (0, 2), "keepdims": False}),
        ((rng.standard_normal((2, 3)),), {"axis": (1,), "keepdims": True}),
        ((rng.standard_normal((2, 3)),), {"axis": (), "keepdims": False}),
        ((rng.standard_normal(3),), {"axis": (0,), "keepdims": False}),
    ]


def _batch(name: str) -> Function:
    from funcdiff.core.primitive import REGISTRY

    def batch(values: Any, _flags: Any, _size: int, *, axis: tuple[int, ...], keepdims: bool) -> Any:
        return REGISTRY[name].function(values[0], axis=tuple(a + 1 for a in axis), keepdims=keepdims)

    return batch


# --- sum ------------------------------------------------------------------------------------------


# arguments by position: NumPy takes a sixth less time for small arrays
_added: Any = np.add.reduce
_greatest: Any = np.maximum.reduce
_least: Any = np.minimum.reduce
_multiplied: Any = np.multiply.reduce


def _sum(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return _added(x, axis, None, None, True) if keepdims else _added(x, axis)


def _sum_transpose(g: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    if len(x.shape) == len(axis) and g.shape == ():
        return g  # one number for all places, written out only where it meets an array
    if not keepdims and len(x.shape) != len(axis):
        g = reshape(g, shape=kept_shape(x.shape, axis))
    return broadcast_to(g, shape=x.shape)


sum_ = linear(
    _sum,
    _sum_transpose,
    batch=_batch("sum"),
    name="sum",
    samples=reduction_samples,
    doc="Sum over a tuple of axes (counted from the front).",
)


# --- maximum and minimum --------------------------------------------------------------------------


def _share(x: Any, out: Any, axis: tuple[int, ...], keepdims: bool) -> tuple[Any, Any]:
    """Return where the extremum is, and how often; where it is NaN, at the NaNs."""
    mask = bitwise_or(equal(x, keep(out, x.shape, axis, keepdims)), not_equal(x, x))
    return mask, sum_(mask, axis=axis, keepdims=keepdims)


def _extremum_jvp(t: Any, out: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    mask, count = _share(x, out, axis, keepdims)
    return sum_(where(mask, t, 0), axis=axis, keepdims=keepdims) / like_real(count, x)


def _extremum_vjp(g: Any, out: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    mask, count = _share(x, out, axis, keepdims)
    return where(mask, keep(g / like_real(count, x), x.shape, axis, keepdims), 0)


def like_real(count: Any, x: Any) -> Any:
    """Give a count the floating dtype that goes with `x`, so that float32 stays float32."""
    return astype(count, dtype=x.dtype.type(0).real.dtype)


def _max(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return _greatest(x, axis, None, None, True) if keepdims else _greatest(x, axis)


def _min(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return _least(x, axis, None, None, True) if keepdims else _least(x, axis)


max_ = general(
    _max,
    jvps=[_extremum_jvp],
    vjps=[_extremum_vjp],
    batch=_batch("max"),
    name="max",
    samples=reduction_samples,
    holomorphic=False,
    doc="Maximum over a tuple of axes; ties share the derivative equally.",
)
min_ = general(
    _min,
    jvps=[_extremum_jvp],
    vjps=[_extremum_vjp],
    batch=_batch("min"),
    name="min",
    samples=reduction_samples,
    holomorphic=False,
    doc="Minimum over a tuple of axes; ties share the derivative equally.",
)


# --- cumulative sums and products ------------------------------------------------------------------


def flip(x: Any, axis: int) -> Any:
    """Reverse an array along one axis."""
    return getitem(x, index=(slice(None),) * axis + (slice(None, None, -1),))


def along(axis: int, *bounds: int | None) -> tuple[Any, ...]:
    """Return the index of a slice of one axis."""
    return (slice(None),) * axis + (slice(*bounds),)


def _cumsum(x: Any, *, axis: int) -> Any:
    return np.add.accumulate(x, axis)


def _batch_along(name: str) -> Function:
    from funcdiff.core.primitive import REGISTRY

    def batch(values: Any, _flags: Any, _size: int, *, axis: int) -> Any:
        return REGISTRY[name].function(values[0], axis=axis + 1)

    return batch


def _along_samples(rng: Any) -> Any:
    zeros = rng.standard_normal((3, 5))
    zeros[0, 2] = zeros[1, 1] = zeros[1, 3] = 0.0
    return [
        ((rng.standard_normal((3, 4)),), {"axis": 0}),
        ((rng.standard_normal((2, 3, 1)),), {"axis": 2}),
        ((zeros,), {"axis": 1}),
    ]


cumsum: Function = linear(
    _cumsum,
    lambda g, x, *, axis: flip(cumsum(flip(g, axis), axis=axis), axis),
    batch=_batch_along("cumsum"),
    name="cumsum",
    samples=_along_samples,
    doc="Cumulative sum along one axis.",
)


def _recurrence(a: Any, b: Any, *, axis: int) -> Any:
    """Solve by doubling: after each pass h looks twice as far back, in log2(n) vectorised passes."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    factor = np.array(np.broadcast_to(a, shape))
    h = np.array(np.broadcast_to(b, shape), np.result_type(a, b))
    step = 1
    while step < shape[axis]:
        late, early = along(axis, step, None), along(axis, 0, shape[axis] - step)
        # a zero stays zero, also where the product of the factors between overflows
        h[late] += np.multiply(factor[late], h[early], where=h[early] != 0, out=np.zeros_like(h[late]))
        factor[late] = factor[late] * factor[early]
        step *= 2
    return h


def shifted(x: Any, axis: int, first: int) -> Any:
    """Move an array by one along an axis, a constant coming in at the front."""
    if x.shape[axis] == 0:
        return x
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    lead = np.full(shape, first, x.dtype)
    return concatenate(lead, getitem(x, index=along(axis, 0, -1)), axis=axis)


def _recurrence_jvp(t: Any, out: Any, a: Any, _b: Any, *, axis: int) -> Any:
    return recurrence(a, t * shifted(out, axis, 0), axis=axis)


def _recurrence_transpose(g: Any, _out: Any, a: Any, _b: Any, *, axis: int) -> Any:
    back = shifted(flip(a, axis), axis, 1)  # the factor of step k carries the cotangent from k to k - 1
    return flip(recurrence(back, flip(g, axis), axis=axis), axis)


def _batch_recurrence(values: Any, flags: Any, size: int, *, axis: int) -> Any:
    from funcdiff.primitives.shape import all_mapped

    return recurrence(*all_mapped(values, flags, size), axis=axis + 1)


recurrence = general(
    _recurrence,
    jvps=[_recurrence_jvp, None],
    transposes=[None, _recurrence_transpose],
    batch=_batch_recurrence,
    name="recurrence",
    samples=lambda rng: [
        ((rng.standard_normal((2, 7)), rng.standard_normal((2, 7))), {"axis": 1}),
        ((rng.standard_normal((4, 2)) * [[1], [0], [1], [0]], rng.standard_normal((4, 2))), {"axis": 0}),
    ],
    doc="Solve ``h[k] = a[k] * h[k-1] + b[k]`` along an axis, from ``h[0] = b[0]``.",
)


def _cumprod(x: Any, *, axis: int) -> Any:
    return np.multiply.accumulate(x, axis=axis)


cumprod = general(
    _cumprod,
    jvps=[lambda t, out, x, *, axis: recurrence(x, t * shifted(out, axis, 1), axis=axis)],
    batch=_batch_along("cumprod"),
    name="cumprod",
    samples=_along_samples,
    doc="Cumulative product along one axis; its tangent obeys d[k] = x[k] d[k-1] + t[k] out[k-1].",
)


# --- product --------------------------------------------------------------------------------------


def _prod(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return _multiplied(x, axis, None, None, True) if keepdims else _multiplied(x, axis)


def others(x: Any, axis: tuple[int, ...]) -> Any:
    """Return, for each element, the product of all others it is multiplied with."""
    if not axis or math.prod(x.shape) == 0:
        return np.ones(x.shape, x.dtype)
    rest = tuple(n for n in range(len(x.shape)) if n not in axis)
    order = (*rest, *axis)
    last = len(rest)
    in_place = order == tuple(range(len(x.shape)))
    moved = x if in_place else transpose(x, axes=order)
    flat = moved
    if len(axis) != 1:
        flat = reshape(moved, shape=(*(x.shape[n] for n in rest), math.prod(x.shape[n] for n in axis)))
    before = shifted(cumprod(flat, axis=last), last, 1)
    after = flip(shifted(cumprod(flip(flat, last), axis=last), last, 1), last)
    product = before * after
    if len(axis) != 1:
        product = reshape(product, shape=moved.shape)
    return product if in_place else transpose(product, axes=tuple(int(n) for n in np.argsort(order)))


prod = general(
    _prod,
    jvps=[lambda t, _out, x, *, axis, keepdims: sum_(t * others(x, axis), axis=axis, keepdims=keepdims)],
    vjps=[lambda g, _out, x, *, axis, keepdims: keep(g, x.shape, axis, keepdims) * others(x, axis)],
    batch=_batch("prod"),
    name="prod",
    samples=lambda rng: [
        *reduction_samples(rng),
        (
            (np.array([[1.5, 0.0, 2.0], [0.0, 0.0, -3.0], [0.5, 2.0, -1.0]]),),
            {"axis": (1,), "keepdims": False},
        ),
    ],
    doc="Product over a tuple of axes, with derivatives that are right at zeros.",
)
