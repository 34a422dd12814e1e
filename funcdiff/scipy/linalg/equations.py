"""Matrix equations of `scipy.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from funcdiff.core.recording import innermost
from funcdiff.primitives.linalg import matrix_equations as equations
from funcdiff.primitives.linalg.common import adjoint
from funcdiff.primitives.linalg.solve import inv
from funcdiff.primitives.product import matmul
from funcdiff.scipy._protocol import follows, inexact, square


@follows(sl.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Solution of ``a @ x + x @ b = q``."""
    a, b, q = square(a), square(b), inexact(q)
    if q.shape[-2:] != (a.shape[-1], b.shape[-1]):
        raise ValueError(f"q has shape {q.shape}, and a and b need {(a.shape[-1], b.shape[-1])}")
    return equations.solve_sylvester(a, b, q)


def _same_shapes(a: Any, q: Any) -> None:
    if a.shape[-2:] != q.shape[-2:]:
        raise ValueError("Matrix a and q should have the same shape.")


@follows(sl.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """Solution of ``a @ x + x @ adjoint(a) = q``."""
    a, q = square(a), square(q)
    _same_shapes(a, q)
    return equations.solve_sylvester(a, adjoint(a), q)


solve_lyapunov = solve_continuous_lyapunov


@follows(sl.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = None) -> Any:
    """Solution of ``a @ x @ adjoint(a) - x + q = 0``."""
    a, q = square(a), square(q)
    _same_shapes(a, q)
    if method is not None and method.lower() not in ("direct", "bilinear"):
        raise ValueError(f"Unknown solver {method}")
    return equations.solve_discrete_lyapunov(a, q, method=None if method is None else method.lower())


# --- Riccati --------------------------------------------------------------------------------------------------


def _riccati(solver: Any, a: Any, b: Any, q: Any, r: Any, e: Any, s: Any, balanced: bool) -> Any:
    """Solve a Riccati equation; `e` is divided out, since ``E⁻ᴴ(residual)E⁻¹`` is the residual without it."""
    a, b, q, r = square(a, True), inexact(b, True), square(q, True), square(r, True)
    for x, name in ((q, "q"), (r, "r")):
        found = innermost(x)
        if not np.allclose(found, np.swapaxes(found.conj(), -1, -2), rtol=1e-9, atol=1e-9):
            raise ValueError(f"Matrix {name} should be symmetric/hermitian.")
    s = np.zeros(b.shape, b.dtype) if s is None else inexact(s, True)
    if e is not None:
        inverse = inv(square(e, True))
        a = matmul(a, inverse)
        q = matmul(matmul(adjoint(inverse), q), inverse)
        s = matmul(adjoint(inverse), s)
    return solver(a, b, q, r, s, balanced=bool(balanced))


@follows(sl.solve_continuous_are)
def solve_continuous_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """Stabilizing solution of the continuous algebraic Riccati equation.

    `q` and `r` are Hermitian: their derivatives are Hermitian too.
    """
    return _riccati(equations.solve_continuous_are, a, b, q, r, e, s, balanced)


@follows(sl.solve_discrete_are)
def solve_discrete_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """Stabilizing solution of the discrete algebraic Riccati equation.

    `q` and `r` are Hermitian: their derivatives are Hermitian too.
    """
    return _riccati(equations.solve_discrete_are, a, b, q, r, e, s, balanced)


__all__ = [
    "solve_continuous_are",
    "solve_continuous_lyapunov",
    "solve_discrete_are",
    "solve_discrete_lyapunov",
    "solve_lyapunov",
    "solve_sylvester",
]
