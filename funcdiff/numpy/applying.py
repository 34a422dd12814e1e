"""Applying a function along axes, and counting by bins."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.recording import concrete
from funcdiff.numpy._arguments import as_array, axis_of
from funcdiff.numpy._protocol import implements
from funcdiff.primitives.indexing import index_add
from funcdiff.primitives.shape import reshape, stack, transpose


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """Apply a function to the slices along one axis."""
    arr = as_array(arr)
    rank = len(arr.shape)
    axis = axis_of(axis, rank)
    rest = (*arr.shape[:axis], *arr.shape[axis + 1 :])
    if 0 in rest:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    moved = transpose(arr, axes=(*(n for n in range(rank) if n != axis), axis))
    parts = [as_array(func1d(moved[place], *args, **kwargs)) for place in np.ndindex(*rest)]
    shape = parts[0].shape
    out = reshape(stack(*parts, axis=0), shape=(*rest, *shape))
    lead, new = len(rest), len(shape)
    return transpose(out, axes=(*range(axis), *range(lead, lead + new), *range(axis, lead)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """Apply a function of an array and an axis over several axes, one after the other."""
    a = as_array(a)
    rank = len(a.shape)
    for axis in (axes,) if np.ndim(axes) == 0 else axes:
        found = as_array(func(a, axis_of(axis, rank)))
        if len(found.shape) != rank:
            found = np.expand_dims(found, axis_of(axis, rank))
            if len(found.shape) != rank:
                raise ValueError("function is not returning an array of the correct shape")
        a = found
    return a


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """Sum weights by bin; differentiable in the weights."""
    bins = np.asarray(concrete(as_array(x)))
    counts = np.bincount(bins, minlength=minlength)
    if weights is None:
        return counts
    weights = as_array(weights)
    if weights.shape != bins.shape:
        raise ValueError("The weights and list don't have the same length.")
    return index_add(weights * 1.0, shape=counts.shape, index=(bins,))
