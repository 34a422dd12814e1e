"""Draws from distributions as functions of their parameters: where a draw moves, its probability kept.

A path takes the draw, the parameters it was drawn with, and the parameters as they are now.  Where these are equal
its value is the draw; its derivative is that of the quantile function at a fixed probability, so that a mean over
draws has the derivative of the mean (pathwise derivatives: Figurnov, Mohamed and Mnih, Advances in Neural
Information Processing Systems 31, 2018).  Importing this file imports `scipy.special`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function, Partial
from funcdiff.primitives.arithmetic import sqrt
from funcdiff.primitives.domains import POSITIVE, UNIT, on
from funcdiff.primitives.exponential import log, log1p
from funcdiff.primitives.quantile_slopes import log_gamma_slope, logit_beta_slope, vonmises_slope
from funcdiff.primitives.selection import where

SHAPES = (0.6, 2.5)


def path(
    name: str, move: Callable[..., Any], *partials: Partial, samples: Any, fixed: int = 0, doc: str
) -> Function:
    """Declare a path by how draws move and the partial derivatives ``partial(out, *now)``.

    It takes the draw, the parameters it was drawn with, and those of now; the first `fixed` ones are the same then
    and now, are given once, and no derivative with respect to them is known.
    """
    count = len(partials)

    def impl(x: Any, *args: Any) -> Any:
        then, now = args[fixed : fixed + count], args[fixed + count :]
        if all(np.array_equal(a, b, equal_nan=True) for a, b in zip(then, now, strict=True)):
            shape = np.broadcast_shapes(*map(np.shape, (x, *args)))
            return np.asarray(np.broadcast_to(x, shape), np.result_type(x, *args))[()]
        with np.errstate(all="ignore"):
            return move(x, *args)

    rules = [None] * (1 + fixed + count) + [_of_now(p, fixed, count) for p in partials]
    return elementwise(impl, rules, name=name, samples=samples, doc=doc)


def _of_now(partial: Any, fixed: int, count: int) -> Partial:
    """Return the partial derivative as a rule of all arguments; it reads the output and the present parameters."""
    if isinstance(partial, int):
        return partial
    if fixed:
        return lambda out, _x, k, _then, now: partial(out, k, now)
    if count == 1:
        return lambda out, _x, _then, now: partial(out, now)
    return lambda out, _x, _then, _then_too, now, now_too: partial(out, now, now_too)


def _drawn(bounds: tuple[float, float], *parameters: tuple[float, float], fixed: int = 0) -> Any:
    return on(bounds, *parameters, *parameters[fixed:])


def _xlogx(x: Any) -> Any:
    return sp.xlogy(x, x)


weibull = path(
    "weibull_path",
    lambda x, then, now: x ** (then / now),
    lambda out, a: -_xlogx(out) / a,
    samples=_drawn(POSITIVE, SHAPES),
    doc="A draw from the Weibull distribution: E**(1/a), E exponential.",
)
power = path(
    "power_path",
    lambda x, then, now: x ** (then / now),
    lambda out, a: -_xlogx(out) / a,
    samples=_drawn(UNIT, SHAPES),
    doc="A draw from the power distribution: U**(1/a), U uniform.",
)
pareto = path(
    "pareto_path",
    lambda x, then, now: np.expm1(then / now * np.log1p(x)),
    lambda out, a: -(1 + out) * log1p(out) / a,
    samples=_drawn(POSITIVE, SHAPES),
    doc="A draw from the Lomax distribution: exp(E/a) - 1, E exponential.",
)
lognormal = path(
    "lognormal_path",
    lambda x, mean, sigma, new_mean, new_sigma: np.exp(new_mean + new_sigma * (np.log(x) - mean) / sigma),
    lambda out, _mean, _sigma: out,
    lambda out, mean, sigma: out * (log(out) - mean) / sigma,
    samples=_drawn(POSITIVE, (-0.5, 0.5), SHAPES),
    doc="A draw from the log-normal distribution.",
)

# --- gamma and beta --------------------------------------------------------------------------------------------


def _gamma_moved(x: Any, then: Any, now: Any) -> Any:
    low = sp.gammainc(then, x)
    return np.where(low < 0.5, sp.gammaincinv(now, low), sp.gammainccinv(now, sp.gammaincc(then, x)))[()]


def _gamma_partial(out: Any, a: Any) -> Any:
    positive = out > 0
    return where(positive, out * log_gamma_slope(1)(log(where(positive, out, 1.0)), a), 0.0)


standard_gamma = path(
    "standard_gamma_path",
    _gamma_moved,
    _gamma_partial,
    samples=_drawn(POSITIVE, SHAPES),
    doc="A draw from the gamma distribution of scale 1.",
)


def _beta_moved(x: Any, a: Any, b: Any, new_a: Any, new_b: Any) -> Any:
    return sp.betaincinv(new_a, new_b, sp.betainc(a, b, x))


def _logit_inside(x: Any) -> tuple[Any, Any]:
    """Return whether a number is inside the unit interval, and its logit there."""
    inside = (x > 0) & (x < 1)
    return inside, sp.logit(where(inside, x, 0.5))


def _beta_partial_a(out: Any, a: Any, b: Any) -> Any:
    inside, y = _logit_inside(out)
    return where(inside, out * (1 - out) * logit_beta_slope(1, 0)(y, a, b), 0.0)


def _beta_partial_b(out: Any, a: Any, b: Any) -> Any:
    inside, y = _logit_inside(out)
    return where(inside, out * (1 - out) * logit_beta_slope(0, 1)(y, a, b), 0.0)


beta = path(
    "beta_path",
    _beta_moved,
    _beta_partial_a,
    _beta_partial_b,
    samples=_drawn(UNIT, SHAPES, SHAPES),
    doc="A draw from the beta distribution.",
)


def _t_partial(out: Any, df: Any) -> Any:
    """Through x²/ν = y/(1 - y), where y has the beta distribution of 1/2 and ν/2."""
    nonzero = out != 0
    x = where(nonzero, out, 1.0)
    log_ratio = log(x * x / df)  # logit y
    return where(nonzero, x / (2 * df) - x * logit_beta_slope(1, 0)(-log_ratio, df / 2, 0.5) / 4, 0.0)


standard_t = path(
    "standard_t_path",
    lambda x, then, now: np.copysign(sp.stdtrit(now, sp.stdtr(then, -np.abs(x))), x),
    _t_partial,
    samples=_drawn((-3.0, 3.0), SHAPES),
    doc="A draw from Student's t distribution.",
)

# --- others ----------------------------------------------------------------------------------------------------


def _angle(x: Any) -> Any:
    """Bring an angle between -π and π, where NumPy's draws are."""
    return x - 2 * math.pi * np.round(x / (2 * math.pi))


def _vonmises_moved(x: Any, mu: Any, kappa: Any, new_mu: Any, new_kappa: Any) -> Any:
    from scipy.stats import vonmises

    return _angle(new_mu + vonmises.ppf(vonmises.cdf(_angle(x - mu), kappa), new_kappa))


vonmises = path(
    "vonmises_path",
    _vonmises_moved,
    1,
    lambda out, mu, kappa: vonmises_slope(1)(_angle(out - mu), kappa),
    samples=_drawn((-1.5, 1.5), (-0.3, 0.3), SHAPES),
    doc="A draw from the von Mises distribution.",
)


def _mills(v: Any) -> Any:
    """Distribution over density of the normal distribution at -v."""
    return math.sqrt(math.pi / 2) * sp.erfcx(v / math.sqrt(2))


def _wald_moved(x: Any, mean: Any, scale: Any, new_mean: Any, new_scale: Any) -> Any:
    from scipy.stats import invgauss

    probability = invgauss.cdf(x, mean / scale, scale=scale)
    return invgauss.ppf(probability, new_mean / new_scale, scale=new_scale)


def _wald_partial_mean(out: Any, mean: Any, scale: Any) -> Any:
    v = sqrt(scale / out) * (out / mean + 1)
    return 2 * sqrt(scale * out) * out / (mean * mean) * _mills(v)


wald = path(
    "wald_path",
    _wald_moved,
    _wald_partial_mean,
    lambda out, mean, scale: (out - mean * _wald_partial_mean(out, mean, scale)) / scale,
    samples=_drawn(POSITIVE, SHAPES, SHAPES),
    doc="A draw from the inverse Gaussian distribution, which is homogeneous in mean and scale together.",
)


def _noncentral_partial(out: Any, df: Any, nonc: Any) -> Any:
    """The ratio of the densities with df + 2 and df degrees of freedom (DLMF 10.25.2 in both)."""
    root = sqrt(nonc * out)
    order = df / 2 - 1
    small = root < 1e-8  # to first order the Bessel functions' ratio is root / df
    safe = where(small, 1.0, root)
    ratio = where(small, 1.0 / df, sp.ive(order + 1, safe) / (safe * sp.ive(order, safe)))
    return out * ratio


noncentral_chisquare = path(
    "noncentral_chisquare_path",
    lambda x, df, then, now: sp.chndtrix(sp.chndtr(x, df, then), df, now),
    _noncentral_partial,
    samples=_drawn((0.5, 6.0), (1.5, 4.0), SHAPES, fixed=1),
    fixed=1,
    doc="A draw from the noncentral chi-square distribution, moving with the noncentrality.",
)
