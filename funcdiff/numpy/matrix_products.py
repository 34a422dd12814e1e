"""Products, powers and parts of matrices; part of `funcdiff.numpy.linalg`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from funcdiff.core.mutation import constant_buffer
from funcdiff.core.recording import TracedArray
from funcdiff.numpy import products, shapes
from funcdiff.numpy._arguments import as_array, deliver, to_dtype
from funcdiff.numpy._protocol import implements
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.linalg import solve as systems
from funcdiff.primitives.product import matmul as product
from funcdiff.primitives.shape import reshape

# --- checks, in NumPy's words -----------------------------------------------------------------------


def floating(x: Any) -> Any:
    """Return an array of floats, as `numpy.linalg` makes of integers."""
    x = as_array(x)
    return x if x.dtype.kind in "fc" else to_dtype(x, np.float64)


def matrices(x: Any) -> Any:
    """Return an array of floats with two axes or more."""
    x = floating(x)
    if len(x.shape) < 2:
        raise LinAlgError(f"{len(x.shape)}-dimensional array given. Array must be at least two-dimensional")
    return x


def square(x: Any) -> Any:
    """Return a stack of square matrices of floats."""
    x = matrices(x)
    if x.shape[-1] != x.shape[-2]:
        raise LinAlgError("Last 2 dimensions of the array must be square")
    return x


# --- products -----------------------------------------------------------------------------------------


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """Integer power of a square matrix, by repeated squaring."""
    a = square(a)
    try:
        n = operator.index(n)
    except TypeError:
        raise TypeError("exponent must be an integer") from None
    if n == 0:
        ones = np.empty(a.shape, a.dtype)
        ones[...] = np.eye(a.shape[-1], dtype=a.dtype)
        return constant_buffer(ones, a.recorder) if type(a) is TracedArray else ones
    if n < 0:
        a, n = systems.inv(a), -n
    if n == 3:
        return product(product(a, a), a)
    result = power = None
    while n > 0:
        power = a if power is None else product(power, power)
        n, bit = divmod(n, 2)
        if bit:
            result = power if result is None else product(result, power)
    return result


@implements(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    """Matrix product."""
    return products.matmul(x1, x2)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """Product of two or more matrices, in the order that takes the fewest multiplications."""
    arrays = [as_array(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    if len(arrays) == 2:
        return products.dot(arrays[0], arrays[1], out=out)
    first, last = len(arrays[0].shape), len(arrays[-1].shape)
    if first == 1:
        arrays[0] = reshape(arrays[0], shape=(1, *arrays[0].shape))
    if last == 1:
        arrays[-1] = reshape(arrays[-1], shape=(*arrays[-1].shape, 1))
    for a in arrays:
        if len(a.shape) != 2:
            raise LinAlgError(f"{len(a.shape)}-dimensional array given. Array must be two-dimensional")
    lengths = [a.shape[0] for a in arrays] + [arrays[-1].shape[1]]
    result = _in_best_order(arrays, _splits(lengths), 0, len(arrays) - 1)
    if first == 1 or last == 1:
        kept = (result.shape[0],) * (first != 1) + (result.shape[1],) * (last != 1)
        result = reshape(result, shape=kept) if kept else getitem(result, index=(0, 0))
    return deliver(result, out, "multi_dot")


def _splits(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Find where to split each sub-chain of matrices, by dynamic programming (Cormen et al.)."""
    count = len(lengths) - 1
    cost = {(i, i): 0 for i in range(count)}
    split = {}
    for span in range(1, count):
        for i in range(count - span):
            j = i + span
            cost[i, j], split[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1], k)
                for k in range(i, j)
            )
    return split


def _in_best_order(arrays: list[Any], split: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return arrays[i]
    k = split[i, j]
    return products.dot(_in_best_order(arrays, split, i, k), _in_best_order(arrays, split, k + 1, j))


@implements(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Any:
    """Outer product of two vectors."""
    x1, x2 = as_array(x1), as_array(x2)
    if len(x1.shape) != 1 or len(x2.shape) != 1:
        raise ValueError(
            "Input arrays must be one-dimensional, but they are "
            f"x1.ndim={len(x1.shape)} and x2.ndim={len(x2.shape)}."
        )
    return products.outer(x1, x2)


@implements(np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """Sum of products over axes."""
    return products.tensordot(x1, x2, axes)


@implements(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Dot products of vectors, the first conjugated."""
    return products.vecdot(x1, x2, axis=axis)


@implements(np.linalg.cross)
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Cross product of vectors of three components."""
    x1, x2 = as_array(x1), as_array(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(
            "Both input arrays must be (arrays of) 3-dimensional vectors, "
            f"but they are {x1.shape[axis]} and {x2.shape[axis]} dimensional instead."
        )
    return products.cross(x1, x2, axis=axis)


# --- parts --------------------------------------------------------------------------------------------


@implements(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Diagonals of a stack of matrices."""
    return np.diagonal(x, offset, axis1=-2, axis2=-1)


@implements(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Sums of the diagonals of a stack of matrices."""
    return np.trace(x, offset, axis1=-2, axis2=-1, dtype=dtype)


@implements(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Transpose the last two axes, as a view."""
    return shapes.matrix_transpose(x)


__all__ = [
    "cross",
    "diagonal",
    "floating",
    "matmul",
    "matrices",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "outer",
    "square",
    "tensordot",
    "trace",
    "vecdot",
]
