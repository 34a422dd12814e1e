"""Sums, products, means, extrema and cumulative operations, and those that leave NaN out."""

from __future__ import annotations

import warnings
from math import prod as product_of
from typing import Any

import numpy as np

from funcdiff.core.recording import innermost
from funcdiff.numpy._arguments import (
    UNSET,
    as_array,
    as_scalar,
    at_least_1d,
    axes_of,
    axis_of,
    deliver,
    given,
    to_dtype,
    ufunc_axes,
)
from funcdiff.numpy._protocol import implements
from funcdiff.primitives import reduction
from funcdiff.primitives.comparison import isnan
from funcdiff.primitives.queries import all_
from funcdiff.primitives.reduction import sum_
from funcdiff.primitives.selection import where as select
from funcdiff.primitives.shape import broadcast_to, concatenate, reshape


def selected(a: Any, where: Any, identity: Any) -> Any:
    """Replace what ``where=`` leaves out by the identity of the reduction."""
    if where is UNSET or where is True:
        return a
    where = as_array(where)
    shape = np.broadcast_shapes(where.shape, a.shape)
    return select(where, a if a.shape == shape else broadcast_to(a, shape=shape), identity)


def flag(keepdims: Any) -> bool:
    """Return ``keepdims``, False where it is not given."""
    return False if keepdims is UNSET else bool(keepdims)


# --- sums and products ------------------------------------------------------------------------------


@implements(np.sum)
def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = UNSET,
    initial: Any = UNSET,
    where: Any = UNSET,
) -> Any:
    """Sum over axes."""
    a = selected(to_dtype(as_array(a), dtype), where, 0)
    result = sum_(a, axis=ufunc_axes(axis, len(a.shape)), keepdims=flag(keepdims))
    if given(initial):
        result = result + initial
    return deliver(result, out, "sum")


@implements(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = UNSET,
    initial: Any = UNSET,
    where: Any = UNSET,
) -> Any:
    """Product over axes; its derivatives are right at zeros."""
    a = selected(to_dtype(as_array(a), dtype), where, 1)
    result = reduction.prod(a, axis=ufunc_axes(axis, len(a.shape)), keepdims=flag(keepdims))
    if given(initial):
        result = result * initial
    return deliver(result, out, "prod")


def counted(a: Any, axis: tuple[int, ...], keepdims: bool, where: Any) -> Any:
    """Return how many elements a reduction takes in: an int, or an array of counts under ``where=``."""
    if where is UNSET or where is True:
        return product_of(a.shape[n] for n in axis)
    where = broadcast_to(as_array(where), shape=a.shape)
    return sum_(where, axis=axis, keepdims=keepdims)


def divided(total: Any, count: Any, message: str) -> Any:
    """Divide by a count, with NumPy's warning where it is zero; the dtype stays that of `total`."""
    if isinstance(count, int):
        if count <= 0:
            warnings.warn(message, RuntimeWarning, stacklevel=4)
            return np.true_divide(total, 0)
        return total / count
    if total.dtype.kind in "fc":
        count = to_dtype(count, total.dtype.type(0).real.dtype)
    return total / count


@implements(np.mean)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, *, where: Any = UNSET
) -> Any:
    """Arithmetic mean over axes."""
    a = to_dtype(as_array(a), dtype)
    half = a.dtype == np.float16 and dtype is None
    if half:
        a = to_dtype(a, np.float32)  # as NumPy does, which keeps long sums from overflowing
    elif a.dtype.kind in "biu":
        a = to_dtype(a, np.float64)
    axes, kept = axes_of(axis, len(a.shape)), flag(keepdims)
    total = sum_(selected(a, where, 0), axis=axes, keepdims=kept)
    result = divided(total, counted(a, axes, kept, where), "Mean of empty slice.")
    return deliver(to_dtype(result, np.float16) if half else result, out, "mean")


# --- extrema ----------------------------------------------------------------------------------------


def _extremum(
    over: Any, of_two: Any, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any, where: Any
) -> Any:
    a = as_array(a)
    if where is not UNSET and where is not True:
        if not given(initial):
            raise ValueError(
                f"reduction operation {over.__name__} has no identity, so to use a where mask one has to specify 'initial'"
            )
        a = selected(a, where, initial)
    elif given(initial) and product_of(a.shape) == 0:
        kept = np.add.reduce(np.empty(a.shape), axis=axis, keepdims=flag(keepdims))  # type: ignore[call-overload]
        result = broadcast_to(to_dtype(as_array(initial), a.dtype), shape=kept.shape)
        return deliver(as_scalar(result), out, over.__name__)
    result = over(a, axis=ufunc_axes(axis, len(a.shape)), keepdims=flag(keepdims))
    if given(initial):
        result = of_two(result, initial)
    return deliver(result, out, over.__name__)


@implements(np.max, np.amax)
def max(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET, initial: Any = UNSET, where: Any = UNSET
) -> Any:
    """Maximum over axes; ties share the derivative equally."""
    return _extremum(reduction.max_, np.maximum, a, axis, out, keepdims, initial, where)


@implements(np.min, np.amin)
def min(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET, initial: Any = UNSET, where: Any = UNSET
) -> Any:
    """Minimum over axes; ties share the derivative equally."""
    return _extremum(reduction.min_, np.minimum, a, axis, out, keepdims, initial, where)


amax = max
amin = min


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET) -> Any:
    """Range of values: maximum minus minimum."""
    a = as_array(a)
    axes, kept = ufunc_axes(axis, len(a.shape)), flag(keepdims)
    high, low = reduction.max_(a, axis=axes, keepdims=kept), reduction.min_(a, axis=axes, keepdims=kept)
    return deliver(high - low, out, "ptp")


# --- cumulative operations --------------------------------------------------------------------------


def _cumulative(along: Any, a: Any, axis: Any, dtype: Any, out: Any) -> Any:
    a = to_dtype(as_array(a), dtype)
    if axis is None:
        a, axis = reshape(a, shape=(product_of(a.shape),)), 0
    a = at_least_1d(a)
    return deliver(along(a, axis=axis_of(axis, len(a.shape))), out, along.__name__)


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """Cumulative sum along an axis, or of the flattened array."""
    return _cumulative(reduction.cumsum, a, axis, dtype, out)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """Cumulative product along an axis; its derivatives are right at zeros."""
    return _cumulative(reduction.cumprod, a, axis, dtype, out)


def _cumulative_array_api(
    along: Any, x: Any, axis: Any, dtype: Any, out: Any, include_initial: bool, first: int
) -> Any:
    x = at_least_1d(to_dtype(as_array(x), dtype))
    if axis is None:
        if len(x.shape) != 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        axis = 0
    axis = axis_of(axis, len(x.shape))
    result = along(x, axis=axis)
    if include_initial:
        shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        result = concatenate(np.full(shape, first, result.dtype), result, axis=axis)
    return deliver(result, out, along.__name__)


@implements(np.cumulative_sum)
def cumulative_sum(
    x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """Cumulative sum, as the Array API standard has it."""
    return _cumulative_array_api(reduction.cumsum, x, axis, dtype, out, include_initial, 0)


@implements(np.cumulative_prod)
def cumulative_prod(
    x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """Cumulative product, as the Array API standard has it."""
    return _cumulative_array_api(reduction.cumprod, x, axis, dtype, out, include_initial, 1)


# --- leaving NaN out --------------------------------------------------------------------------------


def without_nan(a: Any, value: Any) -> Any:
    """Replace NaN by a value."""
    return select(isnan(a), value, a) if a.dtype.kind in "fc" else a


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = UNSET,
    initial: Any = UNSET,
    where: Any = UNSET,
) -> Any:
    """Sum over axes, NaN counting as zero."""
    return sum(without_nan(as_array(a), 0), axis, dtype, out, keepdims, initial, where)


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = UNSET,
    initial: Any = UNSET,
    where: Any = UNSET,
) -> Any:
    """Product over axes, NaN counting as one."""
    return prod(without_nan(as_array(a), 1), axis, dtype, out, keepdims, initial, where)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """Cumulative sum, NaN counting as zero."""
    return cumsum(without_nan(as_array(a), 0), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """Cumulative product, NaN counting as one."""
    return cumprod(without_nan(as_array(a), 1), axis, dtype, out)


def _nan_extremum(
    extremum: Any, worst: float, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any, where: Any
) -> Any:
    a = as_array(a)
    result = extremum(without_nan(a, worst), axis, None, keepdims, initial, where)
    if a.dtype.kind in "fc" and not given(initial):
        axes, kept = ufunc_axes(axis, len(a.shape)), flag(keepdims)
        empty = all_(isnan(a), axis=axes, keepdims=kept)
        if np.any(innermost(empty)):
            warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=4)
        result = as_scalar(select(empty, np.nan, result))
    return deliver(result, out, extremum.__name__)


@implements(np.nanmax)
def nanmax(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET, initial: Any = UNSET, where: Any = UNSET
) -> Any:
    """Maximum over axes, NaN left out."""
    return _nan_extremum(max, -np.inf, a, axis, out, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET, initial: Any = UNSET, where: Any = UNSET
) -> Any:
    """Minimum over axes, NaN left out."""
    return _nan_extremum(min, np.inf, a, axis, out, keepdims, initial, where)


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, *, where: Any = UNSET
) -> Any:
    """Arithmetic mean over axes, NaN left out."""
    a = as_array(a)
    if a.dtype.kind not in "fc":
        return mean(a, axis, dtype, out, keepdims, where=where)
    a = to_dtype(a, dtype)
    axes, kept = ufunc_axes(axis, len(a.shape)), flag(keepdims)
    present = ~isnan(a)
    if where is not UNSET:
        present = present & where
    total = sum_(select(present, a, 0), axis=axes, keepdims=kept)
    count = sum_(present, axis=axes, keepdims=kept)
    if np.any(np.equal(innermost(count), 0)):
        warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=3)
    return deliver(divided(total, count, ""), out, "nanmean")
