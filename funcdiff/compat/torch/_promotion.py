"""Which data type an operation answers with: PyTorch's rules, which differ from NumPy's.

Operands fall into three ranks, tensors with axes before 0-d tensors before Python numbers; a lower rank
changes the type of a higher one only by its category: boolean, integer, real, complex.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from funcdiff.compat.torch._dtypes import BOOL, INT64, Default

_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}


@lru_cache(maxsize=512)
def promote(a: Any, b: Any) -> Any:
    """Return the common type of two NumPy dtypes of the same rank."""
    if a == b:
        return a
    high, low = (a, b) if _CATEGORY[a.kind] >= _CATEGORY[b.kind] else (b, a)
    if _CATEGORY[low.kind] < 2 <= _CATEGORY[high.kind]:
        return high  # int64 and float32 make float32
    return np.promote_types(a, b)


def _combine(high: Any, low: Any) -> Any:
    if high is None or low is None:
        return low if high is None else high
    h, s = _CATEGORY[high.kind], _CATEGORY[low.kind]
    if h >= s:
        return high
    if s == 3 and h == 2:
        return np.result_type(high, np.complex64)
    return low


def number_type(x: Any) -> Any:
    """Return the dtype of a Python number that stands alone."""
    if isinstance(x, (bool, np.bool_)):
        return BOOL
    if isinstance(x, (int, np.integer)):
        return INT64
    if isinstance(x, (float, np.floating)):
        return Default.real
    if isinstance(x, (complex, np.complexfloating)):
        return Default.complex
    return None


def result_dtype(*operands: Any) -> Any:
    """Return the NumPy dtype of the result of an operation on arrays and Python numbers."""
    with_axes = scalars = numbers = None
    for x in operands:
        d = getattr(x, "dtype", None)
        if d is None or isinstance(x, np.generic):
            found = number_type(x)
            if found is None:
                raise TypeError(f"unsupported operand type: {type(x).__name__}")
            numbers = found if numbers is None else promote(numbers, found)
        elif x.shape:
            with_axes = d if with_axes is None else promote(with_axes, d)
        else:
            scalars = d if scalars is None else promote(scalars, d)
    return _combine(with_axes, _combine(scalars, numbers))


def real_of(d: Any) -> Any:
    """Return the type a function of real numbers answers with: integers become the default float."""
    return Default.real if d.kind in "biu" else d
