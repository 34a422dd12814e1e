"""Softmax, variance and standardisation as functions of an array alone, made for a shape, a type and axes.

What they need beside the array (ones to sum by, numbers as arrays) is found once; for one short axis the sums
are products with ones, repeated along the axis, so that what follows meets equal shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from funcdiff.compat.torch.ops.short import SHORT, largest, number, ones_along, spread_total, total

Axis = tuple[int, ...]
Computation = Callable[[Any], Any]


def count(shape: tuple[int, ...], axis: Axis) -> float:
    """Return the number of elements along axes, NaN instead of 0."""
    return (shape[axis[0]] if len(axis) == 1 else math.prod([shape[n] for n in axis])) or math.nan


# --- softmax -----------------------------------------------------------------------------------------


def shifted(x: Any, axis: Axis) -> Any:
    """Subtract the largest element along axes; where it is infinite this is NaN, as in PyTorch."""
    return x - largest(x, axis=axis, keepdims=x.ndim != len(axis)) if x.size else x


_ALL_DIGITS = 0.5, 1e37
"""Between these is a sum of exponentials of which no part has overflown, or lost digits that count."""
_NO_CANCELLATION = -12.0, 12.0
"""Between these is a logarithm no larger than those of probabilities often are."""

_exp: Any = np.exp
_log: Any = np.log
_subtract: Any = np.subtract  # into the sums, as the logarithm: 0.07 us less than into new arrays


def _few_places(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...] | None:
    """Return where what is repeated along the axis of a matrix stands, if it takes no longer to look there.

    An element is read in 0.04 us; the smallest and the largest are found in 0.4.
    """
    places = tuple(range(0, math.prod(shape), shape[1]) if axis[0] else range(shape[1]))
    return places if len(places) <= 8 else None


def _within(x: Any, low: float, high: float) -> bool:
    flat = x.ravel()
    return low < flat.item(flat.argmin()) and flat.item(flat.argmax()) < high  # type: ignore[no-any-return]


@lru_cache(maxsize=4096)
def softmax(shape: tuple[int, ...], kind: str, axis: Axis) -> Computation:
    """Make the exponentials divided by their sum along axes."""

    def computed(x: Any) -> Any:
        e = _exp(shifted(x, axis))
        return e / spread_total(e, axis=axis)

    found = ones_along(shape, kind, axis)
    if found is None:
        return computed
    ones, right = found
    low, high = _ALL_DIGITS

    def of_vector(x: Any) -> Any:
        e = _exp(x)
        sums = e.dot(ones)
        return e / sums if low < sums.item(0) < high else computed(x)

    if len(shape) == 1:
        return of_vector
    places = _few_places(shape, axis)

    def of_matrix(x: Any) -> Any:
        e = _exp(x)
        sums = e.dot(ones) if right else ones.dot(e)
        if places is None:
            return e / sums if _within(sums, low, high) else computed(x)
        for k in places:
            if not low < sums.item(k) < high:
                return computed(x)
        return e / sums

    return of_matrix


@lru_cache(maxsize=4096)
def log_softmax(shape: tuple[int, ...], kind: str, axis: Axis) -> Computation:
    """Make the logarithm of the softmax along axes."""

    def computed(x: Any) -> Any:
        y = shifted(x, axis)
        return y - _log(spread_total(_exp(y), axis=axis))

    found = ones_along(shape, kind, axis)
    if found is None:
        return computed
    ones, right = found
    low, high = _NO_CANCELLATION

    def of_vector(x: Any) -> Any:
        sums = _exp(x).dot(ones)
        logs = _log(sums, sums)
        return _subtract(x, logs, logs) if low < logs.item(0) < high else computed(x)

    if len(shape) == 1:
        return of_vector
    places = _few_places(shape, axis)

    def of_matrix(x: Any) -> Any:
        sums = _exp(x).dot(ones) if right else ones.dot(_exp(x))
        logs = _log(sums, sums)
        if places is None:
            return _subtract(x, logs, logs) if _within(logs, low, high) else computed(x)
        for k in places:
            if not low < logs.item(k) < high:
                return computed(x)
        return _subtract(x, logs, logs)

    return of_matrix


# --- spread ------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _centring(n: int) -> Any:
    """Return n times the matrix that subtracts the mean, in whole numbers: what is equal gives 0 exactly."""
    return n * np.eye(n) - 1


def _in_doubles(shape: tuple[int, ...], kind: str, axis: Axis) -> Computation | None:
    """Make n times the deviations of single precision from the mean along one short axis, in double precision."""
    if kind != "f" or (found := ones_along(shape, "d", axis)) is None:
        return None
    matrix = _centring(shape[axis[0]])
    return (
        (lambda x: x.astype(np.float64).dot(matrix))
        if found[1]
        else (lambda x: matrix.dot(x.astype(np.float64)))
    )


def _centred(x: Any, axis: Axis, size: float) -> Any:
    """Subtract the mean along axes."""
    return x - spread_total(x, axis=axis) / size


@lru_cache(maxsize=256)
def _means(n: int, right: bool, by: float, kind: str = "d") -> Computation:
    """Make the sums along one short axis, divided by a number and repeated along it."""
    shares = np.full((n, n), 1 / by, kind)
    return (lambda x: x.dot(shares)) if right else shares.dot


@lru_cache(maxsize=4096)
def _sum_of_squares(shape: tuple[int, ...], kind: str, axis: Axis, keepdims: bool) -> Computation:
    """Make the sum over axes of the squares of deviations."""
    if kind in "FDG":
        return lambda d: total(d.real * d.real + d.imag * d.imag, axis=axis, keepdims=keepdims)
    if kind == "d" and 0 < math.prod(shape) <= SHORT:
        if len(axis) == len(shape) and not keepdims:
            return _square_of_flat
        if len(shape) == 2 and len(axis) == 1:
            ones = _ones_for_sum(shape, axis, keepdims)
            return (lambda d: (d * d).dot(ones)) if axis[0] else (lambda d: ones.dot(d * d))
    return lambda d: total(d * d, axis=axis, keepdims=keepdims)


def _ones_for_sum(shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Any:
    """Return the ones whose product with a matrix is its sum along an axis: on the right of it, or on the left."""
    n = shape[axis[0]]
    return np.ones(n if not keepdims else (n, 1) if axis[0] else (1, n))


def _square_of_flat(d: Any) -> Any:
    flat = d.ravel()
    return flat.dot(flat)


@lru_cache(maxsize=4096)
def variance(shape: tuple[int, ...], kind: str, axis: Axis, correction: float, keepdims: bool) -> Computation:
    """Make the mean squared deviation from the mean along axes, by degrees of freedom.

    As PyTorch's it is computed in double precision: the mean may be far larger than the spread.
    """
    narrow = kind in "fe"
    own, wide = np.dtype(kind), "d" if narrow else kind
    size = count(shape, axis)
    freedom = max(size - correction, 0.0)
    squares = _sum_of_squares(shape, wide, axis, keepdims)
    scaled = _in_doubles(shape, kind, axis)
    if scaled is not None:
        divisor = number(size * size * freedom, "d")
        if len(shape) == 1:
            return lambda x: (squares(scaled(x)) / divisor).astype(own)
        with np.errstate(divide="ignore"):
            shares = _ones_for_sum(shape, axis, keepdims) / divisor
        if axis[0]:
            return lambda x: ((d := scaled(x)) * d).dot(shares).astype(own)
        return lambda x: shares.dot((d := scaled(x)) * d).astype(own)

    def computed(x: Any) -> Any:
        return squares(_centred(x, axis, size)) / freedom

    return (lambda x: computed(x.astype(np.float64)).astype(own)) if narrow else computed


@lru_cache(maxsize=4096)
def deviation(
    shape: tuple[int, ...], kind: str, axis: Axis, correction: float, keepdims: bool
) -> Computation:
    """Make the root of the variance."""
    square = variance(shape, kind, axis, correction, keepdims)
    return lambda x: np.sqrt(square(x))


def _widened(compute: Computation) -> Computation:
    """Compute what is of half precision in double precision: squares overflow early."""
    return lambda x: compute(x.astype(np.float64)).astype(np.float16)


@lru_cache(maxsize=4096)
def standardized(shape: tuple[int, ...], kind: str, axis: Axis, eps: float) -> Computation:
    """Make the deviations from the mean along axes, divided by the root of their mean square and `eps`."""
    if kind == "e":
        return _widened(standardized(shape, "d", axis, eps))
    size = count(shape, axis)
    scaled = _in_doubles(shape, kind, axis)
    if scaled is None:

        def computed(x: Any) -> Any:
            d = _centred(x, axis, size)
            return d / np.sqrt(spread_total(d * d, axis=axis) / size + eps)

        return computed
    own, small = np.dtype(kind), number(size * size * eps, "d")
    mean = _means(shape[axis[0]], axis[0] == len(shape) - 1, size)

    def of_few(x: Any) -> Any:
        d = scaled(x)
        return (d / np.sqrt(mean(d * d) + small)).astype(own)

    return of_few


@lru_cache(maxsize=4096)
def inverse_deviation(shape: tuple[int, ...], kind: str, axis: Axis, eps: float) -> Computation:
    """Make one over the root of the variance and `eps` along axes, in the place of each element."""
    if kind == "e":
        return _widened(inverse_deviation(shape, "d", axis, eps))
    size = count(shape, axis)
    scaled = _in_doubles(shape, kind, axis)
    if scaled is None:

        def computed(x: Any) -> Any:
            d = _centred(x, axis, size)
            out = np.empty_like(x)
            out[...] = 1 / np.sqrt(spread_total(d * d, axis=axis) / size + eps)
            return out

        return computed
    own, small, one = np.dtype(kind), number(eps, "d"), number(1, "d")
    mean = _means(shape[axis[0]], axis[0] == len(shape) - 1, size**3)

    def of_few(x: Any) -> Any:
        d = scaled(x)
        return (one / np.sqrt(mean(d * d) + small)).astype(own)

    return of_few


@lru_cache(maxsize=4096)
def centred_against(shape: tuple[int, ...], kind: str, axis: Axis) -> Callable[[Any, Any], Any]:
    """Make ``t - mean(t) - y * mean(t * y)`` along axes, for `t` and `y` of one shape."""
    size = count(shape, axis)
    found = ones_along(shape, kind, axis)

    def computed(t: Any, y: Any) -> Any:
        return _centred(t, axis, size) - y * (spread_total(t * y, axis=axis) / size)

    if found is None:
        return computed
    mean = _means(shape[axis[0]], found[1], size, kind)
    return lambda t, y: t - mean(t) - y * mean(t * y)
