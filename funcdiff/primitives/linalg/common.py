"""What the rules of linear algebra share: adjoints, one-triangle matrices, guarded reciprocals."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import elementwise, locally_constant
from funcdiff.core.primitive import Function
from funcdiff.primitives.product import column, conjugate, row, swap_last
from funcdiff.primitives.reduction import sum_
from funcdiff.primitives.shape import imag, real


def adjoint(x: Any) -> Any:
    """Conjugate transpose of the last two axes."""
    return conjugate(swap_last(x))


def real_part(x: Any) -> Any:
    """Real part, which for a real array is the array itself."""
    return real(x) if x.dtype.kind == "c" else x


def imaginary_part(x: Any) -> Any:
    """Imaginary part of a complex array."""
    return imag(x)


def real_dtype(x: Any) -> Any:
    """Return the real dtype of the same precision, so that float32 stays float32."""
    return np.finfo(x.dtype).dtype


def sum_rows(x: Any) -> Any:
    """Sum over the second-to-last axis, the entries of each column."""
    return sum_(x, axis=(len(x.shape) - 2,), keepdims=False)


def sum_matrix(x: Any) -> Any:
    """Sum over the last two axes."""
    return sum_(x, axis=(len(x.shape) - 2, len(x.shape) - 1), keepdims=False)


def over_matrix(x: Any) -> Any:
    """Append two axes of length one: a stack of numbers to multiply a stack of matrices with."""
    return column(column(x))


def eye_like(x: Any) -> Any:
    """Identity that fits the last axis of `x`, in its real dtype."""
    return np.eye(x.shape[-1], dtype=real_dtype(x))


def triangle_like(x: Any, lower: bool, diagonal: float) -> Any:
    """Mask of the strict lower or upper triangle, with a weight on the diagonal."""
    dtype = real_dtype(x)
    mask = np.tri(x.shape[-1], k=-1, dtype=dtype)
    return (mask if lower else mask.T) + np.eye(x.shape[-1], dtype=dtype) * diagonal


def hermitian(x: Any, lower: bool) -> Any:
    """Return the Hermitian matrix whose `lower` (or upper) triangle is that of `x`."""
    half = x * triangle_like(x, lower, 0.5)
    return half + adjoint(half)


def hermitian_part(x: Any) -> Any:
    """Return the nearest Hermitian matrix."""
    return (x + adjoint(x)) * 0.5


def fold(g: Any, lower: bool) -> Any:
    """Transpose of `hermitian`: a cotangent that lies on the triangle that was read."""
    return (g + adjoint(g)) * triangle_like(g, lower, 0.5)


def stacked(name: str) -> Function:
    """Return the batch rule of a primitive of one stack of matrices: the batch joins the stack."""
    from funcdiff.core.primitive import REGISTRY

    def batch(values: Any, _flags: Any, _size: int, **params: Any) -> Any:
        return REGISTRY[name].function(*values, **params)

    return batch


# --- guarded reciprocals ----------------------------------------------------------------------------


def _reciprocal_or_zero(x: Any, cutoff: Any) -> Any:
    small = np.abs(x) <= cutoff
    return np.where(small, 0, 1 / np.where(small, 1, x))[()]


reciprocal_or_zero = elementwise(
    _reciprocal_or_zero,
    [lambda out, _x, _cutoff: -out * out, 0],
    name="reciprocal_or_zero",
    samples=lambda rng: [
        ((rng.uniform(0.5, 2.0, (2, 3)), np.full((2, 1), 1e-9)), {}),
        ((np.array([0.1, 2.0, -3.0]), 0.5), {}),
    ],
    holomorphic=True,
    doc="``1 / x``, but 0, with derivative 0, where ``|x| <= cutoff``.",
)


def _rounding(x: Any, *, size: int) -> Any:
    top = np.max(np.abs(x), axis=-1, keepdims=True, initial=0)
    return top * (size * float(np.finfo(x.dtype).eps))


rounding = locally_constant(
    _rounding,
    batch=stacked("rounding"),
    name="rounding",
    samples=lambda rng: [((rng.standard_normal((2, 3)),), {"size": 3})],
    doc="""The error that LAPACK makes in the spectrum `x` of a matrix with `size` rows: ``size * eps * max|x|``.

    Its algorithms are backward stable: they return the spectrum of a matrix that differs by that much in
    norm.  Values closer than that cannot be told from equal ones, and zero from less than that; it is
    also the tolerance of `numpy.linalg.matrix_rank`.""",
)


def inverse_gaps(w: Any, size: int) -> Any:
    """Return ``1 / (w[j] - w[i])``, and 0 between values that are equal up to rounding.

    Ten times the rounding error, because LAPACK's bound has a modest constant.  Nothing is lost: vectors
    whose values are that close are wrong in the first digit anyway, by the error over the gap.
    """
    return reciprocal_or_zero(row(w) - column(w), column(rounding(w, size=10 * size)))
