"""Reading back what a write wrote: with repeated indices the last one wins, as in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.core.mutation import Cell, Path, differ, flat_numbers, is_basic, own_buffer, through, update
from funcdiff.primitives.indexing import getitem, is_traced_index, read


def read_written(x: Any, path: Path) -> Any:
    """Read through a path, with zeros where another write to the same element came later."""
    index = path[-1][1]["index"]
    if is_basic(index):  # not a view: the sweep will write into `x`
        value = through(x, path)
        if type(value) is np.ndarray:
            return value.copy(order="K")
        own_buffer(value)
        return value
    target = through(x, path[:-1])
    value = read(target, index)
    kept = last_writes(target.shape, index)
    return value if kept is None else value * kept


def last_writes(shape: tuple[int, ...], index: Any) -> Any:
    """Return a mask of the writes that last, or None if no element is written twice."""
    items = index if type(index) is tuple else (index,)
    plain = [np.asarray(i) for i in items if isinstance(i, (np.ndarray, list))]
    if all(i.dtype == bool for i in plain) and not is_traced_index(index):
        return None
    if not plain and all(not i.shape for i in items if hasattr(i, "shape")):
        return None  # integers: one element, or one slice, of each example
    if not is_traced_index(index) and differ(flat_numbers(index, shape), math.prod(shape)):
        return None
    numbers = Cell(np.full(shape, -1.0))
    written = read(numbers.value, index).shape
    order = np.arange(np.prod(written), dtype=float).reshape(written)
    update(numbers, order, ((getitem, {"index": index}),))
    kept = read(numbers.value, index) == order
    return None if type(kept) is np.ndarray and kept.all() else kept
