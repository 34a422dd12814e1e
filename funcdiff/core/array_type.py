"""`ArrayType`: the shape and dtype of an array without its values."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]


class ArrayType(NamedTuple):
    """Shape and dtype of an array; rules receive it where they read no values."""

    shape: Shape
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"


_new = tuple.__new__

NUMBER = ArrayType((), np.dtype(np.float64))
"""The type of `numpy.float64`, once for all numbers that programs are made of."""


def type_of(x: Any) -> ArrayType:
    """Return the `ArrayType` of a traced array, an ndarray, or a scalar."""
    try:
        return _new(ArrayType, (x.shape, x.dtype))  # half the time of ArrayType(x.shape, x.dtype)
    except AttributeError:
        plain = np.asarray(x)
        return ArrayType(plain.shape, plain.dtype)


def is_differentiable(dtype: np.dtype[Any]) -> bool:
    """Tell whether values of this dtype can have a derivative."""
    return dtype.kind in "fc"
