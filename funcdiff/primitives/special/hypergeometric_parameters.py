"""Derivatives of hypergeometric functions with respect to their parameters, in plain NumPy.

The functions are evaluated for complex parameters, and Cauchy's integral differentiates them: by power
series (DLMF 13.2.2, 15.2.1, 16.2.1) after the transformations of Kummer (13.2.39) and Pfaff (15.8.1);
2F1 is continued towards 1 by Taylor series of its differential equation (15.10.1); 0F1 of large negative
argument is a Bessel function (10.16.9); U is Laplace's integral (13.4.4) and its recurrence towards smaller a
(13.3.7).  Derivatives wrt the argument shift parameters (13.3.15, 13.3.22, 15.5.1).  Relative errors are
about 1e-12 for parameters up to 10 and grow with them; for 0F1, 1F1 and U also for |z| up to 100.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff import errors
from funcdiff.core.primitive import Function
from funcdiff.primitives.domains import AROUND_ZERO, POSITIVE, REALS, on
from funcdiff.primitives.special import bessel_orders
from funcdiff.primitives.special.quadrature import cauchy, integrate, reach
from funcdiff.primitives.special.shared import derivatives, in_precision_of, of_orders


def _real_arrays(name: str, *args: Any) -> list[Any]:
    if np.iscomplexobj(args[-1]):
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"the derivative of {name} with respect to its parameters is known for real arguments only."
            )
        )
    return [np.array(a) for a in np.broadcast_arrays(*(np.asarray(a, float) for a in args))]


def rising(a: Any, k: int) -> Any:
    """Pochhammer's symbol (a)_k of a whole number k."""
    return math.prod((a + j for j in range(k)), start=1.0)


def _lower_radius(b: Any) -> Any:
    """An eighth of the distance of a lower parameter to the next pole."""
    return np.minimum(np.abs(b - np.minimum(np.rint(b), 0.0)), 1.0) / 8


def _sum_series(upper: list[Any], lower: list[Any], z: Any, count: int) -> Any:
    """Sum terms up to a count, or until they are negligible and none can grow any more."""
    total: Any = 1.0
    term: Any = 1.0
    grown = max((float(np.max(np.abs(a), initial=0.0)) for a in upper), default=0.0) + 6
    for k in range(count):
        if k % 6 == 5 and k > grown and np.all(np.abs(term) <= 1e-18 * np.abs(total)):
            break
        for a in upper:
            term = term * (a + k)
        for b in lower:
            term = term / (b + k)
        term = term * z / (k + 1)
        total = total + term
    return total


# --- 0F1 --------------------------------------------------------------------------------------------------


def _hyp0f1(b: Any, z: Any, *, orders: tuple[int, int]) -> Any:
    """Derivative of order m wrt b of the derivative of order k wrt z, which is 0F1(b + k; z) / (b)_k."""
    m, k = orders
    c, y = _real_arrays("hyp0f1", b, z)
    near = np.maximum(y, -9.0)
    count = int(2 * math.sqrt(np.max(near, initial=0.0))) + 40

    def by_series(c: Any) -> Any:
        return _sum_series([], [c + k], near, count) / rising(c, k)

    out = cauchy(by_series, c, m, _lower_radius(c))
    far = y < -9.0
    if far.any():  # Γ(b) (x/2)^(1 - b - k) J of order b + k - 1, with z = -x²/4
        x = 2 * np.sqrt(np.where(far, -y, 9.0))
        total: Any = 0.0
        for j in range(m + 1):
            front = cauchy(
                lambda c: sp.gamma(c) * np.exp((1 - c - k) * np.log(x / 2)),
                c,
                j,
                _lower_radius(c),
                real=True,
            )
            total = total + math.comb(m, j) * front * bessel_orders.hankel(c + k - 1, x, m - j).real
        out = np.where(far, total, out)
    return in_precision_of(out, b, z)


hyp0f1: Function = derivatives(
    _hyp0f1,
    name="hyp0f1_parameter",
    active=[0, 1],
    samples=of_orders(on(POSITIVE, REALS), (1, 0), (1, 1)),
    doc="Derivative of hyp0f1, of the orders given.",
)

# --- 1F1 --------------------------------------------------------------------------------------------------


def kummer(a: Any, b: Any, z: Any) -> Any:
    """1F1 of complex parameters and real z; for negative z by Kummer's transformation."""
    negative = z < 0
    size = np.abs(z)
    count = int(2.5 * np.max(size, initial=0.0)) + 50
    return np.where(negative, np.exp(np.minimum(z, 0.0)), 1.0) * _sum_series(
        [np.where(negative, b - a, a)], [b], size, count
    )


def _hyp1f1(a: Any, b: Any, z: Any, *, orders: tuple[int, int, int]) -> Any:
    i, j, k = orders
    p, q, y = _real_arrays("hyp1f1", a, b, z)

    def over_b(p: Any) -> Any:
        def shifted(q: Any) -> Any:
            return rising(p, k) / rising(q, k) * kummer(p + k, q + k, y)

        return cauchy(shifted, q, j, _lower_radius(q), within=int(i > 0))

    return in_precision_of(cauchy(over_b, p, i, 0.3), a, b, z)


hyp1f1: Function = derivatives(
    _hyp1f1,
    name="hyp1f1_parameter",
    active=[0, 1, 2],
    samples=of_orders(on(POSITIVE, POSITIVE, REALS), (1, 0, 0), (0, 1, 0), (1, 0, 1)),
    doc="Derivative of hyp1f1, of the orders given.",
)

# --- 2F1 --------------------------------------------------------------------------------------------------

STEPS = 60
"""Terms of a series whose ratio is 1/2."""


def gauss(a: Any, b: Any, c: Any, z: Any) -> Any:
    """2F1 of complex parameters and real z < 1, at 1 where it converges (15.4.20), beyond if it terminates."""
    given, whole = z, b
    negative = z < -0.3
    first = np.where(negative, np.exp(-a * np.log1p(-np.minimum(z, 0.0))), 1.0)
    b = np.where(negative, c - b, b)
    inside = z < 1
    z = np.where(inside, np.where(negative, z / (z - 1), z), 0.0)
    waves = np.maximum(np.sqrt(np.abs(a * b)), 1.0)  # per unit of 2 arcsin(sqrt(z)), if a b < 0
    start = np.minimum(z, np.minimum(0.5, 4 / (waves * waves)))
    value = _sum_series([a, b], [c], start, STEPS)
    if np.any(start < z):
        slope = a * b / c * _sum_series([a + 1, b + 1], [c + 1], start, STEPS)
        while np.any(start < z):
            step = np.minimum(np.minimum(start, 1 - start) / 2, 4 * np.sqrt(start * (1 - start)) / waves)
            step = np.minimum(step, z - start)
            value, slope = _continued(a, b, c, start, step, value, slope)
            start = start + step
    beyond = given > 1
    if beyond.any():  # polynomials only
        outer = _sum_series([a, whole], [c], np.where(beyond, given, 0.0), int(np.max(-np.real(a))) + 1)
        value = np.where(beyond, outer, value)
    if not inside.all():
        with np.errstate(all="ignore"):
            limit = np.exp(
                sp.loggamma(c + 0j)
                + sp.loggamma(c - a - b + 0j)
                - sp.loggamma(c - a + 0j)
                - sp.loggamma(c - b + 0j)
            )
        value = np.where(given == 1, limit, value)
    return first * value


def _continued(a: Any, b: Any, c: Any, z: Any, step: Any, value: Any, slope: Any) -> tuple[Any, Any]:
    """Value and slope at z + step, by the Taylor series about z."""
    lower, upper = value, slope
    total, rise = value + slope * step, slope
    power = step
    for n in range(STEPS):
        middle = (1 - 2 * z) * n + c - (a + b + 1) * z
        lower, upper = (
            upper,
            ((n + a) * (n + b) * lower - (n + 1) * middle * upper) / (z * (1 - z) * (n + 2) * (n + 1)),
        )
        rise = rise + (n + 2) * upper * power
        power = power * step
        total = total + upper * power
    return total, rise


def _hyp2f1(a: Any, b: Any, c: Any, z: Any, *, orders: tuple[int, int, int, int]) -> Any:
    i, j, m, k = orders
    p, q, r, y = _real_arrays("hyp2f1", a, b, c, z)
    polynomial = (p <= 0) & (p == np.rint(p)) & (i == 0)
    valid = (y < 1) | polynomial
    w = np.where(valid, y, 0.0)

    def over_c(p: Any, q: Any) -> Any:
        def shifted(r: Any) -> Any:
            return rising(p, k) * rising(q, k) / rising(r, k) * gauss(p + k, q + k, r + k, w)

        return cauchy(shifted, r, m, _lower_radius(r), within=(i > 0) + (j > 0))

    def over_b(p: Any) -> Any:
        return cauchy(lambda q: over_c(p, q), q, j, 0.3, within=int(i > 0))

    out = cauchy(over_b, p, i, 0.3)
    return in_precision_of(np.where(valid, out, np.nan), a, b, c, z)


hyp2f1: Function = derivatives(
    _hyp2f1,
    name="hyp2f1_parameter",
    active=[0, 1, 2, 3],
    samples=of_orders(
        on(POSITIVE, POSITIVE, POSITIVE, AROUND_ZERO), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 1, 1)
    ),
    doc="Derivative of hyp2f1, of the orders given.",
)

# --- U ------------------------------------------------------------------------------------------------------


def tricomi(a: Any, b: Any, x: Any, p: Any, q: Any) -> Any:
    """U of complex parameters near the real p and q, and x > 0."""
    steps = np.maximum(np.ceil(1.5 - p), 0.0)
    most = int(np.max(steps, initial=0.0))
    upper = _laplace(a + steps + 1, b, x, p + steps + 1, q)
    value = _laplace(a + steps, b, x, p + steps, q)
    for n in range(most, 0, -1):  # U(a - 1) from U(a) and U(a + 1), where steps remain
        top = a + n
        lower = (2 * top - b + x) * value - top * (top - b + 1) * upper
        due = steps >= n
        value, upper = np.where(due, lower, value), np.where(due, value, upper)
    return value


def _laplace(a: Any, b: Any, x: Any, p: Any, q: Any) -> Any:
    """The integral of exp(-x t) t^(a-1) (1 + t)^(b-a-1) / Γ(a), over log(t) from the maximum to both sides."""
    linear = x - q + 1
    root = np.sqrt(linear * linear + 4 * p * x)
    top = np.log(np.where(linear > 0, 2 * p / (linear + root), (root - linear) / (2 * x)))

    def level(u: Any, a: Any, b: Any, x: Any) -> Any:
        return a * u - x * np.exp(u) + (b - a - 1) * np.logaddexp(0, u)

    height = level(top, a, b, x)
    a_, b_, x_, height_ = (np.asarray(v)[..., None] for v in (a, b, x, height))
    total: Any = 0.0
    peak = level(top, p, q, x)
    for sign in (-1, 1):

        def fall(s: Any, sign: int = sign) -> Any:
            return peak - level(top + sign * s, p, q, x)

        end = reach(fall, x.shape)
        side = integrate(lambda u: np.exp(level(u, a_, b_, x_) - height_), top, top + sign * end, 64)
        total = total + sign * side
    return total * np.exp(height - sp.loggamma(a))


def _hyperu(a: Any, b: Any, x: Any, *, orders: tuple[int, int, int]) -> Any:
    i, j, k = orders
    p, q, y = _real_arrays("hyperu", a, b, x)
    valid = y > 0
    y = np.where(valid, y, 1.0)
    radius = np.minimum(0.3, 1 / np.maximum(np.abs(np.log(y)), 1e-3))

    def over_b(a: Any) -> Any:
        def shifted(b: Any) -> Any:
            return (-1) ** k * rising(a, k) * tricomi(a + k, b + k, y, p + k, q + k)

        return cauchy(shifted, q, j, radius, within=int(i > 0))

    out = cauchy(over_b, p, i, radius)
    return in_precision_of(np.where(valid, out, np.nan), a, b, x)


hyperu: Function = derivatives(
    _hyperu,
    name="hyperu_parameter",
    active=[0, 1, 2],
    samples=of_orders(on(POSITIVE, POSITIVE, POSITIVE), (1, 0, 0), (0, 1, 0), (1, 0, 1)),
    doc="Derivative of hyperu, of the orders given.",
)
