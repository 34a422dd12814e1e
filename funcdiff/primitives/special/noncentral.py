"""Noncentral chi-squared, F and t distributions, and their inverses in every argument.

The first two are Poisson mixtures of central ones (Johnson, Kotz & Balakrishnan, Continuous Univariate
Distributions 2, chapters 29-31), summed over the bulk of the Poisson distribution; derivatives wrt the
noncentrality are densities with more degrees of freedom.  Noncentral t is the mean of Φ(t s - δ) over the
deviation s, by Gauss-Legendre quadrature in log(s).  Degrees of freedom are differentiated under the sum, and to
higher order by Cauchy's integral.  Relative errors are below 1e-10 for parameters up to 100.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.domains import POSITIVE, on
from funcdiff.primitives.special.incomplete import beta_slope_plain, gamma_slope_plain
from funcdiff.primitives.special.quadrature import cauchy, integrate, reach
from funcdiff.primitives.special.shared import SQRT_2PI, derivatives, in_precision_of, of_orders


def _floats(*args: Any) -> list[Any]:
    return [np.array(a) for a in np.broadcast_arrays(*(np.asarray(a, float) for a in args))]


def _terms(mean: Any) -> Any:
    """The numbers of a Poisson distribution that matter."""
    largest = float(np.max(mean, initial=0.0))
    return np.arange(int(largest + 12 * np.sqrt(largest)) + 40.0)


def _poisson(mean: Any, j: Any) -> Any:
    m = np.asarray(mean)[..., None]
    power = np.where(j == 0, 1.0, np.exp(j * np.log(np.where(m == 0, 1.0, m + 0j))))
    return np.where((m == 0) & (j > 0), 0.0, power * np.exp(-m - sp.gammaln(j + 1)))


# --- chi-squared: P(df/2 + j, x/2) with j of mean nc/2 -----------------------------------------------------------


def _chi_density(x: Any, df: Any, nc: Any, *, orders: tuple[int]) -> Any:
    y, v, k = _floats(x, df, nc)
    valid = (y > 0) & (k >= 0)
    y, k = np.where(valid, y, 1.0), np.where(valid, k, 0.0)
    j = _terms(k / 2)
    half = (y / 2)[..., None]

    def density(v: Any) -> Any:
        a = v[..., None] / 2 + j
        return (
            np.sum(_poisson(k / 2, j) * np.exp((a - 1) * np.log(half) - half) * sp.rgamma(a + 0j), axis=-1)
            / 2
        )

    out = np.real(
        cauchy(density, v, orders[0], np.minimum(0.3, 0.7 / np.maximum(np.abs(np.log(y / 2)), 1e-3)))
    )
    return in_precision_of(np.where(valid, out, np.nan), x, df, nc)


chi_density: Function = derivatives(
    _chi_density,
    name="chndtr_density",
    active=[1],
    rules={
        0: lambda out, x, df, nc, *, orders: (chi_density(x, df - 2, nc, orders=orders) - out) / 2,
        2: lambda out, x, df, nc, *, orders: (chi_density(x, df + 2, nc, orders=orders) - out) / 2,
    },
    samples=of_orders(on(POSITIVE, POSITIVE, POSITIVE), (0,), (1,)),
    doc="Density of the noncentral chi-squared distribution, differentiated wrt df.",
)


def _chndtr(x: Any, df: Any, nc: Any, *, orders: tuple[int]) -> Any:
    y, v, k = _floats(x, df, nc)
    valid = (y > 0) & (v > 0) & (k >= 0)
    y, v, k = np.where(valid, y, 1.0), np.where(valid, v, 1.0), np.where(valid, k, 0.0)
    j = _terms(k / 2)
    center = v[..., None] / 2 + j
    half = np.broadcast_to((y / 2)[..., None], center.shape)

    def slope(v: Any) -> Any:
        slopes = gamma_slope_plain(v[..., None] / 2 + j, half, center)
        return np.sum(_poisson(k / 2, j) * slopes, axis=-1) / 2

    out = np.real(cauchy(slope, v, orders[0] - 1, np.minimum(v, 1.0) / 8))
    return in_precision_of(np.where(valid, out, np.nan), x, df, nc)


chndtr_order: Function = derivatives(
    _chndtr,
    name="chndtr_order",
    active=[1],
    rules={
        0: lambda _out, x, df, nc, *, orders: chi_density(x, df, nc, orders=orders),
        2: lambda _out, x, df, nc, *, orders: -chi_density(x, df + 2, nc, orders=orders),
    },
    samples=of_orders(on(POSITIVE, POSITIVE, POSITIVE), (1,)),
    doc="Derivative of chndtr wrt df, of the order given, 1 at least.",
)


def _chi_x(x: Any, df: Any, nc: Any) -> Any:
    return chi_density(x, df, nc, orders=(0,))


def _chi_df(x: Any, df: Any, nc: Any) -> Any:
    return chndtr_order(x, df, nc, orders=(1,))


def _chi_nc(x: Any, df: Any, nc: Any) -> Any:
    return -chi_density(x, df + 2, nc, orders=(0,))


chndtr = elementwise(
    sp.chndtr,
    [
        lambda _out, x, df, nc: _chi_x(x, df, nc),
        lambda _out, x, df, nc: _chi_df(x, df, nc),
        lambda _out, x, df, nc: _chi_nc(x, df, nc),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
)
chndtrix = elementwise(  # x
    sp.chndtrix,
    [
        lambda out, _p, df, nc: 1 / _chi_x(out, df, nc),
        lambda out, _p, df, nc: -_chi_df(out, df, nc) / _chi_x(out, df, nc),
        lambda out, _p, df, nc: -_chi_nc(out, df, nc) / _chi_x(out, df, nc),
    ],
    samples=on((0.3, 0.8), (1.0, 3.0), POSITIVE),
)
chndtridf = elementwise(  # df
    sp.chndtridf,
    [
        lambda out, x, _p, nc: -_chi_x(x, out, nc) / _chi_df(x, out, nc),
        lambda out, x, _p, nc: 1 / _chi_df(x, out, nc),
        lambda out, x, _p, nc: -_chi_nc(x, out, nc) / _chi_df(x, out, nc),
    ],
    samples=on((5.0, 6.0), (0.3, 0.6), (0.3, 0.9)),
)
chndtrinc = elementwise(  # nc
    sp.chndtrinc,
    [
        lambda out, x, df, _p: -_chi_x(x, df, out) / _chi_nc(x, df, out),
        lambda out, x, df, _p: -_chi_df(x, df, out) / _chi_nc(x, df, out),
        lambda out, x, df, _p: 1 / _chi_nc(x, df, out),
    ],
    samples=on((5.0, 6.0), (1.0, 1.5), (0.3, 0.6)),
)

# --- F: I(dfn/2 + j, dfd/2) at the odds r = dfn f / dfd -------------------------------------------------------------


def _mixture(step: bool) -> Function:
    """Density of the odds; or, with `step`, of the fall of I from a + j to a + j + 1 (8.17.20)."""

    def impl(a: Any, b: Any, mean: Any, r: Any, *, orders: tuple[int, int, int, int]) -> Any:
        p, q, k, s = _floats(a, b, mean, r)
        valid = (p > 0) & (q > 0) & (k >= 0) & (s > 0)
        p, q, s = (np.where(valid, v, 1.0) for v in (p, q, s))
        k = np.where(valid, k, 0.0)
        j = _terms(k)
        radii = (np.minimum(p, 1) / 8, np.minimum(q, 1) / 8, 0.3, s / (8 + 8 * np.sqrt(p + q)))

        def density(a: Any, b: Any, k: Any, r: Any) -> Any:
            a, b, r = a[..., None] + j, b[..., None], r[..., None]
            beta = sp.loggamma(a) + sp.loggamma(b) - sp.loggamma(a + b)
            terms = _poisson(k, j) * np.exp((a - 1) * np.log(r) - (a + b) * np.log1p(r) - beta)
            return np.sum(terms * r / a if step else terms, axis=-1)

        def nested(n: int, *found: Any) -> Any:
            if n == 4:
                return density(*found)
            within = sum(o > 0 for o in orders[:n])
            point = (p, q, k, s)[n]
            return cauchy(lambda v: nested(n + 1, *found, v), point, orders[n], radii[n], within=within)

        return in_precision_of(np.where(valid, np.real(nested(0)), np.nan), a, b, mean, r)

    return impl


odds_density: Function = derivatives(
    _mixture(False),
    name="ncfdtr_density",
    active=[0, 1, 2, 3],
    samples=lambda rng: [
        (args, {"orders": (0, 0, 0, 0)})
        for args, _params in on(POSITIVE, POSITIVE, POSITIVE, POSITIVE)(rng)[1:3]
    ],
    doc="Density of the odds of a noncentral beta variable, and its derivatives.",
)
odds_step: Function = derivatives(
    _mixture(True),
    name="ncfdtr_step",
    active=[0, 1, 2, 3],
    samples=lambda rng: [
        (args, {"orders": (0, 0, 0, 0)})
        for args, _params in on(POSITIVE, POSITIVE, POSITIVE, POSITIVE)(rng)[1:3]
    ],
    doc="Minus the derivative of the noncentral beta distribution wrt the Poisson mean, and its derivatives.",
)


def _ncfdtr(a: Any, b: Any, mean: Any, r: Any, *, orders: tuple[int, int]) -> Any:
    m, n = orders
    p, q, k, s = _floats(a, b, mean, r)
    valid = (p > 0) & (q > 0) & (k >= 0) & (s > 0) & (s < np.inf)
    p, q, s = (np.where(valid, v, 1.0) for v in (p, q, s))
    k = np.where(valid, k, 0.0)
    j = _terms(k)
    first = p[..., None] + j
    second = np.broadcast_to(q[..., None], first.shape)
    x, y = (np.broadcast_to(v[..., None], first.shape) for v in (s / (1 + s), 1 / (1 + s)))
    weights = _poisson(k, j)
    radii = np.minimum(p, 1) / 8, np.minimum(q, 1) / 8

    def at(a: Any, b: Any) -> Any:
        a, b = a[..., None] + j, b[..., None]
        if m:
            slopes = beta_slope_plain(a, b, x, y, first, second)
        else:  # I_x(a, b) is 1 - I_y(b, a)
            slopes = -beta_slope_plain(b, a, y, x, second, first)
        return np.sum(weights * slopes, axis=-1)

    over_a, over_b = (m - 1, n) if m else (0, n - 1)

    def outer(a: Any) -> Any:
        return cauchy(lambda b: at(a, b), q, over_b, radii[1], within=int(over_a > 0))

    out = np.real(cauchy(outer, p, over_a, radii[0]))
    return in_precision_of(np.where(valid, out, np.nan), a, b, mean, r)


ncfdtr_order: Function = derivatives(
    _ncfdtr,
    name="ncfdtr_order",
    active=[0, 1],
    rules={
        2: lambda _out, a, b, mean, r, *, orders: -odds_step(a, b, mean, r, orders=(*orders, 0, 0)),
        3: lambda _out, a, b, mean, r, *, orders: odds_density(a, b, mean, r, orders=(*orders, 0, 0)),
    },
    samples=lambda rng: [
        (args, {"orders": o})
        for o, (args, _params) in zip(
            ((1, 0), (0, 1)), on(POSITIVE, POSITIVE, POSITIVE, POSITIVE)(rng)[2:], strict=True
        )
    ],
    doc="Derivative of the noncentral beta distribution wrt its shapes, of orders of sum 1 at least.",
)


def _odds(dfn: Any, dfd: Any, nc: Any, f: Any) -> tuple[Any, Any, Any, Any]:
    return dfn / 2, dfd / 2, nc / 2, dfn * f / dfd


def _f_dfn(dfn: Any, dfd: Any, nc: Any, f: Any) -> Any:
    at = _odds(dfn, dfd, nc, f)
    return ncfdtr_order(*at, orders=(1, 0)) / 2 + odds_density(*at, orders=(0, 0, 0, 0)) * f / dfd


def _f_dfd(dfn: Any, dfd: Any, nc: Any, f: Any) -> Any:
    at = _odds(dfn, dfd, nc, f)
    return ncfdtr_order(*at, orders=(0, 1)) / 2 - odds_density(*at, orders=(0, 0, 0, 0)) * at[3] / dfd


def _f_nc(dfn: Any, dfd: Any, nc: Any, f: Any) -> Any:
    return odds_step(*_odds(dfn, dfd, nc, f), orders=(0, 0, 0, 0)) / -2


def _f_f(dfn: Any, dfd: Any, nc: Any, f: Any) -> Any:
    return odds_density(*_odds(dfn, dfd, nc, f), orders=(0, 0, 0, 0)) * dfn / dfd


def _f_samples(*intervals: tuple[float, float]) -> Any:
    return lambda rng: on(*intervals)(rng)[1:]


ncfdtr = elementwise(
    sp.ncfdtr,
    [
        lambda _out, dfn, dfd, nc, f: _f_dfn(dfn, dfd, nc, f),
        lambda _out, dfn, dfd, nc, f: _f_dfd(dfn, dfd, nc, f),
        lambda _out, dfn, dfd, nc, f: _f_nc(dfn, dfd, nc, f),
        lambda _out, dfn, dfd, nc, f: _f_f(dfn, dfd, nc, f),
    ],
    samples=_f_samples(POSITIVE, POSITIVE, POSITIVE, POSITIVE),
)
ncfdtri = elementwise(  # f
    sp.ncfdtri,
    [
        lambda out, dfn, dfd, nc, _p: -_f_dfn(dfn, dfd, nc, out) / _f_f(dfn, dfd, nc, out),
        lambda out, dfn, dfd, nc, _p: -_f_dfd(dfn, dfd, nc, out) / _f_f(dfn, dfd, nc, out),
        lambda out, dfn, dfd, nc, _p: -_f_nc(dfn, dfd, nc, out) / _f_f(dfn, dfd, nc, out),
        lambda out, dfn, dfd, nc, _p: 1 / _f_f(dfn, dfd, nc, out),
    ],
    samples=_f_samples((2.0, 4.0), (2.0, 4.0), POSITIVE, (0.3, 0.7)),
)

# SciPy's ncfdtridfd, ncfdtridfn and ncfdtrinc search to about five digits only, so their derivatives would be no better.

# --- t: the mean of Φ(t s - δ) over s² of mean 1, df s² being chi-squared --------------------------------------------


def _nctdtr(df: Any, nc: Any, t: Any, *, orders: tuple[int, int, int]) -> Any:
    i, j, k = orders
    v, d, x = _floats(df, nc, t)
    valid = v > 0
    v = np.where(valid, v, 1.0)
    above = sp.nctdtr(v, d, x) > 0.5
    n = j + k - 1
    shift, point, upper = (a[..., None] for a in (d, x, above))

    def integrand(u: Any, v: Any) -> Any:
        s = np.exp(u)
        z = point * s - shift
        if n < 0:  # a constant has no derivative wrt df: that of the smaller tail
            values = np.where(upper, -sp.ndtr(-z), sp.ndtr(z))
        else:
            values = (-1) ** (j + n) * s**k * sp.eval_hermitenorm(n, z) * np.exp(-z * z / 2) / SQRT_2PI
        v_ = v[..., None]
        norm = np.log(2.0) + v_ / 2 * np.log(v_ / 2) - sp.loggamma(v_ / 2)
        return values * np.exp(norm + v_ * u - v_ * s * s / 2)

    below = reach(lambda u: v * (np.expm1(-2 * u) / 2 + u) / 2, v.shape)
    beyond = reach(lambda u: v * (np.expm1(2 * u) / 2 - u) / 2, v.shape)
    ends = (-below, -below / 3, -below / 9, 0 * v, beyond / 3, beyond)

    def mean(v: Any) -> Any:
        return sum(integrate(lambda u: integrand(u, v), a, b, 64) for a, b in itertools.pairwise(ends))

    out = np.real(cauchy(mean, v, i, np.minimum(v, 1.0) / 8))
    return in_precision_of(np.where(valid, out, np.nan), df, nc, t)


nctdtr_order: Function = derivatives(
    _nctdtr,
    name="nctdtr_order",
    active=[0, 1, 2],
    samples=of_orders(on(POSITIVE, (-1.0, 1.0), (-1.5, 1.5)), (1, 0, 0), (0, 1, 0), (0, 0, 1)),
    doc="Derivative of nctdtr, of orders of sum 1 at least.",
)


def _t(n: int, df: Any, nc: Any, t: Any) -> Any:
    orders = [0, 0, 0]
    orders[n] = 1
    return nctdtr_order(df, nc, t, orders=tuple(orders))


nctdtr = elementwise(
    sp.nctdtr,
    [
        lambda _out, df, nc, t: _t(0, df, nc, t),
        lambda _out, df, nc, t: _t(1, df, nc, t),
        lambda _out, df, nc, t: _t(2, df, nc, t),
    ],
    samples=on(POSITIVE, (-1.0, 1.0), (-1.5, 1.5)),
)
nctdtridf = elementwise(  # df
    sp.nctdtridf,
    [
        lambda out, _p, nc, t: 1 / _t(0, out, nc, t),
        lambda out, _p, nc, t: -_t(1, out, nc, t) / _t(0, out, nc, t),
        lambda out, _p, nc, t: -_t(2, out, nc, t) / _t(0, out, nc, t),
    ],
    samples=on((0.63, 0.64), (0.48, 0.5), (1.0, 1.05)),
)
nctdtrinc = elementwise(  # nc
    sp.nctdtrinc,
    [
        lambda out, df, _p, t: -_t(0, df, out, t) / _t(1, df, out, t),
        lambda out, df, _p, t: 1 / _t(1, df, out, t),
        lambda out, df, _p, t: -_t(2, df, out, t) / _t(1, df, out, t),
    ],
    samples=on((2.0, 3.0), (0.5, 0.7), (0.4, 0.6)),
)
nctdtrit = elementwise(  # t
    sp.nctdtrit,
    [
        lambda out, df, nc, _p: -_t(0, df, nc, out) / _t(2, df, nc, out),
        lambda out, df, nc, _p: -_t(1, df, nc, out) / _t(2, df, nc, out),
        lambda out, df, nc, _p: 1 / _t(2, df, nc, out),
    ],
    samples=on((2.0, 3.0), (-1.0, 1.0), (0.3, 0.7)),
)
