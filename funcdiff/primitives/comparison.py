"""Comparisons, logic and classification: primitives without a derivative, which answer with plain values."""

from __future__ import annotations

import operator

import numpy as np

from funcdiff.core.declare import locally_constant

less = locally_constant(np.less, operator=operator.lt)
less_equal = locally_constant(np.less_equal, operator=operator.le)
greater = locally_constant(np.greater, operator=operator.gt)
greater_equal = locally_constant(np.greater_equal, operator=operator.ge)
equal = locally_constant(np.equal, operator=operator.eq)
not_equal = locally_constant(np.not_equal, operator=operator.ne)

logical_and = locally_constant(np.logical_and)
logical_or = locally_constant(np.logical_or)
logical_xor = locally_constant(np.logical_xor)
logical_not = locally_constant(np.logical_not)
bitwise_and = locally_constant(np.bitwise_and)
bitwise_or = locally_constant(np.bitwise_or)
bitwise_xor = locally_constant(np.bitwise_xor)
invert = locally_constant(np.invert)
left_shift = locally_constant(np.left_shift)
right_shift = locally_constant(np.right_shift)

isnan = locally_constant(np.isnan)
isinf = locally_constant(np.isinf)
isfinite = locally_constant(np.isfinite)
signbit = locally_constant(np.signbit)

sign = locally_constant(np.sign)
floor = locally_constant(np.floor)
ceil = locally_constant(np.ceil)
trunc = locally_constant(np.trunc)
rint = locally_constant(np.rint)
floor_divide = locally_constant(np.floor_divide)
heaviside = locally_constant(np.heaviside)
spacing = locally_constant(np.spacing)
