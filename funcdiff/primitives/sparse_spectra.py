"""A few eigenvalues and eigenvectors of sparse matrices, found by iteration.

With ``A v = w M v`` and the vectors normalized in M, ``dw = vᴴ (dA) v``; the tangent of a vector solves its bordered system

    [ A - w M   M V ] [ y ]   [ -dA v ]
    [ (M V)ᴴ     0  ] [ * ] = [   0   ]

in the complement of the vectors V that were found, and among these turns as those of a full decomposition do.  The border
makes the system regular, also where eigenvalues within V are equal (Nelson, "Simplified calculation of eigenvector
derivatives", 1976; Andrew, Chu and Lancaster 1993).  A matrix that is not Hermitian is bordered by one vector at a time, and the
last unknown is the eigenvalue's tangent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse.linalg as ssl

from funcdiff.core.declare import general
from funcdiff.core.primitive import Function
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.linalg.common import adjoint, inverse_gaps, real_part, sum_rows
from funcdiff.primitives.product import conjugate, matmul
from funcdiff.primitives.shape import astype, concatenate, reshape, stack
from funcdiff.primitives.sparse_patterns import Pattern, pattern_of, pattern_product
from funcdiff.primitives.sparse_systems import Factors, regular, sparse_solve


class Search:
    """Which pairs are looked for, and how: a name of SciPy's, its options, and the mass matrix M, if any."""

    def __init__(self, name: str, mass: Any = None, **options: Any) -> None:
        self.name = name
        self.mass = mass
        self.options = options

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def of_mass(self, v: Any) -> Any:
        """Return ``M v``."""
        return v if self.mass is None else self.mass @ v

    def elements_of_mass(self, n: int) -> tuple[Pattern, Any]:
        """Return the pattern and the elements of M."""
        if self.mass is None:
            return Pattern(np.arange(n), np.arange(n), (n, n)), np.ones(n)
        return pattern_of(self.mass)

    def find(self, matrix: Any) -> tuple[Any, Any]:
        """Return eigenvalues and eigenvectors."""
        options, mass = dict(self.options), self.mass
        if matrix.dtype.char not in "fdFD":
            raise TypeError(f"array type {matrix.dtype} is unsupported in scipy.sparse.linalg")
        if mass is not None and mass.dtype.kind != "c" and matrix.dtype.kind == "f":
            mass = mass.astype(matrix.dtype)  # else SciPy warns of mixed precision
        if self.name == "svds":
            return _singular_pairs(matrix, options)
        if self.name == "lobpcg":
            w, v = ssl.lobpcg(matrix, options.pop("X"), B=mass, **options)
        else:
            w, v = getattr(ssl, self.name)(matrix, M=mass, **options)
        return w, v


def _singular_pairs(matrix: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """Return the singular values of the block of a matrix ``[[0, A], [Aᴴ, 0]]``, and its eigenvectors ``[u; v] / √2``."""
    rows = options.pop("rows")
    u, s, vh = ssl.svds(matrix[:rows, rows:], **options)
    return s, np.concatenate([u, vh.conj().T]) * np.asarray(0.5, s.dtype) ** 0.5


def _bordered(pattern: Pattern, masses: Pattern, k: int) -> Pattern:
    n = pattern.shape[0]
    places, border = np.repeat(np.arange(n), k), np.tile(np.arange(n, n + k), n)
    rows = np.concatenate([pattern.rows, masses.rows, places, border])
    columns = np.concatenate([pattern.columns, masses.columns, border, places])
    return Pattern(rows, columns, (n + k, n + k))


def _solve_bordered(data: Any, w: Any, right: Any, left: Any, moved: Any, params: Any) -> Any:
    """Solve ``[[A - w M, right], [leftᴴ, 0]]`` for minus a column."""
    pattern, search = params
    masses, mass = search.elements_of_mass(pattern.shape[0])
    k = right.shape[1]
    parts = [
        data,
        -w * mass,
        reshape(right, shape=(right.size,)),
        conjugate(reshape(left, shape=(left.size,))),
    ]
    dtype = np.result_type(*(part.dtype for part in parts))
    elements = concatenate(*(astype(part, dtype=dtype) for part in parts), axis=0)
    known = concatenate(astype(-moved, dtype=dtype), np.zeros(k, dtype), axis=0)
    factors = Factors(_bordered(pattern, masses, k), None)
    return sparse_solve(elements, known, factors=factors, transposed=False)


# --- Hermitian matrices -------------------------------------------------------------------------------------


def _hermitian(matrix: Any) -> Any:
    return (matrix + matrix.conj().T) * np.asarray(0.5, matrix.dtype)


def _hermitian_pairs(data: Any, *, pattern: Pattern, search: Search) -> Any:
    return search.find(_hermitian(pattern.matrix(data)))


def _twice(data: Any, pattern: Pattern) -> tuple[Any, Pattern]:
    """Return the elements of the Hermitian part."""
    rows = np.concatenate([pattern.rows, pattern.columns])
    columns = np.concatenate([pattern.columns, pattern.rows])
    return concatenate(data * 0.5, conjugate(data) * 0.5, axis=0), Pattern(rows, columns, pattern.shape)


def _hermitian_jvp(t: Any, out: Any, data: Any, *, pattern: Pattern, search: Search) -> Any:
    w, v = out
    data, both = _twice(data, pattern)
    t, _ = _twice(t, pattern)
    n, k = v.shape
    moved = pattern_product(t, v, pattern=both)
    among = matmul(adjoint(v), moved)
    massed = search.of_mass(v)
    beyond = [
        _solve_bordered(
            data,
            getitem(w, index=i),
            massed,
            massed,
            getitem(moved, index=(slice(None), i)),
            (both, search),
        )
        for i in range(k)
    ]
    outside = getitem(stack(*beyond, axis=1), index=slice(0, n))
    return real_part(sum_rows(conjugate(v) * moved)), matmul(v, among * inverse_gaps(w, n)) + outside


def _symmetric(rng: np.random.Generator) -> tuple[Pattern, Any]:
    """Draw a matrix with eigenvalues near 1, 2, 4 and 7."""
    pattern, data = regular(rng)
    diagonal = np.array([1.0, 2.0, 4.0, 7.0]) + rng.uniform(-0.1, 0.1, 4)
    return pattern, np.concatenate([diagonal, data[4:] * 0.1])


def _hermitian_samples(rng: np.random.Generator) -> Any:
    pattern, data = _symmetric(rng)
    start = np.linspace(0.3, 1.0, 4)
    mass = Pattern(np.arange(4), np.arange(4), (4, 4)).matrix(np.linspace(1.0, 1.3, 4))
    block = Pattern([0, 1, 2, 1], [3, 4, 5, 6], (7, 7))  # of a 3 x 4 matrix
    upper = np.array([4.0, 1.0, 2.0, 0.5]) + 0.1 * rng.standard_normal(4)
    return [
        ((data,), {"pattern": pattern, "search": Search("eigsh", k=2, which="LA", v0=start)}),
        ((data,), {"pattern": pattern, "search": Search("eigsh", mass, k=1, sigma=0.5, v0=start)}),
        (
            (upper,),
            {
                "pattern": block,
                "search": Search("svds", rows=3, k=1, v0=start[:3], solver="arpack"),
            },
        ),
    ]


def _loop(name: str) -> Callable[..., Any]:
    def batch(values: Any, _flags: Any, size: int, **params: Any) -> Any:
        from funcdiff.core.primitive import REGISTRY

        found = [REGISTRY[name].function(getitem(values[0], index=n), **params) for n in range(size)]
        return tuple(stack(*part, axis=0) for part in zip(*found, strict=True))

    return batch


hermitian_pairs: Function = general(
    _hermitian_pairs,
    jvps=[_hermitian_jvp],
    batch=_loop("hermitian_pairs"),
    name="hermitian_pairs",
    multiple_outputs=True,
    samples=_hermitian_samples,
    doc="A few eigenvalues and eigenvectors of the Hermitian part of a sparse matrix.",
)


def _hermitian_values(data: Any, *, pattern: Pattern, search: Search) -> Any:
    return _hermitian_pairs(data, pattern=pattern, search=search)[0]


def _hermitian_values_jvp(t: Any, _out: Any, data: Any, *, pattern: Pattern, search: Search) -> Any:
    _, v = hermitian_pairs(data, pattern=pattern, search=search)
    t, both = _twice(t, pattern)
    return real_part(sum_rows(conjugate(v) * pattern_product(t, v, pattern=both)))


hermitian_values: Function = general(
    _hermitian_values,
    jvps=[_hermitian_values_jvp],
    batch=lambda values, _flags, size, **params: stack(
        *(hermitian_values(getitem(values[0], index=n), **params) for n in range(size)), axis=0
    ),
    name="hermitian_values",
    samples=_hermitian_samples,
    doc="A few eigenvalues of the Hermitian part of a sparse matrix.",
)

# --- other matrices -----------------------------------------------------------------------------------------


def _general_pairs(data: Any, *, pattern: Pattern, search: Search) -> Any:
    return search.find(pattern.matrix(data))


def _general_jvp(t: Any, out: Any, data: Any, *, pattern: Pattern, search: Search) -> Any:
    w, v = out
    n, k = v.shape
    moved, massed = pattern_product(t, v, pattern=pattern), search.of_mass(v)
    found = []
    for i in range(k):
        beside = getitem(massed, index=(slice(None), slice(i, i + 1)))
        column = getitem(moved, index=(slice(None), i))
        found.append(_solve_bordered(data, getitem(w, index=i), -beside, beside, column, (pattern, search)))
    both = stack(*found, axis=1)
    return getitem(both, index=n), getitem(both, index=slice(0, n))


def _general_samples(rng: np.random.Generator) -> Any:
    pattern, data = _symmetric(rng)
    start = np.linspace(0.3, 1.0, 4)
    return [((data,), {"pattern": pattern, "search": Search("eigs", k=2, which="LM", v0=start)})]


general_pairs: Function = general(
    _general_pairs,
    jvps=[_general_jvp],
    batch=_loop("general_pairs"),
    name="general_pairs",
    multiple_outputs=True,
    samples=_general_samples,
    doc="A few eigenvalues and eigenvectors of a sparse matrix.",
)
