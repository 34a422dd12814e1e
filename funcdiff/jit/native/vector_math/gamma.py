"""The logarithm of the gamma function and its derivative.

From 5/2 on Stirling's series, its remainder a minimax polynomial in 1/x²; below, a polynomial around 2 (log Γ) or around
ψ's zero, reached by the recurrence; negative arguments by reflection, in a branch of their own.
"""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.coefficients import (
    DIGAMMA_FAR,
    DIGAMMA_NEAR_ZERO,
    DIGAMMA_ZERO,
    GAMMALN_FAR,
    GAMMALN_NEAR_TWO,
    PI_HALF,
    TRIGAMMA_FAR,
    TRIGAMMA_NEAR,
)
from funcdiff.jit.native.vector_math.exponential import clamped, exp_parts, scaled
from funcdiff.jit.native.vector_math.logarithm import log
from funcdiff.jit.native.vector_math.power import log_pair
from funcdiff.jit.native.vector_math.registry import vector_function
from funcdiff.jit.native.vector_math.trigonometric import kernels

ONE_MINUS_EULER, ONE_MINUS_EULER_LOW = 0.42278433509846713, 4.942915152430645e-18  # 1 - γ
STIRLING, STIRLING_LOW = 0.4189385332046727, 1.6728209650585413e-17  # ½ log 2π - ½


def sine_and_cosine_of_pi(b: Builder, a: Value) -> tuple[Value, Value]:
    """|sin πa| and cos πd sign(d), d = a - rint(a), so that their quotient is cot πa."""
    d = a - b.intrinsic("roundeven", a)
    distance = abs(d)
    is_far = distance > 0.25
    v = b.select(is_far, 0.5 - distance, distance)
    r, r_low = b.two_product(v, 2 * PI_HALF[0])
    sine, cosine = kernels(b, r, b.fma(v, 2 * PI_HALF[1], r_low))
    return b.select(is_far, cosine, sine), b.copysign(b.select(is_far, sine, cosine), d)


def positive_gammaln(b: Builder, x: Value) -> Value:
    """log Γ for positive finite x: (x - ½)(log x - 1) + …, or log Γ(2 + s) - log of the factors taken off."""
    is_far = x >= 2.5
    is_first, is_middle = x < 0.5, x < 1.5
    factor = b.select(is_far | is_middle, b.select(is_first, x * (x + 1.0), x), 1.0)
    high, low = log_pair(b, factor)

    inverse = 1.0 / x
    remainder = inverse * b.polynomial(inverse * inverse, GAMMALN_FAR)
    far = b.fma(x - 0.5, (high - 1.0) + low, STIRLING + remainder)

    s = b.select(is_first, x, b.select(is_middle, x - 1.0, x - 2.0))
    linear, linear_low = b.two_product(s, ONE_MINUS_EULER)
    leading, error = b.two_sum(linear, -high)
    low = b.fma(s, ONE_MINUS_EULER_LOW, linear_low) + (error - low)
    near = leading + b.fma(s * s, b.polynomial(s, GAMMALN_NEAR_TWO), low)
    return b.select(is_far, far, near)


@vector_function("gammaln")
def gammaln(b: Builder, x: Value) -> Value:
    """log|Γ|; below zero -log(|x sin πx|/π) - log Γ(|x|), whose zeros there are right to an absolute error only."""
    a = abs(x)
    result = positive_gammaln(b, a)
    result = b.select(a.equals(0.0) | a.equals(math.inf), math.inf, result)

    def reflected() -> list[Value]:
        sine, _ = sine_and_cosine_of_pi(b, a)
        product = b.select(a < 1e-100, a, a * sine * (1 / math.pi))
        answer = b.select(sine.equals(0.0), math.inf, -log(b, product) - b.select(a < 1e-100, 0.0, result))
        return [b.select(a.equals(math.inf), x, answer)]

    return b.rarely(x < 0.0, [result], reflected)[0]


@vector_function("digamma", "psi")
def digamma(b: Builder, x: Value) -> Value:
    """log x - 1/(2x) - … from 2; (y - x₀)·(polynomial) at y = x or x + 1 in [1, 2].

    Below zero ψ(1 + |x|) + π cot π|x|; at its poles NaN, and infinite at 0.
    """
    a = abs(x)
    is_far, is_below = a >= 2.0, a < 1.0
    inverse = 1.0 / a
    z = inverse * inverse
    far = log(b, a) - b.fma(z, b.polynomial(z, DIGAMMA_FAR), 0.5 * inverse)
    y = b.select(is_below, a + 1.0, a)
    distance = (y - DIGAMMA_ZERO[0]) - DIGAMMA_ZERO[1]
    near = b.fma(distance, b.polynomial(y - 1.5, DIGAMMA_NEAR_ZERO), distance)
    usual = b.select(is_far, far, b.select(is_below, near - inverse, near))

    def reflected() -> list[Value]:
        sine, cosine = sine_and_cosine_of_pi(b, a)
        at_one_more = b.select(is_below, near, usual + inverse)
        return [b.select(sine.equals(0.0), math.nan, at_one_more + math.pi * (cosine / sine))]

    result = b.rarely(x < 0.0, [usual], reflected)[0]
    return b.select(x.equals(0.0), b.copysign(math.inf, -x), result)


@vector_function("loggamma")
def loggamma(b: Builder, x: Value) -> Value:
    """log Γ as a real number: NaN below zero."""
    result = b.select(x.equals(math.inf), x, positive_gammaln(b, x))
    return b.select(x > 0.0, result, b.select(x.equals(0.0), b.constant("f64", math.inf), math.nan))


@vector_function("gamma")
def gamma(b: Builder, x: Value) -> Value:
    """The exponential of Stirling's series, the exponent a sum of two; or of the polynomial around 2, over factors.

    π/(x sin πx Γ(-x)) below zero, to 3.5 units, NaN at the poles there, infinite at 0.
    """
    a = abs(x)
    is_far, is_first, is_middle = a >= 2.5, a < 0.5, a < 1.5
    inverse = 1.0 / a
    high, low = log_pair(b, b.select(is_far, a, 3.0))
    slope, slope_low = b.two_sum(-1.0, high)
    product, product_low = b.two_product(a - 0.5, slope)
    product_low = b.fma(a - 0.5, slope_low + low, product_low)
    far, error = b.two_sum(STIRLING, product)
    far_low = (error + product_low) + b.fma(
        inverse, b.polynomial(inverse * inverse, GAMMALN_FAR), STIRLING_LOW
    )

    s = b.select(is_first, a, b.select(is_middle, a - 1.0, a - 2.0))
    near = b.fma(s, ONE_MINUS_EULER, s * s * b.polynomial(s, GAMMALN_NEAR_TWO))
    factor = b.select(is_middle, b.select(is_first, a * (a + 1.0), a), 1.0)

    exponent = b.select(is_far, far, near)
    exponent_low = b.select(is_far & (a < 400.0), far_low, 0.0)
    e, n = exp_parts(b, clamped(b, exponent, -1.0, 710.0), exponent_low)
    positive = scaled(b, 1.0 + e, n) / factor

    def reflected() -> list[Value]:
        sine, _ = sine_and_cosine_of_pi(b, a)
        e, n = exp_parts(b, -clamped(b, exponent, -1.0, 780.0), -exponent_low)
        magnitude = scaled(b, (math.pi / (a * sine)) * factor * (1.0 + e), n)
        half = b.intrinsic("floor", a) * 0.5
        signed = b.select(b.intrinsic("floor", half).equals(half), -magnitude, magnitude)
        return [b.select(sine.equals(0.0) | a.equals(math.inf), math.nan, signed)]

    result = b.rarely(x < 0.0, [b.select(a.equals(math.inf), a, positive)], reflected)[0]
    return b.select(a < 2.0**-57, 1.0 / x, result)


@vector_function("trigamma")
def trigamma(b: Builder, x: Value) -> Value:
    """ψ'(x): 1/x + 1/(2x²) + … from 2, a polynomial on [1, 2], and that of x + 1 with 1/x² added below.

    Below zero π²/sin²πx - ψ'(1 - x), to 4 units; infinite at the poles.
    """
    a = abs(x)
    is_far, is_below = a >= 2.0, a < 1.0
    inverse = 1.0 / a
    z = inverse * inverse
    far = inverse + z * b.fma(inverse, b.polynomial(z, TRIGAMMA_FAR), 0.5)
    near = 1.0 + b.polynomial(b.select(is_below, a, a - 1.0) - 0.5, TRIGAMMA_NEAR)
    usual = b.select(is_far, far, b.select(is_below, near + z, near))

    def reflected() -> list[Value]:
        sine, _ = sine_and_cosine_of_pi(b, a)
        at_one_more = b.select(is_below, near, usual - z)
        ratio = math.pi / sine
        is_pole = sine.equals(0.0) | a.equals(math.inf)
        return [b.select(is_pole, math.inf, ratio * ratio - at_one_more)]

    return b.rarely(x < 0.0, [usual], reflected)[0]
