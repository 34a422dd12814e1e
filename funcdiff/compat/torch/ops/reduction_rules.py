"""The primitives of the shim that reduce: means, softmax, spread, distance, and what layers make of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.compat.torch.ops.rules import rsqrt
from funcdiff.compat.torch.ops.short import SHORT, largest, ones_along, spread_total, total
from funcdiff.core.alignment import align
from funcdiff.core.declare import general, linear
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.linalg.common import real_part, reciprocal_or_zero
from funcdiff.primitives.product import conjugate
from funcdiff.primitives.reduction import keep

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


# --- softmax -----------------------------------------------------------------------------------------


_NO_OVERFLOW = 80.0**2  # exp of a number of this size is far from 0 and infinity, in float32 too
_NO_CANCELLATION = 8.0**2


def _shifted(x: Any, axis: Axis) -> Any:
    """Subtract the largest element along axes; where it is infinite this is NaN, as in PyTorch."""
    return x - largest(x, axis=axis, keepdims=x.ndim != len(axis)) if x.size else x


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


# --- losses ------------------------------------------------------------------------------------------


def _share(x: Any, y: Any, mean: bool) -> float:
    """Return how much one of the elements that two arrays make together counts."""
    count = math.prod(np.broadcast_shapes(x.shape, y.shape))
    return 1.0 / (count or math.nan) if mean else 1.0


def _loss(name: str, elements: Any, whole: Any, slopes: Any, doc: str) -> Any:
    """Declare the sum or the mean of an elementwise function of two arrays, given its partial derivatives.

    `elements` is of primitives, `whole` the quicker sum of it for plain arrays.
    """

    def impl(x: Any, y: Any, *, mean: bool) -> Any:
        found = whole(x, y)
        return found * found.dtype.type(_share(x, y, mean)) if mean else found

    def vjp(slope: Any) -> Any:
        return lambda g, _out, x, y, *, mean: (g * _share(x, y, mean)) * slope(x, y)

    def jvp(slope: Any) -> Any:
        def push(t: Any, _out: Any, x: Any, y: Any, *, mean: bool) -> Any:
            along = slope(x, y) * t
            axes = tuple(range(len(along.shape)))
            return REGISTRY["sum"].function(along, axis=axes, keepdims=False) * _share(x, y, mean)

        return push

    def batch(values: Any, flags: Any, _size: int, *, mean: bool) -> Any:
        found = elements(*align(values, flags))
        total_ = REGISTRY["sum"].function(found, axis=tuple(range(1, len(found.shape))), keepdims=False)
        return total_ / (math.prod(found.shape[1:]) or math.nan) if mean else total_

    return general(
        impl,
        jvps=[jvp(slope) for slope in slopes],
        vjps=[vjp(slope) for slope in slopes],
        batch=batch,
        name=name,
        samples=lambda rng: [
            ((rng.standard_normal((2, 3)), rng.standard_normal((2, 3))), {"mean": True}),
            ((rng.standard_normal((2, 3)), rng.standard_normal(3)), {"mean": False}),
        ],
        holomorphic=False,
        doc=doc,
    )


def _all(x: Any) -> Any:
    return total(x.reshape(-1), axis=(0,), keepdims=False)


def _sum_of_squares(x: Any, y: Any) -> Any:
    flat = (x - y).reshape(-1)
    return flat.dot(flat) if 0 < flat.size <= SHORT else _all(flat * flat)


squared_distance = _loss(
    "squared_distance",
    lambda x, y: (x - y) * (x - y),
    _sum_of_squares,
    [lambda x, y: 2 * (x - y), lambda x, y: 2 * (y - x)],
    "Sum, or mean, of the squared differences of all elements.",
)

_expit, _logaddexp = (REGISTRY[name].function for name in ("expit", "logaddexp"))

cross_entropy_of_logits = _loss(
    "cross_entropy_of_logits",
    lambda x, y: _logaddexp(x, 0) - x * y,
    lambda x, y: _all(np.logaddexp(x, 0) - x * y),
    [lambda x, y: _expit(x) - y, lambda x, _y: -x],
    "Sum, or mean, of the cross entropies of probabilities and the logistic functions of all elements.",
)


# --- layers ------------------------------------------------------------------------------------------


def _standardized(x: Any, *, axis: Axis, eps: float) -> Any:
    count = _count(x.shape, axis)
    d = x - spread_total(x, axis=axis) / count
    return d / np.sqrt(spread_total(d * d, axis=axis) / count + eps)


def _tangent(t: Any, out: Any, x: Any, *, axis: Axis, eps: float) -> Any:
    """The Jacobian, (1 - 11ᵀ/n - yyᵀ/n) / σ at y, is symmetric: this is its product from either side."""
    d = x - mean(x, axis=axis, keepdims=True)
    scale = rsqrt(mean(d * d, axis=axis, keepdims=True) + eps)
    along = mean(t * out, axis=axis, keepdims=True)
    return (t - mean(t, axis=axis, keepdims=True) - out * along) * scale


def _batch_standardized(values: Any, _flags: Any, _size: int, *, axis: Axis, eps: float) -> Any:
    return standardized(values[0], axis=tuple(n + 1 for n in axis), eps=eps)


standardized: Any = general(
    _standardized,
    jvps=[_tangent],
    vjps=[_tangent],
    batch=_batch_standardized,
    name="standardized",
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)),), {"axis": (1,), "eps": 1e-5}),
        ((rng.standard_normal((2, 3)),), {"axis": (0, 1), "eps": 0.1}),
    ],
    holomorphic=False,
    doc="Deviations from the mean along axes, divided by the root of their mean square and `eps`.",
)


def _layer_norm(x: Any, w: Any, b: Any, *, axis: Axis, eps: float) -> Any:
    return _standardized(x, axis=axis, eps=eps) * w + b


def _layer_norm_jvp(t: Any, _out: Any, x: Any, w: Any, _b: Any, *, axis: Axis, eps: float) -> Any:
    return _tangent(t, standardized(x, axis=axis, eps=eps), x, axis=axis, eps=eps) * w


def _layer_norm_vjp(g: Any, _out: Any, x: Any, w: Any, _b: Any, *, axis: Axis, eps: float) -> Any:
    return _tangent(g * w, standardized(x, axis=axis, eps=eps), x, axis=axis, eps=eps)


def _by_weight(t: Any, _out: Any, x: Any, _w: Any, _b: Any, *, axis: Axis, eps: float) -> Any:
    return t * standardized(x, axis=axis, eps=eps)


def _by_bias(t: Any, _out: Any, _x: Any, _w: Any, _b: Any, *, axis: Axis, eps: float) -> Any:
    return t


def _batch_layer_norm(values: Any, flags: Any, size: int, *, axis: Axis, eps: float) -> Any:
    x = values[0]
    if not flags[0]:
        x = REGISTRY["broadcast_to"].function(x, shape=(size, *x.shape))
    x, w, b = align((x, *values[1:]), (True, *flags[1:]))
    return layer_norm(x, w, b, axis=tuple(n + 1 for n in axis), eps=eps)


layer_norm: Any = general(
    _layer_norm,
    jvps=[_layer_norm_jvp, _by_weight, _by_bias],
    vjps=[_layer_norm_vjp, _by_weight, _by_bias],
    batch=_batch_layer_norm,
    name="layer_norm",
    samples=lambda rng: [
        (
            (rng.standard_normal((2, 3)), rng.standard_normal(3), rng.standard_normal(3)),
            {"axis": (1,), "eps": 0.1},
        )
    ],
    holomorphic=False,
    doc="Standardised along axes, then times a weight plus a bias.",
)


def _chosen(x: Any, *, index: Any, count: float) -> Any:
    return -total(x[index].reshape(-1), axis=(0,), keepdims=False) / count


def _chosen_transpose(g: Any, x: Any, *, index: Any, count: float) -> Any:
    return at_chosen(g, shape=x.shape, index=index, count=count)


def _batch_chosen(values: Any, _flags: Any, _size: int, *, index: Any, count: float) -> Any:
    found = REGISTRY["getitem"].function(values[0], index=(slice(None), *index))
    axes = tuple(range(1, len(found.shape)))
    return -REGISTRY["sum"].function(found, axis=axes, keepdims=False) / count


minus_mean_of_chosen: Any = linear(
    _chosen,
    _chosen_transpose,
    batch=_batch_chosen,
    name="minus_mean_of_chosen",
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)),), {"index": (np.arange(3), np.array([1, 3, 1])), "count": 3})
    ],
    doc="Minus the sum of the elements at an index of arrays, divided by a count.",
)


def _at_chosen(g: Any, *, shape: Any, index: Any, count: float) -> Any:
    out = np.zeros(shape, np.asarray(g).dtype)
    out[index] = -g / count
    return out


def _batch_at_chosen(values: Any, _flags: Any, size: int, *, shape: Any, index: Any, count: float) -> Any:
    chosen = index[-1].shape
    share = REGISTRY["reshape"].function(-(values[0] / count), shape=(size, *(1,) * len(chosen)))
    share = REGISTRY["broadcast_to"].function(share, shape=(size, *chosen))
    return REGISTRY["index_add"].function(share, shape=(size, *shape), index=(slice(None), *index))


at_chosen: Any = linear(
    _at_chosen,
    lambda g, _x, *, shape, index, count: minus_mean_of_chosen(g, index=index, count=count),
    batch=_batch_at_chosen,
    name="at_chosen",
    samples=lambda rng: [
        (
            (rng.standard_normal(),),
            {"shape": (3, 4), "index": (np.arange(3), np.array([1, 3, 1])), "count": 3},
        )
    ],
    doc="Transpose of `minus_mean_of_chosen`; no place is chosen twice.",
)
