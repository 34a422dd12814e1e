"""Sorting, order statistics and counting."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, constant, method
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch.ops.reductions import (
    axis_of,
    kthvalue_result,
    median_result,
    mode_result,
    pick,
    sort_result,
    topk_result,
)
from funcdiff.core.primitive import REGISTRY

_argsort = REGISTRY["argsort"].function


def _order(input: Any, axis: int, descending: bool, stable: bool = True) -> Any:
    def positions(x: Any) -> Any:
        if not descending:
            return _argsort(x, axis=axis, kind="stable")
        length = x.shape[axis]
        backwards = fnp.flip(_argsort(fnp.flip(x, axis), axis=axis, kind="stable"), axis)
        return length - 1 - backwards

    return constant(positions, (input,))


@method
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """As `torch.sort`."""
    if not input.ndim:
        return sort_result(input.clone(), wrap(np.zeros((), np.int64)))
    axis = axis_of(dim, input.ndim)
    return sort_result(*pick("SortBackward0", input, _order(input, axis, descending), axis, True))


@method
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """As `torch.argsort`."""
    return sort(input.detach(), dim, descending)[1]


@method
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """As `torch.topk`."""
    axis = axis_of(dim, input.ndim)
    if k > input.value.shape[axis]:
        raise RuntimeError("selected index k out of range")
    cut = (*(slice(None),) * axis, slice(0, k))
    order = constant(lambda p: p[cut], (_order(input, axis, largest),))
    return topk_result(*pick("TopkBackward0", input, order, axis, True))


@method
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """As `torch.kthvalue`."""
    axis = axis_of(dim, input.ndim)
    cut = (*(slice(None),) * axis, slice(k - 1, k))
    order = constant(lambda p: p[cut], (_order(input, axis, False),))
    return kthvalue_result(*pick("KthvalueBackward0", input, order, axis, keepdim))


@method
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """As `torch.median`: the lower of the two middle elements."""
    if dim is None:
        flat = input.detach().reshape(-1)
        place = (flat.numel() - 1) // 2
        at = _order(flat, 0, False).value[place]
        return composite(composed("MedianBackward0"), lambda x: fnp.reshape(x, -1)[at], (input,))
    axis = axis_of(dim, input.ndim)
    k = (input.size(dim) - 1) // 2
    order = constant(lambda p: p[(*(slice(None),) * axis, slice(k, k + 1))], (_order(input, axis, False),))
    return median_result(*pick("MedianBackward1", input, order, axis, keepdim))


@method
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """As `torch.mode`: the most frequent element, the smallest of several."""
    axis = axis_of(dim, input.ndim)

    def last_place(v: Any) -> int:
        found, counts = np.unique(v, return_counts=True)
        return int(np.flatnonzero(v == found[np.argmax(counts)])[-1])

    order = wrap(np.expand_dims(np.apply_along_axis(last_place, axis, plain(input)), axis))
    return mode_result(*pick("ModeBackward0", input, order, axis, keepdim))


@method
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """As `torch.quantile`."""
    at = plain(q) if isinstance(q, Tensor) else q
    return composite(
        composed("LerpBackward0"),
        lambda x: fnp.quantile(x, at, axis=dim, keepdims=keepdim, method=interpolation),
        (input,),
    )


@method
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """As `torch.unique`."""
    count: Any = np.unique
    found = count(plain(input), return_inverse=return_inverse, return_counts=return_counts, axis=dim)
    return tuple(map(wrap, found)) if isinstance(found, tuple) else wrap(found)


@method
def bincount(input: Tensor, weights: Any = None, minlength: int = 0) -> Any:
    """As `torch.bincount`."""
    return wrap(np.bincount(plain(input), None if weights is None else plain(weights), minlength))


@method
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """As `torch.histc`."""
    x = plain(input)
    low, high = (float(x.min()), float(x.max())) if min == max == 0 else (min, max)
    return wrap(np.histogram(x, bins, (low, high))[0].astype(x.dtype))


def searchsorted(
    sorted_sequence: Tensor, values: Any, *, right: bool = False, side: str | None = None
) -> Any:
    """As `torch.searchsorted` for one sorted sequence."""
    v = plain(values) if isinstance(values, Tensor) else values
    where_at: Any = side or ("right" if right else "left")
    return wrap(np.searchsorted(plain(sorted_sequence), v, where_at))


def bucketize(input: Any, boundaries: Tensor, *, right: bool = False) -> Any:
    """As `torch.bucketize`."""
    return searchsorted(boundaries, input, right=right)


def isin(elements: Any, test_elements: Any) -> Any:
    """As `torch.isin`."""
    a, b = (plain(x) if isinstance(x, Tensor) else x for x in (elements, test_elements))
    return wrap(np.isin(a, b))
