"""What a formula for both floating formats needs to know of the one it is written for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from funcdiff.jit.native.vector_math.builder import Value


@dataclass(frozen=True)
class Format:
    """A binary format of IEEE 754.

    Attributes
    ----------
    bits : int
        Of the mantissa, without the leading one.
    bias : int
        Of the exponent.
    sqrt_half : int
        The representation of √½.
    """

    bits: int
    bias: int
    sqrt_half: int

    @property
    def rounder(self) -> float:
        """x + rounder is x rounded to an integer, which stands in the last bits of the sum's representation."""
        return 1.5 * 2.0**self.bits

    @property
    def one(self) -> int:
        """The representation of 1."""
        return self.bias << self.bits

    @property
    def mantissa(self) -> int:
        """The mask of the mantissa."""
        return (1 << self.bits) - 1

    @property
    def epsilon(self) -> float:
        """Half a unit in the last place of 1; halved once more, so that x + x² epsilon is x."""
        return 2.0 ** -(self.bits + 2)

    @property
    def smallest_normal(self) -> float:
        """The least number of full precision."""
        return 2.0 ** (1 - self.bias)


FORMATS = {"f64": Format(52, 1023, 0x3FE6A09E667F3BCD), "f32": Format(23, 127, 0x3F3504F3)}


def format_of(x: Value) -> Format:
    """The format of a value."""
    return FORMATS[x.kind]


def parts(x: Value, high: float, low: float) -> tuple[float, float]:
    """A constant, known as a sum of two doubles, as a sum of two numbers of a value's format."""
    if x.kind == "f64":
        return high, low
    single = float(np.float32(high))
    return single, (high - single) + low
