"""Kelvin functions: ber + i bei = J0(x exp(3πi/4)), ker + i kei = K0(x exp(πi/4)) (DLMF 10.61)."""

from __future__ import annotations

import cmath
import math
from typing import Any

import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.domains import POSITIVE, REALS, on
from funcdiff.primitives.shape import imag, real
from funcdiff.primitives.special.bessel import jv, kv
from funcdiff.primitives.special.shared import outputs

FIRST = cmath.exp(0.75j * math.pi)
SECOND = cmath.exp(0.25j * math.pi)


def _be_slope(x: Any) -> Any:
    """The second derivative of ber + i bei; J0'' = (J2 - J0) / 2 is regular at 0."""
    return FIRST * FIRST / 2 * (jv(2.0, FIRST * x) - jv(0.0, FIRST * x))


def _ke_slope(x: Any) -> Any:
    return SECOND * SECOND / 2 * (kv(2.0, SECOND * x) + kv(0.0, SECOND * x))


ber = elementwise(sp.ber, [lambda _out, x: berp(x)], samples=on(REALS))
bei = elementwise(sp.bei, [lambda _out, x: beip(x)], samples=on(REALS))
ker = elementwise(sp.ker, [lambda _out, x: kerp(x)], samples=on(POSITIVE))
kei = elementwise(sp.kei, [lambda _out, x: keip(x)], samples=on(POSITIVE))
berp: Function = elementwise(sp.berp, [lambda _out, x: real(_be_slope(x))], samples=on(REALS))
beip: Function = elementwise(sp.beip, [lambda _out, x: imag(_be_slope(x))], samples=on(REALS))
kerp: Function = elementwise(sp.kerp, [lambda _out, x: real(_ke_slope(x))], samples=on(POSITIVE))
keip: Function = elementwise(sp.keip, [lambda _out, x: imag(_ke_slope(x))], samples=on(POSITIVE))
kelvin = outputs(
    sp.kelvin,
    [
        [
            lambda out, _x: out[2],
            lambda out, _x: out[3],
            lambda _out, x: _be_slope(x),
            lambda _out, x: _ke_slope(x),
        ]
    ],
    samples=on(POSITIVE),
)
