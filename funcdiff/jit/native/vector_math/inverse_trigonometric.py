"""Arctangent, arcsine and arccosine: q + q³P(q²) on a small interval, and multiples of π/4 added in two parts."""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.coefficients import ARCSIN_TAIL, ARCTAN_TAIL, PI_HALF
from funcdiff.jit.native.vector_math.registry import vector_function


def angle(b: Builder, opposite: Value, adjacent: Value, from_behind: Value | None = None) -> Value:
    """The angle whose tangent is opposite/adjacent, both ≥ 0, or π less it where it is seen from behind.

    The smaller over the larger is at most 1, and above tan π/8 = √2 - 1 the identity
    arctan v = π/4 + arctan((v - 1)/(v + 1)) is used, so that one division serves all.
    """
    is_steep = opposite > adjacent
    small, large = b.select(is_steep, adjacent, opposite), b.select(is_steep, opposite, adjacent)
    is_middle = (small >= (math.sqrt(2) - 1) * large) & (large > 0.0)
    numerator = b.select(is_middle, small - large, small)
    divisor = b.select(is_middle, small + large, large)
    is_equal = small.equals(large)  # among them two infinities and two zeros
    quotient = b.select(is_equal, 0.0, numerator) / b.select(is_equal, 1.0, divisor)
    square = quotient * quotient
    turned = b.fma(quotient * square, b.polynomial(square, ARCTAN_TAIL), quotient)
    eighths = b.select(is_middle, b.constant("f64", 1.0), 0.0)
    turned, eighths = b.select(is_steep, -turned, turned), b.select(is_steep, 2.0 - eighths, eighths)
    if from_behind is not None:
        turned = b.select(from_behind, -turned, turned)
        eighths = b.select(from_behind, 4.0 - eighths, eighths)
    return b.fma(eighths, PI_HALF[0] / 2, b.fma(eighths, PI_HALF[1] / 2, turned))


@vector_function("arctan")
def arctan(b: Builder, x: Value) -> Value:
    """The angle of (1, x)."""
    return b.copysign(angle(b, abs(x), b.constant("f64", 1.0)), x)


@vector_function("arctan2")
def arctan2(b: Builder, y: Value, x: Value) -> Value:
    """The angle of (x, y), with the signs of zeros heeded; huge and tiny pairs are scaled into the range."""
    opposite, adjacent = abs(y), abs(x)
    is_large = (opposite > 2.0**1000) | (adjacent > 2.0**1000)
    is_small = (opposite < 2.0**-900) & (adjacent < 2.0**-900)
    scale = b.select(is_large, 2.0**-100, b.select(is_small, b.constant("f64", 2.0**100), 1.0))
    from_behind = b.bits(x) < 0
    return b.copysign(angle(b, opposite * scale, adjacent * scale, from_behind), y)


def half_chord(b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """``(is_large, s, tail)``: arcsin s = s + tail with s = |x|, or √((1 - |x|)/2) for |x| > ½, the half angle's."""
    a = abs(x)
    is_large = a > 0.5
    z = b.select(is_large, 0.5 - 0.5 * a, a * a)
    s = b.select(is_large, b.sqrt(z), a)
    return is_large, s, s * z * b.polynomial(z, ARCSIN_TAIL)


@vector_function("arcsin")
def arcsin(b: Builder, x: Value) -> Value:
    """π/2 - 2 arcsin √((1 - |x|)/2) for |x| > ½."""
    is_large, s, tail = half_chord(b, x)
    large = (PI_HALF[0] - 2.0 * s) + (PI_HALF[1] - 2.0 * tail)
    return b.copysign(b.select(is_large, large, s + tail), x)


@vector_function("arccos")
def arccos(b: Builder, x: Value) -> Value:
    """2 arcsin √((1 - x)/2) for x > ½, π less it for x < -½, π/2 - arcsin x between."""
    is_large, s, tail = half_chord(b, x)
    is_negative = x < 0.0
    between = PI_HALF[0] - (x - (PI_HALF[1] - b.copysign(tail, x)))
    behind = 2.0 * (PI_HALF[0] - (s + (tail - PI_HALF[1])))
    return b.select(is_large, b.select(is_negative, behind, 2.0 * (s + tail)), between)
