"""Changing shape and order: reshape, transpose, flip, repeat, split and their relatives, views where NumPy's are."""

from __future__ import annotations

import operator
from math import prod
from typing import Any

import numpy as np

from funcdiff.core.mutation import link_view
from funcdiff.core.recording import TracedArray, innermost
from funcdiff.numpy._arguments import (
    as_array,
    axes_of,
    axis_of,
    example_of,
    linked,
    no_scalar,
    shape_of,
    ufunc_axes,
)
from funcdiff.numpy._protocol import implements
from funcdiff.primitives import shape as p


def _reshaped(a: Any, shape: tuple[int, ...]) -> Any:
    return linked(a, p.reshape(a, shape=shape), p.reshape, shape=shape)


def permuted(a: Any, axes: tuple[int, ...]) -> Any:
    """Permute the axes, as a view."""
    out = p.transpose(a, axes=axes)
    return link_view(a, out, (p.transpose, {"axes": axes})) if type(a) is TracedArray else out


def full_shape(shape: Any, size: int) -> tuple[int, ...]:
    """Fill in the -1 of a new shape, or refuse it in NumPy's words."""
    wanted = shape_of(shape)
    unknown = [n for n, length in enumerate(wanted) if length < 0]
    known = prod(length for length in wanted if length >= 0)
    if len(unknown) > 1:
        raise ValueError("can only specify one unknown dimension")
    if unknown and known and size % known == 0:
        wanted = tuple(size // known if length < 0 else length for length in wanted)
    if prod(wanted) != size or any(length < 0 for length in wanted):
        raise ValueError(f"cannot reshape array of size {size} into shape {shape_of(shape)}")
    return wanted


def dimensions(arguments: tuple[Any, ...]) -> Any:
    """Return a shape or axes given to a method one by one or as one sequence."""
    if len(arguments) == 1 and not isinstance(arguments[0], (int, np.integer)):
        return arguments[0]
    return arguments


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """Give an array a new shape."""
    a = as_array(a)
    new = full_shape(shape, prod(a.shape))
    if order == "F" or (order == "A" and example_of(a).flags.fnc):
        rank = len(a.shape)
        turned = permuted(a, tuple(range(rank))[::-1])
        out = permuted(_reshaped(turned, new[::-1]), tuple(range(len(new)))[::-1])
    elif order in ("C", "A"):
        out = _reshaped(a, new)
    else:
        raise ValueError(f"order must be one of 'C', 'F' or 'A' (got {order!r})")
    if copy:
        return p.copy(out)
    if copy is False and type(a) is TracedArray and not np.may_share_memory(innermost(a), innermost(out)):
        raise ValueError("Unable to avoid creating a copy while reshaping.")
    return out


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """Flatten to one dimension, as a view where the elements lie in that order in memory."""
    a = as_array(a)
    flags = example_of(a).flags
    size = (prod(a.shape),)
    if order == "K":
        strides = example_of(a).strides
        a = permuted(a, tuple(sorted(range(len(a.shape)), key=lambda n: -abs(strides[n]))))
        flags, order = example_of(a).flags, "C"
    elif order == "A":
        order = "F" if flags.fnc else "C"
    if flags.f_contiguous if order == "F" else flags.c_contiguous:
        return reshape(a, size, order)
    if order == "F":
        a = p.transpose(a, axes=tuple(range(len(a.shape)))[::-1])
    return p.copy(p.reshape(a, shape=size))


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    """Permute the axes, reversing them by default."""
    a = as_array(a)
    rank = len(a.shape)
    if axes is None:
        return permuted(a, tuple(range(rank))[::-1])
    axes = tuple(axes)
    if len(axes) != rank:
        raise ValueError("axes don't match array")
    order = axes_of(axes, rank)
    return permuted(a, order)


permute_dims = transpose


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Transpose the last two axes."""
    x = as_array(x)
    rank = len(x.shape)
    if rank < 2:
        raise ValueError(f"Input array must be at least 2-dimensional, but it is {rank}")
    return permuted(x, (*range(rank - 2), rank - 1, rank - 2))


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Exchange two axes."""
    a = as_array(a)
    rank = len(a.shape)
    order = list(range(rank))
    i, j = axis_of(axis1, rank), axis_of(axis2, rank)
    order[i], order[j] = j, i
    return permuted(a, tuple(order))


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Move axes to new positions."""
    a = as_array(a)
    rank = len(a.shape)
    origin, target = axes_of(source, rank), axes_of(destination, rank)
    if len(origin) != len(target):
        raise ValueError("`source` and `destination` arguments must have the same number of elements")
    order = [n for n in range(rank) if n not in origin]
    for place, axis in sorted(zip(target, origin, strict=True)):
        order.insert(place, axis)
    return permuted(a, tuple(order))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Roll an axis backwards until it lies at a position."""
    a = as_array(a)
    rank = len(a.shape)
    axis = axis_of(axis, rank)
    start = operator.index(start)
    if start < 0:
        start += rank
    if not 0 <= start <= rank:
        raise np.exceptions.AxisError(
            f"'start' arg requires {-rank} <= start < {rank + 1}, but {start} was passed in"
        )
    if axis < start:
        start -= 1
    order = [n for n in range(rank) if n != axis]
    order.insert(start, axis)
    return permuted(a, tuple(order))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """Drop axes of length one."""
    a = as_array(a)
    rank = len(a.shape)
    axes = tuple(n for n in range(rank) if a.shape[n] == 1) if axis is None else ufunc_axes(axis, rank)
    if any(a.shape[n] != 1 for n in axes):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    if not axes:
        return a
    return _reshaped(a, tuple(length for n, length in enumerate(a.shape) if n not in axes))


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """Insert axes of length one."""
    a = as_array(a)
    positions = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    rank = len(a.shape) + len(positions)
    new = axes_of(positions, rank)
    rest = iter(a.shape)
    return _reshaped(a, tuple(1 if n in new else next(rest) for n in range(rank)))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """Broadcast to a shape."""
    array = as_array(array)
    target = shape_of(shape)
    np.broadcast_to(np.broadcast_to(0, array.shape), target)  # NumPy's own error
    return linked(array, p.broadcast_to(array, shape=target), p.broadcast_to, shape=target)


# --- dimensions and broadcasting --------------------------------------------------------------------


def _at_least(arrays: tuple[Any, ...], shape_for: Any) -> Any:
    out = []
    for a in arrays:
        a = as_array(a)
        shape = shape_for(a.shape)
        out.append(a if shape == a.shape else _reshaped(a, shape))
    return out[0] if len(out) == 1 else tuple(out)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """Give arrays at least one dimension."""
    return _at_least(arys, lambda shape: shape or (1,))


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """Give arrays at least two dimensions, in front."""
    return _at_least(arys, lambda shape: (1,) * (2 - len(shape)) + shape)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """Give arrays at least three dimensions, as NumPy places them."""

    def shape_for(shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) == 2:
            return (*shape, 1)
        return {0: (1, 1, 1), 1: (1, *shape, 1)}.get(len(shape), shape)

    return _at_least(arys, shape_for)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """Broadcast arrays against each other."""
    arrays = [as_array(a) for a in args]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(no_scalar(a) if a.shape == shape else broadcast_to(a, shape) for a in arrays)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """Return coordinate arrays from coordinate vectors."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    rank = len(xi)
    out = []
    for n, x in enumerate(xi):
        place = 1 - n if indexing == "xy" and rank > 1 and n < 2 else n
        x = as_array(x)
        out.append(_reshaped(x, tuple(prod(x.shape) if m == place else 1 for m in range(rank))))
    if not sparse:
        shape = np.broadcast_shapes(*(x.shape for x in out))
        out = [broadcast_to(x, shape) for x in out]
    return tuple(p.copy(x) for x in out) if copy else tuple(out)
