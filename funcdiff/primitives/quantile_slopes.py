"""How quantiles of the gamma, beta and von Mises distributions move with a shape parameter.

With density q, distribution function Q and score s (the derivative of log q wrt the parameter θ), the point y that
keeps its probability moves at the rate

    dy/dθ = -∂Q/∂θ / q(y) = -1/q(y) ∫ s q below y = 1/q(y) ∫ s q above y,

which is implicit reparametrisation (Figurnov, Mohamed and Mnih, Advances in Neural Information Processing
Systems 31, 2018).  The score of these densities changes its sign once, so that away from the bulk of the distribution
nothing cancels, in the far tails neither.  The integrals are taken in a variable in which the density is log-concave
on the whole line (log x, logit x), by the double-exponential rule of Takahasi and Mori (Publ. RIMS 9, 1974), and by
Gauss and Legendre's on the circle.

There is a primitive for each order of the derivative of Q, so that its own derivatives are of the same form: with
D_n = ∂ⁿq/q, a polynomial of the score and its derivatives, K_n = -∂ⁿQ/q has ∂K_n/∂y = -D_n - K_n ∂log q/∂y and
∂K_n/∂θ = K_{n+1} - s K_n.

Importing this file imports `scipy.special`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from threading import RLock
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import REGISTRY, Function, Partial
from funcdiff.primitives.arithmetic import weakly
from funcdiff.primitives.domains import POSITIVE, REALS, on

_TIMES = np.linspace(-4.0, 4.0, 129)
_STEPS = np.exp(math.pi / 2 * np.sinh(_TIMES))  # nodes on (0, ∞)
_WEIGHTS = _STEPS * (math.pi / 2 * np.cosh(_TIMES)) * (_TIMES[1] - _TIMES[0])
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(48)
_AT_ONCE = 4096  # elements: half a million values of the integrand
_SHOWN = 40.0  # e-folds after which a density is nothing
_lock = RLock()


def relative_derivative(cumulant: Callable[[int, int], Any], n: int, m: int = 0) -> Any:
    """Return ∂ⁿ⁺ᵐq/∂aⁿ∂bᵐ over q, given the derivatives of log q (the relation of moments to cumulants)."""
    if m > n:
        return relative_derivative(lambda i, j: cumulant(j, i), m, n)
    if n == 0:
        return 1.0
    return sum(
        math.comb(n - 1, i) * math.comb(m, j)
        * cumulant(i + 1, j) * relative_derivative(cumulant, n - 1 - i, m - j)
        for i in range(n) for j in range(m + 1)
    )  # fmt: skip


def _in_parts(integral: Function) -> Function:
    """Evaluate an elementwise function of broadcast arrays in double precision, some thousand elements at a time."""

    def evaluate(*args: Any) -> Any:
        arrays = np.broadcast_arrays(*[np.asarray(a, float) for a in args])
        flat = [a.ravel() for a in arrays]
        spans = range(0, flat[0].size, _AT_ONCE)
        parts = [integral(*[a[n : n + _AT_ONCE, None] for a in flat]) for n in spans]
        out = np.concatenate(parts) if parts else np.zeros(0)
        dtype = np.result_type(*args)
        wide = np.dtype(np.float32) if dtype == np.float16 else dtype  # as SciPy's functions
        return out.reshape(arrays[0].shape).astype(wide, copy=False)[()]

    return evaluate


def _one_sided(values: Any, below: Any) -> Any:
    """Return -∫ or +∫ of what has been evaluated below or above a point, at the steps from it."""
    total = np.sum(np.where(np.isfinite(values), values, 0.0) * _WEIGHTS, axis=-1)
    return np.where(below[:, 0], -total, total)


def _polygamma(n: int, x: Any) -> Any:
    """Return the n-th derivative of digamma (DLMF 25.11.12), as a ufunc computes it."""
    if n == 0:
        return weakly(sp.digamma, x)
    return (-1.0) ** (n + 1) * math.factorial(n) * weakly(partial(sp._ufuncs._zeta, n + 1.0), x)


def _slope(name: str, integral: Function, partials: list[Partial], intervals: Any, doc: str) -> Function:
    """Return the primitive of an order, made when it is first asked for."""
    with _lock:
        if name not in REGISTRY:
            elementwise(_in_parts(integral), partials, name=name, samples=on(*intervals), doc=doc)
        return REGISTRY[name].function


# --- gamma: y = log x, log q = a y - exp(y) - gammaln(a) ------------------------------------------------------


def _gamma_cumulant(y: Any, a: Any, i: int, _j: int) -> Any:
    return (y if i == 1 else 0.0) - _polygamma(i - 1, a)


def _gamma_integral(n: int, y: Any, a: Any) -> Any:
    below = y < np.maximum(sp.digamma(a), -3.0)
    scale = np.where(below, np.maximum(1.0, 1 / a), 1.0)
    step = np.where(below, -scale * _STEPS, np.log1p(_STEPS))  # above, in x: exp(-exp(y)) is too steep
    with np.errstate(all="ignore"):
        ratio = np.exp(a * step - np.exp(y) * np.where(below, np.expm1(step), _STEPS))
        values = relative_derivative(partial(_gamma_cumulant, y + step, a), n) * ratio
        return _one_sided(scale * np.where(below, values, values / (1 + _STEPS)), below)


def log_gamma_slope(n: int) -> Function:
    """Return the primitive of (y, a) that says how log x moves with the shape, if n is 1."""
    return _slope(
        f"log_gamma_quantile_slope_{n}",
        partial(_gamma_integral, n),
        [
            lambda out, y, a: (np.exp(y) - a) * out - _relative(_gamma_cumulant, (n, 0), y, a),
            lambda out, y, a: log_gamma_slope(n + 1)(y, a) - (y - _polygamma(0, a)) * out,
        ],
        (REALS, POSITIVE),
        f"-1/q of the derivative of order {n} wrt the shape of the distribution function of log x.",
    )


def _relative(cumulant: Function, orders: tuple[int, int], *args: Any) -> Any:
    return relative_derivative(partial(cumulant, *args), *orders)


# --- beta: y = logit x, log q = a y - (a + b) log(1 + exp(y)) - betaln(a, b) ----------------------------------


def _beta_cumulant(low: Any, high: Any, a: Any, b: Any, i: int, j: int) -> Any:
    out = _polygamma(i + j - 1, a + b)
    if not j:
        out = out - _polygamma(i - 1, a)
    if not i:
        out = out - _polygamma(j - 1, b)
    return out + (low if i else high) if i + j == 1 else out


def _beta_integral(n: int, m: int, y: Any, a: Any, b: Any) -> Any:
    below = y < np.log1p(a) - np.log1p(b)
    scale = np.maximum(1.0, 1 / np.where(below, a, b))
    z = y + np.where(below, -scale, scale) * _STEPS
    low, high = sp.log_expit(z), sp.log_expit(-z)
    with np.errstate(all="ignore"):
        # log q(z) - log q(y), in which large parts of a y and of (a + b) log(1 + exp(y)) do not cancel
        ratio = np.exp(a * (low - sp.log_expit(y)) + b * (high - sp.log_expit(-y)))
        weight = relative_derivative(partial(_beta_cumulant, low, high, a, b), n, m)
        return _one_sided(scale * weight * ratio, below)


def logit_beta_slope(n: int, m: int) -> Function:
    """Return the primitive of (y, a, b) that says how logit x moves with a, if (n, m) is (1, 0), or b, if (0, 1)."""
    return _slope(
        f"logit_beta_quantile_slope_{n}_{m}",
        partial(_beta_integral, n, m),
        [
            lambda out, y, a, b: ((a + b) * sp.expit(y) - a) * out - _beta_relative((n, m), y, a, b),
            lambda out, y, a, b: logit_beta_slope(n + 1, m)(y, a, b) - _beta_relative((1, 0), y, a, b) * out,
            lambda out, y, a, b: logit_beta_slope(n, m + 1)(y, a, b) - _beta_relative((0, 1), y, a, b) * out,
        ],
        (REALS, POSITIVE, POSITIVE),
        f"-1/q of the derivative of orders ({n}, {m}) wrt (a, b) of the distribution function of logit x.",
    )


def _beta_relative(orders: tuple[int, int], y: Any, a: Any, b: Any) -> Any:
    return _relative(_beta_cumulant, orders, sp.log_expit(y), sp.log_expit(-y), a, b)


# --- von Mises: log q = k cos x - log I0(k), even in x ---------------------------------------------------------

_SERIES = np.polynomial.Polynomial([0, 1 / 2, 0, -1 / 16, 0, 1 / 96, 0, -11 / 6144, 0, 19 / 61440])


def _mean_cosine(k: Any, n: int = 0) -> Any:
    """Return the n-th derivative of I1(k)/I0(k), by k A' = k - k A² - A or its series at 0 (DLMF 10.29.3, 10.25.2)."""
    if type(k) is float:
        return float(_mean_cosine(np.float64(k), n))
    values = [sp.i1e(k) / sp.i0e(k)]
    near = k < 0.1
    safe = np.where(near, 1.0, k)

    def squared(i: int) -> Any:
        return sum(math.comb(i, j) * values[j] * values[i - j] for j in range(i + 1))

    for i in range(n):
        rest = (i == 1) - (i * squared(i - 1) if i else 0.0) - (i + 1) * values[i]
        values.append(
            np.where(near, _series(np.where(near, k, 0.0), i + 1), (i == 0) + rest / safe - squared(i))
        )
    return values[n]


def _series(k: Any, n: int) -> Any:
    out: Any = 0.0
    for c in reversed(_SERIES.deriv(n).coef.tolist()):
        out = out * k + c
    return out


def _circle_cumulant(cosine: Any, k: Any, i: int, _j: int) -> Any:
    return (cosine if i == 1 else 0.0) - _mean_cosine(k, i - 1)


def _circle_integral(n: int, x: Any, k: Any) -> Any:
    y = np.abs(x)
    below = np.cos(y) > _mean_cosine(k)
    with np.errstate(divide="ignore"):
        last = np.arccos(np.maximum(np.cos(y) - _SHOWN / k, -1.0))
    start, length = np.where(below, 0.0, y), np.where(below, y, last - y)
    z = start + length * (_NODES + 1) / 2
    values = _relative(_circle_cumulant, (n, 0), np.cos(z), k) * np.exp(k * (np.cos(z) - np.cos(y)))
    total = length[:, 0] / 2 * np.sum(values * _NODE_WEIGHTS, axis=-1)
    return np.where(below[:, 0], -total, total) * np.sign(x[:, 0])


def vonmises_slope(n: int) -> Function:
    """Return the primitive of (x, k) that says how x moves with the concentration, if n is 1."""
    return _slope(
        f"vonmises_quantile_slope_{n}",
        partial(_circle_integral, n),
        [
            lambda out, x, k: k * np.sin(x) * out - _relative(_circle_cumulant, (n, 0), weakly(np.cos, x), k),
            lambda out, x, k: vonmises_slope(n + 1)(x, k) - (weakly(np.cos, x) - _mean_cosine(k)) * out,
        ],
        (REALS, POSITIVE),
        f"-1/q of the derivative of order {n} wrt the concentration of the distribution function.",
    )


for _n in (1, 2):
    log_gamma_slope(_n)
    vonmises_slope(_n)
    for _m in range(_n + 1):
        logit_beta_slope(_n - _m, _m)
