"""Reductions: over components as trees of nodes, over loops as what the loops carry."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Record
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import (
    COMPONENT,
    FLAT,
    UNIFORM,
    Array,
    Layout,
    box,
    computed,
    contiguous_strides,
)
from funcdiff.jit.native.build import Build
from funcdiff.jit.native.handlers import NotNative, handler, kind_of
from funcdiff.jit.native.lower import Lowering, Space
from funcdiff.jit.native.nodes import BYTES, KINDS, Accumulation, Group, Memory, Node, Reduction, constant
from funcdiff.jit.native.spaces import UNROLLED
from funcdiff.jit.passes.rewriting import kind


@handler("sum", "max", "min", "prod")
def _reduce(low: Lowering, record: Record) -> Array:
    name, out = record.primitive.name, record.outputs[0]
    if record.primitive is not REGISTRY[name]:
        raise NotNative(record)
    axes = tuple(record.params["axis"])
    keep = record.params["keepdims"]
    return _reduced(low, record, name, axes, keep, out.type)


@handler("all", "any")
def _all_or_any(low: Lowering, record: Record) -> Array:
    axes, keep = record.params["axis"], record.params["keepdims"]
    if axes is None or record.outputs[0].type.dtype != bool:
        raise NotNative(record)
    name = "min" if record.primitive.name == "all" else "max"
    return _reduced(low, record, name, tuple(axes), keep, record.outputs[0].type)


@handler("sum_to")
def _sum_to(low: Lowering, record: Record) -> Array:
    shape, given = record.params["shape"], kind(record.inputs[0]).shape
    lead = len(given) - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and given[lead + i] != 1))
    kept = tuple(1 if axis in axes else n for axis, n in enumerate(given))
    found = _reduced(low, record, "sum", axes, True, ArrayType(kept, record.outputs[0].type.dtype))
    x = Array(record.outputs[0].type)
    x.group, x.ready = found.group, found.ready
    if found.group is not None:
        x.parts = found.parts.reshape(found.parts.shape[lead:])
        x.layout = found.layout[lead:]
    if found.memory is not None:
        m = found.memory
        x.memory = Memory(m.base, m.kind, m.shape[lead:], m.strides[lead:], m.offset)
    return x


def _reduced(
    low: Lowering, record: Record, name: str, axes: tuple[int, ...], keep: bool, out: ArrayType
) -> Array:
    x = low.array(record.inputs[0])
    given, to = kind_of(x.type), kind_of(out)
    shape = x.type.shape
    if (
        given != to
        and to != "i1"
        and not (name in ("sum", "prod") and to in ("i64", "f64") and given in ("i1", "i64"))
    ):
        raise NotNative(record)
    if math.prod(shape) == 0 or (name in ("sum", "prod") and to == "i1"):
        raise NotNative(record)
    if x.group is not None:
        group, layout, nodes = x.group, x.layout, x.parts
    else:
        whole = len(axes) == len(shape)
        if whole and x.type.size > UNROLLED and arrays.is_contiguous(low.memory(x)):
            space: Space = ((x.type.size,), True)
            layout = FLAT
        else:
            natural, layout = low.natural(shape)
            space = (natural, False)
        group = low.group(space, x.ready)
        nodes = low.read(x, group, layout, shape)
    build = Build(group)
    if layout == FLAT:
        if len(axes) != len(shape):
            raise NotNative(record)
        total = over_loops(low, group, name, build.convert(nodes[()], to))
        return _result(low, total, group.stage + 1, out)
    # first along the short axes, each element of which is a node
    short = [a for a in axes if layout[a] == COMPONENT]
    repeated = [a for a in axes if layout[a] == UNIFORM]
    loops = [layout[a] for a in axes if layout[a] >= 0]
    lengths = tuple(1 if a in short else n for a, n in enumerate(nodes.shape))
    moved = np.moveaxis(nodes, short, range(len(short))) if short else nodes[None]
    moved = moved.reshape((-1, *(n for a, n in enumerate(nodes.shape) if a not in short)))
    combined: Any = np.empty(moved.shape[1:], object)
    for place in np.ndindex(combined.shape):
        terms = [build.convert(node, to) for node in moved[(slice(None), *place)]]
        combined[place] = tree(build, name, terms)
    combined = combined.reshape(lengths)
    for a in repeated:
        for place in np.ndindex(combined.shape):
            combined[place] = _repeated(build, name, combined[place], shape[a])
    if loops and len(loops) < len(group.space):
        return _partly(low, record, group, name, combined, layout, axes, keep, out)
    stage = group.stage
    if loops:
        stage += 1
        for place in np.ndindex(combined.shape):
            combined[place] = over_loops(low, group, name, combined[place])
        group = low.group(((), False), stage)
    new = tuple(COMPONENT if a in axes else n for a, n in enumerate(layout))
    if not keep:
        combined = combined.reshape(tuple(n for a, n in enumerate(combined.shape) if a not in axes))
        new = tuple(n for a, n in enumerate(new) if a not in axes)
    return computed(out, group, new, combined)


def _result(low: Lowering, node: Node, stage: int, out: ArrayType) -> Array:
    nodes = box(node).reshape((1,) * len(out.shape))
    return computed(out, low.group(((), False), stage), (COMPONENT,) * len(out.shape), nodes)


def tree(build: Build, name: str, terms: list[Node]) -> Node:
    """Combine numbers pairwise."""
    while len(terms) > 1:
        paired = [_combined(build, name, a, b) for a, b in itertools.pairwise(terms[: len(terms) // 2 * 2])][
            ::2
        ]
        terms = paired + terms[len(terms) // 2 * 2 :]
    return terms[0]


def _combined(build: Build, name: str, x: Node, y: Node) -> Node:
    match name:
        case "sum":
            return build.op("add", x, y)
        case "prod":
            return build.multiply(x, y)
    if x.kind == "i1":
        return build.op("or" if name == "max" else "and", x, y)
    better = build.compare("ge" if name == "max" else "le", x, y)
    return build.select(build.op("or", better, build.is_nan(x)), x, y)


def _repeated(build: Build, name: str, x: Node, count: int) -> Node:
    """Reduce equal numbers."""
    match name:
        case "sum":
            return build.multiply(x, constant(count, x.kind))
        case "prod":
            raise NotNative
    return x


def over_loops(low: Lowering, group: Group, name: str, node: Node) -> Node:
    """Reduce over all points of a group's space."""
    if node.group is not group or node.axes == 0:  # equal everywhere
        straight = low.group(((), False), group.stage)
        return _repeated(Build(straight), name, _before_loops(node, group, straight, {}), group.size)
    result = Node("reduced", node.kind, (), None, 0, low.group(((), False), group.stage + 1))
    group.reductions.append(Reduction(name, node, result))
    return result


def _before_loops(node: Node, group: Group, straight: Group, done: dict[int, Node]) -> Node:
    """Return a node of loops that is equal everywhere as one of the straight code that runs before them."""
    if node.group is not group or group is straight:
        return node
    if id(node) not in done:
        if node.op == "load":
            memory, offset, _ = node.detail
            done[id(node)] = straight.load(memory, offset, ())
        else:
            args = [_before_loops(a, group, straight, done) for a in node.args]
            detail = (*node.detail[:2], ()) if node.op == "fetch" else node.detail
            done[id(node)] = straight.node(node.op, node.kind, *args, detail=detail)
    return done[id(node)]


def _partly(
    low: Lowering,
    record: Record,
    group: Group,
    name: str,
    nodes: Any,
    layout: Layout,
    axes: tuple[int, ...],
    keep: bool,
    out: ArrayType,
) -> Array:
    """Reduce over some of the loops, into memory."""
    del record
    base = low.base(f"m{len(low.bases)}", out, -1)
    of = KINDS[out.dtype]
    full_shape = tuple(1 if a in axes else n for a, n in enumerate(_full(out, axes, len(layout), keep)))
    strides = contiguous_strides(full_shape, BYTES[of])
    memory = Memory(base, of, full_shape, strides)
    over = 0
    for a in axes:
        if layout[a] >= 0:
            over |= 1 << layout[a]
    if any(n == UNIFORM for a, n in enumerate(layout) if a not in axes):
        raise NotNative
    along = [0] * len(group.space)
    for a, loop in enumerate(layout):
        if loop >= 0 and a not in axes:
            along[loop] = strides[a]
    identity: Any = {"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}[name]
    if of == "i64":
        identity = {"sum": 0, "prod": 1, "max": -(2**63), "min": 2**63 - 1}[name]
    if of == "i1":
        identity = name == "min"
    flat_memory = Memory(base, of, out.shape, contiguous_strides(out.shape, BYTES[of]))
    base.used(group)
    group.fills.append((flat_memory, identity))
    for place in np.ndindex(nodes.shape):
        offset = sum(i * s for i, s in zip(place, strides, strict=True))
        group.accumulations.append(Accumulation(name, nodes[place], memory, tuple(along), offset, over))
    return arrays.in_memory(out, flat_memory, group.stage + 1)


def _full(out: ArrayType, axes: tuple[int, ...], ndim: int, keep: bool) -> tuple[int, ...]:
    if keep:
        return out.shape
    rest = iter(out.shape)
    return tuple(1 if a in axes else next(rest) for a in range(ndim))
