"""The IR text of a kernel: its groups in order, each a loop nest on vectors, or straight code on numbers."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from funcdiff.jit.native import blas
from funcdiff.jit.native.engine import ARENA, LANES, runtime
from funcdiff.jit.native.functions import address, in_library, is_vectorised, symbol
from funcdiff.jit.native.nodes import BYTES, Accumulation, Base, Call, Group, Memory, Node, Reduction, Store

PAIRWISE = "; needs "
BLOCK = 4096  # elements whose sum is one number of the pairwise sum; does not depend on the machine
STACK = 1 << 14  # bytes of temporaries up to which they lie on the stack
ALIGNMENT = 64

TYPES = {"f64": "double", "f32": "float", "i64": "i64", "i1": "i1"}
IN_MEMORY = {"f64": "double", "f32": "float", "i64": "i64", "i1": "i8"}
_SUFFIX = {"f64": "f64", "f32": "f32", "i64": "i64", "i1": "i8"}
_IOTA = ", ".join(f"i64 {n}" for n in range(LANES))
_FLOAT_OPS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTEGER_OPS = {"add": "add", "sub": "sub", "mul": "mul"}
_INTRINSICS = {
    "sqrt": "sqrt",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "rint": "rint",
    "abs": "fabs",
    "copysign": "copysign",
}
_COMPARISONS = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_IDENTITY: dict[str, dict[str, Any]] = {
    "sum": {"f64": 0.0, "f32": 0.0, "i64": 0},
    "prod": {"f64": 1.0, "f32": 1.0, "i64": 1},
    "max": {"f64": -math.inf, "f32": -math.inf, "i64": -(2**63), "i1": False},
    "min": {"f64": math.inf, "f32": math.inf, "i64": 2**63 - 1, "i1": True},
}


def literal(value: Any, kind: str) -> str:
    """Write a constant."""
    if kind == "i1":
        return "true" if value else "false"
    if kind == "i64":
        return str(int(value))
    if kind == "f32":
        value = float(np.float32(value))
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def vector(kind: str, of: dict[str, str] = TYPES) -> str:
    """Return the type of a vector."""
    return f"<{LANES} x {of[kind]}>"


class Emitter:
    """Writes one kernel."""

    def __init__(self, name: str, groups: Sequence[Group], bases: Sequence[Base], arena: int) -> None:
        self.kernel = name
        self.groups = groups
        self.bases = bases
        self.arena = arena
        self.lines: list[str] = []
        self.declared: dict[str, None] = {}
        self.symbols: dict[str, int] = {}
        self.number = 0
        self.block = "entry"
        self.guards = 0
        self.work = 0

    # --- the whole -------------------------------------------------------------------------------

    def emit(self) -> str:
        """Return the text of the kernel; what it refers to stands in `declared` after that."""
        self._memory()
        for group in self.groups:
            if group.space:
                _Loops(self, group).emit()
            else:
                self._straight(group)
        self.put("br label %done")
        self.lines.append("done:")
        code = "0"
        if self.guards:
            self.put("br label %leave")
            self.lines += ["guarded:", "  br label %leave", "leave:"]
            self.put("%code = phi i32 [ 0, %done ], [ 1, %guarded ]")
            code = "%code"
        self._release()
        self.put(f"ret i32 {code}")
        body = "\n".join(self.lines)
        head = f"define i32 @{self.kernel}(ptr noalias %pointers) {{\nentry:\n"
        for base in self.bases:
            if base.constant is not None:
                self.declare(f"@{base.name} = external global i8")
        if self.arena > STACK:
            self.declare(f"@{self.kernel}.{ARENA} = global ptr null")
        return f"{head}{body}\n}}\n"

    def _memory(self) -> None:
        for base in self.bases:
            if base.place >= 0:
                at = self.let(f"getelementptr ptr, ptr %pointers, i64 {base.place}")
                self.put(f"%{base.name} = load ptr, ptr {at}")
        if not self.arena:
            return
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
            self.put("br i1 %no.memory, label %failed, label %have")
            self.lines.append("failed:")
            self.put("ret i32 2")
            self.lines.append("have:")
            self.put("%raw = phi ptr [ %kept, %entry ], [ %new, %allocate ]")
            self.put("%raw.int = ptrtoint ptr %raw to i64")
            self.put(f"%raw.up = add i64 %raw.int, {ALIGNMENT - 1}")
            self.put(f"%raw.aligned = and i64 %raw.up, -{ALIGNMENT}")
            self.put("%arena = inttoptr i64 %raw.aligned to ptr")
            self.block = "have"
        for base in self.bases:
            if base.place < 0 and base.constant is None:
                self.put(f"%{base.name} = getelementptr i8, ptr %arena, i64 {base.start}")

    def _release(self) -> None:
        if self.arena > STACK:
            self.put(f"%other = atomicrmw xchg ptr @{self.kernel}.{ARENA}, ptr %raw seq_cst")
            self.put("call void @free(ptr %other)")

    # --- lines -----------------------------------------------------------------------------------

    def put(self, line: str) -> None:
        """Add a line."""
        self.lines.append(f"  {line}")

    def name(self) -> str:
        """Return a new name."""
        self.number += 1
        return f"%v{self.number}"

    def let(self, value: str, lines: list[str] | None = None) -> str:
        """Give a value a name."""
        self.number += 1
        name = f"%v{self.number}"
        (self.lines if lines is None else lines).append(f"  {name} = {value}")
        return name

    def label(self, hint: str) -> str:
        """Return a new label."""
        self.number += 1
        return f"{hint}{self.number}"

    def start(self, label: str) -> None:
        """Start a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def declare(self, line: str) -> None:
        """Declare a function, once."""
        self.declared[line] = None

    def pointer(self, base: Base) -> str:
        """Return the name of a pointer."""
        return f"@{base.name}" if base.constant is not None else f"%{base.name}"

    # --- operations ------------------------------------------------------------------------------

    def operation(self, node: Node, args: Sequence[str], lanes: int, lines: list[str]) -> str:
        """Write an operation on operands that are written already."""
        op, kind = node.op, node.kind
        of = node.args[0].kind if node.args else kind
        shown = TYPES[of] if lanes == 1 else vector(of)
        if op in _FLOAT_OPS:
            name = _FLOAT_OPS[op] if of in ("f64", "f32") else _INTEGER_OPS[op]
            return self.let(f"{name} {shown} {args[0]}, {args[1]}", lines)
        if op in ("and", "or", "xor"):
            return self.let(f"{op} {shown} {args[0]}, {args[1]}", lines)
        if op in _COMPARISONS:
            return self.let(f"{self._comparison(op, of)} {shown} {args[0]}, {args[1]}", lines)
        match op:
            case "neg":
                if of == "i64":
                    return self.let(f"sub {shown} {self._zeros(lanes)}, {args[0]}", lines)
                return self.let(f"fneg {shown} {args[0]}", lines)
            case "select":
                truth = "i1" if lanes == 1 else vector("i1")
                shown = TYPES[kind] if lanes == 1 else vector(kind)
                return self.let(f"select {truth} {args[0]}, {shown} {args[1]}, {shown} {args[2]}", lines)
            case "abs" if of == "i64":
                suffix = "i64" if lanes == 1 else f"v{LANES}i64"
                self.declare(f"declare {shown} @llvm.abs.{suffix}({shown}, i1)")
                return self.let(f"call {shown} @llvm.abs.{suffix}({shown} {args[0]}, i1 false)", lines)
            case "convert":
                return self._convert(of, kind, args[0], lanes, lines)
            case "call":
                return self._call(node.detail, kind, args, lanes, lines)
        name = _INTRINSICS[op]
        suffix = _SUFFIX[of] if lanes == 1 else f"v{LANES}{_SUFFIX[of]}"
        self.declare(f"declare {shown} @llvm.{name}.{suffix}({', '.join([shown] * len(args))})")
        return self.let(
            f"call {shown} @llvm.{name}.{suffix}({', '.join(f'{shown} {a}' for a in args)})", lines
        )

    @staticmethod
    def _zeros(lanes: int) -> str:
        return "0" if lanes == 1 else "zeroinitializer"

    @staticmethod
    def _comparison(op: str, of: str) -> str:
        if of in ("f64", "f32"):
            return f"fcmp {_COMPARISONS[op]}"
        if op in ("eq", "ne"):
            return f"icmp {op}"
        return f"icmp {'u' if of == 'i1' else 's'}{op}"

    def _convert(self, of: str, to: str, x: str, lanes: int, lines: list[str]) -> str:
        a, b = (TYPES[of], TYPES[to]) if lanes == 1 else (vector(of), vector(to))
        match of, to:
            case "f32", "f64":
                name = "fpext"
            case "f64", "f32":
                name = "fptrunc"
            case "i1", "i64":
                name = "zext"
            case "i1", _:
                name = "uitofp"
            case "i64", "f64" | "f32":
                name = "sitofp"
            case _:
                raise KeyError(f"{of} to {to}")
        return self.let(f"{name} {a} {x} to {b}", lines)

    def _call(self, name: str, kind: str, args: Sequence[str], lanes: int, lines: list[str]) -> str:
        if is_vectorised(name, kind):
            shown = TYPES[kind] if lanes == 1 else vector(kind)
            called = symbol(name, kind, lanes)
            self.symbols[called] = address(name, kind, lanes)
            self.declare(f"declare {shown} @{called}({', '.join([shown] * len(args))})")
            return self.let(f"call {shown} @{called}({', '.join(f'{shown} {a}' for a in args)})", lines)
        called = in_library(name, kind)
        scalar = TYPES[kind]
        self.symbols[called] = runtime(called) or 0
        self.declare(f"declare {scalar} @{called}({', '.join([scalar] * len(args))})")
        if lanes == 1:
            return self.let(f"call {scalar} @{called}({', '.join(f'{scalar} {a}' for a in args)})", lines)
        shown, result = vector(kind), "poison"
        for lane in range(LANES):
            parts = [self.let(f"extractelement {shown} {a}, i32 {lane}", lines) for a in args]
            one = self.let(f"call {scalar} @{called}({', '.join(f'{scalar} {a}' for a in parts)})", lines)
            result = self.let(f"insertelement {shown} {result}, {scalar} {one}, i32 {lane}", lines)
        return result

    def combine(self, name: str, kind: str, x: str, y: str, lanes: int, lines: list[str]) -> str:
        """Write a step of a reduction."""
        shown = (
            TYPES[kind] if lanes == 1 else vector(kind) if lanes == LANES else f"<{lanes} x {TYPES[kind]}>"
        )
        floating = kind in ("f64", "f32")
        if name in ("sum", "prod"):
            op = ("f" if floating else "") + ("add" if name == "sum" else "mul")
            return self.let(f"{op} {shown} {x}, {y}", lines)
        if kind == "i1":
            return self.let(f"{'or' if name == 'max' else 'and'} {shown} {x}, {y}", lines)
        better = self.let(
            f"{self._comparison('ge' if name == 'max' else 'le', kind)} {shown} {x}, {y}", lines
        )
        if floating:  # a NaN stays
            missing = self.let(f"fcmp uno {shown} {x}, {x}", lines)
            truth = "i1" if lanes == 1 else f"<{lanes} x i1>"
            better = self.let(f"or {truth} {better}, {missing}", lines)
        truth = "i1" if lanes == 1 else f"<{lanes} x i1>"
        return self.let(f"select {truth} {better}, {shown} {x}, {shown} {y}", lines)

    def horizontal(self, name: str, kind: str, x: str) -> str:
        """Reduce the lanes of a vector, always in the same order."""
        lanes, lines = LANES, self.lines
        while lanes > 1:
            half = lanes // 2
            low = ", ".join(f"i32 {n}" for n in range(half))
            high = ", ".join(f"i32 {n}" for n in range(half, lanes))
            shown = f"<{lanes} x {TYPES[kind]}>"
            if half == 1:
                a = self.let(f"extractelement {shown} {x}, i32 0")
                b = self.let(f"extractelement {shown} {x}, i32 1")
            else:
                a = self.let(f"shufflevector {shown} {x}, {shown} poison, <{half} x i32> <{low}>")
                b = self.let(f"shufflevector {shown} {x}, {shown} poison, <{half} x i32> <{high}>")
            x = self.combine(name, kind, a, b, half, lines)
            lanes = half
        return x

    # --- straight code ---------------------------------------------------------------------------

    def _straight(self, group: Group) -> None:
        self.work += len(group.nodes)
        for node in group.nodes:
            if node.op == "reduced" or node.text is not None:
                continue
            if node.op == "load":
                memory, offset, _ = node.detail
                at = self.let(
                    f"getelementptr i8, ptr {self.pointer(memory.base)}, i64 {memory.offset + offset}"
                )
                node.text = self.from_memory(self.let(f"load {IN_MEMORY[node.kind]}, ptr {at}"), node.kind)
                continue
            node.text = self.operation(node, [self.scalar(a) for a in node.args], 1, self.lines)
        for memory, value in group.fills:
            self.fill(memory, value)
        for store in group.stores:
            at = self.let(
                f"getelementptr i8, ptr {self.pointer(store.memory.base)}, i64 {store.memory.offset + store.offset}"
            )
            self.put(f"store {self.to_memory(self.scalar(store.node), store.node.kind)}, ptr {at}")
        for node, value in group.guards:
            self._guard(node, value)
        for call in group.calls:
            self._blas(call)

    def _blas(self, call: Call) -> None:
        """Call a routine on memory; leave where it says that NumPy raises an error."""
        arguments = []
        for a in call.arguments:
            if isinstance(a, str):
                arguments.append(a)
            else:
                base, offset = a
                arguments.append(
                    f"ptr {self.let(f'getelementptr i8, ptr {self.pointer(base)}, i64 {offset}')}"
                )
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

    def scalar(self, node: Node) -> str:
        """Return a number's text."""
        if node.op == "constant":
            return literal(node.detail, node.kind)
        assert node.text is not None, node
        return str(node.text)

    def from_memory(self, x: str, kind: str, lines: list[str] | None = None) -> str:
        """Return what has been loaded as it is computed with: truth values are bytes in memory."""
        return self.let(f"icmp ne i8 {x}, 0", lines) if kind == "i1" else x

    def to_memory(self, x: str, kind: str) -> str:
        """Return a number, with its type, as it is stored."""
        return f"i8 {self.let(f'zext i1 {x} to i8')}" if kind == "i1" else f"{TYPES[kind]} {x}"

    def _guard(self, node: Node, value: Any) -> None:
        """Leave where a guard does not see what it saw when the program was recorded."""
        self.guards += 1
        text, kind = self.scalar(node), node.kind
        if kind == "i1":
            holds = text if value else self.let(f"xor i1 {text}, true")
        elif value != value:
            holds = self.let(f"fcmp uno {TYPES[kind]} {text}, {text}")
        else:
            holds = self.let(f"{self._comparison('eq', kind)} {TYPES[kind]} {text}, {literal(value, kind)}")
        label = self.label("held")
        self.put(f"br i1 {holds}, label %{label}, label %guarded")
        self.start(label)

    def fill(self, memory: Memory, value: Any) -> None:
        """Set all of a block of memory that is contiguous to one number."""
        count = math.prod(memory.shape)
        at = self.let(f"getelementptr i8, ptr {self.pointer(memory.base)}, i64 {memory.offset}")
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


class _Loops:
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
        self.masked = self.length % LANES != 0
        over_lanes = bool(group.reductions) or any(a.over >> self.last & 1 for a in group.accumulations)
        self.blocks = -(-self.length // BLOCK) if over_lanes else 1
        self.mask: str | None = None

    def emit(self) -> None:
        out, group = self.out, self.group
        out.work += len(group.nodes) * group.size
        for memory, value in group.fills:
            out.fill(memory, value)
        if not group.size:
            for reduction in group.reductions:
                identity = _IDENTITY[reduction.name][reduction.node.kind]
                reduction.result.text = literal(identity, reduction.node.kind)
            return
        inner = self.by_depth[-1]
        if self.masked:
            lanes = out.let(f"insertelement <{LANES} x i64> poison, i64 {self.index[-1]}, i32 0", inner)
            lanes = out.let(
                f"shufflevector <{LANES} x i64> {lanes}, <{LANES} x i64> poison, <{LANES} x i32> zeroinitializer",
                inner,
            )
            lanes = out.let(f"add <{LANES} x i64> {lanes}, <{_IOTA}>", inner)
            self.mask = out.let(f"icmp ult <{LANES} x i64> {lanes}, splat (i64 {self.length})", inner)
        for node in group.nodes:
            self._node(node)
        for store in group.stores:
            self._store(store)
        carried = self._carried()
        in_memory = [a for a in group.accumulations if not a.over >> self.last & 1]
        for accumulation in in_memory:
            self._accumulate(accumulation)
        self._nest(carried)

    # --- nodes -----------------------------------------------------------------------------------

    def depth(self, node: Node) -> int:
        """Return how many loops stand around a node."""
        return node.axes.bit_length() if node.group is self.group else 0

    def is_vector(self, node: Node) -> bool:
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
        suffix = f"v{LANES}{_SUFFIX[kind]}"
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
        suffix, truth = f"v{LANES}{_SUFFIX[kind]}", vector("i1")
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

    def _carried(self) -> list[tuple[Reduction | Accumulation, str, str]]:
        """Write the steps of what is reduced over the inner loop; return (what, accumulator, its next value)."""
        found: list[tuple[Reduction | Accumulation, str, str]] = []
        out, lines = self.out, self.by_depth[-1]
        over_lanes = [a for a in self.group.accumulations if a.over >> self.last & 1]
        carried: list[Reduction | Accumulation] = [*self.group.reductions, *over_lanes]
        for one in carried:
            name = out.name()
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

    def _nest(self, carried: list[tuple[Reduction | Accumulation, str, str]]) -> None:
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
        start, end = "0", str(self.length)
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
            end = out.let(f"select i1 {cut}, i64 {start}.next, i64 {self.length}")
        self._inner(carried, start, end)
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

    def _inner(self, carried: list[tuple[Reduction | Accumulation, str, str]], start: str, end: str) -> None:
        out, i = self.out, self.index[-1]
        before, loop, after = out.block, f"{self.id}.inner", f"{self.id}.after"
        out.put(f"br label %{loop}")
        out.start(loop)
        out.put(f"{i} = phi i64 [ {start}, %{before} ], [ {i}.next, %{loop} ]")
        for one, name, following in carried:
            identity = literal(_IDENTITY[one.name][one.node.kind], one.node.kind)
            splat = f"splat ({TYPES[one.node.kind]} {identity})"
            out.put(f"{name} = phi {vector(one.node.kind)} [ {splat}, %{before} ], [ {following}, %{loop} ]")
        out.lines += self.by_depth[-1]
        out.put(f"{i}.next = add i64 {i}, {LANES}")
        more = out.let(f"icmp ult i64 {i}.next, {end}")
        out.put(f"br i1 {more}, label %{loop}, label %{after}")
        out.start(after)

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


def declarations(declared: Iterable[str]) -> str:
    """Write what kernels declare, once each, and the functions that combine the numbers of blocks."""
    text = []
    for line in dict.fromkeys(declared):
        if line.startswith(PAIRWISE):
            name, kind = line.rsplit(".", 2)[1:]
            text.append(_pairwise(name, kind))
        else:
            text.append(line + "\n")
    return "".join(text)


def _pairwise(name: str, kind: str) -> str:
    shown = IN_MEMORY[kind]
    scratch = Emitter("", (), (), 0)
    lines: list[str] = []
    a = scratch.from_memory("%a", kind, lines)
    b = scratch.from_memory("%b", kind, lines)
    c = scratch.combine(name, kind, a, b, 1, lines)
    if kind == "i1":
        c = scratch.let(f"zext i1 {c} to i8", lines)
    steps = "\n".join(lines)
    return f"""
define internal {shown} @fd.pairwise.{name}.{kind}(ptr %x, i64 %count) noinline {{
entry:
  br label %round
round:
  %n = phi i64 [ %count, %entry ], [ %n.next, %rounded ]
  %many = icmp ugt i64 %n, 1
  br i1 %many, label %some, label %one
some:
  %half = lshr i64 %n, 1
  br label %pair
pair:
  %i = phi i64 [ 0, %some ], [ %i.next, %pair ]
  %two = shl i64 %i, 1
  %a.at = getelementptr {shown}, ptr %x, i64 %two
  %b.at = getelementptr {shown}, ptr %a.at, i64 1
  %a = load {shown}, ptr %a.at
  %b = load {shown}, ptr %b.at
{steps}
  %c.at = getelementptr {shown}, ptr %x, i64 %i
  store {shown} {c}, ptr %c.at
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %half
  br i1 %more, label %pair, label %paired
paired:
  %odd = and i64 %n, 1
  %is.odd = icmp ne i64 %odd, 0
  br i1 %is.odd, label %rest, label %rounded
rest:
  %last.i = sub i64 %n, 1
  %last.at = getelementptr {shown}, ptr %x, i64 %last.i
  %last = load {shown}, ptr %last.at
  %to = getelementptr {shown}, ptr %x, i64 %half
  store {shown} %last, ptr %to
  br label %rounded
rounded:
  %n.next = add i64 %half, %odd
  br label %round
one:
  %result = load {shown}, ptr %x
  ret {shown} %result
}}
"""
