"""Parabolic cylinder functions D, V and W (DLMF 12): wrt x by their equations, wrt the order by their series.

D is Kummer's functions (12.7.14, 12.4.1), V two of D (12.2.20), W power series (12.14.8-10) in SciPy's range of
|x| and |a| up to 5.  All are evaluated for complex orders, and Cauchy's integral differentiates them, with relative errors
below 1e-11 for |v| and |x| up to 10 where the functions are not small by cancellation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.primitive import Function
from funcdiff.primitives.domains import POSITIVE, REALS, on
from funcdiff.primitives.special.hypergeometric_parameters import kummer, tricomi
from funcdiff.primitives.special.quadrature import cauchy
from funcdiff.primitives.special.shared import SQRT_PI, derivatives, in_precision_of, of_orders, outputs


def _reciprocal_gamma(z: Any) -> Any:
    return sp.rgamma(z + 0j)


def _d(v: Any, x: Any, center: Any) -> Any:
    """D of complex order: by 1F1 for x below 1, by U above, where the former cancels."""
    square = x * x / 2
    near = x < 1
    y = np.where(near, square, 0.5)
    even = kummer(-v / 2, 0.5, y) * _reciprocal_gamma((1 - v) / 2)
    odd = kummer((1 - v) / 2, 1.5, y) * _reciprocal_gamma(-v / 2) * math.sqrt(2.0) * np.where(near, x, 1.0)
    far = tricomi(-v / 2, 0.5, np.where(near, 0.5, square), -center / 2, 0.5)
    return 2 ** (v / 2) * np.exp(-square / 2) * np.where(near, SQRT_PI * (even - odd), far)


def _v(v: Any, x: Any, center: Any) -> Any:
    """V of complex order, by 12.2.20 with a = -v - 1/2."""
    a = -v - 0.5
    both = np.sin(math.pi * a) * _d(v, x, center) + _d(v, -x, center)
    return sp.gamma(a + 0.5 + 0j) / math.pi * both


def _pair(v: Any, x: Any) -> tuple[Any, Any]:
    nu, y = np.broadcast_arrays(np.asarray(v, float), np.asarray(x, float))
    return nu, y


def _pbdv_order(v: Any, x: Any, *, orders: tuple[int]) -> Any:
    nu, y = _pair(v, x)
    return in_precision_of(cauchy(lambda v: _d(v, y, nu), nu, orders[0], 0.3), v, x)


def _pbvv_order(v: Any, x: Any, *, orders: tuple[int]) -> Any:
    nu, y = _pair(v, x)  # on the circle about a whole order there is no pole of the gamma function
    return in_precision_of(cauchy(lambda v: _v(v, y, nu), nu, orders[0], 0.3), v, x)


pbdv_order: Function = derivatives(
    _pbdv_order,
    name="pbdv_order",
    active=[0],
    rules={  # 12.8.3
        1: lambda out, v, x, *, orders: x / 2 * out - pbdv_order(v + 1, x, orders=orders)
    },
    samples=of_orders(on(REALS, REALS), (1,)),
    doc="Derivative of D wrt its order, of the order given.",
)
pbvv_order: Function = derivatives(
    _pbvv_order,
    name="pbvv_order",
    active=[0],
    rules={  # 12.8.5 is V'(a) + x/2 V(a) = V(a + 1)
        1: lambda out, v, x, *, orders: pbvv_order(v - 1, x, orders=orders) - x / 2 * out
    },
    samples=of_orders(on(REALS, REALS), (1,)),
    doc="Derivative of V wrt its order, of the order given, 1 at least.",
)

pbdv = outputs(
    sp.pbdv,
    [
        [
            lambda _out, v, x: pbdv_order(v, x, orders=(1,)),
            lambda _out, v, x: x / 2 * pbdv_order(v, x, orders=(1,)) - pbdv_order(v + 1, x, orders=(1,)),
        ],
        [lambda out, _v, _x: out[1], lambda out, v, x: (x * x / 4 - v - 0.5) * out[0]],
    ],
    samples=on(REALS, REALS),
)
pbvv = outputs(
    sp.pbvv,
    [
        [
            lambda _out, v, x: pbvv_order(v, x, orders=(1,)),
            lambda _out, v, x: pbvv_order(v - 1, x, orders=(1,)) - x / 2 * pbvv_order(v, x, orders=(1,)),
        ],
        [lambda out, _v, _x: out[1], lambda out, v, x: (x * x / 4 - v - 0.5) * out[0]],
    ],
    samples=on(REALS, POSITIVE),
)

# --- W: both solutions of W'' = (a - x²/4) W, from their power series -------------------------------------------


def _w(a: Any, x: Any, slope: int) -> Any:
    """W or its derivative, for complex a."""
    first = np.sqrt(sp.gamma(0.25 + 0.5j * a) * sp.gamma(0.25 - 0.5j * a))
    third = np.sqrt(sp.gamma(0.75 + 0.5j * a) * sp.gamma(0.75 - 0.5j * a))
    total: Any = 0.0
    for parity, weight in ((0, np.sqrt(first / third)), (1, -np.sqrt(2 * third / first))):
        coefficients = [1.0 + 0 * a, a / ((parity + 1) * (parity + 2))]
        for k in range(2, 60):
            degree = 2 * k + parity
            coefficients.append((a * coefficients[-1] - coefficients[-2] / 4) / (degree * (degree - 1)))
        for k, coefficient in enumerate(coefficients):
            degree = 2 * k + parity
            if degree >= slope:
                total = total + weight * coefficient * (degree if slope else 1) * x ** (degree - slope)
    return 2**-0.75 * total


def _pbwa_order(a: Any, x: Any, *, orders: tuple[int, int]) -> Any:
    m, slope = orders
    nu, y = _pair(a, x)
    return in_precision_of(np.real(cauchy(lambda a: _w(a, y, slope), nu, m, 0.125)), a, x)


def _pbwa_slope(a: Any, x: Any, orders: tuple[int, int]) -> Any:
    """Derivative wrt x; the second one by the equation, differentiated wrt a."""
    m, slope = orders
    if slope == 0:
        return pbwa_order(a, x, orders=(m, 1))
    below = m * pbwa_order(a, x, orders=(m - 1, 0)) if m else 0.0
    return (a - x * x / 4) * pbwa_order(a, x, orders=(m, 0)) + below


pbwa_order: Function = derivatives(
    _pbwa_order,
    name="pbwa_order",
    active=[0],
    rules={1: lambda _out, a, x, *, orders: _pbwa_slope(a, x, orders)},
    samples=of_orders(on(REALS, REALS), (1, 0), (1, 1)),
    doc="Derivative of W wrt a, or of its derivative wrt x, of the order given.",
)
pbwa = outputs(
    sp.pbwa,
    [
        [
            lambda _out, a, x: pbwa_order(a, x, orders=(1, 0)),
            lambda _out, a, x: pbwa_order(a, x, orders=(1, 1)),
        ],
        [lambda out, _a, _x: out[1], lambda out, a, x: (a - x * x / 4) * out[0]],
    ],
    samples=on(REALS, REALS),
)
