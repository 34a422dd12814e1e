"""Systems solved by factors; part of `funcdiff.scipy.sparse.linalg`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as ssl

from funcdiff import errors
from funcdiff.numpy._protocol import has_traced
from funcdiff.primitives import sparse_systems as systems
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.product import conjugate
from funcdiff.primitives.sparse_patterns import Pattern
from funcdiff.scipy._protocol import inexact
from funcdiff.scipy.sparse.arrays import SparseArray, elements_of
from funcdiff.scipy.sparse.construct import is_traced


def refuse(name: str, remedy: str) -> errors.UnsupportedError:
    """Say that a function has no derivative for its arguments, and what to do."""
    return errors.UnsupportedError(
        errors.at_user_line(f"scipy.sparse.linalg.{name} has no derivative here: {remedy}")
    )


def dense_side(name: str, b: Any) -> Any:
    """Return a dense right-hand side."""
    if sp.issparse(b) or isinstance(b, SparseArray):
        raise refuse(name, "the right-hand side is sparse. Make it dense: b.toarray().")
    return inexact(b)


def _square(A: Any) -> None:
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"matrix must be square (has shape {A.shape})")


# --- by factors -------------------------------------------------------------------------------------------


def _direct(A: Any, b: Any, factors: systems.Factors, data: Any, transposed: bool = False) -> Any:
    """Solve with a square matrix for a vector, a column or columns."""
    if b.shape[0] != A.shape[0]:
        raise ValueError(f"matrix - rhs dimension mismatch ({A.shape} - {b.shape[0]})")
    return systems.sparse_solve(data, b, factors=factors, transposed=transposed)


def spsolve(A: Any, b: Any, permc_spec: str | None = None, use_umfpack: bool = True) -> Any:
    """As `scipy.sparse.linalg.spsolve`, differentiable in `b` and in the elements of `A`.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> from funcdiff.scipy import sparse
    >>> from funcdiff.scipy.sparse.linalg import spsolve
    >>> def f(d):
    ...     A = sparse.csr_array((d, [0, 1, 1], [0, 2, 3]), shape=(2, 2))
    ...     return np.sum(spsolve(A, np.array([2.0, 3.0])))
    >>> fd.grad(f)(np.array([2.0, 1.0, 4.0]))
    array([-0.3125 , -0.375  , -0.09375])
    """
    if not (is_traced(A) or is_traced(b)):
        return ssl.spsolve(A, b, permc_spec, use_umfpack)
    _square(A)
    b = dense_side("spsolve", b)
    if has_traced(A):
        raise refuse("spsolve", "the matrix is a dense array. Use np.linalg.solve.")
    data, pattern = elements_of(A)
    out = _direct(A, b, systems.Factors(pattern, permc_spec), data)
    return out[:, 0] if len(b.shape) == 2 and b.shape[1] == 1 else out


def spsolve_triangular(
    A: Any,
    b: Any,
    lower: bool = True,
    overwrite_A: bool = False,
    overwrite_b: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """As `scipy.sparse.linalg.spsolve_triangular`, differentiable in `b` and in the triangle of `A`."""
    if not (is_traced(A) or is_traced(b)):
        return ssl.spsolve_triangular(A, b, lower, overwrite_A, overwrite_b, unit_diagonal)
    _square(A)
    b = dense_side("spsolve_triangular", b)
    data, pattern = elements_of(A)
    below = pattern.rows - pattern.columns if lower else pattern.columns - pattern.rows
    if np.any(below < 0):
        raise np.linalg.LinAlgError(
            f"A is not triangular: it has elements {'above' if lower else 'below'} the diagonal."
        )
    kept = np.flatnonzero(below > 0 if unit_diagonal else below >= 0)
    data, rows, columns = getitem(data, index=(kept,)), pattern.rows[kept], pattern.columns[kept]
    if unit_diagonal:
        place = np.arange(A.shape[0])
        data = np.concatenate([data, np.ones(A.shape[0], data.dtype)])
        rows, columns = np.concatenate([rows, place]), np.concatenate([columns, place])
    return _direct(A, b, systems.Factors(Pattern(rows, columns, A.shape), "NATURAL"), data)


class FactoredMatrix:
    """The factors of a sparse matrix, as `splu` and `spilu` return them; `solve` takes traced arrays."""

    def __init__(self, solve: Callable[[Any, str], Any], shape: tuple[int, int], factor: Any = None) -> None:
        self._solve = solve
        self._factor = factor
        self.shape = shape

    def solve(self, rhs: Any, trans: str = "N") -> Any:
        """Solve ``A @ x = rhs``, or with the transposed ("T") or adjoint ("H") matrix."""
        if trans not in ("N", "T", "H"):
            raise ValueError("trans must be N, T, or H")
        rhs = inexact(rhs)
        if trans == "H":
            return conjugate(self._solve(conjugate(rhs), "T"))
        return self._solve(rhs, trans)

    def __getattr__(self, name: str) -> Any:
        factor = self.__dict__.get("_factor")
        if factor is None:
            raise AttributeError(f"the factors of a traced matrix have no attribute {name!r}: use solve")
        return getattr(factor, name)


def _factored(factor: Any, dtype: Any) -> FactoredMatrix:
    dtype = np.dtype(dtype) if np.dtype(dtype).kind in "fc" else np.dtype(np.float64)

    def solve(rhs: Any, trans: str) -> Any:
        return systems.factored_solve(rhs, factor=factor, dtype=dtype, transposed=trans == "T")

    return FactoredMatrix(solve, factor.shape, factor)


def splu(
    A: Any,
    permc_spec: str | None = None,
    diag_pivot_thresh: float | None = None,
    relax: int | None = None,
    panel_size: int | None = None,
    options: Any = None,
) -> Any:
    """As `scipy.sparse.linalg.splu`: factors whose `solve` is differentiable, in the elements of `A` too."""
    if not is_traced(A):
        return _factored(
            ssl.splu(A, permc_spec, diag_pivot_thresh, relax, panel_size, options or {}), A.dtype
        )
    _square(A)
    data, pattern = elements_of(A)
    factors = systems.Factors(pattern, permc_spec)
    return FactoredMatrix(lambda rhs, trans: _direct(A, rhs, factors, data, trans == "T"), A.shape)


def spilu(
    A: Any,
    drop_tol: float | None = None,
    fill_factor: float | None = None,
    drop_rule: str | None = None,
    permc_spec: str | None = None,
    diag_pivot_thresh: float | None = None,
    relax: int | None = None,
    panel_size: int | None = None,
    options: Any = None,
) -> Any:
    """As `scipy.sparse.linalg.spilu`: incomplete factors of a plain matrix, whose `solve` is differentiable."""
    if is_traced(A):
        raise refuse("spilu", "which elements are dropped depends on their values. Use splu.")
    found = ssl.spilu(
        A, drop_tol, fill_factor, drop_rule, permc_spec, diag_pivot_thresh, relax, panel_size, options or {}
    )
    return _factored(found, A.dtype)


def factorized(A: Any) -> Callable[[Any], Any]:
    """As `scipy.sparse.linalg.factorized`: a function that solves, differentiable."""
    return splu(A.tocsc() if hasattr(A, "tocsc") else A).solve  # type: ignore[no-any-return]
