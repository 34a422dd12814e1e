"""Mathieu functions (DLMF 28): wrt the argument by their equation, wrt q by perturbed Fourier coefficients.

The characteristic values are eigenvalues of tridiagonal matrices T + q P (28.4.5-8), analytic in q near the real
axis, where Cauchy's integral differentiates them; errors are about 1e-12.  SciPy measures the angle in
degrees, and the derivative it returns is that wrt radians.
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
    PER_DEGREE,
    derivatives,
    in_precision_of,
    outputs,
)
from funcdiff.primitives.trigonometric import cos, cosh

UNKNOWN = "no accurate method is known here for the modified functions"


def _count(m: int, q: float) -> int:
    return 20 + m // 2 + int(2 * abs(q) ** 0.5)


def _matrix(m: int, q: Any, odd: bool, count: int) -> tuple[Any, Any, int]:
    """The matrix for Fourier coefficients, the frequencies, and the place of the eigenvalue among them."""
    parity = m % 2
    first = parity or (2 if odd else 0)
    frequencies = first + 2 * np.arange(count)
    q = np.asarray(q)[..., None, None]
    matrix = np.diag(frequencies**2.0) + q * (np.eye(count, k=1) + np.eye(count, k=-1))
    if parity:  # 28.4.6 and 28.4.7
        matrix[..., 0, 0] += -q[..., 0, 0] if odd else q[..., 0, 0]
    elif not odd:  # 28.4.5, made symmetric
        corner = (np.sqrt(2.0) - 1) * q[..., 0, 0]
        matrix[..., 0, 1] += corner
        matrix[..., 1, 0] += corner
    return matrix, frequencies, (m - first) // 2


def _eigen(m: int, q: float, odd: bool) -> tuple[Any, Any, Any]:
    """Characteristic value and normalized coefficients on a circle about q, by continuation from q itself."""
    matrix, frequencies, place = _matrix(m, np.array(q), odd, _count(m, q))
    values, vectors = np.linalg.eigh(matrix)
    return values[place], vectors[:, place], frequencies


def _along_circle(m: int, q: float, turn: Any, odd: bool) -> tuple[Any, Any, Any]:
    _value, vector, frequencies = _eigen(m, q, odd)
    matrices, _, _ = _matrix(m, turn, odd, _count(m, q))
    values, vectors = np.linalg.eig(matrices)
    # the eigenvector that overlaps most with that at q is its continuation
    overlaps = np.abs(np.einsum("i,kij->kj", vector, vectors)) / np.sqrt(np.sum(np.abs(vectors) ** 2, axis=1))
    best = np.argmax(overlaps, axis=1)
    rows = np.arange(len(best))
    chosen = vectors[rows, :, best]
    chosen = chosen / np.sqrt(np.sum(chosen * chosen, axis=1))[:, None]  # bilinear: analytic in q
    sign = np.sign(np.real(chosen @ vector))
    return values[rows, best], chosen * sign[:, None], frequencies


def _of_q(m: Any, q: Any, odd: bool, order: int, then: Any) -> Any:
    """Derivative wrt q, element by element, of a function of the value, coefficients, frequencies and index."""
    m, q = np.broadcast_arrays(np.asarray(m, float), np.asarray(q, float))
    out = np.full(q.shape, np.nan)
    for index in np.ndindex(q.shape):
        n, at = int(m[index]), float(q[index])
        if n < (1 if odd else 0) or not np.isfinite(at):
            continue
        if order == 0:
            out[index] = then(*_eigen(n, at, odd), index)
            continue

        def on_circle(turn: Any, n: int = n, at: float = at, index: Any = index) -> Any:
            value, vector, frequencies = _along_circle(n, at, turn, odd)
            return then(value, vector, frequencies, index)

        out[index] = cauchy(on_circle, at, order, 0.1)
    return out


def _value_order(odd: bool) -> Function:
    def impl(m: Any, q: Any, *, orders: tuple[int]) -> Any:
        return in_precision_of(_of_q(m, q, odd, orders[0], lambda value, *_rest: value), m, q)

    return impl


def _function_order(odd: bool) -> Function:
    """Derivatives of ce or se, wrt q and radians; the sign is that of SciPy's (28.2.29)."""

    def impl(m: Any, q: Any, x: Any, *, orders: tuple[int, int]) -> Any:
        m_, q_, x_ = np.broadcast_arrays(*(np.asarray(a, float) for a in (m, q, x)))

        def series(_value: Any, vector: Any, frequencies: Any, index: Any) -> Any:
            angle = PER_DEGREE * x_[index]
            weight = np.where(frequencies == 0, np.sqrt(0.5), 1.0) * frequencies ** orders[1]
            phase = frequencies * angle + orders[1] * np.pi / 2
            waves = weight * (np.sin(phase) if odd else np.cos(phase))
            sums = vector @ waves
            at_zero = vector @ (frequencies if odd else np.where(frequencies == 0, np.sqrt(0.5), 1.0))
            return sums * np.sign(np.real(at_zero))

        return in_precision_of(_of_q(m_, q_, odd, orders[0], series), m, q, x)

    return impl


def _value_samples(rng: np.random.Generator) -> Any:
    return [((np.array([1, 2, 3]), rng.uniform(0.5, 4.0, 3)), {}), ((2, rng.uniform(0.5, 4.0)), {})]


def _samples(rng: np.random.Generator) -> Any:
    return [
        ((np.array([1, 2, 3]), rng.uniform(0.5, 4.0, 3), rng.uniform(5.0, 80.0, 3)), {}),
        ((2, rng.uniform(0.5, 4.0), rng.uniform(5.0, 80.0)), {}),
    ]


def _with_orders(sampler: Any, orders: tuple[int, ...]) -> Any:
    return lambda rng: [(args, {"orders": orders}) for args, _params in sampler(rng)]


mathieu_a_order: Function = derivatives(
    _value_order(False),
    name="mathieu_a_order",
    active=[1],
    samples=_with_orders(_value_samples, (1,)),
    missing={0: INTEGER},
    doc="Derivative of mathieu_a wrt q, of the order given.",
)
mathieu_b_order: Function = derivatives(
    _value_order(True),
    name="mathieu_b_order",
    active=[1],
    samples=_with_orders(_value_samples, (1,)),
    missing={0: INTEGER},
    doc="Derivative of mathieu_b wrt q, of the order given.",
)
mathieu_a = elementwise(
    sp.mathieu_a,
    [None, lambda _out, m, q: mathieu_a_order(m, q, orders=(1,))],
    samples=_value_samples,
    missing={0: INTEGER},
)
mathieu_b = elementwise(
    sp.mathieu_b,
    [None, lambda _out, m, q: mathieu_b_order(m, q, orders=(1,))],
    samples=_value_samples,
    missing={0: INTEGER},
)


def _raise_angle(f: Function) -> Function:
    def slope(m: Any, q: Any, x: Any, orders: tuple[int, int]) -> Any:
        return PER_DEGREE * f(m, q, x, orders=(orders[0], orders[1] + 1))

    return slope


cem_order: Function = derivatives(
    _function_order(False),
    name="cem_order",
    active=[1],
    rules={2: lambda _out, m, q, x, *, orders: _raise_angle(cem_order)(m, q, x, orders)},
    samples=_with_orders(_samples, (1, 0)),
    missing={0: INTEGER},
    doc="Derivative of mathieu_cem wrt q and the angle in radians, of the orders given.",
)
sem_order: Function = derivatives(
    _function_order(True),
    name="sem_order",
    active=[1],
    rules={2: lambda _out, m, q, x, *, orders: _raise_angle(sem_order)(m, q, x, orders)},
    samples=_with_orders(_samples, (1, 1)),
    missing={0: INTEGER},
    doc="Derivative of mathieu_sem wrt q and the angle in radians, of the orders given.",
)


def _bend(value: Any, q: Any, x: Any) -> Any:
    """The factor of Mathieu's equation y'' = -(a - 2 q cos 2x) y (28.2.1), per degree."""
    return -PER_DEGREE * (value - 2 * q * cos(2 * PER_DEGREE * x))


mathieu_cem = outputs(
    sp.mathieu_cem,
    [
        None,
        [
            lambda _out, m, q, x: cem_order(m, q, x, orders=(1, 0)),
            lambda _out, m, q, x: cem_order(m, q, x, orders=(1, 1)),
        ],
        [
            lambda out, _m, _q, _x: PER_DEGREE * out[1],
            lambda out, m, q, x: _bend(mathieu_a(m, q), q, x) * out[0],
        ],
    ],
    samples=_samples,
    in_double=True,
    missing={0: INTEGER},
)
mathieu_sem = outputs(
    sp.mathieu_sem,
    [
        None,
        [
            lambda _out, m, q, x: sem_order(m, q, x, orders=(1, 0)),
            lambda _out, m, q, x: sem_order(m, q, x, orders=(1, 1)),
        ],
        [
            lambda out, _m, _q, _x: PER_DEGREE * out[1],
            lambda out, m, q, x: _bend(mathieu_b(m, q), q, x) * out[0],
        ],
    ],
    samples=_samples,
    in_double=True,
    missing={0: INTEGER},
)


def _modified(ufunc: np.ufunc, value: Function) -> Function:
    """Declare a modified function, a solution of y'' = (a - 2 q cosh 2x) y (28.20.1)."""
    return outputs(
        ufunc,
        [
            None,
            None,
            [
                lambda out, _m, _q, _x: out[1],
                lambda out, m, q, x: (value(m, q) - 2 * q * cosh(2 * x)) * out[0],
            ],
        ],
        samples=lambda rng: [
            ((np.array([1, 2, 3]), np.array([1, 2, 3]), rng.uniform(0.2, 0.9, 3)), {}),
        ],
        in_double=True,
        missing={0: INTEGER, 1: UNKNOWN},
    )


mathieu_modcem1 = _modified(sp.mathieu_modcem1, mathieu_a)
mathieu_modcem2 = _modified(sp.mathieu_modcem2, mathieu_a)
mathieu_modsem1 = _modified(sp.mathieu_modsem1, mathieu_b)
mathieu_modsem2 = _modified(sp.mathieu_modsem2, mathieu_b)
