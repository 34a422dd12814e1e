"""Loop records: each becomes a function of the kernel, with its body as straight code and loop nests in it.

Small arrays that are carried are numbers in registers, larger ones are written by turns into two places. What is
stacked is read, and what is collected is written, where it lies.
"""

from __future__ import annotations

from typing import Any

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record, Tape, Variable, bodies, variables
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import Array, Stacked
from funcdiff.jit.native.handlers import NotNative, handler, kind_of
from funcdiff.jit.native.in_place import Accesses
from funcdiff.jit.native.invoked import OUTSIDE, Function
from funcdiff.jit.native.loop_body import BodyLowering, constants, is_constant, prepared, prepared_weak
from funcdiff.jit.native.loop_text import Buffer, LoopText, Numbers, Owned, Read, Written
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import BYTES, Base, Node
from funcdiff.jit.native.operations import literal
from funcdiff.jit.native.owned import owned
from funcdiff.jit.native.plain_products import Weak
from funcdiff.jit.native.spaces import UNROLLED
from funcdiff.jit.native.stacks import BYTES_OF_STACK, WORDS
from funcdiff.jit.native.wrapper import RELEASE
from funcdiff.transforms.loops.counters import counters
from funcdiff.transforms.loops.loop import Loop
from funcdiff.transforms.loops.order import is_write


@handler("loop")
def _loop(low: Lowering, record: Record) -> list[Array]:
    try:
        return _LoopFunction(low, record).lower()
    except NotNative as error:  # of a record of the body
        raise NotNative(record) from error


class _LoopFunction(LoopText):
    """Writes the function of one loop."""

    def __init__(self, low: Lowering, record: Record) -> None:
        self.record = record
        spec = Loop(**record.params)
        if spec.cond is not None and spec.reverse:
            raise NotNative
        f = Function(low, f"{low.name}.loop{record.outputs[0].number}")
        weak = prepared_weak(spec.body, spec.carries) if low.weak else None
        body = None if weak is None else BodyLowering(weak.tape, f.name, "", low.weak, low.threads)
        if body is None or weak is None or not _is_latency_bound(body, weak):
            body, weak = BodyLowering(prepared(spec.body), f.name, "", low.weak, low.threads), None
        super().__init__(spec, f, body, weak)
        self.lowerings = [self.body]
        self.counters = counters(spec)
        self.written_to = {
            v.number for r in body.tape.records if is_write(r) for v in variables(r.inputs[:1])
        }
        self.returned = {v.number for v in variables(low.tape.outputs)}
        if self.spec.cond is not None:
            condition = prepared(self.spec.cond)
            name = f"{self.f.name}.cond"
            self.lowerings.append(BodyLowering(condition, name, "cond.", low.weak, low.threads))
        self.named: dict[str, list[Base]] = {}  # memory of the bodies, by its name
        self.small: dict[str, list[Array]] = {}  # of invariants, by pointer

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
        buffers = [n for n, one in enumerate(self.carried) if isinstance(one, Buffer)]
        accesses = Accesses(groups[0] if buffers else [])
        for base in (b for one in self.lowerings for b in one.bases):
            self.named.setdefault(base.name, []).append(base)
        for n in buffers:
            made[n] = self._buffer(n, carry[n], accesses)
        self.write(groups)
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
            self.carried.append(Numbers(type_, start, names))
            extent = self._counted(n, known)
            self._enter(n, lambda one: one.given(type_, names, extent))
        elif v.number in self.written_to and _is_written_in_place(self.body.tape, n):
            memory, stage = owned(self.f.low, self.record, x, False)
            self.f.stage = max(self.f.stage, stage)
            to = self.f.parameter(memory)
            self.carried.append(Owned(type_, to, memory))
            self._enter(n, lambda one: one.argument(to[1:], type_, OUTSIDE))
            own = self.body.arrays[self.body.tape.inputs[n].number].memory
            assert own is not None
            own.base.owned = True
        else:
            self.carried.append(Buffer(type_, f"c{n}"))
            self._enter(n, lambda one: one.argument(f"c{n}", type_, OUTSIDE))

    def _counted(self, n: int, start: list[Node] | None) -> tuple[int, int] | None:
        """Return the integers between which a carry is in all steps, if it counts from one that is known."""
        by = self.counters.get(n)
        if by is None or start is None or not self.spec.length:
            return None
        ends = start[0].detail, start[0].detail + by * (self.spec.length - 1)
        return min(ends), max(ends)

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
            self.require(self.out.let(f"icmp sge i64 {there}, {self.steps or '0'}"))
            if not self.steps:
                raise NotNative
            if x.stack.depth > 1:
                self.read.append(Read(name, start, BYTES_OF_STACK))
                self._enter(place, self._stack(name, Stacked(x.stack.depth - 1, x.stack.element)))
                return
            self.read.append(Read(name, start, type_.size * BYTES[kind_of(type_)]))
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
        memory = self.f.given(x)
        size = type_.size * BYTES[kind_of(type_)]
        self.read.append(Read(name, self.f.pointer(memory.base), size, memory.offset))
        self._enter(place, lambda one: one.argument(name, type_, OUTSIDE))

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
            if isinstance(one, Owned):
                made.append(arrays.in_memory(one.type, one.memory, 0))
                own = body.arrays[body.tape.inputs[n].number].memory
                if x.memory is None or own is None or x.memory.base is not own.base:
                    one.other = f.parameter(f.new(one.type))
                    body.output(x, body.outside(one.other[1:], one.type, OUTSIDE))
                continue
            if isinstance(one, Buffer):
                body.output(x, body.outside(one.following, one.type, OUTSIDE))
                made.append(x)  # where it lies is found when all groups are known
                continue
            memory = f.new(one.type)
            one.to = f.parameter(memory)
            one.following = body.numbers(x)
            made.append(arrays.in_memory(one.type, memory, 0))
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

    def _buffer(self, n: int, x: Array, accesses: Accesses) -> Array:
        """Carry a large array in one place, if every step reads it where it writes the next one, otherwise in two by turns."""
        f, one = self.f, self.carried[n]
        assert isinstance(one, Buffer)
        if self.spec.length != 1 and accesses.replaces(one.name, one.following):
            if self._is_small(one.type, n):
                memory = f.part(one.type, "carried")
                stage = f.low.write(x, memory)
            else:
                memory, stage = owned(f.low, self.record, x, False)
            f.stage = max(f.stage, stage)
            to = f.parameter(memory)
            for base in self.named[one.name] + self.named[one.following]:
                base.name = to[1:]
            self.carried[n] = Owned(one.type, to, memory)
            return arrays.in_memory(one.type, memory, 0)
        memory = f.new(one.type)
        one.start, one.to = f.operand(x), f.parameter(memory)
        several = self.spec.length is None or self.spec.length > 1
        one.other = f.parameter(f.new(one.type)) if several else one.to
        return arrays.in_memory(one.type, memory, 0)

    def _is_small(self, type_: ArrayType, n: int) -> bool:
        """Tell whether a result, of which this is the element of a step, need not have memory of its own."""
        return type_.size <= UNROLLED and self.record.outputs[n].number not in self.returned

    def _collected(self, n: int, x: Array) -> Array:
        f, spec = self.f, self.spec
        name = f"y{n}"
        size = BYTES_OF_STACK if x.stack else x.type.size * BYTES[kind_of(x.type)]
        self.body.output(x, self.body.outside(name, x.type, OUTSIDE))
        if spec.length is not None and not x.stack:
            type_ = ArrayType((spec.length, *x.type.shape), x.type.dtype)
            memory = f.part(type_, "collected") if self._is_small(x.type, spec.carries + n) else f.new(type_)
            self.written.append(Written(name, f.pointer(memory.base), size, memory.offset))
            return arrays.in_memory(type_, memory, 0)
        memory = f.new(WORDS)
        self.written.append(Written(name, "", size, stack=f.parameter(memory)))
        f.uses_stacks = True
        self.stacks.append(x)
        found = arrays.in_memory(WORDS, memory, 0)
        found.stack = Stacked(1, x.type) if x.stack is None else Stacked(x.stack.depth + 1, x.stack.element)
        return found


def _is_written_in_place(body: Tape, n: int) -> bool:
    """Tell whether what follows a carry that is written to may be what the writes leave, not an array made anew."""
    maker = {v: r for r in body.records for v in r.outputs}
    left = body.outputs[n]
    while left in maker and is_write(maker[left]):
        left = maker[left].inputs[0]
    return left == body.inputs[n] or (left in maker and bool(bodies(maker[left])))


def _is_latency_bound(body: BodyLowering, weak: Weak) -> bool:
    """Tell whether all that is to be looked at is small, so that steps wait for each other."""
    outputs = weak.tape.outputs
    found = [
        *(weak.tape.inputs[k] for k in weak.last),
        *outputs[len(outputs) - weak.every_step :],
        *(outputs[k] for k in weak.last),
    ]
    return all(isinstance(a, Variable) and body.is_small(a) and a.type.dtype.kind == "f" for a in found)
