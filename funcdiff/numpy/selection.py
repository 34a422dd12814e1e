"""Selecting elements: where, clip, select, choose, take, compress and their relatives."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy._core import umath

from funcdiff.core.recording import TracedArray, concrete
from funcdiff.numpy._arguments import UNSET, as_array, at_least_1d, axis_of, deliver
from funcdiff.numpy._protocol import UFUNCS, implements
from funcdiff.primitives import selection as p
from funcdiff.primitives.comparison import not_equal
from funcdiff.primitives.indexing import getitem, plain_index, read
from funcdiff.primitives.ordering import take_along
from funcdiff.primitives.shape import broadcast_to, reshape, stack


def condition_of(c: Any) -> Any:
    """Return a condition as booleans; a traced number asks whether it is zero."""
    c = as_array(c)
    return c if c.dtype == bool else not_equal(c, 0)


def branch(x: Any) -> Any:
    """Return an operand; Python numbers stay weak."""
    return x if isinstance(x, (int, float, complex)) else as_array(x)


@implements(np.where)
def where(condition: Any, x: Any = UNSET, y: Any = UNSET, /) -> Any:
    """Select from two arrays; with one argument, say where the condition holds."""
    if x is UNSET and y is UNSET:
        from funcdiff.numpy.queries import nonzero

        return nonzero(condition)
    if x is UNSET or y is UNSET:
        raise ValueError("either both or neither of x and y should be given")
    return p.where(condition_of(condition), branch(x), branch(y))


@implements(np.clip)
def _clip(
    a: Any,
    a_min: Any = UNSET,
    a_max: Any = UNSET,
    out: Any = None,
    *,
    min: Any = UNSET,
    max: Any = UNSET,
    **kwargs: Any,
) -> Any:
    """Limit to an interval; the derivative passes on the closed interval, and to the bounds outside."""
    if a_min is UNSET and a_max is UNSET:
        a_min, a_max = (None if min is UNSET else min), (None if max is UNSET else max)
    elif a_min is UNSET:
        raise TypeError("clip() missing 1 required positional argument: 'a_min'")
    elif min is not UNSET or max is not UNSET:
        raise ValueError(
            "Passing `min` or `max` keyword argument when `a_min` and `a_max` are provided is forbidden."
        )
    a = as_array(a)
    where_ = kwargs.pop("where", True)
    dtype = kwargs.pop("dtype", None)
    kwargs.pop("casting", None)
    if kwargs:
        raise TypeError(f"clip() got unexpected keyword arguments {sorted(kwargs)}")
    result = _clipped(a, a_min, a_max)
    if where_ is not True:
        result = p.where(where_, result, a if out is None else out)
    return deliver(result if dtype is None else result.astype(dtype), out, "clip")


def clip(
    a: Any,
    a_min: Any = UNSET,
    a_max: Any = UNSET,
    out: Any = None,
    *,
    min: Any = UNSET,
    max: Any = UNSET,
    **kwargs: Any,
) -> Any:
    """Limit to an interval; the derivative passes on the closed interval, and to the bounds outside."""
    if a_max is UNSET and a_min is not UNSET:  # the Array API's ``clip(x, min)``, which NumPy has not
        a_max, max = (None if max is UNSET else max), UNSET
    return _clip(a, a_min, a_max, out, min=min, max=max, **kwargs)


def _clipped(a: Any, low: Any, high: Any) -> Any:
    if low is None and high is None:
        return +a if a.dtype != bool else a
    if a.dtype.kind != "f" and (low is None or high is None):
        return np.minimum(a, high) if low is None else np.maximum(a, low)
    low = float("-inf") if low is None else branch(low)
    high = float("inf") if high is None else branch(high)
    return p.clip(a, low, high)


UFUNCS[vars(umath)["clip"]] = p.clip  # what the method of a plain array calls: y.clip(0, x)


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Select by the first condition that holds."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if len(condlist) == 0:
        raise ValueError("select with an empty condition list is not possible")
    conditions = [as_array(c) for c in condlist]
    for n, c in enumerate(conditions):
        if c.dtype != bool:
            raise TypeError(f"invalid entry {n} in condlist: should be boolean ndarray")
    result = branch(default)
    for condition, choice in zip(conditions[::-1], choicelist[::-1], strict=True):
        result = p.where(condition, branch(choice), result)
    return result


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Pick, at each place, from the choice that an index array names."""
    index = as_array(a)
    if index.dtype.kind == "b":
        index = index.astype(np.intp)
    options = list(choices) if not isinstance(choices, np.ndarray) else [*choices]
    options = [as_array(c) for c in options]
    shape = np.broadcast_shapes(index.shape, *(c.shape for c in options))
    stacked = stack(*(c if c.shape == shape else broadcast_to(c, shape=shape) for c in options), axis=0)
    index = in_range(index, len(options), mode, "invalid entry in choice array", negative=False)
    index = reshape(broadcast_to(index, shape=shape), shape=(1, *shape))
    return deliver(reshape(take_along(stacked, index, 0), shape=shape), out, "choose")


def in_range(index: Any, length: int, mode: str, message: str, negative: bool = True) -> Any:
    """Bring integer indices into range as ``mode=`` says."""
    if mode == "wrap":
        return index % length
    if mode == "clip":
        return np.clip(index, 0, length - 1)
    if mode != "raise":
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    lowest = -length if negative else 0
    if type(index) is not TracedArray and (np.any(index >= length) or np.any(index < lowest)):
        raise (IndexError(message) if negative else ValueError(message))
    return index


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    """Take elements along an axis."""
    listed = isinstance(indices, (list, tuple))
    a, indices = at_least_1d(as_array(a)), as_array(indices)
    if axis is None:
        a, axis = reshape(a, shape=(prod(a.shape),)), 0
    axis = axis_of(axis, len(a.shape))
    if (
        indices.dtype.kind == "f"
        and type(indices) is not TracedArray
        and (listed or prod(indices.shape) == 0)
    ):
        indices = indices.astype(np.intp)
    if indices.dtype.kind not in "biu":
        raise TypeError(
            f"Cannot cast array data from {indices.dtype!r} to dtype('int64') according to the rule 'safe'"
        )
    if indices.dtype == bool:
        indices = indices.astype(np.intp)
    length = a.shape[axis]
    indices = in_range(indices, length, mode, f"indices are out of bounds for axis {axis} with size {length}")
    index = indices if type(indices) is TracedArray else np.asarray(indices)
    return deliver(read(a, plain_index((slice(None),) * axis + (index,))), out, "take")


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """Take one element per index along an axis, matching the other axes."""
    arr, indices = as_array(arr), as_array(indices)
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if axis is None:
        if len(indices.shape) != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        arr, axis = reshape(arr, shape=(prod(arr.shape),)), 0
    axis = axis_of(axis, len(arr.shape))
    if len(indices.shape) != len(arr.shape):
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    return take_along(arr, indices, axis)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    """Take the slices along an axis for which a condition holds."""
    a = as_array(a)
    if axis is None:
        a, axis = reshape(a, shape=(prod(a.shape),)), 0
    axis = axis_of(axis, len(a.shape))
    plain = np.asarray(concrete(condition_of(condition)))
    if plain.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    kept = np.flatnonzero(plain)
    if kept.size and kept[-1] >= a.shape[axis]:
        raise IndexError(f"index {kept[-1]} is out of bounds for axis {axis} with size {a.shape[axis]}")
    return deliver(getitem(a, index=(slice(None),) * axis + (kept,)), out, "compress")


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """Take the elements for which a condition holds."""
    arr, condition = as_array(arr), condition_of(condition)
    kept = np.flatnonzero(np.asarray(concrete(condition)))
    return getitem(reshape(arr, shape=(prod(arr.shape),)), index=(kept,))


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Evaluate a function on each part of an array.

    Conditions that `vmap` or a program leaves open are selected with `where`, so that each function then sees the
    whole array.
    """
    x = as_array(x)
    if (
        not isinstance(condlist, (list, tuple))
        or not condlist
        or (np.ndim(condlist[0]) == 0 and len(x.shape) != 0)
    ):
        condlist = [condlist]
    conditions = [condition_of(c) for c in condlist]
    if len(conditions) == 1 and len(conditions[0].shape) == len(x.shape) + 1:
        conditions = [conditions[0][n] for n in range(conditions[0].shape[0])]
    if len(funclist) == len(conditions) + 1:
        rest = conditions[0]
        for c in conditions[1:]:
            rest = rest | c
        conditions.append(~rest)
    elif len(funclist) != len(conditions):
        n = len(conditions)
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")
    open_conditions = any(type(c) is TracedArray for c in conditions)
    y = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            if open_conditions:
                y = p.where(condition, branch(function), y)
            else:
                y[condition] = function
        elif open_conditions:
            y = p.where(condition, function(x, *args, **kw), y)
        elif np.any(condition):
            y[condition] = function(x[condition], *args, **kw)
    return y
