"""`numpy.emath`: functions that answer with complex numbers outside their real domain.

As in NumPy, one element outside makes the whole result complex; under `vmap` one example does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray, concrete
from funcdiff.numpy._arguments import as_array, to_dtype
from funcdiff.numpy._protocol import implements


def _somewhere(flags: Any) -> bool:
    """Tell whether a flag is set, in any example under `vmap`; with a guard where a program is written."""
    while type(flags) is TracedArray and flags.recorder.batch:
        flags = flags.value
    return bool(concrete(np.any(flags)))


def _complex_if(outside: Any, x: Any) -> Any:
    """Make `x` complex where any value is outside of the real domain."""
    if x.dtype.kind == "c" or not _somewhere(outside(x)):
        return x
    return to_dtype(x, np.complex64 if x.dtype == np.float32 else np.complex128)


def _negative(x: Any) -> Any:
    return x < 0


def _beyond_one(x: Any) -> Any:
    return abs(x) > 1


@implements(np.emath.sqrt)
def sqrt(x: Any) -> Any:
    """Square root."""
    return np.sqrt(_complex_if(_negative, as_array(x)))


@implements(np.emath.log)
def log(x: Any) -> Any:
    """Natural logarithm."""
    return np.log(_complex_if(_negative, as_array(x)))


@implements(np.emath.log2)
def log2(x: Any) -> Any:
    """Logarithm to base 2."""
    return np.log2(_complex_if(_negative, as_array(x)))


@implements(np.emath.log10)
def log10(x: Any) -> Any:
    """Logarithm to base 10."""
    return np.log10(_complex_if(_negative, as_array(x)))


@implements(np.emath.logn)
def logn(n: Any, x: Any) -> Any:
    """Logarithm to base `n`."""
    return log(x) / log(n)


@implements(np.emath.power)
def power(x: Any, p: Any) -> Any:
    """Power."""
    p = as_array(p)
    if p.dtype.kind in "biu" and _somewhere(p < 0):
        p = to_dtype(p, np.float64)
    return np.power(_complex_if(_negative, as_array(x)), p)


@implements(np.emath.arccos)
def arccos(x: Any) -> Any:
    """Inverse cosine."""
    return np.arccos(_complex_if(_beyond_one, as_array(x)))


@implements(np.emath.arcsin)
def arcsin(x: Any) -> Any:
    """Inverse sine."""
    return np.arcsin(_complex_if(_beyond_one, as_array(x)))


@implements(np.emath.arctanh)
def arctanh(x: Any) -> Any:
    """Inverse hyperbolic tangent."""
    return np.arctanh(_complex_if(_beyond_one, as_array(x)))


__all__ = ["arccos", "arcsin", "arctanh", "log", "log2", "log10", "logn", "power", "sqrt"]
