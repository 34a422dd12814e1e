"""The primitives of the shim's normalising layers."""

from __future__ import annotations

from typing import Any

from funcdiff.compat.torch.ops import by_shape
from funcdiff.compat.torch.ops.by_shape import Axis
from funcdiff.compat.torch.ops.reduction_rules import mean
from funcdiff.core.alignment import align
from funcdiff.core.declare import general
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.shape import all_mapped


def _standardized(x: Any, *, axis: Axis, eps: float) -> Any:
    return by_shape.standardized(x.shape, x.dtype.char, axis, eps)(x)


def _against(t: Any, y: Any, *, axis: Axis) -> Any:
    return by_shape.centred_against(y.shape, y.dtype.char, axis)(t, y)


def _against_tangent(t: Any, _out: Any, _t: Any, y: Any, *, axis: Axis) -> Any:
    return centred_against(t, y, axis=axis)


def _along(t: Any, y: Any, axis: Axis) -> Any:
    return mean(t * y, axis=axis, keepdims=True)


def _batch_against(values: Any, flags: Any, size: int, *, axis: Axis) -> Any:
    t, y = all_mapped(values, flags, size)
    return centred_against(t, y, axis=tuple(n + 1 for n in axis))


centred_against: Any = general(
    _against,
    jvps=[
        _against_tangent,
        lambda s, _out, t, y, *, axis: 0 - s * _along(t, y, axis) - y * _along(t, s, axis),
    ],
    vjps=[
        _against_tangent,
        lambda g, _out, t, y, *, axis: 0 - g * _along(t, y, axis) - t * _along(g, y, axis),
    ],
    batch=_batch_against,
    name="centred_against",
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)), rng.standard_normal((2, 3))), {"axis": (1,)}),
        ((rng.standard_normal((2, 3)), rng.standard_normal((2, 3))), {"axis": (0, 1)}),
    ],
    holomorphic=False,
    doc="``t - mean(t) - y * mean(t * y)`` along axes: the part of t across ones and a standardised y.",
)


def _inverse_deviation(x: Any, *, axis: Axis, eps: float) -> Any:
    return by_shape.inverse_deviation(x.shape, x.dtype.char, axis, eps)(x)


def _inverse_slope(out: Any, x: Any, axis: Axis) -> Any:
    return -(out * out * out) * (x - mean(x, axis=axis, keepdims=True))


def _batch_inverse(values: Any, _flags: Any, _size: int, *, axis: Axis, eps: float) -> Any:
    return inverse_deviation(values[0], axis=tuple(n + 1 for n in axis), eps=eps)


inverse_deviation: Any = general(
    _inverse_deviation,
    jvps=[
        lambda t, out, x, *, axis, eps: REGISTRY["broadcast_to"].function(
            _along(t, _inverse_slope(out, x, axis), axis), shape=x.shape
        )
    ],
    vjps=[lambda g, out, x, *, axis, eps: _inverse_slope(out, x, axis) * mean(g, axis=axis, keepdims=True)],
    batch=_batch_inverse,
    name="inverse_deviation",
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)),), {"axis": (1,), "eps": 0.1}),
        ((rng.standard_normal((2, 3)),), {"axis": (0, 1), "eps": 0.1}),
    ],
    holomorphic=False,
    doc="One over the root of the variance and `eps` along axes, in the place of each element.",
)


def _tangent(t: Any, out: Any, x: Any, *, axis: Axis, eps: float) -> Any:
    """The Jacobian, (1 - 11ᵀ/n - yyᵀ/n) / σ at y, is symmetric: this is its product from either side."""
    return centred_against(t, out, axis=axis) * inverse_deviation(x, axis=axis, eps=eps)


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
