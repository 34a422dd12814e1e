"""Reading and writing at integers that are known only at run time, one per axis at most.

An index is checked where it is used; one that is out of bounds ends the kernel, and the slow path raises NumPy's error.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Literal, Record
from funcdiff.jit.native import arrays, gathers
from funcdiff.jit.native.arrays import COMPONENT, Array, computed
from funcdiff.jit.native.assembled import late
from funcdiff.jit.native.build import Build
from funcdiff.jit.native.handlers import NotNative, handler, kind_of
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import Base, Group, Memory, Node, constant
from funcdiff.jit.native.owned import owned
from funcdiff.jit.passes.rewriting import kind
from funcdiff.primitives.indexing import HOLE

PARTS = 64  # elements of small arrays among which an index chooses


@handler("gather")
def _gather(low: Lowering, record: Record) -> Array:
    if any(kind(a).shape for a in record.inputs[1:]) or gathers.has_arrays(record.params["template"]):
        return gathers.gathered(low, record, low.array(record.inputs[0]), gathers.filled(record))
    x, *indices = map(low.array, record.inputs)
    out = record.outputs[0].type
    if out.dtype != x.type.dtype or 0 in out.shape:
        raise NotNative(record)
    found = _Index(low, record, x.type.shape, indices, record.params["template"])
    if x.group is not None and not x.group.space and x.type.size <= PARTS:
        return _chosen(low, found, x, out)
    memory, stage = low.memory(x), 0
    part, stage = found.part(memory, x.ready)
    return arrays.in_memory(out, part, stage)


@handler("put")
def _put(low: Lowering, record: Record) -> Array:
    if record.params["lenses"]:
        raise NotNative(record)
    x, value, *indices = (
        _number(low, record, n) if n == 1 else low.array(a) for n, a in enumerate(record.inputs)
    )
    out = record.outputs[0].type
    if x.type != out or value.type.dtype != out.dtype or 0 in out.shape:
        raise NotNative(record)
    found = _Index(low, record, x.type.shape, indices, record.params["template"])
    straight = value.group is not None and not value.group.space
    if x.group is not None and not x.group.space and x.memory is None and straight and x.type.size <= PARTS:
        return _replaced(low, found, x, value)
    memory, stage = owned(low, record, x, not straight)
    part, stage = found.part(memory, stage)
    if len(value.type.shape) > len(part.shape):
        raise NotNative(record)
    if part.shape:  # by loops
        stage = max(stage, memory.base.last[0] + 1)
    return arrays.in_memory(out, memory, low.write(late(low, value, stage), part))


def _number(low: Lowering, record: Record, n: int) -> Array:
    """Return an operand, a literal number as one of the result's dtype."""
    atom, dtype = record.inputs[n], record.outputs[0].type.dtype
    if (
        isinstance(atom, Literal)
        and np.ndim(atom.value) == 0
        and np.can_cast(np.min_scalar_type(atom.value), dtype)
    ):
        return low.array(Literal(dtype.type(atom.value)))
    return low.array(atom)


def extent(node: Node) -> tuple[int, int] | None:
    """Return two integers between which a node's is, if they are known: what a loop counts begins and ends."""
    if node.op == "constant":
        return node.detail, node.detail
    if node.op == "given":
        return node.detail  # type: ignore[no-any-return]
    if node.op not in ("add", "sub"):
        return None
    a, b = map(extent, node.args)
    if a is None or b is None:
        return None
    return (a[0] + b[0], a[1] + b[1]) if node.op == "add" else (a[0] - b[1], a[1] - b[0])


class _Index:
    """An index with integers in the holes of its template."""

    def __init__(
        self, low: Lowering, record: Record, shape: Sequence[int], indices: Sequence[Array], template: Any
    ) -> None:
        self.low = low
        if any(i.type.shape or kind_of(i.type) != "i64" for i in indices):
            raise NotNative(record)
        rest = iter(indices)
        first = arrays.expand(tuple(0 if i is HOLE else i for i in template), shape)
        if first is None or 0 in shape:
            raise NotNative(record)
        self.first = first  # the index where all holes are zero
        self.stage = 0
        self.axes: list[int] = []
        self.places: list[Node] = []
        axis = 0
        for item, mark in zip(first, _marks(template, len(first)), strict=True):
            if mark:
                self.axes.append(axis)
                self.places.append(self._place(next(rest), shape[axis]))
            axis += item is not None
        self.shape = tuple(shape)

    def _place(self, index: Array, length: int) -> Node:
        """Return the place that an index means, counted from the end if it is negative."""
        low = self.low
        space, layout = ((), False), ()
        group = low.group(space, low.stage_of(index, space, layout, ()))
        self.stage = max(self.stage, group.stage)
        node: Node = low.read(index, group, layout, ())[()]
        least, most = extent(node) or (-length - 1, length)
        if least == most and -length <= least < length:
            return constant(least % length, "i64")
        if least < -length or most >= length:
            found = group.node("place", "i64", node, detail=length)
        elif least >= 0:
            found = node
        else:
            build = Build(group)
            up = build.add(node, constant(length, "i64"))
            found = build.select(build.compare("lt", node, constant(0, "i64")), up, node) if most >= 0 else up
        group.kept.append(found)  # it is checked, whoever reads it
        return found

    def part(self, memory: Memory, ready: int) -> tuple[Memory, int]:
        """Return the part of memory that the index shows, and from which stage on it is found."""
        low = self.low
        stage = max(self.stage, ready)
        key = (*self.first, Ellipsis) if not any(i is Ellipsis for i in self.first) else self.first
        still = arrays.view(memory, lambda a: a[key])
        group = low.group(((), False), stage)
        build = Build(group)
        offset: Node = constant(0, "i64")
        for place, axis in zip(self.places, self.axes, strict=True):
            step = build.multiply(place, constant(memory.strides[axis], "i64"))
            offset = step if offset.op == "constant" and not offset.detail else build.add(offset, step)
        at = group.node("address", "ptr", offset, detail=memory.base)
        group.kept.append(at)
        memory.base.used(group)
        base = Base(f"at{len(low.bases)}", memory.base.size, 0, at=at, of=memory.base)
        low.bases.append(base)
        return Memory(base, still.kind, still.shape, still.strides, still.offset), stage

    def choices(self, group: Group) -> list[tuple[Any, Node]]:
        """Return every index that is possible, and whether it is the one."""
        build = Build(group)
        found = []
        for places in itertools.product(*(range(self.shape[axis]) for axis in self.axes)):
            holds: Node = constant(True, "i1")
            for place, n in zip(self.places, places, strict=True):
                one = _equal(build, place, n)
                holds = one if holds.op == "constant" and holds.detail else build.op("and", holds, one)
            key = list(self.first)
            positions = [k for k, item in enumerate(self.first) if item is not None]
            for axis, n in zip(self.axes, places, strict=True):
                key[positions[axis]] = n
            found.append((tuple(key), holds))
        return found


def _equal(build: Build, place: Node, n: int) -> Node:
    if place.op == "constant":
        return constant(place.detail == n, "i1")
    return build.compare("eq", place, constant(n, "i64"))


def _marks(template: Sequence[Any], count: int) -> list[bool]:
    """Tell which items of an index that is written out come from holes."""
    items = list(template)
    if any(i is Ellipsis for i in items):
        at = next(n for n, i in enumerate(items) if i is Ellipsis)
        items[at : at + 1] = [slice(None)] * (count - len(items) + 1)
    items += [slice(None)] * (count - len(items))
    return [i is HOLE for i in items]


def _small(low: Lowering, found: _Index, *xs: Array) -> tuple[Group, list[Any]]:
    """Return the group in which small arrays are chosen from, and their elements there."""
    space = ((), False)
    layouts = [(COMPONENT,) * len(x.type.shape) for x in xs]
    stages = [low.stage_of(x, space, lay, x.type.shape) for x, lay in zip(xs, layouts, strict=True)]
    group = low.group(space, max(found.stage, *stages))
    parts = [low.read(x, group, lay, x.type.shape) for x, lay in zip(xs, layouts, strict=True)]
    return group, [np.broadcast_to(p, x.type.shape) for p, x in zip(parts, xs, strict=True)]


def _chosen(low: Lowering, found: _Index, x: Array, out: ArrayType) -> Array:
    group, (parts,) = _small(low, found, x)
    build = Build(group)
    result: Any = np.empty(out.shape, object)
    for key, holds in reversed(found.choices(group)):
        taken: Any = np.empty(out.shape, object)
        taken[...] = parts[key]
        for place in np.ndindex(out.shape):
            result[place] = (
                taken[place] if result[place] is None else build.select(holds, taken[place], result[place])
            )
    return computed(out, group, (COMPONENT,) * len(out.shape), result)


def _replaced(low: Lowering, found: _Index, x: Array, value: Array) -> Array:
    group, (parts, given) = _small(low, found, x, value)
    build = Build(group)
    result = np.array(parts, order="C")
    for key, holds in found.choices(group):
        old = result[key]
        new: Any = np.empty(np.shape(old) if isinstance(old, np.ndarray) else (), object)
        news: Any = np.broadcast_to(given, new.shape)
        olds: Any = np.empty(new.shape, object)
        olds[...] = old
        for place in np.ndindex(new.shape):
            new[place] = build.select(holds, news[place], olds[place])
        result[key] = new if isinstance(old, np.ndarray) else new[()]
    return computed(x.type, group, (COMPONENT,) * len(x.type.shape), result)
