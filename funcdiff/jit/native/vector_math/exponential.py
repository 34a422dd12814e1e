"""The exponential and hyperbolic functions.

All begin with x = n ln 2 + r, |r| ≤ ln 2 / 2 (Cody and Waite, *Software Manual for the Elementary Functions*, 1980),
and eʳ - 1 = r + r²q(r) with a minimax polynomial q.
"""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.coefficients import EXP_TAIL
from funcdiff.jit.native.vector_math.registry import vector_function

LN2 = math.log(2)
LN2_LOW = 2.3190468138462996e-17  # ln 2 - LN2
ROUNDER = 1.5 * 2.0**52  # x + ROUNDER is rounded to an integer, which stands in the last bits
POWER_ROUNDER = ROUNDER + 1023  # the same with the exponent bias added


def nearest_integer(b: Builder, x: Value, scale: float = 1.0) -> Value:
    """``rint(x * scale)`` for results below 2⁵¹."""
    return b.fma(x, scale, ROUNDER) - ROUNDER if scale != 1.0 else (x + ROUNDER) - ROUNDER


def power_of_two(b: Builder, n: Value) -> Value:
    """2ⁿ for integers -1022 ≤ n ≤ 1023."""
    return b.from_bits(b.bits(n + POWER_ROUNDER) << 52)


def scaled(b: Builder, x: Value, n: Value) -> Value:
    """``x * 2**n``, in two steps, so that only the last rounds where the result is subnormal or overflows."""
    half = nearest_integer(b, n, 0.5)
    return (x * power_of_two(b, half)) * power_of_two(b, n - half)


def clamped(b: Builder, x: Value, low: float, high: float) -> Value:
    """``x`` within bounds; NaN stays NaN."""
    x = b.select(b.lift(x.kind, high) < x, high, x)
    return b.select(b.lift(x.kind, low) > x, low, x)


def exp_parts(b: Builder, x: Value, correction: Value | None = None) -> tuple[Value, Value]:
    """``(e, n)`` with exp(x + correction) = 2ⁿ(1 + e), |x| < 2000."""
    n = nearest_integer(b, x, 1 / LN2)
    r = b.fma(n, -LN2_LOW, b.fma(n, -LN2, x))
    if correction is not None:
        r = r + correction
    return b.fma(r * r, b.polynomial(r, EXP_TAIL), r), n


def expm1_parts(b: Builder, x: Value) -> tuple[Value, Value]:
    """The same with the rounding error of r carried along, for use where 1 + e cancels."""
    n = nearest_integer(b, x, 1 / LN2)
    high, low = b.fma(n, -LN2, x), n * LN2_LOW  # the first is exact
    r = high - low
    r_low = (high - r) - low
    return r + b.fma(r * r, b.polynomial(r, EXP_TAIL), r_low), n


@vector_function("exp")
def exp(b: Builder, x: Value) -> Value:
    """2ⁿ(1 + (eʳ - 1))."""
    e, n = exp_parts(b, clamped(b, x, -746.0, 710.0))
    return scaled(b, 1.0 + e, n)


@vector_function("exp2")
def exp2(b: Builder, x: Value) -> Value:
    """2ⁿ exp((x - n) ln 2) with n the integer next to x."""
    x = clamped(b, x, -1076.0, 1025.0)
    n = nearest_integer(b, x)
    r = (x - n) * LN2
    return scaled(b, 1.0 + b.fma(r * r, b.polynomial(r, EXP_TAIL), r), n)


@vector_function("expm1")
def expm1(b: Builder, x: Value) -> Value:
    """2ⁿ(eʳ - 1) + (2ⁿ - 1), halved on the way so that 2ⁿ does not overflow before the result does."""
    e, n = expm1_parts(b, clamped(b, x, -50.0, 710.0))
    half_power = power_of_two(b, n - 1.0)
    result = b.fma(half_power, e, half_power - 0.5) * 2.0
    return b.select(abs(x) < 2.0**-54, x, result)


def small_expm1(b: Builder, x: Value) -> Value:
    """The same for -50 ≤ x ≤ 700, where nothing overflows; exact also for subnormal x."""
    e, n = expm1_parts(b, x)
    power = power_of_two(b, n)
    return b.fma(power, e, power - 1.0)


@vector_function("tanh")
def tanh(b: Builder, x: Value) -> Value:
    """t/(t + 2) with t = e²ˣ - 1, which is 1 from |x| = 22; the quotient is corrected by its remainder."""
    t = small_expm1(b, clamped(b, abs(x), 0.0, 22.0) * 2.0)
    divisor, divisor_low = b.fast_two_sum(2.0, t)
    inverse = 1.0 / divisor
    quotient = t * inverse
    remainder = b.fma(-quotient, divisor_low, b.fma(-quotient, divisor, t))
    return b.copysign(b.fma(remainder, inverse, quotient), x)


def half_exp(b: Builder, x: Value) -> Value:
    """exp(x)/2 for x ≥ 0, which may exist where exp(x) does not."""
    e, n = exp_parts(b, clamped(b, x, 0.0, 720.0))
    return scaled(b, 1.0 + e, n - 1.0)


@vector_function("sinh")
def sinh(b: Builder, x: Value) -> Value:
    """(t + t/(t + 1))/2 with t = e^|x| - 1, and e^|x|/2 from |x| = 22."""
    a = abs(x)
    t = small_expm1(b, clamped(b, a, 0.0, 22.0))
    small = 0.5 * t + 0.5 * (t / (t + 1.0))
    small = b.select(a < 2.0**-28, a, small)
    return b.copysign(b.select(a < 22.0, small, half_exp(b, a)), x)


@vector_function("cosh")
def cosh(b: Builder, x: Value) -> Value:
    """h + 1/(4h) with h = e^|x|/2."""
    h = half_exp(b, abs(x))
    return h + 0.25 / h


@vector_function("expit")
def expit(b: Builder, x: Value) -> Value:
    """1/(1 + e⁻ˣ), with the exponential of a negative number on both sides."""
    e = exp(b, -abs(x))
    return b.select(x < 0.0, e, 1.0) / (1.0 + e)
