"""Gathers of what costs little: it is computed where it is gathered, from what is fetched for it, and never written down."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.jit.native.arrays import COMPONENT, FLAT, UNIFORM, Array, computed
from funcdiff.jit.native.gathers import Places, fetch, space_of, whole_index, written_out
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.memory import is_cheap
from funcdiff.jit.native.nodes import Group, Memory, Node


def computed_there(low: Lowering, x: Array, index: Any, out: ArrayType) -> Array | None:
    """Return the elements at an index of an array that is not in memory; None where it had better be."""
    if (
        x.group is None
        or not x.group.space
        or x.memory is not None
        or x.layout == FLAT
        or UNIFORM in x.layout
    ):
        return None
    items = whole_index(index, len(x.type.shape))
    if items is None or not low.natural(out.shape)[0] or not is_cheap(x.parts, x.group.stage, low.stored):
        return None
    loops = [loop != COMPONENT for loop in x.layout]
    if any(not isinstance(i, slice) and not loop for i, loop in zip(items, loops, strict=True)):
        return None
    leaves = _leaves(x.parts, x.group)
    if leaves is None:
        return None
    found = {id(n): written_out(low, tuple(items), _seen_from(x, n), out.shape) for n in leaves}
    if any(p is None for p in found.values()) or not found:
        return None
    space, layout = space_of(low, out.shape)
    any_places = next(p for p in found.values() if p is not None)
    stage = max(x.group.stage, *(low.stage_of(i, space, layout, out.shape) for i in any_places.arrays))
    group = low.group(space, stage)
    fetched: dict[int, Any] = {}
    checked: dict[int, Node] = {}
    for n in leaves:
        memory, places = _seen_from(x, n), found[id(n)]
        assert isinstance(places, Places)

        def make(offset: Node, start: int, strides: tuple[int, ...], memory: Memory = memory) -> Node:
            return fetch(group, memory, offset, start, strides)

        fetched[id(n)] = places.nodes(group, layout, make, checked)
    numbers = _parts_taken(x, items, loops, layout, out.shape)
    flat, nodes = x.parts.reshape(-1), np.empty(numbers.shape, object)
    for place in np.ndindex(numbers.shape):
        nodes[place] = _again(flat[numbers[place]], x.group, group, fetched, place, {})
    return computed(out, group, layout, nodes)


def _leaves(parts: Any, group: Group) -> list[Node] | None:
    """Return what is loaded for nodes, each once; None where some is fetched itself, from where its own loops say."""
    found: dict[int, Node] = {}
    todo = list(parts.reshape(-1))
    while todo:
        node = todo.pop()
        if node.group is group:
            if node.op == "load":
                found[id(node)] = node
            if node.op == "fetch":
                return None
            todo += node.args
    return list(found.values())


def _seen_from(x: Array, node: Node) -> Memory:
    """Return the memory that a node of an array loads as if it were the array: components are where the node is."""
    memory, offset, strides = node.detail
    along = tuple(0 if loop == COMPONENT else strides[loop] for loop in x.layout)
    return Memory(memory.base, memory.kind, x.type.shape, along, memory.offset + offset)


def _parts_taken(x: Array, items: Any, loops: Any, layout: Any, shape: tuple[int, ...]) -> Any:
    """Return the numbers of the parts that stand at the places of the result."""
    rank = len(
        np.broadcast_shapes(
            *(
                np.shape(i) if isinstance(i, np.ndarray) else i.type.shape
                for i in items
                if not isinstance(i, slice)
            )
        )
    )
    first = next(n for n, i in enumerate(items) if not isinstance(i, slice))
    lengths = [n if loop == COMPONENT else 1 for n, loop in zip(shape, layout, strict=True)]
    zeros = np.zeros(lengths[first : first + rank], np.int64)
    key = tuple(
        (slice(None) if loop else i) if isinstance(i, slice) else zeros
        for i, loop in zip(items, loops, strict=True)
    )
    return np.broadcast_to(np.arange(x.parts.size).reshape(x.parts.shape)[key], lengths)


def _again(
    node: Node,
    old: Group,
    group: Group,
    fetched: dict[int, Any],
    place: tuple[int, ...],
    done: dict[int, Node],
) -> Node:
    """Return a node computed again, from what has been fetched for a place of the result."""
    if node.group is not old:
        return node
    if id(node) in fetched:
        found: Node = fetched[id(node)][place]
        return found
    if id(node) not in done:
        args = [_again(a, old, group, fetched, place, done) for a in node.args]
        done[id(node)] = group.node(node.op, node.kind, *args, detail=node.detail)
    return done[id(node)]
