"""The logarithms.

x = 2ᵏm with √½ ≤ m < √2; for f = m - 1 and s = f/(2 + f), log m = log((1 + s)/(1 - s)) = 2s + s³P(s²), arranged as
f - (f²/2 - s(f²/2 + s²P)) so that the leading term is exact (the arrangement of Sun's fdlibm, 1993).
"""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.coefficients import LOG_TAIL
from funcdiff.jit.native.vector_math.exponential import LN2, LN2_LOW
from funcdiff.jit.native.vector_math.registry import vector_function

ONE = 0x3FF << 52  # the representation of 1.0
SQRT_HALF = 0x3FE6A09E667F3BCD  # the representation of √½
MANTISSA = (1 << 52) - 1
TWO_52 = 0x433 << 52  # the representation of 2⁵²: an integer added to it is the number 2⁵² + integer
SMALLEST_NORMAL = 2.0**-1022


def split_exponent(b: Builder, x: Value) -> tuple[Value, Value]:
    """``(e, m)`` with x = m 2^(e - 1023), √½ ≤ m < √2 and an integer e, for normal positive x."""
    shifted = b.bits(x) + (ONE - SQRT_HALF)
    return shifted >> 52, b.from_bits((shifted & MANTISSA) + SQRT_HALF)


def as_float(b: Builder, e: Value) -> Value:
    """A small non-negative integer as a float."""
    return b.from_bits(e | TWO_52) - 2.0**52


def log_near_one(b: Builder, f: Value, low: Value) -> Value:
    """log(1 + f) + low for √½ ≤ 1 + f < √2."""
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * f * f
    tail = b.fma(s, b.fma(z, b.polynomial(z, LOG_TAIL), half_square), low)
    return f - (half_square - tail)


def at_the_ends(b: Builder, x: Value, zero: Value, result: Value) -> Value:
    """The logarithm's values where its argument ``zero`` is not positive, or infinite like ``x``."""
    result = b.select(zero > 0.0, result, b.select(zero.equals(0.0), -math.inf, math.nan))
    return b.select(x.equals(math.inf), x, result)


def log_parts(b: Builder, x: Value) -> tuple[Value, Value]:
    """``(k, f)`` with x = 2ᵏ(1 + f), subnormal x included."""
    is_small = x < SMALLEST_NORMAL
    e, m = split_exponent(b, b.select(is_small, x * 2.0**54, x))
    return as_float(b, e) - b.select(is_small, b.constant("f64", 1023.0 + 54), 1023.0), m - 1.0


@vector_function("log")
def log(b: Builder, x: Value) -> Value:
    """k ln 2 + log m."""
    k, f = log_parts(b, x)
    return at_the_ends(b, x, x, b.fma(k, LN2, log_near_one(b, f, k * LN2_LOW)))


@vector_function("log1p")
def log1p(b: Builder, x: Value) -> Value:
    """log(u + c), u = 1 + x rounded and c the rounding error, exact; c is scaled like u and joins f."""
    u, c = b.two_sum(1.0, x)
    e, m = split_exponent(b, u)
    k = as_float(b, e) - 1023.0
    two_to_minus_k = b.from_bits((2047 - e) << 52) * 0.5
    f = (m - 1.0) + c * two_to_minus_k
    result = at_the_ends(b, x, u, b.fma(k, LN2, log_near_one(b, f, k * LN2_LOW)))
    return b.select(abs(x) < 2.0**-54, x, result)
