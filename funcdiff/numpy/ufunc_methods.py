"""The methods of ufuncs: reduce, accumulate, reduceat, outer, at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.mutation import flat_numbers, is_basic
from funcdiff.core.primitive import Function
from funcdiff.core.recording import TracedArray
from funcdiff.numpy._arguments import UNSET, as_array, axes_of, axis_of, given, plain_write, to_dtype
from funcdiff.numpy.ufunc_calls import call, function_of, name_of, store
from funcdiff.primitives.indexing import (
    HOLE,
    getitem,
    index_add,
    is_traced_index,
    plain_index,
    scatter_add,
)
from funcdiff.primitives.reduction import kept_shape
from funcdiff.primitives.running import running_maximum, running_minimum
from funcdiff.primitives.selection import where as choose
from funcdiff.primitives.shape import broadcast_to, concatenate, copy, reshape, stack, transpose

ASSOCIATIVE = frozenset(
    {
        np.logaddexp,
        np.logaddexp2,
        np.hypot,
        np.logical_and,
        np.logical_or,
        np.logical_xor,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
        np.gcd,
        np.lcm,
    }
)
"""Ufuncs that are reduced by halves and accumulated by doubling, in log(n) vectorised steps."""

_LOGICAL = frozenset({np.logical_and, np.logical_or, np.logical_xor})


def call_ufunc(ufunc: np.ufunc, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer any call of a ufunc with a traced argument."""
    match method:
        case "__call__":
            return call(ufunc, args, **kwargs)
        case "reduce":
            return reduce(ufunc, *args, **kwargs)
        case "accumulate":
            return accumulate(ufunc, *args, **kwargs)
        case "reduceat":
            return reduceat(ufunc, *args, **kwargs)
        case "outer":
            return outer(ufunc, *args, **kwargs)
        case "at":
            return at(ufunc, *args)
    raise errors.UnsupportedError(
        errors.at_user_line(
            f"{name_of(ufunc)}.{method} cannot take a traced array. Write it with other functions."
        )
    )


# --- reduce ----------------------------------------------------------------------------------------


def reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = UNSET,
    where: Any = True,
) -> Any:
    """Answer ``np.add.reduce(x, axis)``: by the reduction of that name, by halves, or element by element."""
    _binary(ufunc, "reduce")
    if isinstance(out, tuple):
        (out,) = out
    x = as_array(array)
    if type(x) is not TracedArray and type(where) is not TracedArray and type(initial) is not TracedArray:
        settings = {} if initial is UNSET else {"initial": initial}
        result = ufunc.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims, where=where, **settings)
        return store(result, out, True, "same_kind", f"{name_of(ufunc)}.reduce")
    if not x.shape:
        axis = None  # NumPy takes axis=0 of a scalar for granted
    named = _reductions().get(ufunc)
    if named is not None:
        return named(x, axis=axis, dtype=dtype, out=out, keepdims=keepdims, initial=initial, where=where)
    function = function_of(ufunc)
    axes = axes_of(axis, len(x.shape))
    x = to_dtype(x, dtype)
    if ufunc in {np.fmax, np.fmin}:
        result = _reduce_without_nan(ufunc, x, axes, initial, where)
    else:
        if len(axes) > 1 and ufunc not in ASSOCIATIVE:
            raise ValueError(
                errors.at_user_line(
                    f"reduction operation {ufunc.__name__!r} is not reorderable: give one axis"
                )
            )
        if where is not True:
            where = _axes_first(broadcast_to(as_array(where), shape=x.shape), axes)
        result = _reduce_rows(ufunc, function, _axes_first(x, axes), initial, where)
    if keepdims:
        result = reshape(result, shape=kept_shape(x.shape, axes))
    return store(result, out, True, "same_kind", f"{name_of(ufunc)}.reduce")


def _reductions() -> dict[np.ufunc, Callable[..., Any]]:
    from funcdiff.numpy import reductions

    return {
        np.add: reductions.sum,
        np.multiply: reductions.prod,
        np.maximum: lambda x, *, dtype, **kwargs: reductions.max(to_dtype(x, dtype), **kwargs),
        np.minimum: lambda x, *, dtype, **kwargs: reductions.min(to_dtype(x, dtype), **kwargs),
    }


def _reduce_rows(ufunc: np.ufunc, function: Function, rows: Any, initial: Any, where: Any) -> Any:
    """Reduce the first axis, by halves if the ufunc is associative, else one element after the other."""
    identity = ufunc.identity
    start = initial if given(initial) else identity
    if start is None and where is not True:
        raise ValueError(errors.at_user_line(f"{name_of(ufunc)}.reduce with where= needs initial="))
    if start is None and rows.shape[0] == 0:
        raise ValueError(
            errors.at_user_line(
                f"zero-size array to reduction operation {ufunc.__name__} which has no identity"
            )
        )
    if ufunc in _LOGICAL:
        rows = rows != 0
    if ufunc in ASSOCIATIVE and identity is not None and rows.shape[0]:
        if where is not True:
            rows = choose(where, rows, identity)
        result = _by_halves(function, rows)
        return function(initial, result) if given(initial) else result
    if start is None:
        result, first = rows[0], 1
    else:
        result, first = np.full(rows.shape[1:], 1, rows.dtype) * start, 0
    for n in range(first, rows.shape[0]):
        joined = function(result, rows[n])
        result = joined if where is True else choose(where[n], joined, result)
    return result


def _reduce_without_nan(ufunc: np.ufunc, x: Any, axes: tuple[int, ...], initial: Any, where: Any) -> Any:
    """Reduce by fmax or fmin: NaN counts only where there is nothing else."""
    worst, extremum = (-np.inf, np.maximum) if ufunc is np.fmax else (np.inf, np.minimum)
    missing = np.isnan(x)
    settings = {"where": where, "initial": initial if given(initial) else worst} if where is not True else {}
    if given(initial):
        settings = {"where": where, "initial": initial}
    result = extremum.reduce(choose(missing, worst, x), axis=axes, **settings)
    if given(initial):
        return result
    return choose(np.logical_and.reduce(missing, axis=axes), np.nan, result)


def _binary(ufunc: np.ufunc, method: str) -> None:
    if ufunc.nin != 2 or ufunc.nout != 1 or ufunc.signature is not None:
        raise ValueError(
            errors.at_user_line(f"{name_of(ufunc)}.{method}: only for binary functions of one result")
        )


def _axes_first(x: Any, axes: tuple[int, ...]) -> Any:
    """Bring the reduced axes to the front, as one."""
    rest = tuple(n for n in range(len(x.shape)) if n not in axes)
    x = transpose(x, axes=(*axes, *rest))
    lead = x.shape[: len(axes)]
    return reshape(x, shape=(int(np.prod(lead, dtype=int)), *x.shape[len(axes) :]))


def _by_halves(function: Function, rows: Any) -> Any:
    while (n := rows.shape[0]) > 1:
        half = n // 2
        joined = function(rows[:half], rows[half : 2 * half])
        rows = concatenate(joined, rows[2 * half :], axis=0) if n % 2 else joined
    return rows[0]


# --- accumulate ------------------------------------------------------------------------------------


def accumulate(ufunc: np.ufunc, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
    """Answer ``np.add.accumulate(x, axis)``."""
    _binary(ufunc, "accumulate")
    if isinstance(out, tuple):
        (out,) = out
    x = to_dtype(as_array(array), dtype)
    name = f"{name_of(ufunc)}.accumulate"
    if type(x) is not TracedArray:
        return store(ufunc.accumulate(x, axis=axis), out, True, "same_kind", name)
    axis = axis_of(axis, len(x.shape))
    return store(_accumulate(ufunc, x, axis), out, True, "same_kind", name)


def _accumulate(ufunc: np.ufunc, x: Any, axis: int) -> Any:
    if ufunc is np.add or ufunc is np.multiply:
        from funcdiff.numpy import reductions

        return reductions.cumsum(x, axis=axis) if ufunc is np.add else reductions.cumprod(x, axis=axis)
    if ufunc is np.maximum:
        return running_maximum(x, axis=axis)
    if ufunc is np.minimum:
        return running_minimum(x, axis=axis)
    function = function_of(ufunc)
    order = (axis, *(n for n in range(len(x.shape)) if n != axis))
    rows = transpose(x, axes=order)
    if ufunc in _LOGICAL:
        rows = rows != 0
    if ufunc in ASSOCIATIVE:
        step = 1
        while step < rows.shape[0]:  # after each pass a row holds twice as many of those before it
            joined = function(rows[:-step], rows[step:])
            rows = concatenate(rows[:step], joined, axis=0)
            step *= 2
    elif rows.shape[0]:
        found = [rows[0]]
        for n in range(1, rows.shape[0]):
            found.append(function(found[-1], rows[n]))
        rows = stack(*found, axis=0)
    return transpose(rows, axes=tuple(int(n) for n in np.argsort(order)))


# --- reduceat --------------------------------------------------------------------------------------


def reduceat(
    ufunc: np.ufunc, array: Any, indices: Any, axis: Any = 0, dtype: Any = None, out: Any = None
) -> Any:
    """Answer ``np.add.reduceat(x, indices, axis)``: element i reduces from indices[i] up to indices[i + 1]."""
    _binary(ufunc, "reduceat")
    if isinstance(out, tuple):
        (out,) = out
    x = to_dtype(as_array(array), dtype)
    name = f"{name_of(ufunc)}.reduceat"
    starts = np.asarray(
        plain_index(indices if hasattr(indices, "dtype") else np.asarray(indices, dtype=np.intp))
    )
    if type(x) is not TracedArray:
        return store(ufunc.reduceat(x, starts, axis=axis), out, True, "same_kind", name)
    axis = axis_of(axis, len(x.shape))
    n = x.shape[axis]
    if starts.size and (starts.min() < 0 or starts.max() >= n):
        raise IndexError(errors.at_user_line(f"{name}: an index is out of bounds for an axis of length {n}"))
    stops = np.maximum(np.append(starts[1:], n), starts + 1)  # NumPy: one element where they do not ascend
    before = (slice(None),) * axis
    if ufunc is np.add:
        lengths = stops - starts
        segment = np.repeat(np.arange(len(starts)), lengths)
        element = (
            np.arange(lengths.sum())
            - np.repeat(np.cumsum(lengths) - lengths, lengths)
            + np.repeat(starts, lengths)
        )
        shape = (*x.shape[:axis], len(starts), *x.shape[axis + 1 :])
        result = index_add(getitem(x, index=(*before, element)), shape=shape, index=(*before, segment))
    else:
        parts = [
            reduce(ufunc, getitem(x, index=(*before, slice(int(a), int(b)))), axis)
            for a, b in zip(starts, stops, strict=True)
        ]
        result = stack(*parts, axis=axis)
    return store(result, out, True, "same_kind", name)


# --- outer -----------------------------------------------------------------------------------------


def outer(ufunc: np.ufunc, a: Any, b: Any, **kwargs: Any) -> Any:
    """Answer ``np.subtract.outer(x, y)``: the operation on every pair of elements."""
    if ufunc.nin != 2 or ufunc.signature is not None:
        raise ValueError(
            errors.at_user_line(f"{name_of(ufunc)}.outer: only for elementwise functions of two arguments")
        )
    a, b = as_array(a), as_array(b)
    return call(ufunc, (reshape(a, shape=(*a.shape, *(1,) * len(b.shape))), b), **kwargs)


# --- at --------------------------------------------------------------------------------------------


def at(ufunc: np.ufunc, a: Any, indices: Any, b: Any = UNSET) -> None:
    """Answer ``np.add.at(x, indices, b)``: in place, repeated indices one after the other."""
    name = f"{name_of(ufunc)}.at"
    if type(a) is not TracedArray:
        raise plain_write(name)
    function = function_of(ufunc)
    index = plain_index(indices)
    operands: tuple[Any, ...] = () if b is UNSET else (as_array(b) if isinstance(b, (list, tuple)) else b,)
    if is_traced_index(index):
        _add_at_mapped(ufunc, a, index, operands, name)
        return
    current = a[index]  # type: ignore[index]
    numbers = None
    if not is_basic(index) and current.size > 1:
        numbers = flat_numbers(index, a.shape).ravel()
        if len(np.unique(numbers)) == len(numbers):
            numbers = None
    if numbers is None:
        a[index] = _stored(function(current, *operands), a, name)  # type: ignore[index]
    elif ufunc is np.add or ufunc is np.subtract:
        b = broadcast_to(
            operands[0] if hasattr(operands[0], "shape") else np.asarray(operands[0]), shape=current.shape
        )
        once, group = np.unique(numbers, return_inverse=True)
        total = index_add(reshape(b, shape=(len(numbers),)), shape=once.shape, index=group)
        places = np.unravel_index(once, a.shape)
        a[places] = _stored(function(a[places], total), a, name)  # type: ignore[index]
    else:
        a[...] = _in_rounds(function, a, numbers, current.shape, operands, name)  # type: ignore[index]


def _stored(value: Any, a: TracedArray, name: str) -> Any:
    if not np.can_cast(value.dtype, a.dtype, "same_kind"):
        raise errors.DtypeError(
            errors.at_user_line(f"{name}: cannot cast the result from {value.dtype} to {a.dtype}")
        )
    return to_dtype(value, a.dtype)


def _in_rounds(function: Function, a: Any, numbers: Any, shape: Any, operands: Any, name: str) -> Any:
    """Round k applies the k-th operation on each element, so that no index repeats within a round."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    first = np.searchsorted(ordered, ordered)
    rounds = np.empty_like(numbers)
    rounds[order] = np.arange(len(numbers)) - first
    flat = copy(reshape(a, shape=(a.size,)))
    values = [
        reshape(broadcast_to(b if hasattr(b, "shape") else np.asarray(b), shape=shape), shape=(len(numbers),))
        for b in operands
    ]
    for k in range(int(rounds.max()) + 1):
        chosen = np.flatnonzero(rounds == k)
        at_once = numbers[chosen]
        flat[at_once] = _stored(function(flat[at_once], *(v[chosen] for v in values)), a, name)
    return reshape(flat, shape=a.shape)


def _add_at_mapped(ufunc: np.ufunc, a: Any, index: Any, operands: Any, name: str) -> None:
    """Add where `vmap` maps over the index."""
    if ufunc is not np.add and ufunc is not np.subtract:
        raise errors.UnsupportedError(
            errors.at_user_line(f"{name} under vmap with a mapped index is not supported; np.add.at is.")
        )
    items = index if type(index) is tuple else (index,)
    arrays = [i for i in items if type(i) is TracedArray]
    template = tuple(HOLE if type(i) is TracedArray else i for i in items)
    b = operands[0] + np.zeros_like(a[index])
    a[...] = function_of(ufunc)(a, scatter_add(b, *arrays, shape=a.shape, template=template))
