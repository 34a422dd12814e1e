"""LU factorization with partial pivoting, in LAPACK's packed form, and pivoted column orders.

With ``P A = L U`` for square A and ``X = L⁻¹ P dA U⁻¹``: ``dL = L tril(X, -1)`` and ``dU = triu(X) U``.  The
permutation is locally constant.  Of a tall or wide A the leading square part is factorized so, and the
rest follows from ``L₂ = A₂ U⁻¹`` or ``U₂ = L⁻¹ A₂``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from funcdiff.core.declare import general, locally_constant
from funcdiff.core.primitive import Function
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.linalg.common import stacked, triangle_like
from funcdiff.primitives.linalg.factorizations import beside, rows
from funcdiff.primitives.linalg.solve import well_conditioned
from funcdiff.primitives.linalg.systems import solve_triangular
from funcdiff.primitives.product import matmul, row, swap_last
from funcdiff.primitives.shape import concatenate

LOWER = {"lower": True, "transposed": False, "unit_diagonal": True}
UPPER = {"lower": False, "transposed": False, "unit_diagonal": False}


def over_stack(function: Any, a: Any, count: int) -> tuple[Any, ...]:
    """Apply a function of one matrix to each of a stack; it returns `count` arrays."""
    if a.ndim == 2:
        return tuple(function(a))
    found = [function(matrix) for matrix in a.reshape(-1, *a.shape[-2:])]
    if not found:
        found = [function(np.ones(a.shape[-2:], a.dtype))]
        return tuple(np.empty((*a.shape[:-2], *np.shape(x)), np.asarray(x).dtype) for x in found[0])
    parts = (np.stack(part) for part in zip(*found, strict=True))
    return tuple(part.reshape(*a.shape[:-2], *part.shape[1:]) for part in parts)


def _lu(a: Any) -> Any:
    packed, pivots = over_stack(lambda m: scipy.linalg.lu_factor(m, check_finite=False), a, 2)
    order = over_stack(lambda m: (order_of_swaps(m[:, 0], a.shape[-2]),), pivots[..., None], 1)[0]
    return packed, pivots, order


def order_of_swaps(swaps: Any, size: int) -> Any:
    """Return the order of rows that successive swaps lead to."""
    order = np.arange(size)
    for i, j in enumerate(swaps):
        order[i], order[j] = order[j], order[i]
    return order


def permuted_rows(x: Any, order: Any) -> Any:
    """Return the rows of each matrix in the given order."""
    if type(order) is np.ndarray and order.ndim == 1:
        return rows_at(x, order)
    return np.take_along_axis(x, order[..., None], axis=-2)


def rows_at(x: Any, order: Any) -> Any:
    return getitem(x, index=(Ellipsis, order, slice(None)))


def _right_divide(x: Any, upper: Any) -> Any:
    """Return ``x @ inv(upper)``."""
    turned = solve_triangular(upper, swap_last(x), **{**UPPER, "transposed": True})
    return swap_last(turned)


def _lu_jvp(t: Any, out: Any, _a: Any) -> Any:
    packed, _, order = out
    m, n = packed.shape[-2:]
    k = min(m, n)
    t = permuted_rows(t, order)
    square = getitem(packed, index=(Ellipsis, slice(k), slice(k)))
    lower = square * triangle_like(square, True, 0.0) + np.eye(k, dtype=packed.dtype.type(0).real.dtype)
    upper = square * triangle_like(square, False, 1.0)
    corner = getitem(t, index=(Ellipsis, slice(k), slice(k)))
    x = _right_divide(solve_triangular(square, corner, **LOWER), square)
    d_lower = matmul(lower, x * triangle_like(x, True, 0.0))
    d_upper = matmul(x * triangle_like(x, False, 1.0), upper)
    d_packed = d_lower + d_upper
    if m > n:  # L₂ U = A₂
        below = rows(packed, k, None)
        moved = _right_divide(rows(t, k, None) - matmul(below, d_upper), square)
        d_packed = concatenate(d_packed, moved, axis=len(packed.shape) - 2)
    elif n > m:  # L U₂ = A₂
        right = getitem(packed, index=(Ellipsis, slice(None), slice(k, None)))
        side = getitem(t, index=(Ellipsis, slice(None), slice(k, None))) - matmul(d_lower, right)
        d_packed = beside(d_packed, solve_triangular(square, side, **LOWER))
    return d_packed, None, None


lu = general(
    _lu,
    jvps=[_lu_jvp],
    batch=stacked("lu"),
    name="lu",
    multiple_outputs=True,
    samples=lambda rng: [
        ((well_conditioned(rng, 3, 3)[::-1].copy(),), {}),
        ((well_conditioned(rng, 2, 3, 3),), {}),
        ((rng.standard_normal((4, 2)),), {}),
        ((rng.standard_normal((2, 4)),), {}),
        ((well_conditioned(rng, 2, 2, kind="c"),), {}),
        ((np.ones((1, 1)),), {}),
    ],
    doc="Both triangular factors in one array, LAPACK's row swaps, and the order of rows they lead to.",
)


def _column_order(a: Any) -> Any:
    return over_stack(lambda m: (scipy.linalg.qr(m, mode="r", pivoting=True, check_finite=False)[1],), a, 1)[
        0
    ]


column_order: Function = locally_constant(
    _column_order,
    batch=stacked("column_order"),
    name="column_order",
    samples=lambda rng: [((rng.standard_normal((3, 4)),), {}), ((rng.standard_normal((2, 3, 2)),), {})],
    doc="The order of columns that QR factorization with column pivoting takes.",
)


def permuted_columns(x: Any, order: Any) -> Any:
    """Return the columns of each matrix in the given order."""
    if type(order) is np.ndarray and order.ndim == 1:
        return getitem(x, index=(Ellipsis, order))
    return np.take_along_axis(x, row(order), axis=-1)


def _balance(a: Any, *, permute: bool, scale: bool) -> Any:
    return over_stack(lambda m: scipy.linalg.matrix_balance(m, permute, scale, separate=True)[1], a, 2)


balance: Function = locally_constant(
    _balance,
    batch=stacked("balance"),
    name="balance",
    multiple_outputs=True,
    doc="The powers of two and the order that balance a matrix.",
)
