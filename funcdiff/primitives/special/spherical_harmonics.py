"""Legendre functions normalized on the sphere, of the polar angle: derivatives by neighbouring orders.

2 dP/dθ = √((n - m)(n + m + 1)) P(m + 1) - √((n + m)(n - m + 1)) P(m - 1) (DLMF 14.10.5 and 14.30.1), regular at the poles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.special.shared import INTEGER, in_precision_of


def _sph_legendre(n: Any, m: Any, theta: Any) -> Any:
    out = np.where(np.abs(m) <= n, sp.sph_legendre_p(n, m, np.asarray(theta, float))[0], 0.0)
    return in_precision_of(out, theta)


def _ladder(n: Any, m: Any, theta: Any) -> Any:
    up = np.sqrt(np.maximum((n - m) * (n + m + 1.0), 0.0))
    down = np.sqrt(np.maximum((n + m) * (n - m + 1.0), 0.0))
    return (up * sph_legendre_p(n, m + 1, theta) - down * sph_legendre_p(n, m - 1, theta)) / 2


sph_legendre_p: Function = elementwise(
    _sph_legendre,
    [None, None, lambda _out, n, m, theta: _ladder(n, m, theta)],
    name="sph_legendre_p",
    samples=lambda rng: [
        ((np.array([0, 1, 3, 3]), np.array([0, -1, 2, 3]), rng.uniform(0.2, 2.8, 4)), {}),
        ((2, 1, rng.uniform(0.2, 2.8)), {}),
    ],
    missing={0: INTEGER, 1: INTEGER},
)
