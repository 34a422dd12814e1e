"""The elements of a group's nodes, a vector at a time: what is computed, loaded and stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from funcdiff.jit.native.engine import LANES
from funcdiff.jit.native.interleaved import Interleaved
from funcdiff.jit.native.nodes import BYTES, Accumulation, Group, Memory, Node, Scatter, Store
from funcdiff.jit.native.operations import IN_MEMORY, SUFFIX, TYPES, Lines, literal, vector


class Vectors:
    """Writes the nodes of one group.

    Code is collected by depth: what changes along no axis stands before the loops, and so on inwards.  What changes
    along the last axis is written for the vector at `index[-1]`, of whose lanes those in `mask` are elements.
    """

    def __init__(self, out: Lines, group: Group) -> None:
        self.out = out
        self.group = group
        self.last = len(group.space) - 1
        self.length = group.space[-1]
        self.by_depth: list[list[str]] = [[] for _ in range(len(group.space) + 1)]
        self.splats: dict[int, str] = {}
        self.rows: dict[Any, str] = {}
        self.id = out.label("loop")
        self.index = [f"%{self.id}.i{n}" for n in range(len(group.space))]
        self.mask: str | None = None
        self.interleaved = Interleaved(self)

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

    def node(self, node: Node) -> None:
        """Write a node."""
        depth = self.depth(node)
        lines = self.by_depth[depth]
        if node.op == "load":
            node.text = self._load(node, lines)
        elif node.op == "fetch":
            node.text = self._fetch(node, lines)
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
            found = self.out.shifted(base, memory.offset + offset, lines)
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
        component = None
        if strides[-1] != BYTES[kind]:
            component = self.interleaved.load(memory, offset, strides, LANES)
        if component is not None:
            return component
        loaded = self._vector_at(row, strides[-1], kind, lines)
        if kind != "i1":
            return loaded
        return out.let(f"icmp ne {vector(kind, IN_MEMORY)} {loaded}, zeroinitializer", lines)

    def _vector_at(self, row: str, stride: int, kind: str, lines: list[str]) -> str:
        """Read elements of a row, as they stand in memory."""
        out, shown, size = self.out, vector(kind, IN_MEMORY), BYTES[kind]
        if stride != size:
            return self._gather(self._scattered(row, stride, lines), kind, lines)
        at = out.shifted(row, self.index[-1], lines, IN_MEMORY[kind])
        if self.mask is None:
            return out.let(f"load {shown}, ptr {at}, align {size}", lines)
        called, truth = f"llvm.masked.load.v{LANES}{SUFFIX[kind]}.p0", vector("i1")
        out.declare(f"declare {shown} @{called}(ptr, i32, {truth}, {shown})")
        return out.let(
            f"call {shown} @{called}(ptr {at}, i32 {size}, {truth} {self.mask}, {shown} {self._filler(kind)})",
            lines,
        )

    def _gather(self, places: str, kind: str, lines: list[str]) -> str:
        """Read elements at addresses, as they stand in memory."""
        out, shown, truth = self.out, vector(kind, IN_MEMORY), vector("i1")
        called = f"llvm.masked.gather.v{LANES}{SUFFIX[kind]}.v{LANES}p0"
        out.declare(f"declare {shown} @{called}(<{LANES} x ptr>, i32, {truth}, {shown})")
        return out.let(
            f"call {shown} @{called}(<{LANES} x ptr> {places}, i32 {BYTES[kind]}, "
            f"{truth} {self.mask or 'splat (i1 true)'}, {shown} {self._filler(kind)})",
            lines,
        )

    @staticmethod
    def _filler(kind: str) -> str:
        return f"splat ({IN_MEMORY[kind]} {literal(1, kind) if kind != 'i1' else 0})"

    def _fetch(self, node: Node, lines: list[str]) -> str:
        """Read what stands at an offset that is computed."""
        memory, offset, strides = node.detail
        (at,) = node.args
        out, kind = self.out, node.kind
        if self.is_vector(node) and not self.is_vector(at) and strides[-1] != BYTES[kind]:
            component = self.interleaved.load(memory, offset, strides, LANES, at)
            if component is not None:
                return component
        row = self._row(memory, offset, strides)
        if not self.is_vector(at):
            row = out.let(f"getelementptr i8, ptr {row}, i64 {out.scalar(at)}", lines)
            if not self.is_vector(node):
                return out.from_memory(out.let(f"load {IN_MEMORY[kind]}, ptr {row}", lines), kind, lines)
            found = self._vector_at(row, strides[-1], kind, lines)
        else:
            first = row if not strides[-1] else self._scattered(row, strides[-1], lines)
            of = "ptr" if not strides[-1] else f"<{LANES} x ptr>"
            places = out.let(f"getelementptr i8, {of} {first}, <{LANES} x i64> {at.text}", lines)
            found = self._gather(places, kind, lines)
        return (
            found
            if kind != "i1"
            else out.let(f"icmp ne {vector(kind, IN_MEMORY)} {found}, zeroinitializer", lines)
        )

    def scatter(self, one: Scatter) -> None:
        """Write at offsets that are computed, or add to what stands there, a lane after the other."""
        out, lines, kind = self.out, self.by_depth[-1], one.node.kind
        row = self._row(one.memory, one.offset, one.strides)
        x = self.as_vector(one.node)
        if not self.is_vector(one.at) and one.strides[-1]:
            row = out.let(f"getelementptr i8, ptr {row}, i64 {out.scalar(one.at)}", lines)
            if one.adds:
                old = self._vector_at(row, one.strides[-1], kind, lines)
                x = out.combine("sum", kind, old, x, LANES, lines)
            self._put(x, kind, row, one.strides[-1], lines)
            return
        at = self.as_vector(one.at)
        if one.strides[-1]:
            by = ", ".join(f"i64 {n * one.strides[-1]}" for n in range(LANES))
            first = out.let(f"mul i64 {self.index[-1]}, {one.strides[-1]}", lines)
            row = out.let(f"getelementptr i8, ptr {row}, i64 {first}", lines)
            at = out.let(f"add <{LANES} x i64> {at}, <{by}>", lines)
        lanes = self.mask.count("true") if self.mask else LANES
        for lane in range(lanes):
            offset = out.let(f"extractelement <{LANES} x i64> {at}, i32 {lane}", lines)
            to = out.let(f"getelementptr i8, ptr {row}, i64 {offset}", lines)
            new = out.let(f"extractelement {vector(kind)} {x}, i32 {lane}", lines)
            if one.adds:
                new = out.combine("sum", kind, out.let(f"load {TYPES[kind]}, ptr {to}", lines), new, 1, lines)
            lines.append(f"  store {TYPES[kind]} {new}, ptr {to}")

    def _scattered(self, row: str, stride: int, lines: list[str]) -> str:
        """Return the addresses of elements that do not lie side by side."""
        out = self.out
        by = out.let(f"mul i64 {self.index[-1]}, {stride}", lines)
        first = out.let(f"getelementptr i8, ptr {row}, i64 {by}", lines)
        offsets = ", ".join(f"i64 {n * stride}" for n in range(LANES))
        return out.let(f"getelementptr i8, ptr {first}, <{LANES} x i64> <{offsets}>", lines)

    def store(self, store: Store) -> None:
        """Write what a store puts into memory."""
        lines = self.by_depth[-1]
        row = self._row(store.memory, store.offset, store.strides)
        self._put(self.as_vector(store.node), store.node.kind, row, store.strides[-1], lines)

    def _put(self, x: str, kind: str, row: str, stride: int, lines: list[str]) -> None:
        out, shown, size = self.out, vector(kind, IN_MEMORY), BYTES[kind]
        suffix, truth = f"v{LANES}{SUFFIX[kind]}", vector("i1")
        if kind == "i1":
            x = out.let(f"zext {truth} {x} to {shown}", lines)
        if stride == size:
            at = out.shifted(row, self.index[-1], lines, IN_MEMORY[kind])
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

    def accumulate(self, one: Accumulation) -> None:
        """Add to a row of memory, element by element."""
        out, kind, lines = self.out, one.node.kind, self.by_depth[-1]
        load = Node("load", kind, (), (one.memory, one.offset, one.strides), self._all_axes(), self.group)
        found = self._load(load, lines)
        following = out.combine(one.name, kind, found, self.as_vector(one.node), LANES, lines)
        row = self._row(one.memory, one.offset, one.strides)
        self._put(following, kind, row, one.strides[-1], lines)

    def _all_axes(self) -> int:
        return (1 << len(self.group.space)) - 1
