"""Indexing: reading, its transpose, and what an index becomes under `vmap`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.declare import general, linear
from funcdiff.core.mutation import BASIC, add_through, empty_sum, is_basic
from funcdiff.core.objects import stack_objects
from funcdiff.core.primitive import Function
from funcdiff.core.recording import TracedArray, concrete
from funcdiff.primitives.shape import all_mapped, reshape, transpose

Index = Any


def _getitem(x: Any, *, index: Index) -> Any:
    return x[index]


def _accumulate(holder: Any, g: Any, kind: ArrayType, *, index: Index) -> None:
    if holder.value is None:
        holder.value = empty_sum(kind, g)
    add_through(holder, g, ((getitem, {"index": index}),))


getitem = linear(
    _getitem,
    lambda g, x, *, index: index_add(g, shape=x.shape, index=index),
    name="getitem",
    batch_params=lambda params, shape, size: {"index": over_batch(params["index"], shape, size)},
    accumulate=_accumulate,
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)),), {"index": (slice(None, None, -2), 1)}),
        ((rng.standard_normal((3, 4)),), {"index": (np.array([0, 2, 2]), slice(1, 3))}),
        ((rng.standard_normal((3, 4, 2)),), {"index": (np.array([0, 2]), slice(None), np.array([1, 0]))}),
        ((rng.standard_normal((3, 4)),), {"index": np.eye(3, 4, dtype=bool)}),
        ((rng.standard_normal((3, 4)),), {"index": (Ellipsis, None, 2)}),
    ],
    doc="Read ``x[index]``; the index is plain.",
)


def _index_add(g: Any, *, shape: tuple[int, ...], index: Index) -> Any:
    out = np.zeros(shape, np.asarray(g).dtype)
    if is_basic(index):
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


def _batch_index_add(values: Any, _flags: Any, size: int, *, shape: tuple[int, ...], index: Index) -> Any:
    return index_add(values[0], shape=(size, *shape), index=over_batch(index, shape, size))


index_add: Function = linear(
    _index_add,
    lambda g, x, *, shape, index: getitem(g, index=index),
    batch=_batch_index_add,
    name="index_add",
    samples=lambda rng: [
        ((rng.standard_normal(3),), {"shape": (4,), "index": np.array([0, 2, 2])}),
        ((rng.standard_normal(2),), {"shape": (4, 2), "index": 1}),
    ],
    doc="Zeros of `shape` with a value added at an index, repeated indices adding up.",
)


# --- indices with traced parts --------------------------------------------------------------------


def plain_index(index: Index) -> Index:
    """Return an index whose traced parts are answered from their values, with guards.

    Parts that `vmap` maps over, or a loop counts, and the integer arrays of a program, stay traced.
    """
    kind = type(index)
    if kind is tuple:
        for item in index:
            kind = type(item)
            if kind not in BASIC or (kind is slice and not _is_plain(item)):
                return tuple(_plain_item(i) for i in index)
        return index
    if kind in BASIC and (kind is not slice or _is_plain(index)):
        return index
    return _plain_item(index)


_BOUNDS = frozenset({int, type(None)})


def _is_plain(item: slice) -> bool:
    """Tell by types alone that no bound is traced, in about 0.1 us."""
    return type(item.stop) in _BOUNDS and type(item.start) in _BOUNDS and type(item.step) in _BOUNDS


def _plain_item(item: Any) -> Any:
    kind = type(item)
    if kind is slice:
        return slice(*map(_bound, (item.start, item.stop, item.step)))
    if kind in BASIC:
        return item
    if kind is list:
        item = np.asarray(item) if item else np.asarray(item, dtype=np.intp)
    if isinstance(item, np.ndarray) and item.dtype.hasobject:
        item = stack_objects(item)
    if type(item) is TracedArray:
        if item.dtype.kind not in "biu":
            raise IndexError(
                f"only integers, slices, ellipsis, None and integer or boolean arrays are valid indices, "
                f"not a traced array of dtype {item.dtype}"
            )
        if not (is_mapped(item) or is_symbolic(item)) or item.dtype.kind == "b":
            item = concrete(item)
    return item.copy() if isinstance(item, np.ndarray) else item  # the user may write to it


def _bound(value: Any) -> Any:
    return operator.index(concrete(value)) if type(value) is TracedArray else value


def is_mapped(x: Any) -> bool:
    """Tell whether `vmap` maps over this traced array on any level."""
    while type(x) is TracedArray:
        if x.recorder.batch and x.place:
            return True
        x = x.value
    return False


def is_symbolic(x: Any) -> bool:
    """Tell whether a traced array stands for different values: in the steps of a loop, in a program.

    In a program single integers are known, with a guard, for what they read may be a view to write through.
    """
    while type(x) is TracedArray:
        if x.place >= 0 and (x.recorder.symbolic or (x.recorder.program and np.ndim(x.value))):
            return True
        x = x.value
    return False


def is_traced_index(index: Index) -> bool:
    """Tell whether a part of the index is still traced."""
    items = index if type(index) is tuple else (index,)
    return TracedArray in map(type, items)


def read(x: Any, index: Index) -> Any:
    """Read ``x[index]`` where parts of the index may be mapped."""
    if not is_traced_index(index):
        return getitem(x, index=index)
    items = index if type(index) is tuple else (index,)
    arrays = [i for i in items if type(i) is TracedArray]
    template = tuple(HOLE if type(i) is TracedArray else i for i in items)
    return gather(x, *arrays, template=template)


def is_loop_view(index: Index) -> bool:
    """Tell whether NumPy would make a view of an index for which integers of a loop stand."""
    items = index if type(index) is tuple else (index,)
    symbolic = [i for i in items if type(i) is TracedArray]
    return all(not i.shape and is_symbolic(i) for i in symbolic) and is_basic(
        tuple(i for i in items if type(i) is not TracedArray)
    )


class _Hole:
    """Stands in an index template where a traced part goes."""

    def __repr__(self) -> str:
        return "·"


HOLE = _Hole()


def fill(template: tuple[Any, ...], arrays: Any) -> tuple[Any, ...]:
    """Put arrays into the holes of an index template."""
    rest = iter(arrays)
    return tuple(next(rest) if isinstance(i, _Hole) else i for i in template)


def _gather(x: Any, *arrays: Any, template: tuple[Any, ...]) -> Any:
    return x[fill(template, arrays)]


def _gather_transpose(g: Any, _out: Any, x: Any, *arrays: Any, template: tuple[Any, ...]) -> Any:
    if any(type(a) is TracedArray for a in arrays):
        return scatter_add(g, *arrays, shape=x.shape, template=template)
    return index_add(g, shape=x.shape, index=fill(template, arrays))


def _batch_gather(values: Any, flags: Any, size: int, *, template: tuple[Any, ...]) -> Any:
    x, arrays = values[0], values[1:]
    shape = x.shape[1:] if flags[0] else x.shape
    if not any(flags[1:]):
        return read(x, over_batch(fill(template, arrays), shape, size))
    index, lead, rank = mapped_index(template, arrays, flags[1:], shape, size, flags[0])
    out = read(x, index)
    if not lead:
        return out
    ndim = len(out.shape)
    if flags[0]:  # (batch, indexed, sliced, rest) -> (batch, sliced, indexed, rest)
        split = 1 + rank
        axes = (0, *range(split, split + lead), *range(1, split), *range(split + lead, ndim))
    else:  # (sliced, batch, indexed, rest) -> (batch, sliced, indexed, rest)
        axes = (lead, *range(lead), *range(lead + 1, ndim))
    return transpose(out, axes=axes)


gather = general(
    _gather,
    transposes=(_gather_transpose,),
    batch=_batch_gather,
    name="gather",
    samples=lambda rng: [
        ((rng.standard_normal((4, 3)), rng.integers(0, 4, 5)), {"template": (HOLE,)}),
        ((rng.standard_normal((2, 4, 3)), rng.integers(0, 4, 5)), {"template": (slice(None), HOLE)}),
        (
            (rng.standard_normal((4, 3)), rng.integers(0, 4), rng.integers(0, 3, 2)),
            {"template": (HOLE, HOLE)},
        ),
    ],
    doc="Read ``x[index]`` where integer parts of the index are arguments, so that vmap may map over them.",
)


def _scatter_add(g: Any, *arrays: Any, shape: tuple[int, ...], template: tuple[Any, ...]) -> Any:
    return _index_add(g, shape=shape, index=fill(template, arrays))


def _batch_scatter_add(values: Any, flags: Any, size: int, *, shape: Any, template: Any) -> Any:
    g, arrays = all_mapped(values[:1], flags[:1], size)[0], values[1:]
    if not any(flags[1:]):
        index = over_batch(fill(template, arrays), shape, size)
    else:
        index, lead, rank = mapped_index(template, arrays, flags[1:], shape, size, True)
        if lead:  # (batch, sliced, indexed, rest) -> (batch, indexed, sliced, rest)
            split = 1 + lead
            axes = (0, *range(split, split + rank), *range(1, split), *range(split + rank, len(g.shape)))
            g = transpose(g, axes=axes)
    if is_traced_index(index):
        parts = [i for i in index if type(i) is TracedArray]
        holes = tuple(HOLE if type(i) is TracedArray else i for i in index)
        return scatter_add(g, *parts, shape=(size, *shape), template=holes)
    return index_add(g, shape=(size, *shape), index=index)


scatter_add = general(
    _scatter_add,
    transposes=(lambda g, _out, x, *arrays, shape, template: gather(g, *arrays, template=template),),
    batch=_batch_scatter_add,
    name="scatter_add",
    samples=lambda rng: [
        ((rng.standard_normal((5, 3)), rng.integers(0, 4, 5)), {"shape": (4, 3), "template": (HOLE,)}),
        (
            (rng.standard_normal((2, 5)), rng.integers(0, 4, 5)),
            {"shape": (2, 4), "template": (slice(None), HOLE)},
        ),
    ],
    doc="Transpose of `gather`.",
)


def explicit(index: Index, rank: int) -> list[Any]:
    """Write an index out: no Ellipsis, boolean arrays as integers, one item per axis or newaxis."""
    items: list[Any] = []
    for i in index if type(index) is tuple else (index,):
        if isinstance(i, (bool, np.bool_)):
            items.append(np.asarray(i))
        elif isinstance(i, np.ndarray) and i.dtype == bool and i.ndim > 0:
            items.extend(i.nonzero())
        else:
            items.append(i)
    if any(isinstance(i, np.ndarray) and i.dtype == bool for i in items):
        raise IndexError("a 0-d boolean index cannot be used under vmap; use np.where")
    used = sum(i is not None and i is not Ellipsis for i in items)
    fill_up = [slice(None)] * (rank - used)
    if any(i is Ellipsis for i in items):
        at = next(n for n, i in enumerate(items) if i is Ellipsis)
        return items[:at] + fill_up + items[at + 1 :]
    return items + fill_up


def _is_advanced(item: Any) -> bool:
    return isinstance(item, np.ndarray) or type(item) is TracedArray


def over_batch(index: Index, shape: tuple[int, ...], size: int) -> tuple[Any, ...]:
    """Return the index that reads from every example of a batch what `index` reads from one."""
    if is_basic(index):
        return (slice(None), *(index if type(index) is tuple else (index,)))
    items = explicit(index, len(shape))
    places = [n for n, i in enumerate(items) if _is_advanced(i) or isinstance(i, (int, np.integer))]
    if places[-1] - places[0] + 1 == len(places):
        return (slice(None), *items)
    # separated index arrays put their axes first: join the batch axis to them
    rank = max(np.ndim(items[n]) for n in places)
    return (np.arange(size).reshape(size, *(1,) * rank), *items)


def mapped_index(
    template: Any, arrays: Any, flags: Any, shape: tuple[int, ...], size: int, x_mapped: bool
) -> tuple[tuple[Any, ...], int, int]:
    """Return the index over the batch, the number of axes sliced before it, and its own rank.

    The number of sliced axes is 0 where NumPy puts the indexed axes first anyway.
    """
    mapped = [id(a) for a, f in zip(arrays, flags, strict=True) if f]
    items = explicit(fill(template, arrays), len(shape))
    places = [n for n, i in enumerate(items) if _is_advanced(i) or isinstance(i, (int, np.integer))]
    rank = max(len(_shape(items[n])) - (id(items[n]) in mapped) for n in places)
    index: list[Any] = []
    for item in items:
        if id(item) in mapped:
            missing = rank - (len(item.shape) - 1)
            if missing:
                item = reshape(item, shape=(size, *(1,) * missing, *item.shape[1:]))
        index.append(item)
    adjacent = places[-1] - places[0] + 1 == len(places)
    lead = sum(isinstance(i, slice) or i is None for i in items[: places[0]]) if adjacent else 0
    if x_mapped:
        index.insert(0, np.arange(size).reshape(size, *(1,) * rank))
    return tuple(index), lead, rank


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if hasattr(x, "shape") else np.shape(x)
