"""The few primitives that PyTorch has and NumPy and SciPy have not, and lazy access to SciPy's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import funcdiff.scipy.special  # noqa: F401  (registers the special functions)
from funcdiff.core.declare import elementwise, general, linear, multilinear
from funcdiff.core.primitive import REGISTRY

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

sigmoid = REGISTRY["expit"].function
logit = REGISTRY["logit"].function
erf = REGISTRY["erf"].function
erfc = REGISTRY["erfc"].function
erfinv = REGISTRY["erfinv"].function
gammaln = REGISTRY["gammaln"].function
digamma = REGISTRY["digamma"].function
i0 = REGISTRY["i0"].function


# --- means -------------------------------------------------------------------------------------------


def _count(shape: tuple[int, ...], axis: tuple[int, ...]) -> float:
    return math.prod([shape[n] for n in axis]) or math.nan


def _mean(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    total: Any = np.add.reduce(x, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]
    return total / _count(x.shape, axis)


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
    return np.matmul(x, w.T)


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

Axis = tuple[int, ...]


def _shifted(x: Any, axis: Axis) -> Any:
    """Subtract the largest element along axes, if it is finite."""
    top: Any = np.maximum.reduce(x, axis=axis, keepdims=True)
    if not np.isfinite(top).all():
        top = np.where(np.isfinite(top), top, x.dtype.type(0))
    return x - top


def _softmax(x: Any, *, axis: Axis) -> Any:
    e = np.exp(_shifted(x, axis))
    return e / np.add.reduce(e, axis=axis, keepdims=True)


def _log_softmax(x: Any, *, axis: Axis) -> Any:
    y = _shifted(x, axis)
    return y - np.log(np.add.reduce(np.exp(y), axis=axis, keepdims=True))


def _total(x: Any, axis: Axis) -> Any:
    return REGISTRY["sum"].function(x, axis=axis, keepdims=True)


def _softmax_linear(t: Any, out: Any, _x: Any, *, axis: Axis) -> Any:
    """The Jacobian, diag(p) - p pᵀ, is symmetric: this is its product from either side."""
    return out * (t - _total(out * t, axis))


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
    jvps=[lambda t, out, _x, *, axis: t - _total(REGISTRY["exp"].function(out) * t, axis)],
    vjps=[lambda g, out, _x, *, axis: g - REGISTRY["exp"].function(out) * _total(g, axis)],
    batch=_batch_axes("log_softmax"),
    name="log_softmax",
    samples=_matrix,
    holomorphic=False,
    doc="Logarithm of the softmax along axes.",
)
