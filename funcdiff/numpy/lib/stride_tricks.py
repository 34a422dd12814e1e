"""`numpy.lib.stride_tricks`, differentiable.

Elements are gathered, so what comes back is a copy; NumPy advises against writing into these views.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib import stride_tricks as _numpy
from numpy.lib.array_utils import normalize_axis_tuple

from funcdiff import errors
from funcdiff.numpy._arguments import as_array, example_of, unsupported_keyword
from funcdiff.numpy._protocol import has_traced, implements
from funcdiff.numpy.shapes import broadcast_arrays, broadcast_to
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.shape import reshape


@implements(_numpy.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """All windows of a shape, as new axes at the end."""
    if writeable:
        raise unsupported_keyword(
            "sliding_window_view",
            "writeable=True",
            "Write into the array itself: overlapping windows share elements.",
        )
    x = as_array(x)
    rank = len(x.shape)
    lengths = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    if any(n < 0 for n in lengths):
        raise ValueError("`window_shape` cannot contain negative values")
    if axis is None:
        axes: Any = tuple(range(rank))
    else:
        axes = normalize_axis_tuple(axis, rank, allow_duplicate=True)
    if len(lengths) != len(axes):
        raise ValueError(
            f"Must provide matching length window_shape and axis; got {len(lengths)} window_shape elements and "
            f"{len(axes)} axes elements."
        )
    for n, along in zip(lengths, axes, strict=True):
        if x.shape[along] < n:
            raise ValueError("window shape cannot be larger than input array shape")
        starts = np.arange(x.shape[along] - n + 1)
        windows = np.take(x, starts[:, None] + np.arange(n), axis=along)
        x = np.moveaxis(windows, along + 1, -1)
    return x


def as_strided(
    x: Any, shape: Any = None, strides: Any = None, subok: bool = False, writeable: bool = True
) -> Any:
    """Elements of a contiguous array by their distance in bytes: a copy, unlike NumPy's.

    Out-of-range elements raise an IndexError.
    """
    if not has_traced(x):
        return _numpy.as_strided(x, shape, strides, subok, writeable)
    x = as_array(x)
    seen = example_of(x)
    shape = x.shape if shape is None else tuple(shape)
    strides = seen.strides if strides is None else tuple(strides)
    item = x.dtype.itemsize
    if not seen.flags.c_contiguous or any(n % item for n in strides):
        raise errors.UnsupportedError(
            errors.at_user_line(
                "as_strided of a traced array takes contiguous arrays and strides of whole elements: copy the array "
                "first (np.ascontiguousarray)."
            )
        )
    place = np.zeros(shape, np.intp)
    for axis, (length, stride) in enumerate(zip(shape, strides, strict=True)):
        place += (np.arange(length) * (stride // item)).reshape(-1, *(1,) * (len(shape) - axis - 1))
    if place.size and (place.min() < 0 or place.max() >= x.size):
        raise IndexError(errors.at_user_line("as_strided: the strides lead outside of the array"))
    return getitem(reshape(x, shape=(x.size,)), index=(place,))


__all__ = ["as_strided", "broadcast_arrays", "broadcast_to", "sliding_window_view"]
