"""Elliptic integrals of Legendre and Carlson, the arithmetic-geometric mean, Jacobi's functions (DLMF 19, 22).

Carlson's integrals are integrals of t^s (t + x)^(-a) (t + y)^(-b) (t + z)^(-c) (t + p)^(-d) from 0 to ∞ (19.16,
19.23.10), and a derivative raises an exponent.  The trapezoidal rule in log(t) converges geometrically,
to about 1e-14 for arguments in the right half plane.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.alignment import align
from funcdiff.core.declare import elementwise, general
from funcdiff.core.primitive import Function, Over
from funcdiff.primitives.arithmetic import absolute, scale, sqrt
from funcdiff.primitives.comparison import rint
from funcdiff.primitives.domains import AROUND_ZERO, POSITIVE, REALS, UNIT, on
from funcdiff.primitives.special.hypergeometric import weak_hyp2f1
from funcdiff.primitives.special.quadrature import NEGLIGIBLE
from funcdiff.primitives.special.shared import alike, in_precision_of, outputs
from funcdiff.primitives.trigonometric import cos, sin

# --- Carlson's integrals with any exponents -----------------------------------------------------------------

Exponents = tuple[float, float, float, float]


def _carlson(x: Any, y: Any, z: Any, p: Any, *, exponents: Exponents, power: int) -> Any:
    columns = [np.asarray(v)[..., None] for v in np.broadcast_arrays(x, y, z, p)]
    used = [(v, e) for v, e in zip(columns, exponents, strict=True) if e]
    sizes = [np.where(v == 0, 1.0, np.abs(v)) for v, _e in used]
    vanishing = sum(e * (v == 0) for v, e in used)
    slow_start = power + 1 - vanishing
    low = np.min(np.log(sizes), axis=0) - NEGLIGIBLE / np.maximum(slow_start, 0.1)
    high = np.max(np.log(sizes), axis=0) + NEGLIGIBLE / (sum(e for _v, e in used) - power - 1)
    step = 0.25 if any(np.iscomplexobj(v) for v, _e in used) else 0.5
    count = int(np.max((high - low) / step, initial=1.0)) + 1
    t = np.exp(low + step * np.arange(count))
    with np.errstate(all="ignore"):
        product = t ** (power + 1)
        for v, e in used:
            product = product / (t + v) ** e
    out = step * np.sum(product, axis=-1)
    out = np.where(slow_start[..., 0] > 0, out, np.inf)
    return in_precision_of(out, x, y, z, p)


def _raised(n: int) -> Function:
    def rule(g: Any, _out: Any, *args: Any, exponents: Exponents, power: int) -> Any:
        e = exponents[n]
        if not e:
            return 0 * g
        raised = (*exponents[:n], e + 1, *exponents[n + 1 :])
        return scale(g, -e * carlson(*args, exponents=raised, power=power))

    return rule


_RULES = [_raised(n) for n in range(4)]
carlson: Function = general(
    _carlson,
    jvps=_RULES,
    vjps=_RULES,
    batch=lambda values, flags, size, **params: carlson(*align(values, flags), **params),
    name="carlson",
    samples=lambda rng: [
        (args, {"exponents": (0.5, 0.5, 1.5, 1.0), "power": k})
        for k, (args, _params) in enumerate(on(POSITIVE, POSITIVE, POSITIVE, POSITIVE)(rng)[:2])
    ],
    holomorphic=False,
    doc="Integral of t**power and powers of t + x, t + y, t + z, t + p over positive t.",
)


def _rd(x: Any, y: Any, z: Any, n: int) -> Any:
    """Derivative of RD wrt its argument n."""
    exponents = [0.5, 0.5, 1.5, 0.0]
    weight = -1.5 * exponents[n]
    exponents[n] += 1
    return weight * carlson(x, y, z, 1.0, exponents=tuple(exponents), power=0)


elliprd = elementwise(
    sp.elliprd,
    [
        lambda _out, x, y, z: _rd(x, y, z, 0),
        lambda _out, x, y, z: _rd(x, y, z, 1),
        lambda _out, x, y, z: _rd(x, y, z, 2),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
    holomorphic=True,
)
elliprf = elementwise(  # 19.18.1
    sp.elliprf,
    [
        lambda _out, x, y, z: elliprd(y, z, x) / -6,
        lambda _out, x, y, z: elliprd(z, x, y) / -6,
        lambda _out, x, y, z: elliprd(x, y, z) / -6,
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
    holomorphic=True,
)
elliprc = elementwise(
    sp.elliprc,
    [
        lambda _out, x, y: carlson(x, y, 1.0, 1.0, exponents=(1.5, 1.0, 0.0, 0.0), power=0) / -4,
        lambda _out, x, y: carlson(x, y, 1.0, 1.0, exponents=(0.5, 2.0, 0.0, 0.0), power=0) / -2,
    ],
    samples=on(POSITIVE, POSITIVE),
    holomorphic=True,
)


def _rj(x: Any, y: Any, z: Any, p: Any, n: int) -> Any:
    exponents = [0.5, 0.5, 0.5, 1.0]
    weight = -1.5 * exponents[n]
    exponents[n] += 1
    return weight * carlson(x, y, z, p, exponents=tuple(exponents), power=0)


elliprj = elementwise(
    sp.elliprj,
    [
        lambda _out, x, y, z, p: _rj(x, y, z, p, 0),
        lambda _out, x, y, z, p: _rj(x, y, z, p, 1),
        lambda _out, x, y, z, p: _rj(x, y, z, p, 2),
        lambda _out, x, y, z, p: _rj(x, y, z, p, 3),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE, POSITIVE),
    holomorphic=True,
)


def _rg(x: Any, y: Any, z: Any) -> Any:
    """Derivative of RG wrt its last argument (19.16.9 and 19.18.3)."""
    return carlson(x, y, z, 1.0, exponents=(0.5, 0.5, 1.5, 0.0), power=1) / 8


elliprg = elementwise(
    sp.elliprg,
    [
        lambda _out, x, y, z: _rg(y, z, x),
        lambda _out, x, y, z: _rg(z, x, y),
        lambda _out, x, y, z: _rg(x, y, z),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
    holomorphic=True,
)

# --- Legendre's integrals, with m = k² ------------------------------------------------------------------------


def _ellipe_slope(m: Any) -> Any:
    return math.pi / -8 * weak_hyp2f1(0.5, 1.5, 2.0, m)  # 19.4.2


def _ellipk_slope(m: Any) -> Any:
    return math.pi / 8 * weak_hyp2f1(1.5, 1.5, 2.0, m)  # 19.4.1


ellipe = elementwise(sp.ellipe, [lambda _out, m: _ellipe_slope(m)], samples=on(AROUND_ZERO))
ellipk = elementwise(sp.ellipk, [lambda _out, m: _ellipk_slope(m)], samples=on(AROUND_ZERO))
ellipkm1 = elementwise(sp.ellipkm1, [lambda _out, p: elliprd(0.0, 1.0, p) / -6], samples=on(POSITIVE))


def _reduced(phi: Any) -> tuple[Any, Any, Any]:
    """How many half periods phi is away, and sine and cosine of the rest (19.2.10)."""
    turns = rint(phi / math.pi)
    rest = phi - math.pi * turns
    return turns, sin(rest), cos(rest)


def _ellipkinc_m(phi: Any, m: Any) -> Any:
    """Derivative of the integral of the first kind wrt m (19.25.5)."""
    phi, m = alike(phi, m)
    turns, s, c = _reduced(phi)
    rest = s * s * s / 6 * elliprd(c * c, 1.0, 1 - m * s * s)
    return rest + scale(2 * turns, _ellipk_slope(m))


def _ellipeinc_m(phi: Any, m: Any) -> Any:
    """Derivative of the integral of the second kind wrt m (19.25.9)."""
    phi, m = alike(phi, m)
    turns, s, c = _reduced(phi)
    rest = s * s * s / -6 * elliprd(c * c, 1 - m * s * s, 1.0)
    return rest + scale(2 * turns, _ellipe_slope(m))


def _delta(phi: Any, m: Any) -> Any:
    phi, m = alike(phi, m)
    s = sin(phi)
    return sqrt(1 - m * s * s)


ellipkinc = elementwise(
    sp.ellipkinc,
    [Over(lambda _out, phi, m: _delta(phi, m)), lambda _out, phi, m: _ellipkinc_m(phi, m)],
    samples=on((-4.0, 4.0), AROUND_ZERO),
)
ellipeinc = elementwise(
    sp.ellipeinc,
    [lambda _out, phi, m: _delta(phi, m), lambda _out, phi, m: _ellipeinc_m(phi, m)],
    samples=on((-4.0, 4.0), AROUND_ZERO),
)

# --- Jacobi's functions: sn, cn, dn and the amplitude (22.13.1, 22.16.1) ---------------------------------------


def _amplitude_m(out: Any, m: Any) -> Any:
    """Derivative of the amplitude wrt m, as the inverse of the integral of the first kind."""
    return -out[2] * _ellipkinc_m(out[3], m)


ellipj = outputs(
    sp.ellipj,
    [
        [
            lambda out, _u, _m: out[1] * out[2],
            lambda out, _u, _m: -out[0] * out[2],
            lambda out, _u, m: -m * out[0] * out[1],
            lambda out, _u, _m: out[2],
        ],
        [
            lambda out, _u, m: out[1] * _amplitude_m(out, m),
            lambda out, _u, m: -out[0] * _amplitude_m(out, m),
            lambda out, _u, m: out[0] * (out[0] + 2 * m * out[1] * _amplitude_m(out, m)) / (-2 * out[2]),
            lambda out, _u, m: _amplitude_m(out, m),
        ],
    ],
    samples=on(REALS, UNIT),
)

# --- the arithmetic-geometric mean: π/2 over RF(0, a², b²) (19.8.6) ----------------------------------------------


def _agm_slope(out: Any, a: Any, b: Any) -> Any:
    return 2 / (3 * math.pi) * out * out * absolute(a) * elliprd(0.0, b * b, a * a)


agm = elementwise(
    sp.agm,
    [lambda out, a, b: _agm_slope(out, a, b), lambda out, a, b: _agm_slope(out, b, a)],
    samples=on(POSITIVE, POSITIVE),
)
