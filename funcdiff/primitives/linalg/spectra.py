"""Spectra by SciPy's drivers: Hermitian, tridiagonal and banded matrices, and matrix pencils.

They differ from `eigen` in how a tangent of the matrix multiplies the vectors; what is said there of equal
eigenvalues holds here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from funcdiff.core.alignment import align
from funcdiff.core.declare import general, locally_constant
from funcdiff.core.primitive import Function
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.linalg.banded import definite_bands, hermitian_product
from funcdiff.primitives.linalg.common import eye_like, inverse_gaps, stacked, sum_rows
from funcdiff.primitives.linalg.eigen import eigh, hermitian_sample, spectrum_tangent, spread_out
from funcdiff.primitives.linalg.lu import over_stack
from funcdiff.primitives.linalg.solve import solve
from funcdiff.primitives.product import column, conjugate, matmul, row
from funcdiff.primitives.shape import concatenate

# --- Hermitian ------------------------------------------------------------------------------------------


def _eigh(a: Any, *, lower: bool, driver: str) -> Any:
    if not a.shape[-1]:
        return tuple(np.linalg.eigh(a))
    return over_stack(lambda m: scipy.linalg.eigh(m, lower=lower, driver=driver, check_finite=False), a, 2)


def _without_driver(rule: Any) -> Any:
    return lambda t, out, a, *, lower, driver: rule(t, out, a, lower=lower)


eigh_by_driver = general(
    _eigh,
    jvps=[_without_driver(eigh.primitive.jvps[0])],  # type: ignore[attr-defined]
    vjps=[_without_driver(eigh.primitive.vjps[0])],  # type: ignore[attr-defined]
    batch=stacked("eigh_by_driver"),
    name="eigh_by_driver",
    multiple_outputs=True,
    samples=lambda rng: [
        ((hermitian_sample(rng, 3, 3),), {"lower": True, "driver": "evr"}),
        ((hermitian_sample(rng, 2, 3, 3),), {"lower": False, "driver": "evd"}),
        ((hermitian_sample(rng, 2, 2),), {"lower": True, "driver": "ev"}),
    ],
    doc="Eigenvalues and eigenvectors of Hermitian matrices by one of LAPACK's drivers.",
)

# --- tridiagonal ------------------------------------------------------------------------------------------


def _eigh_tridiagonal(d: Any, e: Any, *, driver: str) -> Any:
    return scipy.linalg.eigh_tridiagonal(d, e, check_finite=False, lapack_driver=driver)


def _over_pairs(function: Any, d: Any, e: Any, **params: Any) -> Any:
    if d.ndim == 1 and e.ndim == 1:
        return tuple(function(d, e, **params))
    lead = np.broadcast_shapes(d.shape[:-1], e.shape[:-1])
    d, e = np.broadcast_to(d, (*lead, d.shape[-1])), np.broadcast_to(e, (*lead, e.shape[-1]))
    joined = np.concatenate([d, e], axis=-1)[..., None]
    n = d.shape[-1]
    return over_stack(lambda x: function(x[:n, 0], x[n:, 0], **params), joined, 2)


def _shifted(t: Any, v: Any) -> Any:
    """Product of the symmetric matrix with `t` beside its diagonal and zero elsewhere."""
    zero = np.zeros((*v.shape[:-2], 1, v.shape[-1]), v.dtype)
    side, axis = column(t), len(v.shape) - 2
    after = side * getitem(v, index=(Ellipsis, slice(1, None), slice(None)))
    before = side * getitem(v, index=(Ellipsis, slice(None, -1), slice(None)))
    return concatenate(after, zero, axis=axis) + concatenate(zero, before, axis=axis)


def _tridiagonal_samples(rng: np.random.Generator) -> Any:
    def draw(*shape: int) -> Any:
        return rng.standard_normal(shape) / 4 + 2 * np.arange(shape[-1])

    normal = rng.standard_normal
    return [
        ((draw(4), normal(3)), {"driver": "auto"}),
        ((draw(3), normal(2)), {"driver": "stev"}),
        ((draw(2, 3), normal((2, 2))), {"driver": "auto"}),
    ]


eigh_tridiagonal: Function = general(
    lambda d, e, *, driver: _over_pairs(_eigh_tridiagonal, d, e, driver=driver),
    jvps=[
        lambda t, out, _d, _e, *, driver: spectrum_tangent(column(t) * out[1], *out),
        lambda t, out, _d, _e, *, driver: spectrum_tangent(_shifted(t, out[1]), *out),
    ],
    batch=lambda values, flags, size, *, driver: eigh_tridiagonal(*align(values, flags), driver=driver),
    name="eigh_tridiagonal",
    multiple_outputs=True,
    samples=_tridiagonal_samples,
    doc="Eigenvalues and eigenvectors of a symmetric tridiagonal matrix, given by its two diagonals.",
)

# --- banded -----------------------------------------------------------------------------------------------


def _eig_banded(ab: Any, *, lower: bool) -> Any:
    return over_stack(lambda m: scipy.linalg.eig_banded(m, lower=lower, check_finite=False), ab, 2)


def _bands(rng: np.random.Generator, lower: bool, n: int, *lead: int) -> Any:
    ab = definite_bands(rng, lower, n, *lead)
    ab[..., 0 if lower else -1, :] += 3 * np.arange(n)
    return ab


eig_banded = general(
    _eig_banded,
    jvps=[lambda t, out, _ab, *, lower: spectrum_tangent(hermitian_product(t, out[1], lower=lower), *out)],
    batch=stacked("eig_banded"),
    name="eig_banded",
    multiple_outputs=True,
    samples=lambda rng: [
        ((_bands(rng, True, 4),), {"lower": True}),
        ((_bands(rng, False, 3),), {"lower": False}),
        ((_bands(rng, True, 3, 2),), {"lower": True}),
    ],
    doc="Eigenvalues and eigenvectors of a Hermitian matrix, given by the diagonals of one triangle.",
)

# --- pencils: A V = B V diag(w) -----------------------------------------------------------------------------
#
# With M = (B V)⁻¹ (dA V - dB V diag(w)) the eigenvalues move by M's diagonal and the vectors turn by M over the
# gaps.  SciPy makes the vectors' length one and leaves their phase to LAPACK: it counts for constant.


def _pencil(a: Any, b: Any) -> Any:
    joined = np.concatenate(np.broadcast_arrays(a, b), axis=-1)
    n = a.shape[-1]
    return over_stack(lambda m: scipy.linalg.eig(m[:, :n], m[:, n:], check_finite=False), joined, 2)


def _pencil_tangent(moved: Any, out: Any, b: Any) -> Any:
    w, v = out
    change = solve(matmul(b, v), moved)
    dv = matmul(v, inverse_gaps(w, w.shape[-1]) * change)
    along = sum_rows(conjugate(v) * dv)
    return sum_rows(change * eye_like(change)), dv - v * row(along)


def _pencil_samples(rng: np.random.Generator) -> Any:
    return [
        ((spread_out(rng, 3, 3), np.eye(3) + rng.standard_normal((3, 3)) / 8), {}),
        ((spread_out(rng, 2, 2, 2), np.eye(2) + rng.standard_normal((2, 2, 2)) / 8), {}),
    ]


generalized_eig: Function = general(
    _pencil,
    jvps=[
        lambda t, out, _a, b: _pencil_tangent(matmul(t, out[1]), out, b),
        lambda t, out, _a, b: _pencil_tangent(-matmul(t, out[1] * row(out[0])), out, b),
    ],
    batch=lambda values, flags, size: generalized_eig(*align(values, flags)),
    name="generalized_eig",
    multiple_outputs=True,
    samples=_pencil_samples,
    doc="Eigenvalues and right eigenvectors of ``a @ v = w * b @ v`` with invertible `b`.",
)

# --- LAPACK's choices, which are locally constant -----------------------------------------------------------


def _two(function: Any, a: Any, b: Any) -> Any:
    """Apply a function of two matrices to each pair of two stacks."""
    a, b = (x.astype(np.result_type(a, b)) for x in np.broadcast_arrays(a, b))
    n = a.shape[-1]
    return over_stack(lambda m: (function(m[:, :n], m[:, n:]),), np.concatenate([a, b], axis=-1), 1)[0]


def _left_vectors(a: Any, b: Any) -> Any:
    def left(a: Any, b: Any) -> Any:
        pencil = None if np.array_equal(b, np.eye(len(b))) else b
        return scipy.linalg.eig(a, pencil, left=True, right=False, check_finite=False)[1]

    return _two(left, a, b)


left_vectors: Function = locally_constant(
    _left_vectors,
    batch=lambda values, flags, size: left_vectors(*align(values, flags)),
    name="left_vectors",
    doc="Left eigenvectors, for their phases.",
)
pencil_values: Function = locally_constant(
    lambda a, b: _two(lambda a, b: scipy.linalg.eigvals(a, b, check_finite=False), a, b),
    batch=lambda values, flags, size: pencil_values(*align(values, flags)),
    name="pencil_values",
    doc="Eigenvalues of a pencil, for their order.",
)


def _phase(u: Any, like: Any) -> Any:
    inner = np.sum(np.conj(u) * like, axis=-2)
    return inner / np.abs(inner)


phase: Function = locally_constant(
    _phase,
    batch=lambda values, flags, size: phase(*align(values, flags)),
    name="phase",
    doc="The factors of modulus one that turn each column of a matrix into that of another one.",
)
