"""Sorting, order statistics and counting."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, constant, method
from funcdiff.compat.torch._errors import MAPPED_SHAPE
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch.ops.axes import axis_of
from funcdiff.compat.torch.ops.extrema import (
    kthvalue_result,
    median_result,
    mode_result,
    pick,
    sort_result,
    topk_result,
)
from funcdiff.core.primitive import REGISTRY

_argsort = REGISTRY["argsort"].function
_ndarray = np.ndarray


_Sort, _Topk, _Kthvalue, _Median, _Mode = (
    node_class(f"{name}Backward{number}")
    for name, number in (("Sort", 0), ("Topk", 0), ("Kthvalue", 0), ("Median", 1), ("Mode", 0))
)


def _positions(x: Any, axis: int, descending: bool) -> Any:
    """Return the positions that sort an array, equal elements in their order; NaN is the greatest."""
    if not descending:
        return x.argsort(axis, "stable") if type(x) is _ndarray else _argsort(x, axis=axis, kind="stable")
    if type(x) is not _ndarray:
        backwards = fnp.flip(_argsort(fnp.flip(x, axis), axis=axis, kind="stable"), axis)
    else:
        turn = (*(slice(None),) * axis, slice(None, None, -1))
        backwards = x[turn].argsort(axis, "stable")[turn]
    return x.shape[axis] - 1 - backwards


def _order(input: Any, axis: int, descending: bool, part: Any = None) -> Any:
    """Return the positions that sort along an axis, or a part of them, as a tensor."""

    def positions(x: Any) -> Any:
        found = _positions(x, axis, descending)
        return found if part is None else found[(*(slice(None),) * axis, part)]

    return constant(positions, (input,))


@method
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """As `torch.sort`."""
    if not input.value.shape:
        return sort_result(input.clone(), wrap(np.zeros((), np.int64)))
    axis = axis_of(dim, len(input.value.shape))
    order = _order(input, axis, descending)
    return sort_result(pick(_Sort, input, order, axis), order)


@method
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """As `torch.argsort`."""
    rank = len(input.value.shape)
    return _order(input, axis_of(dim, rank), descending) if rank else wrap(np.zeros((), np.int64))


@method
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """As `torch.topk`."""
    shape = input.value.shape
    axis = axis_of(dim, len(shape))
    if k > (shape[axis] if shape else 1):
        raise RuntimeError("selected index k out of range")
    if not shape:
        return topk_result(input.clone(), wrap(np.zeros((), np.int64)))
    value = input.value
    if type(value) is _ndarray:
        part = slice(None, -k - 1, -1) if largest else slice(0, k)
        order = wrap(value.argsort(axis)[(*(slice(None),) * axis, part)])
    else:
        order = _order(input, axis, largest, slice(0, k))
    return topk_result(pick(_Topk, input, order, axis), order)


def _at_rank(cls: Any, result: Any, input: Tensor, k: int, dim: int, keepdim: bool) -> Any:
    """Return the k-th smallest along an axis, and where it stands."""
    if not input.value.shape:
        return result(input.clone(), wrap(np.zeros((), np.int64)))
    axis = axis_of(dim, input.ndim)
    order = _order(input, axis, False, slice(k - 1, k) if keepdim else k - 1)
    return result(pick(cls, input, order, axis), order)


@method
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """As `torch.kthvalue`."""
    return _at_rank(_Kthvalue, kthvalue_result, input, k, dim, keepdim)


@method
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """As `torch.median`: the lower of the two middle elements."""
    if dim is None:
        flat = input.detach().reshape(-1)
        place = (flat.numel() - 1) // 2
        at = _order(flat, 0, False).value[place]
        return composite(composed("MedianBackward0"), lambda x: fnp.reshape(x, -1)[at], (input,))
    middle = (input.size(dim) + 1) // 2 if input.ndim else 1
    return _at_rank(_Median, median_result, input, middle, dim, keepdim)


@method
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """As `torch.mode`: the most frequent element, the smallest of several."""
    axis = axis_of(dim, input.ndim)

    def last_place(v: Any) -> int:
        found, counts = np.unique(v, return_counts=True)
        return int(np.flatnonzero(v == found[np.argmax(counts)])[-1])

    places = np.apply_along_axis(last_place, axis, plain(input))
    order = wrap(np.expand_dims(places, axis) if keepdim else places)
    return mode_result(pick(_Mode, input, order, axis), order)


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
    x = plain(input, MAPPED_SHAPE.format(name="aten::_unique2"))
    found = count(x, return_inverse=return_inverse, return_counts=return_counts, axis=dim)
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
