"""Matrix equations: Sylvester's, Lyapunov's and Riccati's.  Each is differentiated as the linear one at its solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from funcdiff.core.alignment import align
from funcdiff.core.declare import general
from funcdiff.core.primitive import Function
from funcdiff.primitives.linalg.common import adjoint, hermitian_part
from funcdiff.primitives.linalg.factorizations import positive_definite
from funcdiff.primitives.linalg.solve import inv_or_nan, well_conditioned
from funcdiff.primitives.product import matmul, swap_last

# --- A X + X B = Q ----------------------------------------------------------------------------------------


def _solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    if not q.size or not a.size or not b.size:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2], q.shape[:-2])
        return np.zeros((*lead, *q.shape[-2:]), np.result_type(a, b, q))
    return scipy.linalg.solve_sylvester(a, b, q)


def _sylvester_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    z, w = well_conditioned(rng, 2, 2, kind="c"), well_conditioned(rng, 2, 2, kind="c")
    return [
        ((well_conditioned(rng, 3, 3), well_conditioned(rng, 2, 2), normal((3, 2))), {}),
        ((well_conditioned(rng, 2, 2, 2), well_conditioned(rng, 3, 3), normal((2, 3))), {}),
        ((well_conditioned(rng, 2, 2), well_conditioned(rng, 2, 2), normal((2, 2, 2))), {}),
        ((z, w, normal((2, 2)) + 1j * normal((2, 2))), {}),
    ]


solve_sylvester: Function = general(
    _solve_sylvester,
    jvps=[
        lambda t, out, a, b, _q: -solve_sylvester(a, b, matmul(t, out)),
        lambda t, out, a, b, _q: -solve_sylvester(a, b, matmul(out, t)),
        None,
    ],
    transposes=[None, None, lambda g, _out, a, b, _q: solve_sylvester(swap_last(a), swap_last(b), g)],
    batch=lambda values, flags, size: solve_sylvester(*align(values, flags)),
    name="solve_sylvester",
    samples=_sylvester_samples,
    doc="Solution of ``a @ x + x @ b = q``.",
)

# --- A X Aᴴ - X + Q = 0 -----------------------------------------------------------------------------------


def _solve_discrete_lyapunov(a: Any, q: Any, *, method: str | None) -> Any:
    return scipy.linalg.solve_discrete_lyapunov(a, q, method=method)


def _discrete_jvp(t: Any, out: Any, a: Any, _q: Any, *, method: str | None) -> Any:
    moved = matmul(matmul(t, out), adjoint(a)) + matmul(matmul(a, out), adjoint(t))
    return solve_discrete_lyapunov(a, moved, method=method)


def contraction(rng: np.random.Generator, *shape: int, kind: str = "f") -> Any:
    """Draw matrices of spectral radius below one, for the tests."""
    a = rng.standard_normal(shape)
    if kind == "c":
        a = a + 1j * rng.standard_normal(shape)
    return a / (2 * shape[-1])


def _discrete_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    z = normal((2, 2)) + 1j * normal((2, 2))
    return [
        ((contraction(rng, 3, 3), normal((3, 3))), {"method": "direct"}),
        ((contraction(rng, 2, 2), normal((2, 2))), {"method": "bilinear"}),
        ((contraction(rng, 2, 2, 2), normal((2, 2))), {"method": None}),
        ((contraction(rng, 2, 2, kind="c"), z), {"method": None}),
    ]


solve_discrete_lyapunov: Function = general(
    _solve_discrete_lyapunov,
    jvps=[_discrete_jvp, None],
    # X = Σ Aᵏ Q (Aᴴ)ᵏ, so the transpose is Σ (Aᵀ)ᵏ G conj(A)ᵏ
    transposes=[
        None,
        lambda g, _out, a, _q, *, method: solve_discrete_lyapunov(swap_last(a), g, method=method),
    ],
    batch=lambda values, flags, size, *, method: solve_discrete_lyapunov(
        *align(values, flags), method=method
    ),
    name="solve_discrete_lyapunov",
    samples=_discrete_samples,
    doc="Solution of ``a @ x @ adjoint(a) - x + q = 0``.",
)

# --- Riccati --------------------------------------------------------------------------------------------
#
# The residual's change at fixed X is a sum of Hermitian pairs; with K the feedback gain and Z = A - B K the
# closed loop, the solution's change solves the Lyapunov equation of Z.


def _pair(x: Any) -> Any:
    return x + adjoint(x)


def _solve_continuous_are(a: Any, b: Any, q: Any, r: Any, s: Any, *, balanced: bool) -> Any:
    q, r = hermitian_part(q), hermitian_part(r)
    return scipy.linalg.solve_continuous_are(a, b, q, r, None, s, balanced=balanced)


def _solve_discrete_are(a: Any, b: Any, q: Any, r: Any, s: Any, *, balanced: bool) -> Any:
    q, r = hermitian_part(q), hermitian_part(r)
    return scipy.linalg.solve_discrete_are(a, b, q, r, None, s, balanced=balanced)


def _continuous_rule(change: Any) -> Any:
    """Return the JVP of an argument, of which `change` gives the residual's at fixed solution."""

    def jvp(t: Any, x: Any, a: Any, b: Any, _q: Any, r: Any, s: Any, *, balanced: bool) -> Any:
        del balanced
        gain = matmul(inv_or_nan(hermitian_part(r)), matmul(adjoint(b), x) + adjoint(s))
        loop = a - matmul(b, gain)
        return -hermitian_part(solve_sylvester(adjoint(loop), loop, change(t, x, gain)))

    return jvp


def _discrete_rule(change: Any) -> Any:
    def jvp(t: Any, x: Any, a: Any, b: Any, _q: Any, r: Any, s: Any, *, balanced: bool) -> Any:
        del balanced
        left = matmul(adjoint(b), x)
        gain = matmul(inv_or_nan(hermitian_part(r) + matmul(left, b)), matmul(left, a) + adjoint(s))
        loop = a - matmul(b, gain)
        moved = change(t, x, gain, loop)
        return hermitian_part(solve_discrete_lyapunov(adjoint(loop), moved, method=None))

    return jvp


def _riccati_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    out = []
    for n, m, kind in ((2, 1, "f"), (2, 2, "c")):
        imaginary = 1j if kind == "c" else 0.0
        a = normal((n, n)) / 2 + imaginary * normal((n, n)) / 2
        b = normal((n, m)) + imaginary * normal((n, m)) + np.eye(n, m)
        s = normal((n, m)) / 8 + imaginary * normal((n, m)) / 8
        q, r = positive_definite(rng, n, n, kind=kind), positive_definite(rng, m, m, kind=kind)
        out.append(((a, b, q, r, s), {"balanced": True}))
    return out


solve_continuous_are: Function = general(
    _solve_continuous_are,
    jvps=[
        _continuous_rule(lambda t, x, gain: _pair(matmul(adjoint(t), x))),
        _continuous_rule(lambda t, x, gain: -_pair(matmul(x, matmul(t, gain)))),
        _continuous_rule(lambda t, x, gain: hermitian_part(t)),
        _continuous_rule(lambda t, x, gain: matmul(matmul(adjoint(gain), hermitian_part(t)), gain)),
        _continuous_rule(lambda t, x, gain: -_pair(matmul(t, gain))),
    ],
    batch=lambda values, flags, size, *, balanced: solve_continuous_are(
        *align(values, flags), balanced=balanced
    ),
    name="solve_continuous_are",
    samples=_riccati_samples,
    doc="""Stabilizing solution of ``AᴴX + XA - (XB + S) R⁻¹ (BᴴX + Sᴴ) + Q = 0``.

    Q and R count by their Hermitian parts.""",
)
solve_discrete_are: Function = general(
    _solve_discrete_are,
    jvps=[
        _discrete_rule(lambda t, x, gain, loop: _pair(matmul(matmul(adjoint(t), x), loop))),
        _discrete_rule(lambda t, x, gain, loop: -_pair(matmul(matmul(adjoint(loop), x), matmul(t, gain)))),
        _discrete_rule(lambda t, x, gain, loop: hermitian_part(t)),
        _discrete_rule(lambda t, x, gain, loop: matmul(matmul(adjoint(gain), hermitian_part(t)), gain)),
        _discrete_rule(lambda t, x, gain, loop: -_pair(matmul(t, gain))),
    ],
    batch=lambda values, flags, size, *, balanced: solve_discrete_are(
        *align(values, flags), balanced=balanced
    ),
    name="solve_discrete_are",
    samples=_riccati_samples,
    doc="""Stabilizing solution of ``AᴴXA - X - (AᴴXB + S) (R + BᴴXB)⁻¹ (BᴴXA + Sᴴ) + Q = 0``.

    Q and R count by their Hermitian parts.""",
)
