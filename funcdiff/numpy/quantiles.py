"""Medians, quantiles and percentiles: interpolations between order statistics, ties sharing the derivative."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray, concrete, innermost
from funcdiff.numpy._arguments import (
    UNSET,
    as_array,
    as_scalar,
    axes_of,
    deliver,
    to_dtype,
    unsupported_keyword,
)
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.reductions import flag
from funcdiff.primitives.comparison import isnan, not_equal
from funcdiff.primitives.ordering import order_statistic, weighted_quantile
from funcdiff.primitives.queries import as_integer
from funcdiff.primitives.reduction import kept_shape, max_, sum_
from funcdiff.primitives.selection import clip
from funcdiff.primitives.selection import where as select
from funcdiff.primitives.shape import broadcast_to, reshape, transpose

# Hyndman and Fan (1996), table 1: the position of quantile q among n sorted values, counted from 0, is
# n q + alpha + q (1 - alpha - beta) - 1
_CONTINUOUS = {
    "hazen": (0.5, 0.5),
    "interpolated_inverted_cdf": (0.0, 1.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
    "weibull": (0.0, 0.0),
}


def _inverted_cdf(n: Any, q: Any) -> Any:
    return np.ceil(n * q) - 1


def _averaged_inverted_cdf(n: Any, q: Any) -> Any:
    index = n * q - 1
    below = np.floor(index)
    return below + np.where(index == below, 0.5, 1.0)


def _closest_observation(n: Any, q: Any) -> Any:
    index = n * q - 1.5
    below = np.floor(index)
    return np.where((index == below) & (below % 2 == 1), below, below + 1)


_DISCRETE: dict[str, Any] = {
    "averaged_inverted_cdf": _averaged_inverted_cdf,
    "closest_observation": _closest_observation,
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "inverted_cdf": _inverted_cdf,
    "lower": lambda n, q: np.floor((n - 1) * q),
    "midpoint": lambda n, q: (np.floor((n - 1) * q) + np.ceil((n - 1) * q)) / 2,
    "nearest": lambda n, q: np.rint((n - 1) * q),
}


def _position(n: Any, q: Any, method: str) -> Any:
    """Return the position of quantile q among n sorted values; n and q may be arrays."""
    if method == "linear":
        position = (n - 1) * q
    elif method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        position = n * q + (alpha + q * (1 - alpha - beta)) - 1
    else:
        position = _DISCRETE[method](n, q)
    last = np.maximum(n - 1, 0)
    return clip(position, 0.0, last * 1.0)


def _last_axis(a: Any, axes: tuple[int, ...]) -> Any:
    """Flatten the reduced axes into one last axis."""
    rest = tuple(n for n in range(len(a.shape)) if n not in axes)
    moved = transpose(a, axes=(*rest, *axes))
    return reshape(moved, shape=(*(a.shape[n] for n in rest), prod(a.shape[n] for n in axes)))


def _interpolated(x: Any, position: Any, last: Any, weak: bool, name: str = "") -> Any:
    """Return the values at fractional positions among the sorted elements of the last axis.

    Unless q is traced (`weak` is False), what lies above a whole position is not looked at: it may be infinite.
    So may the two in the middle, of which a median is the mean.
    """
    low = np.floor(position)
    gamma = position - low
    k = as_integer(low, dtype=np.dtype(np.intp))
    found = order_statistic(x, k)
    if weak and type(gamma) is not TracedArray and not np.any(gamma):
        return found
    above = order_statistic(x, np.minimum(k + 1, last))
    between = (found + above) / 2 if "median" in name else found + gamma * (above - found)
    return select(np.equal(gamma, 0), found, between) if weak else between


def _quantile(
    a: Any,
    q: Any,
    axis: Any,
    out: Any,
    method: str,
    keepdims: bool,
    weights: Any,
    ignore_nan: bool,
    name: str,
) -> Any:
    a, q = as_array(a), as_array(q)
    if a.dtype.kind == "c" and "median" not in name:
        raise TypeError("a must be an array of real numbers")
    if np.any(innermost(~((q >= 0) & (q <= 1)))):
        raise ValueError(
            "Percentiles must be in the range [0, 100]"
            if "perc" in name
            else "Quantiles must be in the range [0, 1]"
        )
    if len(q.shape) > 2 and type(q) is not TracedArray:
        raise ValueError("q must be a scalar or 1d")
    if method not in _CONTINUOUS and method not in _DISCRETE:
        raise ValueError(
            f"{method!r} is not a valid method. Use one of: {sorted([*_CONTINUOUS, *_DISCRETE])}"
        )
    axes = axes_of(axis, len(a.shape))
    x = _last_axis(a, axes)
    x = x if x.dtype.kind in "fc" else to_dtype(x, np.float64)
    flat_q = reshape(q, shape=(prod(q.shape),))
    if weights is not None:
        result = _weighted(x, a, flat_q, axes, method, weights, ignore_nan, name)
    elif x.shape[-1] == 0:
        result = np.full((*x.shape[:-1], *flat_q.shape), np.nan, x.dtype)
        if ignore_nan:
            warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=4)
        elif prod(x.shape[:-1]):
            raise IndexError("cannot take a quantile of an empty slice")
    elif ignore_nan:
        result = _without_nan(x, flat_q, method, type(q) is not TracedArray, name)
    else:
        size = x.shape[-1]
        weak = type(q) is not TracedArray
        result = _interpolated(x, _position(size, flat_q, method), size - 1, weak, name)
        largest = max_(x, axis=(len(x.shape) - 1,), keepdims=True)  # NaN if there is any
        result = select(not_equal(largest, largest), largest, result)
    if len(q.shape) == 0 and result.dtype != x.dtype:  # as NumPy: a number for q is weak
        result = to_dtype(result, x.dtype)
    return deliver(_shaped(result, a.shape, q.shape, axes, keepdims), out, name)


def _shaped(result: Any, shape: Any, q_shape: Any, axes: Any, keepdims: bool) -> Any:
    """Put the axes of q first and give the reduced axes back."""
    rank = len(result.shape)
    result = transpose(result, axes=(rank - 1, *range(rank - 1)))
    rest = kept_shape(shape, axes) if keepdims else tuple(n for m, n in enumerate(shape) if m not in axes)
    return as_scalar(reshape(result, shape=(*q_shape, *rest)))


def _without_nan(x: Any, q: Any, method: str, weak: bool, name: str) -> Any:
    count = sum_(~isnan(x), axis=(len(x.shape) - 1,), keepdims=True)
    empty = np.equal(count, 0)
    if np.any(innermost(empty)):
        warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=5)
    position = _position(count, q, method)  # NaN is sorted to the end, beyond the count
    return select(empty, np.nan, _interpolated(x, position, np.maximum(count - 1, 0), weak, name))


def _weighted(
    x: Any, a: Any, q: Any, axes: Any, method: str, weights: Any, ignore_nan: bool, name: str
) -> Any:
    if method != "inverted_cdf":
        raise ValueError("Only method 'inverted_cdf' supports weights. Got: {method}.")
    if ignore_nan:
        raise unsupported_keyword(name, "weights=", "Select the elements that are not NaN first.")
    weights = as_array(weights)
    if weights.shape != a.shape:
        order = tuple(int(n) for n in np.argsort(axes))
        weights = reshape(
            transpose(weights, axes=order), shape=tuple(n if m in axes else 1 for m, n in enumerate(a.shape))
        )
    weights = _last_axis(broadcast_to(weights, shape=a.shape), axes)
    return weighted_quantile(x, weights, q=tuple(np.asarray(concrete(q)).tolist()))


@implements(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """Quantiles over axes, differentiable in the values and in `q`."""
    return _quantile(a, q, axis, out, method, keepdims, weights, False, "quantile")


@implements(np.percentile)
def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """Percentiles over axes, differentiable in the values and in `q`."""
    return _quantile(a, as_array(q) / 100, axis, out, method, keepdims, weights, False, "percentile")


@implements(np.nanquantile)
def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = UNSET,
    *,
    weights: Any = None,
) -> Any:
    """Quantiles over axes, NaN left out."""
    return _quantile(a, q, axis, out, method, flag(keepdims), weights, True, "nanquantile")


@implements(np.nanpercentile)
def nanpercentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = UNSET,
    *,
    weights: Any = None,
) -> Any:
    """Percentiles over axes, NaN left out."""
    return _quantile(a, as_array(q) / 100, axis, out, method, flag(keepdims), weights, True, "nanpercentile")


@implements(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    """Median over axes; ties share the derivative equally."""
    a = as_array(a)
    if prod(a.shape) == 0:
        return mean_of_nothing(a, axis, out, keepdims)
    return _quantile(a, 0.5, axis, out, "linear", keepdims, None, False, "median")


@implements(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = UNSET
) -> Any:
    """Median over axes, NaN left out."""
    a = as_array(a)
    if prod(a.shape) == 0:
        return mean_of_nothing(a, axis, out, flag(keepdims))
    return _quantile(a, 0.5, axis, out, "linear", flag(keepdims), None, True, "nanmedian")


def mean_of_nothing(a: Any, axis: Any, out: Any, keepdims: bool) -> Any:
    """Answer for an empty array as NumPy does: with the mean of nothing, NaN."""
    from funcdiff.numpy.reductions import mean

    return mean(a, axis, out=out, keepdims=keepdims)
