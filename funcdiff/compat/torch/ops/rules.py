"""The elementwise primitives that PyTorch has and NumPy and SciPy have not, limits, and the product of a layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy._core import umath

import funcdiff.scipy.special  # noqa: F401  (registers the special functions)
from funcdiff.compat.torch.ops.short import number, zero
from funcdiff.core.declare import elementwise, general, multilinear
from funcdiff.core.primitive import REGISTRY

_greater = REGISTRY["greater"].function


def _on(low: float, high: float) -> Any:
    return lambda rng: [((rng.uniform(low, high, 3),), {})]


def _relu(x: Any) -> Any:
    return np.maximum(x, zero(x))


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

_erf, _exp, _expit, _expm1, _where = (REGISTRY[n].function for n in ("erf", "exp", "expit", "expm1", "where"))
_THRESHOLD = 20  # above it PyTorch's softplus is the identity


def _softplus(x: Any) -> Any:
    out = np.logaddexp(x, zero(x))
    if x.dtype.char == "f":
        return out  # which is x above the threshold, to the last bit
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


def _silu(x: Any) -> Any:
    return x * _expit(x)


def _silu_slope(_out: Any, x: Any) -> Any:
    s = _expit(x)
    return s * (1 + x * (1 - s))


silu: Any = elementwise(
    _silu,
    [_silu_slope],
    name="silu",
    samples=_on(-2.0, 2.0),
    doc="``x`` times its logistic function.",
)


def _logsigmoid(x: Any) -> Any:
    return -np.logaddexp(zero(x), -x)


logsigmoid: Any = elementwise(
    _logsigmoid,
    [lambda out, _x: -_expm1(out)],
    name="logsigmoid",
    samples=_on(-2.0, 2.0),
    doc="Logarithm of the logistic function.",
)


def _leaky_relu(x: Any, *, slope: float) -> Any:
    below = slope * x
    return np.maximum(x, below) if 0 < slope <= 1 else np.where(x > zero(x), x, below)


def _leaky_relu_rule(t: Any, _out: Any, x: Any, *, slope: float) -> Any:
    return _where(_greater(x, 0), t, slope * t)


leaky_relu: Any = general(
    _leaky_relu,
    jvps=[_leaky_relu_rule],
    vjps=[_leaky_relu_rule],
    batch=lambda values, _flags, _size, *, slope: leaky_relu(values[0], slope=slope),
    name="leaky_relu",
    samples=lambda rng: [((rng.uniform(-1, 1, (2, 3)),), {"slope": 0.1})],
    holomorphic=False,
    doc="``x`` where it is positive, else ``slope * x``.",
)


def _elu(x: Any, *, alpha: float) -> Any:
    if (
        0 <= alpha <= 1
    ):  # then the lower part lies above x where x is negative, and the larger of both is meant
        below = np.expm1(np.minimum(zero(x), x))
        return np.maximum(below if alpha == 1 else alpha * below, x)
    return np.where(x > zero(x), x, alpha * np.expm1(x))


def _elu_rule(t: Any, out: Any, x: Any, *, alpha: float) -> Any:
    return _where(_greater(x, 0), t, t * (out + alpha))


elu: Any = general(
    _elu,
    jvps=[_elu_rule],
    vjps=[_elu_rule],
    batch=lambda values, _flags, _size, *, alpha: elu(values[0], alpha=alpha),
    name="elu",
    samples=lambda rng: [((rng.uniform(-1, 1, (2, 3)),), {"alpha": 1.5})],
    holomorphic=False,
    doc="``x`` where it is positive, else ``alpha * (exp(x) - 1)``.",
)


# --- of several arguments ------------------------------------------------------------------------


def _several(count: int) -> Any:
    return lambda rng: [(tuple(rng.uniform(0.5, 1.5, 3) for _ in range(count)), {})]


def _times(x: Any, factor: Any) -> Any:
    """Multiply by a number, as an array if it can be one."""
    if type(factor) is float and type(x) is np.ndarray and x.dtype.char in "fd":
        return x * number(factor, x.dtype.char)
    return factor * x


def _lerp(x: Any, y: Any, weight: Any) -> Any:
    step = y - x
    if type(weight) is float and type(step) is np.ndarray and (kind := step.dtype.char) in "fd":
        step *= number(weight, kind)  # in the place of the difference: 0.05 us less, twice
        step += x
        return step
    return x + weight * step


addcmul: Any = elementwise(
    lambda x, y, z, value: x + _times(y, value) * z,
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
    lambda x, y, z, value: x + _times(y / z, value),
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
    _lerp,
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
