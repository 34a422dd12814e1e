"""Matrices made of given elements: SciPy places the elements' numbers, and the elements follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as sl

from funcdiff.core.recording import concrete
from funcdiff.numpy._arguments import as_array, to_dtype
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.product import conjugate
from funcdiff.primitives.shape import broadcast_to, concatenate, reshape
from funcdiff.scipy._protocol import follows, inexact, over_stacks


def _placed(function: Callable[..., Any], *parts: Any) -> Any:
    """Return what a function that only moves the elements of vectors makes of them, where it puts zeros too."""
    lead = np.broadcast_shapes(*(part.shape[:-1] for part in parts))
    dtype = np.result_type(*(part.dtype for part in parts))
    values = [np.zeros((*lead, 1), dtype)]
    numbers = []
    for part in parts:
        first = sum(v.shape[-1] for v in values)
        numbers.append(np.arange(first, first + part.shape[-1]))
        values.append(broadcast_to(to_dtype(part, dtype), shape=(*lead, part.shape[-1])))
    index = np.asarray(function(*numbers)).astype(np.intp)
    return getitem(concatenate(*values, axis=len(lead)), index=(Ellipsis, index))


def _vector(x: Any) -> Any:
    x = as_array(x)
    return x if x.shape else reshape(x, shape=(1,))


@follows(sl.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """Toeplitz matrix with first column `c` and first row `r`, whose first element is not read."""
    c = _vector(c)
    return _placed(sl.toeplitz, c, conjugate(c) if r is None else _vector(r))


@follows(sl.circulant)
def circulant(c: Any) -> Any:
    """Circulant matrix with first column `c`."""
    return _placed(sl.circulant, _vector(c))


@follows(sl.hankel)
def hankel(c: Any, r: Any = None) -> Any:
    """Hankel matrix with first column `c` and last row `r`, whose first element is not read."""
    c = _vector(c)
    if r is None:
        zero = np.zeros(c.shape[-1], int)
        return _placed(lambda n: sl.hankel(n, zero), c)
    return _placed(sl.hankel, c, _vector(r))


@follows(sl.leslie)
def leslie(f: Any, s: Any) -> Any:
    """Leslie matrix of fecundities `f` and survivals `s`."""
    return _placed(sl.leslie, _vector(f), _vector(s))


@follows(sl.diagsvd)
def diagsvd(s: Any, M: int, N: int) -> Any:
    """Diagonal matrix of given shape with singular values `s`."""
    return _placed(lambda n: sl.diagsvd(n, M, N), _vector(s))


@follows(sl.convolution_matrix)
def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """Toeplitz matrix that convolves a vector of length `n` with `a`."""
    return _placed(lambda k: sl.convolution_matrix(k, n, mode), _vector(a))


def _of_polynomial(function: Callable[..., Any], a: Any) -> Any:
    """Place ones and the coefficients of the monic polynomial, negated; `function` makes integers of integers."""
    a = inexact(_vector(a))
    tail = -a[..., 1:] / a[..., :1]
    ones = np.ones((*a.shape[:-1], 1), tail.dtype)

    def place(one: Any, coefficients: Any) -> Any:
        found = np.rint(function(np.concatenate([one, -coefficients]).astype(float)))
        return np.where(found < 0, -found, found)

    return _placed(lambda one, rest: place(one, rest), ones, tail)


@follows(sl.companion)
def companion(a: Any) -> Any:
    """Companion matrix of the polynomial with coefficients `a`, the leading one first."""
    return _of_polynomial(sl.companion, a)


@follows(sl.fiedler_companion)
def fiedler_companion(a: Any) -> Any:
    """Fiedler companion matrix of the polynomial with coefficients `a`, the leading one first."""
    return _of_polynomial(sl.fiedler_companion, a)


@follows(sl.fiedler)
def fiedler(a: Any) -> Any:
    """Matrix of distances ``|a[i] - a[j]|``."""
    a = _vector(a)
    return np.abs(a[..., :, None] - a[..., None, :])


@follows(sl.block_diag)
def block_diag(*arrs: Any) -> Any:
    """Matrix, or stack of them, with the given blocks on its diagonal."""
    blocks = [np.atleast_2d(as_array(x)) for x in arrs] or [np.zeros((1, 0))]
    lead = np.broadcast_shapes(*(x.shape[:-2] for x in blocks))
    width = sum(x.shape[-1] for x in blocks)
    rows, left = [], 0
    for x in blocks:
        m, n = x.shape[-2:]
        x = broadcast_to(x, shape=(*lead, m, n))
        before, after = (np.zeros((*lead, m, k), x.dtype) for k in (left, width - left - n))
        rows.append(concatenate(before, x, after, axis=len(lead) + 1))
        left += n
    return concatenate(*rows, axis=len(lead))


@follows(sl.clarkson_woodruff_transform)
def clarkson_woodruff_transform(
    input_matrix: Any, sketch_size: int, rng: Any = None, *, seed: Any = None
) -> Any:
    """Sketch of a matrix: its product with a random sparse one, which does not depend on it."""
    x = as_array(input_matrix)
    random = {"rng": rng} if seed is None else {"seed": seed}
    sketch = sl.clarkson_woodruff_transform(np.eye(x.shape[-2]), sketch_size, **random)
    return np.matmul(sketch.astype(x.dtype.type(0).real.dtype), x)


@follows(sl.cdf2rdf)
@over_stacks(1, 2)
def cdf2rdf(w: Any, v: Any) -> Any:
    """Real block diagonal form of complex eigenvalues, which come in adjacent conjugate pairs, and the vectors."""
    w, v = inexact(w), inexact(v)
    paired = np.flatnonzero(np.asarray(concrete(w)).imag)
    if len(paired) % 2:
        raise ValueError("expected complex-conjugate pairs of eigenvalues")
    j, k = paired[::2], paired[1::2]
    partner = np.zeros((w.shape[0], w.shape[0]))
    partner[j, k] = partner[k, j] = 1
    turn = np.eye(w.shape[0], dtype=complex)
    turn[j, j], turn[j, k], turn[k, j], turn[k, k] = 0.5j, 0.5, -0.5j, 0.5
    blocks = np.eye(w.shape[0]) * np.real(w)[:, None] + partner * np.imag(w)[:, None]
    return blocks, np.real(np.matmul(v, turn))


__all__ = [
    "block_diag",
    "cdf2rdf",
    "circulant",
    "clarkson_woodruff_transform",
    "companion",
    "convolution_matrix",
    "diagsvd",
    "fiedler",
    "fiedler_companion",
    "hankel",
    "leslie",
    "toeplitz",
]
