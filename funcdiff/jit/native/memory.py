"""Reading and writing memory from a group's nodes, and where in the arena memory lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import COMPONENT, FLAT, UNIFORM, Layout, box
from funcdiff.jit.native.emit import ALIGNMENT
from funcdiff.jit.native.handlers import NotNative
from funcdiff.jit.native.nodes import BYTES, Base, Group, Memory, Node

CHEAP = frozenset(
    [
        "add",
        "sub",
        "mul",
        "fma",
        "neg",
        "abs",
        "select",
        "lt",
        "le",
        "gt",
        "ge",
        "eq",
        "ne",
        "and",
        "or",
        "xor",
    ]
)
RECOMPUTED = 3  # cheap operations up to which a value is computed again rather than kept in memory


def loads(memory: Memory, group: Group, layout: Layout, shape: Sequence[int]) -> Any:
    """Return the nodes that read memory, of parts that fit those of a group's layout."""
    if layout == FLAT:
        if math.prod(memory.shape) == 1:
            return box(group.load(memory, 0, (0,)))
        if not arrays.is_contiguous(memory):
            raise NotNative
        return box(group.load(memory, 0, (BYTES[memory.kind],)))
    lead = len(shape) - len(memory.shape)
    strides = [0] * len(group.space)
    components = []
    for axis, (n, stride) in enumerate(zip(memory.shape, memory.strides, strict=True)):
        loop = layout[lead + axis]
        if n == 1:
            components.append(1)
        elif loop == COMPONENT:
            components.append(n)
        elif loop == UNIFORM:
            raise NotNative
        else:
            strides[loop] = stride
            components.append(1)
    nodes = np.empty(components, object)
    for place in np.ndindex(*components):
        offset = sum(i * s for i, s in zip(place, memory.strides, strict=True))
        nodes[place] = group.load(memory, offset, tuple(strides))
    return nodes


def places(memory: Memory, group: Group, layout: Layout, nodes: Any) -> Any:
    """Yield (node, offset, strides along the loops) for each part of what is written into memory."""
    if layout == FLAT:
        if not arrays.is_contiguous(memory):
            raise NotNative
        yield nodes[()], 0, (BYTES[memory.kind],)
        return
    strides = [0] * len(group.space)
    for loop, stride in zip(layout, memory.strides, strict=True):
        if loop >= 0:
            strides[loop] = stride
    lengths = [n if loop == COMPONENT else 1 for n, loop in zip(memory.shape, layout, strict=True)]
    nodes = np.broadcast_to(nodes, lengths)
    for place in np.ndindex(*lengths):
        offset = sum(i * s for i, s in zip(place, memory.strides, strict=True))
        yield nodes[place], offset, tuple(strides)


def side_by_side(one: Memory, other: Memory) -> tuple[Memory, Memory]:
    """Return memory of two arrays, axes that are one in both as one: so that what is copied is copied in vectors."""
    if one.shape != other.shape:
        return one, other
    axes: list[list[int]] = []  # length, and the strides of both
    for n, *strides in zip(one.shape, one.strides, other.strides, strict=True):
        if n == 1:
            continue
        if axes and all(before == n * s for before, s in zip(axes[-1][1:], strides, strict=True)):
            axes[-1] = [axes[-1][0] * n, *strides]
        else:
            axes.append([n, *strides])
    lengths, first, second = zip(*axes, strict=True) if axes else ((), (), ())
    return (
        Memory(one.base, one.kind, lengths, first, one.offset),
        Memory(other.base, other.kind, lengths, second, other.offset),
    )


def can_move(memory: Memory, type_: ArrayType) -> bool:
    """Tell whether memory can be that of a result: all of it, not the beginning of something longer."""
    return (
        memory.offset == 0
        and memory.base.size == type_.size * BYTES[memory.kind]
        and memory.shape == type_.shape
        and arrays.is_contiguous(memory)
        and bool(type_.size)
    )


def move(base: Base, to: Base) -> None:
    """Let memory of the arena be a result's own."""
    base.name, base.place = to.name, to.place


Stored = dict[int, tuple[Memory, int, tuple[int, ...], int]]
"""For a node, where its numbers lie in memory: offset, strides along the loops, and the stage from which on."""


def is_cheap(nodes: Any, stage: int, stored: Stored) -> bool:
    """Tell whether nodes are better computed again than kept in memory."""
    flat = nodes.reshape(-1)

    def count(node: Node, seen: set[int]) -> int:
        if node.group is None or not node.group.space or id(node) in seen:
            return 0
        seen.add(id(node))
        if node.op in ("load", "fetch") and node.detail[0].base.root.mutable:  # it may have been written to
            return RECOMPUTED * len(flat) + 1
        if node.op == "load" or is_stored(node, stage, stored):
            return 0
        if node.op not in CHEAP:
            return RECOMPUTED + 1
        total = 1
        for a in node.args:
            total += count(a, seen)
            if total > RECOMPUTED:
                break
        return total

    return sum(count(n, set()) for n in flat) <= RECOMPUTED * len(flat)


def is_stored(node: Node, stage: int, stored: Stored) -> bool:
    """Tell whether a node's numbers can be read in memory from a stage on."""
    found = stored.get(id(node))
    return found is not None and found[3] <= stage and not found[0].base.mutable


def recomputed(nodes: Any, group: Group, stored: Stored) -> Any:
    """Return the nodes again in another group over the same space, where that costs little."""
    if not is_cheap(nodes, group.stage, stored):
        return None
    found = np.empty(nodes.shape, object)
    done: dict[int, Node] = {}

    def again(node: Node) -> Node:
        if node.group is None or not node.group.space:
            return node
        if id(node) not in done:
            if is_stored(node, group.stage, stored):
                done[id(node)] = group.load(*stored[id(node)][:3])
            elif node.op == "load":
                memory, offset, strides = node.detail
                done[id(node)] = group.load(memory, offset, strides)
            else:
                args = tuple(map(again, node.args))
                done[id(node)] = group.node(node.op, node.kind, *args, detail=node.detail)
        return done[id(node)]

    for place in np.ndindex(nodes.shape):
        found[place] = again(nodes[place])
    return found


def arrange(bases: Sequence[Base]) -> int:
    """Give the temporaries places in the arena, those that are needed at different times the same."""
    placed: list[Base] = []
    size = 0
    for base in sorted((b for b in bases if b.place < 0 and b.constant is None), key=lambda b: b.first):
        length = -(-max(base.size, 1) // ALIGNMENT) * ALIGNMENT
        start = 0
        for other in sorted((o for o in placed if o.last >= base.first), key=lambda o: o.start):
            if other.start - start >= length:
                break
            start = max(start, other.start + -(-max(other.size, 1) // ALIGNMENT) * ALIGNMENT)
        base.start = start
        placed.append(base)
        size = max(size, start + length)
    return size
