"""Linear systems, inverses, determinants and least squares of `scipy.linalg`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import scipy.linalg as sl

from funcdiff.core.recording import concrete
from funcdiff.numpy import fft as _fft
from funcdiff.numpy import linalg as _linalg
from funcdiff.numpy._arguments import as_array, axis_of
from funcdiff.primitives.linalg import determinant, least_squares
from funcdiff.primitives.linalg import solve as dense
from funcdiff.primitives.linalg.common import hermitian, triangle_like
from funcdiff.primitives.linalg.factorizations import cholesky as _cholesky_factor
from funcdiff.primitives.linalg.lu import lu as _lu
from funcdiff.primitives.linalg.lu import order_of_swaps, permuted_rows
from funcdiff.primitives.linalg.systems import read_part, structured_solve
from funcdiff.primitives.linalg.systems import solve_triangular as _triangular
from funcdiff.primitives.product import conjugate, swap_last
from funcdiff.scipy._protocol import double, follows, inexact, over_stacks, square

STRUCTURES = {
    None: "detect",
    "general": "general",
    "gen": "general",
    "diagonal": "diagonal",
    "tridiagonal": "tridiagonal",
    "banded": "banded",
    "upper triangular": "upper triangular",
    "lower triangular": "lower triangular",
    "symmetric": "symmetric",
    "sym": "symmetric",
    "hermitian": "hermitian",
    "her": "hermitian",
    "positive definite": "positive definite",
    "pos": "positive definite",
}


def _structure(assume_a: str | None) -> str:
    if assume_a not in STRUCTURES:
        raise ValueError(f"{assume_a} is not a recognized matrix structure")
    return STRUCTURES[assume_a]


def _check_sides(a: Any, b: Any) -> None:
    rows = b.shape[-1] if len(b.shape) == 1 else b.shape[-2]
    if a.shape[-1] != rows:
        raise ValueError(f"incompatible shapes: {a.shape} and {b.shape}")


@follows(sl.solve)
def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    """Solution of ``a @ x = b``; of a symmetric or triangular `a` one triangle is read, and has the derivative."""
    del overwrite_a, overwrite_b
    a, b = square(a, check_finite), inexact(b, check_finite)
    structure = _structure(assume_a)
    _check_sides(a, b)
    if transposed:
        if a.dtype.kind == "c":
            raise NotImplementedError(
                "scipy.linalg.solve can currently not solve a^T x = b or a^H x = b for complex matrices."
            )
        a, lower = swap_last(read_part(a, structure, lower)), lower
        structure = structure if structure in ("banded", "detect") else "general"
    return structured_solve(a, b, structure=structure, lower=bool(lower))


@follows(sl.solve_triangular)
def solve_triangular(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solution of a triangular system; only the triangle is read, and has the derivative."""
    del overwrite_b
    a, b = square(a, check_finite), inexact(b, check_finite)
    _check_sides(a, b)
    trans = {"N": 0, "T": 1, "C": 2}.get(trans, trans)
    if trans == 2:
        a = conjugate(a)
    return _triangular(a, b, lower=bool(lower), transposed=trans != 0, unit_diagonal=bool(unit_diagonal))


@follows(sl.inv)
def inv(
    a: Any,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    assume_a: str | None = None,
    lower: bool = False,
) -> Any:
    """Inverse of a matrix; of a symmetric or triangular one a triangle is read, and has the derivative."""
    del overwrite_a
    return dense.inv(read_part(square(a, check_finite), _structure(assume_a), bool(lower)))


@follows(sl.det)
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Determinant of a matrix, in double precision as SciPy gives it."""
    del overwrite_a
    return determinant.det(double(square(a, check_finite)))


# --- by factors -------------------------------------------------------------------------------------------


@follows(sl.lu_factor)
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """LU factors of a matrix in one array, and LAPACK's row swaps."""
    del overwrite_a
    packed, pivots, _ = _lu(inexact(a, check_finite))
    return packed, pivots


@over_stacks(2, 1, -1)
def _lu_solve(packed: Any, pivots: Any, b: Any, trans: int) -> Any:
    order = order_of_swaps(np.asarray(concrete(pivots)), packed.shape[0])
    upper = {"lower": False, "unit_diagonal": False}
    lower = {"lower": True, "unit_diagonal": True}
    if not trans:
        inner = _triangular(packed, b[order], **lower, transposed=False)
        return _triangular(packed, inner, **upper, transposed=False)
    if trans == 2:
        packed = conjugate(packed)
    inner = _triangular(packed, b, **upper, transposed=True)
    return _triangular(packed, inner, **lower, transposed=True)[np.argsort(order)]


@follows(sl.lu_solve)
def lu_solve(
    lu_and_piv: Any, b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """Solution of ``a @ x = b``, given the LU factors of `a`."""
    del overwrite_b
    packed, pivots = lu_and_piv
    packed, b = square(packed), inexact(b, check_finite)
    _check_sides(packed, b)
    return _lu_solve(packed, pivots, b, trans)


@follows(sl.lu)
def lu(
    a: Any,
    permute_l: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    p_indices: bool = False,
) -> Any:
    """LU factorization ``a = p @ l @ u``; the permutation is locally constant."""
    del overwrite_a
    packed, _, order = _lu(inexact(a, check_finite))
    m, n = packed.shape[-2:]
    k = min(m, n)
    left, u = packed[..., :, :k], packed[..., :k, :]
    ones = np.eye(m, k, dtype=packed.dtype)
    lower = left * np.tri(m, k, k=-1, dtype=packed.dtype) + ones
    u = u * np.tri(n, k, dtype=packed.dtype).T
    places = np.argsort(order, axis=-1)
    if permute_l:
        return permuted_rows(lower, places), u
    if p_indices:
        return places, lower, u
    real = packed.dtype.type(0).real.dtype
    p = np.equal(np.arange(m), places[..., :, None])
    return p.astype(real), lower, u


@follows(sl.cholesky)
def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Cholesky factor; the triangle that `lower` names is read, and has the derivative."""
    del overwrite_a
    return _cholesky_factor(square(a, check_finite), upper=not lower)


@functools.cache
def _other_triangle_is_kept() -> bool:
    """Tell whether SciPy's `cho_factor` leaves elements of the matrix beside the factor, as before SciPy 1.18."""
    return bool(sl.cho_factor(np.array([[2.0, 1.0], [1.0, 2.0]]))[0][1, 0])


@follows(sl.cho_factor)
def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Cholesky factor with, as in SciPy, zeros or the elements of `a` in its other triangle."""
    del overwrite_a
    a = square(a, check_finite)
    factor = _cholesky_factor(a, upper=not lower)
    return factor + a * triangle_like(a, not lower, 0.0) if _other_triangle_is_kept() else factor, lower


@follows(sl.cho_solve)
def cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Solution of ``a @ x = b``, given the Cholesky factor of `a`."""
    del overwrite_b
    c, lower = c_and_lower
    c, b = square(c, check_finite), inexact(b, check_finite)
    _check_sides(c, b)
    options: dict[str, Any] = {"lower": bool(lower), "unit_diagonal": False}
    if lower:  # L Lᴴ x = b
        inner = _triangular(c, b, **options, transposed=False)
        return _triangular(conjugate(c), inner, **options, transposed=True)
    inner = _triangular(conjugate(c), b, **options, transposed=True)
    return _triangular(c, inner, **options, transposed=False)


# --- circulant matrices, by Fourier transforms --------------------------------------------------------------


@follows(sl.solve_circulant)
def solve_circulant(
    c: Any,
    b: Any,
    singular: str = "raise",
    tol: float | None = None,
    caxis: int = -1,
    baxis: int = 0,
    outaxis: int = 0,
) -> Any:
    """Solution of ``circulant(c) @ x = b``."""
    c, b = np.atleast_1d(as_array(c)), np.atleast_1d(as_array(b))
    nc, nb = c.shape[axis_of(caxis, len(c.shape))], b.shape[axis_of(baxis, len(b.shape))]
    if nc != nb:
        raise ValueError(f"Shapes of c {c.shape} and b {b.shape} are incompatible")
    is_real = c.dtype.kind != "c" and b.dtype.kind != "c"
    spectrum = _fft.fft(np.moveaxis(c, caxis, -1), axis=-1)
    size = np.abs(concrete(spectrum))
    least: Any = tol
    if tol is None:  # as numpy.linalg.matrix_rank
        least = size.max(axis=-1, initial=0, keepdims=True) * nc * np.finfo(np.float64).eps
    near_zero = size <= least
    if near_zero.any():
        if singular == "raise":
            raise np.linalg.LinAlgError("near singular circulant matrix.")
        spectrum = np.where(near_zero, 1, spectrum)
    found = _fft.fft(np.moveaxis(b, baxis, -1), axis=-1) / spectrum
    x = _fft.ifft(np.where(near_zero, 0, found) if near_zero.any() else found, axis=-1)
    x = x.real if is_real else x
    return np.moveaxis(x, -1, outaxis) if outaxis != -1 else x


# --- least squares --------------------------------------------------------------------------------------------


@follows(sl.lstsq)
def lstsq(
    a: Any,
    b: Any,
    cond: float | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: str | None = None,
) -> Any:
    """Least-squares solution of least norm, residuals, rank and singular values (None for driver 'gelsy')."""
    del overwrite_a, overwrite_b
    if lapack_driver not in (None, "gelsd", "gelsy", "gelss"):
        raise ValueError(f'LAPACK driver "{lapack_driver}" is not found')
    a, b = inexact(a, check_finite), inexact(b, check_finite)
    found = _lstsq(a, b, cond)
    if lapack_driver == "gelsy":
        return found[0], as_array([]) if a.shape[-2] <= a.shape[-1] else found[1], found[2], None
    return found


@over_stacks(2, -1)
def _lstsq(a: Any, b: Any, cond: float | None) -> Any:
    if a.shape[0] != b.shape[0]:
        raise ValueError(
            f"Shape mismatch: a and b should have the same number of rows ({a.shape[0]} != {b.shape[0]})."
        )
    if not a.shape[0] * a.shape[1]:
        residuals = np.zeros(0) if a.shape[1] else np.sum(np.abs(b) ** 2, axis=0)
        return b[:0] if not a.shape[1] else np.zeros((a.shape[1], *b.shape[1:])), residuals, 0, np.zeros(0)
    eps = float(np.finfo(np.result_type(a.dtype, b.dtype)).eps)
    x, residuals, rank, s = _linalg.lstsq(a, b, rcond=eps if cond is None else float(cond))
    if len(b.shape) == 1 and residuals.shape == (1,):
        residuals = residuals[0]
    return x, residuals, rank, s


def _cutoff(a: Any, s: Any, atol: Any, rtol: Any) -> Any:
    """Return the relative size below which singular values count for zero."""
    atol = 0.0 if atol is None else atol
    rtol = max(a.shape[-2:]) * np.finfo(a.dtype).eps if rtol is None else rtol
    if atol < 0.0 or rtol < 0.0:
        raise ValueError("atol and rtol values must be positive.")
    if not atol:
        return np.full(a.shape[:-2], rtol)
    largest = s[..., 0]
    return rtol + atol / np.where(largest > 0, largest, 1.0)


@follows(sl.pinv)
def pinv(
    a: Any,
    *,
    atol: float | None = None,
    rtol: float | None = None,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """Pseudoinverse; the rank is taken for locally constant."""
    a = inexact(a, check_finite)
    if 0 in a.shape[-2:]:
        return (swap_last(a), 0) if return_rank else swap_last(a)
    s = np.linalg.svd(a, compute_uv=False)
    cutoff = _cutoff(a, s, atol, rtol)
    out = least_squares.pinv(a, cutoff, hermitian=False)
    return (out, np.sum(s > cutoff[..., None] * s[..., :1], axis=-1)) if return_rank else out


@follows(sl.pinvh)
def pinvh(
    a: Any,
    atol: float | None = None,
    rtol: float | None = None,
    lower: bool = True,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """Pseudoinverse of a Hermitian matrix, of which one triangle is read and has the derivative."""
    return pinv(
        hermitian(square(a, check_finite), bool(lower)),
        atol=atol,
        rtol=rtol,
        return_rank=return_rank,
        check_finite=False,
    )


__all__ = [
    "cho_factor",
    "cho_solve",
    "cholesky",
    "det",
    "inv",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "pinv",
    "pinvh",
    "solve",
    "solve_circulant",
    "solve_triangular",
]
