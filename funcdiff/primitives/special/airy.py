"""Airy functions and their integrals (DLMF 9.2.1, 9.10)."""

from __future__ import annotations

from typing import Any

import scipy.special as sp

from funcdiff import errors
from funcdiff.primitives.arithmetic import sqrt
from funcdiff.primitives.domains import POSITIVE, REALS, on
from funcdiff.primitives.selection import where
from funcdiff.primitives.special.shared import outputs

airy = outputs(
    sp.airy,
    [
        [
            lambda out, _z: out[1],
            lambda out, z: z * out[0],
            lambda out, _z: out[3],
            lambda out, z: z * out[2],
        ]
    ],
    samples=on(REALS),
    holomorphic=True,
)


def _growth(x: Any) -> Any:
    """Derivative of 2/3 x^(3/2), by which the scaled functions are scaled."""
    if x.dtype.kind == "c":
        raise errors.UnsupportedError(
            errors.at_user_line(
                "airye of a complex argument is scaled by an absolute value and so is not holomorphic: write it with "
                "the unscaled function airy."
            )
        )
    return sqrt(x)


def _decay(x: Any) -> Any:
    """Derivative of |Re(2/3 x^(3/2))|, which is 0 for negative x."""
    return where(x > 0, sqrt(where(x > 0, x, 1)), 0)


airye = outputs(
    sp.airye,
    [
        [
            lambda out, z: out[1] + _growth(z) * out[0],
            lambda out, z: z * out[0] + _growth(z) * out[1],
            lambda out, z: out[3] - _decay(z) * out[2],
            lambda out, z: z * out[2] - _decay(z) * out[3],
        ]
    ],
    samples=on(POSITIVE),
)


def _ai(x: Any) -> Any:
    return airy(x)[0]


def _bi(x: Any) -> Any:
    return airy(x)[2]


itairy = outputs(  # integrals of Ai(t), Bi(t), Ai(-t), Bi(-t) from 0 to x
    sp.itairy,
    [[lambda _out, x: _ai(x), lambda _out, x: _bi(x), lambda _out, x: _ai(-x), lambda _out, x: _bi(-x)]],
    samples=on((0.05, 0.3)),  # SciPy's values have four digits less beyond
)
