"""Inverses and linear systems."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.alignment import align
from funcdiff.core.declare import general
from funcdiff.primitives.linalg.common import stacked
from funcdiff.primitives.product import column, matmul, matvec, row, swap_last
from funcdiff.primitives.shape import reshape, transpose


def well_conditioned(rng: np.random.Generator, *shape: int, kind: str = "f") -> Any:
    """Draw square matrices far from singular, for the tests."""
    a = rng.standard_normal(shape)
    if kind == "c":
        a = a + 1j * rng.standard_normal(shape)
    return a + 3 * np.eye(shape[-1])


def _square_samples(rng: np.random.Generator) -> Any:
    return [
        ((well_conditioned(rng, 3, 3),), {}),
        ((well_conditioned(rng, 2, 2, 2),), {}),
        ((well_conditioned(rng, 2, 2, kind="c"),), {}),
        ((well_conditioned(rng, 1, 1),), {}),
        ((np.ones((0, 0)),), {}),
    ]


# --- inverses: d(A⁻¹) = -A⁻¹ dA A⁻¹ (Giles 2.2.3) -----------------------------------------------------


def _inv_jvp(t: Any, out: Any, _a: Any) -> Any:
    return -matmul(matmul(out, t), out)


def _inv_vjp(g: Any, out: Any, _a: Any) -> Any:
    turned = swap_last(out)
    return -matmul(matmul(turned, g), turned)


inv = general(
    np.linalg.inv,
    jvps=[_inv_jvp],
    vjps=[_inv_vjp],
    batch=stacked("inv"),
    name="inv",
    samples=_square_samples,
    doc="Inverse of each matrix of a stack.",
)


def _inv_or_nan(a: Any) -> Any:
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        if a.ndim == 2:
            return np.full_like(a, np.nan)
        return np.stack([_inv_or_nan(matrix) for matrix in a])


inv_or_nan = general(
    _inv_or_nan,
    jvps=[_inv_jvp],
    vjps=[_inv_vjp],
    batch=stacked("inv_or_nan"),
    name="inv_or_nan",
    samples=_square_samples,
    doc="Inverse of each matrix of a stack, NaN where it is singular: for rules, which must not raise for a value.",
)


# --- solve: A dx = db - dA x (Giles 2.3.1) ------------------------------------------------------------


def _solve_vectors(a: Any, x: Any) -> Any:
    """Solve for a stack of vectors; `solve` takes only a single one for a vector, as NumPy does."""
    if len(x.shape) == 1:
        return solve(a, x)
    out = solve(a, column(x))
    return reshape(out, shape=out.shape[:-1])


def _solve_matrix_jvp(t: Any, out: Any, a: Any, b: Any) -> Any:
    if len(b.shape) == 1:
        return -_solve_vectors(a, matvec(t, out))
    return -solve(a, matmul(t, out))


def _solve_matrix_vjp(g: Any, out: Any, a: Any, b: Any) -> Any:
    h = _solve_side_transpose(g, out, a, b)
    if len(b.shape) == 1:
        return -column(h) * row(out)
    return -matmul(h, swap_last(out))


def _solve_side_transpose(g: Any, _out: Any, a: Any, b: Any) -> Any:
    if len(b.shape) == 1:
        return _solve_vectors(swap_last(a), g)
    return solve(swap_last(a), g)


def _batch_solve(values: Any, flags: Any, size: int) -> Any:
    a, b = values
    fa, fb = flags
    if not fb:
        return solve(a, b) if len(b.shape) < 3 else solve(*align(values, flags))
    one_matrix = not fa and len(a.shape) == 2
    if len(b.shape) == 2:  # a batch of vectors: with one matrix, the columns of one right-hand side
        if one_matrix:
            return swap_last(solve(a, swap_last(b)))
        a, b = align((a, column(b)), flags)
        out = solve(a, b)
        return reshape(out, shape=out.shape[:-1])
    if one_matrix and len(b.shape) == 3:
        n, k = b.shape[1:]
        side = reshape(transpose(b, axes=(1, 0, 2)), shape=(n, size * k))
        return transpose(reshape(solve(a, side), shape=(n, size, k)), axes=(1, 0, 2))
    return solve(*align((a, b), flags))


def _solve_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    return [
        ((well_conditioned(rng, 3, 3), normal(3)), {}),
        ((well_conditioned(rng, 3, 3), normal((3, 2))), {}),
        ((well_conditioned(rng, 2, 3, 3), normal(3)), {}),
        ((well_conditioned(rng, 2, 3, 3), normal((3, 2))), {}),
        ((well_conditioned(rng, 3, 3), normal((2, 3, 2))), {}),
        ((well_conditioned(rng, 2, 1, 3, 3), normal((2, 3, 2))), {}),
        ((well_conditioned(rng, 2, 2, kind="c"), normal((2, 2)) + 1j * normal((2, 2))), {}),
        ((np.ones((0, 0)), np.ones((0, 2))), {}),
    ]


solve = general(
    np.linalg.solve,
    jvps=[_solve_matrix_jvp, None],
    transposes=[None, _solve_side_transpose],
    vjps=[_solve_matrix_vjp, None],
    batch=_batch_solve,
    name="solve",
    samples=_solve_samples,
    doc="Solution of ``a @ x = b``; `b` is one vector or a stack of matrices.",
)

__all__ = ["inv", "inv_or_nan", "solve", "well_conditioned"]
