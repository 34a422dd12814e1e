"""The error function's family.

erf is a polynomial up to ½. From there erfc x = e^(-x²) g(x), where √π (x + ½) g(x), between 1 and 1.14, is a polynomial in (x - 3)/(x + 3)
(the map used by Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x²) erfc x", 1981), and the square
in the exponent is taken in two parts.
"""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.coefficients import ERF_TAIL, ERFC_SCALED
from funcdiff.jit.native.vector_math.exponential import clamped, exp_parts, scaled
from funcdiff.jit.native.vector_math.logarithm import log, log_of_sum
from funcdiff.jit.native.vector_math.registry import vector_function

SQRT_HALF = math.sqrt(0.5)
Split = tuple[float, float]  # a constant as a sum of two
SQRT_PI: Split = (1.772453850905516, -7.666586499825799e-17)
HALF_SQRT_PI: Split = (0.886226925452758, -3.8332932499128993e-17)
SQRT_TWO_PI: Split = (2.5066282746310007, -1.8328579980459167e-16)


def small_erf(b: Builder, x: Value) -> Value:
    """Erf for |x| ≤ ½."""
    return b.fma(x, b.polynomial(x * x, ERF_TAIL), x)


def scaled_erfc(b: Builder, a: Value, factor: Split, offset: Split, center: float) -> tuple[Value, Value]:
    """``(g, inverse)`` with e^(u²) erfc u = (1 + g) inverse, for 1/inverse = factor·a + offset = √π (u + ½).

    The arguments are u = a, √π, √π/2 and 3, or multiples of them: a multiple in the second and third divides the
    result. The divisor is a sum of two, and the errors of its inverse are made up for in g.
    """
    product, product_low = b.two_product(a, factor[0])
    divisor, error = b.two_sum(offset[0], product)
    divisor_low = error + (b.fma(a, factor[1], product_low) + offset[1])
    common = 1.0 / (divisor * (a + center))
    inverse = common * (a + center)
    g = b.polynomial((a - center) * (common * divisor), ERFC_SCALED)
    relative_error = b.fma(-divisor_low, inverse, b.fma(-divisor, inverse, 1.0))
    return g + relative_error, inverse


def times_gauss(b: Builder, g: Value, inverse: Value, x: Value, half: float) -> Value:
    """``(1 + g) * inverse * exp(-half * x**2)`` for |x| ≤ 40."""
    square, square_low = b.two_product(x * half, x)
    e, n = exp_parts(b, -square, -square_low)
    return scaled(b, b.fma(b.fma(g, e, g + e), inverse, inverse), n)


def large_erfc(b: Builder, a: Value) -> Value:
    """Erfc for a ≥ ½."""
    a = clamped(b, a, 0.5, 28.0)
    return times_gauss(b, *scaled_erfc(b, a, SQRT_PI, HALF_SQRT_PI, 3.0), a, 1.0)


@vector_function("erf")
def erf(b: Builder, x: Value) -> Value:
    """1 - erfc|x| from ½."""
    a = abs(x)
    return b.select(a < 0.5, small_erf(b, x), b.copysign(1.0 - large_erfc(b, a), x))


@vector_function("erfc")
def erfc(b: Builder, x: Value) -> Value:
    """1 - erf x up to ½, and 2 - erfc|x| for negative x."""
    a = abs(x)
    tail = large_erfc(b, a)
    return b.select(a < 0.5, 1.0 - small_erf(b, x), b.select(x < 0.0, 2.0 - tail, tail))


@vector_function("erfcx")
def erfcx(b: Builder, x: Value) -> Value:
    """e^(x²) erfc x: 1 - erf x up to ½ and 2 - erfc|x| below are multiplied by the power, in two parts."""
    a = abs(x)
    g, inverse = scaled_erfc(b, clamped(b, a, 0.5, 1e150), SQRT_PI, HALF_SQRT_PI, 3.0)
    tail = b.select(a > 1e150, (1.0 / SQRT_PI[0]) / a, b.fma(g, inverse, inverse))
    bounded = clamped(b, a, 0.0, 30.0)
    square, square_low = b.two_product(bounded, bounded)
    e, n = exp_parts(b, square, square_low)
    small = 1.0 - small_erf(b, x)
    middle = b.fma(e, small, small)
    left = scaled(b, 2.0 + 2.0 * e, n) - tail
    return b.select(a < 0.5, scaled(b, middle, n), b.select(x < 0.0, left, tail))


def scaled_normal_tail(b: Builder, a: Value) -> tuple[Value, Value]:
    """``(g, inverse)`` with ½e^(u²) erfc u = (1 + g) inverse for u = a/√2 ≥ ½."""
    return scaled_erfc(b, a, SQRT_TWO_PI, SQRT_PI, 3 * math.sqrt(2))


def normal_tail(b: Builder, a: Value) -> Value:
    """The probability beyond a ≥ √½ of a standard normal variable."""
    a = clamped(b, a, SQRT_HALF, 39.0)
    return times_gauss(b, *scaled_normal_tail(b, a), a, 0.5)


@vector_function("ndtr")
def ndtr(b: Builder, x: Value) -> Value:
    """½ + ½ erf(x/√2) up to |x| = √½, else the tail or what it leaves of 1."""
    a = abs(x)
    tail = normal_tail(b, a)
    middle = b.fma(0.5, small_erf(b, x * SQRT_HALF), 0.5)
    return b.select(a < SQRT_HALF, middle, b.select(x < 0.0, tail, 1.0 - tail))


@vector_function("log_ndtr")
def log_ndtr(b: Builder, x: Value) -> Value:
    """log(½ e^(u²) erfc u) - x²/2 for u = -x/√2 > ½, then log(½ + ½ erf(x/√2)), for x ≥ 0 log1p(-upper tail)."""
    a = abs(x)
    bounded = clamped(b, a, SQRT_HALF, 1e150)
    g, inverse = scaled_normal_tail(b, bounded)
    far_left = b.fma(a * -0.5, a, log(b, b.fma(g, inverse, inverse)))
    below = b.fma(0.5, small_erf(b, x * SQRT_HALF), 0.5)
    above = b.select(a < SQRT_HALF, b.fma(-0.5, small_erf(b, x * SQRT_HALF), 0.5), normal_tail(b, a))
    u, c = b.fast_two_sum(1.0, -above)
    is_left = x < 0.0
    near = log_of_sum(b, b.select(is_left, below, u), b.select(is_left, 0.0, c))
    return b.select(x < -SQRT_HALF, far_left, -abs(near))
