"""The exponential and hyperbolic functions.

All begin with x = n ln 2 + r, |r| ≤ ln 2 / 2 (Cody and Waite, *Software Manual for the Elementary Functions*, 1980),
and eʳ - 1 = r + r²q(r) with a minimax polynomial q.
"""

from __future__ import annotations

import math
from functools import cache

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.coefficients import EXP_TAIL, EXP_TAIL_SINGLE
from funcdiff.jit.native.vector_math.formats import format_of, parts
from funcdiff.jit.native.vector_math.registry import vector_function

LN2, LN2_LOW = math.log(2), 2.3190468138462996e-17


def nearest_integer(b: Builder, x: Value, scale: float = 1.0) -> Value:
    """``rint(x * scale)`` for results below 2⁵¹, or 2²² in float32."""
    rounder = format_of(x).rounder
    return b.fma(x, scale, rounder) - rounder if scale != 1.0 else (x + rounder) - rounder


def power_of_two(b: Builder, n: Value) -> Value:
    """2ⁿ for integers whose power is a normal number: n with the bias, shifted to the place of the exponent."""
    of = format_of(n)
    return b.from_bits(b.bits(n + (of.rounder + of.bias)) << of.bits)


@cache
def has_scalef() -> bool:
    """Tell whether the machine multiplies vectors by powers of two in one instruction, which rounds once, too."""
    from funcdiff.jit.native.engine import engine

    return engine().wide and engine().triple.startswith("x86_64")


def scaled(b: Builder, x: Value, n: Value) -> Value:
    """``x * 2**n``, in two steps, so that only the last rounds where the result is subnormal or overflows."""
    if b.lanes == 8 and x.kind == "f64" and has_scalef():
        return b.emit(
            "f64",
            f"call <8 x double> @llvm.x86.avx512.mask.scalef.pd.512(<8 x double> {x.text}, <8 x double> {n.text}, "
            "<8 x double> zeroinitializer, i8 -1, i32 4)",
        )
    half = nearest_integer(b, n, 0.5)
    return (x * power_of_two(b, half)) * power_of_two(b, n - half)


def exp_range(x: Value) -> tuple[float, float]:
    """Bounds at which the exponential is 0 and infinite, the latter with an exponent one too large."""
    return (-746.0, 710.0) if x.kind == "f64" else (-105.0, 89.0)


def exp_tail(b: Builder, r: Value) -> Value:
    """(eʳ - 1 - r)/r² for |r| ≤ ln 2 / 2."""
    return b.polynomial(r, EXP_TAIL if r.kind == "f64" else EXP_TAIL_SINGLE)


def clamped(b: Builder, x: Value, low: float, high: float) -> Value:
    """``x`` within bounds; NaN stays NaN."""
    x = b.select(b.lift(x.kind, high) < x, high, x)
    return b.select(b.lift(x.kind, low) > x, low, x)


def exp_parts(b: Builder, x: Value, correction: Value | None = None) -> tuple[Value, Value]:
    """``(e, n)`` with exp(x + correction) = 2ⁿ(1 + e), |x| < 2000."""
    ln2, ln2_low = parts(x, LN2, LN2_LOW)
    n = nearest_integer(b, x, 1 / LN2)
    r = b.fma(n, -ln2_low, b.fma(n, -ln2, x))
    if correction is not None:
        r = r + correction
    return b.fma(r * r, exp_tail(b, r), r), n


def expm1_parts(b: Builder, x: Value) -> tuple[Value, Value]:
    """The same with the rounding error of r carried along, for use where 1 + e cancels."""
    ln2, ln2_low = parts(x, LN2, LN2_LOW)
    n = nearest_integer(b, x, 1 / LN2)
    high, low = b.fma(n, -ln2, x), n * ln2_low  # the first is exact
    r = high - low
    r_low = (high - r) - low
    return r + b.fma(r * r, exp_tail(b, r), r_low), n


@vector_function("exp", generic=True)
def exp(b: Builder, x: Value) -> Value:
    """2ⁿ(1 + (eʳ - 1))."""
    e, n = exp_parts(b, clamped(b, x, *exp_range(x)))
    return scaled(b, 1.0 + e, n)


@vector_function("exp2", generic=True)
def exp2(b: Builder, x: Value) -> Value:
    """2ⁿ exp((x - n) ln 2) with n the integer next to x."""
    low, high = exp_range(x)
    x = clamped(b, x, low * 1.45, high * 1.45)
    n = nearest_integer(b, x)
    r = (x - n) * LN2
    return scaled(b, 1.0 + b.fma(r * r, exp_tail(b, r), r), n)


@vector_function("expm1", generic=True)
def expm1(b: Builder, x: Value) -> Value:
    """2ⁿ(eʳ - 1) + (2ⁿ - 1), halved on the way so that 2ⁿ does not overflow before the result does."""
    e, n = expm1_parts(b, clamped(b, x, -50.0, exp_range(x)[1]))
    half_power = power_of_two(b, n - 1.0)
    result = b.fma(half_power, e, half_power - 0.5) * 2.0
    return b.select(abs(x) < format_of(x).epsilon, x, result)


def small_expm1(b: Builder, x: Value) -> Value:
    """The same for -50 ≤ x ≤ 700, where nothing overflows; exact also for subnormal x."""
    e, n = expm1_parts(b, x)
    power = power_of_two(b, n)
    return b.fma(power, e, power - 1.0)


@vector_function("tanh", generic=True)
def tanh(b: Builder, x: Value) -> Value:
    """t/(t + 2) with t = e²ˣ - 1, which rounds to 1 from |x| = 22; the quotient is corrected by its remainder."""
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


@vector_function("expit", generic=True)
def expit(b: Builder, x: Value) -> Value:
    """1/(1 + e⁻ˣ), with the exponential of a negative number on both sides."""
    e = exp(b, -abs(x))
    return b.select(x < 0.0, e, 1.0) / (1.0 + e)
