from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_index
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from funcdiff import errors
from funcdiff.core.matching import convert
from funcdiff.core.mutation import is_written, link_view, root_and_path, root_of, through
from funcdiff.core.objects import stack_objects
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import TracedArray, innermost, is_scalar_value

UNSET: Any = np._NoValue  # NumPy's own mark for a keyword that was not given


def as_array(x: Any) -> Any:
    """Return a traced array or a plain ndarray or scalar; nested sequences of traced values are stacked."""
    kind = type(x)
    if kind is TracedArray:
        return x
    if kind is list or kind is tuple:
        from funcdiff.numpy.creation import assembled

        return assembled(x)
    if isinstance(x, np.ndarray) and x.dtype.hasobject:
        return stack_objects(x)
    if isinstance(x, (np.ndarray, np.generic)):
        return x
    if kind.__module__.startswith("scipy.sparse"):
        raise errors.UnsupportedError(
            errors.at_user_line("NumPy's functions take no sparse matrices: write A @ x, or A.toarray()")
        )
    return np.asarray(x)


def axis_of(axis: Any, ndim: int) -> int:
    """Count an axis from the front."""
    return normalize_axis_index(as_index(axis), ndim)


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """Count axes from the front; None means all."""
    if axis is None:
        return tuple(range(ndim))
    return normalize_axis_tuple(axis if isinstance(axis, (tuple, list)) else as_index(axis), ndim)


def ufunc_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Count the axes of a ufunc's reduction, which takes axis 0 and -1 of a scalar too."""
    if ndim == 0 and (axis == 0 or axis == -1):
        return ()
    return axes_of(axis, ndim)


def at_least_1d(x: Any) -> Any:
    """Give a 0-d array the axis that NumPy gives it where a function works along one."""
    return x if x.shape else REGISTRY["reshape"].function(x, shape=(1,))


def as_scalar(x: Any) -> Any:
    """Turn a 0-d array into the scalar that most of NumPy's functions return."""
    return REGISTRY["getitem"].function(x, index=()) if x.shape == () else x


def no_scalar(x: Any) -> Any:
    """Make a traced scalar, which is immutable, the 0-d array that NumPy's functions make of one."""
    return REGISTRY["copy"].function(x) if type(x) is TracedArray and is_scalar_value(x) else x


def shape_of(shape: Any) -> tuple[int, ...]:
    """Return a shape given as an integer or a sequence of integers."""
    if isinstance(shape, (Sequence, np.ndarray)) or (isinstance(shape, TracedArray) and shape.shape):
        lengths: Any = shape
        return tuple(as_index(n) for n in lengths)
    return (as_index(shape),)


def check_device(device: Any) -> None:
    """Refuse a device that is not NumPy's only one."""
    if device is not None and device != "cpu":
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')


def given(value: Any) -> bool:
    """Tell whether an optional keyword was given."""
    return value is not UNSET and value is not None


def to_dtype(x: Any, dtype: Any) -> Any:
    """Convert to a dtype, None meaning its own."""
    if dtype is None:
        return x
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if dtype.kind in "fc":
        return convert(x, dtype) if type(x) is TracedArray else x.astype(dtype)
    if dtype.kind == "O" and type(x) is TracedArray:  # an array of traced elements
        return np.array(x) if x.shape else x
    if dtype.kind in "SU" and type(x) is TracedArray and x.dtype.kind in "fc":
        raise errors.ConversionError(
            errors.at_user_line(
                f"converting a traced array (dtype {x.dtype}) to text would drop its derivative. Take the plain values "
                "with fd.stop_gradient(x)."
            )
        )
    from funcdiff.primitives.queries import as_integer

    return as_integer(x, dtype=dtype)


def deliver(result: Any, out: Any, name: str) -> Any:
    """Write a result into ``out=`` if there is one, and return it."""
    if out is None or out is UNSET:
        return result
    if isinstance(out, tuple):
        (out,) = out
        if out is None:
            return result
    if type(out) is TracedArray:
        if out.shape != result.shape:
            raise ValueError(
                errors.at_user_line(
                    f"{name}: out= has shape {out.shape}, the result has shape {result.shape}"
                )
            )
        out[...] = result  # type: ignore[index]
        return out
    if type(result) is not TracedArray:
        out[...] = result
        return out
    raise plain_write(f"{name}(..., out=...)")


def plain_write(what: str) -> errors.PlainWriteError:
    """Refuse to write a traced value into a plain array."""
    return errors.plain_write(f"{what} was to write a traced value")


def unsupported_keyword(name: str, keyword: str, remedy: str) -> errors.UnsupportedError:
    """Refuse a keyword, naming function, keyword and remedy."""
    return errors.UnsupportedError(
        errors.at_user_line(f"{name} of a traced array does not take {keyword}. {remedy}")
    )


def example_of(x: Any) -> Any:
    """Return a plain array laid out as NumPy would have laid out `x`, without the axes that `vmap` maps over.

    A view is laid out by what it looks at: the slices of a written array are copied when they are read.
    """
    if type(x) is TracedArray and getattr(x, "base", None) is not None and is_written(root_of(x)):
        root, path = root_and_path(x)
        return np.asarray(through(example_of(root), path))
    found = innermost(x)
    if not isinstance(found, np.ndarray):
        return np.asarray(found)
    extra = found.ndim - len(x.shape)
    if not extra:
        return found
    return found[(0,) * extra] if 0 not in found.shape else np.empty(x.shape, found.dtype)


def linked(x: Any, out: Any, function: Any, **params: Any) -> Any:
    """Link a result as a view if NumPy made one."""
    if type(x) is TracedArray and type(out) is TracedArray and out is not x and not is_scalar_value(x):
        a = example_of(x)
        b = innermost(out) if a is innermost(x) else function(a, **params)
        if a is b or b.base is a or np.may_share_memory(a, b):
            link_view(x, out, (function, params))
    return out
