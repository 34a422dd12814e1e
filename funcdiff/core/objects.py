"""Object arrays: what NumPy makes of traced scalars, stacked back where traced code meets them."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import TracedArray

LARGE = 1000


def warn_if_large(count: int) -> None:
    """Warn of an object array that is slow to compute with, naming the user's line."""
    if count > LARGE:
        warnings.warn(
            errors.at_user_line(
                f"NumPy makes an object array of {count} traced elements here, which is slow: build arrays with "
                "fd.numpy.array(...), leave np.asarray(x) out, or fill a buffer made with like=x (np.zeros(n, like=x))."
            ),
            errors.PerformanceWarning,
            stacklevel=2,
        )


def stack_objects(x: Any) -> Any:
    """Stack an object array of traced scalars and numbers into one traced array; others pass."""
    if not (isinstance(x, np.ndarray) and x.dtype.hasobject):
        return x
    items = list(x.flat)
    if not any(type(i) is TracedArray for i in items):
        return _numbers(items, x)
    warn_if_large(len(items))
    shapes = {i.shape if type(i) is TracedArray else np.shape(i) for i in items}
    if len(shapes) != 1:
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"an object array holds traced elements of different shapes {sorted(shapes)}. "
                "Build the array with fd.numpy.array, fd.numpy.stack or fd.numpy.concatenate."
            )
        )
    stacked = REGISTRY["stack"].function(*items, axis=0)
    return REGISTRY["reshape"].function(stacked, shape=(*x.shape, *shapes.pop()))


def _numbers(items: list[Any], x: Any) -> Any:
    """Return an object array as one of numbers, if it holds nothing else; fractions and huge integers are floats."""
    plain = np.array(items)
    if plain.dtype.hasobject and all(isinstance(i, Real) for i in items):
        plain = np.array([float(i) for i in items])
    return plain.reshape(x.shape) if items and plain.dtype.kind in "biufc" else x


def from_sequence(x: Any) -> Any:
    """Make an array of nested sequences of numbers and traced arrays."""
    if isinstance(x, (list, tuple)) and _holds_traced(x):
        return REGISTRY["stack"].function(*[from_sequence(item) for item in x], axis=0)
    return x if type(x) is TracedArray else stack_objects(np.asarray(x))


def _holds_traced(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(_holds_traced(item) for item in x)
    return type(x) is TracedArray or (isinstance(x, np.ndarray) and x.dtype.hasobject)
