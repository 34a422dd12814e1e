"""Gamma and beta functions and their logarithms, polygamma and zeta functions (DLMF 5, 25).

Derivatives of zeta functions with respect to s are sums of the Euler-Maclaurin formula (25.11.5, 25.2.9),
accurate to 1e-13; those of digamma at complex arguments are Cauchy integrals, accurate to 1e-12.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise, locally_constant
from funcdiff.core.primitive import Function
from funcdiff.primitives.arithmetic import weakly
from funcdiff.primitives.domains import POSITIVE, complex_plane, on
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import real
from funcdiff.primitives.special.quadrature import cauchy
from funcdiff.primitives.special.shared import derivatives, in_precision_of, of_orders
from funcdiff.primitives.trigonometric import cos, sin

# --- zeta functions ----------------------------------------------------------------------------------

TERMS = 16
BERNOULLI = tuple(b / math.factorial(2 * j) for j, b in enumerate(sp.bernoulli(2 * TERMS)[::2]))


def _tail(s: Any, q: Any) -> Any:
    """The Euler-Maclaurin formula for the sum of k^(-s) over k = q, q + 1, …; q is large."""
    total = q ** (1 - s) / (s - 1) + q**-s / 2
    factor = s * q ** (-s - 1)
    for j in range(1, TERMS):
        total = total + BERNOULLI[j] * factor
        factor = factor * (s + 2 * j - 1) * (s + 2 * j) / (q * q)
    return total


def _hurwitz(s: Any, q: Any, order: int) -> Any:
    """Derivative of the zeta function wrt s: the first terms one by one, the others by Cauchy's integral."""
    total: Any = 0.0
    for k in range(TERMS):
        log_k = np.log(q + k)
        total = total + (-log_k) ** order * np.exp(-s * log_k)
    radius = np.minimum(0.4, abs(s - 1) / 8)
    rest = cauchy(lambda s: _tail(s, q + TERMS), s, order, radius, real=np.isrealobj(s))
    return total + (rest if np.iscomplexobj(s) else rest.real)


def _zeta_order(s: Any, q: Any, *, orders: tuple[int]) -> Any:
    t, r = np.broadcast_arrays(np.asarray(s) * 1.0, np.asarray(q, float))
    valid = (r > 0) & (t != 1)
    out = _hurwitz(np.where(valid, t, 2.0), np.where(valid, r, 1.0), orders[0])
    return in_precision_of(np.where(valid, out, np.nan), s, q)


def _zeta_order_slope(s: Any, q: Any, orders: tuple[int]) -> Any:
    """Derivative wrt q of an s-derivative of zeta: that of -s zeta(s + 1, q) (25.11.17)."""
    (m,) = orders
    below = m * zeta_order(s + 1, q, orders=(m - 1,)) if m else 0.0
    return -s * zeta_order(s + 1, q, orders=orders) - below


zeta_order: Function = derivatives(
    _zeta_order,
    name="zeta_order",
    active=[0],
    rules={1: lambda _out, s, q, *, orders: _zeta_order_slope(s, q, orders)},
    samples=of_orders(on((2.1, 4.0), POSITIVE), (1,)),
    doc="Derivative of Hurwitz' zeta function wrt s, of the order given.",
)
zeta: Function = elementwise(  # 25.11.17
    sp._ufuncs._zeta,
    [lambda _out, s, q: zeta_order(s, q, orders=(1,)), lambda _out, s, q: -s * zeta(s + 1, q)],
    name="zeta",
    samples=on((2.1, 4.0), POSITIVE),
)


def _riemann(s: Any, order: int) -> Any:
    """Derivative of Riemann's zeta function; left of 0 by Cauchy's integral over the reflection 25.4.1."""
    s = np.asarray(s) * 1.0
    right = s.real >= 0
    out = _hurwitz(np.where(right, s, 2.0), np.ones(s.shape), order)
    if not right.all():

        def reflected(s: Any) -> Any:
            growth = np.exp(sp.loggamma(1 - s) + (s - 1) * math.log(2 * math.pi))
            return 2 * np.sin(math.pi / 2 * s) * growth * _hurwitz(1 - s, np.ones(s.shape), 0)

        left = cauchy(reflected, np.where(right, -1.0, s), order, 0.125, real=np.isrealobj(s))
        out = np.where(right, out, left if np.iscomplexobj(s) else np.real(left))
    return out


def _riemann_order(s: Any, *, orders: tuple[int]) -> Any:
    return in_precision_of(_riemann(s, orders[0]), s)


riemann_zeta_order: Function = derivatives(
    _riemann_order,
    name="riemann_zeta_order",
    active=[0],
    samples=of_orders(on((-3.0, 0.7)), (1,)),
    doc="Derivative of Riemann's zeta function, of the order given.",
)
riemann_zeta = elementwise(
    sp._ufuncs._riemann_zeta,
    [lambda _out, s: riemann_zeta_order(s, orders=(1,))],
    name="riemann_zeta",
    samples=on((1.3, 4.0)),
    holomorphic=True,
)
zetac = elementwise(sp.zetac, [lambda _out, s: riemann_zeta_order(s, orders=(1,))], samples=on((1.3, 4.0)))

# --- polygamma functions -----------------------------------------------------------------------------


def polygamma(n: Any, x: Any) -> Any:
    """Derivative of the digamma function of order n (DLMF 5.15.1 and 25.11.12)."""
    if _is_complex(x):
        return complex_polygamma(x, orders=(int(n),))
    if type(n) is int:
        return digamma(x) if n == 0 else (-1.0) ** (n + 1) * math.factorial(n) * zeta(float(n + 1), x)
    n = np.asarray(n)
    factor = (-1.0) ** (n + 1) * sp.gamma(n + 1.0)
    order = np.where(n == 0, 2.0, n + 1.0)
    return where(n == 0, digamma(x), factor * zeta(float(order) if np.ndim(order) == 0 else order, x))


def _is_complex(x: Any) -> bool:
    return x.dtype.kind == "c" if hasattr(x, "dtype") else np.iscomplexobj(x)


def _complex_polygamma(z: Any, *, orders: tuple[int]) -> Any:
    """By Cauchy's integral of SciPy's digamma, within the nearest pole."""
    to_pole = np.abs(z - np.minimum(np.rint(np.real(z)), 0.0))
    radius = np.minimum(to_pole / 8, 1.0)
    return in_precision_of(cauchy(sp.digamma, np.asarray(z, complex), orders[0], radius, real=False), z)


complex_polygamma = derivatives(
    _complex_polygamma,
    name="complex_polygamma",
    active=[0],
    samples=of_orders(complex_plane, (1,)),
    doc="Derivative of digamma at complex arguments, of the order given.",
)

# --- gamma functions -----------------------------------------------------------------------------------

digamma: Function = elementwise(
    sp.digamma, [lambda _out, x: polygamma(1, x)], name="digamma", samples=on(POSITIVE), holomorphic=True
)
gamma = elementwise(sp.gamma, [lambda out, x: out * digamma(x)], samples=on(POSITIVE), holomorphic=True)
gammaln: Function = elementwise(sp.gammaln, [lambda _out, x: digamma(x)], samples=on(POSITIVE))
loggamma = elementwise(sp.loggamma, [lambda _out, x: digamma(x)], samples=on(POSITIVE), holomorphic=True)
gammasgn = locally_constant(sp.gammasgn, samples=on(POSITIVE))


def _rgamma_partial(out: Any, x: Any) -> Any:
    """Reflected (5.5.3) left of 1/2, where digamma has poles that the zeros of rgamma cancel."""
    left = real(x) < 0.5
    y = where(left, 1 - x, 1.5)
    pi_x = math.pi * where(left, x, 0)
    reflected = gamma(y) * (cos(pi_x) - sin(pi_x) * digamma(y) / math.pi)
    return where(left, reflected, -out * digamma(where(left, 1, x)))


rgamma = elementwise(sp.rgamma, [_rgamma_partial], samples=on((-2.5, 2.5)), holomorphic=True)

beta = elementwise(
    sp.beta,
    [
        lambda out, a, b: out * (weakly(digamma, a) - digamma(a + b)),
        lambda out, a, b: out * (weakly(digamma, b) - digamma(a + b)),
    ],
    samples=on(POSITIVE, POSITIVE),
)
betaln = elementwise(
    sp.betaln,
    [
        lambda _out, a, b: weakly(digamma, a) - digamma(a + b),
        lambda _out, a, b: weakly(digamma, b) - digamma(a + b),
    ],
    samples=on(POSITIVE, POSITIVE),
)
poch = elementwise(
    sp.poch,
    [lambda out, z, m: out * (digamma(z + m) - weakly(digamma, z)), lambda out, z, m: out * digamma(z + m)],
    samples=on(POSITIVE, POSITIVE),
)
binom = elementwise(
    sp.binom,
    [
        lambda out, n, k: out * (weakly(digamma, n + 1) - digamma(n - k + 1)),
        lambda out, n, k: out * (digamma(n - k + 1) - weakly(digamma, k + 1)),
    ],
    samples=on((3.1, 4.0), (0.3, 2.0)),
)
