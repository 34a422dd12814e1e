"""Making arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.mutation import constant_buffer
from funcdiff.core.objects import stack_objects
from funcdiff.core.recording import TracedArray
from funcdiff.numpy._protocol import has_traced, implements
from funcdiff.primitives.shape import stack


def array(object: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """Make an array of (nested sequences of) numbers and traced arrays, as `numpy.array` does."""
    if not has_traced(object):
        return np.array(object, dtype, **kwargs)
    if isinstance(object, (list, tuple)):
        return stack(*[array(item) for item in object], axis=0)
    return stack_objects(object)


@implements(np.zeros_like)
def zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
    """Return zeros of the same shape and dtype, ready to be written into."""
    assert type(a) is TracedArray
    zeros = np.zeros(a.shape if shape is None else shape, a.dtype if dtype is None else dtype)
    return constant_buffer(zeros, a.recorder)
