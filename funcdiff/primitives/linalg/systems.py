"""Linear systems whose matrix has a structure, by SciPy's solvers.

A solver states how its representation of the matrix multiplies, ``A x = b`` being ``apply(reps, x) = b``, and how
the representation of the transposed matrix is had.  The rules follow: the solution is linear in b, and
``dx = -A⁻¹ apply(d reps, x)`` (Giles 2.3.1).  A cotangent of the matrix thus lies on the elements that are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg

from funcdiff.core.declare import general
from funcdiff.core.primitive import Function
from funcdiff.primitives.linalg.common import hermitian, real_dtype, triangle_like
from funcdiff.primitives.linalg.factorizations import positive_definite
from funcdiff.primitives.linalg.solve import well_conditioned
from funcdiff.primitives.product import column, conjugate, matmul, swap_last
from funcdiff.primitives.shape import reshape, transpose

Turn = Callable[..., tuple[Sequence[Any], dict[str, Any]]]


def as_columns(x: Any, like: Any) -> Any:
    """Return a stack of matrices where the right-hand side `like` is a vector."""
    return column(x) if len(like.shape) == 1 else x


def as_given(x: Any, like: Any) -> Any:
    """Undo `as_columns`."""
    return reshape(x, shape=x.shape[:-1]) if len(like.shape) == 1 else x


def with_rank(x: Any, rank: int, mapped: bool) -> Any:
    """Give a value more leading axes after the one it is mapped over."""
    missing = rank - (len(x.shape) - mapped)
    if not mapped or missing <= 0:
        return x
    return reshape(x, shape=(x.shape[0], *(1,) * missing, *x.shape[1:]))


def _batch(function: Function, ranks: tuple[int, ...]) -> Function:
    """Return the batch rule of a solver whose representations have `ranks` axes each."""

    def batch(values: Any, flags: Any, size: int, **params: Any) -> Any:
        *reps, b = values
        one_matrix = not any(flags[:-1]) and all(
            len(x.shape) == rank for x, rank in zip(reps, ranks, strict=True)
        )
        if flags[-1] and one_matrix:  # the columns of one right-hand side
            if len(b.shape) == 2:
                return swap_last(function(*reps, swap_last(b), **params))
            if len(b.shape) == 3:
                n, k = b.shape[1:]
                side = reshape(transpose(b, axes=(1, 0, 2)), shape=(n, size * k))
                out = function(*reps, side, **params)
                return transpose(reshape(out, shape=(out.shape[0], size, k)), axes=(1, 0, 2))
        vector = len(b.shape) - flags[-1] == 1
        if vector:
            b = column(b)
        lead = [len(x.shape) - f - r for x, f, r in zip((*reps, b), flags, (*ranks, 2), strict=True)]
        most = max(lead)
        aligned = [with_rank(x, most + r, f) for x, f, r in zip((*reps, b), flags, (*ranks, 2), strict=True)]
        out = function(*aligned, **params)
        return reshape(out, shape=out.shape[:-1]) if vector else out

    return batch


def solver(
    impl: Function,
    *,
    name: str,
    apply: Sequence[Function],
    turn: Turn,
    ranks: tuple[int, ...],
    samples: Any,
    doc: str,
) -> Function:
    """Declare ``impl(*reps, b, **params)``, the solution of a system; `b` is a vector or a stack of matrices.

    ``apply[k](t, x, **params)`` is what ``reps[k]`` contributes to the product with `x`, and
    ``turn(*reps, **params)`` gives representations and parameters of the transposed matrix.
    """

    def jvp(k: int) -> Function:
        def rule(t: Any, out: Any, *args: Any, **params: Any) -> Any:
            *reps, b = args
            sides = (*reps, apply[k](t, as_columns(out, b), **params))
            return -as_given(function(*sides, **params), b)

        return rule

    def transposed(g: Any, _out: Any, *args: Any, **params: Any) -> Any:
        *reps, b = args
        turned, turned_params = turn(*reps, **params)
        sides = (*turned, as_columns(g, b))
        return as_given(function(*sides, **turned_params), b)

    function: Function = general(
        impl,
        jvps=[*(jvp(k) for k in range(len(ranks))), None],
        transposes=[*(None for _ in ranks), transposed],
        batch=lambda values, flags, size, **params: _batch(function, ranks)(values, flags, size, **params),
        name=name,
        samples=samples,
        doc=doc,
    )
    return function


# --- triangular matrices ------------------------------------------------------------------------------


def _solve_triangular(a: Any, b: Any, *, lower: bool, transposed: bool, unit_diagonal: bool) -> Any:
    return scipy.linalg.solve_triangular(
        a, b, trans=int(transposed), lower=lower, unit_diagonal=unit_diagonal, check_finite=False
    )


def _apply_triangular(t: Any, x: Any, *, lower: bool, transposed: bool, unit_diagonal: bool) -> Any:
    read = t * triangle_like(t, lower, 0.0 if unit_diagonal else 1.0)
    return matmul(swap_last(read) if transposed else read, x)


def _triangular_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    plain = {"lower": True, "transposed": False, "unit_diagonal": False}
    z = well_conditioned(rng, 2, 2, kind="c")
    return [
        ((well_conditioned(rng, 3, 3), normal(3)), plain),
        ((well_conditioned(rng, 3, 3), normal((3, 2))), {**plain, "lower": False}),
        ((well_conditioned(rng, 3, 3), normal((3, 2))), {**plain, "transposed": True}),
        ((well_conditioned(rng, 3, 3), normal(3)), {**plain, "unit_diagonal": True, "lower": False}),
        ((well_conditioned(rng, 2, 3, 3), normal((3, 2))), plain),
        ((well_conditioned(rng, 3, 3), normal((2, 3, 2))), plain),
        ((well_conditioned(rng, 2, 3, 3), normal(3)), {**plain, "transposed": True}),
        ((z, normal((2, 2)) + 1j * normal((2, 2))), {**plain, "transposed": True}),
    ]


solve_triangular = solver(
    _solve_triangular,
    name="solve_triangular",
    apply=[_apply_triangular],
    turn=lambda a, *, transposed, **params: ((a,), {**params, "transposed": not transposed}),
    ranks=(2,),
    samples=_triangular_samples,
    doc="Solution of a triangular system, of which only the triangle is read.",
)


# --- dense matrices with a structure ------------------------------------------------------------------

TRIANGLES = {"lower triangular": "upper triangular", "upper triangular": "lower triangular"}
SYMMETRIC = ("symmetric", "hermitian", "positive definite")


def read_part(t: Any, structure: str, lower: bool) -> Any:
    """Return the matrix that SciPy takes `t` for, given its structure; linear in `t`."""
    if structure in TRIANGLES:
        return t * triangle_like(t, structure == "lower triangular", 1.0)
    if structure == "symmetric":
        half = t * triangle_like(t, lower, 0.5)
        return half + swap_last(half)
    if structure in ("hermitian", "positive definite"):
        return hermitian(t, lower)
    if structure in ("diagonal", "tridiagonal"):
        n = t.shape[-1]
        far = np.abs(np.arange(n)[:, None] - np.arange(n)) > (structure == "tridiagonal")
        return t * (~far).astype(real_dtype(t))
    return t


def _structured_solve(a: Any, b: Any, *, structure: str, lower: bool) -> Any:
    assumed = None if structure == "detect" else structure
    return scipy.linalg.solve(a, b, lower=lower, assume_a=assumed, check_finite=False)


def _turn_structure(a: Any, *, structure: str, lower: bool) -> Any:
    if structure == "symmetric":
        return (a,), {"structure": structure, "lower": lower}
    if structure in SYMMETRIC:  # the transpose of a Hermitian matrix is its conjugate
        return (conjugate(a),), {"structure": structure, "lower": lower}
    return (swap_last(a),), {"structure": TRIANGLES.get(structure, structure), "lower": lower}


def _structured_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    z = well_conditioned(rng, 2, 2, kind="c")
    side = normal((2, 2)) + 1j * normal((2, 2))
    banded = well_conditioned(rng, 4, 4) * (np.abs(np.subtract.outer(np.arange(4), np.arange(4))) < 2)
    return [
        ((well_conditioned(rng, 3, 3), normal(3)), {"structure": "detect", "lower": False}),
        ((well_conditioned(rng, 3, 3), normal((3, 2))), {"structure": "general", "lower": False}),
        ((well_conditioned(rng, 3, 3), normal(3)), {"structure": "symmetric", "lower": False}),
        ((well_conditioned(rng, 2, 3, 3), normal((3, 2))), {"structure": "symmetric", "lower": True}),
        ((z, side), {"structure": "symmetric", "lower": True}),
        ((z, side), {"structure": "hermitian", "lower": True}),
        ((positive_definite(rng, 3, 3), normal(3)), {"structure": "positive definite", "lower": False}),
        ((positive_definite(rng, 2, 2, kind="c"), side), {"structure": "positive definite", "lower": True}),
        ((well_conditioned(rng, 4, 4), normal(4)), {"structure": "tridiagonal", "lower": False}),
        ((well_conditioned(rng, 3, 3), normal((3, 1))), {"structure": "diagonal", "lower": False}),
        ((well_conditioned(rng, 3, 3), normal(3)), {"structure": "upper triangular", "lower": False}),
        ((well_conditioned(rng, 3, 3), normal(3)), {"structure": "lower triangular", "lower": False}),
        ((banded, normal(4)), {"structure": "banded", "lower": False}),
    ]


structured_solve = solver(
    _structured_solve,
    name="structured_solve",
    apply=[lambda t, x, *, structure, lower: matmul(read_part(t, structure, lower), x)],
    turn=_turn_structure,
    ranks=(2,),
    samples=_structured_samples,
    doc="Solution of a system by the solver for its matrix's `structure`; 'detect' leaves the choice to SciPy.",
)
