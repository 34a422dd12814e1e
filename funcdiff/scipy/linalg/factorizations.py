"""Factorizations of `scipy.linalg` by orthogonal matrices, and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from funcdiff.core.recording import concrete
from funcdiff.numpy import norms
from funcdiff.numpy._arguments import as_array, unsupported_keyword
from funcdiff.primitives.linalg import factorizations
from funcdiff.primitives.linalg import svd as singular
from funcdiff.primitives.linalg.common import adjoint
from funcdiff.primitives.linalg.lu import balance, column_order, permuted_columns
from funcdiff.primitives.product import conjugate, matmul, row, swap_last
from funcdiff.primitives.shape import concatenate
from funcdiff.scipy._protocol import follows, inexact, over_stacks, square, without_rule

# --- QR and RQ ----------------------------------------------------------------------------------------------


def _qr(a: Any, mode: str) -> tuple[Any, Any]:
    """Return the factors, of which "full" completes the first to a square matrix."""
    complete = mode == "full" and a.shape[-2] > a.shape[-1]
    q, r = factorizations.qr(a, mode="complete" if complete else "reduced")
    return q, r


@follows(sl.qr)
def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: int | None = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    """QR factorization; the order of columns that `pivoting` chooses is locally constant."""
    del overwrite_a, lwork
    if mode == "raw":
        raise unsupported_keyword(
            "scipy.linalg.qr", "mode='raw'", "Use mode='full', 'r' or 'economic', or qr_multiply."
        )
    if mode not in ("full", "r", "economic"):
        raise ValueError("Mode argument should be one of ['full', 'r', 'economic', 'raw']")
    a = inexact(a, check_finite)
    order = column_order(a) if pivoting else None
    if order is not None:
        a = permuted_columns(a, order)
    q, r = _qr(a, mode)
    if mode == "r" and a.shape[-2] > a.shape[-1]:
        below = np.zeros((*a.shape[:-2], a.shape[-2] - a.shape[-1], a.shape[-1]), a.dtype)
        r = concatenate(r, below, axis=len(a.shape) - 2)
    factors = (r,) if mode == "r" else (q, r)
    return factors if order is None else (*factors, order)


def _mirrored(x: Any) -> Any:
    """Transpose about the other diagonal."""
    return swap_last(x[..., ::-1, ::-1])


@follows(sl.rq)
def rq(
    a: Any,
    overwrite_a: bool = False,
    lwork: int | None = None,
    mode: str = "full",
    check_finite: bool = True,
) -> Any:
    """RQ factorization: the QR factorization seen in a mirror."""
    del overwrite_a, lwork
    if mode not in ("full", "r", "economic"):
        raise ValueError("Mode argument should be one of ['full', 'r', 'economic']")
    a = inexact(a, check_finite)
    m, n = a.shape[-2:]
    q, r = _qr(_mirrored(a), "full" if mode != "economic" else "economic")
    q, r = _mirrored(q), _mirrored(r)
    del m, n
    return r if mode == "r" else (r, q)


@over_stacks(2, -1)
def _qr_multiply(a: Any, c: Any, mode: str, pivoting: bool, conjugated: bool) -> Any:
    found = (
        qr(a, mode="economic", pivoting=pivoting)
        if type(a) is not np.ndarray
        else sl.qr(a, mode="economic", pivoting=pivoting)
    )
    q, rest = found[0], found[1:]
    q = conjugate(q) if conjugated else q
    expected = q.shape[1] if mode == "left" else q.shape[0]
    if (c.shape[0] if mode == "left" or len(c.shape) == 1 else c.shape[1]) != expected:
        raise ValueError(
            f"Array shapes are not compatible for the product of Q and c: {a.shape} vs {c.shape}"
        )
    return (matmul(q, c) if mode == "left" else matmul(c, q), *rest)


@follows(sl.qr_multiply)
def qr_multiply(
    a: Any,
    c: Any,
    mode: str = "right",
    pivoting: bool = False,
    conjugate: bool = False,
    overwrite_a: bool = False,
    overwrite_c: bool = False,
) -> Any:
    """Product of `c` and the orthogonal factor of `a`, and the triangular factor."""
    del overwrite_a
    if mode not in ("left", "right"):
        raise ValueError(f"Mode argument can only be 'left' or 'right' but not '{mode}'")
    if overwrite_c:
        raise unsupported_keyword("scipy.linalg.qr_multiply", "overwrite_c=True", "Leave it out.")
    return _qr_multiply(inexact(a, True), inexact(c, True), mode, bool(pivoting), bool(conjugate))


# --- singular values ----------------------------------------------------------------------------------------


@follows(sl.svd)
def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """Singular value decomposition."""
    del overwrite_a
    if lapack_driver not in ("gesdd", "gesvd"):
        raise ValueError(f'lapack_driver must be "gesdd" or "gesvd", not {lapack_driver!r}')
    a = inexact(a, check_finite)
    if not compute_uv:
        return singular.svdvals(a)
    return singular.svd(a, full_matrices=bool(full_matrices) and a.shape[-1] != a.shape[-2])


@follows(sl.svdvals)
def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Singular values, descending."""
    del overwrite_a
    return singular.svdvals(inexact(a, check_finite))


@follows(sl.polar)
@over_stacks(2)
def polar(a: Any, side: str = "right") -> Any:
    """Polar decomposition ``a = u @ p``, or ``a = p @ u`` for the left side."""
    if side not in ("right", "left"):
        raise ValueError("`side` must be either 'right' or 'left'")
    a = inexact(a)
    w, _, vh = singular.svd(a, full_matrices=False)
    u = matmul(w, vh)
    p = matmul(adjoint(u), a) if side == "right" else matmul(a, adjoint(u))
    return u, p


def _rank(a: Any, s: Any, rcond: Any) -> int:
    """Count the singular values that matter."""
    s = np.asarray(concrete(s))
    rcond = np.finfo(s.dtype).eps * max(a.shape) if rcond is None else rcond
    return int(np.sum(s > np.amax(s, initial=0.0) * rcond))


@follows(sl.orth)
@over_stacks(2)
def orth(A: Any, rcond: float | None = None) -> Any:
    """Orthonormal basis of the range: singular vectors, so derivatives need distinct singular values, or a
    result that depends on the space alone.
    """
    A = inexact(A)
    u, s, _ = singular.svd(A, full_matrices=False)
    return u[:, : _rank(A, s, rcond)]


@follows(sl.null_space)
@over_stacks(2)
def null_space(
    A: Any,
    rcond: float | None = None,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """Orthonormal basis of the null space.

    Only the space is determined: derivatives are right for what does not depend on the choice of its basis.
    """
    del overwrite_a, lapack_driver
    A = inexact(A, check_finite)
    _, s, vh = singular.svd(A, full_matrices=True)
    return adjoint(vh[_rank(A, s, rcond) :])


@follows(sl.subspace_angles)
@over_stacks(2, 2)
def subspace_angles(A: Any, B: Any) -> Any:
    """Angles between two ranges, largest first; zero angles have derivative 0."""
    A, B = inexact(A, True), inexact(B, True)
    if A.shape[0] != B.shape[0]:
        raise ValueError(f"A and B must have the same number of rows, got {A.shape[0]} and {B.shape[0]}")
    qa, qb = (_basis(x) for x in (A, B))
    inner = matmul(adjoint(qa), qb)
    sigma = singular.svdvals(inner)
    beyond = qb - matmul(qa, inner) if qa.shape[1] >= qb.shape[1] else qa - matmul(qb, adjoint(inner))
    large = np.asarray(concrete(sigma)) ** 2 >= 0.5
    sines = np.clip(singular.svdvals(beyond), -1.0, 1.0)
    cosines = np.clip(sigma[::-1], -1.0, 1.0)
    # each branch is given harmless values where the other one counts
    return np.where(large, np.arcsin(np.where(large, sines, 0.0)), np.arccos(np.where(large, 0.0, cosines)))


def _basis(x: Any) -> Any:
    """Orthonormal basis of the range; the space alone counts, so repeated singular values do no harm."""
    u, s, _ = singular.svd(x, full_matrices=False)
    return u[:, : _rank(x, s, None)]


@follows(sl.orthogonal_procrustes)
@over_stacks(2, 2)
def orthogonal_procrustes(A: Any, B: Any, check_finite: bool = True) -> Any:
    """Orthogonal matrix that brings `A` closest to `B`, and the sum of the singular values of their product."""
    A, B = inexact(A, check_finite), inexact(B, check_finite)
    if A.shape != B.shape:
        raise ValueError(f"the shapes of A and B differ ({A.shape} vs {B.shape})")
    u, w, vh = singular.svd(swap_last(matmul(swap_last(B), conjugate(A))), full_matrices=False)
    return matmul(u, vh), np.sum(w)


# --- scaling ------------------------------------------------------------------------------------------------


@follows(sl.matrix_balance)
@over_stacks(2)
def matrix_balance(
    A: Any,
    permute: bool = True,
    scale: bool = True,
    separate: bool = False,
    overwrite_a: bool = False,
) -> Any:
    """Balanced matrix and the transformation, which is locally constant."""
    del overwrite_a
    A = square(A, True)
    scaling, order = balance(A, permute=bool(permute), scale=bool(scale))
    moved = A[order][:, order] * row(scaling[order]) / scaling[order][:, None]
    if separate:
        return moved, (scaling, order)
    return moved, np.diag(scaling)[:, order]


@follows(sl.norm)
def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True) -> Any:
    """Norm of a matrix or vector."""
    return norms.norm(inexact(a, check_finite) if check_finite else as_array(a), ord, axis, keepdims)


# --- without a rule -------------------------------------------------------------------------------------------

hessenberg = without_rule(
    sl.hessenberg, "the Hessenberg form is not determined by the matrix alone. Take eigvals, or schur."
)
qz = without_rule(sl.qz, "take eigvals(a, b), whose eigenvalues have derivatives.")
ordqz = without_rule(sl.ordqz, "take eigvals(a, b), whose eigenvalues have derivatives.")
cossin = without_rule(sl.cossin, "take the singular value decompositions of the blocks.")
qr_delete = without_rule(sl.qr_delete, "factorize the matrix without the rows or columns, by qr.")
qr_insert = without_rule(sl.qr_insert, "factorize the matrix with the rows or columns, by qr.")
qr_update = without_rule(sl.qr_update, "factorize the updated matrix by qr.")

__all__ = [
    "cossin",
    "hessenberg",
    "matrix_balance",
    "norm",
    "null_space",
    "ordqz",
    "orth",
    "orthogonal_procrustes",
    "polar",
    "qr",
    "qr_delete",
    "qr_insert",
    "qr_multiply",
    "qr_update",
    "qz",
    "rq",
    "subspace_angles",
    "svd",
    "svdvals",
]
