"""The loop nest of a group, as IR on vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from funcdiff.jit.native.engine import LANES
from funcdiff.jit.native.interleaved import Interleaved
from funcdiff.jit.native.nodes import BYTES, Accumulation, Group, Memory, Node, Reduction, Store
from funcdiff.jit.native.operations import IDENTITY, IN_MEMORY, SUFFIX, TYPES, literal, vector
from funcdiff.jit.native.pairwise import PAIRWISE

if TYPE_CHECKING:
    from funcdiff.jit.native.emit import Emitter

SMALL = 100  # nodes up to which the last elements of a row have code of their own
BLOCK = 1024  # elements whose sum is one number of the pairwise sum; does not depend on the machine
Carried = list[tuple[Reduction | Accumulation, str, str]]
"""What is reduced over the inner loop, its accumulator, and the next value of that."""
_IOTA = ", ".join(f"i64 {n}" for n in range(LANES))


class Loops:
    """Writes the loop nest of one group.

    Code is collected by depth: what changes along no axis stands before the loops, and so on inwards.
    """

    def __init__(self, out: Emitter, group: Group) -> None:
        self.out = out
        self.group = group
        self.last = len(group.space) - 1
        self.length = group.space[-1]
        self.by_depth: list[list[str]] = [[] for _ in range(len(group.space) + 1)]
        self.splats: dict[int, str] = {}
        self.rows: dict[Any, str] = {}
        self.id = out.label("loop")
        self.index = [f"%{self.id}.i{n}" for n in range(len(group.space))]
        self.rest = self.length % LANES
        over_lanes = bool(group.reductions) or any(a.over >> self.last & 1 for a in group.accumulations)
        self.blocks = -(-self.length // BLOCK) if over_lanes else 1
        self.mask: str | None = None
        self.parted = self._is_parted()
        self.interleaved = Interleaved(self)

    def _is_parted(self) -> bool:
        """Tell whether full vectors have a loop without masks, and what is left after them code of its own."""
        last_block = self.length if self.blocks == 1 else self.length % BLOCK
        return (
            0 < self.rest < LANES * 4 <= self.length
            and last_block >= LANES
            and len(self.group.nodes) <= SMALL
        )

    def emit(self) -> None:
        """Write the nest."""
        out, group = self.out, self.group
        out.work += len(group.nodes) * group.size
        for memory, value in group.fills:
            out.fill(memory, value)
        if not group.size:
            for reduction in group.reductions:
                identity = IDENTITY[reduction.name][reduction.node.kind]
                reduction.result.text = literal(identity, reduction.node.kind)
            return
        inner = self.by_depth[-1]
        if self.rest and not self.parted:
            lanes = out.let(f"insertelement <{LANES} x i64> poison, i64 {self.index[-1]}, i32 0", inner)
            lanes = out.let(
                f"shufflevector <{LANES} x i64> {lanes}, <{LANES} x i64> poison, <{LANES} x i32> zeroinitializer",
                inner,
            )
            lanes = out.let(f"add <{LANES} x i64> {lanes}, <{_IOTA}>", inner)
            self.mask = out.let(f"icmp ult <{LANES} x i64> {lanes}, splat (i64 {self.length})", inner)
        for node in group.nodes:
            self._node(node)
        self._nest(self._results({}))

    def _results(self, before: dict[int, str]) -> Carried:
        """Write what becomes of the nodes; `before` has the accumulators, if not those of the loop."""
        for store in self.interleaved.store(self.group.stores, LANES):
            self._store(store)
        carried = self._carried(before)
        for accumulation in self.group.accumulations:
            if not accumulation.over >> self.last & 1:
                self._accumulate(accumulation)
        return carried

    @staticmethod
    def type_of(kind: str) -> str:
        """Return a type of the IR."""
        return TYPES[kind]

    @staticmethod
    def one(kind: str) -> str:
        """Write the number that stands for elements that are not there."""
        return literal(1, kind)

    # --- nodes -----------------------------------------------------------------------------------

    def depth(self, node: Node) -> int:
        """Return how many loops stand around a node."""
        return node.axes.bit_length() if node.group is self.group else 0

    def is_vector(self, node: Node) -> bool:
        """Tell whether a node changes from lane to lane."""
        return self.depth(node) == self.last + 1

    def _node(self, node: Node) -> None:
        depth = self.depth(node)
        lines = self.by_depth[depth]
        if node.op == "load":
            node.text = self._load(node, lines)
        elif depth == self.last + 1:
            node.text = self.out.operation(node, [self.as_vector(a) for a in node.args], LANES, lines)
        else:
            node.text = self.out.operation(node, [self.out.scalar(a) for a in node.args], 1, lines)

    def as_vector(self, node: Node) -> str:
        """Return a number as a vector."""
        if node.op == "constant":
            return f"splat ({TYPES[node.kind]} {literal(node.detail, node.kind)})"
        if self.is_vector(node):
            return str(node.text)
        found = self.splats.get(id(node))
        if found is None:
            found = self.splats[id(node)] = self._splat(self.out.scalar(node), node.kind, self.depth(node))
        return found

    def _splat(self, x: str, kind: str, depth: int) -> str:
        lines, shown = self.by_depth[depth], vector(kind)
        one = self.out.let(f"insertelement {shown} poison, {TYPES[kind]} {x}, i32 0", lines)
        return self.out.let(
            f"shufflevector {shown} {one}, {shown} poison, <{LANES} x i32> zeroinitializer", lines
        )

    # --- memory ----------------------------------------------------------------------------------

    def _row(self, memory: Memory, offset: int, strides: Sequence[int]) -> str:
        """Return where the elements of a row begin: what of an address the inner loop does not change."""
        key = (id(memory.base), memory.offset + offset, tuple(strides[:-1]))
        found = self.rows.get(key)
        if found is None:
            depth = 0
            for axis, stride in enumerate(strides[:-1]):
                if stride and self.group.space[axis] > 1:
                    depth = axis + 1
            lines = self.by_depth[depth]
            base = self.out.pointer(memory.base)
            found = self.out.let(f"getelementptr i8, ptr {base}, i64 {memory.offset + offset}", lines)
            for axis, stride in enumerate(strides[:-1]):
                if stride and self.group.space[axis] > 1:
                    by = self.out.let(f"mul i64 {self.index[axis]}, {stride}", lines)
                    found = self.out.let(f"getelementptr i8, ptr {found}, i64 {by}", lines)
            self.rows[key] = found
        return found

    def _load(self, node: Node, lines: list[str]) -> str:
        memory, offset, strides = node.detail
        row, out, kind = self._row(memory, offset, strides), self.out, node.kind
        if not self.is_vector(node):
            return out.from_memory(out.let(f"load {IN_MEMORY[kind]}, ptr {row}", lines), kind, lines)
        shown, size = vector(kind, IN_MEMORY), BYTES[kind]
        suffix = f"v{LANES}{SUFFIX[kind]}"
        filler = f"splat ({IN_MEMORY[kind]} {literal(1, kind) if kind != 'i1' else 0})"
        truth = vector("i1")
        if strides[-1] == size:
            at = out.let(f"getelementptr {IN_MEMORY[kind]}, ptr {row}, i64 {self.index[-1]}", lines)
            if self.mask is None:
                loaded = out.let(f"load {shown}, ptr {at}, align {size}", lines)
            else:
                out.declare(f"declare {shown} @llvm.masked.load.{suffix}.p0(ptr, i32, {truth}, {shown})")
                loaded = out.let(
                    f"call {shown} @llvm.masked.load.{suffix}.p0(ptr {at}, i32 {size}, {truth} {self.mask}, "
                    f"{shown} {filler})",
                    lines,
                )
        else:
            component = self.interleaved.load(memory, offset, strides, LANES)
            if component is not None:
                return component
            at = self._scattered(row, strides[-1], lines)
            mask = self.mask or "splat (i1 true)"
            out.declare(
                f"declare {shown} @llvm.masked.gather.{suffix}.v{LANES}p0(<{LANES} x ptr>, i32, {truth}, {shown})"
            )
            loaded = out.let(
                f"call {shown} @llvm.masked.gather.{suffix}.v{LANES}p0(<{LANES} x ptr> {at}, i32 {size}, "
                f"{truth} {mask}, {shown} {filler})",
                lines,
            )
        if kind != "i1":
            return loaded
        return out.let(f"icmp ne {shown} {loaded}, zeroinitializer", lines)

    def _scattered(self, row: str, stride: int, lines: list[str]) -> str:
        """Return the addresses of elements that do not lie side by side."""
        out = self.out
        by = out.let(f"mul i64 {self.index[-1]}, {stride}", lines)
        first = out.let(f"getelementptr i8, ptr {row}, i64 {by}", lines)
        offsets = ", ".join(f"i64 {n * stride}" for n in range(LANES))
        return out.let(f"getelementptr i8, ptr {first}, <{LANES} x i64> <{offsets}>", lines)

    def _store(self, store: Store) -> None:
        lines = self.by_depth[-1]
        row = self._row(store.memory, store.offset, store.strides)
        self._put(self.as_vector(store.node), store.node.kind, row, store.strides[-1], lines)

    def _put(self, x: str, kind: str, row: str, stride: int, lines: list[str]) -> None:
        out, shown, size = self.out, vector(kind, IN_MEMORY), BYTES[kind]
        suffix, truth = f"v{LANES}{SUFFIX[kind]}", vector("i1")
        if kind == "i1":
            x = out.let(f"zext {truth} {x} to {shown}", lines)
        if stride == size:
            at = out.let(f"getelementptr {IN_MEMORY[kind]}, ptr {row}, i64 {self.index[-1]}", lines)
            if self.mask is None:
                lines.append(f"  store {shown} {x}, ptr {at}, align {size}")
                return
            out.declare(f"declare void @llvm.masked.store.{suffix}.p0({shown}, ptr, i32, {truth})")
            lines.append(
                f"  call void @llvm.masked.store.{suffix}.p0({shown} {x}, ptr {at}, i32 {size}, {truth} {self.mask})"
            )
            return
        scattered = self._scattered(row, stride, lines)
        mask = self.mask or "splat (i1 true)"
        out.declare(
            f"declare void @llvm.masked.scatter.{suffix}.v{LANES}p0({shown}, <{LANES} x ptr>, i32, {truth})"
        )
        lines.append(
            f"  call void @llvm.masked.scatter.{suffix}.v{LANES}p0({shown} {x}, <{LANES} x ptr> {scattered}, "
            f"i32 {size}, {truth} {mask})"
        )

    # --- reductions ------------------------------------------------------------------------------

    def _carried(self, before: dict[int, str]) -> Carried:
        """Write the steps of what is reduced over the inner loop; return (what, accumulator, its next value)."""
        found: Carried = []
        out, lines = self.out, self.by_depth[-1]
        over_lanes = [a for a in self.group.accumulations if a.over >> self.last & 1]
        carried: list[Reduction | Accumulation] = [*self.group.reductions, *over_lanes]
        for one in carried:
            name = before.get(id(one)) or out.name()
            kind = one.node.kind
            following = out.combine(one.name, kind, name, self.as_vector(one.node), LANES, lines)
            if self.mask is not None:
                shown = vector(kind)
                following = out.let(
                    f"select {vector('i1')} {self.mask}, {shown} {following}, {shown} {name}", lines
                )
            found.append((one, name, following))
        return found

    def _accumulate(self, one: Accumulation) -> None:
        """Add to a row of memory, element by element."""
        out, kind, lines = self.out, one.node.kind, self.by_depth[-1]
        load = Node("load", kind, (), (one.memory, one.offset, one.strides), self._all_axes(), self.group)
        found = self._load(load, lines)
        following = out.combine(one.name, kind, found, self.as_vector(one.node), LANES, lines)
        row = self._row(one.memory, one.offset, one.strides)
        self._put(following, kind, row, one.strides[-1], lines)

    def _all_axes(self) -> int:
        return (1 << len(self.group.space)) - 1

    # --- loops -----------------------------------------------------------------------------------

    def _nest(self, carried: Carried) -> None:
        out, space = self.out, self.group.space
        outer = len(space) - 1
        for line in self.by_depth[0]:
            out.lines.append(line)
        heads: list[tuple[str, int]] = []
        for axis in range(outer):
            before = out.block
            head = f"{self.id}.h{axis}"
            out.put(f"br label %{head}")
            out.start(head)
            place = len(out.lines)
            heads.append((head, place))
            out.lines.append(
                f"  {self.index[axis]} = phi i64 [ 0, %{before} ], [ {self.index[axis]}.next, %LATCH{axis} ]"
            )
            out.lines += self.by_depth[axis + 1]
        full = self.length - self.rest if self.parted else self.length
        start, end = "0", str(full)
        if self.blocks > 1:
            before = out.block
            head = f"{self.id}.b"
            out.put(f"br label %{head}")
            out.start(head)
            blocks_at = len(out.lines)
            start = f"%{self.id}.from"
            out.put(f"{start} = phi i64 [ 0, %{before} ], [ {start}.next, %BLOCKS ]")
            out.put(f"{start}.next = add i64 {start}, {BLOCK}")
            cut = out.let(f"icmp ult i64 {start}.next, {self.length}")
            end = out.let(f"select i1 {cut}, i64 {start}.next, i64 {full}")
        self._inner(carried, start, end)
        if self.parted:
            carried = self._rest(carried, cut if self.blocks > 1 else None)
        for one, _, following in carried:
            self._flush(one, out.horizontal(one.name, one.node.kind, following), start)
        if self.blocks > 1:
            after = f"{self.id}.be"
            out.put(f"br i1 {cut}, label %{head}, label %{after}")
            out.lines[blocks_at] = out.lines[blocks_at].replace("%BLOCKS", f"%{out.block}")
            out.start(after)
        for axis in reversed(range(outer)):
            head, at = heads[axis]
            i = self.index[axis]
            out.put(f"{i}.next = add i64 {i}, 1")
            more = out.let(f"icmp ult i64 {i}.next, {space[axis]}")
            after = f"{self.id}.e{axis}"
            out.put(f"br i1 {more}, label %{head}, label %{after}")
            out.lines[at] = out.lines[at].replace(f"%LATCH{axis}", f"%{out.block}")
            out.start(after)
        for reduction in self.group.reductions:
            self._finish(reduction)

    def _inner(self, carried: Carried, start: str, end: str) -> None:
        out, i = self.out, self.index[-1]
        before, loop, after = out.block, f"{self.id}.inner", f"{self.id}.after"
        out.put(f"br label %{loop}")
        out.start(loop)
        out.put(f"{i} = phi i64 [ {start}, %{before} ], [ {i}.next, %{loop} ]")
        for one, name, following in carried:
            identity = literal(IDENTITY[one.name][one.node.kind], one.node.kind)
            splat = f"splat ({TYPES[one.node.kind]} {identity})"
            out.put(f"{name} = phi {vector(one.node.kind)} [ {splat}, %{before} ], [ {following}, %{loop} ]")
        out.lines += self.by_depth[-1]
        out.put(f"{i}.next = add i64 {i}, {LANES}")
        more = out.let(f"icmp ult i64 {i}.next, {end}")
        out.put(f"br i1 {more}, label %{loop}, label %{after}")
        out.start(after)

    def _rest(self, carried: Carried, more: str | None) -> Carried:
        """Write what is left after full vectors; after the last block, if there are `more`."""
        out, before = self.out, self.out.block
        self.by_depth[-1] = []
        self.interleaved = Interleaved(self)
        self.index[-1] = str(self.length - self.rest)
        self.mask = f"<{', '.join(f'i1 {str(n < self.rest).lower()}' for n in range(LANES))}>"
        for node in self.group.nodes:
            if self.is_vector(node):
                self._node(node)
        found = self._results({id(one): following for one, _, following in carried})
        if more is None:
            out.lines += self.by_depth[-1]
            return found
        rest, after = f"{self.id}.rest", f"{self.id}.all"
        out.put(f"br i1 {more}, label %{after}, label %{rest}")
        out.start(rest)
        out.lines += self.by_depth[-1]
        out.put(f"br label %{after}")
        out.start(after)
        joined: Carried = []
        for one, name, following in found:
            x = out.let(f"phi {vector(one.node.kind)} [ {name}, %{before} ], [ {following}, %{rest} ]")
            joined.append((one, name, x))
        return joined

    def _flush(self, one: Reduction | Accumulation, x: str, start: str) -> None:
        """Put away what an inner loop has been reduced to."""
        out, kind = self.out, one.node.kind
        if isinstance(one, Accumulation):
            at = self._address(one)
            if self.blocks > 1 or one.over != 1 << self.last:
                loaded = out.from_memory(out.let(f"load {IN_MEMORY[kind]}, ptr {at}"), kind)
                x = out.combine(one.name, kind, loaded, x, 1, out.lines)
            out.put(f"store {out.to_memory(x, kind)}, ptr {at}")
            return
        if parts(self.group) == 1:
            one.result.text = x
            return
        row = "0"
        for axis, length in enumerate(self.group.space[:-1]):
            row = out.let(f"mul i64 {row}, {length}")
            row = out.let(f"add i64 {row}, {self.index[axis]}")
        row = out.let(f"mul i64 {row}, {self.blocks}")
        block = out.let(f"lshr i64 {start}, {BLOCK.bit_length() - 1}")
        row = out.let(f"add i64 {row}, {block}")
        at = out.let(f"getelementptr {IN_MEMORY[kind]}, ptr {out.pointer(one.result.detail)}, i64 {row}")
        out.put(f"store {out.to_memory(x, kind)}, ptr {at}")

    def _address(self, one: Accumulation) -> str:
        out = self.out
        at = out.let(
            f"getelementptr i8, ptr {out.pointer(one.memory.base)}, i64 {one.memory.offset + one.offset}"
        )
        for axis, stride in enumerate(one.strides[:-1]):
            if stride:
                by = out.let(f"mul i64 {self.index[axis]}, {stride}")
                at = out.let(f"getelementptr i8, ptr {at}, i64 {by}")
        return at

    def _finish(self, one: Reduction) -> None:
        """Combine the blocks' numbers, pairwise."""
        if parts(self.group) == 1:
            return
        out, kind = self.out, one.node.kind
        shown = IN_MEMORY[kind]
        name = f"fd.pairwise.{one.name}.{kind}"
        out.declare(PAIRWISE + name)
        x = out.let(f"call {shown} @{name}(ptr {out.pointer(one.result.detail)}, i64 {parts(self.group)})")
        one.result.text = out.from_memory(x, kind)


def parts(group: Group) -> int:
    """Return how many numbers a reduction over a space leaves to be combined."""
    return -(-group.space[-1] // BLOCK) * math.prod(group.space[:-1]) if group.space else 1
