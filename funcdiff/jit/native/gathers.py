"""Reading and adding at arrays of integers: elements are fetched by offsets, and cotangents added in order.

Integers that are known are offsets already; those of the caller count from the end where they are negative, and one
that is out of bounds ends the kernel, so that the slow path raises NumPy's error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Literal, Record
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import COMPONENT, Array, Layout, computed
from funcdiff.jit.native.build import Build
from funcdiff.jit.native.handlers import NotNative, handler, kind_of
from funcdiff.jit.native.lower import Lowering, Space
from funcdiff.jit.native.nodes import BYTES, Group, Memory, Node, Scatter, constant
from funcdiff.jit.native.reduced import over_loops
from funcdiff.jit.passes.rewriting import kind
from funcdiff.primitives.indexing import fill

LISTED = 1 << 22  # elements of a result whose places are written down one by one


def gathered(low: Lowering, record: Record, x: Array, index: Any) -> Array:
    """Return the elements at an index of which parts are integer arrays, known or of the program."""
    out = record.outputs[0].type
    if out.dtype != x.type.dtype or not out.size:
        raise NotNative(record)
    from funcdiff.jit.native.fetched import computed_there

    there = computed_there(low, x, index, out)
    if there is not None:
        return there
    memory = low.memory(x)
    found = _places(low, record, index, memory, out.shape)
    space, layout = space_of(low, out.shape)
    stage = max(x.ready, *(low.stage_of(i, space, layout, out.shape) for i in found.arrays))
    group = low.group(space, stage)
    nodes = found.nodes(
        group, layout, lambda offset, start, strides: fetch(group, memory, offset, start, strides)
    )
    result = computed(out, group, layout, nodes)
    if low.natural(out.shape)[0]:
        return result
    return arrays.in_memory(out, low.memory(result), group.stage + 1)


def scattered(low: Lowering, record: Record, g: Array, index: Any) -> Array:
    """Return zeros to which a cotangent is added at such an index, in NumPy's order if that is not known."""
    from funcdiff.jit.native.segments import summed

    sums = summed(low, record, g, index)
    if sums is not None:
        return sums
    memory = _new(low, record, g)
    found = _places(low, record, index, memory, g.type.shape)
    group, layout = _writing(low, found, g, g.type.shape, 0)
    group.fills.append((memory, 0))
    _enter_scatters(low, group, layout, found, g, memory, True)
    return arrays.in_memory(record.outputs[0].type, memory, group.stage + 1)


def replaced(low: Lowering, record: Record, x: Array, value: Array, index: Any) -> Array:
    """Return a copy of an array with the elements at such an index replaced; the last one where there are several."""
    out = record.outputs[0].type
    memory = _new(low, record, value)
    if x.type != out or not has_arrays(index):
        raise NotNative(record)
    shape = np.broadcast_to(np.False_, out.shape)[index].shape
    if 0 in shape or len(value.type.shape) > len(shape):
        raise NotNative(record)
    ready = low.write(x, memory)
    found = _places(low, record, index, memory, shape)
    group, layout = _writing(low, found, value, shape, ready)
    for loop, n, stride in zip(layout, shape, found.along, strict=True):
        if loop == COMPONENT and n > 1 and not stride:
            raise NotNative(record)  # which would not be written in order
    _enter_scatters(low, group, layout, found, value, memory, False)
    return arrays.in_memory(out, memory, group.stage + 1)


def _new(low: Lowering, record: Record, given: Array) -> Memory:
    out = record.outputs[0].type
    if out.dtype != given.type.dtype or kind_of(out) == "i1" or not given.type.size or not out.size:
        raise NotNative(record)
    return low.new(out)


def _writing(
    low: Lowering, found: Places, given: Array, shape: tuple[int, ...], ready: int
) -> tuple[Group, Layout]:
    space, layout = space_of(low, shape)
    stage = max(ready, *(low.stage_of(i, space, layout, shape) for i in (given, *found.arrays)))
    return low.group(space, stage), layout


def _enter_scatters(
    low: Lowering, group: Group, layout: Layout, found: Places, given: Array, memory: Memory, adds: bool
) -> None:
    memory.base.used(group)
    values = np.broadcast_to(low.read(given, group, layout, found.shape), _lengths(found.shape, layout))
    flat = iter(values.reshape(-1))

    def enter(offset: Node, start: int, strides: tuple[int, ...]) -> Node:
        node: Node = next(flat)
        group.scatters.append(Scatter(node, offset, memory, strides, start, adds))
        return node

    found.nodes(group, layout, enter)


@handler("index_add")
def _index_add(low: Lowering, record: Record) -> Array:
    from funcdiff.jit.native.assembled import added_at

    if not has_arrays(record.params["index"]):
        return added_at(low, record)
    return scattered(low, record, low.array(record.inputs[0]), record.params["index"])


@handler("scatter_add")
def _scatter_add(low: Lowering, record: Record) -> Array:
    index = filled(record)
    return scattered(low, record, low.array(record.inputs[0]), index)


def filled(record: Record) -> Any:
    """Return the index of a record with a template: variables of the program, and what is known."""
    given = [a.value if isinstance(a, Literal) else a for a in record.inputs[1:]]
    return fill(record.params["template"], given)


def has_arrays(index: Any) -> bool:
    """Tell whether an index has parts that are arrays."""
    return any(isinstance(i, (np.ndarray, list)) for i in (index if isinstance(index, tuple) else (index,)))


def space_of(low: Lowering, shape: tuple[int, ...]) -> tuple[Space, Layout]:
    """Return the space of a gather: that of its result, with loops in small ones, too."""
    space, layout = low.natural(shape)
    if space:
        return (space, False), layout
    if not shape:
        raise NotNative
    return (shape, False), tuple(range(len(shape)))


def _lengths(shape: Sequence[int], layout: Layout) -> list[int]:
    return [n if loop == COMPONENT else 1 for n, loop in zip(shape, layout, strict=True)]


def fetch(group: Group, memory: Memory, offset: Node, start: int, strides: tuple[int, ...]) -> Node:
    """Return the number that stands so many bytes from where memory begins at each point."""
    if offset.op == "constant":
        return group.load(memory, start + offset.detail, strides)
    return group.node("fetch", memory.kind, offset, detail=(memory, start, strides))


class Places:
    """Where the elements lie: bytes from the start of an array, as offsets by the index arrays and along slices."""

    def __init__(self, low: Lowering, shape: tuple[int, ...]) -> None:
        self.low, self.shape = low, shape
        self.arrays: list[Array] = []
        self.known: list[bool] = []
        self.lengths: list[int] = []
        self.strides: list[int] = []
        self.start = 0
        self.along = [0] * len(shape)  # strides along the axes that are slices

    def nodes(self, group: Group, layout: Layout, make: Any, checked: dict[int, Node] | None = None) -> Any:
        """Return the nodes that `make` gives for (offset, bytes from the start, strides along the loops).

        `checked` are indices that have been checked already.
        """
        low, shape = self.low, self.shape
        given: list[Any] = [
            np.broadcast_to(low.read(i, group, layout, shape), self._parts(i, layout)) for i in self.arrays
        ]
        lengths = _lengths(shape, layout)
        given = [np.broadcast_to(g, lengths) for g in given]
        loops = [0] * len(group.space)
        for loop, stride in zip(layout, self.along, strict=True):
            if loop >= 0:
                loops[loop] = stride
        checked = {} if checked is None else checked
        found: Any = np.empty(lengths, object)
        build = Build(group)
        for place in np.ndindex(*lengths):
            offset: Node = constant(0, "i64")
            for of_index, known, length, stride in zip(
                given, self.known, self.lengths, self.strides, strict=True
            ):
                node: Node = of_index[place]
                if not stride and known:
                    continue
                if not known:
                    if id(node) not in checked:
                        checked[id(node)] = self._checked(group, node, length)
                    node = checked[id(node)]
                if not stride:
                    continue
                step = (
                    build.multiply(node, constant(stride, "i64"))
                    if node.op != "constant"
                    else constant(node.detail * stride, "i64")
                )
                offset = step if offset.op == "constant" and not offset.detail else build.add(offset, step)
            start = self.start + sum(
                i * s for i, s, loop in zip(place, self.along, layout, strict=True) if loop == COMPONENT
            )
            found[place] = make(offset, start, tuple(loops))
        return found

    def _parts(self, i: Array, layout: Layout) -> tuple[int, ...]:
        lead = len(layout) - len(i.type.shape)
        return tuple(
            n if loop == COMPONENT else 1 for n, loop in zip(i.type.shape, layout[lead:], strict=True)
        )

    def _checked(self, group: Group, node: Node, length: int) -> Node:
        """Return an index counted from the start, and leave the kernel where it is out of bounds."""
        build, zero, end = Build(group), constant(0, "i64"), constant(length, "i64")
        index = build.select(build.compare("lt", node, zero), build.add(node, end), node)
        wrong = build.op("or", build.compare("lt", index, zero), build.compare("ge", index, end))
        seen = over_loops(self.low, group, "max", wrong)
        guards = self.low.group(((), False), group.stage + 1)
        guards.guards.append((seen, False))
        return build.select(wrong, zero, index)


def _places(low: Lowering, record: Record, index: Any, memory: Memory, shape: tuple[int, ...]) -> Places:
    found = written_out(low, index, memory, shape)
    if found is None:
        found = _listed(low, index, memory, shape)
    if found is None:
        raise NotNative(record)
    return found


def written_out(low: Lowering, index: Any, memory: Memory, shape: tuple[int, ...]) -> Places | None:
    """Return the places of an index of slices and integer arrays that stand together."""
    items = whole_index(index, len(memory.shape))
    if items is None:
        return None
    arrays_at = [n for n, i in enumerate(items) if not isinstance(i, slice)]
    if not arrays_at or arrays_at != list(range(arrays_at[0], arrays_at[-1] + 1)):
        return None
    shapes = [np.shape(items[n]) if not _is_atom(items[n]) else kind(items[n]).shape for n in arrays_at]
    rank = len(np.broadcast_shapes(*shapes))
    after = len(items) - arrays_at[-1] - 1
    found = Places(low, shape)
    axis = 0
    for n, (item, length, stride) in enumerate(zip(items, memory.shape, memory.strides, strict=True)):
        if isinstance(item, slice):
            start, _, step = item.indices(length)
            found.start += start * stride
            found.along[axis] = step * stride
            axis += 1
            continue
        if n == arrays_at[-1]:
            axis += rank
        _enter(low, found, item, length, stride, after)
    return found


def whole_index(index: Any, rank: int) -> list[Any] | None:
    """Return an index with an item for each axis; None if it has others than slices, integers and arrays of them."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(i is None or isinstance(i, Literal) or _is_mask(i) for i in items):
        return None
    if any(i is Ellipsis for i in items):
        at = next(n for n, i in enumerate(items) if i is Ellipsis)
        items[at : at + 1] = [slice(None)] * (rank - len(items) + 1)
    return items + [slice(None)] * (rank - len(items))


def _is_mask(item: Any) -> bool:
    return isinstance(item, (bool, np.ndarray, np.generic, list)) and np.asarray(item).dtype.kind == "b"


def _is_atom(item: Any) -> bool:
    return not isinstance(item, (np.ndarray, np.generic, int, list))


def _enter(low: Lowering, found: Places, item: Any, length: int, stride: int, after: int) -> None:
    """Enter an integer array as one that is broadcast to the result, with so many axes after its own."""
    if _is_atom(item):
        x, known = low.array(item), False
        if kind_of(x.type) != "i64":
            raise NotNative
    else:
        value = np.asarray(item)
        if value.dtype.kind not in "iu":
            raise NotNative
        x, known = _known(low, item, length, lambda: np.where(value < 0, value + length, value)), True
    for _ in range(after):
        rank = len(x.type.shape)
        x = arrays.with_axis(x, ArrayType((*x.type.shape, 1), x.type.dtype), rank)
    found.arrays.append(x)
    found.known.append(known)
    found.lengths.append(length)
    found.strides.append(stride)


def _known(low: Lowering, item: Any, key: Any, places: Callable[[], Any]) -> Array:
    """Return the array of known places; the same for the same index of the tape."""
    found = low.places.get((id(item), key))
    if found is None:
        literal = Literal(np.array(places(), np.int64, order="C"))
        found = low.places[id(item), key] = (
            literal,
            low.array(literal),
        )  # held on to, as it is known by its id
    array: Array = found[1]
    return array


def _listed(low: Lowering, index: Any, memory: Memory, shape: tuple[int, ...]) -> Places | None:
    """Return the places of any index that is known, one by one."""
    items = index if isinstance(index, tuple) else (index,)
    if any(_is_atom(i) and not isinstance(i, slice) and i is not None and i is not Ellipsis for i in items):
        return None
    if math.prod(shape) > LISTED or math.prod(memory.shape) > LISTED or not arrays.is_contiguous(memory):
        return None
    size = BYTES[memory.kind]
    count = math.prod(memory.shape)
    numbers = _known(low, index, memory.shape, lambda: np.arange(count).reshape(memory.shape)[index])
    found = Places(low, shape)
    found.arrays.append(numbers)
    found.known.append(True)
    found.lengths.append(count)
    found.strides.append(size)
    return found
