"""Joining arrays: concatenate, stack and their relatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.numpy._arguments import as_array, axis_of, deliver, to_dtype
from funcdiff.numpy._protocol import implements
from funcdiff.primitives import shape as p
from funcdiff.numpy.shapes import ravel, reshape


def _all(arrays: Any, dtype: Any, casting: str) -> list[Any]:
    if dtype is None:
        return [as_array(a) for a in arrays]
    dtype = np.dtype(dtype)
    given = [as_array(a) for a in arrays]
    for a in given:
        if not np.can_cast(a.dtype, dtype, casting):  # type: ignore[arg-type]
            raise TypeError(f"Cannot cast array data from {a.dtype!r} to {dtype!r} according to the rule {casting!r}")
    return [to_dtype(a, dtype) for a in given]


@implements(np.concatenate, np.concat)
def concatenate(
    arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Join arrays along an existing axis; None flattens them first."""
    parts = _all(arrays, dtype, casting)
    if axis is None:
        parts, axis = [ravel(a) for a in parts], 0
    if any(not a.shape for a in parts):
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    return deliver(p.concatenate(*parts, axis=axis_of(axis, len(parts[0].shape))), out, "concatenate")


concat = concatenate


@implements(np.stack)
def stack(
    arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Join arrays of one shape along a new axis."""
    parts = _all(arrays, dtype, casting)
    if len({a.shape for a in parts}) != 1:
        raise ValueError("all input arrays must have the same shape")
    return deliver(p.stack(*parts, axis=axis_of(axis, len(parts[0].shape) + 1)), out, "stack")
