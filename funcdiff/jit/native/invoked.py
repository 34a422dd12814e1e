"""Functions that a kernel calls: their text, and the memory of the caller's that they read and write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import Array
from funcdiff.jit.native.emit import ALIGNMENT, Emitter
from funcdiff.jit.native.handlers import kind_of
from funcdiff.jit.native.kernel import Kernel
from funcdiff.jit.native.loop_body import BodyLowering
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import BYTES, Base, Group, Invocation, Memory
from funcdiff.jit.native.operations import IN_MEMORY
from funcdiff.jit.native.wrapper import RELEASE

OUTSIDE = 0  # the place of memory that a pointer of the function's points to


class FunctionText(Emitter):
    """Writes a function line by line; `bases` are those of what is lowered into it."""

    def __init__(self, name: str, threads: bool) -> None:
        super().__init__(name, (), [], 0, threads=threads)
        self.own: list[Base] = []
        self.bases = self.own
        self.head = ""

    def emit(self) -> str:
        """Return the text."""
        for base in self.own:
            if base.constant is not None:
                self.declare(f"@{base.name} = external global i8")
        return "\n".join([self.head, *self.contexts, *self.lines, "}\n", *self.parts])

    def load(self, name: str, kind: str, pointer: str, offset: int) -> None:
        """Load a number and call it by a name."""
        at = self.shifted(pointer, offset)
        if kind == "i1":
            byte = self.let(f"load i8, ptr {at}")
            self.put(f"{name} = icmp ne i8 {byte}, 0")
        else:
            self.put(f"{name} = load {IN_MEMORY[kind]}, ptr {at}")

    def keep(self, text: str, kind: str, pointer: str, offset: int) -> None:
        """Store a number."""
        at = self.shifted(pointer, offset)
        self.put(f"store {self.to_memory(text, kind)}, ptr {at}")


class Function:
    """Gathers the operands of a function, then enters the call."""

    def __init__(self, low: Lowering, name: str) -> None:
        self.low = low
        self.name = name
        self.out = FunctionText(name, low.threads)
        self.stage = 0
        self.parameters: list[str] = []
        self.arguments: list[Any] = []
        self.passed: dict[int, Memory] = {}
        self.pointers: dict[int, str] = {}  # of parameters, by the memory they point to
        self.blocks: dict[str, Base] = {}
        self.memories: list[Base] = []
        self.functions: list[Kernel] = []
        self.uses_stacks = False
        self.kept_alive: list[Array] = []

    def parameter(self, memory: Memory) -> str:
        """Return the pointer to memory of the caller's."""
        return self.out.shifted(self.pointer(memory.base), memory.offset)

    def pointer(self, base: Base) -> str:
        """Return the pointer to a block of memory of the caller's."""
        name = self.pointers.get(id(base))
        if name is None:
            name = self.pointers[id(base)] = f"%p{len(self.parameters)}"
            self.parameters.append(f"ptr noalias {name}")
            self.arguments.append((base, 0))
            self.memories.append(base)
        return name

    def operand(self, x: Array) -> str:
        """Return the pointer to an operand, which has no gaps."""
        return self.parameter(self.given(x))

    def given(self, x: Array) -> Memory:
        """Return the memory of an operand, which has no gaps."""
        found = self.passed.get(id(x))
        if found is None:
            self.kept_alive.append(x)
            memory = self.low.memory(x)
            ready = x.ready
            if not arrays.is_contiguous(memory):
                copied = self.new(x.type)
                ready = self.low.write(arrays.in_memory(x.type, memory, ready), copied)
                memory = copied
            self.stage = max(self.stage, ready)
            found = self.passed[id(x)] = memory
        return found

    def part(self, type_: ArrayType, of: str) -> Memory:
        """Return a part of memory of the caller's that small arrays share: one pointer is enough for them all.

        A pointer for each would not fit in the registers: the LSTM of GradBench with 6 layers has 200.
        """
        if of not in self.blocks:
            self.blocks[of] = self.low.base(f"m{len(self.low.bases)}", ArrayType((0,), np.dtype(float)), -1)
        base, kind = self.blocks[of], kind_of(type_)
        start = -(-base.size // ALIGNMENT) * ALIGNMENT
        base.size = start + type_.size * BYTES[kind]
        return Memory(base, kind, type_.shape, arrays.contiguous_strides(type_.shape, BYTES[kind]), start)

    def new(self, type_: ArrayType) -> Memory:
        """Return new memory of the caller's."""
        return self.low.new(type_)

    def scratch(self, size: int) -> str:
        """Return the pointer to so many bytes of the caller's."""
        return self.parameter(self.new(ArrayType((-(-size // 8),), np.dtype(np.int64))))

    def lowered(self, body: BodyLowering) -> list[Group]:
        """Return the groups of what has been lowered into the function, whose memory is found at the beginning."""
        groups, bases, arena = body.arranged()
        self.out.own += bases
        self.functions += body.functions
        self.uses_stacks |= body.uses_stacks
        self.low.weakened |= body.weakened
        if arena:
            at = self.scratch(arena)
            for base in bases:
                if base.place < 0 and base.constant is None:
                    self.out.put(f"%{base.name} = getelementptr i8, ptr {at}, i64 {base.start}")
        return groups

    def invoke(self, made: Sequence[Array], work: int) -> list[Array]:
        """Enter the call, which makes these arrays."""
        low = self.low
        group = low.group(((), False), self.stage)
        for base in self.memories:
            base.used(group)
        if self.uses_stacks:
            low.uses_stacks = True
            self.parameters.append("ptr %stacks")
            self.arguments.append("ptr %stacks")
        self.out.head = f"define internal i32 @{self.name}({', '.join(self.parameters)}) {{\nentry:"
        once = (
            type(low) is Lowering and work != RELEASE
        )  # in a call of the kernel, for a known number of steps
        low.functions += [*self.functions, Kernel(self.out, called=work if once else None)]
        group.invocations.append(Invocation(self.name, self.arguments, work))
        for x in made:
            x.ready = self.stage + 1
        return list(made)
