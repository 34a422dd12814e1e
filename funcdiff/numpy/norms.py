"""Norms of vectors and matrices in all of NumPy's orders; part of `funcdiff.numpy.linalg`.

The derivative at 0 is 0, and where the largest (or smallest) of several values is attained more than
once they share it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.numpy._arguments import as_array, axes_of, axis_of, to_dtype
from funcdiff.numpy._protocol import implements
from funcdiff.primitives.comparison import not_equal
from funcdiff.primitives.elementwise import absolute
from funcdiff.primitives.linalg.norm import vector_norm as p_norm
from funcdiff.primitives.linalg.svd import svdvals
from funcdiff.primitives.reduction import kept_shape, max_, min_, sum_
from funcdiff.primitives.shape import astype, reshape, transpose


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Norm of a vector, a matrix, or of those along axes."""
    x = as_array(x)
    if x.dtype.kind not in "fc":
        x = to_dtype(x, np.float64)
    rank = len(x.shape)
    keepdims = bool(keepdims)
    if axis is None:
        if ord is None or (ord in ("f", "fro") and rank == 2) or (ord == 2 and rank == 1):
            return p_norm(x, order=2, axis=None, keepdims=keepdims)
        axis = tuple(range(rank))
    elif not isinstance(axis, tuple):
        try:
            axis = (int(axis),)
        except Exception:  # noqa: BLE001 - as NumPy
            raise TypeError("'axis' must be None, an integer or a tuple of integers") from None
    if len(axis) == 1:
        return _of_vectors(x, ord, axis_of(axis[0], rank), keepdims)
    if len(axis) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    row, col = (axis_of(n, rank) for n in axis)
    if row == col:
        raise ValueError("Duplicate axes given.")
    if ord in (None, "fro", "f"):
        return p_norm(x, order=2, axis=(row, col), keepdims=keepdims)
    result = _of_matrices(x, ord, row, col)
    return reshape(result, shape=kept_shape(x.shape, (row, col))) if keepdims else result


def _of_vectors(x: Any, ord: Any, axis: int, keepdims: bool) -> Any:
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    if ord is None or ord == 2:
        return p_norm(x, order=2, axis=(axis,), keepdims=keepdims)
    if ord == math.inf:
        if not x.shape[axis]:  # NumPy's maximum of no absolute values is 0
            return sum_(absolute(x), axis=(axis,), keepdims=keepdims)
        return max_(absolute(x), axis=(axis,), keepdims=keepdims)
    if ord == -math.inf:
        return min_(absolute(x), axis=(axis,), keepdims=keepdims)
    if ord == 0:
        counted = astype(not_equal(x, 0), dtype=np.finfo(x.dtype).dtype)
        return sum_(counted, axis=(axis,), keepdims=keepdims)
    if ord == 1:
        return sum_(absolute(x), axis=(axis,), keepdims=keepdims)
    return p_norm(x, order=ord, axis=(axis,), keepdims=keepdims)


def _of_matrices(x: Any, ord: Any, row: int, col: int) -> Any:
    if ord in (2, -2, "nuc"):
        rest = (n for n in range(len(x.shape)) if n not in (row, col))
        s = svdvals(transpose(x, axes=(*rest, row, col)))
        last = (len(s.shape) - 1,)
        if ord == "nuc" or (ord == 2 and not s.shape[-1]):
            return sum_(s, axis=last, keepdims=False)
        return (max_ if ord == 2 else min_)(s, axis=last, keepdims=False)
    if ord in (1, -1):
        summed, other = row, col
    elif ord in (math.inf, -math.inf):
        summed, other = col, row
    else:
        raise ValueError("Invalid norm order for matrices.")
    sums = sum_(absolute(x), axis=(summed,), keepdims=False)
    other -= other > summed
    if ord > 0 and not sums.shape[other]:
        return sum_(sums, axis=(other,), keepdims=False)
    return (max_ if ord > 0 else min_)(sums, axis=(other,), keepdims=False)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Norm of a matrix, or of a stack of them."""
    return norm(x, ord, (-2, -1), keepdims)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Norm of vectors along one or several axes, or of the flattened array."""
    x = as_array(x)
    shape, rank = x.shape, len(x.shape)
    axes = axes_of(axis, rank)
    if isinstance(axis, tuple) or axis is None:
        rest = tuple(n for n in range(rank) if n not in axes)
        if rest:
            x = transpose(x, axes=(*axes, *rest))
        x = reshape(x, shape=(math.prod(shape[n] for n in axes), *(shape[n] for n in rest)))
        axis = 0
    result = norm(x, ord, axis)
    return reshape(result, shape=kept_shape(shape, axes)) if keepdims else result


__all__ = ["matrix_norm", "norm", "vector_norm"]
