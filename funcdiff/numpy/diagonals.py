"""Diagonals and triangles of matrices."""

from __future__ import annotations

from math import prod
from operator import index as as_index
from typing import Any

import numpy as np

from funcdiff.core.mutation import link_view
from funcdiff.core.recording import TracedArray
from funcdiff.numpy._arguments import as_array, axis_of, deliver, plain_write, to_dtype
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.rearranging import resize
from funcdiff.numpy.reductions import sum as sum_of
from funcdiff.primitives.indexing import getitem, index_add
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import reshape, transpose


def read_diagonal(x: Any, *, offset: int, axis1: int, axis2: int) -> Any:
    """Read a diagonal; the new axis comes last."""
    rest = tuple(n for n in range(len(x.shape)) if n not in (axis1, axis2))
    rows, columns = diagonal_indices(x.shape[axis1], x.shape[axis2], offset)
    moved = transpose(x, axes=(axis1, axis2, *rest))
    found = getitem(moved, index=(rows, columns))
    return transpose(found, axes=(*range(1, len(rest) + 1), 0))


read_diagonal.__name__ = "diagonal"  # what an error about writing through it calls it


def diagonal_indices(n: int, m: int, offset: int) -> tuple[Any, Any]:
    """Return rows and columns of a diagonal of an n by m matrix."""
    length = max(0, min(n + min(offset, 0), m - max(offset, 0)))
    first = np.arange(length)
    return first - min(offset, 0), first + max(offset, 0)


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return a diagonal; as in NumPy it follows writes to the array and cannot be written itself."""
    a = as_array(a)
    rank = len(a.shape)
    if rank < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    i, j = axis_of(axis1, rank), axis_of(axis2, rank)
    if i == j:
        raise ValueError("axis1 and axis2 cannot be the same")
    params = {"offset": as_index(offset), "axis1": i, "axis2": j}
    out = read_diagonal(a, **params)
    return link_view(a, out, (read_diagonal, params)) if type(a) is TracedArray else out


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """Return a diagonal of a matrix, or a matrix with a diagonal."""
    v = as_array(v)
    if len(v.shape) == 2:
        return diagonal(v, k)
    if len(v.shape) != 1:
        raise ValueError("Input must be 1- or 2-d.")
    k = as_index(k)
    n = v.shape[0] + abs(k)
    return index_add(v, shape=(n, n), index=diagonal_indices(n, n, k))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """Return a matrix with the flattened input on a diagonal."""
    v = as_array(v)
    return diag(reshape(v, shape=(prod(v.shape),)), k)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """Return the lower triangle, zero above the k-th diagonal."""
    m = as_array(m)
    return where(np.tri(*_last_two(m), k=as_index(k), dtype=bool), m, 0)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """Return the upper triangle, zero below the k-th diagonal."""
    m = as_array(m)
    return where(np.tri(*_last_two(m), k=as_index(k) - 1, dtype=bool), 0, m)


def _last_two(m: Any) -> tuple[int, int]:
    if len(m.shape) == 1:  # NumPy repeats a vector as the rows of a square matrix
        return (m.shape[0], m.shape[0])
    if not m.shape:
        raise TypeError("tri() missing 1 required positional argument: 'N'")
    return (m.shape[-2], m.shape[-1])


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    """Sum along a diagonal."""
    return deliver(sum_of(diagonal(a, offset, axis1, axis2), -1, dtype), out, "trace")


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Fill the main diagonal in place."""
    if type(a) is not TracedArray:
        raise plain_write("np.fill_diagonal")
    shape = a.shape
    if len(shape) < 2:
        raise ValueError("array must be at least 2-d")
    if len(shape) > 2 and len(set(shape)) != 1:
        raise ValueError("All dimensions of input must be of equal length")
    if len(shape) == 2:
        step = shape[1] + 1
        end = None if wrap else shape[1] * shape[1]
    else:
        step = 1 + sum(shape[0] ** n for n in range(1, len(shape)))
        end = None
    numbers = np.arange(prod(shape))[:end:step]
    val = as_array(val)
    if val.shape:
        val = resize(val, numbers.size)
    a[np.unravel_index(numbers, shape)] = val  # type: ignore[index]


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Return a Vandermonde matrix."""
    from funcdiff.numpy.joining import stack

    x = as_array(x)
    x = to_dtype(x, np.promote_types(x.dtype, int))
    if len(x.shape) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    columns = x.shape[0] if N is None else N
    powers = [np.ones_like(x)]
    for _ in range(columns - 1):
        powers.append(powers[-1] * x)
    powers = powers[:columns]
    if not powers:
        return np.zeros((x.shape[0], 0), x.dtype)
    return stack(powers if increasing else powers[::-1], axis=1)
