"""Spread, averages, order statistics and covariances."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray, innermost
from funcdiff.numpy._arguments import UNSET, as_array, as_scalar, axes_of, deliver, to_dtype, ufunc_axes
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.reductions import counted, flag, mean, selected
from funcdiff.primitives.comparison import isnan, not_equal
from funcdiff.primitives.product import matmul
from funcdiff.primitives.reduction import sum_
from funcdiff.primitives.selection import clip
from funcdiff.primitives.selection import where as select
from funcdiff.primitives.shape import broadcast_to, concatenate, conj, real, reshape, transpose

# --- spread -------------------------------------------------------------------------------------------


def _squared(d: Any) -> Any:
    return real(d * conj(d)) if d.dtype.kind == "c" else d * d


def root(v: Any) -> Any:
    """Square root whose derivative at zero is zero, for a standard deviation."""
    return as_scalar(select(not_equal(v, 0), np.sqrt(v), 0))


def _spread(
    a: Any,
    axis: Any,
    dtype: Any,
    ddof: Any,
    keepdims: Any,
    where: Any,
    mean: Any,
    correction: Any,
    last: Any,
    leave_nan: bool = False,
) -> Any:
    if correction is not UNSET:
        if ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    a = to_dtype(as_array(a), dtype)
    half = a.dtype == np.float16 and dtype is None
    if half:
        a = to_dtype(a, np.float32)  # as NumPy does
    elif a.dtype.kind in "biu":
        a = to_dtype(a, np.float64)
    strict = ufunc_axes if leave_nan else axes_of
    axes, kept = strict(axis, len(a.shape)), flag(keepdims)
    count = counted(a, axes, True, where)
    if mean is UNSET:
        total = sum_(selected(a, where, 0), axis=axes, keepdims=True)
        mean = total / (count if isinstance(count, int) else to_dtype(count, _real_dtype(a)))
    squares = sum_(selected(_squared(a - mean), where, 0), axis=axes, keepdims=kept)
    degrees = count - ddof
    if np.any(innermost(degrees) <= 0):
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=4)
    degrees = np.maximum(degrees, 0)
    if len(np.shape(degrees)):
        degrees = degrees if kept else reshape(degrees, shape=squares.shape)
        degrees = to_dtype(degrees, _real_dtype(a))
    else:
        degrees = float(degrees) if type(degrees) is not int else degrees
    result = last(squares / degrees)
    return to_dtype(result, np.float16) if half else result


def _real_dtype(a: Any) -> Any:
    return a.dtype.type(0).real.dtype


def _same(v: Any) -> Any:
    return v


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = UNSET,
    *,
    where: Any = UNSET,
    mean: Any = UNSET,
    correction: Any = UNSET,
) -> Any:
    """Variance over axes."""
    return deliver(_spread(a, axis, dtype, ddof, keepdims, where, mean, correction, _same), out, "var")


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = UNSET,
    *,
    where: Any = UNSET,
    mean: Any = UNSET,
    correction: Any = UNSET,
) -> Any:
    """Standard deviation over axes; its derivative is zero where it is zero."""
    return deliver(_spread(a, axis, dtype, ddof, keepdims, where, mean, correction, root), out, "std")


def _nan_spread(
    a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, mean: Any, correction: Any, last: Any
) -> Any:
    a = as_array(a)
    if a.dtype.kind not in "fc":
        return _spread(a, axis, dtype, ddof, keepdims, where, mean, correction, last)
    present = ~isnan(a)
    if where is not UNSET:
        present = present & where
    axes = ufunc_axes(axis, len(a.shape))
    if correction is not UNSET:
        ddof = correction
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        result = _spread(a, axis, dtype, ddof, keepdims, present, mean, UNSET, last, True)
    short = sum_(present, axis=axes, keepdims=flag(keepdims)) <= ddof
    if np.any(innermost(short)):
        warnings.warn("Degrees of freedom <= 0 for slice.", RuntimeWarning, stacklevel=4)
    elif type(short) is not TracedArray:
        return result
    return as_scalar(select(short, np.nan, result))


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = UNSET,
    *,
    where: Any = UNSET,
    mean: Any = UNSET,
    correction: Any = UNSET,
) -> Any:
    """Variance over axes, NaN left out."""
    return deliver(_nan_spread(a, axis, dtype, ddof, keepdims, where, mean, correction, _same), out, "nanvar")


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = UNSET,
    *,
    where: Any = UNSET,
    mean: Any = UNSET,
    correction: Any = UNSET,
) -> Any:
    """Standard deviation over axes, NaN left out; its derivative is zero where it is zero."""
    return deliver(_nan_spread(a, axis, dtype, ddof, keepdims, where, mean, correction, root), out, "nanstd")


# --- averages and covariances -----------------------------------------------------------------------------


@implements(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = UNSET
) -> Any:
    """Weighted average over axes; the weights may be traced too."""
    a = as_array(a)
    axes, kept = axes_of(axis, len(a.shape)), flag(keepdims)
    if weights is None:
        result = mean(a, axis, keepdims=kept)
        if prod(result.shape) == 0 and prod(a.shape[n] for n in axes):
            raise ZeroDivisionError("division by zero")  # as NumPy, which divides sizes
        scale: Any = np.asarray(prod(a.shape[n] for n in axes), result.dtype)
    else:
        weights = _weights_for(as_array(weights), a, axis, axes)
        if weights.dtype.kind in "biu" and a.dtype.kind in "biu":
            a = to_dtype(a, np.float64)
        total = sum_(a * weights, axis=axes, keepdims=kept)
        scale = sum_(broadcast_to(weights, shape=a.shape), axis=axes, keepdims=kept)
        if np.any(innermost(np.equal(scale, 0))):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        result = total / scale
    if not returned:
        return result
    return result, scale if scale.shape == result.shape else broadcast_to(scale, shape=result.shape)


def _weights_for(weights: Any, a: Any, axis: Any, axes: tuple[int, ...]) -> Any:
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    if weights.shape != tuple(a.shape[n] for n in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    order = tuple(int(n) for n in np.argsort(axes))
    return reshape(
        transpose(weights, axes=order),
        shape=tuple(length if n in axes else 1 for n, length in enumerate(a.shape)),
    )


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Covariance matrix of variables in rows (or columns)."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    x = _variables(as_array(m), rowvar)
    if y is not None:
        x = concatenate(x, _variables(as_array(y), rowvar), axis=0)
    x = to_dtype(x, dtype if dtype is not None else np.result_type(x.dtype, np.float64))
    if ddof is None:
        ddof = 0 if bias else 1
    if x.shape[0] == 0:
        return np.zeros((0, 0), x.dtype)
    weights = None
    if fweights is not None:
        weights = as_array(fweights)
    if aweights is not None:
        aweights = as_array(aweights)
        weights = aweights if weights is None else weights * aweights
    if weights is None:
        total: Any = x.shape[1]
        centre = sum_(x, axis=(1,), keepdims=True) / total
    else:
        total = sum_(weights, axis=(0,), keepdims=False)
        centre = sum_(x * weights, axis=(1,), keepdims=True) / total
    if ddof == 0 or aweights is None:
        degrees = total - ddof
    else:
        degrees = total - ddof * sum_(weights * aweights, axis=(0,), keepdims=False) / total
    if innermost(degrees) <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=3)
    degrees = np.maximum(degrees, 0)
    d = x - centre
    weighted = d if weights is None else d * weights
    result = matmul(d, conj(transpose(weighted, axes=(1, 0)))) / degrees
    return reshape(result, shape=tuple(n for n in result.shape if n != 1))


def _variables(x: Any, rowvar: bool) -> Any:
    if len(x.shape) > 2:
        raise ValueError("m has more than 2 dimensions")
    if len(x.shape) < 2:
        return reshape(x, shape=(1, prod(x.shape)))
    return x if rowvar or x.shape[0] == 1 else transpose(x, axes=(1, 0))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Matrix of correlation coefficients."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.shape:
        return c / c
    spread = np.sqrt(real(np.diagonal(c)))
    c = c / reshape(spread, shape=(c.shape[0], 1)) / spread
    if c.dtype.kind == "c":
        return clip(real(c), -1.0, 1.0) + 1j * clip(np.imag(c), -1.0, 1.0)
    return clip(c, -1.0, 1.0)
