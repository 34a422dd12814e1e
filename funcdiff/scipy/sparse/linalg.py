"""`scipy.sparse.linalg`, differentiable in right-hand sides and in the elements of matrices.

A matrix may be SciPy's, a `LinearOperator`, a dense array, or a sparse array of `fd.scipy.sparse` whose elements are
traced.  Reverse mode solves the transposed system, with the same factors or by the same iteration.  Iterations
converge to a tolerance, and so do derivatives: choose `rtol` accordingly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as ssl
from scipy.sparse.linalg import (
    ArpackError,
    ArpackNoConvergence,
    LaplacianNd,
    MatrixRankWarning,
    SuperLU,
    use_solver,
)

from funcdiff import errors
from funcdiff.core.recording import TracedArray, concrete, innermost
from funcdiff.numpy._arguments import as_array, unsupported_keyword
from funcdiff.numpy._protocol import has_traced
from funcdiff.primitives import sparse_systems as systems
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.product import conjugate
from funcdiff.primitives.sparse_patterns import Pattern
from funcdiff.scipy._protocol import inexact
from funcdiff.scipy.sparse.arrays import SparseArray, elements_of
from funcdiff.scipy.sparse.construct import is_traced
from funcdiff.scipy.sparse.operators import LinearOperator, aslinearoperator


def _refuse(name: str, remedy: str) -> errors.UnsupportedError:
    return errors.UnsupportedError(
        errors.at_user_line(f"scipy.sparse.linalg.{name} has no derivative here: {remedy}")
    )


def _dense_side(name: str, b: Any) -> Any:
    if sp.issparse(b) or isinstance(b, SparseArray):
        raise _refuse(name, "the right-hand side is sparse. Make it dense: b.toarray().")
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
    b = _dense_side("spsolve", b)
    if has_traced(A):
        raise _refuse("spsolve", "the matrix is a dense array. Use np.linalg.solve.")
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
    b = _dense_side("spsolve_triangular", b)
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
        raise _refuse("spilu", "which elements are dropped depends on their values. Use splu.")
    found = ssl.spilu(
        A, drop_tol, fill_factor, drop_rule, permc_spec, diag_pivot_thresh, relax, panel_size, options or {}
    )
    return _factored(found, A.dtype)


def factorized(A: Any) -> Callable[[Any], Any]:
    """As `scipy.sparse.linalg.factorized`: a function that solves, differentiable."""
    return splu(A.tocsc() if hasattr(A, "tocsc") else A).solve  # type: ignore[no-any-return]


# --- by iteration -------------------------------------------------------------------------------------------


def _system(name: str, A: Any) -> tuple[Any, systems.System, tuple[int, int]]:
    """Return the elements of a matrix and what an iteration works with."""
    if isinstance(A, SparseArray):
        return A.data, systems.SparseSystem(A.pattern), A.shape
    if has_traced(A):
        A = inexact(A)
        return A, systems.DenseSystem(), A.shape
    if isinstance(A, ssl.LinearOperator) and type(A.matvec(np.zeros(A.shape[1]))) is TracedArray:
        raise _refuse(
            name,
            "the LinearOperator computes with traced values. Give the matrix itself, dense or of fd.scipy.sparse.",
        )
    return systems.NOTHING, systems.FixedSystem(A), A.shape


def _plain_options(name: str, options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    if options.get("x0") is not None:  # the solution does not depend on where the iteration starts
        options["x0"] = innermost(as_array(options["x0"])) if has_traced(options["x0"]) else options["x0"]
    for key in ("M", "M1", "M2"):
        if is_traced(options.get(key)):
            raise unsupported_keyword(
                f"scipy.sparse.linalg.{name}",
                f"a traced {key}",
                "The solution does not depend on it: take fd.stop_gradient.",
            )
    return tuple(options.items())


def _count(x: Any) -> Any:
    """Return an integer, or what `vmap` makes of one per example."""
    try:
        return int(concrete(x))
    except errors.MappedControlFlowError:
        return x


def _iterative(name: str) -> Callable[..., Any]:
    """Return one of the iterations for square systems."""
    original = getattr(ssl, name)

    def solve(A: Any, b: Any, x0: Any = None, **options: Any) -> Any:
        if not (is_traced(A) or is_traced(b) or is_traced(x0)):
            if isinstance(A, LinearOperator):
                _system(name, A)
            return original(A, b, x0, **options)
        data, system, shape = _system(name, A)
        b = _dense_side(name, b)
        if b.shape not in ((shape[0],), (shape[0], 1)):
            raise ValueError(f"shapes of A {shape} and b {b.shape} are incompatible")
        if name == "minres" and options.get("shift"):
            raise unsupported_keyword("scipy.sparse.linalg.minres", "a shift", "Subtract it from the matrix.")
        settings = _plain_options(name, {"x0": x0, **options})
        x, info = systems.iterative_solve(
            data, b.reshape(-1), system=system, method=name, options=settings, transposed=False, primal=True
        )
        return x, _count(info)

    solve.__name__ = solve.__qualname__ = name
    solve.__doc__ = f"As `scipy.sparse.linalg.{name}`, differentiable in `b` and in the elements of `A`."
    solve.__signature__ = _signature(original)  # type: ignore[attr-defined]
    return solve


def _signature(original: Any) -> Any:
    import inspect

    return inspect.signature(original)


bicg = _iterative("bicg")
bicgstab = _iterative("bicgstab")
cg = _iterative("cg")
cgs = _iterative("cgs")
gcrotmk = _iterative("gcrotmk")
gmres = _iterative("gmres")
lgmres = _iterative("lgmres")
minres = _iterative("minres")
qmr = _iterative("qmr")
tfqmr = _iterative("tfqmr")

# --- least squares ------------------------------------------------------------------------------------------


def _least_squares(name: str, A: Any, b: Any, damp: float, options: dict[str, Any]) -> tuple[Any, ...]:
    """Return solution, residual and the norms that both report, and the iteration's estimates."""
    data, system, shape = _system(name, A)
    b = _dense_side(name, b).reshape(-1)
    if b.shape[0] != shape[0]:
        raise ValueError(f"shapes of A {shape} and b {b.shape} are incompatible")
    if damp and data.size:
        raise unsupported_keyword(
            f"scipy.sparse.linalg.{name}",
            "damp with traced elements",
            "Append damp * identity to A, and zeros to b.",
        )
    settings = _plain_options(name, {"damp": damp, **options})
    x, bits = systems.sparse_least_squares(
        data, b, system=system, method=name, options=settings, transposed=False, primal=True
    )
    if isinstance(system, systems.FixedSystem):
        forth, back = aslinearoperator(A), aslinearoperator(A).H
        residual = b - forth.matvec(x)
        slope = back.matvec(residual) - damp**2 * x
    else:
        residual = b - system.product(data, x, False)
        slope = conjugate(system.product(data, conjugate(residual), True))
    istop, steps, size, condition = systems.from_bits(bits)
    return x, _count(istop), _count(steps), residual, slope, size, condition


def lsqr(
    A: Any,
    b: Any,
    damp: float = 0.0,
    atol: float = 1e-06,
    btol: float = 1e-06,
    conlim: float = 100000000.0,
    iter_lim: int | None = None,
    show: bool = False,
    calc_var: bool = False,
    x0: Any = None,
) -> Any:
    """As `scipy.sparse.linalg.lsqr`, differentiable; the estimates of norm and condition of `A` are constants."""
    if not (is_traced(A) or is_traced(b) or is_traced(x0)):
        return ssl.lsqr(A, b, damp, atol, btol, conlim, iter_lim, show, calc_var, x0)
    if calc_var:
        raise unsupported_keyword("scipy.sparse.linalg.lsqr", "calc_var=True", "Leave it out.")
    options = {"atol": atol, "btol": btol, "conlim": conlim, "iter_lim": iter_lim, "show": show, "x0": x0}
    x, istop, steps, r, slope, size, condition = _least_squares("lsqr", A, b, damp, options)
    r1, norm_x = np.linalg.norm(r), np.linalg.norm(x)
    r2 = np.sqrt(r1**2 + (damp * norm_x) ** 2) if damp else r1
    return x, istop, steps, r1, r2, size, condition, np.linalg.norm(slope), norm_x, np.zeros(x.shape[0])


def lsmr(
    A: Any,
    b: Any,
    damp: float = 0.0,
    atol: float = 1e-06,
    btol: float = 1e-06,
    conlim: float = 100000000.0,
    maxiter: int | None = None,
    show: bool = False,
    x0: Any = None,
) -> Any:
    """As `scipy.sparse.linalg.lsmr`, differentiable; the estimates of norm and condition of `A` are constants."""
    if not (is_traced(A) or is_traced(b) or is_traced(x0)):
        return ssl.lsmr(A, b, damp, atol, btol, conlim, maxiter, show, x0)
    options = {"atol": atol, "btol": btol, "conlim": conlim, "maxiter": maxiter, "show": show, "x0": x0}
    x, istop, steps, r, slope, size, condition = _least_squares("lsmr", A, b, damp, options)
    r1, norm_x = np.linalg.norm(r), np.linalg.norm(x)
    r1 = np.sqrt(r1**2 + (damp * norm_x) ** 2) if damp else r1
    return x, istop, steps, r1, np.linalg.norm(slope), size, condition, norm_x


# --- exponentials and norms -----------------------------------------------------------------------------------


def expm_multiply(
    A: Any,
    B: Any,
    start: float | None = None,
    stop: float | None = None,
    num: int | None = None,
    endpoint: bool | None = None,
    traceA: Any = None,
) -> Any:
    """As `scipy.sparse.linalg.expm_multiply`, differentiable in `B`."""
    if not (is_traced(A) or is_traced(B)):
        return ssl.expm_multiply(A, B, start, stop, num, endpoint, traceA)
    if is_traced(A):
        raise _refuse("expm_multiply", "the matrix is traced. Use fd.scipy.linalg.expm(A.toarray()) @ B.")
    B = inexact(B)
    if all(given is None for given in (start, stop, num, endpoint)):
        return systems.expm_product(B, matrix=A)
    times = np.linspace(
        0.0 if start is None else start,
        1.0 if stop is None else stop,
        50 if num is None else num,
        endpoint=True if endpoint is None else endpoint,
    )
    return np.stack([systems.expm_product(B, matrix=A * t) for t in times])


def norm(x: Any, ord: Any = None, axis: Any = None) -> Any:
    """As `scipy.sparse.linalg.norm`, of an array with traced elements too."""
    if not isinstance(x, SparseArray):
        return ssl.norm(x, ord, axis)
    if axis is None and ord in (None, "fro", "f") and not _has_repeats(x.pattern):
        return np.linalg.norm(x.data)
    return np.linalg.norm(x.toarray(), ord, axis)


def _has_repeats(pattern: Pattern) -> bool:
    places = pattern.rows * pattern.shape[1] + pattern.columns
    return len(np.unique(places)) < len(places)


def _plain_only(name: str, remedy: str) -> Callable[..., Any]:
    import functools

    original = getattr(ssl, name)

    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        if any(is_traced(a) for a in (*args, *kwargs.values())):
            raise _refuse(name, remedy)
        return original(*args, **kwargs)

    function.without_rule = remedy  # type: ignore[attr-defined]
    return function


_DENSE = "make the matrix dense, A.toarray(), and use {} of fd.scipy.linalg."
eigs = _plain_only("eigs", _DENSE.format("eig"))
eigsh = _plain_only("eigsh", _DENSE.format("eigh"))
expm = _plain_only("expm", _DENSE.format("expm"))
funm_multiply_krylov = _plain_only("funm_multiply_krylov", _DENSE.format("funm"))
inv = _plain_only("inv", "solve with the matrix by spsolve or splu instead.")
is_sptriangular = _plain_only("is_sptriangular", "ask of the plain matrix.")
lobpcg = _plain_only("lobpcg", _DENSE.format("eigh"))
matrix_power = _plain_only("matrix_power", "multiply with the matrix repeatedly.")
onenormest = _plain_only("onenormest", "use norm(A, 1).")
spbandwidth = _plain_only("spbandwidth", "ask of the plain matrix.")
svds = _plain_only("svds", _DENSE.format("svd"))

__all__ = [
    "ArpackError",
    "ArpackNoConvergence",
    "LaplacianNd",
    "LinearOperator",
    "MatrixRankWarning",
    "SuperLU",
    "aslinearoperator",
    "bicg",
    "bicgstab",
    "cg",
    "cgs",
    "eigs",
    "eigsh",
    "expm",
    "expm_multiply",
    "factorized",
    "funm_multiply_krylov",
    "gcrotmk",
    "gmres",
    "inv",
    "is_sptriangular",
    "lgmres",
    "lobpcg",
    "lsmr",
    "lsqr",
    "matrix_power",
    "minres",
    "norm",
    "onenormest",
    "qmr",
    "spbandwidth",
    "spilu",
    "splu",
    "spsolve",
    "spsolve_triangular",
    "svds",
    "tfqmr",
    "use_solver",
]
