"""Exponential, sine and cosine integrals, the dilogarithm, Lambert's W and Wright's omega (DLMF 4.13, 6, 25.12)."""

from __future__ import annotations

from typing import Any

import scipy.special as sp

from funcdiff.core.alignment import align
from funcdiff.core.declare import elementwise, general
from funcdiff.core.primitive import Function
from funcdiff.primitives.arithmetic import scale
from funcdiff.primitives.domains import POSITIVE, REALS, complex_plane, on, orders
from funcdiff.primitives.exponential import exp
from funcdiff.primitives.selection import where
from funcdiff.primitives.special.hypergeometric import hyp0f1, weak_hyp2f1
from funcdiff.primitives.special.shared import INTEGER, UFUNCS, outputs
from funcdiff.primitives.trigonometric import cos, cosh

expi = elementwise(sp.expi, [lambda _out, x: exp(x) / x], samples=on(POSITIVE), holomorphic=True)
exp1 = elementwise(sp.exp1, [lambda _out, x: -exp(-x) / x], samples=on(POSITIVE), holomorphic=True)


def _expn_slope(n: Any, x: Any) -> Any:
    """Minus the exponential integral of order n - 1 (8.19.13), which SciPy does not have for order -1."""
    zeroth = exp(-x) / x
    lowest = zeroth * (1 + 1 / x)
    if type(n) is int:
        return -(lowest if n == 0 else zeroth if n == 1 else expn(n - 1, x))
    return -where(n == 0, lowest, where(n == 1, zeroth, expn(where(n < 2, 2, n) - 1, x)))


expn: Function = elementwise(
    sp.expn,
    [None, lambda _out, n, x: _expn_slope(n, x)],
    samples=orders(*POSITIVE),
    missing={0: INTEGER},
    name="expn",
)


def _sinc(x: Any) -> Any:
    """sin(x) / x by a function that is entire: 0F1(3/2; -x²/4)."""
    return hyp0f1(1.5, x * x / -4)


def _sinhc(x: Any) -> Any:
    return hyp0f1(1.5, x * x / 4)


sici = outputs(
    sp.sici,
    [[lambda _out, x: _sinc(x), lambda _out, x: cos(x) / x]],
    samples=on((0.3, 2.0)),
    holomorphic=True,
)
shichi = outputs(
    sp.shichi,
    [[lambda _out, x: _sinhc(x), lambda _out, x: cosh(x) / x]],
    samples=on((0.3, 2.0)),
    holomorphic=True,
)
spence = elementwise(  # log(z) / (1 - z), through log1p(u)/u so that z = 1 is regular
    sp.spence, [lambda _out, z: -weak_hyp2f1(1.0, 1.0, 2.0, 1 - z)], samples=on((0.4, 1.6))
)

# --- solutions of w exp(w) = z and w + log(w) = z (4.13.4) ----------------------------------------------------


def _lambertw(z: Any, k: Any, *, tol: Any) -> Any:
    return sp._ufuncs._lambertw(z, k, tol)


def _lambertw_slope(t: Any, out: Any, _z: Any, _k: Any, *, tol: Any) -> Any:  # of W / (z (1 + W))
    del tol
    return scale(t, exp(-out) / (1 + out))


lambertw: Function = general(
    _lambertw,
    jvps=[_lambertw_slope, None],
    vjps=[_lambertw_slope, None],
    batch=lambda values, flags, size, *, tol: lambertw(*align(values, flags), tol=tol),
    name="lambertw",
    samples=lambda rng: [
        ((z + 0.5, k), {"tol": 1e-8}) for k in (0, -1, 2) for ((z,), _params) in complex_plane(rng)
    ],
    missing={1: "it numbers the branches"},
)
UFUNCS[sp._ufuncs._lambertw] = lambda z, k, tol: lambertw(z, k, tol=float(tol))
wrightomega = elementwise(
    sp.wrightomega, [lambda out, _z: out / (1 + out)], samples=on(REALS), holomorphic=True
)
