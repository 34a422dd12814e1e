"""Our own vector math: elementary and special functions as LLVM IR, of any number of lanes.

``definitions([("exp", "f64", 8)])`` is the text of ``@fd.exp.f64.v8``. Every function is a formula in Python (see
:mod:`~funcdiff.jit.native.vector_math.builder`) in the file of its family; results are within 2.5 units in the last
place of the true value unless a docstring says otherwise, with NumPy's results at infinities, NaN, signed zeros and
beyond the range. The results do not depend on the number of lanes.
"""

from __future__ import annotations

from funcdiff.jit.native.vector_math import (
    arithmetic,
    division,
    entropy,
    error_function,
    exponential,
    gamma,
    inverse_trigonometric,
    logarithm,
    power,
    trigonometric,
)
from funcdiff.jit.native.vector_math.registry import available, definitions, symbol

FAMILIES = (  # imported for what they register
    arithmetic,
    division,
    entropy,
    error_function,
    exponential,
    gamma,
    inverse_trigonometric,
    logarithm,
    power,
    trigonometric,
)

__all__ = ["FAMILIES", "available", "definitions", "symbol"]
