"""Wright's generalized Bessel function, the sum of x^k / (k! Γ(a k + b)) (Wright 1933), and its logarithm.

A derivative wrt x shifts b; wrt a and b the series is differentiated by Cauchy's integral: its terms are positive, and relative
errors are below 1e-12.  For the logarithm, values above 1e308 give NaN in these two.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.domains import POSITIVE, on
from funcdiff.primitives.exponential import exp
from funcdiff.primitives.special.quadrature import cauchy
from funcdiff.primitives.special.shared import derivatives, in_precision_of, of_orders


def _wright(a: Any, b: Any, x: Any, *, orders: tuple[int, int]) -> Any:
    i, j = orders
    p, q, y = np.broadcast_arrays(*(np.asarray(v, float) for v in (a, b, x)))
    valid = (y >= 0) & (p >= 0) & (q >= 0)
    y = np.where(valid, y, 0.0)
    radius = 0.3 / (1 + y ** (1 / (1 + np.maximum(p, 0.0))))
    count = int(3 * np.max(y, initial=0.0)) + 30

    def over_b(a: Any) -> Any:
        def series(b: Any) -> Any:
            power: Any = 1.0
            total: Any = 0.0
            for k in range(count):
                total = total + power * sp.rgamma(a * k + b + 0j)
                power = power * y / (k + 1)
            return total

        return cauchy(series, q, j, 0.3, within=int(i > 0))

    return in_precision_of(np.where(valid, np.real(cauchy(over_b, p, i, radius)), np.nan), a, b, x)


def _shifted(a: Any, b: Any, x: Any, orders: tuple[int, int]) -> Any:
    """Derivative wrt x of a derivative wrt a and b of W(a, b, x): that of W(a, a + b, x)."""
    i, j = orders
    terms = [
        math.comb(i, k) * wright_parameter(a, a + b, x, orders=(i - k, j + k)) for k in range(i + 1)
    ]  # a derivative wrt a of W(a, a + b) adds one wrt b
    return sum(terms[1:], terms[0])


wright_parameter: Function = derivatives(
    _wright,
    name="wright_parameter",
    active=[0, 1],
    rules={2: lambda _out, a, b, x, *, orders: _shifted(a, b, x, orders)},
    samples=of_orders(on(POSITIVE, POSITIVE, POSITIVE), (1, 0), (0, 1)),
    doc="Derivative of wright_bessel wrt a and b, of the orders given.",
)
wright_bessel: Function = elementwise(
    sp.wright_bessel,
    [
        lambda _out, a, b, x: wright_parameter(a, b, x, orders=(1, 0)),
        lambda _out, a, b, x: wright_parameter(a, b, x, orders=(0, 1)),
        lambda _out, a, b, x: wright_bessel(a, a + b, x),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
)
log_wright_bessel: Function = elementwise(
    sp.log_wright_bessel,
    [
        lambda out, a, b, x: wright_parameter(a, b, x, orders=(1, 0)) * exp(-out),
        lambda out, a, b, x: wright_parameter(a, b, x, orders=(0, 1)) * exp(-out),
        lambda out, a, b, x: exp(log_wright_bessel(a, a + b, x) - out),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
)
