"""`numpy.linalg`, differentiable.  What is singular or not positive definite raises NumPy's `LinAlgError`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError
from numpy.linalg._linalg import EighResult, EigResult, QRResult, SlogdetResult, SVDResult

from funcdiff.core.recording import TracedArray, concrete
from funcdiff.numpy._arguments import UNSET, as_array, unsupported_keyword
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.matrix_products import (
    cross,
    diagonal,
    floating,
    matmul,
    matrices,
    matrix_power,
    matrix_transpose,
    multi_dot,
    outer,
    square,
    tensordot,
    trace,
    vecdot,
)
from funcdiff.numpy.norms import matrix_norm, norm, vector_norm
from funcdiff.primitives.comparison import isnan, signbit
from funcdiff.primitives.elementwise import absolute
from funcdiff.primitives.linalg import determinant, eigen, factorizations, least_squares
from funcdiff.primitives.linalg import solve as systems
from funcdiff.primitives.linalg import svd as singular
from funcdiff.primitives.linalg.common import adjoint
from funcdiff.primitives.linalg.common import hermitian as hermitian_part
from funcdiff.primitives.product import row
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import astype, reshape, transpose


def _is_lower(uplo: str) -> bool:
    uplo = uplo.upper()
    if uplo not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return uplo == "L"


# --- systems and determinants -----------------------------------------------------------------------


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """Inverse of a matrix."""
    return systems.inv(square(a))


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """Solution of ``a @ x = b``, where `b` is a vector if it has one axis, else a stack of matrices."""
    return systems.solve(square(a), floating(b))


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """Solve the tensor equation ``a x = b`` for `x`."""
    a, b = floating(a), floating(b)
    rank = len(a.shape)
    if axes is not None:
        order = list(range(rank))
        for k in axes:
            order.remove(k)
            order.insert(rank, k)
        a = transpose(a, axes=tuple(order))
    shape = a.shape[-(rank - len(b.shape)) :]
    size = math.prod(shape)
    if math.prod(a.shape) != size**2:
        raise LinAlgError(
            "Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"
        )
    return reshape(systems.solve(reshape(a, shape=(size, size)), reshape(b, shape=(size,))), shape=shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """Inverse of an array for `tensordot`."""
    a = floating(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    rows, columns = a.shape[ind:], a.shape[:ind]
    flat = reshape(a, shape=(math.prod(columns), math.prod(rows)))
    return reshape(systems.inv(square(flat)), shape=(*rows, *columns))


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """Determinant; its derivatives are right at singular matrices too."""
    return determinant.det(square(a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Sign and logarithm of the absolute value of the determinant."""
    return SlogdetResult(*determinant.slogdet(square(a)))


# --- factorizations ---------------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Cholesky factor; one triangle of `a` is read, and the derivative lies on it."""
    return factorizations.cholesky(square(a), upper=bool(upper))


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """QR factorization."""
    if mode in ("raw", "e", "economic"):
        raise unsupported_keyword("np.linalg.qr", f"mode={mode!r}", "Use mode='reduced', 'complete' or 'r'.")
    if mode in ("f", "full"):  # NumPy's deprecated names
        mode = "reduced"
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"Unrecognized mode '{mode}'")
    a = matrices(a)
    if mode == "r":
        return factorizations.qr(a, mode="reduced")[1]
    return QRResult(*factorizations.qr(a, mode=mode))


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues and eigenvectors of a Hermitian matrix, of which one triangle is read."""
    return EighResult(*eigen.eigh(square(a), lower=_is_lower(UPLO)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues of a Hermitian matrix, of which one triangle is read."""
    return eigen.eigvalsh(square(a), lower=_is_lower(UPLO))


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Eigenvalues and right eigenvectors."""
    return EigResult(*eigen.eig(square(a)))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Eigenvalues."""
    return eigen.eigvals(square(a))


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Singular value decomposition."""
    if hermitian:
        return _hermitian_svd(a, compute_uv)
    a = matrices(a)
    if not compute_uv:
        return singular.svdvals(a)
    # a square matrix has the same factors either way
    return SVDResult(*singular.svd(a, full_matrices=bool(full_matrices) and a.shape[-1] != a.shape[-2]))


def _hermitian_svd(a: Any, compute_uv: bool) -> Any:
    if not compute_uv:
        return np.sort(absolute(eigvalsh(a)))[..., ::-1]
    w, u = eigh(a)
    s = absolute(w)
    order = np.argsort(s)[..., ::-1]
    negative = np.take_along_axis(signbit(w), order, axis=-1)
    s = np.take_along_axis(s, order, axis=-1)
    u = np.take_along_axis(u, row(order), axis=-1)
    return SVDResult(u, s, adjoint(u * row(1 - 2 * astype(negative, dtype=s.dtype))))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """Singular values, descending."""
    return singular.svdvals(matrices(x))


# --- least squares and rank -------------------------------------------------------------------------


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = UNSET) -> Any:
    """Pseudoinverse; the rank is taken for locally constant."""
    a = matrices(a)
    if rcond is not None and rtol is not UNSET:
        raise ValueError("`rtol` and `rcond` can't be both set.")
    if rcond is None:
        rcond = 1e-15 if rtol is UNSET else rtol
        if rcond is None:
            rcond = max(a.shape[-2:]) * np.finfo(a.dtype).eps
    if not math.prod(a.shape[-2:]):
        return transpose(a, axes=(*range(len(a.shape) - 2), len(a.shape) - 1, len(a.shape) - 2))
    if hermitian:
        a = hermitian_part(a, True)
    return least_squares.pinv(a, as_array(rcond), hermitian=bool(hermitian))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """Least-squares solution of ``a @ x = b`` of least norm, its residuals, the rank and the singular values."""
    a, b = floating(a), floating(b)
    for x in (a, b[:, None] if len(b.shape) == 1 else b):
        if len(x.shape) != 2:
            raise LinAlgError(f"{len(x.shape)}-dimensional array given. Array must be two-dimensional")
    if a.shape[0] != b.shape[0]:
        raise LinAlgError("Incompatible dimensions")
    if rcond is None:
        rcond = float(np.finfo(np.float64).eps) * max(a.shape)  # LAPACK computes in double precision
    x, residuals, rank, s = least_squares.lstsq(a, b, rcond=float(concrete(rcond)))
    if type(a) is not TracedArray:  # then rank and singular values are the same for all examples of a batch
        rank, s = _of_one_example(rank), _of_one_example(s)
    return x, residuals, rank, s


def _of_one_example(x: Any) -> Any:
    while type(x) is TracedArray:
        x = x.value[0] if x.recorder.batch and x.place else x.value
    return x


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """Rank of a matrix, which has no derivative."""
    return least_squares.matrix_rank(
        as_array(A), tol=concrete(tol), rtol=concrete(rtol), hermitian=bool(hermitian)
    )


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Condition number in the norm `p`."""
    x = matrices(x)
    if not math.prod(x.shape[-2:]):
        raise LinAlgError("cond is not defined on empty arrays")
    with np.errstate(all="ignore"):
        if p is None or p in (2, -2):
            s = singular.svdvals(x)
            result = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            result = norm(x, p, axis=(-2, -1)) * norm(systems.inv_or_nan(square(x)), p, axis=(-2, -1))
    unknown = np.any(isnan(x), axis=(-2, -1))
    return where(isnan(result) & np.logical_not(unknown), np.inf, result)


__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
