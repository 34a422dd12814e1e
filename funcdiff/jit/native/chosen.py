"""Branches between a few numbers: both ways stand in the function that they belong to, and nothing passes through memory.

What a way reads are numbers of the function's straight code, and of what the ways have made, one is chosen where they
meet again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record, Tape, Variable
from funcdiff.jit.native.arrays import COMPONENT, Array, computed
from funcdiff.jit.native.handlers import NotNative
from funcdiff.jit.native.loop_body import BodyLowering, prepared
from funcdiff.jit.native.nodes import Base, Group, Node
from funcdiff.jit.native.operations import literal
from funcdiff.jit.native.plain_products import LONG, components


@dataclass(eq=False)
class Way:
    """What is done on one way: its groups, and their temporaries.

    `given` are numbers of its own and those of the function for which they stand.
    """

    label: str
    given: list[tuple[Node, Node]]
    groups: list[Group]
    bases: list[Base]


@dataclass(eq=False)
class Choice:
    """Two ways, the memory of their temporaries, between what is chosen, and what has been, once it is written."""

    ways: list[Way]
    scratch: Base | None
    between: list[tuple[Node, Node]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def chosen(low: BodyLowering, record: Record, operands: Sequence[Array]) -> list[Array] | None:
    """Return the results of a branch; None where a way reads or makes more than a few numbers."""
    if any(x.stack for x in operands):
        return None
    low.choices += 1
    sides = [_side(low, record.params[way], f"{way}{low.choices}") for way in ("then", "other")]
    if not all(map(_is_small, sides)) or sum(components(one.tape) for one in sides) > LONG:
        return None  # LLVM takes longer for one long function than for several
    (predicate, *given), group = low.numbers_of(operands)
    ways, made, arena = [], [], 0
    for one in sides:
        way, numbers, size = _way(low, one, given, [v.type for v in record.outputs])
        ways.append(way)
        made.append(numbers)
        arena = max(arena, size)
    scratch = None
    if arena:
        scratch = low.base(f"m{len(low.bases)}", ArrayType((-(-arena // 8),), np.dtype(np.int64)), -1)
        scratch.used(group)
    read = {id(n): n for x in given for n in x if n.op != "constant"}
    choice = Choice(ways, scratch)
    node = Node("branch", "i1", (*predicate, *read.values()), choice, 0, group)
    group.nodes.append(node)
    results = iter([_between(node, pair, group) for pair in zip(*made, strict=True)])
    found = []
    for v in record.outputs:
        parts = np.empty(v.type.size, object)
        parts[:] = [next(results) for _ in range(v.type.size)]
        found.append(computed(v.type, group, (COMPONENT,) * len(v.type.shape), parts.reshape(v.type.shape)))
    return found


def _side(low: BodyLowering, body: Tape, name: str) -> BodyLowering:
    return BodyLowering(prepared(body), f"{low.name}.{name}", f"{low.prefix}{name}.", low.weak, low.threads)


def _is_small(one: BodyLowering) -> bool:
    """Tell whether what a way reads and makes are numbers of straight code."""
    made = [a for a in one.tape.outputs if isinstance(a, Variable)]
    return all(map(one.is_small, (*one.tape.inputs, *made)))


def _way(
    low: BodyLowering, one: BodyLowering, given: Sequence[list[Node]], types: list[ArrayType]
) -> tuple[Way, list[Node], int]:
    """Lower one way; return what it makes, and how much memory its temporaries take, too."""
    stands: dict[int, tuple[Node, Node]] = {}
    for v, nodes in zip(one.tape.inputs, given, strict=True):
        one.arrays[v.number] = one.standing_for(v.type, nodes, stands)
    one.records()
    results = [one.result(a) for a in one.tape.outputs]
    if [x.type for x in results] != types:
        raise NotNative
    made = [n for x in results for n in one.numbers(x)]
    groups, bases, arena = one.arranged()
    low.functions += one.functions
    low.uses_stacks |= one.uses_stacks
    low.weakened |= one.weakened
    low.bases += [b for b in bases if b.constant is not None]
    own = [b for b in bases if b.place < 0 and b.constant is None]
    of = {id(mine): other for mine, other in stands.values()}
    return Way(one.prefix, list(stands.values()), groups, own), [of.get(id(n), n) for n in made], arena


def _between(node: Node, pair: tuple[Node, Node], group: Group) -> Node:
    """Return the number that is chosen."""
    first, second = pair
    if first is second or (
        first.op == second.op == "constant"
        and literal(first.detail, first.kind) == literal(second.detail, second.kind)
    ):
        return first
    between = node.detail.between
    between.append(pair)
    return group.node("chosen", first.kind, node, detail=len(between) - 1)
