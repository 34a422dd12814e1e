"""Singular values and vectors (Townsend, "Differentiating the singular value decomposition", 2016).

With M = Uᴴ dA V, H its Hermitian and K its skew part: the factors turn by ``Uᴴ dU = H∘E + K∘D`` and
``Vᴴ dV = H∘E - K∘D`` with ``E = 1 / (s[j] - s[i])`` and ``D = 1 / (s[i] + s[j])``.  In this form equal
singular values lose only what E multiplies, so the polar factor ``U @ Vh`` keeps its derivative at an
orthogonal matrix; of the phase of a pair of complex vectors each of the two takes half.

What belongs to singular values that are zero up to rounding has derivative zero, as ``abs`` at zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import general
from funcdiff.primitives.comparison import greater
from funcdiff.primitives.linalg.common import (
    adjoint,
    inverse_gaps,
    real_part,
    reciprocal_or_zero,
    rounding,
    stacked,
    sum_rows,
)
from funcdiff.primitives.linalg.factorizations import beside, columns
from funcdiff.primitives.product import column, conjugate, matmul, row


def _svd(a: Any, *, full_matrices: bool) -> Any:
    return tuple(np.linalg.svd(a, full_matrices=full_matrices))


def _frame_tangent(basis: Any, turn: Any, reach: Any, inverse: Any) -> Any:
    """Tangent of the singular vectors on one side; `basis` may hold a complement of them.

    `turn` is how they turn among themselves, and `reach` is ``dA`` (or its adjoint) on the other side.
    """
    k = turn.shape[-1]
    size, width = basis.shape[-2:]
    vectors = columns(basis, None, k) if width > k else basis
    out = matmul(vectors, turn)
    if size == k:
        return out
    out = out + (reach - matmul(vectors, matmul(adjoint(vectors), reach))) * row(inverse)
    if width == k:
        return out
    # the complement turns only as orthogonality demands
    beyond = matmul(adjoint(reach), columns(basis, k, None)) * column(inverse)
    return beside(out, -matmul(vectors, beyond))


def _svd_jvp(t: Any, out: Any, a: Any, *, full_matrices: bool) -> Any:
    u, s, vh = out
    del full_matrices
    k = s.shape[-1]
    v = adjoint(vh)
    u_k = columns(u, None, k) if u.shape[-1] > k else u
    v_k = columns(v, None, k) if v.shape[-1] > k else v
    right, left = matmul(t, v_k), matmul(adjoint(t), u_k)
    m = matmul(adjoint(u_k), right)
    size = max(a.shape[-2:])
    cutoff = rounding(s, size=size)
    even = (m + adjoint(m)) * (inverse_gaps(s, size) * 0.5)
    odd = (m - adjoint(m)) * (reciprocal_or_zero(column(s) + row(s), column(cutoff)) * 0.5)
    inverse = reciprocal_or_zero(s, cutoff)
    ds = real_part(sum_rows(conjugate(u_k) * right)) * greater(s, cutoff)
    du = _frame_tangent(u, even + odd, right, inverse)
    dv = _frame_tangent(v, even - odd, left, inverse)
    return du, ds, adjoint(dv)


def separated(rng: np.random.Generator, *shape: int, kind: str = "f") -> Any:
    """Draw matrices with well separated singular values, for the tests."""
    a = rng.standard_normal(shape) / 4
    if kind == "c":
        a = a + 1j * rng.standard_normal(shape) / 4
    return a + np.eye(shape[-2], shape[-1]) * np.arange(1, 2 * shape[-1] + 1, 2)


def _svd_samples(rng: np.random.Generator) -> Any:
    return [
        ((separated(rng, 3, 3),), {"full_matrices": False}),
        ((separated(rng, 4, 2),), {"full_matrices": False}),
        ((separated(rng, 2, 4),), {"full_matrices": False}),
        ((separated(rng, 2, 3, 2),), {"full_matrices": False}),
        ((separated(rng, 3, 2),), {"full_matrices": True}),
        ((separated(rng, 2, 3),), {"full_matrices": True}),
    ]


svd = general(
    _svd,
    jvps=[_svd_jvp],
    batch=stacked("svd"),
    name="svd",
    multiple_outputs=True,
    samples=_svd_samples,
    doc="""Singular value decomposition.

    Of the columns that `full_matrices` adds only the space they span is determined: derivatives are right
    for what does not depend on the choice of its basis.""",
)


def _svdvals(a: Any) -> Any:
    return np.linalg.svd(a, compute_uv=False)


def _svdvals_jvp(t: Any, _out: Any, a: Any) -> Any:
    u, s, vh = svd(a, full_matrices=False)
    ds = real_part(sum_rows(conjugate(u) * matmul(t, adjoint(vh))))
    return ds * greater(s, rounding(s, size=max(a.shape[-2:])))


def svdvals_vjp(g: Any, _out: Any, a: Any) -> Any:
    """Cotangent of a matrix from one of its singular values."""
    u, s, vh = svd(a, full_matrices=False)
    g = g * greater(s, rounding(s, size=max(a.shape[-2:])))
    return conjugate(matmul(u * row(g), vh))


svdvals = general(
    _svdvals,
    jvps=[_svdvals_jvp],
    vjps=[svdvals_vjp],
    batch=stacked("svdvals"),
    name="svdvals",
    samples=lambda rng: [
        ((separated(rng, 3, 3),), {}),
        ((separated(rng, 4, 2),), {}),
        ((separated(rng, 2, 2, 3),), {}),
        ((separated(rng, 3, 2, kind="c"),), {}),
        ((np.ones((0, 2)),), {}),
    ],
    doc="Singular values, descending.",
)
