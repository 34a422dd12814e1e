"""Functions of matrices and their Fréchet derivatives.

The derivative of f at A in the direction E stands in the corner of ``f([[A, E], [0, A]])`` (Higham, "Functions of
Matrices", 2008, theorem 3.6), and further directions double the blocks again (Higham and Relton, SIAM J. Matrix
Anal. Appl. 35, 2014).  The k-th derivative is symmetric and linear in its directions, so it is its own
derivative, with one more, and its own transpose, at the transposed matrices: for words in A and the directions,
``tr(Gᵀ X E Y) = Σ E * (Xᵀ G Yᵀ)``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from funcdiff import errors
from funcdiff.core.alignment import align
from funcdiff.core.declare import general
from funcdiff.core.primitive import Function
from funcdiff.primitives.linalg.common import stacked
from funcdiff.primitives.linalg.factorizations import positive_definite
from funcdiff.primitives.linalg.matrix_equations import solve_sylvester
from funcdiff.primitives.product import matmul, swap_last

MOST_DIRECTIONS = 6


def _blocks(a: Any, directions: Any) -> Any:
    """Return the block triangular matrix whose function holds the derivative in its corner."""
    shape = np.broadcast_shapes(a.shape, *(e.shape for e in directions))
    dtype = np.result_type(a, *directions)
    x = np.broadcast_to(a, shape).astype(dtype)
    for k, e in enumerate(directions):
        corner = np.kron(np.eye(2**k, dtype=dtype.type(0).real.dtype), np.broadcast_to(e, shape))
        x = np.concatenate(
            [np.concatenate([x, corner], axis=-1), np.concatenate([np.zeros_like(x), x], axis=-1)], axis=-2
        )
    return x


def matrix_function(
    impl: Callable[..., Any], name: str, samples: Any, doc: str, counts: tuple[int, ...] = (2, 1, 1)
) -> tuple[Function, Function]:
    """Declare a function of a matrix, or a stack of them, and its derivatives in given directions.

    `counts` says in how many directions the first samples are derived for the tests.
    """

    def corner(a: Any, *directions: Any, **params: Any) -> Any:
        if len(directions) > MOST_DIRECTIONS:
            raise errors.UnsupportedError(
                errors.at_user_line(
                    f"{name}: derivatives of order {MOST_DIRECTIONS + 1} and above are not supported"
                )
            )
        n = a.shape[-1]
        x = _blocks(a, directions)
        return impl(x, **params)[..., :n, -n:] if x.size else np.zeros_like(x)

    def transpose(i: int) -> Callable[..., Any]:
        def rule(g: Any, _out: Any, a: Any, *directions: Any, **params: Any) -> Any:
            others = [swap_last(e) for n, e in enumerate(directions) if n != i]
            return derivative(swap_last(a), *others, g, **params)

        return rule

    def vjp(g: Any, _out: Any, a: Any, *directions: Any, **params: Any) -> Any:
        return derivative(swap_last(a), *(swap_last(e) for e in directions), g, **params)

    def directed(rng: np.random.Generator) -> Any:
        cases = samples(rng)[: len(counts)]
        return [
            ((a, *(rng.standard_normal(a.shape[-2:]) for _ in range(count))), params)
            for ((a,), params), count in zip(cases, counts, strict=True)
        ]

    derivative: Function = general(
        corner,
        jvps=[lambda t, _out, a, *directions, **params: derivative(a, *directions, t, **params)],
        transposes=[None, *(transpose(i) for i in range(MOST_DIRECTIONS))],
        vjps=[vjp],
        batch=lambda values, flags, size, **params: derivative(*align(values, flags), **params),
        name=f"{name}_derivative",
        samples=directed,
        doc=f"Fréchet derivative of `{name}` in the given directions.",
    )
    function = general(
        impl,
        jvps=[lambda t, _out, a, **params: derivative(a, t, **params)],
        vjps=[lambda g, _out, a, **params: derivative(swap_last(a), g, **params)],
        batch=stacked(name),
        name=name,
        samples=samples,
        doc=doc,
    )
    return function, derivative


def _small(rng: np.random.Generator) -> Any:
    z = rng.standard_normal((2, 2)) + 1j * rng.standard_normal((2, 2))
    return [
        ((rng.standard_normal((3, 3)),), {}),
        ((rng.standard_normal((2, 2, 2)),), {}),
        ((z,), {}),
        ((np.diag([1.0, 1.0]) + np.eye(2, k=1),), {}),  # not diagonalizable
        ((np.zeros((2, 2)),), {}),
        ((np.ones((1, 1)),), {}),
    ]


def near_positive(rng: np.random.Generator, *shape: int, kind: str = "f") -> Any:
    """Draw matrices without eigenvalues on the negative real axis, for the tests."""
    return positive_definite(rng, *shape, kind=kind) + rng.standard_normal(shape) / 4


def _away_from_the_cut(rng: np.random.Generator, **params: Any) -> Any:
    return [  # few and small: SciPy's logarithm takes milliseconds
        ((near_positive(rng, 2, 2),), params),
        ((near_positive(rng, 2, 1, 1),), params),
        ((near_positive(rng, 2, 2, kind="c"),), params),
        ((np.diag([2.0, 2.0]) + np.eye(2, k=1),), params),
    ]


def _each(function: Callable[..., Any]) -> Callable[..., Any]:
    """Apply a function of SciPy's to a stack, an empty one too."""

    def impl(a: Any, **params: Any) -> Any:
        if a.dtype.char in "gG":
            raise errors.UnsupportedError(
                errors.at_user_line(
                    "SciPy's matrix functions have no long double precision: convert with x.astype(np.float64)"
                )
            )
        return function(a, **params) if a.size else np.array(a)

    return impl


expm, expm_derivative = matrix_function(
    _each(lambda a: scipy.linalg.expm(a)), "expm", _small, "Exponential of a matrix."
)


def _logm(a: Any) -> Any:
    with warnings.catch_warnings():
        if (
            np.finfo(a.dtype).bits < 64
        ):  # SciPy asks for double precision's digits of a matrix in single precision
            warnings.filterwarnings("ignore", "logm result may be inaccurate", RuntimeWarning)
        return scipy.linalg.logm(a)


logm, logm_derivative = matrix_function(
    _each(_logm),
    "logm",
    lambda rng: _away_from_the_cut(rng)[:2],
    "Principal logarithm of a matrix.",
    counts=(1,),
)


def _power_jvp(t: Any, _out: Any, a: Any, *, power: float) -> Any:
    """Differentiate ``exp(p log A)``."""
    return expm_derivative(logm(a) * power, logm_derivative(a, t) * power)


fractional_matrix_power = general(
    _each(lambda a, *, power: scipy.linalg.fractional_matrix_power(a, power)),
    jvps=[_power_jvp],
    batch=stacked("fractional_matrix_power"),
    name="fractional_matrix_power",
    samples=lambda rng: _away_from_the_cut(rng, power=-0.7)[:2],
    doc="Principal power of a matrix.",
)

# --- by the equations they solve --------------------------------------------------------------------------

sqrtm = general(
    _each(lambda a: scipy.linalg.sqrtm(a)),
    jvps=[lambda t, out, _a: solve_sylvester(out, out, t)],  # X dX + dX X = dA
    batch=stacked("sqrtm"),
    name="sqrtm",
    samples=_away_from_the_cut,
    doc="Principal square root of a matrix.",
)


def _sign_samples(rng: np.random.Generator) -> Any:
    shifts = np.array([3.0, -3.0, 4.0])
    return [
        ((rng.standard_normal((3, 3)) / 3 + np.diag(shifts),), {}),
        ((rng.standard_normal((2, 2, 2)) / 3 + np.diag(shifts[:2]),), {}),
    ]


def _sign_jvp(t: Any, out: Any, a: Any) -> Any:
    """Solve ``N dS + dS N = dA - S dA S`` with ``N = A S``, the square root of A² (Higham, theorem 5.7)."""
    root = matmul(a, out)
    return solve_sylvester(root, root, t - matmul(matmul(out, t), out))


signm = general(
    _each(lambda a: scipy.linalg.signm(a)),
    jvps=[_sign_jvp],
    batch=stacked("signm"),
    name="signm",
    samples=_sign_samples,
    doc="Sign of a matrix: 1 for eigenvalues with positive real part, -1 for those with negative.",
)
