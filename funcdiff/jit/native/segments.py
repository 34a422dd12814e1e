"""Adding at places that are known: each element is the sum of what is gathered for it.

Added one by one, numbers that go to the same few elements wait for each other; what is gathered and summed does not.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Literal, Record, Variable
from funcdiff.jit.native.arrays import Array
from funcdiff.jit.native.engine import LANES
from funcdiff.jit.native.lower import Lowering

FEWEST = 64  # numbers that are added
LONGEST = 1 << 22
PADDED = 2  # times as many numbers as are added may be gathered, the others in vain


class Table(NamedTuple):
    """Which elements of a cotangent go where.

    Those in row `n` of `sources`, where `valid`, to element `first + n` of `length`; `valid` is None where all do.
    """

    sources: Any
    valid: Any
    first: int
    length: int


def summed(low: Lowering, record: Record, g: Array, index: Any) -> Array | None:
    """Return zeros to which a cotangent is added at an index that is known; None where that is better done one by one."""
    out = record.outputs[0].type
    items = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, (Variable, Literal)) for i in items) or not FEWEST <= g.type.size <= LONGEST:
        return None
    key = ("summed", out.shape, *map(_name, items))
    if key not in low.places:
        low.places[key] = items, _of_rows(out.shape, items) or _of_elements(out.shape, index)
    found = low.places[key][1]
    if found is None:
        return None
    table, shape = found
    before, _, after = shape
    of = out.dtype

    def step(name: str, shape: tuple[int, ...], x: Array, **params: Any) -> Array:
        return low.step(REGISTRY[name], ArrayType(shape, of), [x], params)

    x = low.step(REGISTRY["reshape"], ArrayType(shape, of), [g], {"shape": shape})
    if isinstance(table, Table):
        rows, most = table.sources.shape
        x = step("getitem", (before, rows, most, after), x, index=(slice(None), table.sources, slice(None)))
        if table.valid is not None:
            choices = [low.array(Literal(table.valid)), x, low.array(Literal(of.type(0)))]
            x = low.step(REGISTRY["where"], x.type, choices, {})
        x = step("sum", (before, rows, after), x, axis=(2,), keepdims=False)
        place, length = slice(table.first, table.first + rows), table.length
    else:
        place, length, rows = table, out.size // (before * after), -1
    if rows < length:
        full = (before, length, after)
        params = {"shape": full, "index": (slice(None), place)}
        x = low.step(REGISTRY["index_add"], ArrayType(full, of), [x], params)
    return low.step(REGISTRY["reshape"], out, [x], {"shape": out.shape})


def _name(item: Any) -> Any:
    return id(item) if isinstance(item, (np.ndarray, list)) else repr(item)


def _of_rows(shape: tuple[int, ...], items: tuple[Any, ...]) -> tuple[Any, tuple[int, int, int]] | None:
    """Return the table of an index that takes whole rows along one axis, and the cotangent's shape about it.

    Where the places of elements are those of whole rows, their numbers stand for the table.
    """
    at = [n for n, i in enumerate(items) if not (isinstance(i, slice) and i == slice(None))]
    if len(at) != 1 or any(i is Ellipsis for i in items):
        return None
    axis = at[0]
    places = np.asarray(items[axis])
    if places.dtype.kind not in "iu" or not places.ndim:
        return None
    before, n, after = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    if after >= LANES:  # rows that are added as vectors
        return None
    places = np.where(places < 0, places + n, places).ravel()
    if before * after == 1:
        after = _row_length(places, n)
        places, n = places[::after] // after, n // after
    if after >= LANES:
        return places, (1, places.size, after)
    table = _table(places, n)
    return None if table is None else (table, (before, places.size, after))


def _row_length(places: Any, length: int) -> int:
    """Return how many places side by side are always those of a whole row, if the array is seen as rows."""
    breaks = np.flatnonzero(np.diff(places) != 1)
    row = int(breaks[0]) + 1 if breaks.size else places.size
    if places.size % row or length % row or (places[::row] % row).any():
        return 1
    return row if (places.reshape(-1, row) == places[::row, None] + np.arange(row)).all() else 1


def _of_elements(shape: tuple[int, ...], index: Any) -> tuple[Table, tuple[int, int, int]] | None:
    """Return the table of any index, element by element."""
    size = math.prod(shape)
    if size > LONGEST:
        return None
    items = index if isinstance(index, tuple) else (index,)
    whole = len(items) < len(shape) or isinstance(items[-1], slice)
    if whole and shape[-1] >= LANES:  # rows that are added as vectors
        return None
    places = np.arange(size).reshape(shape)[index].ravel()
    table = _table(places, size)
    return None if table is None else (table, (1, places.size, 1))


def _table(places: Any, count: int) -> Table | None:
    counts = np.bincount(places, minlength=count)
    used = np.flatnonzero(counts)
    first, rows, most = int(used[0]), int(used[-1] - used[0] + 1), int(counts.max())
    if rows * most > PADDED * places.size:
        return None
    order = np.argsort(places, kind="stable")
    to = places[order]
    nth = np.arange(len(places)) - (np.cumsum(counts) - counts)[to]
    sources, valid = np.zeros((rows, most), np.int64), np.zeros((rows, most), bool)
    sources[to - first, nth], valid[to - first, nth] = order, True
    return Table(sources, None if valid.all() else valid[:, :, None], first, count)
