"""Reading back what a write wrote: with repeated indices the last one wins, as in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.mutation import Path, is_basic
from funcdiff.core.recording import TracedArray


def read_written(x: Any, path: Path) -> Any:
    """Read through a path, with zeros where another write to the same element came later."""
    function, params = path[-1]
    target = x
    for lens, settings in path[:-1]:
        target = lens(target, **settings)
    value = function(target, **params)
    if not is_basic(params["index"]):
        kept = last_writes(target.shape, params["index"])
        if kept is not None:
            value = value * kept
    elif type(value) is np.ndarray:
        value = value.copy()  # a view would make the sweep copy all of `x` at its next write
    return value


def last_writes(shape: tuple[int, ...], index: Any) -> Any:
    """Return a mask of the writes that last, or None if no element is written twice."""
    items = index if type(index) is tuple else (index,)
    arrays = [np.asarray(i) for i in items if isinstance(i, (np.ndarray, list)) or type(i) is TracedArray]
    if all(a.dtype == bool for a in arrays):
        return None
    numbers = np.full(shape, -1)
    target = numbers[index]
    order = np.arange(target.size).reshape(target.shape)
    numbers[index] = order
    kept = numbers[index] == order
    return None if kept.all() else kept
