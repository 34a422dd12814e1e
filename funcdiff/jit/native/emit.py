"""The IR text of a kernel: its groups in order, each a loop nest on vectors, or straight code on numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from funcdiff.jit.native import blas, huge_pages, pieces, stacks
from funcdiff.jit.native.engine import ARENA
from funcdiff.jit.native.loops import Loops
from funcdiff.jit.native.nodes import BYTES, Base, Call, Group, Invocation, Memory, Node
from funcdiff.jit.native.operations import IN_MEMORY, TYPES, Lines, literal
from funcdiff.jit.native.pieces import FIRST, Parting, Piece
from funcdiff.jit.native.threaded import Threaded, axis_for_threads, is_large

STACK = 1 << 14  # bytes of temporaries up to which they lie on the stack
ALIGNMENT = 64
_CONTEXT = re.compile(r"%([\w.]+) = alloca \[(\d+) x i64\]")
_CALLED = re.compile(r"@([\w.]+)")


class Emitter(Lines):
    """Writes one kernel."""

    def __init__(
        self,
        name: str,
        groups: Sequence[Group],
        bases: Sequence[Base],
        arena: int,
        uses_stacks: bool = False,
        threads: bool = False,
    ) -> None:
        super().__init__()
        self.kernel = name
        self.groups = groups
        self.bases = list(bases)
        self.arena = arena
        self.uses_stacks = uses_stacks
        self.guards = 0
        self.failures: list[tuple[str, str]] = []  # codes with which to leave, and from where
        self.work = 0
        self.loops: list[tuple[int, int]] = []  # where they begin and end in the lines
        self.pieces: list[Piece] = []  # functions that a long kernel consists of
        self.shared: dict[str, str] = {}  # what they declare of the kernel's own functions
        self.elsewhere = 0  # operations among them of functions that are called
        self.threads = threads  # share large loop nests among threads
        self.parts: list[str] = []  # functions that loop nests have become
        self.contexts: list[str] = []  # memory for what these are given
        self.is_large = False  # some loop nest is worth several threads

    # --- the whole -------------------------------------------------------------------------------

    def emit(self) -> str:
        """Return the text of the kernel; what it refers to stands in `declared` after that."""
        self.block = FIRST
        self.run(self.groups)
        lines, self.lines = self.lines, []
        if len(lines) > pieces.LONG:
            lines = self._parted(lines)
        self._memory()
        self.put(f"br label %{FIRST}")
        self.lines += [f"{FIRST}:", *lines]
        self.put("br label %done")
        self.lines.append("done:")
        code = "0"
        if self.guards or self.failures:
            self.put("br label %leave")
            self.leave("[ 0, %done ]")
            code = "%code"
        self._release()
        self.put(f"ret i32 {code}")
        body = "\n".join([*self.contexts, *self.lines])
        head = f"define i32 @{self.kernel}(ptr noalias %pointers) {{\nentry:\n"
        for base in self.bases:
            if base.constant is not None:
                self.declare(f"@{base.name} = external global i8")
        for name in self.kept:
            self.declare(f"@{name} = global ptr null")
        return "\n".join([f"{head}{body}\n}}\n", *self.parts])

    def run(self, groups: Sequence[Group]) -> None:
        """Write groups in order."""
        for group in groups:
            if not group.space:
                self._straight(group)
                continue
            self.work += len(group.nodes) * group.size
            self.is_large |= is_large(group)
            axis = axis_for_threads(group) if self.threads else None
            nest = Loops(self, group) if axis is None else Threaded(self, group, axis)
            start = len(self.lines)
            for memory, value in group.fills:
                self.fill(memory, value)
            nest.emit()
            self.loops.append((start, len(self.lines)))

    def _parted(self, body: list[str]) -> list[str]:
        """Make pieces of the lines, and return those that call them."""
        parameters = ["ptr %stacks"] if self.uses_stacks else []
        self._share()
        failures = {block: code for code, block in self.failures}
        parting = Parting(self.kernel, body, self.loops, self.bases, failures, parameters, self.arena)
        self.arena, self.guards, self.failures, self.block = parting.arena, 0, [], FIRST
        outer = parting.pieces()
        for piece in outer:
            self.declare(piece.declared)
            call = f"call i32 @{piece.name}({parting.parameters})"
            if piece.fails:
                self.fail_unless_zero(self.let(call))
            else:
                self.put(call)
        self.pieces = [*outer, *parting.inner()]
        self.bases = [b for b in self.bases if b.constant is not None]
        calls, self.lines = self.lines, []
        return calls

    def _share(self) -> None:
        """Let pieces call the functions that loop nests have become; what these are given lies in the arena."""
        for line in self.contexts:
            name, count = _CONTEXT.findall(line)[0]
            self.arena = -(-self.arena // ALIGNMENT) * ALIGNMENT
            self.bases.append(Base(name, 8 * int(count), start=self.arena))
            self.arena += 8 * int(count)
        self.contexts = []
        self.parts = [text.replace("define internal", "define", 1) for text in self.parts]
        heads = [text.partition(" {")[0].removeprefix("define ") for text in self.parts]
        self.shared = {_CALLED.findall(head)[0]: f"declare {head}" for head in heads}

    def leave(self, *codes: str) -> None:
        """Start the block in which all ways out meet, with their codes."""
        if self.guards:
            self.lines += ["guarded:", "  br label %leave"]
            codes = (*codes, "[ 1, %guarded ]")
        self.lines.append("leave:")
        found = ", ".join((*codes, *(f"[ {code}, %{block} ]" for code, block in self.failures)))
        self.put(f"%code = phi i32 {found}")

    @property
    def kept(self) -> list[str]:
        """The variables in which memory is kept from call to call."""
        found = [f"{self.kernel}.{ARENA}"] if self.arena > STACK else []
        return [*found, stacks.kept_in(self.kernel)] if self.uses_stacks else found

    def runtime(self, name: str, *arguments: str) -> str:
        """Call a function of `stacks`; return the name of what it returns, if anything."""
        self.symbols[name] = stacks.address(name)
        self.declare(stacks.DECLARED[name])
        if stacks.DECLARED[name].startswith("declare void"):
            self.put(f"call void @{name}({', '.join(arguments)})")
            return ""
        return self.let(f"call i32 @{name}({', '.join(arguments)})")

    def _memory(self) -> None:
        for base in self.bases:
            if base.place >= 0 and base.at is None:
                at = self.let(f"getelementptr ptr, ptr %pointers, i64 {base.place}")
                self.put(f"%{base.name} = load ptr, ptr {at}")
        if self.arena:
            self._arena()
        if self.uses_stacks:
            self.put("%stacks = alloca [2 x i64], align 8")
            self.runtime("fd.stacks.open", "ptr %stacks", f"ptr @{stacks.kept_in(self.kernel)}")

    def _arena(self) -> None:
        if self.arena <= STACK:
            self.put(f"%arena = alloca [{self.arena} x i8], align {ALIGNMENT}")
        else:  # kept from call to call; a call that finds it in use takes other memory
            self.declare("declare ptr @malloc(i64)")
            self.declare("declare void @free(ptr)")
            self.put(f"%kept = atomicrmw xchg ptr @{self.kernel}.{ARENA}, ptr null seq_cst")
            self.put("%is.kept = icmp ne ptr %kept, null")
            self.put("br i1 %is.kept, label %have, label %allocate")
            self.lines.append("allocate:")
            self.put(f"%new = call ptr @malloc(i64 {self.arena + ALIGNMENT})")
            self.put("%no.memory = icmp eq ptr %new, null")
            self.put("br i1 %no.memory, label %failed, label %allocated")
            self.lines.append("failed:")
            self.put("ret i32 2")
            self.lines.append("allocated:")
            if self.arena >= huge_pages.LARGE and huge_pages.are_there():
                self.declare(huge_pages.DECLARED)
                for line in huge_pages.asked_for("%new", str(self.arena + ALIGNMENT)):
                    self.put(line)
            self.put("br label %have")
            self.lines.append("have:")
            self.put("%raw = phi ptr [ %kept, %entry ], [ %new, %allocated ]")
            self.put("%raw.int = ptrtoint ptr %raw to i64")
            self.put(f"%raw.up = add i64 %raw.int, {ALIGNMENT - 1}")
            self.put(f"%raw.aligned = and i64 %raw.up, -{ALIGNMENT}")
            self.put("%arena = inttoptr i64 %raw.aligned to ptr")
            self.block = "have"
        for base in self.bases:
            if base.place < 0 and base.constant is None:
                self.put(f"%{base.name} = getelementptr i8, ptr %arena, i64 {base.start}")

    def _release(self) -> None:
        if self.uses_stacks:
            self.runtime("fd.stacks.close", "ptr %stacks", f"ptr @{stacks.kept_in(self.kernel)}")
        if self.arena > STACK:
            self.put(f"%other = atomicrmw xchg ptr @{self.kernel}.{ARENA}, ptr %raw seq_cst")
            self.put("call void @free(ptr %other)")

    # --- straight code ---------------------------------------------------------------------------

    def _straight(self, group: Group) -> None:
        self.work += len(group.nodes)
        for node in group.nodes:
            if node.op == "reduced" or node.text is not None:
                continue
            if node.op == "load":
                memory, offset, _ = node.detail
                at = self.shifted(self.pointer(memory.base), memory.offset + offset)
                node.text = self.from_memory(self.let(f"load {IN_MEMORY[node.kind]}, ptr {at}"), node.kind)
                continue
            if node.op == "branch":
                self._choose(node.detail, self.scalar(node.args[0]))
            elif node.op == "chosen":
                node.text = node.args[0].detail.texts[node.detail]
            else:
                node.text = self._number(node, [self.scalar(a) for a in node.args])
        for memory, value in group.fills:
            start = len(self.lines)
            self.fill(memory, value)
            self.loops.append((start, len(self.lines)))
        for store in group.stores:
            at = self.shifted(self.pointer(store.memory.base), store.memory.offset + store.offset)
            self.put(f"store {self.to_memory(self.scalar(store.node), store.node.kind)}, ptr {at}")
        for node, value in group.guards:
            self._guard(node, value)
        for call in group.calls:
            self._blas(call)
        for one in group.invocations:
            self._invoke(one)

    def _number(self, node: Node, args: Sequence[str]) -> str:
        match node.op:
            case "place":
                return self._place(args[0], node.detail)
            case "fetch":
                memory, start, _ = node.detail
                at = self.shifted(self.pointer(memory.base), memory.offset + start)
                at = self.shifted(at, args[0])
                return self.from_memory(self.let(f"load {IN_MEMORY[node.kind]}, ptr {at}"), node.kind)
            case "address":
                return self.let(f"getelementptr i8, ptr {self.pointer(node.detail)}, i64 {args[0]}")
        return self.operation(node, args, 1, self.lines)

    def _choose(self, choice: Any, predicate: str) -> None:
        """Write both ways of a branch, and choose between their numbers where they meet."""
        labels, meet, ends = [self.label(way.label) for way in choice.ways], self.label("meet"), []
        self.put(f"br i1 {predicate}, label %{labels[0]}, label %{labels[1]}")
        for label, way in zip(labels, choice.ways, strict=True):
            self.start(label)
            for mine, other in way.given:
                mine.text = self.scalar(other)
            for base in way.bases:
                self.put(
                    f"%{base.name} = getelementptr i8, ptr {self.pointer(choice.scratch)}, i64 {base.start}"
                )
            self.run(way.groups)
            ends.append(self.block)
            self.put(f"br label %{meet}")
        self.start(meet)
        for pair in choice.between:
            found = ", ".join(f"[ {self.scalar(n)}, %{b} ]" for n, b in zip(pair, ends, strict=True))
            choice.texts.append(self.let(f"phi {TYPES[pair[0].kind]} {found}"))

    def _place(self, index: str, length: int) -> str:
        """Return the place that an index means; leave where it is out of bounds."""
        self.guards += 1
        up = self.let(f"add i64 {index}, {length}")
        within = self.let(f"icmp ult i64 {up}, {2 * length}")
        label = self.label("within")
        self.put(f"br i1 {within}, label %{label}, label %guarded")
        self.start(label)
        negative = self.let(f"icmp slt i64 {index}, 0")
        return self.let(f"select i1 {negative}, i64 {up}, i64 {index}")

    def _invoke(self, call: Invocation) -> None:
        """Call a function of the module; leave with its code where that is not zero."""
        arguments = []
        for a in call.arguments:
            if isinstance(a, str):
                arguments.append(a)
            else:
                arguments.append(f"ptr {self.shifted(self.pointer(a[0]), a[1])}")
        self.work += call.work
        self.elsewhere += call.work
        self.fail_unless_zero(self.let(f"call i32 @{call.function}({', '.join(arguments)})"))

    def fail_unless_zero(self, code: str) -> None:
        """Leave with a code that is not zero."""
        fine, label = self.let(f"icmp eq i32 {code}, 0"), self.label("fine")
        self.put(f"br i1 {fine}, label %{label}, label %leave")
        self.failures.append((code, self.block))
        self.start(label)

    def _blas(self, call: Call) -> None:
        """Call a routine on memory; leave where it says that NumPy raises an error."""
        arguments = []
        for a in call.arguments:
            if isinstance(a, str):
                arguments.append(a)
            else:
                base, offset = a
                arguments.append(f"ptr {self.shifted(self.pointer(base), offset)}")
        name = f"fd.{call.operation}.{call.kind}"
        self.symbols[name] = blas.entry(call.operation, call.kind)[1]
        self.work += call.work
        result = blas.OPERATIONS[call.operation].result
        to = arguments[0]
        if result == "number":  # the routine returns what stands first
            result, arguments = TYPES[call.kind], arguments[1:]
        types = ", ".join(a.partition(" ")[0] for a in arguments)
        self.declare(f"declare {result} @{name}({types})")
        called = f"call {result} @{name}({', '.join(arguments)})"
        if result == "void":
            self.put(called)
        elif result == "i32":
            self.guards += 1
            holds = self.let(f"icmp eq i32 {self.let(called)}, 0")
            label = self.label("solved")
            self.put(f"br i1 {holds}, label %{label}, label %guarded")
            self.start(label)
        else:
            self.put(f"store {result} {self.let(called)}, {to}")

    def _guard(self, node: Node, value: Any) -> None:
        """Leave where a guard does not see what it saw when the program was recorded."""
        self.guards += 1
        text, kind = self.scalar(node), node.kind
        if kind == "i1":
            holds = text if value else self.let(f"xor i1 {text}, true")
        elif value != value:
            holds = self.let(f"fcmp uno {TYPES[kind]} {text}, {text}")
        else:
            holds = self.let(f"{self.comparison('eq', kind)} {TYPES[kind]} {text}, {literal(value, kind)}")
        label = self.label("held")
        self.put(f"br i1 {holds}, label %{label}, label %guarded")
        self.start(label)

    def fill(self, memory: Memory, value: Any) -> None:
        """Set all of a block of memory that is contiguous to one number."""
        count = math.prod(memory.shape)
        at = self.shifted(self.pointer(memory.base), memory.offset)
        if value == 0 and math.copysign(1, value) > 0:
            self.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            self.put(
                f"call void @llvm.memset.p0.i64(ptr {at}, i8 0, i64 {count * BYTES[memory.kind]}, i1 false)"
            )
            return
        if not count:
            return
        before, loop, after = self.block, self.label("fill"), self.label("filled")
        self.put(f"br label %{loop}")
        self.start(loop)
        i = f"%{loop}.i"
        self.put(f"{i} = phi i64 [ 0, %{before} ], [ {i}.next, %{loop} ]")
        to = self.let(f"getelementptr {IN_MEMORY[memory.kind]}, ptr {at}, i64 {i}")
        text = literal(value, memory.kind) if memory.kind != "i1" else str(int(value))
        self.put(f"store {IN_MEMORY[memory.kind]} {text}, ptr {to}")
        self.put(f"{i}.next = add i64 {i}, 1")
        more = self.let(f"icmp ult i64 {i}.next, {count}")
        self.put(f"br i1 {more}, label %{loop}, label %{after}")
        self.start(after)
