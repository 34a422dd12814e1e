"""The primitives of the shim that reduce: means, softmax and spread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.compat.torch.ops import by_shape
from funcdiff.compat.torch.ops.by_shape import Axis, count
from funcdiff.compat.torch.ops.short import largest, total
from funcdiff.core.declare import general, linear
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.linalg.common import real_part, reciprocal_or_zero
from funcdiff.primitives.product import conjugate
from funcdiff.primitives.reduction import keep

# --- means -------------------------------------------------------------------------------------------


def _mean(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return total(x, axis=axis, keepdims=keepdims) / count(x.shape, axis)


def _mean_transpose(g: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    spread: Any = REGISTRY["sum"]
    return spread.transposes[0](g / count(x.shape, axis), x, axis=axis, keepdims=keepdims)


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


def _softmax(x: Any, *, axis: Axis) -> Any:
    return by_shape.softmax(x.shape, x.dtype.char, axis)(x)


def _log_softmax(x: Any, *, axis: Axis) -> Any:
    return by_shape.log_softmax(x.shape, x.dtype.char, axis)(x)


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
    return by_shape.variance(x.shape, x.dtype.char, axis, correction, keepdims)(x)


def _std(x: Any, *, axis: Axis, correction: float, keepdims: bool) -> Any:
    return by_shape.deviation(x.shape, x.dtype.char, axis, correction, keepdims)(x)


def _slope(x: Any, axis: Axis, correction: float) -> Any:
    """Half the derivative of the variance: the deviation divided by the degrees of freedom, conjugated."""
    freedom = count(x.shape, axis) - correction
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
