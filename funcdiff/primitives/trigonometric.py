"""Trigonometric and hyperbolic functions, their inverses, angles and hypotenuses.

Square roots are written so that on a branch cut the derivative belongs to the side that NumPy's value
belongs to (Abramowitz & Stegun 4.4, 4.6).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.core.declare import elementwise, general
from funcdiff.core.primitive import Function, Over, multiplied
from funcdiff.primitives.arithmetic import ratio, scale, sqrt
from funcdiff.primitives.domains import AROUND_ZERO, POSITIVE, REALS, on

PER_DEGREE = math.pi / 180


def _one_minus_square(x: Any) -> Any:
    """1 - x² without cancellation; +0 at ±1, and for complex x with the sign of a zero imaginary part."""
    return -((x - 1) * (x - -1)) if x.dtype.kind == "c" else (1 - x) * (1 + x)


sin = elementwise(np.sin, [lambda _out, x: cos(x)], samples=on(REALS), holomorphic=True)
cos: Function = elementwise(np.cos, [lambda _out, x: -sin(x)], samples=on(REALS), holomorphic=True)
tan = elementwise(np.tan, [lambda out, _x: 1 + out * out], samples=on((-1.3, 1.3)), holomorphic=True)
arcsin = elementwise(
    np.arcsin, [Over(lambda _out, x: sqrt(_one_minus_square(x)))], samples=on(AROUND_ZERO), holomorphic=True
)
arccos = elementwise(
    np.arccos, [Over(lambda _out, x: -sqrt(_one_minus_square(x)))], samples=on(AROUND_ZERO), holomorphic=True
)
arctan = elementwise(np.arctan, [Over(lambda _out, x: 1 + x * x)], samples=on(REALS), holomorphic=True)

sinh = elementwise(np.sinh, [lambda _out, x: cosh(x)], samples=on(REALS), holomorphic=True)
cosh: Function = elementwise(np.cosh, [lambda _out, x: sinh(x)], samples=on(REALS), holomorphic=True)
tanh = elementwise(  # a Python number in a rule costs as much as an operation: the product does without
    np.tanh,
    [
        multiplied(
            lambda out, _x: 1 - out * out,
            lambda g, out, _x: g - g * out * out,
            lambda g, out, _x: g - scale(scale(g, out), out),
        )
    ],
    samples=on(REALS),
    holomorphic=True,
)
arcsinh = elementwise(
    np.arcsinh, [Over(lambda _out, x: sqrt(1 + x * x))], samples=on(REALS), holomorphic=True
)
arccosh = elementwise(
    np.arccosh, [Over(lambda _out, x: sqrt(x - 1) * sqrt(x - -1))], samples=on((1.2, 3.0)), holomorphic=True
)
arctanh = elementwise(
    np.arctanh, [Over(lambda _out, x: _one_minus_square(x))], samples=on(AROUND_ZERO), holomorphic=True
)

degrees = elementwise(np.degrees, [lambda _out, _x: 1 / PER_DEGREE], samples=on(REALS))
rad2deg = elementwise(np.rad2deg, [lambda _out, _x: 1 / PER_DEGREE], samples=on(REALS))
radians = elementwise(np.radians, [lambda _out, _x: PER_DEGREE], samples=on(REALS))
deg2rad = elementwise(np.deg2rad, [lambda _out, _x: PER_DEGREE], samples=on(REALS))

# --- of two arguments --------------------------------------------------------------------------------


hypot: Function = elementwise(
    np.hypot,
    [lambda out, x, _y: ratio(x, out), lambda out, _x, y: ratio(y, out)],
    samples=on(REALS, POSITIVE),
)


def _over_square(x: Any, y: Any) -> Any:
    """x / (x² + y²), without overflow or underflow, and 0 at the origin."""
    r = hypot(x, y)
    return ratio(ratio(x, r), r)


arctan2 = elementwise(
    np.arctan2,
    [lambda _out, y, x: _over_square(x, y), lambda _out, y, x: -_over_square(y, x)],
    samples=on(REALS, POSITIVE),
)

# --- sinc --------------------------------------------------------------------------------------------


def _sinc(x: Any, *, order: int) -> Any:
    """Derivative of sin(pi x) / (pi x) of any order; NumPy's own values at order 0.

    With u = pi x, the derivatives D_n of sin(u) / u obey u D_n + n D_{n-1} = sin(u + n pi / 2), which is
    stable where |u| exceeds n; elsewhere the power series converges at once.
    """
    if order == 0:
        if np.asarray(x).dtype.kind == "f":  # as NumPy has it from 2.4 on: before, float16 was NaN at 0
            u = math.pi * np.asarray(x)
            u = np.where(u, u, np.finfo(u.dtype).eps)
            return np.sin(u) / u
        return np.sinc(x)
    u = np.asarray(math.pi * x)
    near = np.abs(u) < order + 2
    small = np.where(near, u, 0)
    # sum over k of (-1)^k u^(2k - n) / ((2k + 1) (2k - n)!)
    series = np.zeros_like(small)
    first = (order + 1) // 2
    term = small ** (2 * first - order) * (-1) ** first
    for k in range(first, first + order + 25):
        series = series + term / (2 * k + 1)
        m = 2 * k - order
        term = -term * small * small / ((m + 1) * (m + 2))
    large = np.where(near, 1, u)
    value = np.sin(large) / large
    for n in range(1, order + 1):
        value = (np.sin(large + n * (math.pi / 2)) - n * value) / large
    return (math.pi**order * np.where(near, series, value)).astype(u.dtype)[()]


sinc: Function = general(
    _sinc,
    jvps=[lambda t, _out, x, *, order: t * sinc(x, order=order + 1)],
    vjps=[lambda g, _out, x, *, order: g * sinc(x, order=order + 1)],
    batch=lambda values, flags, size, *, order: sinc(values[0], order=order),
    name="sinc",
    samples=lambda rng: [
        ((np.array([0.0, 1e-3, 0.3, -0.7, 1.0, 2.4, 40.3]),), {"order": 0}),
        ((np.array([[0.0, -1e-3], [1.9, 7.5]]),), {"order": 1}),
        ((np.array([0.0, 1.4, -3.2]),), {"order": 3}),
    ],
    doc="The derivative of numpy.sinc of the order given; order 0 is the function.",
)
