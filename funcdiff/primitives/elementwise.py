"""Elementwise primitives: arithmetic, powers, exponentials, trigonometry, by one partial per argument.

Partial derivatives receive the output first.  Sources: any calculus text; the identities that use the
output (``sqrt' = 1 / (2 out)``) save an evaluation.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from funcdiff.core.alignment import align
from funcdiff.core.declare import elementwise, multilinear
from funcdiff.core.primitive import Over
from funcdiff.primitives.comparison import floor_divide, sign


def on(*intervals: tuple[float, float], shape: tuple[int, ...] = (3,)) -> Any:
    """Return a sampler that draws one real argument per interval."""

    def samples(rng: np.random.Generator) -> Any:
        return [
            (tuple(rng.uniform(low, high, shape) for low, high in intervals), {}),
            (tuple(rng.uniform(low, high, (2, 1) if n else (1, 3)) for n, (low, high) in enumerate(intervals)), {}),
            (tuple(rng.uniform(low, high) for low, high in intervals), {}),
        ]

    return samples


REALS = (-2.0, 2.0)
POSITIVE = (0.3, 3.0)

# --- products that keep a zero zero ---------------------------------------------------------------


def _scale(g: Any, p: Any) -> Any:
    shape = np.broadcast_shapes(np.shape(g), np.shape(p))
    out = np.zeros(shape, np.result_type(g, p))
    np.multiply(g, p, out=out, where=np.asarray(g) != 0)
    return out if shape else out[()]


scale = multilinear(
    _scale,
    [lambda ct, g, p: scale(ct, p), lambda ct, g, p: scale(g, ct)],
    name="scale",
    batch=lambda values, flags, size: scale(*align(values, flags)),
    samples=on(REALS, REALS),
    doc="``g * p``, except that a zero g stays zero whatever p is; the strong rules multiply with it.",
)


# --- arithmetic -----------------------------------------------------------------------------------

add = elementwise(np.add, [1, 1], operator=operator.add, samples=on(REALS, REALS), holomorphic=True)
subtract = elementwise(np.subtract, [1, -1], operator=operator.sub, samples=on(REALS, REALS), holomorphic=True)
multiply = elementwise(
    np.multiply,
    [lambda _out, _x, y: y, lambda _out, x, _y: x],
    operator=operator.mul,
    samples=on(REALS, REALS),
    holomorphic=True,
)
divide = elementwise(
    np.divide,
    [Over(lambda _out, _x, y: y), lambda out, _x, y: -out / y],
    operator=operator.truediv,
    samples=on(REALS, POSITIVE),
    holomorphic=True,
)
negative = elementwise(np.negative, [-1], samples=on(REALS), holomorphic=True)
positive = elementwise(np.positive, [1], samples=on(REALS), holomorphic=True)
reciprocal = elementwise(np.reciprocal, [lambda out, _x: -out * out], samples=on(POSITIVE), holomorphic=True)
square = elementwise(np.square, [lambda _out, x: 2 * x], samples=on(REALS), holomorphic=True)
sqrt = elementwise(np.sqrt, [Over(lambda out, _x: 2 * out)], samples=on(POSITIVE), holomorphic=True)
exp = elementwise(np.exp, [lambda out, _x: out], samples=on(REALS), holomorphic=True)
log = elementwise(np.log, [Over(lambda _out, x: x)], samples=on(POSITIVE), holomorphic=True)
sin = elementwise(np.sin, [lambda _out, x: cos(x)], samples=on(REALS), holomorphic=True)
cos = elementwise(np.cos, [lambda _out, x: -sin(x)], samples=on(REALS), holomorphic=True)
tanh = elementwise(np.tanh, [lambda out, _x: 1 - out * out], samples=on(REALS), holomorphic=True)

absolute = elementwise(np.absolute, [lambda _out, x: sign(x)], samples=on(POSITIVE))

# --- powers and remainders ------------------------------------------------------------------------


def _power_base(_out: Any, x: Any, y: Any) -> Any:
    zero = np.equal(y, 0)
    return y * power(x, np.where(zero, 1.0, y - 1) if not np.isscalar(y) else (1.0 if zero else y - 1))


power = elementwise(
    np.power,
    [_power_base, lambda out, x, _y: out * log(np.where(np.greater(x, 0), x, 1.0))],
    operator=operator.pow,
    samples=on(POSITIVE, REALS),
    holomorphic=True,
)
remainder = elementwise(
    np.remainder, [1, lambda _out, x, y: -floor_divide(x, y)], samples=on((0.3, 0.9), (1.0, 2.0))
)
