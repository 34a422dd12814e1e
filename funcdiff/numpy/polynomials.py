"""Polynomials by their coefficients, highest power first: NumPy's own functions, run on traced arrays.

`polymul` and `roots` are written anew, so that leading zeros do not stop `vmap`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib import _polynomial_impl

from funcdiff.core.mutation import constant_buffer
from funcdiff.core.recording import TracedArray
from funcdiff.numpy._arguments import as_array, at_least_1d, to_dtype
from funcdiff.numpy._protocol import implements
from funcdiff.numpy._rebinding import Rebinding, lstsq, real_unless_complex
from funcdiff.numpy.polynomial._rebound import places

_ours = Rebinding(_polynomial_impl, {"lstsq": lstsq})

poly = _ours["poly"]
polyadd = _ours["polyadd"]
polyder = _ours["polyder"]
polydiv = _ours["polydiv"]
polyint = _ours["polyint"]
polysub = _ours["polysub"]
polyval = _ours["polyval"]


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """Product of two polynomials."""
    return np.convolve(_without_leading_zeros(a1), _without_leading_zeros(a2))


def _coefficients(p: Any) -> Any:
    p = at_least_1d(as_array(p.coeffs if isinstance(p, np.poly1d) else p))
    if len(p.shape) != 1:
        raise ValueError("Input must be a rank-1 array.")
    return p


def _without_leading_zeros(p: Any) -> Any:
    p = _coefficients(p)
    found = places(p)
    return p[int(found[0]) :] if found.size else p[:1] * 0


@implements(np.roots)
def roots(p: Any) -> Any:
    """Roots of a polynomial: the eigenvalues of its companion matrix."""
    p = _coefficients(p)
    found = places(p)
    if not found.size:
        return np.array([])
    trailing = p.shape[0] - int(found[-1]) - 1
    p = p[int(found[0]) : int(found[-1]) + 1]
    if p.dtype.kind not in "fc":
        p = to_dtype(p, np.float64)
    n = p.shape[0] - 1
    if not n:
        return np.zeros(trailing)
    first = -p[1:] / p[0]
    companion = np.concatenate([first[None], np.eye(n - 1, n, dtype=p.dtype)])
    found = real_unless_complex(np.linalg.eigvals(companion), companion)
    return np.hstack([found, np.zeros(trailing, found.dtype)]) if trailing else found


@implements(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    """Least-squares fit of a polynomial."""
    if w is not None:
        w = as_array(w)
    if type(w) is TracedArray:  # NumPy multiplies x and y by it in place
        x, y = (_constant(as_array(v), w) for v in (x, y))
    return _ours.globals["polyfit"](x, y, deg, rcond, full, w, cov)


def _constant(x: Any, like: Any) -> Any:
    return x if type(x) is TracedArray else constant_buffer(x + 0.0, like.recorder)


__all__ = [
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "roots",
]
