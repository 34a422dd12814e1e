"""Making arrays.

Arrays made with a traced prototype (``zeros_like(x)``, ``zeros(n, like=x)``) are constants of its
recorder; ``zeros(n)`` of this package is a free buffer.  Traced values can be written into both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.free import buffer
from funcdiff.core.mutation import constant_buffer
from funcdiff.core.objects import stack_objects
from funcdiff.core.recording import TracedArray, newest
from funcdiff.numpy._arguments import as_array, shape_of, to_dtype
from funcdiff.numpy._protocol import has_traced, implements
from funcdiff.primitives.shape import copy as copy_of
from funcdiff.primitives.shape import reshape, stack


def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    ndmax: int = 0,
    like: Any = None,
) -> Any:
    """Make an array of (nested sequences of) numbers and traced arrays."""
    if not has_traced(object):
        return np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin)  # type: ignore[arg-type]
    out = assembled(object)
    if type(object) is TracedArray and (copy or copy is None and order not in ("K", "A")):
        out = copy_of(out)
    out = to_dtype(out, dtype)
    if len(out.shape) < ndmin:
        out = reshape(out, shape=(1,) * (ndmin - len(out.shape)) + out.shape)
    return out


def assembled(x: Any) -> Any:
    """Stack nested sequences of traced and plain values."""
    if type(x) is TracedArray:
        return x
    if isinstance(x, (list, tuple)):
        if not has_traced(x):
            return np.asarray(x)
        parts = [assembled(i) for i in x]
        shapes = [p.shape for p in parts]
        if any(s != shapes[0] for s in shapes):
            raise ValueError(
                "setting an array element with a sequence. The requested array has an inhomogeneous shape: "
                f"its parts have the shapes {sorted(set(shapes))}."
            )
        return stack(*parts, axis=0)
    if isinstance(x, np.ndarray):
        return stack_objects(x)
    return np.asarray(x)


@implements(np.zeros_like)
def zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None) -> Any:
    """Return zeros of the same shape and dtype, ready to be written into."""
    assert type(a) is TracedArray
    zeros = np.zeros(a.shape if shape is None else shape, a.dtype if dtype is None else dtype)
    return constant_buffer(zeros, a.recorder)
