"""Records that act on each element."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from funcdiff.core.tape import Record, Variable
from funcdiff.jit.native.arrays import COMPONENT, FLAT, UNIFORM, Array, Layout, box, computed
from funcdiff.jit.native.build import Build
from funcdiff.jit.native.elementwise import apply, loop_kinds
from funcdiff.jit.native.handlers import ELEMENTWISE, NotNative, handler, kind_of
from funcdiff.jit.native.lower import Lowering, Space
from funcdiff.jit.native.nodes import Group, Node
from funcdiff.jit.native.spaces import FEW
from funcdiff.jit.passes.rewriting import kind


@handler(ELEMENTWISE)
def _elementwise(low: Lowering, record: Record) -> Array:
    kinds = loop_kinds(record)
    if kinds is None:
        raise NotNative(record)
    return _mapped(low, record, lambda group, nodes: apply(record, kinds, group, nodes))


@handler("astype")
def _astype(low: Lowering, record: Record) -> Array:
    given, to = kind_of(kind(record.inputs[0])), kind_of(record.outputs[0].type)
    if given in ("f64", "f32") and to == "i64":
        raise NotNative(record)
    return _mapped(low, record, lambda group, nodes: Build(group).convert(nodes[0], to))


def _mapped(low: Lowering, record: Record, function: Callable[[Group, list[Node]], Node]) -> Array:
    """Apply a function to each element."""
    out = record.outputs[0]
    operands = [low.array(a) for a in record.inputs]
    if not out.type.shape and all(x.group is not None and not x.group.space for x in operands):
        group = low.group(((), False), max(x.group.stage for x in operands if x.group))
        return computed(out.type, group, (), box(function(group, [x.parts[()] for x in operands])))
    space, layout = _place(low, out, operands)
    shape = out.type.shape
    stage = max([0, *(low.stage_of(x, space, layout, shape) for x in operands)])
    group = low.group(space, stage)
    given = [low.read(x, group, layout, shape) for x in operands]
    if layout == FLAT:
        return computed(out.type, group, FLAT, box(function(group, [g.reshape(-1)[0] for g in given])))
    if all(g.size == 1 for g in given):
        node = function(group, [g.reshape(-1)[0] for g in given])
        nodes = box(node).reshape((1,) * len(shape))
    else:
        many = np.broadcast(*given) if len(given) > 1 else None
        lengths = many.shape if many is not None else given[0].shape
        nodes = np.empty((1,) * (len(shape) - len(lengths)) + lengths, object)
        flat = [np.broadcast_to(g, lengths).reshape(-1) for g in given]
        for n, one in enumerate(zip(*flat, strict=True)):
            nodes.reshape(-1)[n] = function(group, list(one))
    return computed(out.type, group, _spread(layout, nodes.shape, shape), nodes)


def _spread(layout: Layout, lengths: Sequence[int], shape: Sequence[int]) -> Layout:
    """Return a layout in which an axis with but one part for several elements is uniform."""
    return tuple(
        UNIFORM if mine == COMPONENT and n == 1 and m != 1 else mine
        for mine, n, m in zip(layout, lengths, shape, strict=True)
    )


def is_flat(low: Lowering, out: Variable) -> bool:
    """Tell whether an array is computed by one loop over all its elements."""
    return out.number in low.flat and out.type.size > FEW


def _place(low: Lowering, out: Variable, operands: Sequence[Array]) -> tuple[Space, Layout]:
    """Choose the space of a record."""
    shape = out.type.shape
    if is_flat(low, out):
        return ((out.type.size,), True), FLAT
    space, layout = low.natural(shape)
    if not space:
        return (space, False), layout
    # what is the same along all loops is computed once
    lead = [len(shape) - len(x.type.shape) for x in operands]
    loops = [axis for axis, n in enumerate(layout) if n >= 0]
    if all(
        x.group is not None
        and not x.group.space
        and all(a < skip or x.type.shape[a - skip] == 1 or x.layout[a - skip] == UNIFORM for a in loops)
        for x, skip in zip(operands, lead, strict=True)
    ):
        return ((), False), tuple(UNIFORM if n >= 0 else n for n in layout)
    return (space, False), layout
