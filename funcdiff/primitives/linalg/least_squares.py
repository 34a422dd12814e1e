"""Pseudoinverses, least squares and rank (Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973).

With P the pseudoinverse of A, of locally constant rank:
``dP = -P dA P + P Pᴴ dAᴴ (I - A P) + (I - P A) dAᴴ Pᴴ P``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.declare import general, locally_constant
from funcdiff.core.primitive import Function
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.linalg.common import adjoint, real_part, sum_rows
from funcdiff.primitives.linalg.svd import separated, svdvals, svdvals_vjp
from funcdiff.primitives.product import column, conjugate, matmul, row, swap_last
from funcdiff.primitives.shape import broadcast_to, reshape, stack

# --- pinv -------------------------------------------------------------------------------------------


def _pinv(a: Any, rcond: Any, *, hermitian: bool) -> Any:
    return np.linalg.pinv(a, rcond, hermitian)


def _check_dropped(a: Any, rcond: Any, *, hermitian: bool) -> Any:
    """Refuse to differentiate where the cutoff drops singular values that are not nearly zero.

    The formula takes them for zero; its error is their ratio to the smallest that is kept.
    """
    s = np.linalg.svd(a, compute_uv=False, hermitian=hermitian)
    kept = s > np.asarray(rcond)[..., None] * s.max(axis=-1, keepdims=True, initial=0)
    dropped = np.where(kept, 0, s).max(axis=-1, initial=0)
    least = np.where(kept, s, np.inf).min(axis=-1, initial=np.inf)
    if np.any(dropped > least * np.finfo(s.dtype).eps ** 0.5):
        raise errors.UnsupportedError(
            errors.at_user_line(
                "pinv or lstsq drops singular values that are not negligible beside those it keeps (see rcond), and "
                "has no derivative there. Lower rcond, or drop them explicitly: u, s, vh = np.linalg.svd(a, "
                "full_matrices=False), then adjoint(vh[:k]) @ (adjoint(u[:, :k]) / s[:k, None])."
            )
        )
    return np.zeros(a.shape[:-2], dtype=bool)


check_dropped: Function = locally_constant(
    _check_dropped,
    batch=lambda values, flags, size, hermitian: check_dropped(
        *_leading(values, flags, size), hermitian=hermitian
    ),
    name="check_dropped",
    samples=lambda rng: [((separated(rng, 3, 2), 1e-15), {"hermitian": False})],
    doc="Refuse cutoffs that drop singular values which are not nearly zero; else False.",
)


def _leading(values: Any, flags: Any, size: int) -> Any:
    """Align a stack of matrices and a stack of numbers of which either may be batched."""
    a, number = values
    if not flags[1]:
        return values
    if not flags[0]:
        a, flags = broadcast_to(a, shape=(size, *a.shape)), (True, True)
    rank = (len(a.shape) - 2 - flags[0]) - (len(number.shape) - 1)
    if rank > 0:
        number = reshape(number, shape=(number.shape[0], *(1,) * rank, *number.shape[1:]))
    return a, number


def _pinv_jvp(t: Any, out: Any, a: Any, rcond: Any, *, hermitian: bool) -> Any:
    check_dropped(a, rcond, hermitian=hermitian)
    t_h, out_h = adjoint(t), adjoint(out)
    left = t_h - matmul(matmul(t_h, a), out)
    right = t_h - matmul(out, matmul(a, t_h))
    return -matmul(matmul(out, t), out) + matmul(matmul(out, out_h), left) + matmul(matmul(right, out_h), out)


def low_rank(rng: np.random.Generator, m: int, n: int, rank: int) -> Any:
    """Draw a matrix of the given rank, for the tests."""
    return separated(rng, m, rank) @ separated(rng, rank, n)


pinv: Function = general(
    _pinv,
    jvps=[
        _pinv_jvp,
        lambda t, out, a, rcond, *, hermitian: np.zeros(out.shape, out.dtype),
    ],  # the cutoff is a step
    batch=lambda values, flags, size, hermitian: pinv(*_leading(values, flags, size), hermitian=hermitian),
    name="pinv",
    samples=lambda rng: [
        ((separated(rng, 3, 3), np.asarray(1e-15)), {"hermitian": False}),
        ((separated(rng, 4, 2), np.asarray(1e-15)), {"hermitian": False}),
        ((separated(rng, 2, 2, 3), np.asarray(1e-15)), {"hermitian": False}),
        ((separated(rng, 3, 2, kind="c"), np.asarray(1e-15)), {"hermitian": False}),
    ],
    doc="Pseudoinverse; the rank is taken for locally constant.",
)

# --- lstsq ------------------------------------------------------------------------------------------
#
# The solution's tangent is that of P b; the residuals' follows from r = b - A x, which is orthogonal to A's
# columns, so that dx drops out of it.


def _lstsq(a: Any, b: Any, *, rcond: float) -> Any:
    return tuple(np.linalg.lstsq(a, b, rcond))


def _as_columns(x: Any, like: Any) -> Any:
    return column(x) if len(like.shape) == 1 else x


def _as_given(x: Any, like: Any) -> Any:
    return reshape(x, shape=x.shape[:1]) if len(like.shape) == 1 else x


def _parts(out: Any, a: Any, b: Any, rcond: float) -> tuple[Any, Any, Any]:
    x = _as_columns(out[0], b)
    cutoff = np.asarray(
        rcond if rcond >= 0 else float(np.finfo(np.float64).eps)
    )  # negative: LAPACK's precision
    check_dropped(a, cutoff, hermitian=False)
    return x, _as_columns(b, b) - matmul(a, x), pinv(a, cutoff, hermitian=False)


def _residual_tangent(out: Any, r: Any, dr: Any) -> Any:
    if out[1].shape[0] == 0:
        return np.zeros(0, out[1].dtype)
    return real_part(sum_rows(conjugate(r) * dr)) * 2


def _lstsq_matrix_jvp(t: Any, out: Any, a: Any, b: Any, *, rcond: float) -> Any:
    x, r, p = _parts(out, a, b, rcond)
    p_h, t_h, moved = adjoint(p), adjoint(t), matmul(t, x)
    turned = matmul(t_h, matmul(p_h, x))
    dx = matmul(p, matmul(p_h, matmul(t_h, r)) - moved) + turned - matmul(p, matmul(a, turned))
    ds = svdvals.primitive.jvps[0](t, out[3], a)  # type: ignore[attr-defined]
    return _as_given(dx, b), _residual_tangent(out, r, -moved), 0.0, ds


def _lstsq_matrix_vjp(g: Any, out: Any, a: Any, b: Any, *, rcond: float) -> Any:
    x, r, p = _parts(out, a, b, rcond)
    gx = swap_last(_as_columns(g[0], b))
    lifted = matmul(gx, p)
    first = conjugate(matmul(r, matmul(lifted, adjoint(p))))
    second = conjugate(matmul(matmul(adjoint(p), x), gx - matmul(lifted, a)))
    total = first + second - matmul(swap_last(lifted), swap_last(x))
    if out[1].shape[0]:
        total = total - matmul(conjugate(r) * row(g[1]) * 2, swap_last(x))
    return total + svdvals_vjp(g[3], out[3], a)


def _lstsq_side_jvp(t: Any, out: Any, a: Any, b: Any, *, rcond: float) -> Any:
    _, r, p = _parts(out, a, b, rcond)
    t = _as_columns(t, b)
    return _as_given(matmul(p, t), b), _residual_tangent(out, r, t), 0.0, np.zeros(out[3].shape, out[3].dtype)


def _lstsq_side_vjp(g: Any, out: Any, a: Any, b: Any, *, rcond: float) -> Any:
    _, r, p = _parts(out, a, b, rcond)
    total = matmul(swap_last(p), _as_columns(g[0], b))
    if out[1].shape[0]:
        total = total + conjugate(r) * row(g[1]) * 2
    return _as_given(total, b)


def _batch_lstsq(values: Any, flags: Any, size: int, *, rcond: float) -> Any:
    found = [
        lstsq(*(getitem(v, index=n) if f else v for v, f in zip(values, flags, strict=True)), rcond=rcond)
        for n in range(size)
    ]
    columns_of_results = list(zip(*found, strict=True))
    if len({r.shape for r in columns_of_results[1]}) > 1:
        raise errors.UnsupportedError(
            errors.at_user_line(
                "lstsq under vmap: some matrices of the batch have full rank and some do not, so their residuals have "
                "different shapes. Loop over them in Python."
            )
        )
    return tuple(np.asarray(c) if i == 2 else stack(*c, axis=0) for i, c in enumerate(columns_of_results))


def _lstsq_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    return [
        ((separated(rng, 4, 2), normal(4)), {"rcond": 1e-15}),
        ((separated(rng, 4, 2), normal((4, 3))), {"rcond": 1e-15}),
        ((separated(rng, 3, 3), normal((3, 2))), {"rcond": 1e-15}),
        ((separated(rng, 2, 4), normal((2, 2))), {"rcond": 1e-15}),
        ((separated(rng, 4, 2, kind="c"), normal((4, 2)) + 1j * normal((4, 2))), {"rcond": 1e-15}),
    ]


lstsq = general(
    _lstsq,
    jvps=[_lstsq_matrix_jvp, _lstsq_side_jvp],
    vjps=[_lstsq_matrix_vjp, _lstsq_side_vjp],
    batch=_batch_lstsq,
    name="lstsq",
    multiple_outputs=True,
    samples=_lstsq_samples,
    doc="Least-squares solution of least norm, residuals, rank and singular values.",
)


matrix_rank: Function = locally_constant(
    lambda a, *, tol, rtol, hermitian: np.linalg.matrix_rank(a, tol, hermitian, rtol=rtol),
    batch=lambda values, flags, size, **params: matrix_rank(
        row(values[0]) if len(values[0].shape) < 3 else values[0], **params
    ),
    name="matrix_rank",
    samples=lambda rng: [((separated(rng, 3, 2),), {"tol": None, "rtol": None, "hermitian": False})],
    doc="Number of singular values above a tolerance.",
)
