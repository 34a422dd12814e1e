"""Cholesky and QR factorizations."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import general
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.linalg.common import adjoint, eye_like, fold, hermitian, stacked, triangle_like
from funcdiff.primitives.linalg.solve import inv_or_nan
from funcdiff.primitives.product import conjugate, matmul, swap_last
from funcdiff.primitives.shape import concatenate


def columns(x: Any, start: int | None, stop: int | None) -> Any:
    """Return a range of columns of each matrix."""
    return getitem(x, index=(Ellipsis, slice(start, stop)))


def rows(x: Any, start: int | None, stop: int | None) -> Any:
    """Return a range of rows of each matrix."""
    return getitem(x, index=(Ellipsis, slice(start, stop), slice(None)))


def beside(*blocks: Any) -> Any:
    """Join matrices side by side."""
    return concatenate(*blocks, axis=len(blocks[0].shape) - 1)


# --- Cholesky: dL = L Φ(L⁻¹ dA L⁻ᴴ), Φ the lower triangle with half the diagonal (Murray 2016) --------


def _cholesky(a: Any, *, upper: bool) -> Any:
    return np.linalg.cholesky(a, upper=upper) if upper else np.linalg.cholesky(a)


def _cholesky_jvp(t: Any, out: Any, _a: Any, *, upper: bool) -> Any:
    if upper:  # U = Lᴴ
        return adjoint(_cholesky_jvp(adjoint(t), adjoint(out), None, upper=False))
    inverse = inv_or_nan(out)
    change = matmul(matmul(inverse, hermitian(t, True)), adjoint(inverse))
    return matmul(out, change * triangle_like(change, True, 0.5))


def _cholesky_vjp(g: Any, out: Any, _a: Any, *, upper: bool) -> Any:
    if upper:
        return adjoint(_cholesky_vjp(adjoint(g), adjoint(out), None, upper=False))
    inverse = inv_or_nan(out)
    change = matmul(swap_last(out), g) * triangle_like(g, True, 0.5)
    return fold(matmul(matmul(swap_last(inverse), change), conjugate(inverse)), True)


def positive_definite(rng: np.random.Generator, *shape: int, kind: str = "f") -> Any:
    """Draw positive definite matrices, for the tests; Hermitian to the last bit."""
    a = rng.standard_normal(shape)
    if kind == "c":
        a = a + 1j * rng.standard_normal(shape)
    return a @ np.swapaxes(a.conj(), -1, -2) + 2 * np.eye(shape[-1])


cholesky = general(
    _cholesky,
    jvps=[_cholesky_jvp],
    vjps=[_cholesky_vjp],
    batch=stacked("cholesky"),
    name="cholesky",
    samples=lambda rng: [
        ((positive_definite(rng, 3, 3),), {"upper": False}),
        ((positive_definite(rng, 2, 3, 3),), {"upper": True}),
        ((positive_definite(rng, 2, 2, kind="c"),), {"upper": False}),
        ((positive_definite(rng, 3, 3, kind="c"),), {"upper": True}),
        ((positive_definite(rng, 1, 1),), {"upper": False}),
        ((np.ones((0, 0)),), {"upper": False}),
    ],
    doc="Cholesky factor of each matrix; one triangle is read, and the derivative lies on it.",
)


# --- QR (Walter and Lehmann, "Algorithmic differentiation of linear algebra functions", 2018) ---------
#
# With B = dA R⁻¹ and C = Qᴴ B: dQ = Q Ω + (B - Q C), dR = (C - Ω) R, where Ω is skew-Hermitian with the
# strict lower triangle of C; its diagonal is that of C's skew part, since LAPACK makes R's diagonal real.


def _qr(a: Any, *, mode: str) -> Any:
    return tuple(np.linalg.qr(a, mode))  # type: ignore[call-overload]


def _qr_jvp(t: Any, out: Any, a: Any, *, mode: str) -> Any:
    q, r = out
    m, n = a.shape[-2:]
    if m < n:  # the first m columns determine Q; then R = Qᴴ A
        left = _qr_jvp(columns(t, None, m), (q, columns(r, None, m)), columns(a, None, m), mode=mode)
        rest = matmul(adjoint(left[0]), columns(a, m, None)) + matmul(adjoint(q), columns(t, m, None))
        return left[0], beside(left[1], rest)
    basis, square = (columns(q, None, n), rows(r, None, n)) if mode == "complete" and m > n else (q, r)
    b = matmul(t, inv_or_nan(square))
    c = matmul(adjoint(basis), b)
    low = c * triangle_like(c, True, 0.0)
    omega = low - adjoint(low)
    if c.dtype.kind == "c":
        omega = omega + (c - adjoint(c)) * (0.5 * eye_like(c))
    dq = matmul(basis, omega - c) + b
    dr = matmul(c - omega, square)
    if basis is q:
        return dq, dr
    # the complement turns only as orthogonality demands: what turns inside it contributes nothing
    beyond = adjoint(matmul(adjoint(columns(q, n, None)), b))
    below = np.zeros((*dr.shape[:-2], m - n, n), dr.dtype)
    return beside(dq, -matmul(basis, beyond)), concatenate(dr, below, axis=len(dr.shape) - 2)


def _qr_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    return [
        ((normal((3, 3)),), {"mode": "reduced"}),
        ((normal((4, 2)),), {"mode": "reduced"}),
        ((normal((2, 4)),), {"mode": "reduced"}),
        ((normal((2, 3, 2)),), {"mode": "reduced"}),
        ((normal((4, 3)),), {"mode": "complete"}),
        ((normal((2, 3)),), {"mode": "complete"}),
        ((normal((3, 2)) + 1j * normal((3, 2)),), {"mode": "reduced"}),
        ((normal((2, 3)) + 1j * normal((2, 3)),), {"mode": "reduced"}),
    ]


qr = general(
    _qr,
    jvps=[_qr_jvp],
    batch=stacked("qr"),
    name="qr",
    multiple_outputs=True,
    samples=_qr_samples,
    doc="""QR factorization, `mode` "reduced" or "complete"; the leading columns must be independent.

    In mode "complete", the columns beyond the matrix's span an orthogonal complement of which only the
    whole is determined: derivatives are right for what does not depend on the choice of its basis.""",
)
