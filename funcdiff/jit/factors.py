"""LU factors as values of a program: what `passes.factorizations` writes in place of repeated factorizations.

A matrix of n rows is factorized into n + 1 rows of memory: LAPACK's packed factors, in Fortran's order, and after
them its row swaps, 32-bit integers counted from 1.  The primitives stand on optimised tapes only, which are run and
not differentiated, so they have no rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from funcdiff.core import fastpath
from funcdiff.core.primitive import REGISTRY, Function, General, attach


def matrices(*stacks: Any) -> Iterator[tuple[Any, ...]]:
    """Go through the matrices of stacks of equal length side by side."""
    flat = [x.reshape(-1, *x.shape[-2:]) for x in stacks]
    return zip(*flat, strict=True)


def _lapack(name: str, dtype: Any) -> Any:
    from scipy.linalg import lapack

    return getattr(lapack, ("s" if dtype == np.float32 else "d") + name)


def _factors(packed: Any) -> tuple[Any, Any]:
    """Return the factors of one matrix, and the row swaps counted from 0."""
    n = packed.shape[-1]
    return packed[:n].T, packed[n].view(np.int32)[:n] - 1


def _checked(packed: Any) -> tuple[Any, Any]:
    """Return the same, unless the matrix is singular."""
    factors, swaps = _factors(packed)
    if not np.diagonal(factors).all():
        raise np.linalg.LinAlgError("Singular matrix")
    return factors, swaps


def _factorize(a: Any) -> Any:
    n = a.shape[-1]
    out = np.empty((*a.shape[:-2], n + 1, n), a.dtype)
    for matrix, to in matrices(a, out):
        factors, swaps, _ = _lapack("getrf", a.dtype)(matrix)
        to[:n] = factors.T
        to[n].view(np.int32)[:n] = swaps + 1
    return out


def _solve(packed: Any, b: Any, *, transposed: bool) -> Any:
    vector = b.ndim == 1
    sides = b[:, None] if vector else b
    lead = np.broadcast_shapes(packed.shape[:-2], sides.shape[:-2])
    packed = np.broadcast_to(packed, (*lead, *packed.shape[-2:]))
    sides = np.broadcast_to(sides, (*lead, *sides.shape[-2:]))
    out = np.empty(sides.shape, packed.dtype)
    for one, side, to in matrices(packed, sides, out):
        factors, swaps = _checked(one)
        to[...] = _lapack("getrs", packed.dtype)(factors, swaps, side, trans=int(transposed))[0]
    return out[..., 0] if vector else out


def _inverse(packed: Any, *, or_nan: bool) -> Any:
    n = packed.shape[-1]
    out = np.empty((*packed.shape[:-2], n, n), packed.dtype)
    getri, size = _lapack("getri", packed.dtype), _lapack("getri_lwork", packed.dtype)
    for one, to in matrices(packed, out):
        try:
            factors, swaps = _checked(one)
        except np.linalg.LinAlgError:
            if not or_nan:
                raise
            to[...] = np.nan
        else:
            to[...] = getri(factors, swaps, lwork=int(size(n)[0]))[0]
    return out


def _sign(packed: Any) -> Any:
    n = packed.shape[-1]
    out = np.empty((*packed.shape[:-2], 1, 1), packed.dtype)
    for one, to in matrices(packed, out):
        factors, swaps = _factors(one)
        diagonal = np.diagonal(factors)
        flips = np.count_nonzero(diagonal < 0) + np.count_nonzero(swaps != np.arange(n))
        to[...] = (-1.0 if flips % 2 else 1.0) if diagonal.all() else 0.0
    return out.reshape(packed.shape[:-2])[()]


def _det_derivative(a: Any, _packed: Any, _det: Any, *directions: Any) -> Any:
    return REGISTRY["det_derivative"].impl(a, *directions)


def _primitive(name: str, impl: Function, doc: str) -> Function:
    primitive = General(name, impl, doc=doc)
    return attach(primitive, fastpath.make(primitive))


factorize = _primitive("packed_lu", _factorize, "LU factors and row swaps of each matrix, packed.")
solve = _primitive(
    "packed_lu_solve", _solve, "Solution of ``a x = b``, or ``aᵀ x = b``, by the factors of a."
)
inverse = _primitive("packed_lu_inverse", _inverse, "Inverse by the factors, NaN or an error where singular.")
sign = _primitive("packed_lu_sign", _sign, "Sign of the determinant: 1, -1, or 0 where singular.")
det_derivative = _primitive(
    "packed_lu_det_derivative",
    _det_derivative,
    "Derivative of the determinant; machine code takes it by the factors, and NumPy source where those do not tell.",
)
