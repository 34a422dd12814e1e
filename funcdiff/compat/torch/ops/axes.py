"""Axes as PyTorch's arguments name them, and as primitives take them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


def axis_of(dim: int, ndim: int) -> int:
    """Count an axis from the front."""
    size = ndim or 1
    if not -size <= dim < size:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but got {dim})"
        )
    return dim % size


def axes_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """Count axes from the front; none given means all."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    if type(dim) is int:
        return (axis_of(dim, ndim),) if ndim or axis_of(dim, ndim) else ()
    dims = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    found = tuple(axis_of(int(d), ndim) for d in dims)
    if len(set(found)) != len(found):
        repeated = next(d for d in found if found.count(d) > 1)
        raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
    return found if ndim else ()


@lru_cache(maxsize=4096)
def reduced(dim: Any, ndim: int, keepdim: bool) -> dict[str, Any]:
    """Return the parameters of a reduction (of axes that are no list): the same dict for the same arguments."""
    return {"axis": axes_of(dim, ndim), "keepdims": bool(keepdim)}


@lru_cache(maxsize=4096)
def single_axis(dim: int, ndim: int) -> dict[str, Any]:
    """Return the parameter of an operation along one axis; the same dict for the same arguments."""
    return {"axis": axis_of(dim, ndim)}


@lru_cache(maxsize=4096)
def single_axes(dim: int, ndim: int) -> dict[str, Any]:
    """Return the parameter of an operation over several axes, of which one is given."""
    return {"axis": axes_of(int(dim), ndim)}
