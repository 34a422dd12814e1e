"""The text of a loop's function: what stands before the steps, in them around the groups of the body, and after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Tape, bodies
from funcdiff.jit.native import stacks
from funcdiff.jit.native.arrays import Array
from funcdiff.jit.native.handlers import kind_of
from funcdiff.jit.native.invoked import Function
from funcdiff.jit.native.loop_body import BodyLowering
from funcdiff.jit.native.nodes import BYTES, Memory, Node
from funcdiff.jit.native.operations import TYPES, literal
from funcdiff.jit.native.plain_products import Weak
from funcdiff.transforms.loops.loop import Loop

_COPY = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"


@dataclass
class Numbers:
    """A small array that is carried: its elements are numbers."""

    type: ArrayType
    start: list[str]
    names: list[str]
    to: str = ""
    following: list[Node] | None = None


@dataclass
class Buffer:
    """A large array that is carried: where it is, and where the next one goes."""

    type: ArrayType
    name: str
    start: str = ""
    to: str = ""
    other: str = ""

    @property
    def following(self) -> str:
        """The name of the place where the next one goes."""
        return f"{self.name}.next"

    @property
    def size(self) -> int:
        """Bytes."""
        return self.type.size * BYTES[kind_of(self.type)]


@dataclass
class Owned:
    """A large array that steps write to in place; `other` is where one that is made anew goes first."""

    type: ArrayType
    to: str
    memory: Memory
    other: str = ""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.type.size * BYTES[kind_of(self.type)]


@dataclass
class Read:
    """What is stacked: where its elements are, and how far they are apart."""

    name: str
    start: str
    size: int
    offset: int = 0


@dataclass
class Written:
    """What is collected; `stack` is the pointer to the description of a stack."""

    name: str
    start: str
    size: int
    offset: int = 0
    stack: str = ""


def work_of(body: Tape) -> int:
    """Return how many numbers a step makes, about, at most as many as there are between two looks at signals."""
    total = 1
    for record in body.records:
        times = record.params.get("length", 1)
        inner = sum(work_of(b) for b in bodies(record).values()) * (
            stacks.UNKNOWN if times is None else times
        )
        total += inner + sum(v.type.size for v in record.outputs)
    return min(total, stacks.POLLED)


class LoopText:
    """Writes the function of one loop.

    Attributes
    ----------
    spec : Loop
        The params of the record.
    f, out : Function
        What gathers operands, and writes lines.
    body : BodyLowering
        What a step does.
    weak : Weak or None
        What is known of a body with ordinary products.
    watched : list of Node
        Numbers in which a NaN is looked for in every step.
    carried, read, written : list
        What is carried, stacked and collected.
    stacks : list of Array
        What is collected in stacks.
    going : Node
        Whether a step is taken, if a condition says so.
    steps, trips : str
        How many steps there are, and where their number goes.
    """

    going: Node

    def __init__(self, spec: Loop, f: Function, body: BodyLowering, weak: Weak | None) -> None:
        self.spec, self.f, self.body, self.weak = spec, f, body, weak
        self.out = f.out
        self.watched: list[Node] = []
        self.carried: list[Numbers | Buffer | Owned] = []
        self.read: list[Read] = []
        self.written: list[Written] = []
        self.stacks: list[Array] = []
        self.trips = "0"
        self.steps = ""

    def require(self, holds: str) -> None:
        """Leave to the slow path, which says what is wrong, unless something holds."""
        self.out.guards += 1
        label = self.out.label("holds")
        self.out.put(f"br i1 {holds}, label %{label}, label %guarded")
        self.out.start(label)

    def write(self, groups: list[Any]) -> None:
        """Write the function around the groups of the body, and of the condition."""
        out, spec = self.out, self.spec
        self._open_stacks()
        before = out.block
        out.put("br label %head")
        out.start("head")
        phis = len(out.lines)
        if spec.cond is not None:
            out.run(groups[1])
            going = out.scalar(self.going)
        else:
            going = out.let(f"icmp slt i64 %i, {self.steps}")
        out.put(f"br i1 {going}, label %step, label %exit")
        leaving = out.block
        out.start("step")
        self._places()
        resets = self.body.uses_stacks and not any(x.stack for x in self.stacks)
        if resets:
            chunk = out.let("load ptr, ptr %stacks")
            at = out.let("getelementptr i8, ptr %stacks, i64 8")
            used = out.let(f"load i64, ptr {at}")
        out.run(groups[0])
        if resets:
            out.runtime("fd.stacks.reset", "ptr %stacks", f"ptr {chunk}", f"i64 {used}")
        if self.watched:
            out.put(
                f"%watched.next = fadd double %watched, {self._total([(n.kind, out.scalar(n)) for n in self.watched])}"
            )
        for one in self.carried:
            if isinstance(one, Owned) and one.other:
                self.copy(one.to, one.other, one.size)
        out.put("%i.next = add i64 %i, 1")
        self._poll()
        out.put("br label %head")
        out.lines[phis:phis] = self._phis(before, out.block)
        out.start("exit")
        self._exit(leaving)
        if out.guards or out.failures:
            out.leave()
            out.put("ret i32 %code")

    def _phis(self, before: str, latch: str) -> list[str]:
        def phi(name: str, type_: str, start: str, following: str) -> str:
            return f"  {name} = phi {type_} [ {start}, %{before} ], [ {following}, %{latch} ]"

        lines = [phi("%i", "i64", "0", "%i.next")]
        if self.watched:
            lines.append(phi("%watched", "double", literal(0, "f64"), "%watched.next"))
        for one in self.carried:
            if isinstance(one, Numbers):
                assert one.following is not None
                type_ = TYPES[kind_of(one.type)]
                for name, start, node in zip(one.names, one.start, one.following, strict=True):
                    lines.append(phi(name, type_, start, self.out.scalar(node)))
            elif isinstance(one, Buffer):
                first = one.other if self.spec.length is None or self.spec.length % 2 == 0 else one.to
                lines.append(phi(f"%{one.name}", "ptr", one.start, f"%{one.name}.next"))
                lines.append(phi(f"%{one.name}.next", "ptr", first, f"%{one.name}.after"))
        return lines

    def _places(self) -> None:
        """Find where this step reads and writes."""
        out, spec = self.out, self.spec
        at = "%i"
        if spec.reverse:
            at = out.let(f"sub i64 {out.let(f'add i64 {self.steps}, -1')}, %i")
        rows: dict[tuple[str, int], str] = {}

        def enter(one: Read | Written, start: str) -> None:
            key = start, one.size
            if key not in rows:
                by = out.let(f"mul i64 {at}, {one.size}")
                rows[key] = out.let(f"getelementptr i8, ptr {start}, i64 {by}")
            out.put(f"%{one.name} = getelementptr i8, ptr {rows[key]}, i64 {one.offset}")

        for one in self.read:
            enter(one, one.start)
        growing = [w for w in self.written if w.stack and not self.steps]
        if growing:
            self._grow(growing)
        for w in self.written:
            enter(w, out.let(f"load ptr, ptr {w.stack}") if w.stack else w.start)
        first = ""
        for c in self.carried:
            if isinstance(c, Buffer):
                second = c.to if self.spec.length is None or self.spec.length % 2 == 0 else c.other
                first = first or out.let("icmp eq i64 %i, 0")
                out.put(f"%{c.name}.after = select i1 {first}, ptr {second}, ptr %{c.name}")

    def _open_stacks(self) -> None:
        out = self.out
        for w in self.written:
            if w.stack:
                count = self.steps or "0"
                out.fail_unless_zero(
                    out.runtime(
                        "fd.stacks.reserve", "ptr %stacks", f"ptr {w.stack}", f"i64 {w.size}", f"i64 {count}"
                    )
                )

    def _grow(self, growing: list[Written]) -> None:
        """Make room for one more element."""
        out = self.out
        at = out.let(f"getelementptr i8, ptr {growing[0].stack}, i64 16")
        full = out.let(f"icmp eq i64 {out.let(f'load i64, ptr {at}')}, %i")
        more, there = out.label("more"), out.label("room")
        out.put(f"br i1 {full}, label %{more}, label %{there}, !prof !0")
        out.declare('!0 = !{!"branch_weights", i32 1, i32 1000}')
        out.start(more)
        for w in growing:
            out.fail_unless_zero(
                out.runtime("fd.stacks.grow", "ptr %stacks", f"ptr {w.stack}", f"i64 {w.size}")
            )
        out.put(f"br label %{there}")
        out.start(there)

    def _poll(self) -> None:
        """Look now and then whether the loop is to be interrupted, unless it is soon over."""
        out, step = self.out, work_of(self.body.tape)
        if self.spec.length is not None and self.spec.length * step < stacks.POLLED:
            return
        low = out.let(f"and i64 %i.next, {(1 << (stacks.POLLED // step).bit_length() >> 1) - 1}")
        due = out.let(f"icmp eq i64 {low}, 0")
        look, on = out.label("look"), out.label("on")
        out.put(f"br i1 {due}, label %{look}, label %{on}")
        out.start(look)
        out.fail_unless_zero(out.runtime("fd.poll"))
        out.put(f"br label %{on}")
        out.start(on)

    def copy(self, to: str, start: str, size: int) -> None:
        """Copy bytes."""
        self.out.declare(_COPY)
        self.out.put(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {start}, i64 {size}, i1 false)")

    def _total(self, numbers: list[tuple[str, str]]) -> str:
        """Return a sum, which is NaN if any of the numbers is."""
        out = self.out
        doubles = [out.let(f"fpext float {x} to double") if kind == "f32" else x for kind, x in numbers]
        total = doubles[0]
        for x in doubles[1:]:
            total = out.let(f"fadd double {total}, {x}")
        return total

    def _look(self) -> None:
        """Leave to the slow path where an ordinary product may have made a NaN."""
        assert self.weak is not None
        numbers = [("f64", "%watched")] if self.watched else []
        for k in self.weak.last:
            one = self.carried[k]
            assert isinstance(one, Numbers)
            numbers += [(kind_of(one.type), name) for name in one.names]
        if numbers:
            total = self._total(numbers)
            self.require(self.out.let(f"fcmp ord double {total}, {total}"))

    def _exit(self, _leaving: str) -> None:
        out, spec = self.out, self.spec
        if self.weak is not None:
            self._look()
        for one in self.carried:
            of = kind_of(one.type)
            if isinstance(one, Numbers):
                for j, name in enumerate(one.names):
                    out.keep(name, of, one.to, j * BYTES[of])
            elif isinstance(one, Buffer) and not spec.length:
                there = out.let(f"icmp eq ptr %{one.name}, {one.to}")
                copy, copied = out.label("copy"), out.label("copied")
                out.put(f"br i1 {there}, label %{copied}, label %{copy}")
                out.start(copy)
                self.copy(one.to, f"%{one.name}", one.size)
                out.put(f"br label %{copied}")
                out.start(copied)
        for w in self.written:
            if w.stack:
                at = out.let(f"getelementptr i8, ptr {w.stack}, i64 8")
                out.put(f"store i64 %i, ptr {at}")
        if spec.cond is not None:
            out.put(f"store i64 %i, ptr {self.trips}")
        out.put("ret i32 0")
