"""Records that only rearrange elements: they cost nothing, or a view of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff.core.tape import Record
from funcdiff.jit.native import arrays, gathers
from funcdiff.jit.native.arrays import COMPONENT, FLAT, Array, Layout, computed, contiguous_strides
from funcdiff.jit.native.handlers import NotNative, handler
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import BYTES, Memory
from funcdiff.jit.native.spaces import UNROLLED


def _rearranged(
    low: Lowering,
    record: Record,
    of_parts: Callable[[Array], tuple[Any, Layout] | None],
    of_memory: Callable[[Memory], Memory | None],
) -> Array:
    x, out = low.array(record.inputs[0]), record.outputs[0].type
    if out.dtype != x.type.dtype:
        raise NotNative(record)
    if x.group is not None:
        found = of_parts(x)
        if found is not None and found[0].size <= 4 * UNROLLED:
            return computed(out, x.group, found[1], found[0])
    memory = of_memory(low.memory(x))
    if memory is None:
        raise NotNative(record)
    return arrays.in_memory(out, memory, x.ready)


@handler("reshape")
def _reshape(low: Lowering, record: Record) -> Array:
    shape = record.params["shape"]
    x = low.unplaced(record.inputs[0])
    if x.source is not None and not arrays.is_permuted(x):
        return arrays.reshape_of(x.source, record.outputs[0].type)
    x = low.array(record.inputs[0])
    if x.group is not None and x.layout == FLAT and record.outputs[0].number in low.flat:
        return computed(record.outputs[0].type, x.group, FLAT, x.parts)

    def of_memory(memory: Memory) -> Memory | None:
        found = arrays.reshaped(memory, shape)
        if found is not None:
            return found
        copied = arrays.in_memory(x.type, memory, x.ready)
        base = low.base(f"m{len(low.bases)}", x.type, -1)
        to = Memory(base, memory.kind, memory.shape, contiguous_strides(memory.shape, BYTES[memory.kind]))
        x.ready = low.write(copied, to)
        return arrays.reshaped(to, shape)

    if x.group is not None and x.group.space and x.memory is None and arrays.reshape(x, shape) is None:
        return arrays.reshape_of(x, record.outputs[0].type)
    ready = x.ready
    found = _rearranged(low, record, lambda x: arrays.reshape(x, shape), of_memory)
    if found.memory is not None and x.group is None:
        x.ready = ready  # the copy is late, not the original
    return found


@handler("copy")
def _copy(low: Lowering, record: Record) -> Array:
    x = low.unplaced(record.inputs[0])
    if x.type != record.outputs[0].type:
        raise NotNative(record)
    return arrays.same(x)


@handler("transpose")
def _transpose(low: Lowering, record: Record) -> Array:
    axes = record.params["axes"]
    late = low.unplaced(record.inputs[0])
    if late.source is not None:
        return arrays.reshape_of(late.source, record.outputs[0].type, tuple(late.axes[a] for a in axes))

    def view(memory: Memory) -> Memory | None:
        return arrays.view(memory, lambda a: a.transpose(axes))

    found = _rearranged(low, record, lambda x: arrays.transpose(x, axes), view)
    x = low.array(record.inputs[0])
    if found.memory is None and x.memory is not None:  # what calls routines need not be written again
        found.memory, found.ready = view(x.memory), x.ready
    return found


@handler("broadcast_to")
def _broadcast_to(low: Lowering, record: Record) -> Array:
    shape = record.params["shape"]
    return _rearranged(
        low,
        record,
        lambda x: arrays.broadcast(x, shape),
        lambda m: arrays.view(m, lambda a: np.broadcast_to(a, shape)),
    )


@handler("getitem")
def _getitem(low: Lowering, record: Record) -> Array:
    if gathers.has_arrays(record.params["index"]):
        return gathers.gathered(low, record, low.array(record.inputs[0]), record.params["index"])
    return _looked(low, record, [("getitem", record.params)])


@handler("view")
def _view(low: Lowering, record: Record) -> Array:
    return _looked(low, record, steps(record.params["path"]))


def steps(path: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return a path of lenses by their names."""
    return [(function.primitive.name, params) for function, params in path]


def _looked(low: Lowering, record: Record, path: list[tuple[str, dict[str, Any]]]) -> Array:
    x, out = low.array(record.inputs[0]), record.outputs[0].type
    if out.dtype != x.type.dtype or 0 in out.shape:
        raise NotNative(record)
    if x.group is not None:
        found = arrays.through(x, path)
        if found is not None and found.parts.size <= 4 * UNROLLED:
            return found
    memory = None if x.group is not None and x.layout == FLAT else arrays.view_through(low.memory(x), path)
    if memory is None:
        small = _in_components(low, x)
        found = None if small is None else arrays.through(small, path)
        if found is None:
            raise NotNative(record)
        return found
    return arrays.in_memory(out, memory, x.ready)


def _in_components(low: Lowering, x: Array) -> Array | None:
    """Return a small array element by element."""
    if x.type.size > 4 * UNROLLED:
        return None
    layout = (COMPONENT,) * len(x.type.shape)
    space = ((), False)
    group = low.group(space, low.stage_of(x, space, layout, x.type.shape))
    return computed(
        x.type, group, layout, np.broadcast_to(low.read(x, group, layout, x.type.shape), x.type.shape)
    )
