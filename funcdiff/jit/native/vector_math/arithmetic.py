"""What the machine does in a few instructions: rounding, extrema, remainders, signs; the same for both dtypes.

Of a negative and a positive zero the extrema take the second argument, like NumPy on x86.
"""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.registry import vector_function


@vector_function("floor", generic=True)
def floor(b: Builder, x: Value) -> Value:
    """The next integer below."""
    return b.intrinsic("floor", x)


@vector_function("ceil", generic=True)
def ceil(b: Builder, x: Value) -> Value:
    """The next integer above."""
    return b.intrinsic("ceil", x)


@vector_function("trunc", "fix", generic=True)
def trunc(b: Builder, x: Value) -> Value:
    """The next integer towards zero."""
    return b.intrinsic("trunc", x)


@vector_function("rint", generic=True)
def rint(b: Builder, x: Value) -> Value:
    """The nearest integer, of two the even one."""
    return b.intrinsic("roundeven", x)


@vector_function("sign", generic=True)
def sign(b: Builder, x: Value) -> Value:
    """-1, 0 or 1; NaN stays."""
    zero = b.lift(x.kind, 0.0)
    return b.select(x > 0.0, 1.0, b.select(x < 0.0, -1.0, b.select(x.equals(0.0), zero, x)))


@vector_function("copysign", generic=True)
def copysign(b: Builder, x: Value, y: Value) -> Value:
    """The magnitude of x with the sign of y."""
    return b.copysign(x, y)


@vector_function("maximum", generic=True)
def maximum(b: Builder, x: Value, y: Value) -> Value:
    """The larger; NaN if either is."""
    return b.select((x > y) | x.is_nan(), x, y)


@vector_function("minimum", generic=True)
def minimum(b: Builder, x: Value, y: Value) -> Value:
    """The smaller; NaN if either is."""
    return b.select((x < y) | x.is_nan(), x, y)


@vector_function("fmax", generic=True)
def fmax(b: Builder, x: Value, y: Value) -> Value:
    """The larger; the other where one is NaN."""
    return b.select((x > y) | y.is_nan(), x, y)


@vector_function("fmin", generic=True)
def fmin(b: Builder, x: Value, y: Value) -> Value:
    """The smaller; the other where one is NaN."""
    return b.select((x < y) | y.is_nan(), x, y)


@vector_function("heaviside", generic=True)
def heaviside(b: Builder, x: Value, at_zero: Value) -> Value:
    """0 below zero, 1 above, the second argument at zero; NaN stays."""
    return b.select(x > 0.0, 1.0, b.select(x < 0.0, 0.0, b.select(x.equals(0.0), at_zero, x)))


@vector_function("nextafter", generic=True)
def nextafter(b: Builder, x: Value, y: Value) -> Value:
    """The next number towards y: the representation one more or less."""
    bits = b.bits(x)
    grows = (y > x) ^ (x < 0.0)
    stepped = b.from_bits(b.select(grows, bits + 1, bits - 1))
    smallest = b.copysign(b.from_bits(b.lift(bits.kind, 1)), y)
    result = b.select(x.equals(y), y, b.select(x.equals(0.0), smallest, stepped))
    return b.select(x.is_nan() | y.is_nan(), math.nan, result)
