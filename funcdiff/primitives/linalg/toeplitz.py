"""Toeplitz matrices: their elements are those of the first column and row, moved along the diagonals."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from funcdiff.core.primitive import Function
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.linalg.systems import solver
from funcdiff.primitives.product import matmul
from funcdiff.primitives.shape import concatenate


def toeplitz_matrix(c: Any, r: Any) -> Any:
    """Return the matrix with first column `c` and first row `r`, whose first element is not read."""
    m, n = c.shape[-1], r.shape[-1]
    rest = getitem(r, index=(Ellipsis, slice(1, None)))
    if n == 0 or m == 0:
        return np.zeros((*c.shape[:-1], m, n), np.result_type(c.dtype, r.dtype))
    values = concatenate(c, rest, axis=len(c.shape) - 1)  # c[0], c[1], ..., r[1], r[2], ...
    down = np.arange(m)[:, None] - np.arange(n)
    return getitem(values, index=(Ellipsis, np.where(down >= 0, down, m - 1 - down)))


def _solve_toeplitz(c: Any, r: Any, b: Any) -> Any:
    return scipy.linalg.solve_toeplitz((c, r), b, check_finite=False)


def _apply_column(t: Any, x: Any) -> Any:
    return matmul(toeplitz_matrix(t, np.zeros(t.shape, t.dtype)), x)


def _apply_row(t: Any, x: Any) -> Any:
    return matmul(toeplitz_matrix(np.zeros(t.shape, t.dtype), t), x)


def _turn(c: Any, r: Any) -> Any:
    """Swap column and row; the element they share is the column's."""
    first, rest = (Ellipsis, slice(None, 1)), (Ellipsis, slice(1, None))
    turned = concatenate(getitem(c, index=first), getitem(r, index=rest), axis=len(c.shape) - 1)
    return (turned, c), {}


def _dominant(rng: np.random.Generator, *shape: int) -> Any:
    x = rng.standard_normal(shape)
    x[..., 0] += 5
    return x


def _samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    z = _dominant(rng, 3) + 1j * normal(3)
    return [
        ((_dominant(rng, 4), normal(4), normal(4)), {}),
        ((_dominant(rng, 3), normal(3), normal((3, 2))), {}),
        ((_dominant(rng, 2, 3), normal((2, 3)), normal((3, 2))), {}),
        ((z, normal(3) + 0j, normal(3) + 1j * normal(3)), {}),
    ]


solve_toeplitz: Function = solver(
    _solve_toeplitz,
    name="solve_toeplitz",
    apply=[_apply_column, _apply_row],
    turn=_turn,
    ranks=(1, 1),
    samples=_samples,
    doc="Solution of a Toeplitz system by Levinson's recursion; the first element of the row is not read.",
)
