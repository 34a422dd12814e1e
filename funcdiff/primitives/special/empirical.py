"""Kolmogorov's and Smirnov's distributions, and Tukey's lambda distribution.

The first two are differentiated by Cauchy's integral over their series (Kolmogorov 1933; Smirnov 1944), whose
terms have one sign or decay at once; relative errors are below 1e-12, for Smirnov's times the count n.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.domains import on
from funcdiff.primitives.exponential import exp, log
from funcdiff.primitives.selection import where
from funcdiff.primitives.special.information import boxcox_slope
from funcdiff.primitives.special.quadrature import cauchy
from funcdiff.primitives.special.shared import INTEGER, SQRT_2PI, derivatives, in_precision_of, of_orders

# --- Kolmogorov --------------------------------------------------------------------------------------------


def _far(y: Any) -> Any:
    """The series of the survival function."""
    return sum(2 * (-1) ** (k - 1) * np.exp(-2 * k * k * y * y) for k in range(1, 8))


def _near(y: Any) -> Any:
    """By the transformed theta series, less 1."""
    return -SQRT_2PI / y * sum(np.exp(-(((2 * k - 1) * math.pi / y) ** 2) / 8) for k in range(1, 8))


def _kolmogorov(y: Any, *, orders: tuple[int]) -> Any:
    z = np.asarray(y, float)
    positive = z > 0
    small = z < 0.8
    with np.errstate(all="ignore"):
        below = np.where(positive & small, np.maximum(z, 0.02), 0.8)
        near = cauchy(_near, below, orders[0], np.minimum(below / 8, 0.4 * below**3))
        above = np.where(small, 0.8, np.minimum(z, 100.0))
        far = cauchy(_far, above, orders[0], np.minimum(0.1, 0.25 / above))
    out = np.where(small, np.where(z < 0.02, 0.0, near), np.where(z > 100, 0.0, far))
    return in_precision_of(np.where(positive, out, np.where(np.isnan(z), np.nan, 0.0)), y)


kolmogorov_order: Function = derivatives(
    _kolmogorov,
    name="kolmogorov_order",
    active=[0],
    samples=of_orders(on((0.5, 1.5)), (1,)),
    doc="Derivative of Kolmogorov's survival function, of the order given.",
)
kolmogorov = elementwise(
    sp.kolmogorov, [lambda _out, y: kolmogorov_order(y, orders=(1,))], samples=on((0.5, 1.5))
)
kolmogi = elementwise(
    sp.kolmogi, [lambda out, _p: 1 / kolmogorov_order(out, orders=(1,))], samples=on((0.1, 0.9))
)

# --- Smirnov -------------------------------------------------------------------------------------------------


def _smirnov(n: Any, d: Any, *, orders: tuple[int]) -> Any:
    """The sum over j of C(n, j) (d + j/n)^(j - 1) (1 - d - j/n)^(n - j), times d; a polynomial between jumps of j."""
    count, e = np.broadcast_arrays(np.asarray(n, float), np.asarray(d, float))
    valid = (e > 0) & (e < 1) & (count >= 1)
    count = np.where(valid, np.trunc(count), 1.0)
    e = np.where(valid, e, 0.5)
    last = np.floor(count * (1 - e))[..., None]
    j = np.arange(int(np.max(last, initial=0)) + 1.0)
    m = count[..., None]
    used = j <= last
    j = np.where(used, j, 0.0)
    weights = np.where(used, np.exp(sp.gammaln(m + 1) - sp.gammaln(j + 1) - sp.gammaln(m - j + 1)), 0.0)

    def series(d: Any) -> Any:
        d_ = d[..., None]
        rest = np.where(m == j, 1.0, 1 - d_ - j / m)
        return d * np.sum(weights * (d_ + j / m) ** (j - 1) * rest ** (m - j), axis=-1)

    radius = np.minimum(1 / (16 * count * np.maximum(e, count**-0.5)), np.minimum(e / 8, (1 - e) / count))
    out = cauchy(series, e, orders[0], radius)
    return in_precision_of(np.where(valid, out, np.nan), n, d)


smirnov_order: Function = derivatives(
    _smirnov,
    name="smirnov_order",
    active=[1],
    samples=lambda rng: [((np.array([3, 5, 8]), np.array([0.2, 0.3, 0.45])), {"orders": (1,)})],
    missing={0: INTEGER},
    doc="Derivative of Smirnov's survival function wrt d, of the order given.",
)
smirnov = elementwise(
    sp.smirnov,
    [None, lambda _out, n, d: smirnov_order(n, d, orders=(1,))],
    samples=lambda rng: [((np.array([3, 5, 8]), np.array([0.2, 0.3, 0.45])), {}), ((4, 0.3), {})],
    missing={0: INTEGER},
)
smirnovi = elementwise(
    sp.smirnovi,
    [None, lambda out, n, _p: 1 / smirnov_order(n, out, orders=(1,))],
    samples=lambda rng: [((np.array([3, 5, 8]), np.array([0.2, 0.3, 0.45])), {}), ((4, 0.3), {})],
    missing={0: INTEGER},
)

# --- Tukey's lambda: the inverse of boxcox(p, λ) - boxcox(1 - p, λ) ----------------------------------------------


def _sparsity(p: Any, lmbda: Any) -> Any:
    return exp((lmbda - 1) * log(p)) + exp((lmbda - 1) * log(1 - p))


def _inside(p: Any) -> tuple[Any, Any]:
    """Where the density is not 0, and p there."""
    inside = (p > 0) & (p < 1)
    return inside, where(inside, p, 0.5)


def _tukey_x(p: Any, lmbda: Any) -> Any:
    inside, p = _inside(p)
    return where(inside, 1 / _sparsity(p, lmbda), 0)


def _tukey_lambda(p: Any, lmbda: Any) -> Any:
    inside, p = _inside(p)
    rise = boxcox_slope(log(p), lmbda) - boxcox_slope(log(1 - p), lmbda)
    return where(inside, -rise / _sparsity(p, lmbda), 0)


tklmbda = elementwise(
    sp.tklmbda,
    [
        lambda out, _x, lmbda: _tukey_x(out, lmbda),
        lambda out, _x, lmbda: _tukey_lambda(out, lmbda),
    ],
    samples=on((-0.7, 0.7), (-0.6, 1.2)),
)
