"""`numpy.linalg`, differentiable.  What is singular or not positive definite raises NumPy's `LinAlgError`."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError
from numpy.linalg._linalg import EighResult, EigResult, QRResult, SlogdetResult, SVDResult

from funcdiff import errors
from funcdiff.core.mutation import constant_buffer
from funcdiff.core.recording import TracedArray, concrete
from funcdiff.numpy import products
from funcdiff.numpy._arguments import UNSET, as_array, deliver, given, to_dtype, unsupported_keyword
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.norms import matrix_norm, norm, vector_norm
from funcdiff.numpy.shapes import matrix_transpose as _matrix_transpose
from funcdiff.primitives.comparison import isnan, signbit
from funcdiff.primitives.elementwise import absolute
from funcdiff.primitives.linalg import determinant, eigen, factorizations, least_squares
from funcdiff.primitives.linalg import solve as systems
from funcdiff.primitives.linalg import svd as singular
from funcdiff.primitives.linalg.common import adjoint, hermitian as hermitian_part
from funcdiff.primitives.product import matmul as product
from funcdiff.primitives.product import row
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import astype, reshape, transpose

# --- checks, in NumPy's words -----------------------------------------------------------------------


def _floating(x: Any) -> Any:
    """Return an array of floats, as `numpy.linalg` makes of integers."""
    x = as_array(x)
    return x if x.dtype.kind in "fc" else to_dtype(x, np.float64)


def _matrices(x: Any) -> Any:
    x = _floating(x)
    if len(x.shape) < 2:
        raise LinAlgError(f"{len(x.shape)}-dimensional array given. Array must be at least two-dimensional")
    return x


def _square(x: Any) -> Any:
    x = _matrices(x)
    if x.shape[-1] != x.shape[-2]:
        raise LinAlgError("Last 2 dimensions of the array must be square")
    return x


def _is_lower(uplo: str) -> bool:
    uplo = uplo.upper()
    if uplo not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return uplo == "L"


# --- systems and determinants -----------------------------------------------------------------------


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """Inverse of a matrix."""
    return systems.inv(_square(a))


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """Solution of ``a @ x = b``, where `b` is a vector if it has one axis, else a stack of matrices."""
    return systems.solve(_square(a), _floating(b))


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """Solve the tensor equation ``a x = b`` for `x`."""
    a, b = _floating(a), _floating(b)
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
    a = _floating(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    rows, columns = a.shape[ind:], a.shape[:ind]
    flat = reshape(a, shape=(math.prod(columns), math.prod(rows)))
    return reshape(systems.inv(_square(flat)), shape=(*rows, *columns))


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """Determinant; its derivatives are right at singular matrices too."""
    return determinant.det(_square(a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Sign and logarithm of the absolute value of the determinant."""
    return SlogdetResult(*determinant.slogdet(_square(a)))


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """Integer power of a square matrix, by repeated squaring."""
    a = _square(a)
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


# --- factorizations ---------------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Cholesky factor; one triangle of `a` is read, and the derivative lies on it."""
    return factorizations.cholesky(_square(a), upper=bool(upper))


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """QR factorization."""
    if mode in ("raw", "e", "economic"):
        raise unsupported_keyword("np.linalg.qr", f"mode={mode!r}", "Use mode='reduced', 'complete' or 'r'.")
    if mode in ("f", "full"):  # NumPy's deprecated names
        mode = "reduced"
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"Unrecognized mode '{mode}'")
    a = _matrices(a)
    if mode == "r":
        return factorizations.qr(a, mode="reduced")[1]
    return QRResult(*factorizations.qr(a, mode=mode))


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues and eigenvectors of a Hermitian matrix, of which one triangle is read."""
    return EighResult(*eigen.eigh(_square(a), lower=_is_lower(UPLO)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues of a Hermitian matrix, of which one triangle is read."""
    return eigen.eigvalsh(_square(a), lower=_is_lower(UPLO))


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Eigenvalues and right eigenvectors."""
    return EigResult(*eigen.eig(_square(a)))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Eigenvalues."""
    return eigen.eigvals(_square(a))


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Singular value decomposition."""
    if hermitian:
        return _hermitian_svd(a, compute_uv)
    a = _matrices(a)
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
    return singular.svdvals(_matrices(x))


# --- least squares and rank -------------------------------------------------------------------------


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = UNSET) -> Any:
    """Pseudoinverse; the rank is taken for locally constant."""
    a = _matrices(a)
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
    a, b = _floating(a), _floating(b)
    for x in (a, b[:, None] if len(b.shape) == 1 else b):
        if len(x.shape) != 2:
            raise LinAlgError(f"{len(x.shape)}-dimensional array given. Array must be two-dimensional")
    if a.shape[0] != b.shape[0]:
        raise LinAlgError("Incompatible dimensions")
    if rcond is None:
        rcond = float(np.finfo(np.float64).eps) * max(a.shape)  # LAPACK computes in double precision
    return least_squares.lstsq(a, b, rcond=float(concrete(rcond)))


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """Rank of a matrix, which has no derivative."""
    return least_squares.matrix_rank(
        as_array(A), tol=concrete(tol), rtol=concrete(rtol), hermitian=bool(hermitian)
    )


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Condition number in the norm `p`."""
    x = _matrices(x)
    if not math.prod(x.shape[-2:]):
        raise LinAlgError("cond is not defined on empty arrays")
    with np.errstate(all="ignore"):
        if p is None or p in (2, -2):
            s = singular.svdvals(x)
            result = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            result = norm(x, p, axis=(-2, -1)) * norm(systems.inv_or_nan(_square(x)), p, axis=(-2, -1))
    unknown = np.any(isnan(x), axis=(-2, -1))
    return where(isnan(result) & np.logical_not(unknown), np.inf, result)


# --- products and parts -----------------------------------------------------------------------------


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
        return products.dot(*arrays, out=out)
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
        result = reshape(result, shape=kept)
        if not kept and type(result) is TracedArray:
            result = result[()]
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
                (cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1], k) for k in range(i, j)
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
    return _matrix_transpose(x)


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
