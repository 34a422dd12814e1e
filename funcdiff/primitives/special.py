"""SciPy's special functions with closed-form derivatives.  Importing this file imports `scipy.special`.

Formulas are those of the Digital Library of Mathematical Functions (DLMF, https://dlmf.nist.gov), cited
by equation.  Where the textbook form cancels or overflows, one that does not is used instead.
Derivatives with respect to orders, where no closed form is known, are None.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff import errors
from funcdiff.core.declare import elementwise, locally_constant
from funcdiff.core.primitive import Function, Over
from funcdiff.primitives.arithmetic import cbrt, maximum, minimum, scale, sqrt, weakly
from funcdiff.primitives.domains import AROUND_ZERO, POSITIVE, REALS, UNIT, on
from funcdiff.primitives.exponential import LOG_10, exp, exp2, expm1, log, log1p
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import astype, real
from funcdiff.primitives.trigonometric import cos, sin

SQRT_PI = math.sqrt(math.pi)
SQRT_2PI = math.sqrt(2 * math.pi)
PER_DEGREE = math.pi / 180

# --- logistic functions ------------------------------------------------------------------------------

expit: Function = elementwise(sp.expit, [lambda out, x: out * expit(-x)], samples=on(REALS))
logit = elementwise(sp.logit, [Over(lambda _out, x: x * (1 - x))], samples=on(UNIT))
log_expit = elementwise(sp.log_expit, [lambda _out, x: expit(-x)], samples=on(REALS))

# --- error functions (DLMF 7) ------------------------------------------------------------------------

erf = elementwise(sp.erf, [lambda _out, x: 2 / SQRT_PI * exp(-x * x)], samples=on(REALS), holomorphic=True)
erfc = elementwise(sp.erfc, [lambda _out, x: -2 / SQRT_PI * exp(-x * x)], samples=on(REALS), holomorphic=True)
erfcx: Function = elementwise(  # 7.10.1 and 7.2.3
    sp.erfcx, [lambda out, x: 2 * x * out - 2 / SQRT_PI], samples=on(REALS), holomorphic=True
)
erfi = elementwise(sp.erfi, [lambda _out, x: 2 / SQRT_PI * exp(x * x)], samples=on(REALS), holomorphic=True)
dawsn = elementwise(sp.dawsn, [lambda out, x: 1 - 2 * x * out], samples=on(REALS), holomorphic=True)  # 7.10.3
wofz = elementwise(  # 7.10.2
    sp.wofz,
    [lambda out, z: 2j / SQRT_PI - 2 * z * out],
    samples=lambda rng: [((rng.uniform(0.3, 2.0, 3) + 1j * rng.uniform(0.3, 1.0, 3),), {})],
    holomorphic=True,
)
erfinv = elementwise(sp.erfinv, [lambda out, _x: SQRT_PI / 2 * exp(out * out)], samples=on(AROUND_ZERO))
erfcinv = elementwise(sp.erfcinv, [lambda out, _x: -SQRT_PI / 2 * exp(out * out)], samples=on((0.2, 1.8)))
ndtr = elementwise(sp.ndtr, [lambda _out, x: exp(-x * x / 2) / SQRT_2PI], samples=on(REALS), holomorphic=True)
log_ndtr = elementwise(  # density over distribution, which erfcx gives without cancellation in the left tail
    sp.log_ndtr,
    [Over(lambda _out, x: SQRT_2PI / 2 * erfcx(x / -math.sqrt(2)))],
    samples=on((-6.0, 2.0)),
    holomorphic=True,
)
ndtri = elementwise(sp.ndtri, [lambda out, _x: SQRT_2PI * exp(out * out / 2)], samples=on(UNIT))
ndtri_exp = elementwise(
    sp.ndtri_exp, [lambda out, x: SQRT_2PI * exp(x + out * out / 2)], samples=on((-3.0, -0.1))
)

# --- gamma functions (DLMF 5) ------------------------------------------------------------------------

zeta: Function = elementwise(  # 25.11.17
    sp._ufuncs._zeta,
    [None, lambda _out, s, q: -s * zeta(s + 1, q)],
    name="zeta",
    samples=on((2.1, 4.0), POSITIVE),
)


def polygamma(n: Any, x: Any) -> Any:
    """Derivative of the digamma function of order n (DLMF 5.15.1 and 25.11.12)."""
    if type(n) is int:
        return digamma(x) if n == 0 else (-1.0) ** (n + 1) * math.factorial(n) * _zeta_of_order(n + 1, x)
    n = np.asarray(n)
    factor = (-1.0) ** (n + 1) * sp.gamma(n + 1.0)
    return where(n == 0, digamma(x), factor * _zeta_of_order(np.where(n == 0, 2.0, n + 1.0), x))


def _zeta_of_order(s: Any, x: Any) -> Any:
    if np.iscomplexobj(x) if not hasattr(x, "dtype") else x.dtype.kind == "c":
        raise errors.UnsupportedError(
            errors.at_user_line(
                "SciPy has no polygamma function of complex arguments, so this derivative of the gamma family is "
                "known for real arguments only."
            )
        )
    return zeta(float(s) if np.ndim(s) == 0 else s, x)


digamma: Function = elementwise(
    sp.digamma, [lambda _out, x: polygamma(1, x)], name="digamma", samples=on(POSITIVE)
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


def _gamma_density(a: Any, x: Any) -> Any:
    """x**(a-1) exp(-x) / gamma(a), the derivative of the regularized gamma function (8.8.13)."""
    return exp(xlogy(a - 1, x) - x - weakly(gammaln, a))


gammainc = elementwise(
    sp.gammainc, [None, lambda _out, a, x: _gamma_density(a, x)], samples=on(POSITIVE, POSITIVE)
)
gammaincc = elementwise(
    sp.gammaincc, [None, lambda _out, a, x: -_gamma_density(a, x)], samples=on(POSITIVE, POSITIVE)
)
gammaincinv = elementwise(
    sp.gammaincinv, [None, Over(lambda out, a, _p: _gamma_density(a, out))], samples=on(POSITIVE, UNIT)
)
gammainccinv = elementwise(
    sp.gammainccinv, [None, Over(lambda out, a, _p: -_gamma_density(a, out))], samples=on(POSITIVE, UNIT)
)


def _weak_betaln(a: Any, b: Any) -> Any:
    out = betaln(a, b)
    return float(out) if type(a) in (int, float) and type(b) in (int, float) else out


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """x**(a-1) (1-x)**(b-1) / beta(a, b), the derivative of the regularized beta function (8.17.1)."""
    return exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - _weak_betaln(a, b))


betainc = elementwise(
    sp.betainc,
    [None, None, lambda _out, a, b, x: _beta_density(a, b, x)],
    samples=on(POSITIVE, POSITIVE, UNIT),
)
betaincc = elementwise(
    sp.betaincc,
    [None, None, lambda _out, a, b, x: -_beta_density(a, b, x)],
    samples=on(POSITIVE, POSITIVE, UNIT),
)
betaincinv = elementwise(
    sp.betaincinv,
    [None, None, Over(lambda out, a, b, _p: _beta_density(a, b, out))],
    samples=on(POSITIVE, POSITIVE, UNIT),
)
betainccinv = elementwise(
    sp.betainccinv,
    [None, None, Over(lambda out, a, b, _p: -_beta_density(a, b, out))],
    samples=on(POSITIVE, POSITIVE, UNIT),
)

# --- entropies and losses ----------------------------------------------------------------------------

# A factor that is zero stays zero whatever it multiplies: `scale`.
xlogy = elementwise(
    sp.xlogy,
    [lambda _out, _x, y: weakly(log, y), lambda _out, x, y: scale(x, 1 / y)],
    samples=on(REALS, POSITIVE),
    holomorphic=True,
)
xlog1py = elementwise(
    sp.xlog1py,
    [lambda _out, _x, y: weakly(log1p, y), lambda _out, x, y: scale(x, 1 / (1 + y))],
    samples=on(REALS, AROUND_ZERO),
    holomorphic=True,
)
entr = elementwise(sp.entr, [lambda _out, x: -log(x) - 1], samples=on(POSITIVE))
rel_entr = elementwise(
    sp.rel_entr,
    [lambda _out, x, y: log(x / y) + 1, lambda _out, x, y: -scale(x, 1 / y)],
    samples=on(POSITIVE, POSITIVE),
)
kl_div = elementwise(
    sp.kl_div,
    [lambda _out, x, y: log(x / y), lambda _out, x, y: 1 - scale(x, 1 / y)],
    samples=on(POSITIVE, POSITIVE),
)
huber = elementwise(
    sp.huber,
    [
        lambda _out, delta, r: maximum(abs(r) - delta, 0.0),
        lambda _out, delta, r: minimum(maximum(r, -delta), delta),
    ],
    samples=on((0.3, 0.9), (-0.25, 2.0)),
)


def _pseudo_huber_slope(delta: Any, r: Any) -> Any:
    ratio = r / delta
    return sqrt(1 + ratio * ratio)


pseudo_huber = elementwise(
    sp.pseudo_huber,
    [
        lambda out, delta, r: 2 * out / delta - r * r / (delta * _pseudo_huber_slope(delta, r)),
        lambda _out, delta, r: r / _pseudo_huber_slope(delta, r),
    ],
    samples=on(POSITIVE, REALS),
)

# --- hypergeometric functions, wrt the argument (DLMF 13.3.15, 15.5.1, 16.3.1) --------------------------

hyp0f1: Function = elementwise(
    sp.hyp0f1,
    [None, lambda _out, b, z: hyp0f1(b + 1, z) / b],
    samples=on(POSITIVE, REALS),
)
hyp1f1: Function = elementwise(
    sp.hyp1f1,
    [None, None, lambda _out, a, b, z: hyp1f1(a + 1, b + 1, z) * (a / b)],
    samples=on(POSITIVE, POSITIVE, REALS),
)
hyp2f1: Function = elementwise(
    sp.hyp2f1,
    [None, None, None, lambda _out, a, b, c, z: hyp2f1(a + 1, b + 1, c + 1, z) * (a * b / c)],
    samples=on(POSITIVE, POSITIVE, POSITIVE, AROUND_ZERO),
)

# exprel = 1F1(1; 2; x) and log1p(u)/u = 2F1(1, 1; 2; -u): their derivatives do not cancel at 0
exprel = elementwise(sp.exprel, [lambda _out, x: _exprel_slope(x)], samples=on(REALS))


def _exprel_slope(x: Any) -> Any:
    return hyp1f1(2.0, 3.0, x) / 2


def _hyp2f1(a: float, b: float, c: float, z: Any) -> Any:
    """The function in the precision of z, where SciPy would answer in double precision."""
    out = hyp2f1(a, b, c, z)
    return out if out.dtype == z.dtype else astype(out, dtype=z.dtype)


def _log1prel_slope(u: Any) -> Any:
    return _hyp2f1(2.0, 2.0, 3.0, -u) / -2


def _boxcox_lambda(log_x: Any, lmbda: Any) -> Any:
    """Derivative of log(x) exprel(lambda log(x)) wrt lambda."""
    return log_x * log_x * _exprel_slope(lmbda * log_x)


boxcox = elementwise(
    sp.boxcox,
    [
        lambda _out, x, lmbda: exp((lmbda - 1) * weakly(log, x)),
        lambda _out, x, lmbda: _boxcox_lambda(weakly(log, x), lmbda),
    ],
    samples=on(POSITIVE, REALS),
)
boxcox1p = elementwise(
    sp.boxcox1p,
    [
        lambda _out, x, lmbda: exp((lmbda - 1) * weakly(log1p, x)),
        lambda _out, x, lmbda: _boxcox_lambda(weakly(log1p, x), lmbda),
    ],
    samples=on(POSITIVE, REALS),
)
inv_boxcox = elementwise(
    sp.inv_boxcox,
    [
        lambda out, y, lmbda: out / (1 + lmbda * y),
        lambda out, y, lmbda: out * (y * y * _log1prel_slope(lmbda * y)),
    ],
    samples=on((-0.4, 0.8), (-0.9, 0.9)),
)
inv_boxcox1p = elementwise(
    sp.inv_boxcox1p,
    [
        lambda out, y, lmbda: (1 + out) / (1 + lmbda * y),
        lambda out, y, lmbda: (1 + out) * (y * y * _log1prel_slope(lmbda * y)),
    ],
    samples=on((-0.4, 0.8), (-0.9, 0.9)),
)

# --- exponentials and trigonometry ---------------------------------------------------------------------

exp10 = elementwise(sp.exp10, [lambda out, _x: out * LOG_10], samples=on(REALS))
cosm1 = elementwise(sp.cosm1, [lambda _out, x: -sin(x)], samples=on(REALS))
powm1 = elementwise(
    sp.powm1,
    [
        lambda out, x, y: y * (1 + out) / x,
        lambda out, x, _y: (1 + out) * weakly(log, x),
    ],
    samples=on(POSITIVE, REALS),
)
sindg = elementwise(sp.sindg, [lambda _out, x: PER_DEGREE * cosdg(x)], samples=on((-80.0, 80.0)))
cosdg: Function = elementwise(sp.cosdg, [lambda _out, x: -PER_DEGREE * sindg(x)], samples=on((5.0, 80.0)))
tandg = elementwise(sp.tandg, [lambda out, _x: PER_DEGREE * (1 + out * out)], samples=on((-50.0, 50.0)))
cotdg = elementwise(sp.cotdg, [lambda out, _x: -PER_DEGREE * (1 + out * out)], samples=on((30.0, 80.0)))

# --- exponential integrals, dilogarithm (DLMF 6, 25.12) --------------------------------------------------

expi = elementwise(sp.expi, [lambda _out, x: exp(x) / x], samples=on(POSITIVE), holomorphic=True)
exp1 = elementwise(sp.exp1, [lambda _out, x: -exp(-x) / x], samples=on(POSITIVE), holomorphic=True)
spence = elementwise(  # log(z) / (1 - z), through log1p(u)/u so that z = 1 is regular
    sp.spence, [lambda _out, z: -_hyp2f1(1.0, 1.0, 2.0, 1 - z)], samples=on((0.4, 1.6))
)

# --- elliptic integrals (DLMF 19.4.1, 19.4.2, with m = k²) -----------------------------------------------

ellipe = elementwise(
    sp.ellipe, [lambda _out, m: math.pi / -8 * _hyp2f1(0.5, 1.5, 2.0, m)], samples=on((-0.9, 0.9))
)
ellipk = elementwise(
    sp.ellipk, [lambda _out, m: math.pi / 8 * _hyp2f1(1.5, 1.5, 2.0, m)], samples=on((-0.9, 0.9))
)

# --- the same function under another name ------------------------------------------------------------------

SPELLINGS: dict[np.ufunc, Any] = {sp.cbrt: cbrt, sp.exp2: exp2, sp.expm1: expm1, sp.log1p: log1p}
"""SciPy's own ufuncs of functions that NumPy has too."""
