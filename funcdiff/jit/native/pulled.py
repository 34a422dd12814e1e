"""The loops of a sweep: its results at a point, pulled through index maps, region by region.

Where an array is put together from others, the boxes of these cut the space of a result into regions, within which
every element is the same expression: a large one in the middle, without branches, and thin ones along the edges.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from funcdiff.core.tape import Atom, Literal, Record, Variable
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import COMPONENT, UNIFORM, Array
from funcdiff.jit.native.build import Build
from funcdiff.jit.native.elementwise import apply, loop_kinds
from funcdiff.jit.native.handlers import NotNative
from funcdiff.jit.native.index_maps import FIXED, Along, Box, Map, composed, inside, preimage
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import KINDS, Group, Memory, Node, Store
from funcdiff.jit.native.reduced import over_loops, tree
from funcdiff.jit.native.spaces import natural
from funcdiff.jit.native.sweeps import Sweep

NEAR = 8  # how far the edges of results are apart at most that have loops in common
MOST = 2500  # nodes of one phase
PER_RECORD = 8  # nodes of a program in addition to these, so that it is compiled quickly
TOTAL = 10_000  # nodes of a program on large arrays
LARGE = 1 << 14


@dataclass(eq=False)
class Result:
    """What a phase computes: an array, or a number that it is reduced to."""

    number: int
    box: Box  # in the coordinates of its loops
    map: Map
    memory: Memory | None = None
    reduction: Record | None = None
    terms: list[Node] = field(default_factory=list)


def lower_sweep(low: Lowering, sweep: Sweep) -> None:
    """Enter the loops of a sweep."""
    settled: set[int] = set()
    phases = []
    for written, reduced in sweep.phases:
        results = [_placed(sweep, number) for number in written]
        for record in reduced:
            found = _placed(sweep, record.inputs[0].number)  # type: ignore[union-attr]
            found.reduction = record
            results.append(found)
        phases += [_Phase(low, sweep, frozenset(settled), together) for together in _together(results)]
        settled.update(written)
    nodes = [phase.nodes for phase in phases]
    low.pulled += sum(nodes)
    large = any(r.outputs[0].type.size >= LARGE for r in sweep.all)
    if max(nodes) > MOST or low.pulled > (TOTAL if large else MOST + PER_RECORD * len(low.tape.records)):
        low.pulled -= sum(nodes)
        raise NotNative
    for phase in phases:
        phase.lower()


def _placed(sweep: Sweep, number: int) -> Result:
    """Return a result in coordinates in which what it reads lies around the same index."""
    shape = sweep.records[number].outputs[0].type.shape
    read: list[list[int]] = [[] for _ in shape]
    for n, maps in sweep.cones[number].items():
        if n not in sweep.records:
            for axis, start, step in itertools.chain.from_iterable(sorted(maps)):
                if axis != FIXED and step == 1:
                    read[axis].append(start)
    home = [statistics.median_low(starts) if starts else 0 for starts in read]
    box = tuple((h, h + n) for h, n in zip(home, shape, strict=True))
    return Result(number, box, tuple(Along(axis, -h, 1) for axis, h in enumerate(home)))


def _together(results: Sequence[Result]) -> list[list[Result]]:
    """Return results in groups over nearly the same box."""
    found: list[list[Result]] = []
    for result in results:
        for group in found:
            box = group[0].box
            if len(box) == len(result.box) and all(
                abs(a - b) <= NEAR
                for mine, other in zip(box, result.box, strict=True)
                for a, b in zip(mine, other, strict=True)
            ):
                group.append(result)
                break
        else:
            found.append([result])
    return found


class _Phase:
    """Results over nearly the same box: their regions, and the stage at which they can be computed."""

    def __init__(self, low: Lowering, sweep: Sweep, settled: frozenset[int], results: list[Result]) -> None:
        self.low, self.sweep, self.settled, self.results = low, sweep, settled, results
        self.rank = len(results[0].box)
        self.cuts: list[set[int]] = [set() for _ in range(self.rank)]
        self.read: dict[int, Atom] = {}
        self.leaves: dict[int, Array] = {}
        self.stage = 0
        visited: set[Any] = set()
        for result in self.results:
            for axis, (first, after) in enumerate(result.box):
                self.cuts[axis].update((first, after))
            self._cut(result, visited)
        self.sides = [list(itertools.pairwise(sorted(cuts))) for cuts in self.cuts]
        self.nodes = math.prod(map(len, self.sides)) * len({(number, at) for number, at, _ in visited})

    def lower(self) -> None:
        """Enter the nodes of all regions."""
        for number, atom in self.read.items():
            self.leaves[number] = self.low.array(atom)
        for leaf in self.leaves.values():
            self.stage = max(self.stage, self._ready(leaf))
        for result in self.results:
            if result.reduction is None:
                result.memory = self.low.new(self.sweep.records[result.number].outputs[0].type)
        for region in itertools.product(*self.sides):
            here = [r for r in self.results if _covers(r.box, region)]
            if here:
                self._region(region, here)
        for result in self.results:
            self._finish(result)

    # --- regions ---------------------------------------------------------------------------------

    def _cut(self, result: Result, visited: set[Any]) -> None:
        """Note where the expression of a result's elements changes."""
        todo: list[tuple[Atom, Map, Box]] = [
            (self.sweep.records[result.number].outputs[0], result.map, result.box)
        ]
        while todo:
            atom, at, box = todo.pop()
            key = (_key(atom), at, box)
            if key in visited:
                continue
            visited.add(key)
            if self._is_leaf(atom):
                self.read[_key(atom)] = atom
                continue
            read = self.sweep.uses[atom.number]  # type: ignore[union-attr]
            for use in read.operands:
                part = box
                if use.box is not None:
                    found = inside(at, use.box, box)
                    if found is None:
                        continue
                    part = found
                    for along, (low, high) in zip(at, use.box, strict=True):
                        if along.axis != FIXED:
                            edge = box[along.axis]
                            self.cuts[along.axis].update(
                                c for c in preimage(along, low, high) if edge[0] < c < edge[1]
                            )
                todo.append((use.atom, composed(use.map, at), part))
                if read.chosen and part == box:
                    break

    def _is_leaf(self, atom: Atom) -> bool:
        return (
            isinstance(atom, Literal) or atom.number not in self.sweep.records or atom.number in self.settled
        )

    def _ready(self, x: Array) -> int:
        if x.group is not None and not x.group.space:
            if all(n == UNIFORM or m == 1 for n, m in zip(x.layout, x.type.shape, strict=True)):
                return x.group.stage
            return max(x.group.stage, self._in_memory(x))
        return self._in_memory(x)

    def _in_memory(self, x: Array) -> int:
        self.low.memory(x)
        return x.ready

    # --- one region ------------------------------------------------------------------------------

    def _region(self, region: Box, results: Sequence[Result]) -> None:
        lengths = tuple(high - low for low, high in region)
        space, layout = natural(lengths, frozenset())
        group = self.low.group((space, False), self.stage)
        short = [n if loop == COMPONENT else 1 for n, loop in zip(lengths, layout, strict=True)]
        for place in itertools.product(*map(range, short)):
            outer = tuple(
                Along(FIXED if loop == COMPONENT else loop, low + i, 0 if loop == COMPONENT else 1)
                for loop, (low, _), i in zip(layout, region, place, strict=True)
            )
            point = _Point(self, group)
            for result in results:
                at = composed(result.map, outer)
                node = point.node(self.sweep.records[result.number].outputs[0], at)
                if result.memory is not None:
                    offset, strides = _placement(result.memory, at, group)
                    result.memory.base.used(group)
                    group.stores.append(Store(node, result.memory, strides, offset))
                else:
                    assert result.reduction is not None
                    name = result.reduction.primitive.name
                    result.terms.append(over_loops(self.low, group, name, node) if space else node)

    def _finish(self, result: Result) -> None:
        type_ = self.sweep.records[result.number].outputs[0].type
        if result.memory is not None:
            found = arrays.in_memory(type_, result.memory, self.stage + 1)
            number = result.number
        else:
            record = result.reduction
            assert record is not None
            out = record.outputs[0]
            group = self.low.group(((), False), self.stage + 1)
            node = tree(Build(group), record.primitive.name, result.terms)
            rank = len(out.type.shape)
            found = arrays.computed(
                out.type, group, (COMPONENT,) * rank, arrays.box(node).reshape((1,) * rank)
            )
            number = out.number
        found.number = number
        self.low.arrays[number] = found


class _Point:
    """The expressions of elements at one point of a region."""

    def __init__(self, phase: _Phase, group: Group) -> None:
        self.phase, self.group = phase, group
        self.box = tuple((0, n) for n in group.space)
        self.done: dict[Any, Node] = {}

    def node(self, atom: Atom, at: Map) -> Node:
        """Return an element; operands first, without recursion."""
        todo = [(atom, at)]
        while todo:
            one, where = todo[-1]
            key = (_key(one), where)
            if key in self.done:
                todo.pop()
                continue
            if _key(one) in self.phase.leaves:
                self.done[key] = self._leaf(self.phase.leaves[_key(one)], where)
                continue
            assert isinstance(one, Variable)
            operands = self._operands(one, where)
            missing = [o for o in operands if (_key(o[0]), o[1]) not in self.done]
            if missing:
                todo += missing
                continue
            self.done[key] = self._computed(one, [self.done[_key(a), m] for a, m in operands])
        return self.done[_key(atom), at]

    def _operands(self, one: Variable, at: Map) -> list[tuple[Atom, Map]]:
        read = self.phase.sweep.uses[one.number]
        if not read.chosen:
            return [(use.atom, composed(use.map, at)) for use in read.operands]
        for use in read.operands:
            part = self.box if use.box is None else inside(at, use.box, self.box)
            if part == self.box:
                return [(use.atom, composed(use.map, at))]
            if part is not None:
                raise NotNative  # a region that is too large
        raise NotNative

    def _computed(self, one: Variable, operands: list[Node]) -> Node:
        record = self.phase.sweep.records[one.number]
        if self.phase.sweep.uses[one.number].chosen:
            return Build(self.group).convert(operands[0], KINDS[one.type.dtype])
        kinds = loop_kinds(record)
        if kinds is None:  # a change of dtype
            return Build(self.group).convert(operands[0], KINDS[one.type.dtype])
        return apply(record, kinds, self.group, operands)

    def _leaf(self, x: Array, at: Map) -> Node:
        if x.group is not None and not x.group.space:
            place = []
            for along, layout, n in zip(at, x.layout, x.parts.shape, strict=True):
                if layout == UNIFORM or n == 1:
                    place.append(0)
                elif along.axis == FIXED:
                    place.append(along.start)
                else:
                    break
            else:
                found: Node = x.parts[tuple(place)]
                return found
        memory = self.phase.low.memory(x)
        return self.group.load(memory, *_placement(memory, at, self.group))


def _placement(memory: Memory, at: Map, group: Group) -> tuple[int, tuple[int, ...]]:
    """Return where an element lies: bytes from the start, and strides along the loops."""
    offset, strides = 0, [0] * len(group.space)
    for along, stride in zip(at, memory.strides, strict=True):
        offset += along.start * stride
        if along.axis != FIXED:
            strides[along.axis] += along.step * stride
    return offset, tuple(strides)


def _covers(box: Box, region: Box) -> bool:
    return all(low <= a and b <= high for (low, high), (a, b) in zip(box, region, strict=True))


def _key(atom: Atom) -> int:
    return atom.number if isinstance(atom, Variable) else -1 - id(atom)
