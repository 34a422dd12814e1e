"""Large loop nests as functions of a range of one axis, whose parts `pool` shares among threads.

Parts are whole rows, or whole blocks of the last axis, so every element is computed as in the loop nest itself, and what
a block is reduced to stands where it would stand: no result depends on who computes what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from funcdiff.jit.native import pool
from funcdiff.jit.native.engine import LANES
from funcdiff.jit.native.loops import BLOCK, Loops
from funcdiff.jit.native.nodes import Base, Group, Node
from funcdiff.jit.native.operations import TYPES, Lines
from funcdiff.jit.native.overlaps import parted_axes

if TYPE_CHECKING:
    from funcdiff.jit.native.emit import Emitter

# In cheap operations on one number, which take 0.01 to 0.03 ns: handing a loop over takes 10 µs where no core is free.
WORTH = (
    1 << 22
)  # what a loop nest costs at least, 50 to 120 µs: 1e5 elements of Rosenbrock's function, 5e5 of a sum
LEAST = 1 << 20  # what a part of it costs
UNITS = 8  # into which the range of an axis can be parted at least
_COSTS = {"load": 4, "fetch": 12, "call": 24, "div": 8, "sqrt": 8}


def cost(group: Group) -> int:
    """Return about what a point of a group's space costs, in cheap operations."""
    nodes = sum(_COSTS.get(n.op, 1) for n in group.nodes)
    return nodes + 4 * len(group.stores) + 2 * len(group.reductions) + 8 * len(group.accumulations)


def is_large(group: Group) -> bool:
    """Tell whether a loop nest is worth several threads, if it can be parted."""
    return bool(group.space) and not group.scatters and cost(group) * group.size >= WORTH


def axis_for_threads(group: Group) -> int | None:
    """Return the axis along which a loop nest is parted among threads; None if it is not."""
    if not is_large(group):
        return None
    for axis in parted_axes(group):
        if units(group, axis) >= UNITS:
            return axis
    return None


def units(group: Group, axis: int) -> int:
    """Return into how many units the range of an axis can be parted."""
    length = group.space[axis]
    return -(-length // BLOCK) if axis == len(group.space) - 1 else length


class Threaded(Loops):
    """Writes the loop nest of one group as a function, and its call by the pool."""

    def __init__(self, out: Emitter, group: Group, axis: int) -> None:
        super().__init__(out, group)
        self.kernel, self.axis = out, axis

    def nest(self) -> None:
        """Write the function, and its call."""
        out, count = self.kernel, units(self.group, self.axis)
        part = _Part(f"{out.kernel}.{out.label('part')}", out, self.group)
        _PartLoops(part, self.group, self.axis).nest()
        out.parts.append(part.text())
        context = f"%{self.id}.context"
        out.contexts.append(f"  {context} = alloca [{max(len(part.given), 1)} x i64], align 8")
        for n, (text, (_, kind)) in enumerate(part.given.items()):
            at = out.let(f"getelementptr i64, ptr {context}, i64 {n}")
            out.put(f"store {kind} {text}, ptr {at}")
        out.symbols["fd.parallel"] = pool.address()
        out.declare("declare void @fd.parallel(ptr, ptr, i64, i64)")
        least = max(LEAST * count // max(cost(self.group) * self.group.size, 1), 1)
        out.put(f"call void @fd.parallel(ptr @{part.function}, ptr {context}, i64 {count}, i64 {least})")


class _Part(Lines):
    """Writes a function of a context and a range; what it is given of its kernel's values stands in the context."""

    def __init__(self, name: str, kernel: Emitter, group: Group) -> None:
        super().__init__()
        self.function = name
        self.declared, self.symbols = kernel.declared, kernel.symbols
        self.group = group
        self.given: dict[str, tuple[str, str]] = {}  # names here and types of the kernel's values

    def text(self) -> str:
        """Return the text."""
        loads = []
        for n, (name, kind) in enumerate(self.given.values()):
            loads.append(f"  {name}.at = getelementptr i64, ptr %context, i64 {n}")
            loads.append(f"  {name} = load {kind}, ptr {name}.at")
        head = f"define internal void @{self.function}(ptr noalias %context, i64 %low, i64 %high) {{\nentry:"
        return "\n".join([head, *loads, *self.lines, "  ret void\n}\n"])

    def pointer(self, base: Base) -> str:
        """Return the name of a pointer."""
        text = super().pointer(base)
        return text if text.startswith("@") else self._given(text, "ptr")

    def scalar(self, node: Node) -> str:
        """Return a number's text."""
        text = super().scalar(node)
        return (
            text if node.group is self.group or node.op == "constant" else self._given(text, TYPES[node.kind])
        )

    def _given(self, text: str, kind: str) -> str:
        if not text.startswith("%"):
            return text
        return self.given.setdefault(text, (f"%given{len(self.given)}", kind))[0]


class _PartLoops(Loops):
    """Writes the loop nest over a part of one axis."""

    def __init__(self, out: Lines, group: Group, axis: int) -> None:
        super().__init__(out, group)
        self.axis = axis

    def bounds(self, axis: int) -> tuple[str, str]:
        """Return where the loop over an outer axis starts and ends."""
        return ("%low", "%high") if axis == self.axis else super().bounds(axis)

    def row(self) -> None:
        """Write the loops over the last axis; over a part of it, if it is the one that is parted.

        Where the last vector of the row ends with it, it may do again what another part does, to the same numbers.
        """
        if self.axis != self.last:
            super().row()
            return
        out, step = self.out, BLOCK if self.carried else LANES
        whole = self.length - (self.length % step if self.is_parted() else 0)
        first, high = out.let(f"mul i64 %low, {BLOCK}"), out.let(f"mul i64 %high, {BLOCK}")
        end = out.let(f"call i64 @llvm.umin.i64(i64 {high}, i64 {whole})")
        out.declare("declare i64 @llvm.umin.i64(i64, i64)")
        after = self._if(f"icmp ult i64 {first}, {end}")
        if not self.carried:
            self.loop(first, end, LANES, [self.identities()])
        elif self.is_parted():
            self._blocks(first, end, lambda start: self.flush(self.stretch(start, BLOCK), start))
        else:
            self._blocks(first, end, lambda start: self._masked_block(start, end))
        self._end_if(after)
        if whole < self.length:
            after = self._if(f"icmp ugt i64 {high}, {whole}")
            self.flush(self.stretch(str(whole), self.length - whole), str(whole))
            self._end_if(after)

    def _blocks(self, first: str, end: str, write: Callable[[str], None]) -> None:
        """Write a loop over blocks."""
        out, before, head, after = self.out, self.out.block, f"{self.id}.b", f"{self.id}.be"
        start = f"%{self.id}.from"
        out.put(f"br label %{head}")
        out.start(head)
        at = len(out.lines)
        out.put(f"{start} = phi i64 [ {first}, %{before} ], [ {start}.next, %BLOCKS ]")
        out.put(f"{start}.next = add i64 {start}, {BLOCK}")
        write(start)
        more = out.let(f"icmp ult i64 {start}.next, {end}")
        out.put(f"br i1 {more}, label %{head}, label %{after}")
        out.lines[at] = out.lines[at].replace("%BLOCKS", f"%{out.block}")
        out.start(after)

    def _masked_block(self, start: str, end: str) -> None:
        """Write a block of which the last vector is like the others, but for its mask."""
        cut = self.out.let(f"call i64 @llvm.umin.i64(i64 {start}.next, i64 {end})")
        (found,) = self.loop(start, cut, LANES, [self.identities()])
        self.flush(found, start)

    def _if(self, condition: str) -> str:
        """Start what is done under a condition; return the label of what comes after it."""
        out, then, after = self.out, self.out.label("then"), self.out.label("after")
        out.put(f"br i1 {out.let(condition)}, label %{then}, label %{after}")
        out.start(then)
        return after

    def _end_if(self, after: str) -> None:
        self.out.put(f"br label %{after}")
        self.out.start(after)
