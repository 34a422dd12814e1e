"""Comparisons, logic, classification, rounding: primitives whose derivative is zero where it exists."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from funcdiff.core.declare import locally_constant
from funcdiff.primitives.domains import on

_PAIR = on((-2.0, 2.0), (-2.0, 2.0))
_BETWEEN_INTEGERS = on((-1.9, -1.6))  # away from the jumps of every rounding


def _truths(rng: np.random.Generator) -> Any:
    return [((rng.random(3) < 0.5, rng.random((2, 1)) < 0.5), {})]


def _integers(rng: np.random.Generator) -> Any:
    return [((rng.integers(0, 9, 3), rng.integers(1, 5, (2, 1))), {})]


# --- answers that are booleans ---------------------------------------------------------------------

less = locally_constant(np.less, operator=operator.lt, samples=_PAIR)
less_equal = locally_constant(np.less_equal, operator=operator.le, samples=_PAIR)
greater = locally_constant(np.greater, operator=operator.gt, samples=_PAIR)
greater_equal = locally_constant(np.greater_equal, operator=operator.ge, samples=_PAIR)
equal = locally_constant(np.equal, operator=operator.eq, samples=_PAIR)
not_equal = locally_constant(np.not_equal, operator=operator.ne, samples=_PAIR)

logical_and = locally_constant(np.logical_and, samples=_PAIR)
logical_or = locally_constant(np.logical_or, samples=_PAIR)
logical_xor = locally_constant(np.logical_xor, samples=_PAIR)
logical_not = locally_constant(np.logical_not, samples=on((-2.0, 2.0)))

isnan = locally_constant(np.isnan, samples=on((-2.0, 2.0)))
isinf = locally_constant(np.isinf, samples=on((-2.0, 2.0)))
isfinite = locally_constant(np.isfinite, samples=on((-2.0, 2.0)))
signbit = locally_constant(np.signbit, samples=on((-2.0, 2.0)))

# --- of integers -----------------------------------------------------------------------------------

bitwise_and = locally_constant(np.bitwise_and, samples=_truths)
bitwise_or = locally_constant(np.bitwise_or, samples=_truths)
bitwise_xor = locally_constant(np.bitwise_xor, samples=_truths)
bitwise_count = locally_constant(np.bitwise_count, samples=lambda rng: [((rng.integers(0, 9, 3),), {})])
invert = locally_constant(np.invert, samples=lambda rng: [((rng.random(3) < 0.5,), {})])
left_shift = locally_constant(np.left_shift, samples=_integers)
right_shift = locally_constant(np.right_shift, samples=_integers)
gcd = locally_constant(np.gcd, samples=_integers)
lcm = locally_constant(np.lcm, samples=_integers)

# --- steps -----------------------------------------------------------------------------------------

sign = locally_constant(np.sign, samples=on((0.3, 2.0)), doc="The sign; of complex numbers see `unit`.")
floor = locally_constant(np.floor, samples=_BETWEEN_INTEGERS)
ceil = locally_constant(np.ceil, samples=_BETWEEN_INTEGERS)
trunc = locally_constant(np.trunc, samples=_BETWEEN_INTEGERS)
rint = locally_constant(np.rint, samples=_BETWEEN_INTEGERS)
floor_divide = locally_constant(np.floor_divide, samples=on((1.2, 1.8), (0.95, 1.05)))
spacing = locally_constant(np.spacing, samples=on((1.2, 1.8)))
