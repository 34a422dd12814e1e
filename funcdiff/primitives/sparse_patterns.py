"""Sparse matrices whose elements may be traced: a fixed pattern, and a vector of its elements.

The product is linear in the elements and in the dense factor.  Its transpose in the elements reads an outer
product at the pattern's places only.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from funcdiff.core.alignment import align
from funcdiff.core.declare import multilinear
from funcdiff.core.primitive import Function
from funcdiff.primitives.shape import reshape


class Pattern:
    """Where the elements of a sparse matrix stand; elements at the same place are added."""

    def __init__(self, rows: Any, columns: Any, shape: tuple[int, int]) -> None:
        self.rows = np.asarray(rows, np.intp)
        self.columns = np.asarray(columns, np.intp)
        self.shape = (int(shape[0]), int(shape[1]))

    def __repr__(self) -> str:
        return f"<{self.size} places in {self.shape[0]} x {self.shape[1]}>"

    @property
    def size(self) -> int:
        """Number of elements."""
        return len(self.rows)

    @cached_property
    def T(self) -> Pattern:
        """The pattern of the transposed matrix."""
        out = Pattern(self.columns, self.rows, self.shape[::-1])
        out.T = self
        return out

    @cached_property
    def by_rows(self) -> tuple[Any, Any, Any]:
        """The order of elements in CSR storage (None if it is theirs), column indices and row starts."""
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.rows, minlength=self.shape[0]))])
        order = None
        if np.any(np.diff(self.rows) < 0):
            order = np.argsort(self.rows, kind="stable")
        return order, self.columns if order is None else self.columns[order], starts

    def matrix(self, data: Any) -> Any:
        """Return SciPy's matrix with the given elements."""
        order, indices, starts = self.by_rows
        values = data if order is None else data[order]
        if values.dtype == np.float16:  # which sparse matrices do not have
            values = values.astype(np.float32)
        return scipy.sparse.csr_array((values, indices, starts), shape=self.shape)


def pattern_of(matrix: Any) -> tuple[Pattern, Any]:
    """Return the pattern of a matrix of SciPy's, and its elements."""
    coo = matrix.tocoo()
    rows, columns = coo.coords if hasattr(coo, "coords") else (coo.row, coo.col)
    return Pattern(rows, columns, matrix.shape), coo.data


# --- products -------------------------------------------------------------------------------------------


def _pattern_product(data: Any, x: Any, *, pattern: Pattern) -> Any:
    if data.ndim == 1 and x.ndim == 2:
        return pattern.matrix(data) @ x
    lead = np.broadcast_shapes(data.shape[:-1], x.shape[:-2])
    if data.ndim == 1:  # one matrix: the stack becomes columns
        flat = np.moveaxis(x, -2, 0)
        out = pattern.matrix(data) @ flat.reshape(flat.shape[0], -1)
        return np.moveaxis(out.reshape(pattern.shape[0], *flat.shape[1:]), 0, -2)
    data = np.broadcast_to(data, (*lead, data.shape[-1]))
    x = np.broadcast_to(x, (*lead, *x.shape[-2:]))
    out = np.empty((*lead, pattern.shape[0], x.shape[-1]), np.result_type(data, x))
    for n in np.ndindex(lead):
        out[n] = pattern.matrix(data[n]) @ x[n]
    return out


def _pattern_outer(g: Any, x: Any, *, pattern: Pattern) -> Any:
    return np.sum(g[..., pattern.rows, :] * x[..., pattern.columns, :], axis=-1)


def sample_pattern(rng: np.random.Generator, rows: int = 4, columns: int = 3) -> Pattern:
    """Draw a pattern in no particular order, with a repeated place, for the tests."""
    places = rng.permutation(rows * columns)[: rows * columns // 2]
    places = np.concatenate([places, places[:1]])
    return Pattern(*np.divmod(places, columns), (rows, columns))


def _samples(rng: np.random.Generator) -> Any:
    normal, pattern = rng.standard_normal, sample_pattern(np.random.default_rng(0))
    n = pattern.size
    z = (normal(n) + 1j * normal(n), normal((3, 2)) + 1j * normal((3, 2)))
    return [
        ((normal(n), normal((3, 2))), {"pattern": pattern}),
        ((normal((2, n)), normal((3, 2))), {"pattern": pattern}),
        ((normal(n), normal((2, 3, 2))), {"pattern": pattern}),
        (z, {"pattern": pattern}),
    ]


def _outer_samples(rng: np.random.Generator) -> Any:
    normal, pattern = rng.standard_normal, sample_pattern(np.random.default_rng(0))
    return [
        ((normal((4, 2)), normal((3, 2))), {"pattern": pattern}),
        ((normal((2, 4, 1)), normal((3, 1))), {"pattern": pattern}),
    ]


def _batch_product(values: Any, flags: Any, _size: int, *, pattern: Pattern) -> Any:
    data, x = values
    ranks = (len(data.shape) - flags[0] - 1, len(x.shape) - flags[1] - 2)
    data, x = (
        reshape(v, shape=(v.shape[0], *(1,) * (max(ranks) - rank), *v.shape[1:]))
        if flag and rank < max(ranks)
        else v
        for v, flag, rank in zip((data, x), flags, ranks, strict=True)
    )
    return pattern_product(data, x, pattern=pattern)


pattern_product: Function = multilinear(
    _pattern_product,
    [
        lambda g, _data, x, *, pattern: pattern_outer(g, x, pattern=pattern),
        lambda g, data, _x, *, pattern: pattern_product(data, g, pattern=pattern.T),
    ],
    batch=_batch_product,
    name="pattern_product",
    samples=_samples,
    doc="Product of the sparse matrix with the given elements and a stack of dense matrices.",
)
pattern_outer: Function = multilinear(
    _pattern_outer,
    [
        lambda c, _g, x, *, pattern: pattern_product(c, x, pattern=pattern),
        lambda c, g, _x, *, pattern: pattern_product(c, g, pattern=pattern.T),
    ],
    batch=lambda values, flags, size, *, pattern: pattern_outer(*align(values, flags), pattern=pattern),
    name="pattern_outer",
    samples=_outer_samples,
    doc="The elements of ``g @ x.T`` at the places of a pattern.",
)
