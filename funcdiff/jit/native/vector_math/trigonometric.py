"""Sine, cosine and tangent.

x = nπ/2 + r with |r| ≤ π/4. Up to 2³⁰ the product nπ/2 is taken in three parts (Cody and Waite): x - nP₁ is exact in
one fused operation, nP₂ is an exact product whose subtraction keeps its rounding error, so that r is right also for
the doubles next to multiples of π/2. Larger arguments multiply by the digits of 2/π that matter (Payne and Hanek,
"Radian reduction for trigonometric functions", 1983), lane by lane.
"""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value, hexadecimal
from funcdiff.jit.native.vector_math.coefficients import (
    COS_TAIL,
    COS_TAIL_SINGLE,
    PI_HALF,
    SIN_TAIL,
    SIN_TAIL_SINGLE,
    TWO_OVER_PI,
)
from funcdiff.jit.native.vector_math.exponential import nearest_integer
from funcdiff.jit.native.vector_math.formats import FORMATS
from funcdiff.jit.native.vector_math.helpers import Helper
from funcdiff.jit.native.vector_math.registry import vector_function

# |x| = M 2^E with an integer M of 53 bits. Of 2/π = Σ bᵢ2⁻ⁱ the 192 digits from i = E - 1 decide x·2/π modulo 4: the
# product with M, modulo 2¹⁹² (three words), begins with two bits of quadrant, the rest is the fraction. It is taken as signed, cut
# into exact pieces of 48 bits, and summed to two doubles, which are multiplied by π/2.
REDUCE_HUGE = Helper(
    "fd.reduce_huge",
    f"""
@fd.two_over_pi = internal constant [{len(TWO_OVER_PI)} x i64] [{", ".join(f"i64 {w}" for w in TWO_OVER_PI)}]
define internal {{ double, double, double }} @fd.reduce_huge(double %x) noinline optnone {{
  %bits = bitcast double %x to i64
  %shifted = lshr i64 %bits, 52
  %biased = and i64 %shifted, 2047
  %mantissa = and i64 %bits, {(1 << 52) - 1}
  %m = or i64 %mantissa, {1 << 52}
  %large = call i64 @llvm.umax.i64(i64 %biased, i64 1053)
  %position = sub i64 %large, {1075 + 1 - 63}
  %word = lshr i64 %position, 6
  %shift = and i64 %position, 63
  %p0 = getelementptr i64, ptr @fd.two_over_pi, i64 %word
  %p1 = getelementptr i64, ptr %p0, i64 1
  %p2 = getelementptr i64, ptr %p0, i64 2
  %p3 = getelementptr i64, ptr %p0, i64 3
  %w0 = load i64, ptr %p0
  %w1 = load i64, ptr %p1
  %w2 = load i64, ptr %p2
  %w3 = load i64, ptr %p3
  %d0 = call i64 @llvm.fshl.i64(i64 %w0, i64 %w1, i64 %shift)
  %d1 = call i64 @llvm.fshl.i64(i64 %w1, i64 %w2, i64 %shift)
  %d2 = call i64 @llvm.fshl.i64(i64 %w2, i64 %w3, i64 %shift)
  %m128 = zext i64 %m to i128
  %d1_wide = zext i64 %d1 to i128
  %d2_wide = zext i64 %d2 to i128
  %last = mul i128 %d2_wide, %m128
  %last_high = lshr i128 %last, 64
  %last_word = trunc i128 %last to i64
  %second = mul i128 %d1_wide, %m128
  %middle = add i128 %second, %last_high
  %middle_high = lshr i128 %middle, 64
  %middle_word = trunc i128 %middle to i64
  %carried = trunc i128 %middle_high to i64
  %first = mul i64 %d0, %m
  %first_word = add i64 %first, %carried
  %quadrant = lshr i64 %first_word, 62
  %top = call i64 @llvm.fshl.i64(i64 %first_word, i64 %middle_word, i64 2)
  %mid = call i64 @llvm.fshl.i64(i64 %middle_word, i64 %last_word, i64 2)
  %end = shl i64 %last_word, 2
  %negative = lshr i64 %top, 63
  %n_integer = add i64 %quadrant, %negative
  %n = sitofp i64 %n_integer to double
  %c0 = ashr i64 %top, 16
  %c1_all = call i64 @llvm.fshl.i64(i64 %top, i64 %mid, i64 32)
  %c1 = and i64 %c1_all, {(1 << 48) - 1}
  %c2_all = call i64 @llvm.fshl.i64(i64 %mid, i64 %end, i64 16)
  %c2 = and i64 %c2_all, {(1 << 48) - 1}
  %f0 = sitofp i64 %c0 to double
  %f1 = sitofp i64 %c1 to double
  %f2 = sitofp i64 %c2 to double
  %g0 = fmul double %f0, {hexadecimal(2.0**-48)}
  %g1 = fmul double %f1, {hexadecimal(2.0**-96)}
  %g2 = fmul double %f2, {hexadecimal(2.0**-144)}
  %sum = fadd double %g0, %g1
  %back = fsub double %sum, %g0
  %error = fsub double %g1, %back
  %rest = fadd double %error, %g2
  %high = fmul double %sum, {hexadecimal(PI_HALF[0])}
  %minus_high = fneg double %high
  %e1 = call double @llvm.fma.f64(double %sum, double {hexadecimal(PI_HALF[0])}, double %minus_high)
  %e2 = call double @llvm.fma.f64(double %sum, double {hexadecimal(PI_HALF[1])}, double %e1)
  %low = call double @llvm.fma.f64(double %rest, double {hexadecimal(PI_HALF[0])}, double %e2)
  %is_negative = icmp slt i64 %bits, 0
  %sign = select i1 %is_negative, double -1.0, double 1.0
  %signed_n = fmul double %n, %sign
  %signed_high = fmul double %high, %sign
  %signed_low = fmul double %low, %sign
  %nan_of_infinity = fsub double %x, %x
  %final_low = fadd double %signed_low, %nan_of_infinity
  %r0 = insertvalue {{ double, double, double }} poison, double %signed_n, 0
  %r1 = insertvalue {{ double, double, double }} %r0, double %signed_high, 1
  %r2 = insertvalue {{ double, double, double }} %r1, double %final_low, 2
  ret {{ double, double, double }} %r2
}}
""",
    ("f64",),
    ("f64", "f64", "f64"),
)


def reduced(b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """``(n, r, low)`` with x = nπ/2 + r + low, where n may lack multiples of 4."""
    n = nearest_integer(b, x, 2 / math.pi)
    product, product_low = b.two_product(n, PI_HALF[1])
    r, error = b.two_sum(b.fma(n, -PI_HALF[0], x), -product)
    low = b.fma(n, -PI_HALF[2], error - product_low)
    n, r, low = b.rarely(abs(x) > 2.0**30, (n, r, low), lambda: REDUCE_HUGE(b, x))
    return n, r, low


def kernels(b: Builder, r: Value, low: Value) -> tuple[Value, Value]:
    """Sine and cosine of r + low, |r| ≤ π/4."""
    z = r * r
    half_z = z * 0.5
    sine = r + b.fma(z * r, b.polynomial(z, SIN_TAIL), b.fma(-low, half_z, low))
    rough = 1.0 - half_z
    cosine = rough + (((1.0 - rough) - half_z) + b.fma(z * z, b.polynomial(z, COS_TAIL), -(r * low)))
    return sine, cosine


def single_reduced(b: Builder, x: Value) -> tuple[Value, Value]:
    """``(n, r)`` for numbers that come from float32: two parts of π/2 suffice."""
    n = nearest_integer(b, x, 2 / math.pi)
    r = b.fma(n, -PI_HALF[1], b.fma(n, -PI_HALF[0], x))
    n, r = b.rarely(abs(x) > 2.0**30, (n, r), lambda: REDUCE_HUGE(b, x)[:2])
    return n, r


def single_kernels(b: Builder, r: Value) -> tuple[Value, Value]:
    """Sine and cosine to the precision of float32, computed in float64."""
    z = r * r
    sine = b.fma(z * r, b.polynomial(z, SIN_TAIL_SINGLE), r)
    cosine = b.fma(z * z, b.polynomial(z, COS_TAIL_SINGLE), b.fma(z, -0.5, 1.0))
    return sine, cosine


def turned(b: Builder, n: Value, sine: Value, cosine: Value) -> tuple[Value, Value]:
    """The kernels change places in odd quadrants and signs in half of them."""
    quadrant = b.bits(n + FORMATS["f64"].rounder)
    odd = (quadrant & 1).differs(0)
    sine_bits = b.bits(b.select(odd, cosine, sine)) ^ ((quadrant & 2) << 62)
    cosine_bits = b.bits(b.select(odd, sine, cosine)) ^ (((quadrant + 1) & 2) << 62)
    return b.from_bits(sine_bits), b.from_bits(cosine_bits)


def sincos_single(b: Builder, x: Value) -> tuple[Value, Value]:
    """Both in float64, rounded; an infinity has no reduced argument but NaN."""
    wide = b.widen(x)
    n, r = single_reduced(b, wide)
    r = r + b.select(abs(wide) < math.inf, b.constant("f64", 0.0), math.nan)
    sine, cosine = turned(b, n, *single_kernels(b, r))
    return b.select(x.equals(0.0), x, b.narrow(sine)), b.narrow(cosine)


@vector_function("sincos", single=sincos_single)
def sincos(b: Builder, x: Value) -> tuple[Value, Value]:
    """Sine and cosine."""
    n, r, low = reduced(b, x)
    sine, cosine = turned(b, n, *kernels(b, r, low))
    return b.select(x.equals(0.0), x, sine), cosine


@vector_function("sin", single=lambda b, x: sincos_single(b, x)[0])
def sin(b: Builder, x: Value) -> Value:
    """The first of :func:`sincos`."""
    return sincos(b, x)[0]


@vector_function("cos", single=lambda b, x: sincos_single(b, x)[1])
def cos(b: Builder, x: Value) -> Value:
    """The second of :func:`sincos`."""
    return sincos(b, x)[1]


@vector_function("tan")
def tan(b: Builder, x: Value) -> Value:
    """The quotient of the kernels, upside down and negative in odd quadrants."""
    n, r, low = reduced(b, x)
    sine, cosine = kernels(b, r, low)
    odd = (b.bits(n + FORMATS["f64"].rounder) & 1).differs(0)
    quotient = b.select(odd, -cosine, sine) / b.select(odd, sine, cosine)
    return b.select(x.equals(0.0), x, quotient)
