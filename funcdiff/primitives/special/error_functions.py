"""Logistic and error functions, Fresnel integrals, Voigt's profile and Owen's T (DLMF 7)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function, Over
from funcdiff.primitives.domains import AROUND_ZERO, POSITIVE, REALS, UNIT, on
from funcdiff.primitives.exponential import exp
from funcdiff.primitives.shape import imag, real
from funcdiff.primitives.special.shared import SQRT_2PI, SQRT_PI, outputs
from funcdiff.primitives.trigonometric import cos, sin

# --- logistic functions ------------------------------------------------------------------------------

expit: Function = elementwise(sp.expit, [lambda out, x: out * expit(-x)], samples=on(REALS))
logit = elementwise(sp.logit, [Over(lambda _out, x: x * (1 - x))], samples=on(UNIT))
log_expit = elementwise(sp.log_expit, [lambda _out, x: expit(-x)], samples=on(REALS))

# --- error functions -----------------------------------------------------------------------------------

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

# --- Fresnel integrals (7.2.7, 7.2.8) --------------------------------------------------------------------

_fresnel = outputs(
    sp.fresnel,
    [
        [
            lambda _out, z: sin(math.pi / 2 * (z * z)),
            lambda _out, z: cos(math.pi / 2 * (z * z)),
        ]
    ],
    samples=on(REALS),
    holomorphic=True,
)


def _modified_fresnel(ufunc: np.ufunc, i: complex) -> Function:
    """F(x), the integral of exp(i t²) from x on, and K(x) = exp(-i (x² + π/4)) F(x) / sqrt(π)."""
    return outputs(
        ufunc,
        [
            [
                lambda _out, x: -exp(i * (x * x)),
                lambda out, x: -2 * i * (x * out[1]) - _phase(i),
            ]
        ],
        samples=on((0.3, 2.0)),  # for negative x the imaginary part of SciPy's values is another
    )


def _phase(i: complex) -> complex:
    return complex(np.exp(-i * math.pi / 4)) / SQRT_PI


_modified_fresnel(sp.modfresnelp, 1j)
_modified_fresnel(sp.modfresnelm, -1j)

# --- Voigt's profile: Re wofz((x + iγ) / (σ√2)) / (σ√(2π)) ---------------------------------------------------

# With v = V + iL = wofz(z) / (σ√(2π)), wofz' = 2i/√π - 2z wofz: dv/dx = (i/π - (x + iγ) v) / σ², and
# dv/dγ = i dv/dx.  In σ the profile obeys the heat equation, dV/dσ = σ d²V/dx².  For σ = 0 see 7.19.


def _voigt(x: Any, sigma: Any, gamma: Any) -> Any:
    return wofz((x + 1j * gamma) / (sigma * math.sqrt(2.0))) / (sigma * SQRT_2PI)


def _voigt_slope(x: Any, sigma: Any, gamma: Any) -> Any:
    return (1j / math.pi - (x + 1j * gamma) * _voigt(x, sigma, gamma)) / (sigma * sigma)


def _voigt_sigma(out: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    return -(out + real((x + 1j * gamma) * _voigt_slope(x, sigma, gamma))) / sigma


voigt_profile = elementwise(
    sp.voigt_profile,
    [
        lambda _out, x, sigma, gamma: real(_voigt_slope(x, sigma, gamma)),
        _voigt_sigma,
        lambda _out, x, sigma, gamma: -imag(_voigt_slope(x, sigma, gamma)),
    ],
    samples=on(REALS, (0.5, 1.5), POSITIVE),
)

# --- Owen's T (Owen 1956) --------------------------------------------------------------------------------

owens_t = elementwise(
    sp.owens_t,
    [
        lambda _out, h, a: exp(-h * h / 2) * (0.5 - ndtr(a * h)) / SQRT_2PI,
        lambda _out, h, a: exp(-h * h * (1 + a * a) / 2) / (2 * math.pi * (1 + a * a)),
    ],
    samples=on(REALS, REALS),
)
