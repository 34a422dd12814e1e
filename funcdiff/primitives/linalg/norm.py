"""Norms of vectors, whose derivative is 0 at 0.

For ``n = (Σ |x|ᵖ)^(1/p)`` it is ``(|x| / n)^(p - 1) x / |x|``; the orders inf and 0 are compositions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import general
from funcdiff.primitives.comparison import equal, sign
from funcdiff.primitives.elementwise import absolute, power
from funcdiff.primitives.linalg.common import real_part, reciprocal_or_zero
from funcdiff.primitives.product import conjugate
from funcdiff.primitives.reduction import keep, sum_
from funcdiff.primitives.selection import where

Axis = tuple[int, ...] | None


def _vector_norm(x: Any, *, order: float, axis: Axis, keepdims: bool) -> Any:
    rank = np.ndim(x)
    if order == 2 and axis is None and np.asarray(x).dtype.kind == "f":
        flat = np.reshape(x, -1)
        out = np.sqrt(flat.dot(flat))
        return np.reshape(out, (1,) * rank) if keepdims else out
    if axis is None:
        out = np.linalg.norm(np.ravel(x))
        return np.reshape(out, (1,) * rank) if keepdims else out
    if order == 1 and x.dtype.kind in "fc":
        return np.add.reduce(np.abs(x), axis=axis, keepdims=keepdims)  # type: ignore[call-overload]
    if order == 2:
        squares = x * x if x.dtype.kind == "f" else (np.conj(x) * x).real
        return np.sqrt(np.add.reduce(squares, axis=axis, keepdims=keepdims))  # type: ignore[call-overload]
    return np.linalg.norm(x, order, axis[0], keepdims)


def _direction(out: Any, x: Any, order: float, axis: Axis, keepdims: bool) -> Any:
    """Derivative of the norm: the unit vector dual to x, conjugated."""
    if order == 1:
        return _phase(x, absolute(x))
    axes = tuple(range(len(x.shape))) if axis is None else axis
    inverse = reciprocal_or_zero(keep(out, x.shape, axes, keepdims), 0.0)
    if order == 2:
        return conjugate(x) * inverse
    size = absolute(x)
    zero = equal(size, 0)
    weight = where(zero, 0, power(where(zero, 1, size * inverse), order - 1))
    return weight * _phase(x, size)


def _phase(x: Any, size: Any) -> Any:
    return sign(x) if x.dtype.kind != "c" else conjugate(x) * reciprocal_or_zero(size, 0.0)


def _vector_norm_jvp(t: Any, out: Any, x: Any, *, order: float, axis: Axis, keepdims: bool) -> Any:
    axes = tuple(range(len(x.shape))) if axis is None else axis
    return real_part(sum_(_direction(out, x, order, axis, keepdims) * t, axis=axes, keepdims=keepdims))


def _vector_norm_vjp(g: Any, out: Any, x: Any, *, order: float, axis: Axis, keepdims: bool) -> Any:
    axes = tuple(range(len(x.shape))) if axis is None else axis
    return keep(g, x.shape, axes, keepdims) * _direction(out, x, order, axis, keepdims)


def _batch_vector_norm(
    values: Any, _flags: Any, _size: int, *, order: float, axis: Axis, keepdims: bool
) -> Any:
    x = values[0]
    axes = range(len(x.shape) - 1) if axis is None else axis
    return vector_norm(x, order=order, axis=tuple(n + 1 for n in axes), keepdims=keepdims)


def _samples(rng: np.random.Generator) -> Any:
    x = rng.standard_normal((2, 3))
    z = x + 1j * rng.standard_normal((2, 3))
    two: dict[str, Any] = {"order": 2, "keepdims": False}
    return [
        ((x,), {**two, "axis": None}),
        ((x,), {**two, "axis": (1,)}),
        ((x,), {**two, "axis": (0, 1)}),
        ((x,), {**two, "axis": (0,), "keepdims": True}),
        ((x,), {**two, "axis": None, "keepdims": True}),
        ((z,), {**two, "axis": None}),
        ((x,), {**two, "axis": (1,), "order": 1}),
        ((x,), {**two, "axis": (0, 1), "order": 1, "keepdims": True}),
        ((x,), {**two, "axis": (1,), "order": 3}),
        ((x,), {**two, "axis": (0,), "order": 2.5, "keepdims": True}),
        ((x,), {**two, "axis": (1,), "order": 0.5}),
        ((x,), {**two, "axis": (1,), "order": -1.5}),
        ((z,), {**two, "axis": (1,), "order": 1}),
        ((z,), {**two, "axis": (1,), "order": 3}),
        ((np.ones((2, 0)),), {**two, "axis": (1,)}),
    ]


vector_norm = general(
    _vector_norm,
    jvps=[_vector_norm_jvp],
    vjps=[_vector_norm_vjp],
    batch=_batch_vector_norm,
    name="vector_norm",
    samples=_samples,
    doc="""The p-norm over axes; `axis` None takes all of them; orders other than 1 and 2 take one.

    Its derivative is 0 at 0, and also in each component that is 0 for orders below 1.""",
)
