"""Spheroidal wave functions (DLMF 30): derivatives wrt the argument, by their differential equations.

Characteristic values are differentiated wrt c by Cauchy's integral over the eigenvalues of the tridiagonal
matrix of 30.8.2 (made symmetric), to about 1e-12.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.special.quadrature import cauchy
from funcdiff.primitives.special.shared import (
    INTEGER,
    UFUNCS,
    derivatives,
    in_double_precision,
    in_precision_of,
    outputs,
)

SIZE = (
    "no accurate method is known here for the size parameter of the functions, only of characteristic values"
)
VALUE = "SciPy takes it for the characteristic value that belongs to the other parameters"
_CHOSEN = {0: INTEGER, 1: INTEGER, 2: SIZE}
_GIVEN = {**_CHOSEN, 3: VALUE}


def _matrix(m: int, n: int, square: Any) -> tuple[Any, int]:
    """The matrix of the equation in normalized Legendre functions of degrees of one parity, with γ² = c²."""
    count = 20 + (n - m) // 2 + int(np.sqrt(np.max(np.abs(square), initial=0.0)))
    parity = (n - m) % 2
    degree = m + parity + 2.0 * np.arange(count)

    def step(k: Any) -> Any:  # x times the normalized function of degree k has this much of degree k + 1
        return np.sqrt(((k + 1) ** 2 - m * m) / ((2 * k + 1) * (2 * k + 3)))

    below = np.where(degree > m, step(np.maximum(degree - 1, m)), 0.0)
    diagonal = step(degree) ** 2 + below**2
    beside = (step(degree) * step(degree + 1))[:-1]
    x_squared = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    square = np.asarray(square)[..., None, None]
    return np.diag(degree * (degree + 1)) + square * x_squared, (n - m) // 2


def _value_order(sign: int) -> Function:
    def impl(m: Any, n: Any, c: Any, *, orders: tuple[int]) -> Any:
        arrays = np.broadcast_arrays(*(np.asarray(a, float) for a in (m, n, c)))
        out = np.full(arrays[2].shape, np.nan)
        for index in np.ndindex(out.shape):
            i, j, at = int(arrays[0][index]), int(arrays[1][index]), float(arrays[2][index])
            if i < 0 or j < i or not np.isfinite(at):
                continue
            matrix, place = _matrix(i, j, sign * np.array(at * at))
            here = np.linalg.eigvalsh(matrix)[place]

            def on_circle(c: Any, i: int = i, j: int = j, here: float = here) -> Any:
                values = np.linalg.eigvals(_matrix(i, j, sign * c * c)[0])
                nearest = np.argmin(np.abs(values - here), axis=-1)
                return np.take_along_axis(values, nearest[..., None], -1)[..., 0]

            out[index] = cauchy(on_circle, at, orders[0], 0.1) if orders[0] else here
        return in_precision_of(out, m, n, c)

    return impl


def _value_samples(rng: np.random.Generator) -> Any:
    return [
        ((np.array([0, 1, 1]), np.array([1, 2, 1]), rng.uniform(0.5, 2.0, 3)), {}),
        ((1, 2, rng.uniform(0.5, 2.0)), {}),
    ]


def _order_samples(rng: np.random.Generator) -> Any:
    return [(args, {"orders": (1,)}) for args, _params in _value_samples(rng)]


pro_cv_order: Function = derivatives(
    _value_order(1),
    name="pro_cv_order",
    active=[2],
    samples=_order_samples,
    missing=_CHOSEN,
    doc="Derivative of pro_cv wrt c, of the order given.",
)
obl_cv_order: Function = derivatives(
    _value_order(-1),
    name="obl_cv_order",
    active=[2],
    samples=_order_samples,
    missing=_CHOSEN,
    doc="Derivative of obl_cv wrt c, of the order given.",
)
pro_cv = elementwise(
    in_double_precision(sp.pro_cv),
    [None, None, lambda _out, m, n, c: pro_cv_order(m, n, c, orders=(1,))],
    name="pro_cv",
    samples=_value_samples,
    missing=_CHOSEN,
)
obl_cv = elementwise(
    in_double_precision(sp.obl_cv),
    [None, None, lambda _out, m, n, c: obl_cv_order(m, n, c, orders=(1,))],
    name="obl_cv",
    samples=_value_samples,
    missing=_CHOSEN,
)

UFUNCS |= {sp.pro_cv: pro_cv, sp.obl_cv: obl_cv}

# --- equations: the second derivative from value and slope, with λ for the characteristic value -----------------------------


def _angular(sign: int) -> Function:
    """((1 - x²) y')' + (λ - s c² x² - m² / (1 - x²)) y = 0, s = 1 prolate (30.2.1), -1 oblate."""

    def bend(out: Any, m: Any, value: Any, c: Any, x: Any) -> Any:
        width = (1 - x) * (1 + x)
        return (2 * x * out[1] - (value - sign * c * c * x * x - m * m / width) * out[0]) / width

    return bend


def _radial(sign: int) -> Function:
    """((x² - s) y')' - (λ - c² x² + s m² / (x² - s)) y = 0 (30.11.1, 30.13.13)."""

    def bend(out: Any, m: Any, value: Any, c: Any, x: Any) -> Any:
        width = x * x - sign
        return (-2 * x * out[1] + (value - c * c * x * x + sign * m * m / width) * out[0]) / width

    return bend


Indices = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
FIRST: Indices = ((0, 1, 1), (1, 2, 1), (1, 2, 1))
# the functions of the second kind do not solve their equation for other m, n and c in SciPy
PROLATE_SECOND: Indices = ((0, 0, 0), (0, 1, 2), (1, 3, 2))
OBLATE_SECOND: Indices = ((1, 2, 1), (1, 2, 1), (1, 2, 2))


def _functions(
    chosen: np.ufunc,
    given: np.ufunc,
    bend: Function,
    value: Function,
    interval: tuple[float, float],
    indices: Indices = FIRST,
) -> None:
    """Declare a pair of ufuncs: one that finds its characteristic value, and one that is given it."""
    low, high = interval

    def plain(rng: np.random.Generator) -> Any:
        m, n, c = (np.array(k) for k in indices)
        one = tuple(k[0] for k in indices)
        return [((m, n, c, rng.uniform(low, high, 3)), {}), ((*one, rng.uniform(low, high)), {})]

    def with_value(rng: np.random.Generator) -> Any:
        return [((m, n, c, value(m, n, c), x), {}) for (m, n, c, x), _params in plain(rng)]

    outputs(
        chosen,
        [
            None,
            None,
            None,
            [
                lambda out, _m, _n, _c, _x: out[1],
                lambda out, m, n, c, x: bend(out, m, value(m, n, c), c, x),
            ],
        ],
        samples=plain,
        in_double=True,
        missing=_CHOSEN,
    )
    outputs(
        given,
        [
            None,
            None,
            None,
            None,
            [
                lambda out, _m, _n, _c, _v, _x: out[1],
                lambda out, m, _n, c, v, x: bend(out, m, v, c, x),
            ],
        ],
        samples=with_value,
        in_double=True,
        missing=_GIVEN,
    )


_functions(sp.pro_ang1, sp.pro_ang1_cv, _angular(1), pro_cv, (-0.8, 0.8))
_functions(sp.obl_ang1, sp.obl_ang1_cv, _angular(-1), obl_cv, (-0.8, 0.8))
_functions(sp.pro_rad1, sp.pro_rad1_cv, _radial(1), pro_cv, (1.3, 2.0))
_functions(sp.pro_rad2, sp.pro_rad2_cv, _radial(1), pro_cv, (1.3, 2.0), PROLATE_SECOND)
_functions(sp.obl_rad1, sp.obl_rad1_cv, _radial(-1), obl_cv, (0.4, 1.5))
_functions(sp.obl_rad2, sp.obl_rad2_cv, _radial(-1), obl_cv, (0.4, 1.5), OBLATE_SECOND)
