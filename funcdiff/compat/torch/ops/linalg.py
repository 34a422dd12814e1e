"""`torch.linalg`: inverses, solutions, determinants, factorizations and norms of matrices."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, deliver, method
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch.ops import reductions
from funcdiff.compat.torch.ops.products import cross as cross
from funcdiff.compat.torch.ops.products import matmul as matmul
from funcdiff.compat.torch.ops.products import multi_dot as multi_dot
from funcdiff.core.primitive import REGISTRY


class _LinAlgError(RuntimeError):
    """A factorization or a solution does not exist."""


LinAlgError = _LinAlgError


def _batch(a: Any, fails: Any) -> tuple[str, Any]:
    """Return which matrix of a stack is the first that fails, as words, and the matrix."""
    x = a.value
    if x.ndim == 2:
        return "", x
    for n, m in enumerate(x.reshape(-1, *x.shape[-2:])):
        if fails(m):
            return f"(Batch element {n}): ", m
    return "", x.reshape(-1, *x.shape[-2:])[0]


def _zero_pivot(m: Any) -> int:
    """Return the number, from 1, of the first zero on the diagonal of the upper factor."""
    from scipy.linalg import lu_factor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pivots = np.diagonal(lu_factor(m)[0])
    return int(np.argmax(pivots == 0)) + 1


def _bad_minor(m: Any) -> int:
    """Return the order of the first leading minor that is not positive."""
    for k in range(1, len(m) + 1):
        try:
            np.linalg.cholesky(m[:k, :k])
        except np.linalg.LinAlgError:
            return k
    return 0


def _square(name: str, A: Any) -> None:
    shape = A.value.shape
    if len(shape) < 2:
        raise RuntimeError(f"linalg.{name}: The input tensor A must have at least 2 dimensions.")
    if shape[-1] != shape[-2]:
        raise RuntimeError(
            f"linalg.{name}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices"
        )


def inv(A: Tensor, *, out: Any = None) -> Any:
    """As `torch.linalg.inv`."""
    _square("inv", A)
    try:
        return deliver(composite(composed("LinalgInvExBackward0"), fnp.linalg.inv, (A,)), out)
    except np.linalg.LinAlgError:
        where, m = _batch(A, lambda m: np.linalg.det(m) == 0)
        raise LinAlgError(
            f"linalg.inv: {where}The diagonal element {_zero_pivot(m)} is zero, the inversion could not be completed because the "
            "input matrix is singular."
        ) from None


inverse = method(inv, "inverse")


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Any:
    """As `torch.linalg.solve`."""
    _square("solve", A)
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.value.shape == A.value.shape[:-1])

    def compute(a: Any, b: Any) -> Any:
        if not left:
            return (
                fnp.swapaxes(fnp.linalg.solve(fnp.swapaxes(a, -1, -2), fnp.swapaxes(b, -1, -2)), -1, -2) + 0
            )
        if vector:
            return fnp.linalg.solve(a, b[..., None])[..., 0] + 0
        return fnp.linalg.solve(a, b)

    try:
        return composite(composed("LinalgSolveExBackward0"), compute, (A, B))
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "torch.linalg.solve: The solver failed because the input matrix is singular."
        ) from None


def det(A: Tensor) -> Any:
    """As `torch.linalg.det`."""
    _square("det", A)
    return composite(composed("LinalgDetBackward0"), fnp.linalg.det, (A,))


method(det)


class slogdet_result(NamedTuple):
    """Sign and logarithm of the size of a determinant."""

    sign: Any
    logabsdet: Any


def slogdet(A: Tensor) -> Any:
    """As `torch.linalg.slogdet`."""
    _square("slogdet", A)
    return slogdet_result(
        *composite(composed("LinalgSlogdetBackward0"), lambda a: tuple(fnp.linalg.slogdet(a)), (A,))
    )


method(slogdet)


@method
def logdet(input: Tensor) -> Any:
    """As `torch.logdet`."""

    def compute(a: Any) -> Any:
        sign, size = fnp.linalg.slogdet(a)
        return fnp.where(sign < 0, math.nan, size)

    return composite(composed("WhereBackward0"), compute, (input,))


@method
def cholesky(A: Tensor, upper: bool = False) -> Any:
    """As `torch.linalg.cholesky`."""
    _square("cholesky", A)
    try:
        return composite(
            composed("LinalgCholeskyExBackward0"), lambda a: fnp.linalg.cholesky(a, upper=upper) + 0, (A,)
        )
    except np.linalg.LinAlgError:
        where, m = _batch(A, _bad_minor)
        raise LinAlgError(
            f"linalg.cholesky: {where}The factorization could not be completed because the input is not positive-definite (the "
            f"leading minor of order {_bad_minor(m)} is not positive-definite)."
        ) from None


class eigh_result(NamedTuple):
    """Eigenvalues and eigenvectors."""

    eigenvalues: Any
    eigenvectors: Any


def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """As `torch.linalg.eigh`."""
    _square("eigh", A)
    return eigh_result(
        *composite(composed("LinalgEighBackward0"), lambda a: tuple(fnp.linalg.eigh(a, UPLO)), (A,))
    )


def eigvalsh(A: Tensor, UPLO: str = "L") -> Any:
    """As `torch.linalg.eigvalsh`."""
    _square("eigvalsh", A)
    return composite(composed("LinalgEighBackward0"), lambda a: fnp.linalg.eigvalsh(a, UPLO), (A,))


def eig(A: Tensor) -> Any:
    """As `torch.linalg.eig`."""
    _square("eig", A)
    made = np.result_type(A.value.dtype, np.complex64)
    return eigh_result(
        *composite(
            composed("LinalgEigBackward0"),
            lambda a: tuple(fnp.linalg.eig(REGISTRY["astype"].function(a, dtype=made))),
            (A,),
        )
    )


def eigvals(A: Tensor) -> Any:
    """As `torch.linalg.eigvals`."""
    return eig(A)[0]


class svd_result(NamedTuple):
    """A singular value decomposition."""

    U: Any
    S: Any
    Vh: Any


def svd(A: Tensor, full_matrices: bool = True) -> Any:
    """As `torch.linalg.svd`."""
    return svd_result(
        *composite(composed("LinalgSvdBackward0"), lambda a: tuple(fnp.linalg.svd(a, full_matrices)), (A,))
    )


def svdvals(A: Tensor) -> Any:
    """As `torch.linalg.svdvals`."""
    return composite(composed("LinalgSvdBackward0"), fnp.linalg.svdvals, (A,))


class qr_result(NamedTuple):
    """A QR decomposition."""

    Q: Any
    R: Any


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """As `torch.linalg.qr`."""
    return qr_result(*composite(composed("LinalgQrBackward0"), lambda a: tuple(fnp.linalg.qr(a, mode)), (A,)))


def pinv(A: Tensor, *, rtol: Any = None, hermitian: bool = False) -> Any:
    """As `torch.linalg.pinv`."""
    return composite(
        composed("LinalgPinvBackward0"), lambda a: fnp.linalg.pinv(a, rtol, hermitian=hermitian), (A,)
    )


pinverse = pinv


class lstsq_result(NamedTuple):
    """A least-squares solution."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


def lstsq(A: Tensor, B: Tensor, rcond: Any = None) -> Any:
    """As `torch.linalg.lstsq`, for one system; the solution is differentiable."""

    def compute(a: Any, b: Any) -> Any:
        return fnp.linalg.lstsq(a, b, rcond)[0]

    from funcdiff.compat.torch._tensor import plain, wrap

    rank = np.linalg.matrix_rank(plain(A))
    empty = wrap(np.zeros(0, A.value.dtype))
    return lstsq_result(
        composite(composed("LinalgLstsqBackward0"), compute, (A, B)), empty, wrap(np.asarray(rank)), empty
    )


def matrix_power(A: Tensor, n: int) -> Any:
    """As `torch.linalg.matrix_power`."""
    return composite(composed("MmBackward0"), lambda a: fnp.linalg.matrix_power(a, n), (A,))


method(matrix_power)


def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False) -> Any:
    """As `torch.linalg.matrix_rank`."""
    from funcdiff.compat.torch._apply import constant

    return constant(lambda a: np.linalg.matrix_rank(a, tol, hermitian), (A,))


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """As `torch.linalg.norm`."""
    if ord is None:
        return reductions.vector_norm(A, 2, dim, keepdim, dtype=dtype)
    dims = 1 if isinstance(dim, int) else A.ndim if dim is None else len(dim)
    if dims == 1:
        return reductions.vector_norm(A, ord, dim, keepdim, dtype=dtype)
    return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim)


def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False) -> Any:
    """As `torch.linalg.matrix_norm`."""
    if ord == "fro":
        return reductions.vector_norm(A, 2, dim, keepdim)
    return composite(
        composed("LinalgMatrixNormBackward0"),
        lambda a: fnp.linalg.norm(a, ord, axis=tuple(dim), keepdims=keepdim),
        (A,),
    )


vector_norm = reductions.vector_norm


def cond(A: Tensor, p: Any = None) -> Any:
    """As `torch.linalg.cond`."""
    return composite(composed("LinalgCondBackward0"), lambda a: fnp.linalg.cond(a, p), (A,))


def matrix_exp(A: Tensor) -> Any:
    """As `torch.matrix_exp`, where `funcdiff.scipy.linalg` has it."""
    from funcdiff.compat.torch._errors import unsupported

    try:
        from funcdiff.scipy import linalg as scipy_linalg  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        raise unsupported("matrix_exp", "Write it with eigh where the matrix is symmetric.") from None
    return composite(composed("LinalgMatrixExpBackward0"), scipy_linalg.expm, (A,))


def __getattr__(name: str) -> Any:
    return refuse("linalg", name)
