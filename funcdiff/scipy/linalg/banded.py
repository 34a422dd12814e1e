"""Banded, Toeplitz and tridiagonal matrices of `scipy.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from funcdiff.core.recording import concrete
from funcdiff.numpy import fft as _fft
from funcdiff.primitives.linalg import banded as bands
from funcdiff.primitives.linalg import spectra
from funcdiff.primitives.linalg.toeplitz import solve_toeplitz as _toeplitz
from funcdiff.primitives.product import conjugate
from funcdiff.scipy._protocol import double, follows, inexact, over_stacks


def _check_rows(ab: Any, b: Any) -> None:
    rows = b.shape[-1] if len(b.shape) == 1 else b.shape[-2]
    if ab.shape[-1] != rows:
        raise ValueError("shapes of ab and b are not compatible.")


@follows(sl.solve_banded)
def solve_banded(
    l_and_u: Any,
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solution of ``a @ x = b`` for a matrix of diagonals, ``ab[u + i - j, j] = a[i, j]``."""
    del overwrite_ab, overwrite_b
    ab, b = inexact(ab, check_finite), inexact(b, check_finite)
    _check_rows(ab, b)
    lower, upper = (int(n) for n in l_and_u)
    if lower + upper + 1 != ab.shape[-2]:
        raise ValueError(
            f"invalid values for the number of lower and upper diagonals: l+u+1 ({lower + upper + 1}) does not "
            f"equal ab.shape[0] ({ab.shape[-2]})"
        )
    return bands.solve_banded(ab, b, lower=lower, upper=upper, transposed=False)


@follows(sl.solveh_banded)
def solveh_banded(
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solution of ``a @ x = b`` for a positive definite matrix, given by the diagonals of one triangle."""
    del overwrite_ab, overwrite_b
    ab, b = inexact(ab, check_finite), inexact(b, check_finite)
    _check_rows(ab, b)
    return bands.solveh_banded(ab, b, lower=bool(lower))


@follows(sl.cholesky_banded)
def cholesky_banded(
    ab: Any, overwrite_ab: bool = False, lower: bool = False, check_finite: bool = True
) -> Any:
    """Cholesky factor of a positive definite matrix, both given by the diagonals of one triangle."""
    del overwrite_ab
    ab, lower = inexact(ab, check_finite), bool(lower)
    outside = 1 - bands.clean(np.ones(ab.shape[-2:], ab.dtype), lower)  # SciPy leaves it as it is
    return bands.cholesky_banded(ab, lower=lower) + ab * outside


@follows(sl.cho_solve_banded)
def cho_solve_banded(cb_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Solution of ``a @ x = b``, given the banded Cholesky factor of `a`."""
    del overwrite_b
    cb, lower = cb_and_lower
    cb, b = inexact(cb, check_finite), inexact(b, check_finite)
    if cb.shape[-1] != (b.shape[-1] if len(b.shape) == 1 else b.shape[-2]):
        raise ValueError("shapes of cb and b are not compatible.")
    count = cb.shape[-2] - 1
    if lower:  # L Lᴴ x = b
        inner = bands.solve_banded(cb, b, lower=count, upper=0, transposed=False)
        return bands.solve_banded(conjugate(cb), inner, lower=count, upper=0, transposed=True)
    inner = bands.solve_banded(conjugate(cb), b, lower=0, upper=count, transposed=True)
    return bands.solve_banded(cb, inner, lower=0, upper=count, transposed=False)


# --- Toeplitz ---------------------------------------------------------------------------------------------


def _column_and_row(c_or_cr: Any, check_finite: bool) -> tuple[Any, Any]:
    if isinstance(c_or_cr, tuple):
        c, r = (inexact(x, check_finite) for x in c_or_cr)
    else:
        c = inexact(c_or_cr, check_finite)
        r = conjugate(c)
    return np.atleast_1d(c), np.atleast_1d(r)


@follows(sl.solve_toeplitz)
def solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    """Solution of ``toeplitz(c, r) @ x = b`` by Levinson's recursion."""
    c, r = _column_and_row(c_or_cr, check_finite)
    b = inexact(b, check_finite)
    if c.shape[-1] != r.shape[-1] or c.shape[-1] != (b.shape[-1] if len(b.shape) == 1 else b.shape[-2]):
        raise ValueError("Incompatible dimensions.")
    return _toeplitz(c, r, b)


@over_stacks(1, 1, -1)
def _matmul_toeplitz(c: Any, r: Any, x: Any) -> Any:
    rows, points = c.shape[0], c.shape[0] + r.shape[0] - 1
    if r.shape[0] != x.shape[0]:
        raise ValueError("Incompatible dimensions.")
    around = np.concatenate([c, r[:0:-1]])
    if len(x.shape) == 2:
        around = around[:, None]
    if around.dtype.kind == "c" or x.dtype.kind == "c":
        return _fft.ifft(_fft.fft(around, axis=0) * _fft.fft(x, points, axis=0), axis=0)[:rows]
    product = _fft.rfft(around, axis=0) * _fft.rfft(x, points, axis=0)
    return _fft.irfft(product, points, axis=0)[:rows]


@follows(sl.matmul_toeplitz)
def matmul_toeplitz(c_or_cr: Any, x: Any, check_finite: bool = False, workers: int | None = None) -> Any:
    """Product ``toeplitz(c, r) @ x`` by Fourier transforms."""
    del workers
    c, r = _column_and_row(c_or_cr, check_finite)
    return _matmul_toeplitz(*(double(v) for v in (c, r, inexact(x, check_finite))))


# --- spectra ----------------------------------------------------------------------------------------------


def _chosen(w: Any, select: Any, select_range: Any) -> slice:
    """Return which of the ascending eigenvalues are asked for."""
    kinds = {"all": 0, "a": 0, 0: 0, "value": 1, "v": 1, 1: 1, "index": 2, "i": 2, 2: 2}
    kind = kinds.get(select.lower() if isinstance(select, str) else select)
    if kind is None:
        raise ValueError("invalid argument for select")
    if kind == 0:
        return slice(None)
    first, last = select_range
    if kind == 2:
        return slice(int(first), int(last) + 1)
    values = np.asarray(concrete(w))
    return slice(*np.searchsorted(values, [first, last], side="right"))


def _spectrum(found: Any, eigvals_only: bool, select: Any, select_range: Any) -> Any:
    w, v = found
    chosen = _chosen(w, select, select_range)
    return w[chosen] if eigvals_only else (w[chosen], v[:, chosen])


@over_stacks(1, 1)
def _tridiagonal(d: Any, e: Any, eigvals_only: bool, select: Any, select_range: Any, driver: str) -> Any:
    if d.dtype.kind == "c" or e.dtype.kind == "c":
        raise TypeError("Only real arrays currently supported")
    if d.shape[0] != e.shape[0] + 1:
        raise ValueError(f"d ({d.shape[0]}) must have one more element than e ({e.shape[0]})")
    usable = driver if driver in ("stemr", "stev", "stevd") else "auto"
    return _spectrum(spectra.eigh_tridiagonal(d, e, driver=usable), eigvals_only, select, select_range)


@follows(sl.eigh_tridiagonal)
def eigh_tridiagonal(
    d: Any,
    e: Any,
    eigvals_only: bool = False,
    select: Any = "a",
    select_range: Any = None,
    check_finite: bool = True,
    tol: float = 0.0,
    lapack_driver: str = "auto",
) -> Any:
    """Eigenvalues and eigenvectors of a symmetric tridiagonal matrix."""
    del tol
    d, e = inexact(d, check_finite), inexact(e, check_finite)
    return _tridiagonal(d, e, eigvals_only, select, select_range, lapack_driver)


@follows(sl.eigvalsh_tridiagonal)
def eigvalsh_tridiagonal(
    d: Any,
    e: Any,
    select: Any = "a",
    select_range: Any = None,
    check_finite: bool = True,
    tol: float = 0.0,
    lapack_driver: str = "auto",
) -> Any:
    """Eigenvalues of a symmetric tridiagonal matrix."""
    return eigh_tridiagonal(d, e, True, select, select_range, check_finite, tol, lapack_driver)


@over_stacks(2)
def _banded_spectrum(ab: Any, lower: bool, eigvals_only: bool, select: Any, select_range: Any) -> Any:
    return _spectrum(spectra.eig_banded(ab, lower=lower), eigvals_only, select, select_range)


@follows(sl.eig_banded)
def eig_banded(
    a_band: Any,
    lower: bool = False,
    eigvals_only: bool = False,
    overwrite_a_band: bool = False,
    select: Any = "a",
    select_range: Any = None,
    max_ev: int = 0,
    check_finite: bool = True,
) -> Any:
    """Eigenvalues and eigenvectors of a Hermitian matrix, given by the diagonals of one triangle."""
    del overwrite_a_band, max_ev
    ab = inexact(a_band, check_finite)
    return _banded_spectrum(ab, bool(lower), eigvals_only, select, select_range)


@follows(sl.eigvals_banded)
def eigvals_banded(
    a_band: Any,
    lower: bool = False,
    overwrite_a_band: bool = False,
    select: Any = "a",
    select_range: Any = None,
    check_finite: bool = True,
) -> Any:
    """Eigenvalues of a Hermitian matrix, given by the diagonals of one triangle."""
    return eig_banded(a_band, lower, True, overwrite_a_band, select, select_range, check_finite=check_finite)


__all__ = [
    "cho_solve_banded",
    "cholesky_banded",
    "eig_banded",
    "eigh_tridiagonal",
    "eigvals_banded",
    "eigvalsh_tridiagonal",
    "matmul_toeplitz",
    "solve_banded",
    "solve_toeplitz",
    "solveh_banded",
]
