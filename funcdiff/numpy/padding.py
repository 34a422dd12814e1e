"""`pad`: every mode as a linear map along one axis after the other, or as a statistic of the edge."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.numpy._arguments import as_array
from funcdiff.numpy._protocol import has_traced, implements
from funcdiff.numpy.quantiles import median as median_over
from funcdiff.numpy.ranges import linspace
from funcdiff.numpy.rearranging import along
from funcdiff.numpy.reductions import max as max_over
from funcdiff.numpy.reductions import mean as mean_over
from funcdiff.numpy.reductions import min as min_over
from funcdiff.primitives import shape as p
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.product import matmul

_GATHERING = ("edge", "reflect", "symmetric", "wrap")
_STATISTICS: dict[str, Any] = {
    "maximum": max_over,
    "mean": mean_over,
    "median": median_over,
    "minimum": min_over,
}
_KEYWORDS: dict[str, set[str]] = {
    "constant": {"constant_values"},
    "edge": set(),
    "empty": set(),
    "linear_ramp": {"end_values"},
    "maximum": {"stat_length"},
    "mean": {"stat_length"},
    "median": {"stat_length"},
    "minimum": {"stat_length"},
    "reflect": {"reflect_type"},
    "symmetric": {"reflect_type"},
    "wrap": set(),
}


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Pad an array, in any of NumPy's modes."""
    array = as_array(array)
    rank = len(array.shape)
    widths = _width_pairs(pad_width, rank)
    if callable(mode):
        return _pad_by(array, widths, mode, kwargs)
    if mode not in _KEYWORDS:
        raise ValueError(f"mode '{mode}' is not supported")
    extra = set(kwargs) - _KEYWORDS[mode]
    if extra:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {extra}")
    if mode not in ("constant", "empty"):
        for axis, width in enumerate(widths):
            if array.shape[axis] == 0 and any(width):
                raise ValueError(
                    f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'"
                )
    for axis, width in enumerate(widths):
        if any(width):
            array = _pad_axis(array, axis, rank, width, mode, kwargs)
    return p.copy(array) if not any(any(w) for w in widths) else array


def _width_pairs(pad_width: Any, rank: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        pairs = [(0, 0)] * rank
        for axis, width in pad_width.items():
            before, after = (width, width) if np.ndim(width) == 0 else width
            pairs[axis] = (int(before), int(after))
    else:
        width = np.asarray(pad_width)
        if width.dtype.kind not in "iu":
            raise TypeError("`pad_width` must be of integral type.")
        pairs = [(int(b), int(a)) for b, a in np.broadcast_to(width, (rank, 2))]
        if width.size and width.min() < 0:
            raise ValueError("index can't contain negative values")
    if any(b < 0 or a < 0 for b, a in pairs):
        raise ValueError("index can't contain negative values")
    return pairs


def _pair(values: Any, axis: int, rank: int) -> tuple[Any, Any]:
    """Return what a keyword says of the front and the back of an axis."""
    if not has_traced(values):
        pair = np.broadcast_to(np.asarray(values), (rank, 2))[axis]
        return pair[0], pair[1]
    both = p.broadcast_to(as_array(values), shape=(rank, 2))
    return getitem(both, index=(axis, 0)), getitem(both, index=(axis, 1))


def _pad_axis(x: Any, axis: int, rank: int, width: tuple[int, int], mode: str, kwargs: dict[str, Any]) -> Any:
    length = x.shape[axis]
    if mode in _GATHERING:
        if kwargs.get("reflect_type", "even") == "odd":
            return _apply_matrix(x, axis, np.pad(np.eye(length), (width, (0, 0)), mode, reflect_type="odd"))  # type: ignore[call-overload]
        order = np.pad(np.arange(length), width, mode)  # type: ignore[call-overload]
        return getitem(x, index=(slice(None),) * axis + (order,))
    shapes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in width]
    if mode == "linear_ramp":
        return p.concatenate(
            *_ramps(x, axis, width, _pair(kwargs.get("end_values", 0), axis, rank)), axis=axis
        )
    if mode in _STATISTICS:
        sides = _edge_statistics(x, axis, mode, kwargs.get("stat_length"), rank)
    else:
        values = _pair(kwargs.get("constant_values", 0), axis, rank) if mode == "constant" else (0, 0)
        sides = tuple(v.astype(x.dtype) if hasattr(v, "astype") else x.dtype.type(v) for v in values)
    front, back = (p.broadcast_to(v, shape=s) for v, s in zip(sides, shapes, strict=True))
    return p.concatenate(front, x, back, axis=axis)


def _apply_matrix(x: Any, axis: int, matrix: Any) -> Any:
    rank = len(x.shape)
    order = (*range(axis), *range(axis + 1, rank), axis)
    moved = matmul(p.transpose(x, axes=order), matrix.T.astype(x.dtype))
    return p.transpose(moved, axes=tuple(int(n) for n in np.argsort(order)))


def _ramps(x: Any, axis: int, width: tuple[int, int], ends: tuple[Any, Any]) -> tuple[Any, Any, Any]:
    first = getitem(x, index=(slice(None),) * axis + (0,))
    last = getitem(x, index=(slice(None),) * axis + (-1,))
    front = linspace(ends[0], first, width[0], False, axis=axis)
    back = linspace(ends[1], last, width[1], False, axis=axis)
    back = getitem(back, index=along_reversed(axis))
    return p.astype(front, dtype=x.dtype), x, p.astype(back, dtype=x.dtype)


def along_reversed(axis: int) -> tuple[Any, ...]:
    """Return the index that reverses one axis."""
    return (slice(None),) * axis + (slice(None, None, -1),)


def _edge_statistics(x: Any, axis: int, mode: str, stat_length: Any, rank: int) -> tuple[Any, Any]:
    length = x.shape[axis]
    statistic = _STATISTICS[mode]
    if stat_length is None:
        both = statistic(x, axis=axis, keepdims=True)
        return both, both
    before, after = (min(int(n), length) for n in _pair(stat_length, axis, rank))
    if before < 1 or after < 1:
        raise ValueError("stat_length of 0 yields no value for padding")
    front = statistic(getitem(x, index=along(axis, 0, before)), axis=axis, keepdims=True)
    back = statistic(getitem(x, index=along(axis, length - after, length)), axis=axis, keepdims=True)
    return front, back


def _pad_by(x: Any, widths: list[tuple[int, int]], function: Any, kwargs: dict[str, Any]) -> Any:
    """Let the user's function fill the padding of each vector in place."""
    shape = tuple(b + n + a for (b, a), n in zip(widths, x.shape, strict=True))
    padded = np.zeros_like(x, shape=shape)
    padded[tuple(slice(b, b + n) for (b, _), n in zip(widths, x.shape, strict=True))] = x
    for axis, width in enumerate(widths):
        others = [n for m, n in enumerate(shape) if m != axis]
        for place in np.ndindex(*others):
            vector = padded[(*place[:axis], slice(None), *place[axis:])]
            function(vector, width, axis, kwargs)
    return padded
