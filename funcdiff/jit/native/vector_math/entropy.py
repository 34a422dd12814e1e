"""Products of a number and a logarithm, which are zero where the number is, as scipy.special defines them."""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.logarithm import log, log1p
from funcdiff.jit.native.vector_math.registry import vector_function


@vector_function("xlogy")
def xlogy(b: Builder, x: Value, y: Value) -> Value:
    """x log y, and 0 at x = 0 unless y is NaN."""
    return b.select(x.equals(0.0) & ~y.is_nan(), 0.0, x * log(b, y))


@vector_function("xlog1py")
def xlog1py(b: Builder, x: Value, y: Value) -> Value:
    """x log(1 + y), and 0 at x = 0 unless y is NaN."""
    return b.select(x.equals(0.0) & ~y.is_nan(), 0.0, x * log1p(b, y))


@vector_function("entr")
def entr(b: Builder, x: Value) -> Value:
    """-x log x, 0 at 0, -inf below."""
    inside = b.select(x.equals(0.0), 0.0, -x * log(b, x))
    return b.select(x < 0.0, -math.inf, inside)


def log_ratio(b: Builder, x: Value, y: Value) -> Value:
    """log(x/y) for positive numbers: near 1 from their difference, and from two logarithms beyond the range."""
    ratio = x / y
    near = log1p(b, (x - y) / y)
    usual = b.select((ratio > 0.5) & (ratio < 2.0), near, log(b, ratio))
    is_outside = (ratio < 2.0**-1022) | ratio.equals(math.inf)
    return b.rarely(is_outside, [usual], lambda: [log(b, x) - log(b, y)])[0]


def defined(b: Builder, x: Value, y: Value, inside: Value, edge: Value | float) -> Value:
    """``inside`` for positive x and y, ``edge`` at x = 0 ≤ y, NaN where one is, infinity elsewhere."""
    outside = b.select(x.equals(0.0) & (y >= 0.0), edge, math.inf)
    result = b.select((x > 0.0) & (y > 0.0), inside, outside)
    return b.select(x.is_nan() | y.is_nan(), math.nan, result)


@vector_function("rel_entr")
def rel_entr(b: Builder, x: Value, y: Value) -> Value:
    """x log(x/y)."""
    return defined(b, x, y, x * log_ratio(b, x, y), 0.0)


@vector_function("kl_div")
def kl_div(b: Builder, x: Value, y: Value) -> Value:
    """x log(x/y) - x + y."""
    return defined(b, x, y, x * log_ratio(b, x, y) - x + y, y)
