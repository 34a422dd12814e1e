"""Distribution functions of SciPy's special module, and their inverses in every argument.

They are incomplete gamma and beta functions (DLMF 8.17, 8.19), whose derivatives wrt shapes are computed in
`incomplete`.  An inverse function is differentiated by the implicit function theorem.
"""

from __future__ import annotations

import math
from typing import Any

import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.primitives.arithmetic import sign, weakly
from funcdiff.primitives.comparison import equal
from funcdiff.primitives.domains import POSITIVE, REALS, UNIT, on
from funcdiff.primitives.exponential import exp, log, log1p
from funcdiff.primitives.selection import where
from funcdiff.primitives.special.error_functions import ndtri
from funcdiff.primitives.special.gamma import betaln, gammaln
from funcdiff.primitives.special.incomplete import (
    beta_density,
    beta_slope_a,
    beta_slope_b,
    betainc_order,
    gamma_density,
    gamma_quantile_slope,
    gamma_slope,
)
from funcdiff.primitives.special.information import xlogy
from funcdiff.primitives.special.shared import SQRT_2PI, alike, weak

# --- chi-squared ---------------------------------------------------------------------------------------

chdtr = elementwise(
    sp.chdtr,
    [
        lambda _out, v, x: gamma_slope(v / 2, x / 2) / 2,
        lambda _out, v, x: gamma_density(v / 2, x / 2) / 2,
    ],
    samples=on(POSITIVE, POSITIVE),
)
chdtrc = elementwise(
    sp.chdtrc,
    [
        lambda _out, v, x: gamma_slope(v / 2, x / 2) / -2,
        lambda _out, v, x: gamma_density(v / 2, x / 2) / -2,
    ],
    samples=on(POSITIVE, POSITIVE),
)
chdtri = elementwise(  # x
    sp.chdtri,
    [
        lambda out, v, _p: gamma_quantile_slope(v / 2, out / 2),
        lambda out, v, _p: -2 / gamma_density(v / 2, out / 2),
    ],
    samples=on(POSITIVE, UNIT),
)
chdtriv = elementwise(  # v
    sp.chdtriv,
    [
        lambda out, _p, x: 2 / gamma_slope(out / 2, x / 2),
        lambda out, _p, x: -gamma_density(out / 2, x / 2) / gamma_slope(out / 2, x / 2),
    ],
    samples=on(UNIT, POSITIVE),
)

# --- gamma, of rate a and shape b ------------------------------------------------------------------------

gdtr = elementwise(
    sp.gdtr,
    [
        lambda _out, a, b, x: x * gamma_density(b, a * x),
        lambda _out, a, b, x: gamma_slope(b, a * x),
        lambda _out, a, b, x: a * gamma_density(b, a * x),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
)
gdtrc = elementwise(
    sp.gdtrc,
    [
        lambda _out, a, b, x: -x * gamma_density(b, a * x),
        lambda _out, a, b, x: -gamma_slope(b, a * x),
        lambda _out, a, b, x: -a * gamma_density(b, a * x),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
)
gdtria = elementwise(  # a
    sp.gdtria,
    [
        lambda out, _p, b, x: 1 / (x * gamma_density(b, out * x)),
        lambda out, _p, b, x: gamma_quantile_slope(b, out * x) / x,
        lambda out, _p, _b, x: -out / x,
    ],
    samples=on(UNIT, POSITIVE, POSITIVE),
)
gdtrib = elementwise(  # b
    sp.gdtrib,
    [
        lambda out, a, _p, x: -x * gamma_density(out, a * x) / gamma_slope(out, a * x),
        lambda out, a, _p, x: 1 / gamma_slope(out, a * x),
        lambda out, a, _p, x: -a * gamma_density(out, a * x) / gamma_slope(out, a * x),
    ],
    samples=on(POSITIVE, UNIT, POSITIVE),
)
gdtrix = elementwise(  # x
    sp.gdtrix,
    [
        lambda out, a, _b, _p: -out / a,
        lambda out, a, b, _p: gamma_quantile_slope(b, a * out) / a,
        lambda out, a, b, _p: 1 / (a * gamma_density(b, a * out)),
    ],
    samples=on(POSITIVE, POSITIVE, UNIT),
)

# --- beta --------------------------------------------------------------------------------------------------

btdtria = elementwise(  # a
    sp.btdtria,
    [
        lambda out, _p, b, x: 1 / beta_slope_a(out, b, x),
        lambda out, _p, b, x: -beta_slope_b(out, b, x) / beta_slope_a(out, b, x),
        lambda out, _p, b, x: -beta_density(out, b, x) / beta_slope_a(out, b, x),
    ],
    samples=on(UNIT, POSITIVE, UNIT),
)
btdtrib = elementwise(  # b
    sp.btdtrib,
    [
        lambda out, a, _p, x: -beta_slope_a(a, out, x) / beta_slope_b(a, out, x),
        lambda out, a, _p, x: 1 / beta_slope_b(a, out, x),
        lambda out, a, _p, x: -beta_density(a, out, x) / beta_slope_b(a, out, x),
    ],
    samples=on(POSITIVE, UNIT, UNIT),
)

# --- F: the beta distribution of odds dfn x / dfd ------------------------------------------------------------


def _odds_density(a: Any, b: Any, r: Any) -> Any:
    """Density of the odds x / (1 - x) of a beta variable x."""
    a, b, r = alike(a, b, r)
    return exp(xlogy(a - 1, r) - (a + b) * log1p(r) - weak(betaln, a, b))


def _f_dfn(dfn: Any, dfd: Any, x: Any) -> Any:
    a, b, r = dfn / 2, dfd / 2, dfn * x / dfd
    return betainc_order(a, b, r, orders=(1, 0)) / 2 + _odds_density(a, b, r) * x / dfd


def _f_dfd(dfn: Any, dfd: Any, x: Any) -> Any:
    a, b, r = dfn / 2, dfd / 2, dfn * x / dfd
    return betainc_order(a, b, r, orders=(0, 1)) / 2 - _odds_density(a, b, r) * r / dfd


def _f_x(dfn: Any, dfd: Any, x: Any) -> Any:
    ratio = dfn / dfd
    return _odds_density(dfn / 2, dfd / 2, ratio * x) * ratio


fdtr = elementwise(
    sp.fdtr,
    [
        lambda _out, dfn, dfd, x: _f_dfn(dfn, dfd, x),
        lambda _out, dfn, dfd, x: _f_dfd(dfn, dfd, x),
        lambda _out, dfn, dfd, x: _f_x(dfn, dfd, x),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
)
fdtrc = elementwise(
    sp.fdtrc,
    [
        lambda _out, dfn, dfd, x: -_f_dfn(dfn, dfd, x),
        lambda _out, dfn, dfd, x: -_f_dfd(dfn, dfd, x),
        lambda _out, dfn, dfd, x: -_f_x(dfn, dfd, x),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
)
fdtri = elementwise(  # x
    sp.fdtri,
    [
        lambda out, dfn, dfd, _p: -_f_dfn(dfn, dfd, out) / _f_x(dfn, dfd, out),
        lambda out, dfn, dfd, _p: -_f_dfd(dfn, dfd, out) / _f_x(dfn, dfd, out),
        lambda out, dfn, dfd, _p: 1 / _f_x(dfn, dfd, out),
    ],
    samples=on((1.0, 4.0), (1.0, 4.0), (0.1, 0.9)),
)
fdtridfd = elementwise(  # dfd
    sp.fdtridfd,
    [
        lambda out, dfn, _p, x: -_f_dfn(dfn, out, x) / _f_dfd(dfn, out, x),
        lambda out, dfn, _p, x: 1 / _f_dfd(dfn, out, x),
        lambda out, dfn, _p, x: -_f_x(dfn, out, x) / _f_dfd(dfn, out, x),
    ],
    samples=on((1.5, 2.0), (0.62, 0.66), (1.6, 1.7)),
)

# --- Student's t: the beta distribution of odds t² / df ---------------------------------------------------------


def _t_density(df: Any, t: Any) -> Any:
    df, t = alike(df, t)
    log_norm = weakly(gammaln, (df + 1) / 2) - weakly(gammaln, df / 2) - weakly(log, math.pi * df) / 2
    return exp(log_norm - (df + 1) / 2 * log1p(t * t / df))


def _t_df(df: Any, t: Any) -> Any:
    """Derivative wrt df; at t = 0 it is regular, but the density of the odds is not."""
    df, t = alike(df, t)
    tiny = 1e-150 if t.dtype.itemsize > 4 else 1e-18
    t = t + where(equal(t, 0), tiny, 0 * t)
    shape = betainc_order(0.5, df / 2, t * t / df, orders=(0, 1))
    return sign(t) * shape / 4 - _t_density(df, t) * t / (2 * df)


stdtr = elementwise(
    sp.stdtr,
    [lambda _out, df, t: _t_df(df, t), lambda _out, df, t: _t_density(df, t)],
    samples=on(POSITIVE, REALS),
)
stdtridf = elementwise(  # df
    sp.stdtridf,
    [
        lambda out, _p, t: 1 / _t_df(out, t),
        lambda out, _p, t: -_t_density(out, t) / _t_df(out, t),
    ],
    samples=on((0.76, 0.78), (0.8, 0.82)),
)
stdtrit = elementwise(  # t
    sp.stdtrit,
    [
        lambda out, df, _p: -_t_df(df, out) / _t_density(df, out),
        lambda out, df, _p: 1 / _t_density(df, out),
    ],
    samples=on((1.0, 4.0), (0.1, 0.9)),
)

# --- mean and deviation of a normal distribution, given a quantile ------------------------------------------------


def _quantile_density(q: Any) -> Any:
    return exp(q * q / -2) / SQRT_2PI


nrdtrimn = elementwise(  # x - std ndtri(p)
    sp.nrdtrimn,
    [
        lambda _out, p, std, _x: -std / _quantile_density(weakly(ndtri, p)),
        lambda _out, p, _std, _x: -weakly(ndtri, p),
        1,
    ],
    samples=on(UNIT, POSITIVE, REALS),
)
nrdtrisd = elementwise(  # (x - mn) / ndtri(p)
    sp.nrdtrisd,
    [
        lambda _out, _mn, p, _x: -1 / weakly(ndtri, p),
        lambda out, _mn, p, _x: -out / (weakly(ndtri, p) * _quantile_density(weakly(ndtri, p))),
        lambda _out, _mn, p, _x: 1 / weakly(ndtri, p),
    ],
    samples=on((-2.0, -1.0), (0.6, 0.9), POSITIVE),
)
