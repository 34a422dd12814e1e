"""Remainders and the quotients that go with them, as NumPy defines them.

fmod is exact: while the quotient has at most 53 bits its remainder is one fused operation, and longer ones are divided
in steps, lane by lane.
"""

from __future__ import annotations

import math

from funcdiff.jit.native.vector_math.builder import Builder, Value, hexadecimal
from funcdiff.jit.native.vector_math.helpers import Helper
from funcdiff.jit.native.vector_math.registry import vector_function

# For a ≥ 0 and b > 0: subtracts q·b·2ᵏ from a until less than b is left, q of at most 53 bits. A subnormal b has up to
# 52 leading zeros, so that there k makes the exponents equal, else 51 less.
LONG_DIVISION = Helper(
    "fd.fmod",
    f"""
define internal {{ double }} @fd.fmod(double %a, double %b) noinline optnone {{
entry:
  %is_positive = fcmp ogt double %b, 0.0
  %is_finite = fcmp olt double %a, {hexadecimal(math.inf)}
  %is_proper = and i1 %is_positive, %is_finite
  %b_bits = bitcast double %b to i64
  %b_exponent0 = lshr i64 %b_bits, 52
  %b_exponent = call i64 @llvm.umax.i64(i64 %b_exponent0, i64 1)
  %is_subnormal = icmp eq i64 %b_exponent0, 0
  %slack = select i1 %is_subnormal, i64 0, i64 51
  %subtracted = add i64 %b_exponent, %slack
  br i1 %is_proper, label %loop, label %done
loop:
  %r = phi double [ %a, %entry ], [ %next, %body ]
  %is_more = fcmp oge double %r, %b
  br i1 %is_more, label %body, label %done
body:
  %r_bits = bitcast double %r to i64
  %r_exponent0 = lshr i64 %r_bits, 52
  %r_exponent = call i64 @llvm.umax.i64(i64 %r_exponent0, i64 1)
  %difference = sub i64 %r_exponent, %subtracted
  %k = call i64 @llvm.smax.i64(i64 %difference, i64 0)
  %half = lshr i64 %k, 1
  %other = sub i64 %k, %half
  %half_biased = add i64 %half, 1023
  %other_biased = add i64 %other, 1023
  %half_bits = shl i64 %half_biased, 52
  %other_bits = shl i64 %other_biased, 52
  %half_power = bitcast i64 %half_bits to double
  %other_power = bitcast i64 %other_bits to double
  %partly = fmul double %b, %half_power
  %step = fmul double %partly, %other_power
  %quotient = fdiv double %r, %step
  %q = call double @llvm.trunc.f64(double %quotient)
  %minus_q = fneg double %q
  %rest = call double @llvm.fma.f64(double %minus_q, double %step, double %r)
  %is_negative = fcmp olt double %rest, 0.0
  %corrected = fadd double %rest, %step
  %next = select i1 %is_negative, double %corrected, double %rest
  br label %loop
done:
  %result = phi double [ %a, %entry ], [ %r, %loop ]
  %packed = insertvalue {{ double }} poison, double %result, 0
  ret {{ double }} %packed
}}
""",
    ("f64", "f64"),
    ("f64",),
)


def float64_fmod(b: Builder, x: Value, y: Value) -> Value:
    """The remainder of a division truncated towards zero; a quotient rounded up to an integer is one too large."""
    dividend, divisor = abs(x), abs(y)
    quotient = b.intrinsic("trunc", dividend / divisor)
    rest = b.fma(-quotient, divisor, dividend)
    rest = b.select(rest < 0.0, rest + divisor, rest)
    rest = b.rarely(quotient >= 2.0**53, [rest], lambda: LONG_DIVISION(b, dividend, divisor))[0]
    rest = b.select(divisor.equals(math.inf), dividend, rest)
    return b.copysign(b.select((dividend < math.inf) & (divisor > 0.0), rest, math.nan), x)


@vector_function("fmod", generic=True)
def fmod(b: Builder, x: Value, y: Value) -> Value:
    """x - trunc(x/y)·y, exactly; float32 has it exactly through float64."""
    return float64_fmod(b, x, y) if x.kind == "f64" else b.narrow(float64_fmod(b, b.widen(x), b.widen(y)))


@vector_function("remainder", "mod", generic=True)
def remainder(b: Builder, x: Value, y: Value) -> Value:
    """The remainder with the sign of the divisor, exact but for one addition."""
    rest = fmod(b, x, y)
    moved = b.select((rest < 0.0) ^ (y < 0.0), rest + y, rest)
    return b.select(rest.equals(0.0), b.copysign(0.0, y), moved)


@vector_function("floor_divide", generic=True)
def floor_divide(b: Builder, x: Value, y: Value) -> Value:
    """The quotient without the remainder, brought to the integer next to it."""
    rest = fmod(b, x, y)
    quotient = (x - rest) / y
    is_opposite = rest.differs(0.0) & ((rest < 0.0) ^ (y < 0.0))
    quotient = b.select(is_opposite, quotient - 1.0, quotient)
    below = b.intrinsic("floor", quotient)
    nearest = b.select(quotient - below > 0.5, below + 1.0, below)
    result = b.select(quotient.equals(0.0), b.copysign(0.0, x / y), nearest)
    return b.select(y.equals(0.0), x / y, result)
