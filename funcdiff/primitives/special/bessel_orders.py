"""Derivatives of Bessel functions with respect to their order, by quadrature in the complex plane.

Hankel's function is an integral of exp(x sinh t - v t) from -∞ to ∞ + πi (DLMF 10.9.18), and the modified
functions are integrals of exp(v t - x cosh t) and exp(x cos θ) cos(v θ) (10.32.9, 10.32.4).  A derivative
wrt v multiplies the integrand by a power of t.  The first path is laid through the saddle points by
descent as steep as can be (Watson, A Treatise on the Theory of Bessel Functions, 8.31), so that the
integrand has one sign and nothing cancels; the rules converge geometrically.  The power series (10.25.2)
serves where x is small beside v.  Relative errors are below 1e-11 for orders and arguments up to 100,
apart from neighbourhoods of zeros.  Negative orders are reflected (10.4.6, 10.27.2, 10.27.3).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff import errors
from funcdiff.core.primitive import Function
from funcdiff.primitives.domains import on
from funcdiff.primitives.special.quadrature import NEGLIGIBLE, cauchy, integrate, reach
from funcdiff.primitives.special.shared import derivatives, in_precision_of

NODES = 64


def _real_pair(name: str, v: Any, x: Any) -> tuple[Any, Any]:
    if np.iscomplexobj(x):
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"the derivative of {name} with respect to its order is known for real arguments only."
            )
        )
    v, x = np.broadcast_arrays(np.asarray(v, float), np.asarray(x, float))
    return v, x


def _columns(*arrays: Any) -> list[Any]:
    return [np.asarray(a)[..., None] for a in arrays]


# --- Hankel's function for v >= 0, x > 0 -----------------------------------------------------------------


def _oscillating(v: Any, x: Any, orders: range) -> list[Any]:
    """Order derivatives of H1 for v < x: the path through the saddle point i β, with cos β = v / x.

    With t = u + i w it is cosh u = (sin β + (w - β) cos β) / sin w, on which the phase is constant.  Near
    v = x a larger β keeps the path smooth on the scale of the integrand.
    """
    beta = np.maximum(np.arccos(np.minimum(v / x, 1.0)), np.minimum(x ** (-1 / 3), 1.0))

    def path(d: Any, v: Any, x: Any, beta: Any) -> tuple[Any, Any, Any]:
        """Return t and dt/dw at w = β + d, and the exponent less its value at the saddle point."""
        w = beta + d
        sin_w = np.sin(w)
        half = np.sin(d / 2)
        rise = (2 * np.sin(beta) * half * half + np.cos(beta) * _less_sine(d)) / sin_w  # cosh u - 1
        sinh_u = np.sign(d) * np.sqrt(rise * (2 + rise))
        u = np.arcsinh(sinh_u)
        numerator = 2 * np.sin(beta + d / 2) * half - rise * np.cos(w)
        with np.errstate(all="ignore"):
            slope = np.where(d == 0, 1.0, numerator / (sin_w * sinh_u))
        exponent = x * sinh_u * np.cos(w) - v * u + 1j * (x * (1 + rise) * sin_w - v * w)
        return u + 1j * w, slope + 1j, exponent

    shape = v.shape

    def end(sign: int) -> Any:
        room = np.pi - beta if sign > 0 else beta

        def point(s: Any) -> Any:  # s in (0, ∞) goes to d in (0, room)
            return sign * room * -np.expm1(-s)

        return point(reach(lambda s: -path(point(s), v, x, beta)[2].real, shape, 60.0))

    v_, x_, beta_ = _columns(v, x, beta)

    def piece(sign: int) -> Any:
        """Integrate over one side of the saddle point, in a variable that stretches the path's end."""
        room = np.pi - beta if sign > 0 else beta
        furthest = -np.log1p(-np.abs(end(sign)) / room)

        def integrand(s: Any) -> Any:
            left = room[..., None] * np.exp(-s)
            t, slope, exponent = path(sign * (room[..., None] - left), v_, x_, beta_)
            return _powers(t, orders) * (np.exp(exponent) * slope * left)

        return integrate(integrand, 0 * furthest, furthest, NODES) / (np.pi * 1j)

    return list(piece(1) + piece(-1))


def _powers(t: Any, orders: range) -> Any:
    """Powers of -t along a new first axis."""
    return np.stack([(-t) ** k for k in orders])


def _less_sine(d: Any) -> Any:
    """d - sin(d), without cancellation."""
    small = np.abs(d) < 0.3
    z = np.where(small, d, 0.0)
    z2 = z * z
    series = z * z2 / 6 * (1 - z2 / 20 * (1 - z2 / 42 * (1 - z2 / 72 * (1 - z2 / 110 * (1 - z2 / 156)))))
    return np.where(small, series, d - np.sin(d))


def _evanescent(v: Any, x: Any, orders: range) -> list[Any]:
    """Order derivatives of H1 for v >= x: along the real axis to the saddle point, and up from there.

    The saddle points are ±α with cosh α = v / x.  Above the second the path is cosh u = v w / (x sin w); it
    alone gives J, which is the smaller the larger v.  Near v = x a larger α keeps it smooth.
    """
    ratio = np.maximum(v / x, 1 + np.minimum(x ** (-2 / 3), 1.0) / 2)
    alpha = np.arccosh(ratio)
    v_, x_, ratio_ = _columns(v, x, ratio)

    def level(u: Any, v: Any, x: Any) -> Any:
        return x * np.sinh(u) - v * u

    top = level(-alpha, v, x)
    furthest = reach(lambda s: top - level(-alpha - s, v, x), v.shape)
    within = np.minimum(reach(lambda s: top - level(np.minimum(s - alpha, alpha), v, x), v.shape), 2 * alpha)

    def along(s: Any) -> Any:
        return _powers(s, orders) * np.exp(level(s, v_, x_) - top[..., None])

    real = integrate(along, -alpha - furthest, -alpha, NODES) + integrate(
        along, -alpha, within - alpha, NODES
    )

    def upward(s: Any, ratio: Any, x: Any, v: Any) -> tuple[Any, Any, Any, Any]:
        left = np.pi * np.exp(-s)
        w = np.pi - left
        sin_w = np.sin(left)
        cosh_u = ratio * np.where(w == 0, 1.0, w / np.where(w == 0, 1.0, sin_w))
        sinh_u = np.sqrt((cosh_u - 1) * (cosh_u + 1))
        u = np.arccosh(cosh_u)
        slope = (ratio - cosh_u * np.cos(w)) / (sin_w * sinh_u)
        exponent = x * sinh_u * np.cos(w) - v * u + 1j * (x * cosh_u * sin_w - v * w)
        return u + 1j * w, slope + 1j, exponent, left

    foot = level(alpha, v, x)
    highest = reach(lambda s: foot - upward(s, ratio, x, v)[2].real, v.shape, 60.0)

    def above(s: Any) -> Any:
        t, slope, exponent, left = upward(s, ratio_, x_, v_)
        return _powers(t, orders) * (np.exp(exponent - foot[..., None]) * slope * left)

    up = integrate(above, 0 * highest, highest, NODES)
    # exp(foot) is lost beside exp(top) = exp(-foot): the parts are kept apart
    with np.errstate(all="ignore"):
        small = np.exp(foot) * up / np.pi
        return list(small.imag - 1j * (np.exp(top) * real / np.pi + small.real))


def hankel(v: Any, x: Any, order: int) -> Any:
    """Order derivative of H1 for any real v and x > 0; NaN for x <= 0, where it is not real."""
    mu = np.abs(v)
    safe = np.where(x > 0, x, 1.0)
    reflects = bool(np.any(v < 0))
    orders = range(0 if reflects else order, order + 1)
    oscillating = mu < safe
    parts = np.empty((len(orders), *mu.shape), complex)
    for chosen, method in ((oscillating, _oscillating), (~oscillating, _evanescent)):
        if chosen.any():
            parts[:, chosen] = method(mu[chosen], safe[chosen], orders)
    out = parts[-1]
    if reflects:  # H1 of order -μ is exp(iπμ) H1 of order μ
        turn = sp._ufuncs._cospi(mu) + 1j * sp._ufuncs._sinpi(mu)
        reflected: Any = 0.0
        for k in orders:
            reflected = reflected + math.comb(order, k) * (1j * math.pi) ** (order - k) * parts[k]
        out = np.where(v < 0, (-1) ** order * _rotate(turn, reflected), out)
    return np.where(x > 0, out, np.nan)


def _rotate(turn: Any, z: Any) -> Any:
    """The product, with exact zeros of `turn` kept."""
    return turn.real * z.real - turn.imag * z.imag + 1j * (turn.real * z.imag + turn.imag * z.real)


# --- modified functions, scaled by exp(-x) and exp(x) -----------------------------------------------------


def _macdonald(v: Any, x: Any, order: int) -> Any:
    """Order derivative of exp(x) K, even in v: half the integral of t^n exp(v t - x (cosh t - 1))."""
    safe = np.where(x > 0, x, 1.0)
    top = np.arcsinh(v / safe)
    height = v * top - safe * 2 * np.sinh(top / 2) ** 2

    def level(t: Any, v: Any, x: Any) -> Any:
        return v * t - x * 2 * np.sinh(t / 2) ** 2

    left = reach(lambda s: height - level(top - s, v, safe), v.shape)
    right = reach(lambda s: height - level(top + s, v, safe), v.shape)
    v_, x_, height_ = _columns(v, safe, height)

    def integrand(t: Any) -> Any:
        return t**order * np.exp(level(t, v_, x_) - height_)

    half = integrate(integrand, top - left, top, NODES) + integrate(integrand, top, top + right, NODES)
    with np.errstate(over="ignore"):
        return np.where(x > 0, half / 2 * np.exp(height), np.nan)


def _modified(v: Any, x: Any, order: int) -> Any:
    """Order derivative of exp(-x) I for x > 0."""
    safe = np.where(x > 0, x, 1.0)
    mu = np.abs(v)
    by_series = (safe < 4) | (mu > np.sqrt(safe))
    out = np.where(
        by_series, _modified_series(mu, safe, order), _modified_integral(mu, np.maximum(safe, 4.0), order)
    )
    if np.any(v < 0):  # I of order -μ is I of order μ plus 2/π sin(πμ) K of order μ
        added: Any = 0.0
        for k in range(order + 1):
            phase = _sine_derivative(mu, order - k)
            added = added + math.comb(order, k) * phase * _macdonald(mu, safe, k)
        added = 2 / np.pi * np.exp(-2 * safe) * added
        out = np.where(v < 0, (-1) ** order * (out + added), out)
    return np.where(x > 0, out, np.nan)


def _sine_derivative(v: Any, order: int) -> Any:
    """Derivative of sin(πv)."""
    wave = (sp._ufuncs._sinpi, sp._ufuncs._cospi)[order % 2]
    return math.pi**order * (-1) ** (order // 2) * wave(v)


def _modified_series(v: Any, x: Any, order: int) -> Any:
    """By the power series, differentiated by Cauchy's integral; its sum is carried relative to one term."""
    highest = float(np.max(np.sqrt(x * x + v * v) - v, initial=0.0))
    count = int(0.5 * highest + 8 * math.sqrt(highest) + 30)
    peak = np.floor((np.sqrt(x * x + v * v) - v) / 2)
    log_half = np.log(x / 2)
    reference = (2 * peak + v) * log_half - sp.gammaln(peak + 1) - sp.gammaln(peak + v + 1)

    def relative(nu: Any) -> Any:
        term = np.exp(nu * log_half - sp.loggamma(nu + 1) - reference)
        total = term
        quarter = x * x / 4
        for k in range(1, count):
            term = term * quarter / (k * (k + nu))
            total = total + term
        return total

    with np.errstate(over="ignore", under="ignore"):
        return cauchy(relative, v, order, np.minimum(0.4, 1 / np.maximum(np.abs(log_half), 1e-3))) * np.exp(
            reference - x
        )


def _modified_integral(v: Any, x: Any, order: int) -> Any:
    v_, x_ = _columns(v, x)
    width = np.minimum(np.pi, 2 * np.arcsin(np.minimum(1.0, np.sqrt(NEGLIGIBLE / (2 * x)))))

    def swing(theta: Any) -> Any:
        wave = np.cos(v_ * theta + order * np.pi / 2) if order % 2 == 0 else None
        wave = wave if wave is not None else -np.sin(v_ * theta) * (-1) ** (order // 2)
        return theta**order * wave * np.exp(-2 * x_ * np.sin(theta / 2) ** 2)

    first = integrate(swing, 0 * width, width, NODES) / np.pi
    furthest = reach(lambda s: 2 * x * np.sinh(s / 2) ** 2 + v * s, v.shape)
    last: Any = 0.0
    for k in range(order + 1):

        def decay(t: Any, k: int = k) -> Any:
            return (-t) ** k * np.exp(-2 * x_ * np.sinh(t / 2) ** 2 - v_ * t)

        phase = _sine_derivative(v, order - k)
        last = last + math.comb(order, k) * phase * integrate(decay, 0 * furthest, furthest, NODES)
    return first - np.exp(-2 * x) * last / np.pi


# --- as functions of the order with all their derivatives ---------------------------------------------------


def _jv(v: Any, x: Any, *, orders: tuple[int]) -> Any:
    nu, y = _real_pair("jv", v, x)
    out = hankel(nu, y, orders[0]).real
    small = (y > 0) & (nu >= 0) & (y * y < 4 * (nu + 1))
    if small.any():
        series = _series(np.where(small, nu, 0.0), np.where(small, y, 1.0), orders[0])
        out = np.where(small, series, out)
    return in_precision_of(out, v, x)


def _series(v: Any, x: Any, order: int) -> Any:
    """By the power series of J, where it does not cancel."""
    log_half, quarter = np.log(x / 2), -x * x / 4
    reference = v * log_half - sp.gammaln(v + 1)

    def relative(nu: Any) -> Any:
        term = np.exp(nu * log_half - sp.loggamma(nu + 1) - reference)
        total = term
        for k in range(1, 40):
            term = term * quarter / (k * (k + nu))
            total = total + term
        return total

    return cauchy(relative, v, order, np.minimum(0.4, 1 / np.maximum(np.abs(log_half), 1e-3))) * np.exp(
        reference
    )


def _yv(v: Any, x: Any, *, orders: tuple[int]) -> Any:
    return in_precision_of(hankel(*_real_pair("yv", v, x), orders[0]).imag, v, x)


def _ive(v: Any, x: Any, *, orders: tuple[int]) -> Any:
    return in_precision_of(_modified(*_real_pair("ive", v, x), orders[0]), v, x)


def _kve(v: Any, x: Any, *, orders: tuple[int]) -> Any:
    return in_precision_of(_macdonald(*_real_pair("kve", v, x), orders[0]), v, x)


def _samples(rng: np.random.Generator) -> Any:
    return [(args, {"orders": (1,)}) for args, _params in on((0.2, 3.0), (0.3, 3.0))(rng)]


jv_order: Function = derivatives(
    _jv,
    name="jv_order",
    active=[0],
    rules={
        1: lambda _out, v, x, *, orders: (
            (jv_order(v - 1, x, orders=orders) - jv_order(v + 1, x, orders=orders)) / 2
        )
    },
    samples=_samples,
    doc="Derivative of jv wrt its order, of the order given.",
)
yv_order: Function = derivatives(
    _yv,
    name="yv_order",
    active=[0],
    rules={
        1: lambda _out, v, x, *, orders: (
            (yv_order(v - 1, x, orders=orders) - yv_order(v + 1, x, orders=orders)) / 2
        )
    },
    samples=_samples,
    doc="Derivative of yv wrt its order, of the order given.",
)
ive_order: Function = derivatives(
    _ive,
    name="ive_order",
    active=[0],
    rules={
        1: lambda out, v, x, *, orders: (
            (ive_order(v - 1, x, orders=orders) + ive_order(v + 1, x, orders=orders)) / 2 - out
        )
    },
    samples=_samples,
    doc="Derivative of ive wrt its order, of the order given.",
)
kve_order: Function = derivatives(
    _kve,
    name="kve_order",
    active=[0],
    rules={
        1: lambda out, v, x, *, orders: (
            out - (kve_order(v - 1, x, orders=orders) + kve_order(v + 1, x, orders=orders)) / 2
        )
    },
    samples=_samples,
    doc="Derivative of kve wrt its order, of the order given.",
)
