"""The loop nest of a group, as IR on vectors."""

from __future__ import annotations

import math

from funcdiff.jit.native.engine import LANES
from funcdiff.jit.native.inlining import LONG, ROOM
from funcdiff.jit.native.interleaved import Interleaved
from funcdiff.jit.native.nodes import Accumulation, Group, Reduction
from funcdiff.jit.native.operations import IDENTITY, IN_MEMORY, TYPES, Lines, literal, vector
from funcdiff.jit.native.pairwise import PAIRWISE
from funcdiff.jit.native.vectors import Vectors

BLOCK = 1024  # elements whose sum is one number of the pairwise sum; does not depend on the machine
SMALL = 100  # nodes up to which the last elements of a row have code of their own
TINY = 24  # and those up to which they have in short rows, too
LIGHT = 12  # nodes up to which several vectors are reduced side by side, so that none waits for the last
SIDE_BY_SIDE = 4
Reduced = Reduction | Accumulation
_IOTA = ", ".join(f"i64 {n}" for n in range(LANES))


class Loops(Vectors):
    """Writes the loop nest of one group."""

    def __init__(self, out: Lines, group: Group) -> None:
        super().__init__(out, group)
        self.inner = [n for n in group.nodes if self.is_vector(n)]
        self.carried: list[Reduced] = [
            *group.reductions,
            *(a for a in group.accumulations if a.over >> self.last & 1),
        ]
        self.blocks = -(-self.length // BLOCK) if self.carried else 1

    def emit(self) -> None:
        """Write the nest."""
        group = self.group
        if not group.size:
            for reduction in group.reductions:
                identity = IDENTITY[reduction.name][reduction.node.kind]
                reduction.result.text = literal(identity, reduction.node.kind)
            return
        self.nest()
        for reduction in group.reductions:
            self._finish(reduction)

    def nest(self) -> None:
        """Write the loops."""
        out, group = self.out, self.group
        for node in group.nodes:
            if not self.is_vector(node):
                self.node(node)
        # the inner loops first, as they say what has to stand before them
        before, lines, outer = out.block, out.lines, len(group.space) - 1
        out.lines = []
        if outer:
            out.block = f"{self.id}.h{outer - 1}"
        self.row()
        inner, after = out.lines, out.block
        out.lines, out.block = lines, before
        self._around(inner, after)

    def row(self) -> None:
        """Write the loops over the last axis."""
        if self.is_parted():
            self._stretches()
        else:
            self._masked()

    def is_parted(self) -> bool:
        """Tell whether full vectors have a loop without masks, and what is left after them code of its own."""
        if self.group.scatters or self.length % (LANES if self.blocks == 1 else BLOCK) == 0:
            return True
        return len(self.inner) <= (SMALL if self.length >= 4 * LANES else TINY)

    def _may_overlap(self) -> bool:
        """Tell whether the last vector may end with the row, and do again what the one before it has done."""
        group = self.group
        if self.length < LANES or group.scatters or group.accumulations:
            return False
        if any(one.name not in ("max", "min") for one in self.carried):
            return False
        read = {n.detail[0].base.root.name for n in group.nodes if n.op in ("load", "fetch")}
        written = {s.memory.base.root for s in group.stores}
        return not any(base.name in read or base.owned or base.mutable for base in written)

    # --- outer loops -----------------------------------------------------------------------------

    def bounds(self, axis: int) -> tuple[str, str]:
        """Return where the loop over an outer axis starts and ends."""
        return "0", str(self.group.space[axis])

    def _around(self, inner: list[str], inside: str) -> None:
        """Write the loops around what stands inside of them, which ends in the block `inside`."""
        out = self.out
        outer = len(self.group.space) - 1
        out.lines += self.by_depth[0]
        heads: list[tuple[str, int]] = []
        for axis in range(outer):
            before = out.block
            head = f"{self.id}.h{axis}"
            out.put(f"br label %{head}")
            out.start(head)
            heads.append((head, len(out.lines)))
            out.lines.append(
                f"  {self.index[axis]} = phi i64 [ {self.bounds(axis)[0]}, %{before} ], "
                f"[ {self.index[axis]}.next, %LATCH{axis} ]"
            )
            out.lines += self.by_depth[axis + 1]
        out.lines += inner
        out.block = inside
        for axis in reversed(range(outer)):
            head, at = heads[axis]
            i = self.index[axis]
            out.put(f"{i}.next = add i64 {i}, 1")
            more = out.let(f"icmp ult i64 {i}.next, {self.bounds(axis)[1]}")
            after = f"{self.id}.e{axis}"
            out.put(f"br i1 {more}, label %{head}, label %{after}")
            out.lines[at] = out.lines[at].replace(f"%LATCH{axis}", f"%{out.block}")
            out.start(after)

    # --- rows ------------------------------------------------------------------------------------

    def _stretches(self) -> None:
        """Write a row in blocks, what is left of it with code of its own."""
        out = self.out
        full, left = divmod(self.length, BLOCK) if self.blocks > 1 else (0, self.length)
        if full == 1:
            self.flush(self.stretch("0", BLOCK), "0")
        elif full:
            before, head, after = out.block, f"{self.id}.b", f"{self.id}.be"
            out.put(f"br label %{head}")
            out.start(head)
            at = len(out.lines)
            start = f"%{self.id}.from"
            out.put(f"{start} = phi i64 [ 0, %{before} ], [ {start}.next, %BLOCKS ]")
            self.flush(self.stretch(start, BLOCK), start)
            out.put(f"{start}.next = add i64 {start}, {BLOCK}")
            more = out.let(f"icmp ult i64 {start}.next, {full * BLOCK}")
            out.put(f"br i1 {more}, label %{head}, label %{after}")
            out.lines[at] = out.lines[at].replace("%BLOCKS", f"%{out.block}")
            out.start(after)
        if left:
            self.flush(self.stretch(str(full * BLOCK), left), str(full * BLOCK))

    def stretch(self, start: str, count: int) -> dict[int, str]:
        """Write so many elements; return what they are reduced to."""
        vectors, rest = divmod(count, LANES)
        beside = SIDE_BY_SIDE if self.carried and self._is_light() else 1
        beside = max(1, min(beside, vectors))
        steps, more = divmod(vectors, beside)
        sums = [self.identities() for _ in range(beside)]
        if steps == 1:
            more += beside
        elif steps:
            step = beside * LANES
            sums = self.loop(start, self._plus(start, steps * step), step, sums)
        at = (vectors - more) * LANES
        for n in range(more):
            sums[n % beside] = self._vector(self._plus(start, at + n * LANES), sums[n % beside])
        if rest:
            self.mask = f"<{', '.join(f'i1 {str(n < rest).lower()}' for n in range(LANES))}>"
            sums[0] = self._vector(self._plus(start, vectors * LANES), sums[0])
            self.mask = None
        while len(sums) > 1:
            pairs = zip(sums[0::2], sums[1::2], strict=False)
            sums = [self._joined(a, b) for a, b in pairs] + sums[len(sums) // 2 * 2 :]
        return sums[0]

    def _is_light(self) -> bool:
        return len(self.inner) <= LIGHT and not any(n.op in ("call", "div", "sqrt") for n in self.inner)

    def _plus(self, start: str, count: int) -> str:
        if not count:
            return start
        return str(int(start) + count) if start.isdigit() else self.out.let(f"add i64 {start}, {count}")

    def identities(self) -> dict[int, str]:
        """Return with what reductions begin."""
        return {
            id(
                one
            ): f"splat ({TYPES[one.node.kind]} {literal(IDENTITY[one.name][one.node.kind], one.node.kind)})"
            for one in self.carried
        }

    def _joined(self, a: dict[int, str], b: dict[int, str]) -> dict[int, str]:
        out = self.out
        return {
            id(one): out.combine(one.name, one.node.kind, a[id(one)], b[id(one)], LANES, out.lines)
            for one in self.carried
        }

    def loop(self, start: str, end: str, step: int, given: list[dict[int, str]]) -> list[dict[int, str]]:
        """Write a loop over vectors, as many side by side as accumulators are given; return their last values."""
        out, before = self.out, self.out.block
        loop, after = out.label(f"{self.id}.inner"), out.label(f"{self.id}.after")
        i = f"%{loop}.i"
        out.put(f"br label %{loop}")
        out.start(loop)
        head = len(out.lines)
        names = [{key: out.name() for key in sums} for sums in given]
        index = i
        if self.length % LANES and step == LANES and not self.is_parted():
            if self._may_overlap():
                last = self.length - LANES
                index = out.let(f"call i64 @llvm.umin.i64(i64 {i}, i64 {last})")
                out.declare("declare i64 @llvm.umin.i64(i64, i64)")
            else:
                self.mask = self._lanes_before(i)
        out.room = ROOM if self.group.size >= LONG and len(self.inner) <= SMALL else 0
        found = [self._vector(self._plus(index, n * LANES), sums) for n, sums in enumerate(names)]
        out.room, self.mask = 0, None
        phis = [f"  {i} = phi i64 [ {start}, %{before} ], [ {i}.next, %{loop} ]"]
        for first, name, following in zip(given, names, found, strict=True):
            for one in self.carried:
                key = id(one)
                phis.append(
                    f"  {name[key]} = phi {vector(one.node.kind)} "
                    f"[ {first[key]}, %{before} ], [ {following[key]}, %{loop} ]"
                )
        out.lines[head:head] = phis
        out.put(f"{i}.next = add i64 {i}, {step}")
        more = out.let(f"icmp ult i64 {i}.next, {end}")
        out.put(f"br i1 {more}, label %{loop}, label %{after}")
        out.start(after)
        return found

    def _lanes_before(self, i: str) -> str:
        """Return which lanes of the vector at an index are elements of the row."""
        out = self.out
        lanes = out.let(f"insertelement <{LANES} x i64> poison, i64 {i}, i32 0")
        lanes = out.let(
            f"shufflevector <{LANES} x i64> {lanes}, <{LANES} x i64> poison, <{LANES} x i32> zeroinitializer"
        )
        lanes = out.let(f"add <{LANES} x i64> {lanes}, <{_IOTA}>")
        return out.let(f"icmp ult <{LANES} x i64> {lanes}, splat (i64 {self.length})")

    def _vector(self, index: str, sums: dict[int, str]) -> dict[int, str]:
        """Write all that is done to one vector; return the next values of what is reduced."""
        out = self.out
        self.index[-1], self.by_depth[-1], self.interleaved = index, out.lines, Interleaved(self)
        for node in self.inner:
            self.node(node)
        for store in self.interleaved.store(self.group.stores, LANES):
            self.store(store)
        found = {}
        for one in self.carried:
            kind, before = one.node.kind, sums[id(one)]
            following = out.combine(one.name, kind, before, self.as_vector(one.node), LANES, out.lines)
            if self.mask is not None:
                shown = vector(kind)
                following = out.let(
                    f"select {vector('i1')} {self.mask}, {shown} {following}, {shown} {before}"
                )
            found[id(one)] = following
        for accumulation in self.group.accumulations:
            if not accumulation.over >> self.last & 1:
                self.accumulate(accumulation)
        for scatter in self.group.scatters:
            self.scatter(scatter)
        return found

    def _masked(self) -> None:
        """Write a row as one loop in which the last vector is like the others, but for its mask."""
        out = self.out
        start, end = "0", str(self.length)
        if self.blocks > 1:
            before, head = out.block, f"{self.id}.b"
            out.put(f"br label %{head}")
            out.start(head)
            at = len(out.lines)
            start = f"%{self.id}.from"
            out.put(f"{start} = phi i64 [ 0, %{before} ], [ {start}.next, %BLOCKS ]")
            out.put(f"{start}.next = add i64 {start}, {BLOCK}")
            cut = out.let(f"icmp ult i64 {start}.next, {self.length}")
            end = out.let(f"select i1 {cut}, i64 {start}.next, i64 {self.length}")
        (found,) = self.loop(start, end, LANES, [self.identities()])
        self.flush(found, start)
        if self.blocks > 1:
            after = f"{self.id}.be"
            out.put(f"br i1 {cut}, label %{head}, label %{after}")
            out.lines[at] = out.lines[at].replace("%BLOCKS", f"%{out.block}")
            out.start(after)

    # --- what rows are reduced to ----------------------------------------------------------------

    def flush(self, found: dict[int, str], start: str) -> None:
        """Put away what a row, or a block of it, has been reduced to."""
        for one in self.carried:
            self._put_away(one, self.out.horizontal(one.name, one.node.kind, found[id(one)]), start)

    def _put_away(self, one: Reduced, x: str, start: str) -> None:
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
        at = out.shifted(out.pointer(one.memory.base), one.memory.offset + one.offset)
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
