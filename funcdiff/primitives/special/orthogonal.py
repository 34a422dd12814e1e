"""Orthogonal polynomials and associated Legendre functions (DLMF 14, 18).

A derivative wrt the argument is a polynomial of the next family (18.9.15-28).  With real degree these are
hypergeometric functions (18.5.7-12); derivatives wrt degrees and parameters are those of
`hypergeometric_parameters`, for real arguments above -1, and with whole degrees for all real arguments.
Relative errors are about 1e-11 for degrees up to 20.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff import errors
from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.arithmetic import scale, sqrt
from funcdiff.primitives.domains import AROUND_ZERO, POSITIVE, on, orders
from funcdiff.primitives.selection import where
from funcdiff.primitives.special import hypergeometric_parameters as parameters
from funcdiff.primitives.special.gamma import binom, digamma
from funcdiff.primitives.special.hypergeometric_parameters import gauss
from funcdiff.primitives.special.quadrature import cauchy
from funcdiff.primitives.special.shared import INTEGER, derivatives, in_precision_of, of_orders, weak


def _degrees(*others: tuple[float, float]) -> Any:
    """Return a sampler of degrees, real and whole, parameters and arguments."""

    def samples(rng: np.random.Generator) -> Any:
        whole = (np.array([0, 1, 4]), *(rng.uniform(*d, 3) for d in others))
        one = (3, *(rng.uniform(*d) for d in others))
        return [*on((0.4, 3.6), *others)(rng)[2:], (whole, {}), (one, {})]

    return samples


def _psi(x: Any) -> Any:
    return weak(digamma, x)


# --- Jacobi: binom(n + α, n) 2F1(-n, n + α + β + 1; α + 1; (1 - x) / 2) ---------------------------------------------


def _polynomial(n: Any, alpha: Any, beta: Any, x: Any, order: int) -> Any:
    """Derivative wrt x of the hypergeometric function, of complex degree and parameters (15.5.1)."""
    front: Any = 1.0
    for j in range(order):
        front = front * (n - j) * (n + alpha + beta + 1 + j) / (2 * (alpha + 1 + j))
    return front * gauss(order - n, n + alpha + beta + 1 + order, alpha + 1 + order, (1 - x) / 2)


def _arrays(x: Any, *parameters: Any) -> tuple[list[Any], Any, Any]:
    """Degree and parameters, the argument, and where the function of real degree is real."""
    if np.iscomplexobj(x):
        raise errors.UnsupportedError(
            errors.at_user_line(
                "derivatives of orthogonal polynomials with respect to degrees and parameters are known for real "
                "arguments only."
            )
        )
    *found, y = np.broadcast_arrays(*(np.asarray(p, float) for p in parameters), np.asarray(x, float))
    return found, y, y > -1


def _jacobi(n: Any, alpha: Any, beta: Any, x: Any, *, orders: tuple[int, int, int, int]) -> Any:
    i, j, k, order = orders
    (d, p, q), y, valid = _arrays(x, n, alpha, beta)
    valid = valid | ((d == np.rint(d)) & (d >= 0) & (i == 0))
    y = np.where(valid, y, 0.0)

    def over_beta(d: Any, p: Any) -> Any:
        return cauchy(lambda q: _polynomial(d, p, q, y, order), q, k, 0.3, within=(i > 0) + (j > 0))

    def over_alpha(d: Any) -> Any:
        return cauchy(lambda p: over_beta(d, p), p, j, np.minimum(p + 1, 2) / 8, within=int(i > 0))

    return in_precision_of(np.where(valid, cauchy(over_alpha, d, i, 0.3), np.nan), n, alpha, beta, x)


jacobi_parameter: Function = derivatives(
    _jacobi,
    name="jacobi_parameter",
    active=[0, 1, 2, 3],
    samples=lambda rng: [
        (args, {"orders": o})
        for o, (args, _params) in zip(
            ((1, 0, 0, 0), (0, 0, 1, 0)),
            on((0.4, 3.6), POSITIVE, POSITIVE, AROUND_ZERO)(rng)[2:],
            strict=True,
        )
    ],
    doc="Derivative of the Jacobi function that is 1 at x = 1, of the orders given.",
)


def _jacobi_value(n: Any, alpha: Any, beta: Any, x: Any) -> Any:
    """The polynomial itself, which SciPy computes with fewer digits where degrees are not whole."""
    return weak(binom, n + alpha, n) * jacobi_parameter(n, alpha, beta, x, orders=(0, 0, 0, 0))


def _jacobi_n(n: Any, alpha: Any, beta: Any, x: Any) -> Any:
    slope = jacobi_parameter(n, alpha, beta, x, orders=(1, 0, 0, 0))
    return (
        _jacobi_value(n, alpha, beta, x) * (_psi(n + alpha + 1) - _psi(n + 1))
        + weak(binom, n + alpha, n) * slope
    )


def _jacobi_alpha(n: Any, alpha: Any, beta: Any, x: Any) -> Any:
    slope = jacobi_parameter(n, alpha, beta, x, orders=(0, 1, 0, 0))
    return (
        _jacobi_value(n, alpha, beta, x) * (_psi(n + alpha + 1) - _psi(alpha + 1))
        + weak(binom, n + alpha, n) * slope
    )


def _jacobi_beta(n: Any, alpha: Any, beta: Any, x: Any) -> Any:
    return weak(binom, n + alpha, n) * jacobi_parameter(n, alpha, beta, x, orders=(0, 0, 1, 0))


def _jacobi_x(n: Any, alpha: Any, beta: Any, x: Any) -> Any:
    return (n + alpha + beta + 1) / 2 * eval_jacobi(n - 1, alpha + 1, beta + 1, x)


eval_jacobi: Function = elementwise(
    sp.eval_jacobi,
    [
        lambda _out, n, alpha, beta, x: _jacobi_n(n, alpha, beta, x),
        lambda _out, n, alpha, beta, x: _jacobi_alpha(n, alpha, beta, x),
        lambda _out, n, alpha, beta, x: _jacobi_beta(n, alpha, beta, x),
        lambda _out, n, alpha, beta, x: _jacobi_x(n, alpha, beta, x),
    ],
    samples=_degrees(POSITIVE, POSITIVE, AROUND_ZERO),
)


def _shifted_jacobi_norm(n: Any, p: Any) -> Any:
    return weak(binom, 2 * n + p - 1, n)


def _shifted_jacobi_n(out: Any, n: Any, p: Any, q: Any, x: Any) -> Any:
    at = (n, p - q, q - 1, 2 * x - 1)
    norm = _shifted_jacobi_norm(n, p)
    fall = 2 * _psi(2 * n + p) - _psi(n + 1) - _psi(n + p)
    return _jacobi_n(*at) / norm - out * fall


def _shifted_jacobi_p(out: Any, n: Any, p: Any, q: Any, x: Any) -> Any:
    at = (n, p - q, q - 1, 2 * x - 1)
    norm = _shifted_jacobi_norm(n, p)
    return _jacobi_alpha(*at) / norm - out * (_psi(2 * n + p) - _psi(n + p))


def _shifted_jacobi_q(out: Any, n: Any, p: Any, q: Any, x: Any) -> Any:
    at = (n, p - q, q - 1, 2 * x - 1)
    norm = _shifted_jacobi_norm(n, p)
    return (_jacobi_beta(*at) - _jacobi_alpha(*at)) / norm


eval_sh_jacobi = elementwise(  # of parameters p - q and q - 1, at 2x - 1, over binom(2n + p - 1, n)
    sp.eval_sh_jacobi,
    [
        lambda out, n, p, q, x: _shifted_jacobi_n(out, n, p, q, x),
        lambda out, n, p, q, x: _shifted_jacobi_p(out, n, p, q, x),
        lambda out, n, p, q, x: _shifted_jacobi_q(out, n, p, q, x),
        lambda _out, n, p, q, x: 2 * _jacobi_x(n, p - q, q - 1, 2 * x - 1) / _shifted_jacobi_norm(n, p),
    ],
    samples=_degrees((3.1, 4.0), (0.3, 2.0), (0.1, 0.9)),
)

# --- Gegenbauer: (2α)_n / n! times the function that is 1 at x = 1, which is Chebyshev's, Legendre's for α = 0, 1/2 -----


def _zonal(n: Any, alpha: Any, x: Any, *, orders: tuple[int, int, int]) -> Any:
    i, j, order = orders
    (d, p), y, valid = _arrays(x, n, alpha)
    valid = valid | ((d == np.rint(d)) & (d >= 0) & (i == 0))
    y = np.where(valid, y, 0.0)

    def over_alpha(d: Any) -> Any:
        def at(p: Any) -> Any:
            return _polynomial(d, p - 0.5, p - 0.5, y, order)

        return cauchy(at, p, j, np.minimum(p + 0.5, 2) / 8, within=int(i > 0))

    return in_precision_of(np.where(valid, cauchy(over_alpha, d, i, 0.3), np.nan), n, alpha, x)


zonal: Function = derivatives(
    _zonal,
    name="zonal",
    active=[0, 1, 2],
    samples=of_orders(lambda rng: on((0.4, 3.6), POSITIVE, AROUND_ZERO)(rng)[1:3], (1, 0, 0), (0, 1, 0)),
    doc="Derivative of the Gegenbauer function that is 1 at x = 1, of the orders given.",
)


def _gegenbauer_front(n: Any, alpha: Any) -> Any:
    return weak(binom, n + 2 * alpha - 1, n)


def _gegenbauer_n(out: Any, n: Any, alpha: Any, x: Any) -> Any:
    slope = zonal(n, alpha, x, orders=(1, 0, 0))
    return out * (_psi(n + 2 * alpha) - _psi(n + 1)) + _gegenbauer_front(n, alpha) * slope


def _gegenbauer_alpha(out: Any, n: Any, alpha: Any, x: Any) -> Any:
    slope = zonal(n, alpha, x, orders=(0, 1, 0))
    return 2 * out * (_psi(n + 2 * alpha) - _psi(2 * alpha)) + _gegenbauer_front(n, alpha) * slope


def _legendre_n(n: Any, x: Any) -> Any:
    return zonal(n, 0.5, x, orders=(1, 0, 0))


def _chebyt_n(n: Any, x: Any) -> Any:
    return zonal(n, 0.0, x, orders=(1, 0, 0))


def _chebyu_n(n: Any, x: Any) -> Any:
    return (n + 1) * zonal(n, 1.0, x, orders=(1, 0, 0)) + zonal(n, 1.0, x, orders=(0, 0, 0))


eval_gegenbauer: Function = elementwise(
    sp.eval_gegenbauer,
    [
        lambda out, n, alpha, x: _gegenbauer_n(out, n, alpha, x),
        lambda out, n, alpha, x: _gegenbauer_alpha(out, n, alpha, x),
        lambda _out, n, alpha, x: 2 * alpha * eval_gegenbauer(n - 1, alpha + 1, x),
    ],
    samples=_degrees(POSITIVE, AROUND_ZERO),
)

eval_legendre = elementwise(
    sp.eval_legendre,
    [lambda _out, n, x: _legendre_n(n, x), lambda _out, n, x: eval_gegenbauer(n - 1, 1.5, x)],
    samples=_degrees(AROUND_ZERO),
)
eval_sh_legendre = elementwise(  # at 2x - 1
    sp.eval_sh_legendre,
    [
        lambda _out, n, x: _legendre_n(n, 2 * x - 1),
        lambda _out, n, x: 2 * eval_gegenbauer(n - 1, 1.5, 2 * x - 1),
    ],
    samples=_degrees((0.1, 0.9)),
)
eval_chebyt = elementwise(
    sp.eval_chebyt,
    [lambda _out, n, x: _chebyt_n(n, x), lambda _out, n, x: n * eval_chebyu(n - 1, x)],
    samples=_degrees(AROUND_ZERO),
)
eval_chebyu: Function = elementwise(
    sp.eval_chebyu,
    [lambda _out, n, x: _chebyu_n(n, x), lambda _out, n, x: 2 * eval_gegenbauer(n - 1, 2.0, x)],
    samples=_degrees(AROUND_ZERO),
)
eval_chebyc = elementwise(  # 2 T at x / 2
    sp.eval_chebyc,
    [lambda _out, n, x: 2 * _chebyt_n(n, x / 2), lambda _out, n, x: n * eval_chebyu(n - 1, x / 2)],
    samples=_degrees((-1.8, 1.8)),
)
eval_chebys = elementwise(  # U at x / 2
    sp.eval_chebys,
    [lambda _out, n, x: _chebyu_n(n, x / 2), lambda _out, n, x: eval_gegenbauer(n - 1, 2.0, x / 2)],
    samples=_degrees((-1.8, 1.8)),
)
eval_sh_chebyt = elementwise(
    sp.eval_sh_chebyt,
    [lambda _out, n, x: _chebyt_n(n, 2 * x - 1), lambda _out, n, x: 2 * n * eval_chebyu(n - 1, 2 * x - 1)],
    samples=_degrees((0.1, 0.9)),
)
eval_sh_chebyu = elementwise(
    sp.eval_sh_chebyu,
    [
        lambda _out, n, x: _chebyu_n(n, 2 * x - 1),
        lambda _out, n, x: 4 * eval_gegenbauer(n - 1, 2.0, 2 * x - 1),
    ],
    samples=_degrees((0.1, 0.9)),
)

# --- Laguerre: binom(n + α, n) 1F1(-n; α + 1; x) ------------------------------------------------------------------------


def _laguerre_n(out: Any, n: Any, alpha: Any, x: Any) -> Any:
    slope = -parameters.hyp1f1(-n, alpha + 1, x, orders=(1, 0, 0))
    return out * (_psi(n + alpha + 1) - _psi(n + 1)) + weak(binom, n + alpha, n) * slope


def _laguerre_alpha(out: Any, n: Any, alpha: Any, x: Any) -> Any:
    slope = parameters.hyp1f1(-n, alpha + 1, x, orders=(0, 1, 0))
    return out * (_psi(n + alpha + 1) - _psi(alpha + 1)) + weak(binom, n + alpha, n) * slope


eval_genlaguerre: Function = elementwise(
    sp.eval_genlaguerre,
    [
        lambda out, n, alpha, x: _laguerre_n(out, n, alpha, x),
        lambda out, n, alpha, x: _laguerre_alpha(out, n, alpha, x),
        lambda _out, n, alpha, x: -eval_genlaguerre(n - 1, alpha + 1, x),
    ],
    samples=_degrees(POSITIVE, POSITIVE),
)
eval_laguerre = elementwise(
    sp.eval_laguerre,
    [
        lambda out, n, x: _laguerre_n(out, n, 0.0, x),
        lambda _out, n, x: -eval_genlaguerre(n - 1, 1.0, x),
    ],
    samples=_degrees(POSITIVE),
)

# --- Hermite ----------------------------------------------------------------------------------------------------------------

eval_hermite: Function = elementwise(
    sp.eval_hermite,
    [None, lambda _out, n, x: scale(2 * n, eval_hermite(abs(n - 1), x))],
    samples=orders(-2.0, 2.0),
    missing={0: INTEGER},
    name="eval_hermite",
)
eval_hermitenorm: Function = elementwise(
    sp.eval_hermitenorm,
    [None, lambda _out, n, x: scale(n, eval_hermitenorm(abs(n - 1), x))],
    samples=orders(-2.0, 2.0),
    missing={0: INTEGER},
    name="eval_hermitenorm",
)

# --- associated Legendre functions on the cut (14.3.1, 14.10.4) -----------------------------------------------------------------


def _legendre(m: Any, v: Any, x: Any) -> Any:
    """P of whole order m and complex degree v."""
    size = np.abs(m)
    front: Any = 1.0
    for k in range(1, int(np.max(size, initial=0)) + 1):
        due = size >= k
        grown = np.where(m > 0, -(v + k) * (v - k + 1), 1.0) / (2 * k)
        front = front * np.where(due, grown, 1.0)
    edge = np.sqrt((1 - x) * (1 + x)) ** size
    return front * edge * gauss(size - v, size + v + 1, size + 1.0, (1 - x) / 2)


def _lpmv_degree(m: Any, v: Any, x: Any, *, orders: tuple[int]) -> Any:
    arrays = np.broadcast_arrays(*(np.asarray(a, float) for a in (m, v, x)))
    valid = np.abs(arrays[2]) < 1
    k, nu, y = arrays[0], arrays[1], np.where(valid, arrays[2], 0.0)
    out = cauchy(lambda nu: _legendre(k, nu, y), nu, orders[0], 0.3)
    return in_precision_of(np.where(valid, out, np.nan), m, v, x)


def _by_order(f: Function, m: Any, v: Any, x: Any, **params: Any) -> Any:
    square = (1 - x) * (1 + x)
    return -f(m + 1, v, x, **params) / sqrt(square) - scale(m, x / square * f(m, v, x, **params))


lpmv_degree: Function = derivatives(
    _lpmv_degree,
    name="lpmv_degree",
    active=[1],
    rules={2: lambda _out, m, v, x, *, orders: _by_order(lpmv_degree, m, v, x, orders=orders)},
    samples=lambda rng: [
        ((np.array([0, 1, -2]), rng.uniform(0.5, 3.5, 3), rng.uniform(-0.8, 0.8, 3)), {"orders": (1,)})
    ],
    missing={0: INTEGER},
    doc="Derivative of lpmv wrt its degree, of the order given.",
)


def _lpmv_x(m: Any, v: Any, x: Any) -> Any:
    """By the next order, which for order 0 is regular at ±1."""
    return where(np.equal(m, 0), eval_gegenbauer(v - 1.0, 1.5, x), _by_order(lpmv, m, v, x))


lpmv: Function = elementwise(
    sp.lpmv,
    [
        None,
        lambda _out, m, v, x: lpmv_degree(m, v, x, orders=(1,)),
        lambda _out, m, v, x: _lpmv_x(m, v, x),
    ],
    samples=lambda rng: [
        ((np.array([0, 1, 2]), rng.uniform(0.5, 3.5, 3), rng.uniform(-0.8, 0.8, 3)), {}),
        ((np.array([[0], [1]]), np.array([2, 3, 1]), rng.uniform(-0.8, 0.8, 3)), {}),
        ((1, 2, rng.uniform(-0.8, 0.8)), {}),
    ],
    missing={0: INTEGER},
    name="lpmv",
)
