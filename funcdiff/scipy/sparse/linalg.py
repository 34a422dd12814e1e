"""`scipy.sparse.linalg`, differentiable in right-hand sides and in the elements of matrices.

A matrix may be SciPy's, a `LinearOperator`, a dense array, or a sparse array of `fd.scipy.sparse` whose elements are
traced.  Reverse mode solves the transposed system, with the same factors or by the same iteration.  Iterations
converge to a tolerance, and so do derivatives: choose `rtol` accordingly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
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
from funcdiff.primitives.product import conjugate
from funcdiff.primitives.sparse_patterns import Pattern
from funcdiff.scipy._protocol import inexact
from funcdiff.scipy.sparse.arrays import SparseArray
from funcdiff.scipy.sparse.construct import is_traced
from funcdiff.scipy.sparse.direct import (
    FactoredMatrix,
    dense_side,
    factorized,
    refuse,
    spilu,
    splu,
    spsolve,
    spsolve_triangular,
)
from funcdiff.scipy.sparse.operators import LinearOperator, aslinearoperator
from funcdiff.scipy.sparse.spectra import eigs, eigsh, lobpcg, svds

# --- by iteration -------------------------------------------------------------------------------------------


def _system(name: str, A: Any) -> tuple[Any, systems.System, tuple[int, int]]:
    """Return the elements of a matrix and what an iteration works with."""
    if isinstance(A, SparseArray):
        return A.data, systems.SparseSystem(A.pattern), A.shape
    if has_traced(A):
        A = inexact(A)
        return A, systems.DenseSystem(), A.shape
    if isinstance(A, ssl.LinearOperator) and type(A.matvec(np.zeros(A.shape[1]))) is TracedArray:
        raise refuse(
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
        b = dense_side(name, b)
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
    b = dense_side(name, b).reshape(-1)
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
        raise refuse("expm_multiply", "the matrix is traced. Use fd.scipy.linalg.expm(A.toarray()) @ B.")
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
            raise refuse(name, remedy)
        return original(*args, **kwargs)

    function.without_rule = remedy  # type: ignore[attr-defined]
    return function


def matrix_power(A: Any, power: int) -> Any:
    """As `scipy.sparse.linalg.matrix_power`, differentiable in the elements of `A`, for positive powers."""
    if not isinstance(A, SparseArray):
        return ssl.matrix_power(A, power)
    if power < 1:
        raise refuse("matrix_power", "the power must be positive.")
    if power == 1:
        return A
    half = matrix_power(A, power // 2)
    return half @ half @ A if power % 2 else half @ half


_DENSE = "make the matrix dense, A.toarray(), and use {} of fd.scipy.linalg."
expm = _plain_only("expm", _DENSE.format("expm"))
funm_multiply_krylov = _plain_only("funm_multiply_krylov", _DENSE.format("funm"))
inv = _plain_only("inv", "solve with the matrix by spsolve or splu instead.")
is_sptriangular = _plain_only("is_sptriangular", "ask of the plain matrix.")
onenormest = _plain_only("onenormest", "use norm(A, 1).")
spbandwidth = _plain_only("spbandwidth", "ask of the plain matrix.")

__all__ = [
    "ArpackError",
    "ArpackNoConvergence",
    "FactoredMatrix",
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
