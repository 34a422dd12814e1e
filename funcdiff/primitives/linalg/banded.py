"""Matrices of diagonals in LAPACK's storage: ``ab[upper + i - j, j] = a[i, j]``."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from funcdiff.core.alignment import align
from funcdiff.core.declare import general, linear, multilinear
from funcdiff.core.primitive import Function
from funcdiff.primitives.linalg.common import adjoint, hermitian, stacked, triangle_like
from funcdiff.primitives.linalg.solve import inv_or_nan
from funcdiff.primitives.linalg.systems import solver
from funcdiff.primitives.product import conjugate, matmul


def _diagonals(lower: int, upper: int, n: int) -> Any:
    """Yield for each stored row the columns it has, and the matrix rows these stand in."""
    for r in range(lower + upper + 1):
        shift = r - upper  # i - j
        start, stop = max(0, -shift), min(n, n - shift)
        if start < stop:
            yield r, slice(start, stop), slice(start + shift, stop + shift)


# --- between storages -----------------------------------------------------------------------------------


def _bands_to_dense(ab: Any, *, lower: int, upper: int) -> Any:
    n = ab.shape[-1]
    out = np.zeros((*ab.shape[:-2], n, n), ab.dtype)
    place = np.arange(n)
    for r, columns, rows in _diagonals(lower, upper, n):
        out[..., place[rows], place[columns]] = ab[..., r, columns]
    return out


def _dense_to_bands(a: Any, *, lower: int, upper: int) -> Any:
    n = a.shape[-1]
    out = np.zeros((*a.shape[:-2], lower + upper + 1, n), a.dtype)
    place = np.arange(n)
    for r, columns, rows in _diagonals(lower, upper, n):
        out[..., r, columns] = a[..., place[rows], place[columns]]
    return out


bands_to_dense: Function = linear(
    _bands_to_dense,
    lambda g, _ab, *, lower, upper: dense_to_bands(g, lower=lower, upper=upper),
    batch=stacked("bands_to_dense"),
    name="bands_to_dense",
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)),), {"lower": 1, "upper": 1}),
        ((rng.standard_normal((2, 3, 3)),), {"lower": 0, "upper": 2}),
    ],
    doc="The matrix with the stored diagonals.",
)
dense_to_bands: Function = linear(
    _dense_to_bands,
    lambda g, _a, *, lower, upper: bands_to_dense(g, lower=lower, upper=upper),
    batch=stacked("dense_to_bands"),
    name="dense_to_bands",
    samples=lambda rng: [
        ((rng.standard_normal((4, 4)),), {"lower": 1, "upper": 1}),
        ((rng.standard_normal((2, 3, 3)),), {"lower": 2, "upper": 0}),
    ],
    doc="The storage of a matrix's diagonals.",
)

# --- products: the bands of a, and of the outer product that is its cotangent ----------------------------


def _banded_product(ab: Any, x: Any, *, lower: int, upper: int, transposed: bool) -> Any:
    lead = np.broadcast_shapes(ab.shape[:-2], x.shape[:-2])
    out = np.zeros((*lead, *x.shape[-2:]), np.result_type(ab, x))
    for r, columns, rows in _diagonals(lower, upper, ab.shape[-1]):
        read, written = (rows, columns) if transposed else (columns, rows)
        out[..., written, :] += ab[..., r, columns, None] * x[..., read, :]
    return out


def _banded_outer(g: Any, x: Any, *, lower: int, upper: int) -> Any:
    lead = np.broadcast_shapes(g.shape[:-2], x.shape[:-2])
    out = np.zeros((*lead, lower + upper + 1, x.shape[-2]), np.result_type(g, x))
    for r, columns, rows in _diagonals(lower, upper, x.shape[-2]):
        out[..., r, columns] = np.sum(g[..., rows, :] * x[..., columns, :], axis=-1)
    return out


def _product_bands_transpose(g: Any, _ab: Any, x: Any, *, lower: int, upper: int, transposed: bool) -> Any:
    return banded_outer(*((x, g) if transposed else (g, x)), lower=lower, upper=upper)


def _product_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    bands = {"lower": 1, "upper": 2}
    z = normal((2, 3)) + 1j * normal((2, 3))
    return [
        ((normal((4, 5)), normal((5, 2))), {**bands, "transposed": False}),
        ((normal((4, 5)), normal((5, 2))), {**bands, "transposed": True}),
        ((normal((2, 4, 3)), normal((3, 2))), {**bands, "transposed": False}),
        ((normal((4, 3)), normal((2, 3, 2))), {**bands, "transposed": True}),
        ((normal((4, 2)), normal((2, 1))), {**bands, "transposed": False}),
        ((z, z.T), {"lower": 1, "upper": 0, "transposed": False}),
    ]


banded_product: Function = multilinear(
    _banded_product,
    [
        _product_bands_transpose,
        lambda g, ab, _x, *, lower, upper, transposed: banded_product(
            ab, g, lower=lower, upper=upper, transposed=not transposed
        ),
    ],
    batch=lambda values, flags, size, **params: banded_product(*align(values, flags), **params),
    name="banded_product",
    samples=_product_samples,
    doc="Product of a matrix of diagonals, or its transpose, with a stack of matrices.",
)
banded_outer: Function = multilinear(
    _banded_outer,
    [
        lambda c, _g, x, *, lower, upper: banded_product(c, x, lower=lower, upper=upper, transposed=False),
        lambda c, g, _x, *, lower, upper: banded_product(c, g, lower=lower, upper=upper, transposed=True),
    ],
    batch=lambda values, flags, size, **params: banded_outer(*align(values, flags), **params),
    name="banded_outer",
    samples=lambda rng: [
        ((rng.standard_normal((4, 2)), rng.standard_normal((4, 2))), {"lower": 1, "upper": 2}),
        ((rng.standard_normal((2, 3, 1)), rng.standard_normal((3, 1))), {"lower": 0, "upper": 1}),
    ],
    doc="Stored diagonals of ``g @ x.T``.",
)

# --- systems --------------------------------------------------------------------------------------------


def _turned(ab: Any, lower: int, upper: int) -> Any:
    """Return the storage of the transposed matrix."""
    n = ab.shape[-1]
    out = np.zeros_like(ab)
    for r, columns, rows in _diagonals(lower, upper, n):
        out[..., lower + upper - r, rows] = ab[..., r, columns]
    return out


def _solve_banded(ab: Any, b: Any, *, lower: int, upper: int, transposed: bool) -> Any:
    if transposed:
        ab, lower, upper = _turned(ab, lower, upper), upper, lower
    return scipy.linalg.solve_banded((lower, upper), ab, b, check_finite=False)


def band_sample(rng: np.random.Generator, lower: int, upper: int, n: int, *lead: int) -> Any:
    """Draw bands of a matrix far from singular, for the tests."""
    ab = rng.standard_normal((*lead, lower + upper + 1, n))
    ab[..., upper, :] += 5
    return ab


def _banded_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    bands = {"lower": 1, "upper": 2, "transposed": False}
    tridiagonal = {"lower": 1, "upper": 1, "transposed": False}
    z = band_sample(rng, 1, 1, 3) + 1j * normal((3, 3))
    return [
        ((band_sample(rng, 1, 2, 4), normal(4)), bands),
        ((band_sample(rng, 1, 2, 4), normal((4, 2))), {**bands, "transposed": True}),
        ((band_sample(rng, 1, 1, 4), normal((4, 2))), tridiagonal),
        ((band_sample(rng, 1, 1, 3, 2), normal((3, 2))), tridiagonal),
        ((band_sample(rng, 1, 1, 3), normal((2, 3, 2))), tridiagonal),
        ((z, normal((3, 1)) + 1j * normal((3, 1))), tridiagonal),
    ]


solve_banded = solver(
    _solve_banded,
    name="solve_banded",
    apply=[banded_product],
    turn=lambda ab, *, transposed, **params: ((ab,), {**params, "transposed": not transposed}),
    ranks=(2,),
    samples=_banded_samples,
    doc="Solution of a system whose matrix is given by its diagonals.",
)


def hermitian_product(t: Any, x: Any, *, lower: bool) -> Any:
    """Product of a Hermitian matrix, given by the diagonals of one triangle, with a stack of matrices."""
    count = t.shape[-2]
    weight = np.ones((count, 1), t.dtype.type(0).real.dtype)
    weight[0 if lower else -1] = 0.5  # the diagonal is in both halves
    half = t * weight
    bands = {"lower": count - 1 if lower else 0, "upper": 0 if lower else count - 1}
    first = banded_product(half, x, **bands, transposed=False)
    return first + banded_product(conjugate(half), x, **bands, transposed=True)


def _solveh_banded(ab: Any, b: Any, *, lower: bool) -> Any:
    return scipy.linalg.solveh_banded(ab, b, lower=lower, check_finite=False)


def definite_bands(rng: np.random.Generator, lower: bool, n: int, *lead: int, count: int = 2) -> Any:
    """Draw bands of a positive definite matrix, for the tests."""
    ab = rng.standard_normal((*lead, count, n)) / 2
    ab[..., 0 if lower else -1, :] += 4
    return ab


def _hermitian_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    z = definite_bands(rng, True, 3) + 0j
    z[1] += 1j * normal(3)
    return [
        ((definite_bands(rng, True, 4), normal(4)), {"lower": True}),
        ((definite_bands(rng, False, 4, count=3), normal((4, 2))), {"lower": False}),
        ((definite_bands(rng, False, 3, 2), normal((3, 2))), {"lower": False}),
        ((z, normal((3, 2)) + 1j * normal((3, 2))), {"lower": True}),
    ]


solveh_banded = solver(
    _solveh_banded,
    name="solveh_banded",
    apply=[hermitian_product],
    turn=lambda ab, *, lower: ((conjugate(ab),), {"lower": lower}),
    ranks=(2,),
    samples=_hermitian_samples,
    doc="Solution of a positive definite system, given by the diagonals of one triangle of its matrix.",
)

# --- Cholesky factor: as the dense one's (Murray 2016), of which the band is kept ----------------------------


def _cholesky_banded(ab: Any, *, lower: bool) -> Any:
    return scipy.linalg.cholesky_banded(ab, lower=lower, check_finite=False)


def _cholesky_banded_jvp(t: Any, out: Any, _ab: Any, *, lower: bool) -> Any:
    count = out.shape[-2]
    bands = {"lower": count - 1 if lower else 0, "upper": 0 if lower else count - 1}
    factor = bands_to_dense(out, **bands)
    change = hermitian(bands_to_dense(t, **bands), lower)
    factor = factor if lower else adjoint(factor)
    inverse = inv_or_nan(factor)
    change = matmul(matmul(inverse, change), adjoint(inverse))
    moved = matmul(factor, change * triangle_like(change, True, 0.5))
    return dense_to_bands(moved if lower else adjoint(moved), **bands)


def _factor_samples(rng: np.random.Generator) -> Any:
    z = definite_bands(rng, True, 3) + 0j
    z[1] += 1j * rng.standard_normal(3)
    return [
        ((clean(definite_bands(rng, True, 4, count=3), True),), {"lower": True}),
        ((clean(definite_bands(rng, False, 4), False),), {"lower": False}),
        ((clean(definite_bands(rng, True, 3, 2), True),), {"lower": True}),
        ((clean(z, True),), {"lower": True}),
    ]


def clean(ab: Any, lower: bool) -> Any:
    """Zero what is stored outside the matrix."""
    count = ab.shape[-2]
    bands = {"lower": count - 1 if lower else 0, "upper": 0 if lower else count - 1}
    return _dense_to_bands(_bands_to_dense(ab, **bands), **bands)


def _cholesky_banded_clean(ab: Any, *, lower: bool) -> Any:
    return clean(_cholesky_banded(ab, lower=lower), lower)


cholesky_banded = general(
    _cholesky_banded_clean,
    jvps=[_cholesky_banded_jvp],
    batch=stacked("cholesky_banded"),
    name="cholesky_banded",
    samples=_factor_samples,
    doc="""Cholesky factor of a positive definite matrix, both given by the diagonals of one triangle.

    Its derivative passes through dense matrices.  What is stored outside the matrix is zero.""",
)
