"""A few eigenvalues or singular values of sparse matrices; part of `funcdiff.scipy.sparse.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse.linalg as ssl

from funcdiff.numpy._arguments import unsupported_keyword
from funcdiff.numpy._protocol import has_traced
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.product import conjugate, swap_last
from funcdiff.primitives.sparse_patterns import Pattern
from funcdiff.primitives.sparse_spectra import Search, general_pairs, hermitian_pairs, hermitian_values
from funcdiff.scipy._protocol import inexact
from funcdiff.scipy.sparse.arrays import SparseArray
from funcdiff.scipy.sparse.construct import is_traced
from funcdiff.scipy.sparse.direct import refuse
from funcdiff.scipy.sparse.operators import LinearOperator


def _is_traced(name: str, A: Any) -> bool:
    """Tell whether a matrix is traced, and refuse an operator that computes with traced values."""
    if isinstance(A, LinearOperator) and has_traced(A.matvec(np.zeros(A.shape[1]))):
        raise refuse(name, "the LinearOperator computes with traced values. Give the matrix itself.")
    return bool(is_traced(A))


def _elements(name: str, A: Any) -> tuple[Any, Pattern]:
    """Return the elements of a traced matrix, sparse or dense, and where they stand."""
    if isinstance(A, SparseArray):
        return A.data, A.pattern
    if not has_traced(A):
        raise refuse(
            name, "the matrix itself must be traced, a sparse array of fd.scipy.sparse or a dense one."
        )
    A = inexact(A)
    rows, columns = (np.ravel(places) for places in np.indices(A.shape))
    return A.reshape(-1), Pattern(rows, columns, A.shape)


def _search(name: str, options: dict[str, Any], mass: Any = None) -> Search:
    """Return what to look for; what does not change the answer or is no part of it is plain."""
    for key, value in {"M": mass, **options}.items():
        if is_traced(value):
            raise unsupported_keyword(
                f"scipy.sparse.linalg.{name}", f"a traced {key}", "Take fd.stop_gradient."
            )
        if key in ("Minv", "OPinv", "Y") and value is not None:
            raise unsupported_keyword(f"scipy.sparse.linalg.{name}", key, "Leave it out.")
    return Search(name, mass, **{key: value for key, value in options.items() if value is not None})


def _start(n: int, v0: Any, rng: Any) -> Any:
    """Return SciPy's own random start, drawn alike in each call, so that vectors keep their signs."""
    return np.random.default_rng(0).uniform(-1, 1, n) if v0 is None and rng is None else v0


def eigsh(
    A: Any,
    k: int = 6,
    M: Any = None,
    sigma: Any = None,
    which: str = "LM",
    v0: Any = None,
    ncv: Any = None,
    maxiter: Any = None,
    tol: float = 0,
    return_eigenvectors: bool = True,
    Minv: Any = None,
    OPinv: Any = None,
    mode: str = "normal",
    rng: Any = None,
) -> Any:
    """As `scipy.sparse.linalg.eigsh`, differentiable in the elements of a Hermitian `A`; `M` is plain.

    A traced matrix is a sparse array of `fd.scipy.sparse`, or dense.  Equal eigenvalues contribute nothing between their
    vectors.  All derivatives but those of eigenvalues factor one sparse matrix for each vector.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> from funcdiff.scipy import sparse
    >>> def largest(d):
    ...     return sparse.linalg.eigsh(sparse.diags_array(d), 1, return_eigenvectors=False)[0]
    >>> np.round(fd.grad(largest)(np.array([1.0, 4.0, 2.0])), 6) + 0.0
    array([0., 1., 0.])
    """
    if not _is_traced("eigsh", A):
        if is_traced(M):
            raise unsupported_keyword("scipy.sparse.linalg.eigsh", "a traced M", "Take fd.stop_gradient.")
        return ssl.eigsh(
            A, k, M, sigma, which, v0, ncv, maxiter, tol, return_eigenvectors, Minv, OPinv, mode, rng=rng
        )
    data, pattern = _elements("eigsh", A)
    v0 = _start(A.shape[0], v0, rng)
    options = {"k": k, "sigma": sigma, "which": which, "v0": v0, "ncv": ncv, "maxiter": maxiter}
    options |= {"tol": tol, "mode": mode, "rng": rng, "Minv": Minv, "OPinv": OPinv}
    search = _search("eigsh", options, M)
    if not return_eigenvectors:
        return hermitian_values(data, pattern=pattern, search=search)
    return hermitian_pairs(data, pattern=pattern, search=search)


def eigs(
    A: Any,
    k: int = 6,
    M: Any = None,
    sigma: Any = None,
    which: str = "LM",
    v0: Any = None,
    ncv: Any = None,
    maxiter: Any = None,
    tol: float = 0,
    return_eigenvectors: bool = True,
    Minv: Any = None,
    OPinv: Any = None,
    OPpart: Any = None,
    rng: Any = None,
) -> Any:
    """As `scipy.sparse.linalg.eigs`, differentiable in the elements of `A`; `M` is plain.

    The eigenvalues must be simple.  A vector's tangent has no part along the vector itself.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> from funcdiff.scipy import sparse
    >>> def largest(d):
    ...     w = sparse.linalg.eigs(sparse.diags_array(d), 1, return_eigenvectors=False)
    ...     return np.real(w[0])
    >>> np.round(fd.grad(largest)(np.array([1.0, 4.0, 2.0])), 6) + 0.0
    array([0., 1., 0.])
    """
    if not _is_traced("eigs", A):
        if is_traced(M):
            raise unsupported_keyword("scipy.sparse.linalg.eigs", "a traced M", "Take fd.stop_gradient.")
        return ssl.eigs(
            A, k, M, sigma, which, v0, ncv, maxiter, tol, return_eigenvectors, Minv, OPinv, OPpart, rng=rng
        )
    data, pattern = _elements("eigs", A)
    v0 = _start(A.shape[0], v0, rng)
    options = {"k": k, "sigma": sigma, "which": which, "v0": v0, "ncv": ncv, "maxiter": maxiter}
    options |= {"tol": tol, "OPpart": OPpart, "rng": rng, "Minv": Minv, "OPinv": OPinv}
    found = general_pairs(data, pattern=pattern, search=_search("eigs", options, M))
    return found if return_eigenvectors else found[0]


def svds(
    A: Any,
    k: int = 6,
    ncv: Any = None,
    tol: float = 0,
    which: str = "LM",
    v0: Any = None,
    maxiter: Any = None,
    return_singular_vectors: Any = True,
    solver: str = "arpack",
    rng: Any = None,
    options: Any = None,
    *,
    random_state: Any = None,
) -> Any:
    """As `scipy.sparse.linalg.svds`, differentiable in the elements of `A`.

    The singular vectors are eigenvectors of ``[[0, A], [Aᴴ, 0]]``, and are differentiated as these.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> from funcdiff.scipy import sparse
    >>> def largest(d):
    ...     return sparse.linalg.svds(sparse.diags_array(d), 1, return_singular_vectors=False)[0]
    >>> np.round(fd.grad(largest)(np.array([1.0, -4.0, 2.0])), 6) + 0.0
    array([ 0., -1.,  0.])
    """
    given = {"k": k, "ncv": ncv, "tol": tol, "which": which, "v0": v0, "maxiter": maxiter}
    given |= {"solver": solver, "options": options}
    given |= {"rng": rng} if random_state is None else {"random_state": random_state}
    if not _is_traced("svds", A):
        return ssl.svds(A, return_singular_vectors=return_singular_vectors, **given)
    data, pattern = _elements("svds", A)
    rows, columns = A.shape
    if solver == "arpack":
        given["v0"] = _start(min(A.shape), v0, rng if random_state is None else random_state)
    search = _search("svds", {**given, "rows": rows})
    block = Pattern(pattern.rows, pattern.columns + rows, (rows + columns, rows + columns))
    # twice, for it is the Hermitian part that counts
    if return_singular_vectors is False:
        return hermitian_values(data * 2, pattern=block, search=search)
    s, both = hermitian_pairs(data * 2, pattern=block, search=search)
    both = both * 2**0.5
    u, vh = getitem(both, index=slice(0, rows)), swap_last(conjugate(getitem(both, index=slice(rows, None))))
    return (
        None if return_singular_vectors == "vh" else u,
        s,
        None if return_singular_vectors == "u" else vh,
    )


def lobpcg(
    A: Any,
    X: Any,
    B: Any = None,
    M: Any = None,
    Y: Any = None,
    tol: Any = None,
    maxiter: Any = None,
    largest: bool = True,
    verbosityLevel: int = 0,
    retLambdaHistory: bool = False,
    retResidualNormsHistory: bool = False,
    restartControl: int = 20,
) -> Any:
    """As `scipy.sparse.linalg.lobpcg`, differentiable in the elements of a Hermitian `A`; the rest is plain.

    Derivatives are those of the exact eigenpairs, to the tolerance that is asked for.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> from funcdiff.scipy import sparse
    >>> start = np.eye(8)[:, :1] + 0.1
    >>> def largest(d):
    ...     return sparse.linalg.lobpcg(sparse.diags_array(d), start, tol=1e-12, maxiter=200)[0][0]
    >>> np.round(fd.grad(largest)(np.arange(8.0)), 4) + 0.0
    array([0., 0., 0., 0., 0., 0., 0., 1.])
    """
    if not (_is_traced("lobpcg", A) or any(map(is_traced, (X, B, M, Y)))):
        history = (retLambdaHistory, retResidualNormsHistory)
        return ssl.lobpcg(A, X, B, M, Y, tol, maxiter, largest, verbosityLevel, *history, restartControl)
    if retLambdaHistory or retResidualNormsHistory:
        raise unsupported_keyword("scipy.sparse.linalg.lobpcg", "a history", "Leave it out.")
    options = {"X": X, "M": M, "Y": Y, "tol": tol, "maxiter": maxiter, "largest": largest}
    options |= {"verbosityLevel": verbosityLevel, "restartControl": restartControl}
    search = _search("lobpcg", options, B)
    data, pattern = _elements("lobpcg", A)
    return hermitian_pairs(data, pattern=pattern, search=search)
