"""The primitives of the shim that move elements about: triangles and repetition."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from funcdiff.compat.torch.ops.short import number
from funcdiff.core.declare import linear
from funcdiff.core.primitive import REGISTRY


def _triangle(x: Any, *, diagonal: int, lower: bool) -> Any:
    return triangle_of(x.shape, x.dtype.char, diagonal, lower)[1](x)


@lru_cache(maxsize=256)
def triangle_of(shape: tuple[int, ...], kind: str, diagonal: int, lower: bool) -> tuple[dict[str, Any], Any]:
    """Return the parameters of `triangle`, and the function that computes it for matrices of a shape and type."""
    if len(shape) < 2:
        raise RuntimeError(f"{'tril' if lower else 'triu'}: input tensor must have at least 2 dimensions")
    rows, columns = shape[-2:]
    outside = _is_outside(rows, columns, diagonal, lower)

    def of_matrix(x: Any) -> Any:
        out = x.copy()
        out.put(positions, zero)
        return out

    def of_matrices(x: Any) -> Any:
        out = x.copy()
        out[..., outside] = zero
        return out

    positions, zero = np.flatnonzero(outside), number(0, kind)
    return {"diagonal": diagonal, "lower": lower}, of_matrix if len(shape) == 2 else of_matrices


def _is_outside(rows: int, columns: int, diagonal: int, lower: bool) -> Any:
    inside = np.tri(rows, columns, diagonal if lower else diagonal - 1, bool)
    return ~inside if lower else inside


def _batch_triangle(values: Any, _flags: Any, _size: int, *, diagonal: int, lower: bool) -> Any:
    return triangle(values[0], diagonal=diagonal, lower=lower)


triangle: Any = linear(
    _triangle,
    lambda g, _x, *, diagonal, lower: triangle(g, diagonal=diagonal, lower=lower),
    batch=_batch_triangle,
    name="triangle",
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)),), {"diagonal": 1, "lower": True}),
        ((rng.standard_normal((2, 3, 3)),), {"diagonal": 0, "lower": False}),
    ],
    doc="The lower or upper triangle of matrices, zero elsewhere.",
)


def _tile(x: Any, *, times: tuple[int, ...]) -> Any:
    """Copy once, between axes of length one; `times` has a number for each axis, and some in front."""
    lead = len(times) - x.ndim
    apart = [n for length in x.shape for n in (1, length)]
    full = [n for r, length in zip(times[lead:], x.shape, strict=True) for n in (r, length)]
    out = np.empty((*times[:lead], *full), x.dtype)
    out[...] = x.reshape(apart)
    return out.reshape(_tiled(x.shape, times))


def _tiled(shape: tuple[int, ...], times: tuple[int, ...]) -> tuple[int, ...]:
    lead = len(times) - len(shape)
    return (*times[:lead], *[r * n for r, n in zip(times[lead:], shape, strict=True)])


def _tile_transpose(g: Any, x: Any, *, times: tuple[int, ...]) -> Any:
    lead = len(times) - len(x.shape)
    full = [n for r, length in zip(times[lead:], x.shape, strict=True) for n in (r, length)]
    apart = REGISTRY["reshape"].function(g, shape=(*times[:lead], *full))
    copies = (*range(lead), *range(lead, lead + len(full), 2))
    return REGISTRY["sum"].function(apart, axis=copies, keepdims=False)


def _batch_tile(values: Any, _flags: Any, size: int, *, times: tuple[int, ...]) -> Any:
    x = values[0]
    lead = len(times) - (len(x.shape) - 1)
    spaced = REGISTRY["reshape"].function(x, shape=(size, *(1,) * lead, *x.shape[1:]))
    return tile(spaced, times=(1, *times))


tile: Any = linear(
    _tile,
    _tile_transpose,
    batch=_batch_tile,
    name="tile",
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)),), {"times": (2, 1)}),
        ((rng.standard_normal(2),), {"times": (3, 2)}),
    ],
    doc="Repeat an array along its axes and new ones in front.",
)
