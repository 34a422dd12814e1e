"""Spheroidal wave functions (DLMF 30): derivatives wrt the argument, by their differential equations.

Characteristic values and angular functions are differentiated wrt c by Cauchy's integral over eigenvalues and
eigenvectors of the tridiagonal matrix of 30.8.2 (made symmetric), to about 1e-12.  SciPy's angular functions, without
Condon and Shortley's sign, have at 0 the value or slope of the Legendre function (Flammer 1957, 3.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff import errors
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
GIVEN = "where the characteristic value is given, they would have to change together"
_CHOSEN = {0: INTEGER, 1: INTEGER, 2: SIZE}
_GIVEN = {0: INTEGER, 1: INTEGER, 2: GIVEN, 3: VALUE}


def _count(m: int, n: int, c: float) -> int:
    return 20 + (n - m) // 2 + int(abs(c))


def _matrix(m: int, n: int, square: Any, count: int) -> tuple[Any, int]:
    """The matrix of the equation in normalized Legendre functions of degrees of one parity, with γ² = c²."""
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
            count = _count(i, j, at)
            matrix, place = _matrix(i, j, sign * np.array(at * at), count)
            here = np.linalg.eigvalsh(matrix)[place]

            def on_circle(c: Any, i: int = i, j: int = j, here: float = here, count: int = count) -> Any:
                values = np.linalg.eigvals(_matrix(i, j, sign * c * c, count)[0])
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

# --- angular functions: sums of normalized Legendre functions ---------------------------------------------------------------


def _angle_order(sign: int) -> Function:
    def impl(m: Any, n: Any, c: Any, x: Any, *, orders: tuple[int, int]) -> Any:
        if orders[1] > 2:
            raise errors.UnsupportedError(
                errors.at_user_line(
                    "angular spheroidal functions: third derivatives wrt c and x are not covered."
                )
            )
        arrays = np.broadcast_arrays(*(np.asarray(a, float) for a in (m, n, c, x)))
        out = np.full(arrays[2].shape, np.nan)
        for index in np.ndindex(out.shape):
            i, j = int(arrays[0][index]), int(arrays[1][index])
            at, y = float(arrays[2][index]), float(arrays[3][index])
            if 0 <= i <= j and np.isfinite(at) and abs(y) < 1:
                out[index] = _angular_value(i, j, at, y, sign, orders)
        return in_precision_of(out, m, n, c, x)

    return impl


def _angular_value(m: int, n: int, c: float, x: float, sign: int, orders: tuple[int, int]) -> Any:
    count = _count(m, n, c)
    matrix, place = _matrix(m, n, sign * np.array(c * c), count)
    here = np.linalg.eigh(matrix)[1][:, place]
    parity = (n - m) % 2
    degrees = m + parity + 2 * np.arange(len(here))

    def legendre(degrees: Any, x: float, order: int, norm: bool) -> Any:
        return sp.assoc_legendre_p(degrees, m, x, norm=norm, diff_n=order)[order]

    waves = legendre(degrees, x, orders[1], True)
    at_zero = legendre(degrees, 0.0, parity, True)
    size = (-1) ** m * legendre(n, 0.0, parity, False)

    def on_circle(c: Any) -> Any:
        _values, vectors = np.linalg.eig(_matrix(m, n, sign * c * c, count)[0])
        overlaps = np.abs(np.einsum("i,kij->kj", here, vectors))
        best = np.argmax(overlaps / np.sqrt(np.sum(np.abs(vectors) ** 2, axis=1)), axis=1)
        chosen = vectors[np.arange(len(best)), :, best]
        return size * (chosen @ waves) / (chosen @ at_zero)

    return cauchy(on_circle, c, orders[0], 0.1)


def _angle_samples(rng: np.random.Generator) -> Any:
    m, n = np.array([0, 1, 1]), np.array([1, 2, 1])
    return [
        ((m, n, rng.uniform(0.5, 2.0, 3), rng.uniform(-0.7, 0.7, 3)), {"orders": (1, 0)}),
        ((1, 2, rng.uniform(0.5, 2.0), rng.uniform(-0.7, 0.7)), {"orders": (1, 0)}),
    ]


pro_ang1_order: Function = derivatives(
    _angle_order(1),
    name="pro_ang1_order",
    active=[2, 3],
    samples=_angle_samples,
    missing=_CHOSEN,
    doc="Derivative of pro_ang1 wrt c, 1 at least, and x, of the orders given.",
)
obl_ang1_order: Function = derivatives(
    _angle_order(-1),
    name="obl_ang1_order",
    active=[2, 3],
    samples=_angle_samples,
    missing=_CHOSEN,
    doc="Derivative of obl_ang1 wrt c, 1 at least, and x, of the orders given.",
)

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
    of_size: Function | None = None,
) -> None:
    """Declare a pair of ufuncs: one that finds its characteristic value, and one that is given it."""
    low, high = interval

    def plain(rng: np.random.Generator) -> Any:
        m, n, c = (np.array(k) for k in indices)
        one = tuple(k[0] for k in indices)
        last: Any = ((m, n, rng.uniform(0.5, 2.0, 3), rng.uniform(low, high, 3)), {}) if of_size else None
        first: Any = [((m, n, c, rng.uniform(low, high, 3)), {}), ((*one, rng.uniform(low, high)), {})]
        return [*first, last] if last else first

    def with_value(rng: np.random.Generator) -> Any:
        return [((m, n, c, value(m, n, c), x), {}) for (m, n, c, x), _params in plain(rng)[:2]]

    size = None
    if of_size is not None:
        size = [
            lambda _out, m, n, c, x: of_size(m, n, c, x, orders=(1, 0)),
            lambda _out, m, n, c, x: of_size(m, n, c, x, orders=(1, 1)),
        ]

    outputs(
        chosen,
        [
            None,
            None,
            size,
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


_functions(sp.pro_ang1, sp.pro_ang1_cv, _angular(1), pro_cv, (-0.7, 0.7), of_size=pro_ang1_order)
_functions(sp.obl_ang1, sp.obl_ang1_cv, _angular(-1), obl_cv, (-0.7, 0.7), of_size=obl_ang1_order)
_functions(sp.pro_rad1, sp.pro_rad1_cv, _radial(1), pro_cv, (1.3, 2.0))
_functions(sp.pro_rad2, sp.pro_rad2_cv, _radial(1), pro_cv, (1.3, 2.0), PROLATE_SECOND)
_functions(sp.obl_rad1, sp.obl_rad1_cv, _radial(-1), obl_cv, (0.4, 1.5))
_functions(sp.obl_rad2, sp.obl_rad2_cv, _radial(-1), obl_cv, (0.4, 1.5), OBLATE_SECOND)
