"""Records that put arrays together: concatenation, and copies with a part replaced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record
from funcdiff.jit.native import arrays, gathers
from funcdiff.jit.native.arrays import COMPONENT, FLAT, UNIFORM, Array, Layout, computed
from funcdiff.jit.native.build import Build
from funcdiff.jit.native.handlers import NotNative, handler, kind_of
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import constant
from funcdiff.jit.native.owned import owned
from funcdiff.jit.native.rearranged import steps
from funcdiff.jit.native.spaces import UNROLLED
from funcdiff.jit.native.temporaries import temporary


@handler("concatenate")
def _concatenate(low: Lowering, record: Record) -> Array:
    axis = record.params["axis"]
    xs = [low.unplaced(a) for a in record.inputs]
    return _joined(low, record, xs, [x.type.shape for x in xs], axis)


@handler("stack")
def _stack(low: Lowering, record: Record) -> Array:
    axis = record.params["axis"]
    xs = []
    for atom in record.inputs:
        x = low.array(atom)
        shape = (*x.type.shape[:axis], 1, *x.type.shape[axis:])
        xs.append(arrays.with_axis(x, ArrayType(shape, x.type.dtype), axis))
    return _joined(low, record, xs, [x.type.shape for x in xs], axis)


def _joined(low: Lowering, record: Record, xs: Sequence[Array], shapes: Sequence[Any], axis: int) -> Array:
    out = record.outputs[0].type
    of = kind_of(out)
    if any(kind_of(x.type) != of for x in xs) or 0 in out.shape:
        raise NotNative(record)
    space, layout = low.natural(out.shape)
    if layout[axis] != COMPONENT:
        space, layout = (
            _as_operands(out.shape, xs, axis) or _around_operands(low, out.shape, xs, axis) or (space, layout)
        )
    if layout[axis] == COMPONENT:
        for x in xs:
            if x.source is not None:
                low.memory(x)
        stage = max(low.stage_of(x, (space, False), layout, s) for x, s in zip(xs, shapes, strict=True))
        group = low.group((space, False), stage)
        pieces = []
        for x, shape in zip(xs, shapes, strict=True):
            lengths = [n if loop == COMPONENT else 1 for n, loop in zip(shape, layout, strict=True)]
            pieces.append(np.broadcast_to(low.read(x, group, layout, shape), lengths))
        return computed(out, group, layout, np.concatenate(pieces, axis=axis))
    memory = temporary(low, out, record.outputs[0].number, _loops(xs))
    ready, at = 0, 0
    for x, shape in zip(xs, shapes, strict=True):
        key = (*(slice(None),) * axis, slice(at, at + shape[axis]))
        at += shape[axis]
        if 0 not in shape:
            ready = max(ready, low.write(x, arrays.view(memory, lambda a, key=key: a[key])))
    return arrays.in_memory(out, memory, ready)


def _around_operands(
    low: Lowering, shape: tuple[int, ...], xs: Sequence[Array], axis: int
) -> tuple[tuple[int, ...], Layout] | None:
    """Return the space in which all operands would be computed: what has more components than a vector is a loop elsewhere."""
    found = {low.natural(x.type.shape) for x in xs}
    if len(found) > 1:
        return None
    ((space, layout),) = found
    if not space or layout[axis] != COMPONENT:
        return None
    components = math.prod(n for n, loop in zip(shape, layout, strict=True) if loop == COMPONENT)
    return (space, layout) if components <= UNROLLED else None


def _loops(xs: Sequence[Array]) -> list[int]:
    """Return the axes that are loops in all that is put together."""
    layouts = [x.layout for x in xs if x.group is not None and x.group.space]
    ranks = range(min((len(layout) for layout in layouts), default=0))
    return [axis for axis in ranks if all(layout[axis] >= 0 for layout in layouts)]


def _as_operands(
    shape: tuple[int, ...], xs: Sequence[Array], axis: int
) -> tuple[tuple[int, ...], Layout] | None:
    """Return the space in which all operands are computed, and the layout; None unless it has few components."""
    layouts = {x.layout for x in xs}
    first = xs[0].group
    if first is None or not first.space or len(layouts) > 1 or any(x.group is None for x in xs):
        return None
    (layout,) = layouts
    if layout == FLAT or UNIFORM in layout or layout[axis] != COMPONENT:
        return None
    if any(x.group.space != first.space or x.group.flat for x in xs if x.group is not None):
        return None
    components = math.prod(n for n, loop in zip(shape, layout, strict=True) if loop == COMPONENT)
    return (first.space, layout) if components <= 4 * UNROLLED else None


# --- writes ----------------------------------------------------------------------------------------


@handler("update_at")
def _update_at(low: Lowering, record: Record) -> Array:
    x, value = map(low.array, record.inputs)
    *lenses, (_, last) = steps(record.params["path"])
    if gathers.has_arrays(last["index"]):
        if lenses:
            raise NotNative(record)
        return gathers.replaced(low, record, x, value, last["index"])
    return _replaced(low, record, x, value, steps(record.params["path"]))


def added_at(low: Lowering, record: Record) -> Array:
    """Zeros, with the cotangent of a part where that part was."""
    return _replaced(low, record, None, low.array(record.inputs[0]), [("getitem", record.params)])


def _replaced(low: Lowering, record: Record, x: Array | None, value: Array, path: Any) -> Array:
    out = record.outputs[0].type
    of = kind_of(out)
    if kind_of(value.type) != of or 0 in out.shape or (x is not None and x.type != out):
        raise NotNative(record)
    space, layout = low.natural(out.shape)
    if x is not None and x.group is None and x.memory is not None and x.memory.base.owned:
        found = _replaced_in_place(low, record, x, value, path)
        if found is not None:
            return found
    for place in ((space, layout), ((), (COMPONENT,) * len(out.shape))):
        if place[0] or out.size <= 4 * UNROLLED:
            part = _part(low, out, place[1], path)
            found = None if part is None else _replaced_parts(low, out, x, value, place, part)
            if found is not None:
                return found
    if x is not None:
        found = _replaced_in_place(low, record, x, value, path)
        if found is None:
            raise NotNative(record)
        return found
    memory = low.new(out)
    part_memory = arrays.view_through(memory, path)
    if part_memory is None or 0 in part_memory.shape:
        raise NotNative(record)
    straight = value.group is not None and bool(value.group.space)
    stage = value.ready if value.group is None else value.group.stage
    filled = low.group(((), False), stage)
    filled.fills.append((memory, 0))
    memory.base.used(filled)
    written = low.write(late(low, value, stage if straight else stage + 1), part_memory)
    return arrays.in_memory(out, memory, written)


def _replaced_in_place(low: Lowering, record: Record, x: Array, value: Array, path: Any) -> Array | None:
    memory, stage = owned(low, record, x, value.group is None or bool(value.group.space))
    part = arrays.view_through(memory, path)
    if part is None or 0 in part.shape or len(value.type.shape) > len(part.shape):
        return None
    if part.shape:  # by loops
        stage = max(stage, memory.base.last[0] + 1)
    return arrays.in_memory(x.type, memory, low.write(late(low, value, stage), part))


def late(low: Lowering, x: Array, stage: int) -> Array:
    """Return an array that is not written before a stage."""
    if x.group is not None and x.group.stage >= stage:
        return x
    memory = low.memory(x) if x.group is None or x.group.space else None
    if memory is None:  # numbers of straight code: written again, later
        assert x.group is not None
        return computed(x.type, low.group(((), False), stage), x.layout, x.parts)
    return arrays.in_memory(x.type, memory, max(x.ready, stage))


def _part(low: Lowering, out: ArrayType, layout: Layout, path: Any) -> Array | None:
    """Return a part of an array whose elements are the numbers of its components, if loops are taken whole."""
    lengths = [n if loop == COMPONENT else 1 for n, loop in zip(out.shape, layout, strict=True)]
    numbers = np.arange(math.prod(lengths)).reshape(lengths).astype(object)
    return arrays.through(computed(out, low.group(((), False), 0), layout, numbers), path)


def _replaced_parts(
    low: Lowering, out: ArrayType, x: Array | None, value: Array, place: tuple[Any, Layout], part: Array
) -> Array | None:
    space, layout = place
    numbers, inner, shape = part.parts, part.layout, part.type.shape
    if len(value.type.shape) > len(shape):
        return None
    repeated = len(set(numbers.reshape(-1).tolist())) < numbers.size
    if repeated and x is not None:
        return None
    stage = low.stage_of(value, (space, False), inner, shape)
    if x is not None:
        stage = max(stage, low.stage_of(x, (space, False), layout, out.shape))
    group = low.group((space, False), stage)
    lengths = [n if loop == COMPONENT else 1 for n, loop in zip(out.shape, layout, strict=True)]
    if x is None:
        nodes = np.full(lengths, constant(0, kind_of(out)), object)
    else:
        nodes = np.array(np.broadcast_to(low.read(x, group, layout, out.shape), lengths), order="C")
    given = np.broadcast_to(low.read(value, group, inner, shape), numbers.shape)
    flat, seen = nodes.reshape(-1), set()
    for n, node in zip(numbers.reshape(-1).tolist(), given.reshape(-1), strict=True):
        flat[n] = Build(group).add(flat[n], node) if n in seen else node
        seen.add(n)
    return computed(out, group, layout, nodes)
