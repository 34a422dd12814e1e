"""Evenly spaced values: arange, linspace, logspace, geomspace, whose ends may be traced."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from funcdiff.core.recording import concrete, innermost
from funcdiff.numpy._arguments import as_array, check_device, to_dtype
from funcdiff.numpy._protocol import CREATION, has_traced, implements
from funcdiff.numpy.creation import writable
from funcdiff.primitives.selection import where as select
from funcdiff.primitives.shape import transpose

F = TypeVar("F", bound=Callable[..., Any])


def made_writable(function: F) -> F:
    """Make the new array that a function returns one that traced values can be written into."""

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        return (writable(out[0]), *out[1:]) if isinstance(out, tuple) else writable(out)

    return make  # type: ignore[return-value]


def arange(
    start_or_stop: Any,
    /,
    stop: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    like: Any = None,
) -> Any:
    """Return evenly spaced values; traced ends decide their number by their values."""
    check_device(device)
    if not has_traced((start_or_stop, stop, step)):
        ends = (start_or_stop,) if stop is None else (start_or_stop, stop)
        return writable(np.arange(*ends, step=step, dtype=dtype), like)  # type: ignore[call-overload]
    start, stop = (0, start_or_stop) if stop is None else (start_or_stop, stop)
    count = len(np.arange(*(np.asarray(concrete(v)).item() for v in (start, stop, step))))
    values = as_array(start) + np.arange(count) * as_array(step)
    return to_dtype(values, dtype)


@made_writable
@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """Return evenly spaced values between two ends, which may be traced arrays."""
    num = num.__index__()
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    start, stop = as_array(start), as_array(stop)
    intervals = num - 1 if endpoint else num
    shape = np.broadcast_shapes(start.shape, stop.shape)
    kind = np.result_type(start.dtype, stop.dtype, 1.0)
    start, delta = to_dtype(start * 1.0, kind), to_dtype(stop - start, kind)
    steps = np.arange(num, dtype=kind.type(0).real.dtype).reshape(-1, *(1,) * len(shape))
    step: Any = np.nan
    if intervals > 0:
        step = delta / intervals
        values = steps * step + start
        if endpoint:
            values = select(steps == intervals, to_dtype(stop * 1.0, kind), values)
    else:
        values = steps * delta + start
    if dtype is not None:
        values = to_dtype(np.floor(values) if np.dtype(dtype).kind in "iu" else values, dtype)
    values = _axis_from_front(values, axis)
    return (values, step) if retstep else values


def _axis_from_front(x: Any, axis: int) -> Any:
    rank = len(x.shape)
    axis = axis + rank if axis < 0 else axis
    if axis == 0:
        return x
    order = list(range(1, rank))
    order.insert(axis, 0)
    return transpose(x, axes=tuple(order))


@made_writable
@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return numbers spaced evenly on a log scale."""
    base = as_array(base) if has_traced(base) or np.ndim(base) else base
    values = linspace(start, stop, num, endpoint)
    return _axis_from_front(to_dtype(base**values, dtype), axis)


@made_writable
@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """Return numbers in geometric progression between two ends."""
    start, stop = as_array(start), as_array(stop)
    kind = np.result_type(start.dtype, stop.dtype, np.float64)  # as NumPy, float32 included
    start, stop = to_dtype(start, kind), to_dtype(stop, kind)
    if np.any(innermost(np.equal(start, 0))) or np.any(innermost(np.equal(stop, 0))):
        raise ValueError("Geometric sequence cannot include zero")
    sign = np.sign(start)
    num = num.__index__()
    values = sign * 10.0 ** linspace(np.log10(start / sign), np.log10(stop / sign), num, endpoint)
    number = np.arange(num).reshape(-1, *(1,) * (len(values.shape) - 1))
    values = select(number == 0, start, values)  # the ends are exact
    if endpoint and num > 1:
        values = select(number == num - 1, stop, values)
    return _axis_from_front(to_dtype(values, dtype), axis)


CREATION[np.arange] = arange
