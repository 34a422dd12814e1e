"""Eigenvalues and eigenvectors.

Equal eigenvalues contribute nothing between themselves: their vectors are determined only together.
That is right for what depends on such eigenvalues symmetrically, and on their vectors through the space
they span (the sum of squares of the eigenvalues, the projection on an eigenspace).  It is not enough for
``v * f(w) @ v.T``, a function of the matrix, where the limit of ``(f(w[j]) - f(w[i])) / (w[j] - w[i])``
counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import general, locally_constant
from funcdiff.core.primitive import Function
from funcdiff.primitives.linalg.common import (
    adjoint,
    eye_like,
    fold,
    hermitian,
    imaginary_part,
    inverse_gaps,
    real_part,
    stacked,
    sum_rows,
)
from funcdiff.primitives.linalg.solve import solve
from funcdiff.primitives.product import conjugate, matmul, matvec, row, swap_last

# --- Hermitian matrices (Giles 3.1) -----------------------------------------------------------------


def _eigh(a: Any, *, lower: bool) -> Any:
    return tuple(np.linalg.eigh(a, "L" if lower else "U"))


def spectrum_tangent(moved: Any, w: Any, v: Any) -> tuple[Any, Any]:
    """Return the tangents of eigenvalues and eigenvectors, given the tangent of the matrix times the vectors."""
    dw = real_part(sum_rows(conjugate(v) * moved))
    return dw, matmul(v, inverse_gaps(w, w.shape[-1]) * matmul(adjoint(v), moved))


def _eigh_jvp(t: Any, out: Any, _a: Any, *, lower: bool) -> Any:
    w, v = out
    return spectrum_tangent(matmul(hermitian(t, lower), v), w, v)


def _eigh_vjp(g: Any, out: Any, _a: Any, *, lower: bool) -> Any:
    (gw, gv), (w, v) = g, out
    turned = swap_last(v)
    inner = matmul(inverse_gaps(w, w.shape[-1]) * matmul(turned, gv), turned)
    return fold(matmul(conjugate(v), inner + swap_last(v * row(gw))), lower)


def hermitian_sample(rng: np.random.Generator, *shape: int, kind: str = "f") -> Any:
    """Draw Hermitian matrices with well separated eigenvalues, for the tests."""
    a = rng.standard_normal(shape)
    if kind == "c":
        a = a + 1j * rng.standard_normal(shape)
    return (a + np.swapaxes(a.conj(), -1, -2)) / 4 + 2 * np.diag(np.arange(shape[-1]))


def _hermitian_samples(rng: np.random.Generator) -> Any:
    return [
        ((hermitian_sample(rng, 3, 3),), {"lower": True}),
        ((hermitian_sample(rng, 2, 3, 3),), {"lower": False}),
        ((hermitian_sample(rng, 3, 3) + np.triu(np.ones((3, 3)), 1),), {"lower": True}),
        ((np.ones((0, 0)),), {"lower": True}),
    ]


eigh = general(
    _eigh,
    jvps=[_eigh_jvp],
    vjps=[_eigh_vjp],
    batch=stacked("eigh"),
    name="eigh",
    multiple_outputs=True,
    samples=_hermitian_samples,
    doc="Eigenvalues and eigenvectors of Hermitian matrices; one triangle is read, the derivative lies on it.",
)


def _eigvalsh(a: Any, *, lower: bool) -> Any:
    return np.linalg.eigvalsh(a, "L" if lower else "U")


def _eigvalsh_jvp(t: Any, _out: Any, a: Any, *, lower: bool) -> Any:
    v = eigh(a, lower=lower)[1]
    return real_part(sum_rows(conjugate(v) * matmul(hermitian(t, lower), v)))


def _eigvalsh_vjp(g: Any, _out: Any, a: Any, *, lower: bool) -> Any:
    v = eigh(a, lower=lower)[1]
    return fold(matmul(conjugate(v), swap_last(v * row(g))), lower)


eigvalsh = general(
    _eigvalsh,
    jvps=[_eigvalsh_jvp],
    vjps=[_eigvalsh_vjp],
    batch=stacked("eigvalsh"),
    name="eigvalsh",
    samples=lambda rng: [
        *_hermitian_samples(rng),
        ((hermitian_sample(rng, 3, 3, kind="c"),), {"lower": True}),
        ((hermitian_sample(rng, 2, 2, kind="c"),), {"lower": False}),
    ],
    doc="Eigenvalues of Hermitian matrices, ascending.",
)


# --- general matrices (Giles 3.1) -------------------------------------------------------------------


def _largest_component(v: Any) -> Any:
    size = v.real**2 + v.imag**2
    first = np.argmax(size, axis=-2, keepdims=True)
    return (np.arange(v.shape[-1])[:, None] == first).astype(size.dtype)


largest_component = locally_constant(
    _largest_component,
    batch=stacked("largest_component"),
    name="largest_component",
    samples=lambda rng: [((rng.standard_normal((2, 3, 3)),), {})],
    doc="One where each column of a matrix has its first component of largest modulus, else zero.",
)


def _eig_jvp(t: Any, out: Any, _a: Any) -> Any:
    w, v = out
    change = solve(v, matmul(t, v))
    dv = matmul(v, inverse_gaps(w, w.shape[-1]) * change)
    # LAPACK's normalisation: length one, and the largest component real
    along = real_part(sum_rows(conjugate(v) * dv))
    if v.dtype.kind == "c":
        mask = largest_component(v)
        along = along + imaginary_part(sum_rows(mask * dv) / sum_rows(mask * v)) * 1j
    return sum_rows(change * eye_like(change)), dv - v * row(along)


def spread_out(rng: np.random.Generator, *shape: int, kind: str = "f") -> Any:
    """Draw general matrices with well separated eigenvalues, for the tests."""
    a = rng.standard_normal(shape) / 4
    if kind == "c":
        a = a + 1j * rng.standard_normal(shape) / 4
    return a + 2 * np.diag(np.arange(shape[-1]))


def _eig_samples(rng: np.random.Generator) -> Any:
    turn = np.array([[0.0, -2.0, 0.3], [2.0, 0.5, 0.1], [0.2, 0.4, 5.0]])  # a pair of complex eigenvalues
    return [
        ((spread_out(rng, 3, 3),), {}),
        ((turn + rng.standard_normal((3, 3)) / 20,), {}),
        ((spread_out(rng, 2, 2, 2),), {}),
        ((spread_out(rng, 3, 3, kind="c"),), {}),
    ]


eig = general(
    lambda a: tuple(np.linalg.eig(a)),
    jvps=[_eig_jvp],
    batch=stacked("eig"),
    name="eig",
    multiple_outputs=True,
    samples=_eig_samples,
    doc="Eigenvalues and right eigenvectors, complex if any eigenvalue is.",
)


def _pairing(wanted: Any, found: Any) -> Any:
    distance = np.abs(wanted[..., :, None] - found[..., None, :])
    out = np.zeros_like(distance)
    for matrix, target in zip(
        distance.reshape(-1, *distance.shape[-2:]), out.reshape(-1, *out.shape[-2:]), strict=True
    ):
        for i in range(len(matrix)):
            j = np.argmin(matrix[i])
            matrix[:, j] = np.inf
            target[i, j] = 1
    return out


pairing: Function = locally_constant(
    _pairing,
    batch=lambda values, flags, size: pairing(*values),
    name="pairing",
    samples=lambda rng: [((np.array([1.0, 2.0, 3.0]), np.array([3.0, 1.0, 2.0])), {})],
    doc="The permutation matrix that brings one list of eigenvalues into the order of another.",
)


def _eigvals_jvp(t: Any, out: Any, a: Any) -> Any:
    w, v = eig(a)
    change = solve(v, matmul(t, v))
    # LAPACK orders the eigenvalues otherwise when it computes no vectors
    return matvec(pairing(out, w), sum_rows(change * eye_like(change)))


eigvals = general(
    np.linalg.eigvals,
    jvps=[_eigvals_jvp],
    batch=stacked("eigvals"),
    name="eigvals",
    samples=_eig_samples,
    doc="Eigenvalues, complex if any is.",
)
