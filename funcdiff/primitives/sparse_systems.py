"""Systems with sparse matrices and operators: by factors, by iteration, in the least-squares sense.

The solution is linear in the right-hand side, and its transpose solves the transposed system, with the same factors
or by the same iteration.  In the matrix's elements ``dx = -A⁻¹ dA x``.  Derivatives by iteration are those of the
exact solution, to the tolerance that is asked for.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse.linalg as ssl

from funcdiff.core.declare import general, linear, locally_constant
from funcdiff.core.primitive import Function
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.linalg.systems import solver
from funcdiff.primitives.product import column, conjugate, matmul, swap_last
from funcdiff.primitives.shape import reshape, stack, transpose
from funcdiff.primitives.sparse_patterns import Pattern, pattern_product

# --- by factors -------------------------------------------------------------------------------------------


class Factors:
    """The LU factors of the matrix with a pattern, kept for the transposed and further systems."""

    def __init__(self, pattern: Pattern, ordering: str | None) -> None:
        self.pattern = pattern
        self.ordering = ordering
        self.known: tuple[Any, Any] | None = None

    def __repr__(self) -> str:
        return f"<factors of {self.pattern!r}>"

    def factor(self, data: Any) -> Any:
        """Return SuperLU's factors, None for a singular matrix."""
        known = self.known
        if known is None or known[0].dtype != data.dtype or not np.array_equal(known[0], data):
            matrix = self.pattern.matrix(data).tocsc()
            matrix.sum_duplicates()
            try:
                found = ssl.splu(matrix, permc_spec=self.ordering)
            except RuntimeError:
                warnings.warn("Matrix is exactly singular", ssl.MatrixRankWarning, stacklevel=2)
                found = None
            self.known = known = (np.array(data), found)
        return known[1]

    def solve(self, data: Any, b: Any, transposed: bool) -> Any:
        """Solve for a right-hand side of any kind."""
        dtype = np.result_type(data, b)
        factor = self.factor(data)
        if factor is None:
            return np.full(b.shape, np.nan, dtype)
        return by_factor(factor, b, "T" if transposed else "N", data.dtype).astype(dtype)


def by_factor(factor: Any, b: Any, trans: str, dtype: Any) -> Any:
    """Solve with factors of a `dtype`, which may be real where `b` is complex."""
    if np.iscomplexobj(b) and dtype.kind != "c":
        return factor.solve(b.real.astype(dtype), trans) + 1j * factor.solve(b.imag.astype(dtype), trans)
    return factor.solve(np.ascontiguousarray(b, np.result_type(dtype, np.float32)), trans)


def _sparse_solve(data: Any, b: Any, *, factors: Factors, transposed: bool) -> Any:
    if data.ndim == 1 and b.ndim <= 2:
        return factors.solve(data, b, transposed) if b.size else np.zeros(b.shape, np.result_type(data, b))
    vector = b.ndim == 1
    b = b[:, None] if vector else b
    lead = np.broadcast_shapes(data.shape[:-1], b.shape[:-2])
    data = np.broadcast_to(data, (*lead, data.shape[-1]))
    b = np.broadcast_to(b, (*lead, *b.shape[-2:]))
    out = np.empty(b.shape, np.result_type(data, b))
    for n in np.ndindex(lead):
        out[n] = factors.solve(data[n], b[n], transposed)
    return out[..., 0] if vector else out


def _apply_pattern(t: Any, x: Any, *, factors: Factors, transposed: bool) -> Any:
    pattern = factors.pattern
    return pattern_product(t, x, pattern=pattern.T if transposed else pattern)


def regular(rng: np.random.Generator, n: int = 4) -> tuple[Pattern, Any]:
    """Draw a sparse matrix far from singular, on a pattern that is always the same, for the tests."""
    extra = np.random.default_rng(0).permutation(n * n)[:n]
    rows, columns = np.divmod(extra, n)
    places = np.arange(n)
    pattern = Pattern(np.concatenate([places, rows]), np.concatenate([places, columns]), (n, n))
    return pattern, np.concatenate([rng.uniform(4, 5, n), rng.standard_normal(n)])


def _solve_samples(rng: np.random.Generator) -> Any:
    pattern, data = regular(rng)
    normal = rng.standard_normal
    params: dict[str, Any] = {"factors": Factors(pattern, None), "transposed": False}
    stacked = np.stack([data, regular(rng)[1]])
    return [
        ((data, normal(4)), params),
        ((data, normal((4, 2))), {**params, "transposed": True}),
        ((stacked, normal((4, 2))), params),
        ((data, normal((2, 4, 1))), params),
        ((data + 0.3j * normal(8), normal(4) + 1j * normal(4)), params),
    ]


sparse_solve = solver(
    _sparse_solve,
    name="sparse_solve",
    apply=[_apply_pattern],
    turn=lambda data, *, factors, transposed: (
        (data,),
        {"factors": factors, "transposed": not transposed},
    ),
    ranks=(1,),
    samples=_solve_samples,
    doc="Solution of a system with a sparse matrix, given by its elements, by SuperLU.",
)


def _factor_samples(rng: np.random.Generator) -> Any:
    pattern, data = regular(np.random.default_rng(1))
    factor = ssl.splu(pattern.matrix(data).tocsc())
    params: dict[str, Any] = {"factor": factor, "dtype": data.dtype, "transposed": False}
    return [
        ((rng.standard_normal(4),), params),
        ((rng.standard_normal((4, 2)),), {**params, "transposed": True}),
    ]


def columns_batch(function: Function) -> Any:
    """Return the batch rule of a map of columns: the examples become columns."""

    def batch(values: Any, _flags: Any, size: int, **params: Any) -> Any:
        x = values[0]
        if len(x.shape) == 2:
            return transpose(function(transpose(x, axes=(1, 0)), **params), axes=(1, 0))
        n, k = x.shape[1:]
        out = function(reshape(transpose(x, axes=(1, 0, 2)), shape=(n, size * k)), **params)
        return transpose(reshape(out, shape=(out.shape[0], size, k)), axes=(1, 0, 2))

    return batch


factored_solve: Function = linear(
    lambda b, *, factor, dtype, transposed: by_factor(factor, b, "T" if transposed else "N", dtype),
    lambda g, _b, *, transposed, **params: factored_solve(g, transposed=not transposed, **params),
    batch=lambda values, flags, size, **params: columns_batch(factored_solve)(values, flags, size, **params),
    name="factored_solve",
    samples=_factor_samples,
    doc="Solution with SuperLU's factors, complete or incomplete.",
)

# --- what an iteration works with ---------------------------------------------------------------------------


class SparseSystem:
    """A sparse matrix given by its elements."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern

    def matrix(self, data: Any, transposed: bool) -> Any:
        """Return what SciPy's solvers take."""
        return (self.pattern.T if transposed else self.pattern).matrix(data)

    def product(self, t: Any, x: Any, transposed: bool) -> Any:
        """Product of the matrix with elements `t` and a vector."""
        out = pattern_product(t, column(x), pattern=self.pattern.T if transposed else self.pattern)
        return reshape(out, shape=out.shape[:-1])


class DenseSystem:
    """A dense matrix."""

    def matrix(self, data: Any, transposed: bool) -> Any:
        """Return what SciPy's solvers take."""
        return data.T if transposed else data

    def product(self, t: Any, x: Any, transposed: bool) -> Any:
        """Product of the matrix `t` and a vector."""
        return matmul(swap_last(t) if transposed else t, x)


class FixedSystem:
    """A plain matrix or `LinearOperator`, which has no elements to differentiate in."""

    def __init__(self, operator: Any) -> None:
        self.operator = operator

    def matrix(self, _data: Any, transposed: bool) -> Any:
        """Return what SciPy's solvers take."""
        return ssl.aslinearoperator(self.operator).T if transposed else self.operator

    def product(self, _t: Any, x: Any, transposed: bool) -> Any:
        """Product with the matrix without elements."""
        return np.zeros(self.operator.shape[1 if transposed else 0], x.dtype)


System = SparseSystem | DenseSystem | FixedSystem
NOTHING = np.zeros(0)
"""The elements of a `FixedSystem`."""


def _loop(function: Function) -> Any:
    def batch(values: Any, flags: Any, size: int, **params: Any) -> Any:
        found = [
            function(*(getitem(v, index=n) if f else v for v, f in zip(values, flags, strict=True)), **params)
            for n in range(size)
        ]
        return tuple(stack(*part, axis=0) for part in zip(*found, strict=True))

    return batch


# --- by iteration -------------------------------------------------------------------------------------------


SYMMETRIC = ("cg", "minres")
"""The methods for Hermitian matrices."""


def _iterate(
    data: Any, b: Any, *, system: System, method: str, options: Any, transposed: bool, primal: bool
) -> Any:
    given = dict(options)
    if not primal:  # SciPy's iterations start at zero, and a callback watches the user's system alone
        given = {k: v for k, v in given.items() if k not in ("x0", "callback", "callback_type")}
        if transposed and method not in SYMMETRIC:
            for name in ("M", "M1", "M2"):
                if given.get(name) is not None:
                    given[name] = ssl.aslinearoperator(given[name]).T
    if transposed and method in SYMMETRIC:  # the transpose of a Hermitian matrix is its conjugate
        x, info = getattr(ssl, method)(system.matrix(data, False), np.conj(b), **given)
        x = np.conj(x)
    else:
        x, info = getattr(ssl, method)(system.matrix(data, transposed), b, **given)
    if info and not primal:
        warnings.warn(
            f"{method} did not converge on the system of a derivative (info={info}): it is inaccurate. Allow more "
            "iterations, or a preconditioner.",
            RuntimeWarning,
            stacklevel=2,
        )
    dtype = np.result_type(data if data.size else b, b)
    return np.asarray(x).astype(dtype, copy=False), np.asarray(info)


def _iterate_jvp(
    t: Any, out: Any, data: Any, _b: Any, *, system: System, transposed: bool, **params: Any
) -> Any:
    moved = system.product(t, out[0], transposed)
    settings = {**params, "system": system, "transposed": transposed, "primal": False}
    return -iterative_solve(data, moved, **settings)[0], 0.0


def _iterate_transpose(g: Any, _out: Any, data: Any, _b: Any, *, transposed: bool, **params: Any) -> Any:
    settings = {**params, "transposed": not transposed, "primal": False}
    return iterative_solve(data, g[0], **settings)[0]


TIGHT = (("rtol", 1e-14),)


def _iterative_samples(rng: np.random.Generator) -> Any:
    pattern, data = regular(rng)
    normal = rng.standard_normal
    params: dict[str, Any] = {"transposed": False, "primal": True, "options": TIGHT}
    dense = normal((3, 3)) + 4 * np.eye(3)
    fixed = FixedSystem(regular(np.random.default_rng(1))[0].matrix(regular(np.random.default_rng(1))[1]))
    return [
        ((data, normal(4)), {**params, "system": SparseSystem(pattern), "method": "gmres"}),
        ((dense, normal(3)), {**params, "system": DenseSystem(), "method": "bicgstab"}),
        ((NOTHING, normal(4)), {**params, "system": fixed, "method": "gmres"}),
    ]


iterative_solve: Function = general(
    _iterate,
    jvps=[_iterate_jvp, None],
    transposes=[None, _iterate_transpose],
    batch=lambda values, flags, size, **params: _loop(iterative_solve)(values, flags, size, **params),
    name="iterative_solve",
    multiple_outputs=True,
    samples=_iterative_samples,
    doc="Solution of a system by one of SciPy's iterations, and its report of convergence.",
)

# --- least squares: x = P b with P the pseudoinverse (Golub and Pereyra 1973) -----------------------------------


def _least_squares(
    data: Any, b: Any, *, system: System, method: str, options: Any, transposed: bool, primal: bool
) -> Any:
    given = {k: v for k, v in options if primal or k != "x0"}
    found = getattr(ssl, method)(system.matrix(data, transposed), b, **given)
    dtype = np.result_type(data if data.size else b, b)
    estimates = np.asarray([float(found[k]) for k in (1, 2, 5, 6)])  # istop, itn, norm and condition of A
    return found[0].astype(dtype, copy=False), estimates.view(np.int64)


from_bits: Function = locally_constant(
    lambda x: np.ascontiguousarray(x).view(np.float64),
    name="from_bits",
    doc="Numbers that travel as integers, which have no derivative: an iteration's estimates.",
)


def _adjoint_solve(v: Any, data: Any, transposed: bool, **params: Any) -> Any:
    settings = {**params, "transposed": not transposed, "primal": False}
    return conjugate(sparse_least_squares(data, conjugate(v), **settings)[0])


def _least_squares_jvp(
    t: Any, out: Any, data: Any, b: Any, *, system: System, transposed: bool, **params: Any
) -> Any:
    settings = {**params, "system": system}
    x = out[0]

    def solve(v: Any) -> Any:
        return sparse_least_squares(data, v, **{**settings, "transposed": transposed, "primal": False})[0]

    def turned(elements: Any, v: Any) -> Any:
        return conjugate(system.product(elements, conjugate(v), not transposed))

    residual = b - system.product(data, x, transposed)
    back = turned(t, _adjoint_solve(x, data, transposed, **settings))
    total = back - solve(system.product(data, back, transposed)) - solve(system.product(t, x, transposed))
    return total + solve(_adjoint_solve(turned(t, residual), data, transposed, **settings)), 0.0


def _least_squares_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    tight = (("atol", 1e-15), ("btol", 1e-15))
    params: dict[str, Any] = {"transposed": False, "primal": True, "options": tight, "method": "lsqr"}
    tall = Pattern([0, 1, 2, 3, 0], [0, 1, 0, 1, 1], (4, 2))
    return [
        ((normal(5) + 2, normal(4)), {**params, "system": SparseSystem(tall)}),
        ((normal((3, 2)), normal(3)), {**params, "system": DenseSystem()}),
        ((normal((2, 3)), normal(2)), {**params, "system": DenseSystem()}),
    ]


def _least_squares_transpose(
    g: Any, _out: Any, data: Any, _b: Any, *, transposed: bool, **params: Any
) -> Any:
    settings = {**params, "transposed": not transposed, "primal": False}
    return sparse_least_squares(data, g[0], **settings)[0]


sparse_least_squares: Function = general(
    _least_squares,
    jvps=[_least_squares_jvp, None],
    transposes=[None, _least_squares_transpose],
    batch=lambda values, flags, size, **params: _loop(sparse_least_squares)(values, flags, size, **params),
    name="sparse_least_squares",
    multiple_outputs=True,
    samples=_least_squares_samples,
    doc="Least-squares solution of least norm by one of SciPy's iterations, and its estimates.",
)

# --- exponentials -----------------------------------------------------------------------------------------------


def _expm_samples(rng: np.random.Generator) -> Any:
    pattern, data = regular(np.random.default_rng(1))
    matrix = pattern.matrix(data / 4)
    return [
        ((rng.standard_normal(4),), {"matrix": matrix}),
        ((rng.standard_normal((4, 2)),), {"matrix": matrix}),
    ]


expm_product: Function = linear(
    lambda x, *, matrix: ssl.expm_multiply(matrix, x),
    lambda g, _x, *, matrix: expm_product(g, matrix=matrix.T),
    batch=lambda values, flags, size, *, matrix: columns_batch(expm_product)(
        values, flags, size, matrix=matrix
    ),
    name="expm_product",
    samples=_expm_samples,
    doc="Product of the exponential of a plain matrix with vectors.",
)
