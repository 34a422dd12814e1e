"""Reductions: sums, and what is linear beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import linear
from funcdiff.primitives.shape import broadcast_to, reshape


def kept_shape(shape: tuple[int, ...], axis: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a reduction with ``keepdims=True``."""
    return tuple(1 if n in axis else length for n, length in enumerate(shape))


def _sum(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


def _sum_transpose(g: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    if not keepdims and len(x.shape) != len(axis):
        g = reshape(g, shape=kept_shape(x.shape, axis))
    return broadcast_to(g, shape=x.shape)


def _batch_sum(values: Any, _flags: Any, _size: int, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return sum_(values[0], axis=tuple(a + 1 for a in axis), keepdims=keepdims)


sum_ = linear(
    _sum,
    _sum_transpose,
    batch=_batch_sum,
    name="sum",
    samples=lambda rng: [
        ((rng.standard_normal((2, 3, 4)),), {"axis": (0, 2), "keepdims": False}),
        ((rng.standard_normal((2, 3)),), {"axis": (1,), "keepdims": True}),
        ((rng.standard_normal(3),), {"axis": (0,), "keepdims": False}),
    ],
    doc="Sum over a tuple of axes (counted from the front).",
)
