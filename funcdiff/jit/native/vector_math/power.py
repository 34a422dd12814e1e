"""Powers and roots.

xʸ = exp(y log x) needs the logarithm to 2⁻⁶⁴: it is a sum of two doubles (high, low), made of the same series as in
:mod:`~funcdiff.jit.native.vector_math.logarithm` with its first two terms, 2s and 2s³/3, in double-double arithmetic
(Dekker, "A floating-point technique for extending the available precision", 1971).
"""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.coefficients import INVERSE_CUBE_ROOT, LOG_FIFTH_TAIL
from funcdiff.jit.native.vector_math.exponential import (
    LN2,
    LN2_LOW,
    clamped,
    exp_parts,
    nearest_integer,
    power_of_two,
    scaled,
)
from funcdiff.jit.native.vector_math.formats import FORMATS
from funcdiff.jit.native.vector_math.logarithm import as_float, log_parts, split_exponent
from funcdiff.jit.native.vector_math.registry import vector_function

TWO_THIRDS, TWO_THIRDS_LOW = 2 / 3, 3.700743415417188e-17


def log_pair(b: Builder, x: Value) -> tuple[Value, Value]:
    """log x = high + low to about 2⁻⁶⁵, for positive finite x."""
    return pair_of_parts(b, *log_parts(b, x))


def pair_of_parts(b: Builder, k: Value, f: Value) -> tuple[Value, Value]:
    """The same for x = 2ᵏ(1 + f)."""
    divisor, divisor_low = b.fast_two_sum(2.0, f)
    inverse = 1.0 / divisor
    s = f * inverse
    s_low = b.fma(-s, divisor_low, b.fma(-s, divisor, f)) * inverse
    z, z_low = b.two_product(s, s)
    z_low = b.fma(s + s, s_low, z_low)
    cube, cube_low = b.two_product(s, z)
    cube_low = b.fma(s, z_low, b.fma(s_low, z, cube_low))
    c, c_low = b.fast_two_sum(TWO_THIRDS, z * b.polynomial(z, LOG_FIFTH_TAIL))
    c_low = c_low + TWO_THIRDS_LOW
    term, term_low = b.two_product(c, cube)
    term_low = b.fma(c, cube_low, b.fma(c_low, cube, term_low))
    whole, whole_low = b.two_product(k, LN2)
    whole_low = b.fma(k, LN2_LOW, whole_low)
    high, error = b.fast_two_sum(whole, s + s)
    high, second_error = b.fast_two_sum(high, term)
    low = (error + second_error) + (b.fma(s_low, 2.0, term_low) + whole_low)
    return b.fast_two_sum(high, low)


@vector_function("power", "float_power")
def power(b: Builder, x: Value, y: Value) -> Value:
    """exp(y log x) for ordinary numbers, whose result is one too; the others take the long way."""
    of = FORMATS["f64"]
    e, m = split_exponent(b, x)
    high, low = pair_of_parts(b, as_float(b, e, of) - of.bias, m - 1.0)
    product, product_low = b.two_product(y, high)
    exponential, n = exp_parts(b, product, b.fma(y, low, product_low))
    usual = b.fma(power_of_two(b, n), exponential, power_of_two(b, n))
    is_ordinary = (x >= of.smallest_normal) & (x < math.inf) & (abs(product) < 708.0)
    return b.rarely(~is_ordinary, [usual], lambda: [extraordinary_power(b, x, y)])[0]


def extraordinary_power(b: Builder, x: Value, y: Value) -> Value:
    """exp(y log |x|), and what IEEE 754 says of signs, zeros, infinities and NaN."""
    a = abs(x)
    is_ordinary = (a > 0.0) & (a < math.inf)
    high, low = log_pair(b, a)
    high = b.select(is_ordinary, high, b.select(a.equals(0.0), b.constant("f64", -math.inf), a))
    product = y * high
    error = b.fma(y, low, b.fma(y, high, -product))
    error = b.select(abs(product) < 1000.0, error, 0.0)
    e, n = exp_parts(b, clamped(b, product, -746.0, 710.0), error)
    magnitude = scaled(b, 1.0 + e, n)

    is_integer = b.intrinsic("floor", y).equals(y)
    half = y * 0.5
    is_odd = is_integer & b.intrinsic("floor", half).differs(half)
    result = b.select(is_odd, b.copysign(magnitude, x), magnitude)
    result = b.select((x < 0.0) & ~is_integer & is_ordinary, math.nan, result)
    result = b.select(x.equals(-1.0) & abs(y).equals(math.inf), 1.0, result)
    return b.select(x.equals(1.0) | y.equals(0.0), 1.0, result)


@vector_function("sqrt", generic=True)
def sqrt(b: Builder, x: Value) -> Value:
    """The machine's own, correctly rounded."""
    return b.sqrt(x)


@vector_function("cbrt")
def cbrt(b: Builder, x: Value) -> Value:
    """x = t·8^q with t = m·2^j, j = -1, 0, 1. An approximation of t^(-1/3), improved by the series of (1 - h)^(-1/3).

    Then t·r² is a root to a few units, which one Newton step with an exact residual corrects; nothing is divided.
    """
    a = abs(x)
    k, f = log_parts(b, a)
    m = f + 1.0
    q = nearest_integer(b, k, 1 / 3)
    j = k - 3.0 * q
    t = m * power_of_two(b, j)
    factor = b.select(j > 0.5, 2 ** (-1 / 3), b.select(j < -0.5, b.constant("f64", 2 ** (1 / 3)), 1.0))
    r = factor * b.polynomial(m, INVERSE_CUBE_ROOT)
    h = b.fma(-(t * r), r * r, 1.0)
    r = b.fma(r * h, b.fma(h, 2 / 9, 1 / 3), r)
    inverse_square = r * r
    root = t * inverse_square
    square, square_low = b.two_product(root, root)
    residual = b.fma(square_low, root, b.fma(square, root, -t))
    root = b.fma(residual * inverse_square, -1 / 3, root) * power_of_two(b, q)
    return b.select((a > 0.0) & (a < math.inf), b.copysign(root, x), x)


@vector_function("hypot")
def hypot(b: Builder, x: Value, y: Value) -> Value:
    """√(x² + y²), scaled by a power of two where a square would leave the range."""
    x, y = abs(x), abs(y)
    largest, smallest = b.select(x < y, y, x), b.select(x < y, x, y)
    scale = b.select(
        largest > 2.0**500, 2.0**-600, b.select(largest < 2.0**-450, b.constant("f64", 2.0**600), 1.0)
    )
    back = b.select(
        largest > 2.0**500, 2.0**600, b.select(largest < 2.0**-450, b.constant("f64", 2.0**-600), 1.0)
    )
    u, v = largest * scale, smallest * scale
    result = b.sqrt(b.fma(u, u, v * v)) * back
    return b.select(x.equals(math.inf) | y.equals(math.inf), math.inf, result)
