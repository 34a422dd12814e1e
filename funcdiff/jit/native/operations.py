"""One operation on numbers or vectors as a line of IR, and how its types and constants are written."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.jit.native.engine import LANES, runtime
from funcdiff.jit.native.functions import address, in_library, is_vectorised, symbol
from funcdiff.jit.native.inlining import template, written
from funcdiff.jit.native.nodes import Base, Node

TYPES = {"f64": "double", "f32": "float", "i64": "i64", "i1": "i1"}
IN_MEMORY = {"f64": "double", "f32": "float", "i64": "i64", "i1": "i8"}
SUFFIX = {"f64": "f64", "f32": "f32", "i64": "i64", "i1": "i8"}
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
    "fma": "fma",
}
_COMPARISONS = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
IDENTITY: dict[str, dict[str, Any]] = {
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


class Lines:
    """Lines of a function, and what it refers to: `declared`, and the addresses in `symbols`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.declared: dict[str, None] = {}
        self.symbols: dict[str, int] = {}
        self.number = 0
        self.block = "entry"
        self.room = 0  # for vector math that is written here, not called

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

    def shifted(self, pointer: str, by: int | str, lines: list[str] | None = None, of: str = "i8") -> str:
        """Return a pointer so many bytes, or elements, after another."""
        return pointer if str(by) == "0" else self.let(f"getelementptr {of}, ptr {pointer}, i64 {by}", lines)

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
        if base.at is not None:
            return str(base.at.text)
        return f"@{base.name}" if base.constant is not None else f"%{base.name}"

    def scalar(self, node: Node) -> str:
        """Return a number's text."""
        if node.op == "constant":
            return literal(node.detail, node.kind)
        assert node.text is not None, node
        return str(node.text)

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
            return self.let(f"{self.comparison(op, of)} {shown} {args[0]}, {args[1]}", lines)
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
        suffix = SUFFIX[of] if lanes == 1 else f"v{LANES}{SUFFIX[of]}"
        self.declare(f"declare {shown} @llvm.{name}.{suffix}({', '.join([shown] * len(args))})")
        return self.let(
            f"call {shown} @llvm.{name}.{suffix}({', '.join(f'{shown} {a}' for a in args)})", lines
        )

    @staticmethod
    def _zeros(lanes: int) -> str:
        return "0" if lanes == 1 else "zeroinitializer"

    @staticmethod
    def comparison(op: str, of: str) -> str:
        """Return the instruction of a comparison."""
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
            if lanes > 1 and self.room:
                found = template(name, kind)
                if found is not None and len(found[0]) <= self.room:
                    self.room -= len(found[0])
                    self.number += 1
                    body, result = written(found, f"f{self.number}", args)
                    lines += body
                    return result
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
        better = self.let(f"{self.comparison('ge' if name == 'max' else 'le', kind)} {shown} {x}, {y}", lines)
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

    def from_memory(self, x: str, kind: str, lines: list[str] | None = None) -> str:
        """Return what has been loaded as it is computed with: truth values are bytes in memory."""
        return self.let(f"icmp ne i8 {x}, 0", lines) if kind == "i1" else x

    def to_memory(self, x: str, kind: str) -> str:
        """Return a number, with its type, as it is stored."""
        return f"i8 {self.let(f'zext i1 {x} to i8')}" if kind == "i1" else f"{TYPES[kind]} {x}"
