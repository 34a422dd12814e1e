"""Convolution along the last axis, bilinear; its transposes are convolutions with the reversed other."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.alignment import align
from funcdiff.core.declare import multilinear
from funcdiff.core.primitive import Function
from funcdiff.primitives.indexing import getitem


def _convolve(a: Any, v: Any) -> Any:
    if a.ndim == v.ndim == 1:
        return np.convolve(a, v)
    lead = np.broadcast_shapes(a.shape[:-1], v.shape[:-1])
    a, v = np.broadcast_to(a, (*lead, a.shape[-1])), np.broadcast_to(v, (*lead, v.shape[-1]))
    out = np.zeros((*lead, a.shape[-1] + v.shape[-1] - 1), np.result_type(a, v))
    short, long = (a, v) if a.shape[-1] < v.shape[-1] else (v, a)
    for n in range(short.shape[-1]):
        out[..., n : n + long.shape[-1]] += short[..., n : n + 1] * long
    return out


def _back(g: Any, other: Any, length: int) -> Any:
    """Return sum over j of g[i + j] other[j]: a convolution with the other one reversed."""
    m = other.shape[-1]
    full = convolve(g, getitem(other, index=(Ellipsis, slice(None, None, -1))))
    return getitem(full, index=(Ellipsis, slice(m - 1, m - 1 + length)))


convolve: Function = multilinear(
    _convolve,
    [lambda g, a, v: _back(g, v, a.shape[-1]), lambda g, a, v: _back(g, a, v.shape[-1])],
    batch=lambda values, flags, size: convolve(*align(values, flags)),
    name="convolve",
    samples=lambda rng: [
        ((rng.standard_normal(5), rng.standard_normal(3)), {}),
        ((rng.standard_normal(1), rng.standard_normal(4)), {}),
        ((rng.standard_normal((2, 3)), rng.standard_normal((1, 4))), {}),
    ],
    doc="Full convolution along the last axis, the other axes broadcasting.",
)
