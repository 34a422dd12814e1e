"""The few primitives that PyTorch has and NumPy and SciPy have not, and lazy access to SciPy's."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy._core import umath

import funcdiff.scipy.special  # noqa: F401  (registers the special functions)
from funcdiff.compat.torch.ops.short import SHORT, largest, ones_along, spread_total, total
from funcdiff.core.alignment import align
from funcdiff.core.declare import elementwise, general, linear, multilinear
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.linalg.common import real_part, reciprocal_or_zero
from funcdiff.primitives.product import conjugate
from funcdiff.primitives.reduction import keep

_greater = REGISTRY["greater"].function


def _on(low: float, high: float) -> Any:
    return lambda rng: [((rng.uniform(low, high, 3),), {})]


def _relu(x: Any) -> Any:
    return np.maximum(x, 0)


relu: Any = elementwise(
    _relu,
    [lambda out, _x: _greater(out, 0)],
    name="relu",
    samples=_on(0.1, 2.0),
    doc="``max(x, 0)``, with derivative 0 at 0.",
)


def _rsqrt(x: Any) -> Any:
    return 1 / np.sqrt(x)


rsqrt: Any = elementwise(
    _rsqrt,
    [lambda out, _x: -0.5 * (out * out * out)],
    name="rsqrt",
    samples=_on(0.3, 2.0),
    doc="``1 / sqrt(x)``.",
    holomorphic=True,
)

_erf, _exp, _where = (REGISTRY[n].function for n in ("erf", "exp", "where"))
_THRESHOLD = 20  # above it PyTorch's softplus is the identity


def _softplus(x: Any) -> Any:
    out = np.log1p(np.exp(x))
    above = x > _THRESHOLD
    return np.where(above, x, out) if np.count_nonzero(above) else out


softplus: Any = elementwise(
    _softplus,
    [lambda out, x: _exp(_where(_greater(x, _THRESHOLD), 0, x - out))],
    name="softplus",
    samples=_on(-2.0, 2.0),
    doc="``log(1 + exp(x))``, above 20 the identity.",
)


def _gelu(x: Any) -> Any:
    return x * (0.5 * (1 + _erf(x * math.sqrt(0.5))))


gelu: Any = elementwise(
    _gelu,
    [
        lambda _out, x: (
            0.5 * (1 + _erf(x * math.sqrt(0.5))) + x * (_exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi)))
        )
    ],
    name="gelu",
    samples=_on(-2.0, 2.0),
    doc="``x`` times the probability that a standard normal number is below it.",
)


# --- of several arguments ------------------------------------------------------------------------


def _several(count: int) -> Any:
    return lambda rng: [(tuple(rng.uniform(0.5, 1.5, 3) for _ in range(count)), {})]


addcmul: Any = elementwise(
    lambda x, y, z, value: x + value * y * z,
    [
        1,
        lambda _out, _x, _y, z, value: value * z,
        lambda _out, _x, y, _z, value: value * y,
        lambda _out, _x, y, z, _value: y * z,
    ],
    name="addcmul",
    samples=_several(4),
    doc="``x + value * y * z``.",
    holomorphic=True,
)
addcdiv: Any = elementwise(
    lambda x, y, z, value: x + value * (y / z),
    [
        1,
        lambda _out, _x, _y, z, value: value / z,
        lambda _out, _x, y, z, value: -(value * y) / (z * z),
        lambda _out, _x, y, z, _value: y / z,
    ],
    name="addcdiv",
    samples=_several(4),
    doc="``x + value * y / z``.",
    holomorphic=True,
)
lerp: Any = elementwise(
    lambda x, y, weight: x + weight * (y - x),
    [
        lambda _out, _x, _y, weight: 1 - weight,
        lambda _out, _x, _y, weight: weight,
        lambda _out, x, y, _weight: y - x,
    ],
    name="lerp",
    samples=_several(3),
    doc="``x + weight * (y - x)``.",
    holomorphic=True,
)

sigmoid = REGISTRY["expit"].function
logit = REGISTRY["logit"].function
erf = REGISTRY["erf"].function
erfc = REGISTRY["erfc"].function
erfinv = REGISTRY["erfinv"].function
gammaln = REGISTRY["gammaln"].function
digamma = REGISTRY["digamma"].function
i0 = REGISTRY["i0"].function


# --- means -------------------------------------------------------------------------------------------


Axis = tuple[int, ...]


def _count(shape: tuple[int, ...], axis: Axis) -> float:
    return (shape[axis[0]] if len(axis) == 1 else math.prod([shape[n] for n in axis])) or math.nan


def _mean(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return total(x, axis=axis, keepdims=keepdims) / _count(x.shape, axis)


def _mean_transpose(g: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    spread: Any = REGISTRY["sum"]
    return spread.transposes[0](g / _count(x.shape, axis), x, axis=axis, keepdims=keepdims)


def _batch_mean(values: Any, _flags: Any, _size: int, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return mean(values[0], axis=tuple(n + 1 for n in axis), keepdims=keepdims)


mean: Any = linear(
    _mean,
    _mean_transpose,
    batch=_batch_mean,
    name="mean",
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)),), {"axis": (0,), "keepdims": False}),
        ((rng.standard_normal((2, 3)),), {"axis": (0, 1), "keepdims": True}),
    ],
    doc="Mean over a tuple of axes (counted from the front).",
)


# --- the product of a layer: rows times the rows of its weights --------------------------------------


def _by_rows(x: Any, w: Any) -> Any:
    return x.dot(w.T) if x.ndim <= 2 else np.matmul(x, w.T)  # dot takes half the time for small ones


def _by_rows_weights(g: Any, x: Any, _w: Any) -> Any:
    """The cotangent of the weights in their own layout, not as the transpose of another array."""
    return REGISTRY["matmul"].function(REGISTRY["transpose"].function(g, axes=(1, 0)), x)


def _batch_by_rows(values: Any, flags: Any, _size: int) -> Any:
    x, w = values
    rank = len(w.shape)
    turned = REGISTRY["transpose"].function(w, axes=(*range(rank - 2), rank - 1, rank - 2))
    return REGISTRY["matmul"].function(x, turned)


product_by_rows: Any = multilinear(
    _by_rows,
    [lambda g, _x, w: REGISTRY["matmul"].function(g, w), _by_rows_weights],
    batch=_batch_by_rows,
    name="product_by_rows",
    samples=lambda rng: [((rng.standard_normal((2, 3)), rng.standard_normal((4, 3))), {})],
    doc="``x @ w.T`` of two matrices.",
)


# --- softmax -----------------------------------------------------------------------------------------


_NO_OVERFLOW = 80.0**2  # exp of a number of this size is far from 0 and infinity, in float32 too
_NO_CANCELLATION = 8.0**2


def _shifted(x: Any, axis: Axis) -> Any:
    """Subtract the largest element along axes; where it is infinite this is NaN, as in PyTorch."""
    return x - largest(x, axis=axis, keepdims=x.ndim != len(axis))


def _softmax(x: Any, *, axis: Axis) -> Any:
    ones = ones_along(x.shape, x.dtype.char, axis)
    if ones is not None and _squared(x) <= _NO_OVERFLOW:
        e = np.exp(x)
        return e / (e.dot(ones[0]) if ones[1] else ones[0].dot(e))
    e = np.exp(_shifted(x, axis))
    return e / spread_total(e, axis=axis)


def _log_softmax(x: Any, *, axis: Axis) -> Any:
    ones = ones_along(x.shape, x.dtype.char, axis)
    if ones is not None and _squared(x) <= _NO_CANCELLATION:
        e = np.exp(x)
        return x - np.log(e.dot(ones[0]) if ones[1] else ones[0].dot(e))
    y = _shifted(x, axis)
    return y - np.log(spread_total(np.exp(y), axis=axis))


def _squared(x: Any) -> Any:
    flat = x.reshape(-1)
    return flat.dot(flat)


def _added(x: Any, axis: Axis) -> Any:
    return REGISTRY["sum"].function(x, axis=axis, keepdims=True)


def _softmax_linear(t: Any, out: Any, _x: Any, *, axis: Axis) -> Any:
    """The Jacobian, diag(p) - p pᵀ, is symmetric: this is its product from either side."""
    return out * (t - _added(out * t, axis))


def _batch_axes(name: str) -> Any:
    def batch(values: Any, _flags: Any, _size: int, *, axis: Axis) -> Any:
        return REGISTRY[name].function(values[0], axis=tuple(n + 1 for n in axis))

    return batch


_matrix = lambda rng: [((rng.standard_normal((2, 3)),), {"axis": (1,)})]  # noqa: E731  (samples of both)

softmax: Any = general(
    _softmax,
    jvps=[_softmax_linear],
    vjps=[_softmax_linear],
    batch=_batch_axes("softmax"),
    name="softmax",
    samples=_matrix,
    holomorphic=False,
    doc="Exponentials divided by their sum along axes.",
)
log_softmax: Any = general(
    _log_softmax,
    jvps=[lambda t, out, _x, *, axis: t - _added(REGISTRY["exp"].function(out) * t, axis)],
    vjps=[lambda g, out, _x, *, axis: g - REGISTRY["exp"].function(out) * _added(g, axis)],
    batch=_batch_axes("log_softmax"),
    name="log_softmax",
    samples=_matrix,
    holomorphic=False,
    doc="Logarithm of the softmax along axes.",
)


def _logsumexp(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    top = largest(x, axis=axis, keepdims=True)
    if np.count_nonzero(np.isfinite(top)) != top.size:
        top = np.where(np.isfinite(top), top, x.dtype.type(0))
    out = np.log(total(np.exp(x - top), axis=axis, keepdims=True)) + top
    return out if keepdims else out.reshape([n for k, n in enumerate(x.shape) if k not in axis])


def _weights(out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    return REGISTRY["exp"].function(x - keep(out, x.shape, axis, keepdims))


def _logsumexp_jvp(t: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return REGISTRY["sum"].function(_weights(out, x, axis, keepdims) * t, axis=axis, keepdims=keepdims)


def _logsumexp_vjp(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return keep(g, x.shape, axis, keepdims) * _weights(out, x, axis, keepdims)


def _batch_logsumexp(values: Any, _flags: Any, _size: int, *, axis: Axis, keepdims: bool) -> Any:
    return logsumexp(values[0], axis=tuple(n + 1 for n in axis), keepdims=keepdims)


logsumexp: Any = general(
    _logsumexp,
    jvps=[_logsumexp_jvp],
    vjps=[_logsumexp_vjp],
    batch=_batch_logsumexp,
    name="logsumexp",
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)),), {"axis": (1,), "keepdims": False}),
        ((rng.standard_normal((2, 3)),), {"axis": (0, 1), "keepdims": True}),
    ],
    holomorphic=False,
    doc="Logarithm of the sum of exponentials along axes.",
)


# --- spread ------------------------------------------------------------------------------------------


def _var(x: Any, *, axis: Axis, correction: float, keepdims: bool) -> Any:
    kind = x.dtype
    if kind.char in "fe":
        x = x.astype(np.float64)  # as PyTorch adds up: the mean may be far larger than the spread
    count = _count(x.shape, axis)
    d = x - spread_total(x, axis=axis) / count
    if d.dtype.kind == "c":
        squares = total(d.real * d.real + d.imag * d.imag, axis=axis, keepdims=keepdims)
    elif len(axis) == d.ndim and not keepdims and 0 < d.size <= SHORT:
        flat = d.reshape(-1)
        squares = flat.dot(flat)
    else:
        squares = total(d * d, axis=axis, keepdims=keepdims)
    freedom = count - correction
    out = squares / freedom if freedom > 0 else squares / squares.dtype.type(0)
    return out.astype(kind) if kind.char in "fe" else out


def _std(x: Any, *, axis: Axis, correction: float, keepdims: bool) -> Any:
    return np.sqrt(_var(x, axis=axis, correction=correction, keepdims=keepdims))


def _slope(x: Any, axis: Axis, correction: float) -> Any:
    """Half the derivative of the variance: the deviation divided by the degrees of freedom, conjugated."""
    freedom = _count(x.shape, axis) - correction
    d = x - mean(x, axis=axis, keepdims=True)
    d = d - mean(d, axis=axis, keepdims=True)  # what rounding has left in the mean
    return conjugate(d) * (1 / freedom if freedom > 0 else math.nan)


def _along_slope(t: Any, x: Any, axis: Axis, correction: float, keepdims: bool) -> Any:
    along = REGISTRY["sum"].function(_slope(x, axis, correction) * t, axis=axis, keepdims=keepdims)
    return real_part(along)


def _var_jvp(t: Any, _out: Any, x: Any, *, axis: Axis, correction: float, keepdims: bool) -> Any:
    return 2 * _along_slope(t, x, axis, correction, keepdims)


def _var_vjp(g: Any, _out: Any, x: Any, *, axis: Axis, correction: float, keepdims: bool) -> Any:
    return keep(2 * g, x.shape, axis, keepdims) * _slope(x, axis, correction)


def _std_jvp(t: Any, out: Any, x: Any, *, axis: Axis, correction: float, keepdims: bool) -> Any:
    return reciprocal_or_zero(out, 0.0) * _along_slope(t, x, axis, correction, keepdims)


def _std_vjp(g: Any, out: Any, x: Any, *, axis: Axis, correction: float, keepdims: bool) -> Any:
    g = g * reciprocal_or_zero(out, 0.0)
    return keep(g, x.shape, axis, keepdims) * _slope(x, axis, correction)


def _batch_spread(name: str) -> Any:
    def batch(values: Any, _flags: Any, _size: int, *, axis: Axis, correction: float, keepdims: bool) -> Any:
        moved = tuple(n + 1 for n in axis)
        return REGISTRY[name].function(values[0], axis=moved, correction=correction, keepdims=keepdims)

    return batch


def _spread_samples(rng: Any) -> Any:
    x = rng.standard_normal((2, 3))
    return [
        ((x,), {"axis": (0, 1), "correction": 1, "keepdims": False}),
        ((x,), {"axis": (1,), "correction": 0, "keepdims": True}),
        ((rng.standard_normal(4),), {"axis": (0,), "correction": 1, "keepdims": False}),
        ((x + 1j * rng.standard_normal((2, 3)),), {"axis": (1,), "correction": 1, "keepdims": False}),
    ]


var: Any = general(
    _var,
    jvps=[_var_jvp],
    vjps=[_var_vjp],
    batch=_batch_spread("var"),
    name="var",
    samples=_spread_samples,
    doc="Mean squared deviation from the mean along axes, divided by their size less a correction.",
)
std: Any = general(
    _std,
    jvps=[_std_jvp],
    vjps=[_std_vjp],
    batch=_batch_spread("std"),
    name="std",
    samples=_spread_samples,
    doc="Root of the variance, with derivative 0 where it is 0.",
)


# --- distance ----------------------------------------------------------------------------------------


def _mse(x: Any, y: Any, *, mean: bool) -> Any:
    d = x - y
    flat = d.reshape(-1)
    square = flat.dot(flat) if 0 < d.size <= SHORT else total(flat * flat, axis=(0,), keepdims=False)
    return square / (d.size or math.nan) if mean else square


def _residual(x: Any, y: Any, mean: bool) -> Any:
    """The derivative by `x`: twice the difference, of which one for each element is meant."""
    d = x - y
    return d * (2 / (math.prod(d.shape) or math.nan) if mean else 2)


def _mse_jvp(sign: int) -> Any:
    def jvp(t: Any, _out: Any, x: Any, y: Any, *, mean: bool) -> Any:
        along = _residual(x, y, mean) * (t if sign > 0 else -t)
        return REGISTRY["sum"].function(along, axis=tuple(range(len(along.shape))), keepdims=False)

    return jvp


def _batch_mse(values: Any, flags: Any, _size: int, *, mean: bool) -> Any:
    x, y = align(values, flags)
    d = x - y
    axes = tuple(range(1, len(d.shape)))
    square = REGISTRY["sum"].function(d * d, axis=axes, keepdims=False)
    return square / (math.prod(d.shape[1:]) or math.nan) if mean else square


squared_distance: Any = general(
    _mse,
    jvps=[_mse_jvp(1), _mse_jvp(-1)],
    vjps=[
        lambda g, _out, x, y, *, mean: g * _residual(x, y, mean),
        lambda g, _out, x, y, *, mean: -g * _residual(x, y, mean),
    ],
    batch=_batch_mse,
    name="squared_distance",
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)), rng.standard_normal((2, 3))), {"mean": True}),
        ((rng.standard_normal((2, 3)), rng.standard_normal(3)), {"mean": False}),
    ],
    holomorphic=False,
    doc="Sum, or mean, of the squared differences of all elements.",
)


# --- limits ------------------------------------------------------------------------------------------

_lower: Any = np.minimum
_higher: Any = np.maximum
_limit: Any = getattr(umath, "clip", np.clip)  # np.clip asks for longer than it computes


def _clamp(x: Any, *, low: float | None, high: float | None) -> Any:
    if low is None:
        return _lower(x, high)
    return _higher(x, low) if high is None else _limit(x, low, high)


def _bounds(low: float | None, high: float | None) -> tuple[float, float]:
    return -math.inf if low is None else low, math.inf if high is None else high


_clip: Any = REGISTRY["clip"]

clamp: Any = general(
    _clamp,
    jvps=[lambda t, out, x, *, low, high: _clip.jvps[0](t, out, x, *_bounds(low, high))],
    vjps=[lambda g, _out, x, *, low, high: _clip.vjps[0](g, None, x, *_bounds(low, high))],
    batch=lambda values, _flags, _size, *, low, high: clamp(values[0], low=low, high=high),
    name="clamp",
    samples=lambda rng: [
        ((rng.uniform(-2, 2, 6),), {"low": -0.5, "high": 0.7}),
        ((rng.uniform(-2, 2, (2, 3)),), {"low": None, "high": 0.5}),
        ((rng.uniform(-2, 2, 4),), {"low": -0.5, "high": None}),
    ],
    holomorphic=False,
    doc="Limit to an interval given by numbers, or None for no limit; by the rules of `clip`.",
)


# --- moving elements about ---------------------------------------------------------------------------


def _triangle(x: Any, *, diagonal: int, lower: bool) -> Any:
    out = x.copy()
    if x.ndim == 2 and x.flags.c_contiguous:
        rows, columns = x.shape
        out.put(_outside(rows, columns, diagonal, lower), 0)
    else:
        rows, columns = x.shape[-2:]
        out[..., _is_outside(rows, columns, diagonal, lower)] = 0
    return out


def _is_outside(rows: int, columns: int, diagonal: int, lower: bool) -> Any:
    inside = np.tri(rows, columns, diagonal if lower else diagonal - 1, bool)
    return ~inside if lower else inside


@lru_cache(maxsize=64)
def _outside(rows: int, columns: int, diagonal: int, lower: bool) -> Any:
    return np.flatnonzero(_is_outside(rows, columns, diagonal, lower))


def _batch_triangle(values: Any, _flags: Any, _size: int, *, diagonal: int, lower: bool) -> Any:
    return triangle(values[0], diagonal=diagonal, lower=lower)


triangle: Any = linear(
    _triangle,
    lambda g, _x, *, diagonal, lower: triangle(g, diagonal=diagonal, lower=lower),
    batch=_batch_triangle,
    name="triangle",
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)),), {"diagonal": 1, "lower": True}),
        ((rng.standard_normal((2, 3, 3)),), {"diagonal": 0, "lower": False}),
    ],
    doc="The lower or upper triangle of matrices, zero elsewhere.",
)


def _tile(x: Any, *, times: tuple[int, ...]) -> Any:
    """Copy once, between axes of length one; `times` has a number for each axis, and some in front."""
    lead = len(times) - x.ndim
    apart = [n for length in x.shape for n in (1, length)]
    full = [n for r, length in zip(times[lead:], x.shape, strict=True) for n in (r, length)]
    out = np.empty((*times[:lead], *full), x.dtype)
    out[...] = x.reshape(apart)
    return out.reshape(_tiled(x.shape, times))


def _tiled(shape: tuple[int, ...], times: tuple[int, ...]) -> tuple[int, ...]:
    lead = len(times) - len(shape)
    return (*times[:lead], *[r * n for r, n in zip(times[lead:], shape, strict=True)])


def _tile_transpose(g: Any, x: Any, *, times: tuple[int, ...]) -> Any:
    lead = len(times) - len(x.shape)
    full = [n for r, length in zip(times[lead:], x.shape, strict=True) for n in (r, length)]
    apart = REGISTRY["reshape"].function(g, shape=(*times[:lead], *full))
    copies = (*range(lead), *range(lead, lead + len(full), 2))
    return REGISTRY["sum"].function(apart, axis=copies, keepdims=False)


def _batch_tile(values: Any, _flags: Any, size: int, *, times: tuple[int, ...]) -> Any:
    x = values[0]
    lead = len(times) - (len(x.shape) - 1)
    spaced = REGISTRY["reshape"].function(x, shape=(size, *(1,) * lead, *x.shape[1:]))
    return tile(spaced, times=(1, *times))


tile: Any = linear(
    _tile,
    _tile_transpose,
    batch=_batch_tile,
    name="tile",
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)),), {"times": (2, 1)}),
        ((rng.standard_normal(2),), {"times": (3, 2)}),
    ],
    doc="Repeat an array along its axes and new ones in front.",
)
