"""Components that lie side by side in memory: read and written whole, and parted or joined in registers.

An array of three numbers per example is read as a stretch of 24, of which the components are every third: a few
shuffles, where gathering takes eight loads for each component.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from funcdiff.jit.native.nodes import BYTES, Base, Memory, Node, Store

if TYPE_CHECKING:
    from funcdiff.jit.native.vectors import Vectors

MOST = 8  # components that are parted, or joined, as one stretch
MANY = 64  # and those that are written in pieces of rows


def _is_multiple(node: Node, of: int) -> bool:
    """Tell whether a number is sure to be a multiple of another."""
    if node.op == "constant":
        return bool(node.detail % of == 0)
    if node.op == "mul":
        return any(_is_multiple(a, of) for a in node.args)
    return node.op == "add" and all(_is_multiple(a, of) for a in node.args)


class Interleaved:
    """What one loop reads and writes in stretches; the masks and loads that it has made."""

    def __init__(self, loops: Vectors) -> None:
        self.loops = loops
        self.wide: dict[Any, str] = {}
        self.masks: dict[int, str] = {}

    def load(
        self, memory: Memory, offset: int, strides: Sequence[int], lanes: int, moved: Node | None = None
    ) -> str | None:
        """Return a component as a vector; None if its memory is not of this kind.

        It may be moved by as many bytes as a number says that the inner loop does not change.
        """
        place = self._place(memory, offset, strides)
        if place is None:
            return None
        if moved is not None and not (
            _is_multiple(moved, strides[-1]) and memory.base.size % strides[-1] == 0
        ):
            return None
        start, count, component = place
        of, out, lines = memory.kind, self.loops.out, self.loops.by_depth[-1]
        shown = f"<{lanes * count} x {self.loops.type_of(of)}>"
        key = (id(memory.base), start, count, None if moved is None else id(moved))
        wide = self.wide.get(key)
        if wide is None:
            at = self._address(memory.base, start, count, of)
            if moved is not None:
                at = out.let(f"getelementptr i8, ptr {at}, i64 {out.scalar(moved)}", lines)
            mask = self._mask(count, lanes)
            if mask is None:
                wide = out.let(f"load {shown}, ptr {at}, align {BYTES[of]}", lines)
            else:
                called, truth = f"llvm.masked.load.v{lanes * count}{of}.p0", f"<{lanes * count} x i1>"
                out.declare(f"declare {shown} @{called}(ptr, i32, {truth}, {shown})")
                one = f"splat ({self.loops.type_of(of)} {self.loops.one(of)})"
                wide = out.let(
                    f"call {shown} @{called}(ptr {at}, i32 {BYTES[of]}, {truth} {mask}, {shown} {one})", lines
                )
            self.wide[key] = wide
        chosen = ", ".join(f"i32 {component + lane * count}" for lane in range(lanes))
        return out.let(f"shufflevector {shown} {wide}, {shown} poison, <{lanes} x i32> <{chosen}>", lines)

    def store(self, stores: Sequence[Store], lanes: int) -> list[Store]:
        """Write what fills stretches; return the other stores."""
        families: dict[Any, dict[int, Store]] = {}
        rest: list[Store] = []
        for one in stores:
            place = self._place(one.memory, one.offset, one.strides, MANY)
            if place is None:
                rest.append(one)
            else:
                families.setdefault((id(one.memory.base), *place[:2]), {})[place[2]] = one
        for (_, start, count), family in families.items():
            if len(family) == count <= MOST:
                self._join([family[n] for n in range(count)], start, lanes)
            elif len(family) == count and (self.loops.mask or "<").startswith("<"):
                self._rows([family[n] for n in range(count)], start, lanes)
            else:
                rest += family.values()
        return rest

    def _place(
        self, memory: Memory, offset: int, strides: Sequence[int], most: int = MOST
    ) -> tuple[int, int, int] | None:
        """Return (start of the stretches, how many components, which of them); None if there are none."""
        size = BYTES[memory.kind]
        stride = strides[-1]
        if (
            memory.kind == "i1"
            or any(strides[:-1])
            or stride <= size
            or stride % size
            or stride > most * size
        ):
            return None
        at = memory.offset + offset
        start = at - at % stride
        if at % size or start + self.loops.length * stride > memory.base.size:
            return None
        return start, stride // size, (at - start) // size

    def _address(self, base: Base, start: int, count: int, of: str) -> str:
        out, lines = self.loops.out, self.loops.by_depth[-1]
        rows, key = self.loops.rows, (id(base), start)
        first = rows.get(key)
        if first is None:
            first = rows[key] = out.shifted(out.pointer(base), start, self.loops.by_depth[0])
        i = out.let(f"mul i64 {self.loops.index[-1]}, {count}", lines)
        return out.let(f"getelementptr {self.loops.type_of(of)}, ptr {first}, i64 {i}", lines)

    def _mask(self, count: int, lanes: int) -> str | None:
        """Return which elements of a stretch there are; None if all."""
        if self.loops.mask is None:
            return None
        found = self.masks.get(count)
        if found is None:
            out, lines, width = self.loops.out, self.loops.by_depth[-1], lanes * count
            repeated = ", ".join(f"i32 {n // count}" for n in range(width))
            found = self.masks[count] = out.let(
                f"shufflevector <{lanes} x i1> {self.loops.mask}, <{lanes} x i1> poison, <{width} x i32> <{repeated}>",
                lines,
            )
        return found

    def _join(self, family: Sequence[Store], start: int, lanes: int) -> None:
        out, lines = self.loops.out, self.loops.by_depth[-1]
        of, count = family[0].memory.kind, len(family)
        scalar = self.loops.type_of(of)
        parts = [self.loops.as_vector(one.node) for one in family]
        width = 1
        while (
            len(parts) > 1
        ):  # side by side first, with lanes of no meaning where the count is no power of two
            if len(parts) % 2:
                parts.append("poison")
            shown = f"<{lanes * width} x {scalar}>"
            both = ", ".join(f"i32 {n}" for n in range(2 * lanes * width))
            parts = [
                out.let(
                    f"shufflevector {shown} {a}, {shown} {b}, <{2 * lanes * width} x i32> <{both}>", lines
                )
                for a, b in zip(parts[::2], parts[1::2], strict=True)
            ]
            width *= 2
        given, shown = f"<{lanes * width} x {scalar}>", f"<{lanes * count} x {scalar}>"
        order = ", ".join(
            f"i32 {component * lanes + lane}" for lane in range(lanes) for component in range(count)
        )
        x = out.let(
            f"shufflevector {given} {parts[0]}, {given} poison, <{lanes * count} x i32> <{order}>", lines
        )
        at = self._address(family[0].memory.base, start, count, of)
        mask = self._mask(count, lanes)
        if mask is None:
            lines.append(f"  store {shown} {x}, ptr {at}, align {BYTES[of]}")
            return
        called, truth = f"llvm.masked.store.v{lanes * count}{of}.p0", f"<{lanes * count} x i1>"
        out.declare(f"declare void @{called}({shown}, ptr, i32, {truth})")
        lines.append(f"  call void @{called}({shown} {x}, ptr {at}, i32 {BYTES[of]}, {truth} {mask})")

    def _rows(self, family: Sequence[Store], start: int, lanes: int) -> None:
        """Write many components, as many as lanes at a time: transposed in registers they are pieces of rows."""
        out, lines = self.loops.out, self.loops.by_depth[-1]
        of, count = family[0].memory.kind, len(family)
        shown = f"<{lanes} x {self.loops.type_of(of)}>"
        parts = [self.loops.as_vector(one.node) for one in family]
        first = self._address(family[0].memory.base, start, count, of)
        rows = self.loops.mask.count("true") if self.loops.mask else lanes
        for at in (
            *range(0, count - lanes, lanes),
            count - lanes,
        ):  # the last may write some for a second time
            for row, x in enumerate(self._transposed(parts[at : at + lanes], shown)[:rows]):
                n = row * count + at
                to = out.let(f"getelementptr {self.loops.type_of(of)}, ptr {first}, i64 {n}", lines)
                lines.append(f"  store {shown} {x}, ptr {to}, align {BYTES[of]}")

    def _transposed(self, xs: Sequence[str], shown: str) -> list[str]:
        """Return the rows of a square whose columns are given: halves change places, then quarters, and so on."""
        lanes, found = len(xs), list(xs)
        width = lanes // 2
        while width:
            low = [n // (2 * width) * 2 * width + n % width for n in range(lanes)]
            chosen = [n % (2 * width) // width * lanes for n in range(lanes)]
            following = list(found)
            for n in range(lanes):
                if n & width:
                    continue
                a, b = found[n], found[n | width]
                for half, to in ((0, n), (width, n | width)):
                    order = ", ".join(f"i32 {i + half + c}" for i, c in zip(low, chosen, strict=True))
                    following[to] = self.loops.out.let(
                        f"shufflevector {shown} {a}, {shown} {b}, <{lanes} x i32> <{order}>",
                        self.loops.by_depth[-1],
                    )
            found, width = following, width // 2
        return found
