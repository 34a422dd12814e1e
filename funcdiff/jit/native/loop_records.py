"""Loop records: each becomes a function of the kernel, with its body as straight code and loop nests in it.

Small arrays that are carried are numbers in registers, larger ones are written by turns into two places. What is
stacked is read, and what is collected is written, where it lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record, Variable
from funcdiff.jit.native import arrays, stacks
from funcdiff.jit.native.arrays import Array, Stacked
from funcdiff.jit.native.handlers import NotNative, handler, kind_of
from funcdiff.jit.native.invoked import OUTSIDE, Function
from funcdiff.jit.native.loop_body import BodyLowering, constants, is_constant, prepared, prepared_weak
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import BYTES, Memory, Node
from funcdiff.jit.native.operations import TYPES, literal
from funcdiff.jit.native.owned import owned
from funcdiff.jit.native.plain_products import Weak
from funcdiff.jit.native.stacks import BYTES_OF_STACK, WORDS
from funcdiff.jit.native.wrapper import RELEASE
from funcdiff.transforms.loops.loop import Loop
from funcdiff.transforms.loops.order import is_write

_COPY = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"


@handler("loop")
def _loop(low: Lowering, record: Record) -> list[Array]:
    try:
        return _LoopFunction(low, record).lower()
    except NotNative as error:  # of a record of the body
        raise NotNative(record) from error


@dataclass
class _Numbers:
    """A small array that is carried: its elements are numbers."""

    type: ArrayType
    start: list[str]
    names: list[str]
    to: str = ""
    following: list[Node] | None = None


@dataclass
class _Buffer:
    """A large array that is carried: where it is, and where the next one goes."""

    type: ArrayType
    name: str
    start: str
    to: str = ""
    other: str = ""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.type.size * BYTES[kind_of(self.type)]


@dataclass
class _Owned:
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
class _Read:
    """What is stacked: where its elements are, and how far they are apart."""

    name: str
    start: str
    size: int


@dataclass
class _Written:
    """What is collected; `stack` is the pointer to the description of a stack."""

    name: str
    start: str
    size: int
    stack: str = ""


class _LoopFunction:
    """Writes the function of one loop."""

    def __init__(self, low: Lowering, record: Record) -> None:
        self.record = record
        self.spec = Loop(**record.params)
        if self.spec.cond is not None and self.spec.reverse:
            raise NotNative
        self.f = Function(low, f"{low.name}.loop{record.outputs[0].number}")
        self.out = self.f.out
        tape = prepared(self.spec.body)
        self.body = BodyLowering(tape, self.f.name, weak=low.weak)
        self.weak = prepared_weak(self.spec.body, self.spec.carries) if low.weak else None
        if self.weak is not None and _is_latency_bound(self.weak):
            self.body = BodyLowering(self.weak.tape, self.f.name)
        else:
            self.weak = None
        self.lowerings = [self.body]
        if self.spec.cond is not None:
            condition = prepared(self.spec.cond)
            self.lowerings.append(BodyLowering(condition, f"{self.f.name}.cond", "cond.", low.weak))
        self.watched: list[Node] = []
        self.carried: list[_Numbers | _Buffer | _Owned] = []
        self.read: list[_Read] = []
        self.written: list[_Written] = []
        self.stacks: list[Array] = []
        self.small: dict[str, list[Array]] = {}  # of invariants, by pointer
        self.trips = "0"
        self.steps = ""

    def lower(self) -> list[Array]:
        """Write the function, enter its call, return its results."""
        f, spec, low = self.f, self.spec, self.f.low
        operands = [low.anything(a) for a in self.record.inputs]
        carry, invariant, stacked, count = spec.parts(operands)
        inputs = list(self.body.tape.inputs)
        c, v = spec.carries, spec.carries + spec.invariants
        for n, x in enumerate(carry):
            self._carry(n, inputs[n], x)
        for n, x in enumerate(invariant):
            self._invariant(n, inputs[c + n], x)
        self._count(count)
        for n, x in enumerate(stacked):
            self._stacked(n, inputs[v + n].type, x)
        for one in self.lowerings:
            one.records()
        made = self._results()
        groups = [f.lowered(one) for one in self.lowerings]
        self._write(groups)
        work = self.out.work * spec.length if spec.length is not None else RELEASE
        return f.invoke(made, work)

    # --- operands --------------------------------------------------------------------------------

    def _check(self, type_: ArrayType, x: Array) -> None:
        if x.type.dtype != type_.dtype or x.type.shape != type_.shape or x.stack:
            raise NotNative

    def _enter(self, place: int, make: Any) -> None:
        """Give an input of the body, and of the condition if it takes it, its array."""
        for one in self.lowerings:
            if place < len(one.tape.inputs):
                one.arrays[one.tape.inputs[place].number] = make(one)

    def _load(self, name: str, type_: ArrayType, pointer: str) -> list[str]:
        """Load all elements of a small array."""
        of = kind_of(type_)
        names = [f"%{name}.{j}" for j in range(type_.size)]
        for j, one in enumerate(names):
            self.out.load(one, of, pointer, j * BYTES[of])
        return names

    def _carry(self, n: int, v: Variable, x: Array) -> None:
        type_ = v.type
        self._check(type_, x)
        of = kind_of(type_)
        if self.body.is_small(v):
            known = constants(x)
            if known is not None:
                start = [literal(node.detail, of) for node in known]
            else:
                start = self._load(f"start{n}", type_, self.f.operand(x))
            names = [f"%c{n}.{j}" for j in range(type_.size)]
            self.carried.append(_Numbers(type_, start, names))
            self._enter(n, lambda one: one.given(type_, names))
        elif any(is_write(r) and r.inputs[0] == self.body.tape.inputs[n] for r in self.body.tape.records):
            memory, stage = owned(self.f.low, self.record, x, False)
            self.f.stage = max(self.f.stage, stage)
            to = self.f.parameter(memory)
            self.carried.append(_Owned(type_, to, memory))
            self._enter(n, lambda one: one.argument(to[1:], type_, OUTSIDE))
            own = self.body.arrays[self.body.tape.inputs[n].number].memory
            assert own is not None
            own.base.owned = True
        else:
            self.carried.append(_Buffer(type_, f"c{n}", self.f.operand(x)))
            self._enter(n, lambda one: one.argument(f"c{n}", type_, OUTSIDE))

    def _invariant(self, n: int, v: Variable, x: Array) -> None:
        type_ = v.type
        place = self.spec.carries + n
        if x.stack:
            self._enter(place, self._stack(f"{self.f.operand(x)[1:]}", x.stack))
            return
        self._check(type_, x)
        if is_constant(x):
            self._enter(place, lambda one: one.same(type_, x))
            return
        pointer = self.f.operand(x)
        if not self.body.is_small(v):
            self._enter(place, lambda one: one.argument(pointer[1:], type_, OUTSIDE))
            return
        if pointer not in self.small:
            names = self._load(f"in{pointer[1:]}", type_, pointer)
            self.small[pointer] = [one.given(type_, names) for one in self.lowerings]
        self._enter(place, lambda one: self.small[pointer][self.lowerings.index(one)])

    @staticmethod
    def _stack(name: str, stack: Stacked) -> Any:
        def make(one: BodyLowering) -> Array:
            found = one.argument(name, WORDS, OUTSIDE)
            found.stack = stack
            return found

        return make

    def _count(self, count: list[Array]) -> None:
        if self.spec.length is not None:
            self.steps = str(self.spec.length)
        elif count:
            if count[0].stack or count[0].type.shape or kind_of(count[0].type) != "i64":
                raise NotNative
            self.out.load("%steps", "i64", self.f.operand(count[0]), 0)
            self.steps = "%steps"

    def _stacked(self, n: int, type_: ArrayType, x: Array) -> None:
        place = self.spec.carries + self.spec.invariants + n
        name = f"x{n}"
        if x.stack:
            pointer = self.f.operand(x)
            start = self.out.let(f"load ptr, ptr {pointer}")
            at = self.out.let(f"getelementptr i8, ptr {pointer}, i64 8")
            there = self.out.let(f"load i64, ptr {at}")
            self._require(self.out.let(f"icmp sge i64 {there}, {self.steps or '0'}"))
            if not self.steps:
                raise NotNative
            if x.stack.depth > 1:
                self.read.append(_Read(name, start, BYTES_OF_STACK))
                self._enter(place, self._stack(name, Stacked(x.stack.depth - 1, x.stack.element)))
                return
            self.read.append(_Read(name, start, type_.size * BYTES[kind_of(type_)]))
            self._enter(place, lambda one: one.argument(name, type_, OUTSIDE))
            return
        if x.type.dtype != type_.dtype:
            raise NotNative
        if self.spec.length is None or x.type.shape != (self.spec.length, *type_.shape):
            if x.type.shape:
                raise NotNative
            known = constants(x)
            if known is not None:
                self._enter(place, lambda one: one.full(type_, known[0]))
            else:
                (text,) = self._load(f"full{n}", x.type, self.f.operand(x))
                self._enter(place, lambda one: one.full(type_, text))
            return
        self.read.append(_Read(name, self.f.operand(x), type_.size * BYTES[kind_of(type_)]))
        self._enter(place, lambda one: one.argument(name, type_, OUTSIDE))

    def _require(self, holds: str) -> None:
        """Leave to the slow path, which says what is wrong, unless something holds."""
        self.out.guards += 1
        label = self.out.label("holds")
        self.out.put(f"br i1 {holds}, label %{label}, label %guarded")
        self.out.start(label)

    # --- results ---------------------------------------------------------------------------------

    def _results(self) -> list[Array]:
        f, spec, body = self.f, self.spec, self.body
        made: list[Array] = []
        outputs = [body.result(a) for a in body.tape.outputs]
        if self.weak is not None:
            f.low.weakened = True
            kept = len(outputs) - self.weak.every_step
            self.watched = [node for x in outputs[kept:] for node in body.numbers(x)]
            del outputs[kept:]
        for n, (one, x) in enumerate(zip(self.carried, outputs, strict=False)):
            self._check(one.type, x)
            if isinstance(one, _Owned):
                made.append(arrays.in_memory(one.type, one.memory, 0))
                own = body.arrays[body.tape.inputs[n].number].memory
                if x.memory is None or own is None or x.memory.base is not own.base:
                    one.other = f.parameter(f.new(one.type))
                    body.output(x, body.outside(one.other[1:], one.type, OUTSIDE))
                continue
            memory = f.new(one.type)
            one.to = f.parameter(memory)
            made.append(arrays.in_memory(one.type, memory, 0))
            if isinstance(one, _Numbers):
                one.following = body.numbers(x)
            else:
                one.other = f.parameter(f.new(one.type)) if spec.length is None or spec.length > 1 else one.to
                body.output(x, body.outside(f"c{n}.next", one.type, OUTSIDE))
        for n, x in enumerate(outputs[spec.carries :]):
            made.append(self._collected(n, x))
        if spec.cond is not None:
            trips = self.record.outputs[-1].type
            if trips != ArrayType((), WORDS.dtype):
                raise NotNative
            memory = f.new(trips)
            self.trips = f.parameter(memory)
            made.append(arrays.in_memory(trips, memory, 0))
            (self.going,) = self.lowerings[1].numbers(
                self.lowerings[1].result(self.lowerings[1].tape.outputs[0])
            )
        return made

    def _collected(self, n: int, x: Array) -> Array:
        f, spec = self.f, self.spec
        name = f"y{n}"
        size = BYTES_OF_STACK if x.stack else x.type.size * BYTES[kind_of(x.type)]
        self.body.output(x, self.body.outside(name, x.type, OUTSIDE))
        if spec.length is not None and not x.stack:
            type_ = ArrayType((spec.length, *x.type.shape), x.type.dtype)
            memory = f.new(type_)
            self.written.append(_Written(name, f.parameter(memory), size))
            return arrays.in_memory(type_, memory, 0)
        memory = f.new(WORDS)
        self.written.append(_Written(name, "", size, f.parameter(memory)))
        f.uses_stacks = True
        self.stacks.append(x)
        found = arrays.in_memory(WORDS, memory, 0)
        found.stack = Stacked(1, x.type) if x.stack is None else Stacked(x.stack.depth + 1, x.stack.element)
        return found

    # --- the text --------------------------------------------------------------------------------

    def _write(self, groups: list[Any]) -> None:
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
            if isinstance(one, _Owned) and one.other:
                self._copy(one.to, one.other, one.size)
        out.put("%i.next = add i64 %i, 1")
        if self._may_be_long():
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
            if isinstance(one, _Numbers):
                assert one.following is not None
                type_ = TYPES[kind_of(one.type)]
                for name, start, node in zip(one.names, one.start, one.following, strict=True):
                    lines.append(phi(name, type_, start, self.out.scalar(node)))
            elif isinstance(one, _Buffer):
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
        for one in self.read:
            by = out.let(f"mul i64 {at}, {one.size}")
            out.put(f"%{one.name} = getelementptr i8, ptr {one.start}, i64 {by}")
        growing = [w for w in self.written if w.stack and not self.steps]
        if growing:
            self._grow(growing)
        for w in self.written:
            start = out.let(f"load ptr, ptr {w.stack}") if w.stack else w.start
            by = out.let(f"mul i64 {at}, {w.size}")
            out.put(f"%{w.name} = getelementptr i8, ptr {start}, i64 {by}")
        for c in self.carried:
            if isinstance(c, _Buffer):
                second = c.to if self.spec.length is None or self.spec.length % 2 == 0 else c.other
                first = out.let("icmp eq i64 %i, 0")
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

    def _grow(self, growing: list[_Written]) -> None:
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

    def _may_be_long(self) -> bool:
        """Tell whether a loop may be one that a user interrupts."""
        return self.spec.length is None or self.spec.length > stacks.POLLED_OUTSIDE

    def _poll(self) -> None:
        """Look now and then whether the loop is to be interrupted."""
        out = self.out
        inner = any(r.primitive.name in ("loop", "branch") for r in self.body.tape.records)
        low = out.let(f"and i64 %i.next, {(stacks.POLLED_OUTSIDE if inner else stacks.POLLED) - 1}")
        due = out.let(f"icmp eq i64 {low}, 0")
        look, on = out.label("look"), out.label("on")
        out.put(f"br i1 {due}, label %{look}, label %{on}")
        out.start(look)
        out.fail_unless_zero(out.runtime("fd.poll"))
        out.put(f"br label %{on}")
        out.start(on)

    def _copy(self, to: str, start: str, size: int) -> None:
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
            assert isinstance(one, _Numbers)
            numbers += [(kind_of(one.type), name) for name in one.names]
        if numbers:
            total = self._total(numbers)
            self._require(self.out.let(f"fcmp ord double {total}, {total}"))

    def _exit(self, _leaving: str) -> None:
        out, spec = self.out, self.spec
        if self.weak is not None:
            self._look()
        for one in self.carried:
            of = kind_of(one.type)
            if isinstance(one, _Numbers):
                for j, name in enumerate(one.names):
                    out.keep(name, of, one.to, j * BYTES[of])
            elif isinstance(one, _Buffer) and not spec.length:
                there = out.let(f"icmp eq ptr %{one.name}, {one.to}")
                copy, copied = out.label("copy"), out.label("copied")
                out.put(f"br i1 {there}, label %{copied}, label %{copy}")
                out.start(copy)
                self._copy(one.to, f"%{one.name}", one.size)
                out.put(f"br label %{copied}")
                out.start(copied)
        for w in self.written:
            if w.stack:
                at = out.let(f"getelementptr i8, ptr {w.stack}, i64 8")
                out.put(f"store i64 %i, ptr {at}")
        if spec.cond is not None:
            out.put(f"store i64 %i, ptr {self.trips}")
        out.put("ret i32 0")


def _is_latency_bound(weak: Weak) -> bool:
    """Tell whether all that is to be looked at is small, so that steps wait for each other."""
    body, outputs = BodyLowering(weak.tape, ""), weak.tape.outputs
    found = [
        *(weak.tape.inputs[k] for k in weak.last),
        *outputs[len(outputs) - weak.every_step :],
        *(outputs[k] for k in weak.last),
    ]
    return all(isinstance(a, Variable) and body.is_small(a) and a.type.dtype.kind == "f" for a in found)
