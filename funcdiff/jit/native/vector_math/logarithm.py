"""The logarithms.

x = 2ᵏm with √½ ≤ m < √2; for f = m - 1 and s = f/(2 + f), log m = log((1 + s)/(1 - s)) = 2s + s³P(s²), arranged as
f - (f²/2 - s(f²/2 + s²P)) so that the leading term is exact (the arrangement of Sun's fdlibm, 1993).
"""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.coefficients import LOG_TAIL, LOG_TAIL_SINGLE
from funcdiff.jit.native.vector_math.exponential import LN2, LN2_LOW, exp, exp2
from funcdiff.jit.native.vector_math.formats import Format, format_of, parts
from funcdiff.jit.native.vector_math.registry import vector_function

LOG2_E, LOG2_E_LOW = 1.4426950408889634, 2.0355273740931033e-17  # 1/ln 2
LOG10_E, LOG10_E_LOW = 0.4342944819032518, 1.098319650216765e-17  # 1/ln 10
LOG10_2, LOG10_2_LOW = 0.3010299956639812, -2.8037281277851704e-18


def split_exponent(b: Builder, x: Value) -> tuple[Value, Value]:
    """``(e, m)`` with x = m 2^(e - bias), √½ ≤ m < √2 and an integer e, for normal positive x."""
    of = format_of(x)
    shifted = b.bits(x) + (of.one - of.sqrt_half)
    return shifted >> of.bits, b.from_bits((shifted & of.mantissa) + of.sqrt_half)


def as_float(b: Builder, e: Value, of: Format) -> Value:
    """A small non-negative integer as a float: the last bits of a number whose last place is 1."""
    return b.from_bits(e | ((of.bias + of.bits) << of.bits)) - 2.0**of.bits


def log_near_one(b: Builder, f: Value, low: Value) -> Value:
    """log(1 + f) + low for √½ ≤ 1 + f < √2."""
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * f * f
    series = b.polynomial(z, LOG_TAIL if f.kind == "f64" else LOG_TAIL_SINGLE)
    tail = b.fma(s, b.fma(z, series, half_square), low)
    return f - (half_square - tail)


def at_the_ends(b: Builder, x: Value, zero: Value, result: Value) -> Value:
    """The logarithm's values where its argument ``zero`` is not positive, or infinite like ``x``."""
    result = b.select(zero > 0.0, result, b.select(zero.equals(0.0), b.constant(x.kind, -math.inf), math.nan))
    return b.select(x.equals(math.inf), x, result)


def log_parts(b: Builder, x: Value) -> tuple[Value, Value]:
    """``(k, f)`` with x = 2ᵏ(1 + f), subnormal x included."""
    of = format_of(x)
    raised = of.bits + 2
    is_small = x < of.smallest_normal
    e, m = split_exponent(b, b.select(is_small, x * 2.0**raised, x))
    bias = b.select(is_small, b.constant(x.kind, of.bias + raised), of.bias)
    return as_float(b, e, of) - bias, m - 1.0


def log_of_sum(b: Builder, u: Value, c: Value) -> Value:
    """log(u + c) for a positive normal u and a c below its last place."""
    of = format_of(u)
    ln2, ln2_low = parts(u, LN2, LN2_LOW)
    e, m = split_exponent(b, u)
    k = as_float(b, e, of) - of.bias
    two_to_minus_k = b.from_bits((2 * of.bias + 1 - e) << of.bits) * 0.5
    return b.fma(k, ln2, log_near_one(b, (m - 1.0) + c * two_to_minus_k, k * ln2_low))


@vector_function("log", generic=True)
def log(b: Builder, x: Value) -> Value:
    """k ln 2 + log m."""
    k, f = log_parts(b, x)
    ln2, ln2_low = parts(x, LN2, LN2_LOW)
    return at_the_ends(b, x, x, b.fma(k, ln2, log_near_one(b, f, k * ln2_low)))


@vector_function("log2", generic=True)
def log2(b: Builder, x: Value) -> Value:
    """k + log m / ln 2, the factor as a sum of two."""
    k, f = log_parts(b, x)
    log2_e, log2_e_low = parts(x, LOG2_E, LOG2_E_LOW)
    natural = log_near_one(b, f, b.constant(x.kind, 0.0))
    return at_the_ends(b, x, x, b.fma(natural, log2_e, b.fma(natural, log2_e_low, k)))


@vector_function("log10", generic=True)
def log10(b: Builder, x: Value) -> Value:
    """k log₁₀2 + log m / ln 10, both factors as sums of two."""
    k, f = log_parts(b, x)
    (log10_e, log10_e_low), (log10_2, log10_2_low) = (
        parts(x, LOG10_E, LOG10_E_LOW),
        parts(x, LOG10_2, LOG10_2_LOW),
    )
    natural = log_near_one(b, f, b.constant(x.kind, 0.0))
    low = b.fma(natural, log10_e_low, k * log10_2_low)
    return at_the_ends(b, x, x, b.fma(k, log10_2, b.fma(natural, log10_e, low)))


@vector_function("log1p", generic=True)
def log1p(b: Builder, x: Value) -> Value:
    """log(u + c), u = 1 + x rounded and c the rounding error, exact; c is scaled like u and joins f."""
    u, c = b.two_sum(1.0, x)
    return b.select(abs(x) < format_of(x).epsilon, x, at_the_ends(b, x, u, log_of_sum(b, u, c)))


def log1p_unit(b: Builder, x: Value) -> Value:
    """log1p for 0 ≤ x ≤ 1."""
    u, c = b.fast_two_sum(1.0, x)
    return log_of_sum(b, u, c)


@vector_function("logaddexp")
def logaddexp(b: Builder, x: Value, y: Value) -> Value:
    """max(x, y) + log1p(exp(-|x - y|)); equal infinities have no difference."""
    largest = b.select(x < y, y, x)
    result = largest + log1p_unit(b, exp(b, -abs(x - y)))
    return b.select(x.equals(y), x + LN2, result)


@vector_function("logaddexp2")
def logaddexp2(b: Builder, x: Value, y: Value) -> Value:
    """max(x, y) + log1p(2^-|x - y|) / ln 2."""
    largest = b.select(x < y, y, x)
    result = b.fma(log1p_unit(b, exp2(b, -abs(x - y))), LOG2_E, largest)
    return b.select(x.equals(y), x + 1.0, result)


@vector_function("log_expit", generic=True)
def log_expit(b: Builder, x: Value) -> Value:
    """log(1/(1 + e⁻ˣ)) = min(x, 0) - log1p(exp(-|x|))."""
    return b.select(x > 0.0, -0.0, x) - log1p_unit(b, exp(b, -abs(x)))


@vector_function("logit")
def logit(b: Builder, p: Value) -> Value:
    """log(p/(1 - p)), near ½ from the difference (2p - 1)/(1 - p) to one, which is exact there."""
    is_near_half = abs(p - 0.5) < 0.2
    u, c = b.two_sum(1.0, (2.0 * p - 1.0) / (1.0 - p))
    quotient = p / (1.0 - p)
    middle = log_of_sum(b, u, c)
    return b.select(is_near_half, middle, log(b, quotient))


@vector_function("arcsinh")
def arcsinh(b: Builder, x: Value) -> Value:
    """log1p(a + a²/(1 + √(1 + a²))) for a = |x|, which is log a + ln 2 where a² is much above 1."""
    a = abs(x)
    is_large = a > 2.0**28
    square = a * a
    inner = b.select(is_large, a - 1.0, a + square / (1.0 + b.sqrt(b.fma(a, a, 1.0))))
    result = log1p(b, inner) + b.select(is_large, b.constant("f64", LN2), 0.0)
    return b.copysign(result, x)


@vector_function("arccosh")
def arccosh(b: Builder, x: Value) -> Value:
    """log1p(t + √(t² + 2t)) for t = x - 1, which is log x + ln 2 where t² is much above 1."""
    is_large = x > 2.0**28
    t = b.select(x >= 1.0, x - 1.0, math.nan)
    inner = b.select(is_large, t, t + b.sqrt(b.fma(t, t, 2.0 * t)))
    return log1p(b, inner) + b.select(is_large, b.constant("f64", LN2), 0.0)


@vector_function("arctanh")
def arctanh(b: Builder, x: Value) -> Value:
    """½ log1p(2a/(1 - a)) for a = |x|."""
    a = abs(x)
    return b.copysign(0.5 * log1p(b, 2.0 * a / (1.0 - a)), x)
