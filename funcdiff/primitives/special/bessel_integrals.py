"""Integrals of Bessel and Struve functions, and of x^λ J(2ax) (SciPy's it…0, it2…0 and besselpoly)."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.arithmetic import absolute
from funcdiff.primitives.domains import POSITIVE, on
from funcdiff.primitives.selection import where
from funcdiff.primitives.special.bessel import i0, j0, k0, y0
from funcdiff.primitives.special.quadrature import cauchy
from funcdiff.primitives.special.shared import (
    derivatives,
    in_dtype_of,
    in_precision_of,
    of_orders,
    outputs,
)
from funcdiff.primitives.special.struve import modstruve, struve

itj0y0 = outputs(  # from 0 to x
    sp.itj0y0, [[lambda _out, x: j0(x), lambda _out, x: y0(x)]], samples=on(POSITIVE)
)
iti0k0 = outputs(sp.iti0k0, [[lambda _out, x: i0(x), lambda _out, x: k0(x)]], samples=on(POSITIVE))


def _less_one(f: Function, x: Any, sign: int) -> Any:
    """±(f(x) - 1) / x for f(x) = 0F1(1; ±x²/4), by the power series (10.8.3) where the difference cancels."""
    near = absolute(x) < 1
    u = where(near, x, 0) * (x / 4)
    series: Any = 1.0
    for k in range(11, 1, -1):
        series = 1 + sign * u * series / (k * k)
    return where(near, x / 4 * series, sign * (f(x) - 1) / where(near, 1, x))


it2j0y0 = outputs(  # (1 - J0(t)) / t from 0 to x, and Y0(t) / t from x to ∞
    sp.it2j0y0,
    [[lambda _out, x: _less_one(j0, x, -1), lambda _out, x: -y0(x) / x]],
    samples=on(POSITIVE),
)
it2i0k0 = outputs(  # (I0(t) - 1) / t from 0 to x, and K0(t) / t from x to ∞
    sp.it2i0k0,
    [[lambda _out, x: _less_one(i0, x, 1), lambda _out, x: -k0(x) / x]],
    samples=on(POSITIVE),
)
itstruve0 = elementwise(sp.itstruve0, [lambda _out, x: in_dtype_of(x, struve(0.0, x))], samples=on(POSITIVE))
itmodstruve0 = elementwise(
    sp.itmodstruve0, [lambda _out, x: in_dtype_of(x, modstruve(0.0, x))], samples=on(POSITIVE)
)
it2struve0 = elementwise(  # H0(t) / t from x to ∞
    sp.it2struve0, [lambda _out, x: -in_dtype_of(x, struve(0.0, x)) / x], samples=on(POSITIVE)
)


# --- besselpoly: the integral of x^λ J_ν(2 a x) from 0 to 1 -------------------------------------------------------


def _besselpoly(a: Any, lmb: Any, nu: Any, *, orders: tuple[int, int]) -> Any:
    """By the power series of J, integrated term by term, for complex λ and ν; it cancels for large a."""
    i, j = orders
    y, p, q = np.broadcast_arrays(*(np.asarray(v, float) for v in (a, lmb, nu)))
    valid = (y > 0) & (p + q > -1)
    y, p, q = np.where(valid, y, 1.0), np.where(valid, p, 0.0), np.where(valid, q, 0.0)
    count = int(3 * np.max(y, initial=0.0)) + 30

    def over_nu(p: Any) -> Any:
        def series(q: Any) -> Any:
            power = np.exp(q * np.log(y))
            total: Any = 0.0
            for k in range(count):
                total = total + power * sp.rgamma(k + q + 1 + 0j) / (2 * k + p + q + 1)
                power = power * (-y * y) / (k + 1)
            return total

        return cauchy(series, q, j, radius, within=int(i > 0))

    radius = np.minimum(np.minimum(0.3, (p + q + 1) / 16), 1 / np.maximum(np.abs(np.log(y)), 1e-3))
    return in_precision_of(np.where(valid, np.real(cauchy(over_nu, p, i, radius)), np.nan), a, lmb, nu)


besselpoly_order: Function = derivatives(
    _besselpoly,
    name="besselpoly_order",
    active=[1, 2],
    rules={
        0: lambda _out, a, lmb, nu, *, orders: (
            besselpoly_order(a, lmb + 1, nu - 1, orders=orders)
            - besselpoly_order(a, lmb + 1, nu + 1, orders=orders)
        )
    },
    samples=of_orders(on(POSITIVE, POSITIVE, (1.2, 2.0)), (1, 0), (0, 1)),
    doc="Derivative of besselpoly wrt its last two arguments, of the orders given.",
)
besselpoly: Function = elementwise(
    sp.besselpoly,
    [
        lambda _out, a, lmb, nu: besselpoly(a, lmb + 1, nu - 1) - besselpoly(a, lmb + 1, nu + 1),
        lambda _out, a, lmb, nu: besselpoly_order(a, lmb, nu, orders=(1, 0)),
        lambda _out, a, lmb, nu: besselpoly_order(a, lmb, nu, orders=(0, 1)),
    ],
    samples=on(POSITIVE, POSITIVE, (1.2, 2.0)),
)
