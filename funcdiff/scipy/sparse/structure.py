"""Products and parts of sparse arrays: the pattern is worked out plainly, the elements by primitives."""

from __future__ import annotations

from operator import index as as_index
from typing import Any

import numpy as np
import scipy.sparse as sp

from funcdiff import errors
from funcdiff.primitives.indexing import getitem, index_add
from funcdiff.primitives.sparse_patterns import Pattern
from funcdiff.scipy.sparse.arrays import SparseArray, elements_of


def _gathered(values: Any, rows: Any, columns: Any, shape: tuple[int, int]) -> SparseArray:
    """Return the array of elements that are added where their places agree, row by row."""
    places, where = np.unique(rows * shape[1] + columns, return_inverse=True)
    data = index_add(values, shape=(len(places),), index=(where,))
    return SparseArray(data, Pattern(*np.divmod(places, max(shape[1], 1)), shape), "csr")


def product(a: Any, b: Any) -> SparseArray:
    """Return the matrix product of two sparse arrays, of which one is traced at least."""
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"matmul: dimension mismatch of shapes {a.shape} and {b.shape}")
    (left, first), (right, second) = elements_of(a), elements_of(b)
    order, _, starts = second.by_rows
    counts = np.diff(starts)[first.columns]  # how many elements of b each element of a meets
    mine = np.repeat(np.arange(first.size), counts)
    steps = np.arange(len(mine)) - np.repeat(np.cumsum(counts) - counts, counts)
    others = np.repeat(starts[first.columns], counts) + steps
    if order is not None:
        others = order[others]
    values = getitem(left, index=(mine,)) * getitem(right, index=(others,))
    return _gathered(values, first.rows[mine], second.columns[others], (a.shape[0], b.shape[1]))


def _canonical(a: Any) -> tuple[Any, Any]:
    """Return elements at places that differ, and the places, in order."""
    data, pattern = elements_of(a)
    whole = _gathered(data, pattern.rows, pattern.columns, a.shape)
    return whole.data, whole.pattern.rows * a.shape[1] + whole.pattern.columns


def elementwise(a: Any, b: Any) -> SparseArray:
    """Return the elementwise product of two sparse arrays, of which one is traced at least."""
    if a.shape != b.shape:
        raise ValueError(f"inconsistent shapes {a.shape} and {b.shape}")
    (left, first), (right, second) = _canonical(a), _canonical(b)
    places, mine, others = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    pattern = Pattern(*np.divmod(places, max(a.shape[1], 1)), a.shape)
    return SparseArray(getitem(left, index=(mine,)) * getitem(right, index=(others,)), pattern, "csr")


def _chosen(index: Any, length: int) -> Any:
    """Return the places that a slice, a mask or an array of integers chooses along an axis."""
    places = np.arange(length)[index if isinstance(index, slice) else np.asarray(index)]
    return places if places.ndim == 1 else None


def part(a: SparseArray, index: Any) -> Any:
    """Return an element, or the sparse array of chosen rows and columns."""
    index = index if isinstance(index, tuple) else (index,)
    if Ellipsis in [i for i in index if not isinstance(i, np.ndarray)]:
        where = index.index(Ellipsis)
        index = index[:where] + (slice(None),) * (3 - len(index)) + index[where + 1 :]
    if len(index) > 2 or None in [i for i in index if not isinstance(i, np.ndarray)]:
        raise IndexError(f"a sparse array of two axes cannot be indexed by {index}")
    rows, columns = (*index, slice(None))[:2]
    single = [not isinstance(i, slice) and np.ndim(i) == 0 for i in (rows, columns)]
    if all(single):
        i, j = (range(n)[as_index(k)] for k, n in zip((rows, columns), a.shape, strict=True))
        found = np.flatnonzero((a.pattern.rows == i) & (a.pattern.columns == j))
        return np.sum(getitem(a.data, index=(found,)))
    lists = [not isinstance(i, slice) for i in (rows, columns)]
    if all(lists) and [np.shape(i)[:1] + np.shape(i)[-1:] for i in (rows, columns)] == [
        (len(rows), 1),
        (1, np.shape(columns)[-1]),
    ]:  # as np.ix_ makes them
        rows, columns, lists = np.ravel(rows), np.ravel(columns), [False, False]
    chosen = [
        None if one else _chosen(i, n) for one, i, n in zip(single, (rows, columns), a.shape, strict=True)
    ]
    if all(lists) or any(c is None for c in chosen):
        raise errors.UnsupportedError(
            errors.at_user_line(
                "a part of a traced sparse array that has one axis is not supported: choose rows by a list, A[[i]], rows and "
                "columns by A[np.ix_(rows, columns)], or take the dense array, A.toarray()"
            )
        )
    out: Any = a
    if not isinstance(rows, slice) or rows != slice(None):
        out = product(_choice(chosen[0], a.shape[0], a.dtype), out)
    if not isinstance(columns, slice) or columns != slice(None):
        out = product(out, _choice(chosen[1], a.shape[1], a.dtype).T)
    return out


def _choice(places: Any, length: int, dtype: Any) -> Any:
    """Return the plain matrix that chooses rows."""
    return sp.csr_array(
        (np.ones(len(places), dtype), (np.arange(len(places)), places)), shape=(len(places), length)
    )


def triangle(a: SparseArray, k: int, lower: bool, format: str | None) -> SparseArray:
    """Return the elements on and below (or above) a diagonal."""
    offset = a.pattern.columns - a.pattern.rows
    kept = np.flatnonzero(offset <= k if lower else offset >= k)
    pattern = Pattern(a.pattern.rows[kept], a.pattern.columns[kept], a.shape)
    out = SparseArray(getitem(a.data, index=(kept,)), pattern, "coo")
    return out.asformat(format)
