"""A tape as loop nests: which space each record is computed in, and what lies in memory between them.

Records over one space make up one loop nest per stage. A stage ends where a value is needed that a loop
has to finish first: a reduction's result, or an array in another order.  Arrays of at most a few elements
have no loop: each element is a number of straight code, as the short axes of longer arrays are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import Primitive
from funcdiff.core.tape import Atom, Record, Tape, Variable, variables
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import (
    COMPONENT,
    FLAT,
    UNIFORM,
    Array,
    Layout,
    computed,
    contiguous_strides,
    fits,
)
from funcdiff.jit.native.emit import Emitter
from funcdiff.jit.native.engine import LANES
from funcdiff.jit.native.handlers import ELEMENTWISE, HANDLERS, OF_STACKS, NotNative, kind_of
from funcdiff.jit.native.in_place import share
from funcdiff.jit.native.kernel import Kernel
from funcdiff.jit.native.loops import parts
from funcdiff.jit.native.memory import (
    Stored,
    arrange,
    can_move,
    loads,
    move,
    places,
    recomputed,
    side_by_side,
)
from funcdiff.jit.native.nodes import BYTES, KINDS, Base, Group, Memory, Node, Store, constants
from funcdiff.jit.native.orders import reorder
from funcdiff.jit.native.spaces import UNROLLED, along_repeated, flat_variables, lane_sizes, natural, repeated
from funcdiff.jit.native.sweeps import plan
from funcdiff.jit.native.temporaries import temporary

Space = tuple[tuple[int, ...], bool]


class Lowering:
    """Turns one tape into groups."""

    def __init__(self, tape: Tape, name: str = "kernel", weak: bool = True, threads: bool = False) -> None:
        self.tape = tape
        self.name = name
        self.groups: dict[tuple[int, tuple[int, ...], bool], Group] = {}
        self.arrays: dict[int, Array] = {}
        self.bases: list[Base] = []
        self.literals: dict[int, tuple[Any, Array]] = {}
        self.stored: Stored = {}
        self.pulled = 0  # nodes that sweeps have entered
        self.lanes = lane_sizes(tape)
        self.flat = flat_variables(tape)
        self.naturals: dict[tuple[int, ...], tuple[tuple[int, ...], Layout]] = {}
        self.functions: list[Kernel] = []  # that the kernel calls
        self.results: list[Base] = []  # in which the kernel's results are written
        self.places: dict[Any, Any] = {}  # what indices of the tape are as places
        self.uses_stacks = False
        self.weak = weak  # loops may have ordinary products, and give up where they find a NaN
        self.weakened = False
        self.threads = threads  # share large loop nests among threads
        self.readers: dict[int, list[Record]] | None = None
        self.returned: set[int] = set()

    def lower(self) -> Kernel:
        """Return the kernel."""
        for place, v in enumerate(self.tape.inputs):
            self.arrays[v.number] = self.argument(f"in{place}", v.type, place)
        self.records()
        self._guards()
        self._outputs()
        made = Kernel(Emitter(self.name, *self.arranged(), self.uses_stacks, self.threads), self.functions)
        made.weakened = self.weakened
        return made

    def argument(self, name: str, type_: ArrayType, place: int) -> Array:
        """Return an array that lies where a pointer of the kernel's points to."""
        return arrays.in_memory(type_, self.outside(name, type_, place), 0)

    def outside(self, name: str, type_: ArrayType, place: int) -> Memory:
        """Return the memory that a pointer of the kernel's points to."""
        of = kind_of(type_)
        base = self.base(name, type_, place)
        return Memory(base, of, type_.shape, contiguous_strides(type_.shape, BYTES[of]))

    def records(self) -> None:
        """Lower all records."""
        for record in self.steps():
            name = record.primitive.name
            lowered = HANDLERS.get(name, HANDLERS[ELEMENTWISE])
            if name in OF_STACKS and any(self.arrays[v.number].stack for v in variables(record.inputs)):
                lowered = OF_STACKS[name]
            try:
                found = lowered(self, record)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise NotNative(record) from error
            made = found if isinstance(found, list) else [found]
            for v, x in zip(record.outputs, made, strict=True):
                x = self._at_once(x)
                x.number = v.number
                self.arrays[v.number] = x

    def step(
        self, primitive: Primitive, type_: ArrayType, given: Sequence[Array], params: dict[str, Any]
    ) -> Array:
        """Lower a record that does not stand on the tape; return its only result."""
        inputs = []
        for x in given:
            v = Variable(-1 - len(self.arrays), x.type)
            self.arrays[v.number] = x
            inputs.append(v)
        record = Record(primitive, tuple(inputs), params, (Variable(-1 - len(self.arrays), type_),))
        found = HANDLERS.get(primitive.name, HANDLERS[ELEMENTWISE])(self, record)
        assert isinstance(found, Array)
        return found

    def _at_once(self, x: Array) -> Array:
        """Read a small part of memory that may be written over before it is used."""
        if x.group is not None or x.memory is None or x.stack or x.type.size > UNROLLED:
            return x
        base = x.memory.base
        if not (base.root.owned or base.root.mutable) or (
            base.of is None and x.type.size * BYTES[x.kind] == base.size
        ):
            return x
        layout = (COMPONENT,) * len(x.type.shape)
        group = self.group(((), False), x.ready)
        return computed(x.type, group, layout, loads(x.memory, group, layout, x.type.shape))

    def steps(self) -> Iterator[Record]:
        """Yield the records that are lowered one by one, and lower sweeps in between."""
        from funcdiff.jit.native.pulled import lower_sweep

        for step in plan(self.tape):
            if isinstance(step, Record):
                yield step
                continue
            try:
                lower_sweep(self, step)
            except NotNative:
                yield from step.all

    # --- groups ----------------------------------------------------------------------------------

    def group(self, space: Space, stage: int) -> Group:
        """Return the group of a space and a stage."""
        key = (stage, *space)
        found = self.groups.get(key)
        if found is None:
            found = self.groups[key] = Group(space[0], stage, space[1])
        return found

    def natural(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Layout]:
        """Return the space in which arrays of some shape are computed, and which axes are its loops."""
        found = self.naturals.get(shape)
        if found is None:
            found = self.naturals[shape] = natural(shape, self.lanes)
        return found

    def anything(self, atom: Atom) -> Array:
        """Return an operand that may be a stack."""
        return self.arrays[atom.number] if isinstance(atom, Variable) else self.array(atom)

    # --- operands --------------------------------------------------------------------------------

    def array(self, atom: Atom) -> Array:
        """Return an operand."""
        found = self.unplaced(atom)
        if found.source is not None:
            self.memory(found)
        return found

    def unplaced(self, atom: Atom) -> Array:
        """Return an operand that may be what a reshape makes of another, neither computed nor in memory as such."""
        if isinstance(atom, Variable):
            found = self.arrays[atom.number]
            if found.stack:  # only loops read it
                raise NotNative(next(r for r in self.tape.records if atom in r.outputs))
            return found
        _, known = self.literals.get(id(atom.value), (None, None))  # a large one is looked through once
        if known is None:
            known = self._literal(np.asarray(atom.value))
            if known.type.size > UNROLLED:
                self.literals[id(atom.value)] = atom.value, known  # held on to, as it is known by its id
        return arrays.same(known)

    def _literal(self, value: Any) -> Array:
        type_ = ArrayType(value.shape, value.dtype)
        if type_.dtype not in KINDS:
            raise NotNative
        straight = self.group(((), False), 0)
        of = KINDS[type_.dtype]
        if not value.size or (value.size <= UNROLLED and not any(n in self.lanes for n in value.shape)):
            return computed(type_, straight, (COMPONENT,) * value.ndim, constants(value, of))
        few = repeated(value, self.natural(value.shape)[1])
        if few is not None:
            pairs = zip(value.shape, few.shape, strict=True)
            layout = tuple(UNIFORM if n != m else COMPONENT for n, m in pairs)
            return computed(type_, straight, layout, constants(few, of))
        held = np.ascontiguousarray(value)  # a tape's constants are its own, and nobody writes to them
        base = self.base(f"{self.name}.constant{len(self.bases)}", type_, -1, held)
        memory = Memory(base, of, value.shape, contiguous_strides(value.shape, BYTES[of]))
        return arrays.in_memory(type_, memory, 0)

    def stage_of(self, x: Array, space: Space, layout: Layout, shape: Sequence[int]) -> int:
        """Return the first stage at which a group over a space can read an array."""
        if x.source is not None:
            self.memory(x)
        if x.group is not None:
            inside = x.group.space == space[0] and x.group.flat == space[1]
            if (inside or not x.group.space) and fits(x.layout, x.type.shape, layout, shape):
                return x.group.stage
            if x.group.space and UNIFORM in x.layout:  # what it repeats may have to be written first
                self.memory(x)
            elif x.memory is None:
                return x.group.stage + 1
        return x.ready

    def read(self, x: Array, group: Group, layout: Layout, shape: Sequence[int]) -> Any:
        """Return the nodes of an array in a group, of parts that fit those of the group's layout."""
        if x.group is not None and fits(x.layout, x.type.shape, layout, shape):
            if x.group is group or not x.group.space:
                return x.parts
            there = x.memory is not None and x.ready <= group.stage
            if not there and x.group.space == group.space and x.group.flat == group.flat:
                again = recomputed(x.parts, group, self.stored)
                if again is not None:
                    return again
        memory = self.memory(x)
        if x.ready > group.stage:
            raise NotNative
        return loads(memory, group, layout, shape)

    def memory(self, x: Array) -> Memory:
        """Return the memory of an array, writing it there if it is not."""
        if x.memory is None and x.source is not None:
            x.memory = arrays.shown(x, self.memory(x.source))
            x.ready, x.source = x.source.ready, None
        elif x.memory is None:
            loops = [axis for axis, loop in enumerate(x.layout) if loop >= 0]
            x.memory = temporary(self, x.type, x.number, loops)
            x.ready = self.write(x, x.memory)
            if x.group is not None and UNIFORM not in x.layout:
                for node, offset, strides in places(x.memory, x.group, x.layout, x.parts):
                    self.stored[id(node)] = (x.memory, offset, strides, x.ready)
        return x.memory

    def write(self, x: Array, memory: Memory) -> int:
        """Write an array into memory; return the stage from which on it can be read there."""
        if x.source is not None:
            place = arrays.place_of_source(x, memory)
            if place is not None:
                return self.write(x.source, place)
            self.memory(x)
        if x.group is None:
            assert x.memory is not None
            given, memory = side_by_side(x.memory, memory)
            space, layout, flat = self._copy_space(given, memory)
            group = self.group((space, flat), x.ready)
            nodes = loads(given, group, layout, memory.shape)
        else:
            group, layout, nodes = x.group, x.layout, x.parts
            if UNIFORM in layout or (layout != FLAT and x.type.shape != memory.shape):
                space, layout = self.natural(memory.shape)
                fitting = fits(x.layout, x.type.shape, layout, memory.shape)
                if group.space and not (fitting and group.space == space):
                    return self.write(self._repeated(x, memory), memory)
                if not fitting:
                    if x.type.shape != memory.shape:
                        raise NotNative
                    space, layout = along_repeated(x.layout, x.type.shape)
                group = self.group((space, False), group.stage)
        memory.base.used(group)
        for node, offset, strides in places(memory, group, layout, nodes):
            group.stores.append(Store(node, memory, strides, offset))
        return group.stage + 1

    def _repeated(self, x: Array, memory: Memory) -> Array:
        """Return what repeats numbers along axes that are no loops of theirs as a view of memory with those numbers."""
        shape = tuple(1 if loop == UNIFORM else n for n, loop in zip(x.type.shape, x.layout, strict=True))
        if x.group is None or x.type.shape != memory.shape or shape == x.type.shape:
            raise NotNative
        layout = tuple(COMPONENT if loop == UNIFORM else loop for loop in x.layout)
        few = computed(ArrayType(shape, x.type.dtype), x.group, layout, x.parts)
        held = arrays.view(self.memory(few), lambda a: np.broadcast_to(a, x.type.shape))
        return arrays.in_memory(x.type, held, few.ready)

    def _copy_space(self, x: Memory, memory: Memory) -> tuple[tuple[int, ...], Layout, bool]:
        shape = memory.shape
        if shape != x.shape or (shape or (1,))[-1] < LANES:
            return (*self.natural(shape), False)
        if len(shape) == 1 and arrays.is_contiguous(x) and arrays.is_contiguous(memory):
            return shape, FLAT, True
        return shape, tuple(range(len(shape))), False

    def new(self, type_: ArrayType) -> Memory:
        """Return new memory for an array that only the kernel knows, without gaps."""
        return self.outside(f"m{len(self.bases)}", type_, -1)

    def base(self, name: str, type_: ArrayType, place: int, value: Any = None) -> Base:
        """Return new memory for an array."""
        base = Base(name, type_.size * BYTES[KINDS[type_.dtype]], place, value)
        self.bases.append(base)
        return base

    # --- the end ---------------------------------------------------------------------------------

    def _guards(self) -> None:
        for guard in self.tape.guards:
            x = self.arrays[guard.variable.number]
            value = np.asarray(guard.value)
            if x.type.shape or value.shape or KINDS.get(value.dtype) is None:
                raise NotNative
            space: Space = ((), False)
            group = self.group(space, self.stage_of(x, space, (), ()))
            node = self.read(x, group, (), ())[()]
            if node.kind != KINDS[value.dtype]:
                raise NotNative
            group.guards.append((node, value.item()))

    def _outputs(self) -> None:
        place = len(self.tape.inputs)
        for n, atom in enumerate(self.tape.outputs):
            x = self.unplaced(atom)
            memory = self.outside(f"out{n}", x.type, place + n)
            self.results.append(memory.base)
            self.output(x, memory)

    def output(self, x: Array, memory: Memory) -> None:
        """Write a result where it is wanted."""
        own = x.memory
        if own is not None and own.base.place < 0 and own.base.constant is None and can_move(own, x.type):
            self.bases.remove(memory.base)
            move(own.base, memory.base)  # computed where it is returned
        elif x.source is None and (x.group is None or x.memory is not None):
            self.write(arrays.in_memory(x.type, self.memory(x), x.ready), memory)
        else:
            self.write(x, memory)

    def arranged(self) -> tuple[list[Group], list[Base], int]:
        """Return the groups in order, the memory they use, and how much of it the arena is."""
        for group in list(self.groups.values()):
            reorder(group)
            for reduction in group.reductions:
                count = parts(group)
                if count > 1:
                    base = Base(f"m{len(self.bases)}", count * 8, -1)
                    self.bases.append(base)
                    base.used(group)
                    reduction.result.detail = base
        groups = sorted(self.groups.values(), key=lambda g: g.when)
        _drop_dead(groups)
        used = {id(b) for b in self.bases if b.place >= 0 or b.last[0] >= 0}
        bases = share(groups, [b for b in self.bases if id(b) in used], self.results)
        return groups, bases, arrange(bases)


def _drop_dead(groups: Sequence[Group]) -> None:
    """Keep only nodes that something is computed from."""
    live: set[int] = set()
    reductions: dict[int, Node] = {}
    for group in groups:
        for r in group.reductions:
            reductions[id(r.result)] = r.node

    def mark(start: Node) -> None:
        todo = [start]
        while todo:
            node = todo.pop()
            if id(node) in live:
                continue
            live.add(id(node))
            todo.extend(node.args)
            reduced = reductions.get(id(node))
            if reduced is not None:
                todo.append(reduced)

    for group in groups:
        for store in group.stores:
            mark(store.node)
        for accumulation in group.accumulations:
            mark(accumulation.node)
        for scatter in group.scatters:
            mark(scatter.node)
            mark(scatter.at)
        for node in (*group.kept, *(node for node, _ in group.guards)):
            mark(node)
    for group in groups:
        group.nodes = [n for n in group.nodes if id(n) in live]
        group.reductions = [r for r in group.reductions if id(r.result) in live]
