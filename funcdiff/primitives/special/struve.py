"""Struve functions: derivatives with respect to the argument by DLMF 11.4.23-28, and to the order.

In the order the power series (11.2.1) is differentiated by Cauchy's integral; for large x the series of H
cancels, and H - Y is the integral 11.5.2, whose integrand has one sign.  Relative errors are below 1e-10
for orders and arguments up to 50, apart from neighbourhoods of zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.domains import POSITIVE, on
from funcdiff.primitives.special import bessel_orders
from funcdiff.primitives.special.gamma import rgamma
from funcdiff.primitives.special.quadrature import cauchy, integrate
from funcdiff.primitives.special.shared import SQRT_PI, derivatives, in_precision_of, of_orders, weak


def _power(v: Any, x: Any) -> Any:
    """(x/2)^v / (sqrt(π) Γ(v + 3/2)), by which neighbouring orders differ (11.4.23)."""
    return (x / 2) ** v * weak(rgamma, v + 1.5) / SQRT_PI


def _series(nu: Any, x: Any, sign: int) -> Any:
    """The power series for complex order."""
    quarter = sign * x * x / 4
    total = term = np.exp((nu + 1) * np.log(x / 2)) / sp.gamma(1.5)
    rest = [term]
    for k in range(int(1.5 * np.max(x, initial=0.0)) + 40):
        term = term * quarter / (k + 1.5)
        rest.append(term)
    # the reciprocal gamma functions from the last to the first, so that poles are zeros
    factor = sp.rgamma(nu + 1.5 + len(rest) - 1)
    total = 0.0
    for k in range(len(rest) - 1, -1, -1):
        total = total + rest[k] * factor
        factor = factor * (nu + 0.5 + k)
    return total


def _beyond_y(nu: Any, x: Any) -> Any:
    """H - Y for complex order: an integral of exp(-x t) (1 + t²)^(ν - 1/2)."""
    power = (nu - 0.5)[..., None]
    furthest = (42 + 4 * np.maximum(nu.real, 1) * np.log1p(2 * np.maximum(nu.real, 1) / x)) / x

    def integrand(t: Any) -> Any:
        return np.exp(power * np.log1p(t * t) - x[..., None] * t)

    return (
        2
        / SQRT_PI
        * np.exp(nu * np.log(x / 2))
        * sp.rgamma(nu + 0.5)
        * integrate(integrand, 0 * x, furthest, 96)
    )


def _radius(x: Any) -> Any:
    return np.minimum(0.4, 1 / np.maximum(np.abs(np.log(x / 2)), 1e-3))


def _pair(v: Any, x: Any) -> tuple[Any, Any, Any]:
    nu, y = np.broadcast_arrays(np.asarray(v, float), np.asarray(x, float))
    return nu, y, np.where(y > 0, y, 1.0)


def _struve(v: Any, x: Any, *, orders: tuple[int]) -> Any:
    nu, y, safe = _pair(v, x)
    near = np.minimum(safe, 8.0)
    out = cauchy(lambda nu: _series(nu, near, -1), nu, orders[0], _radius(near))
    far = safe > 8.0
    if far.any():
        large = np.maximum(safe, 8.0)
        beyond = cauchy(lambda nu: _beyond_y(nu + 0j, large), nu, orders[0], _radius(large))
        out = np.where(far, bessel_orders.hankel(nu, large, orders[0]).imag + beyond, out)
    return in_precision_of(np.where(y > 0, out, np.nan), v, x)


def _modstruve(v: Any, x: Any, *, orders: tuple[int]) -> Any:
    nu, y, safe = _pair(v, x)
    out = cauchy(lambda nu: _series(nu, safe, 1), nu, orders[0], _radius(safe))
    return in_precision_of(np.where(y > 0, out, np.nan), v, x)


_SAMPLES = of_orders(on((0.3, 2.0), POSITIVE), (1,))

struve_order: Function = derivatives(
    _struve,
    name="struve_order",
    active=[0],
    rules={1: lambda _out, v, x, *, orders: _order_slope(v, x, orders, 1)},
    samples=_SAMPLES,
    doc="Derivative of struve wrt its order, of the order given.",
)
modstruve_order: Function = derivatives(
    _modstruve,
    name="modstruve_order",
    active=[0],
    rules={1: lambda _out, v, x, *, orders: _order_slope(v, x, orders, -1)},
    samples=_SAMPLES,
    doc="Derivative of modstruve wrt its order, of the order given.",
)


def _order_slope(v: Any, x: Any, orders: tuple[int], sign: int) -> Any:
    """Derivative wrt x of an order derivative, by d/dx (x^v f_v) = x^v f_{v-1} (11.4.27, 11.4.29)."""
    f = struve_order if sign > 0 else modstruve_order
    (m,) = orders
    lower = f(v, x, orders=(m - 1,)) if m else 0.0
    return f(v - 1, x, orders=orders) - (v * f(v, x, orders=orders) + m * lower) / x


struve: Function = elementwise(
    sp.struve,
    [
        lambda _out, v, x: struve_order(v, x, orders=(1,)),
        lambda _out, v, x: (struve(v - 1, x) - struve(v + 1, x) + _power(v, x)) / 2,
    ],
    samples=on((0.3, 2.0), POSITIVE),
)
modstruve: Function = elementwise(
    sp.modstruve,
    [
        lambda _out, v, x: modstruve_order(v, x, orders=(1,)),
        lambda _out, v, x: (modstruve(v - 1, x) + modstruve(v + 1, x) + _power(v, x)) / 2,
    ],
    samples=on((0.3, 2.0), POSITIVE),
)
