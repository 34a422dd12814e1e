"""Eigenvalues and eigenvectors of `scipy.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from funcdiff.core.recording import concrete
from funcdiff.numpy._arguments import unsupported_keyword
from funcdiff.primitives.linalg import eigen
from funcdiff.primitives.linalg.common import adjoint, hermitian, real_part, sum_rows
from funcdiff.primitives.linalg.factorizations import cholesky
from funcdiff.primitives.linalg.solve import inv
from funcdiff.primitives.linalg.spectra import (
    eigh_by_driver,
    generalized_eig,
    left_vectors,
    pencil_values,
    phase,
)
from funcdiff.primitives.linalg.systems import solve_triangular
from funcdiff.primitives.product import conjugate, matmul, matvec, row
from funcdiff.scipy._protocol import as_installed, follows, over_stacks, square

# --- general matrices ---------------------------------------------------------------------------------------


def _pairs_of(w: Any, homogeneous: bool) -> Any:
    """Return eigenvalues as SciPy's homogeneous pairs, whose second element is 1."""
    return np.stack([w, np.ones_like(w)]) if homogeneous else w


def _complex(w: Any) -> Any:
    return w if w.dtype.kind == "c" else w.astype(np.result_type(w.dtype, np.complex64))


def _refuse_homogeneous(b: Any, homogeneous: bool) -> None:
    if b is not None and homogeneous:
        raise unsupported_keyword(
            "scipy.linalg.eig", "homogeneous_eigvals=True with b", "Take the eigenvalues, their quotients."
        )


@follows(sl.eig)
@over_stacks(2, 2)
def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """Eigenvalues and, as asked, left and right eigenvectors of length one.

    The vectors of ``a @ v = w * v`` have a real largest component.  With `b`, which must be invertible, their
    phase is LAPACK's, and derivatives are right for what does not depend on it.
    """
    del overwrite_a, overwrite_b
    _refuse_homogeneous(b, homogeneous_eigvals)
    a = square(a, check_finite)
    b = None if b is None else square(b, check_finite)
    w, v = eigen.eig(a) if b is None else generalized_eig(a, b)
    found = [_pairs_of(_complex(w), homogeneous_eigvals)]
    if left:
        found.append(_left(a, b, v))
    if right:
        found.append(v)
    return tuple(found) if len(found) > 1 else found[0]


def _left(a: Any, b: Any, v: Any) -> Any:
    """Return left vectors: the inverse's, of length one and with a real largest component."""
    u = adjoint(inv(v if b is None else matmul(b, v)))
    u = u / row(np.sqrt(sum_rows(real_part(conjugate(u) * u))))
    if u.dtype.kind == "c" and b is None:
        top = sum_rows(eigen.largest_component(u) * u)
        u = u * row(conjugate(top) / np.abs(top))
    ones = np.eye(a.shape[-1], dtype=a.dtype) if b is None else b
    factor = phase(u, left_vectors(a, ones))
    return u * row(factor if u.dtype.kind == "c" else real_part(factor))


@follows(sl.eigvals)
@as_installed(sl.eigvals)
@over_stacks(2, 2)
def eigvals(
    a: Any,
    b: Any = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """Eigenvalues of a matrix, or of a pencil with invertible `b`."""
    del overwrite_a, overwrite_b
    _refuse_homogeneous(b, homogeneous_eigvals)
    a = square(a, check_finite)
    if b is None:
        return _pairs_of(_complex(eigen.eigvals(a)), homogeneous_eigvals)
    b = square(b, check_finite)
    w, _ = generalized_eig(a, b)
    return _complex(matvec(eigen.pairing(pencil_values(a, b), w), w))


# --- Hermitian matrices -------------------------------------------------------------------------------------


def _reduced(a: Any, b: Any, lower: bool, kind: int) -> tuple[Any, Any]:
    """Return the ordinary problem of the same eigenvalues, and the factor of `b`, as LAPACK's sygst."""
    options: dict[str, Any] = {"lower": True, "unit_diagonal": False}
    factor = cholesky(hermitian(b, lower), upper=False)
    a = hermitian(a, lower)
    if kind == 1:  # L⁻¹ A L⁻ᴴ
        half = solve_triangular(factor, a, **options, transposed=False)
        return adjoint(solve_triangular(factor, adjoint(half), **options, transposed=False)), factor
    return matmul(matmul(adjoint(factor), a), factor), factor


def _restored(v: Any, factor: Any, kind: int) -> Any:
    """Return the vectors of the generalized problem."""
    if kind == 3:
        return matmul(factor, v)
    options: dict[str, Any] = {"lower": True, "unit_diagonal": False}
    return solve_triangular(conjugate(factor), v, **options, transposed=True)


def _subset(w: Any, by_index: Any, by_value: Any) -> slice:
    if by_index is not None and by_value is not None:
        raise ValueError("Either index or value subset can be requested.")
    if by_index is not None:
        first, last = (int(n) for n in by_index)
        if not 0 <= first <= last < w.shape[-1]:
            raise ValueError(
                f"Requested eigenvalue indices are not valid. Valid range is [0, {w.shape[-1] - 1}] and start <= end."
            )
        return slice(first, last + 1)
    if by_value is not None:
        low, high = by_value
        return slice(*np.searchsorted(np.asarray(concrete(w)), [low, high], side="right"))
    return slice(None)


@follows(sl.eigh)
@over_stacks(2, 2)
def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """Eigenvalues and eigenvectors of a Hermitian matrix or, with positive definite `b`, pencil.

    One triangle of each is read, and has the derivative.
    """
    del overwrite_a, overwrite_b
    if type not in (1, 2, 3):
        raise ValueError('"type" keyword only accepts 1, 2, and 3.')
    a, lower = square(a, check_finite), bool(lower)
    if b is None:
        if eigvals_only and subset_by_index is None and subset_by_value is None:
            return eigen.eigvalsh(a, lower=lower)
        known = driver if driver in ("ev", "evd", "evr", "evx") else "evr"
        w, v = eigh_by_driver(a, lower=lower, driver=known)
    else:
        b = square(b, check_finite)
        if a.shape != b.shape:
            raise ValueError(f"wrong b dimensions {b.shape}, should be {a.shape}")
        inner, factor = _reduced(a, b, lower, type)
        w, v = eigh_by_driver(inner, lower=True, driver="evd")
        v = _restored(v, factor, type)
    chosen = _subset(w, subset_by_index, subset_by_value)
    return w[chosen] if eigvals_only else (w[chosen], v[:, chosen])


@follows(sl.eigvalsh)
def eigvalsh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """Eigenvalues of a Hermitian matrix or pencil."""
    return eigh(
        a,
        b,
        lower=lower,
        eigvals_only=True,
        overwrite_a=overwrite_a,
        overwrite_b=overwrite_b,
        type=type,
        check_finite=check_finite,
        subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
        driver=driver,
    )


__all__ = ["eig", "eigh", "eigvals", "eigvalsh"]
