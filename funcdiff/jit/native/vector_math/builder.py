"""Formulas written in Python, LLVM IR out: values with operators, whose every use emits one instruction.

A function of vector math is a Python function ``f(b, x)`` of a :class:`Builder` and :class:`Value` arguments. It is
run once per lane count and its operators append instructions in static single assignment form, so the same formula
gives a scalar function and vectors of any width, equal bit for bit: arithmetic is strict (no fast-math flag) and a
fused multiply-add is used only where :meth:`Builder.fma` asks for it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcdiff.jit.native.vector_math.helpers import Helper

Number = float | int
Operand = "Value | float | int"

BITS = {"f64": 64, "f32": 32, "i64": 64, "i32": 32, "i1": 1}
SCALAR_TYPES = {"f64": "double", "f32": "float", "i64": "i64", "i32": "i32", "i1": "i1"}
INTEGER_OF = {"f64": "i64", "f32": "i32"}
FLOAT_OF = {"i64": "f64", "i32": "f32"}


def hexadecimal(x: float) -> str:
    """A floating constant as LLVM's text, exact."""
    return f"0x{struct.unpack('>Q', struct.pack('>d', x))[0]:016X}"


class Value:
    """One SSA value: a floating, integer or truth-value vector (a scalar when the builder has one lane)."""

    __slots__ = ("builder", "kind", "text")

    def __init__(self, builder: Builder, kind: str, text: str) -> None:
        self.builder, self.kind, self.text = builder, kind, text

    def __add__(self, other: Value | Number) -> Value:
        return self.builder.arithmetic("add", self, other)

    def __radd__(self, other: Value | Number) -> Value:
        return self.builder.arithmetic("add", other, self)

    def __sub__(self, other: Value | Number) -> Value:
        return self.builder.arithmetic("sub", self, other)

    def __rsub__(self, other: Value | Number) -> Value:
        return self.builder.arithmetic("sub", other, self)

    def __mul__(self, other: Value | Number) -> Value:
        return self.builder.arithmetic("mul", self, other)

    def __rmul__(self, other: Value | Number) -> Value:
        return self.builder.arithmetic("mul", other, self)

    def __truediv__(self, other: Value | Number) -> Value:
        return self.builder.arithmetic("div", self, other)

    def __rtruediv__(self, other: Value | Number) -> Value:
        return self.builder.arithmetic("div", other, self)

    def __neg__(self) -> Value:
        return self.builder.emit(self.kind, f"fneg {self.builder.type(self.kind)} {self.text}")

    def __abs__(self) -> Value:
        return self.builder.intrinsic("fabs", self)

    def __lt__(self, other: Value | Number) -> Value:
        return self.builder.compare("lt", self, other)

    def __le__(self, other: Value | Number) -> Value:
        return self.builder.compare("le", self, other)

    def __gt__(self, other: Value | Number) -> Value:
        return self.builder.compare("gt", self, other)

    def __ge__(self, other: Value | Number) -> Value:
        return self.builder.compare("ge", self, other)

    def equals(self, other: Value | Number) -> Value:
        """Truth values of ``self == other`` (false for NaN)."""
        return self.builder.compare("eq", self, other)

    def differs(self, other: Value | Number) -> Value:
        """Truth values of ``self != other`` (true for NaN)."""
        return self.builder.compare("ne", self, other)

    def is_nan(self) -> Value:
        """Truth values of ``isnan(self)``."""
        return self.builder.compare("uno", self, self)

    def __and__(self, other: Value | Number) -> Value:
        return self.builder.binary("and", self, other)

    def __or__(self, other: Value | Number) -> Value:
        return self.builder.binary("or", self, other)

    def __xor__(self, other: Value | Number) -> Value:
        return self.builder.binary("xor", self, other)

    def __invert__(self) -> Value:
        return self.builder.binary("xor", self, -1 if self.kind != "i1" else True)

    def __lshift__(self, count: int) -> Value:
        return self.builder.binary("shl", self, count)

    def __rshift__(self, count: int) -> Value:
        """Shift right, zeros coming in."""
        return self.builder.binary("lshr", self, count)


class Builder:
    """The body of one function of ``lanes`` lanes, as a list of instructions.

    An instruction that was emitted before is not emitted again, so formulas may be written without caring for
    common subexpressions.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.lines = ["entry:"]
        self.requirements: list[tuple[Helper, int]] = []  # and for how many lanes
        self._known: dict[str, Value] = {}
        self._block = "entry"
        self._count = 0

    # Types and constants

    def type(self, kind: str) -> str:
        """LLVM's name of a value's type."""
        scalar = SCALAR_TYPES[kind]
        return scalar if self.lanes == 1 else f"<{self.lanes} x {scalar}>"

    def constant(self, kind: str, number: Number) -> Value:
        """The same number in all lanes."""
        if kind == "i1":
            text = "true" if number else "false"
        elif kind in FLOAT_OF:
            text = str(int(number))
        else:
            text = hexadecimal(struct.unpack("f", struct.pack("f", number))[0] if kind == "f32" else number)
        return Value(self, kind, text if self.lanes == 1 else f"splat ({SCALAR_TYPES[kind]} {text})")

    def lift(self, kind: str, operand: Value | Number) -> Value:
        """An operand as a value of a kind; numbers become constants."""
        if not isinstance(operand, Value):
            return self.constant(kind, operand)
        if operand.kind != kind:
            raise TypeError(f"an operand of kind {kind} was expected, not {operand.kind}")
        return operand

    # Instructions

    def emit(self, kind: str, instruction: str) -> Value:
        """Append an instruction unless its value is there already."""
        value = self._known.get(instruction)
        if value is None:
            value = self._known[instruction] = Value(self, kind, self.line(instruction))
        return value

    def _name(self) -> str:
        self._count += 1
        return f"%v{self._count}"

    def binary(self, operation: str, a: Value | Number, b: Value | Number) -> Value:
        """An instruction of two operands of one kind."""
        kind = a.kind if isinstance(a, Value) else b.kind  # type: ignore[union-attr]
        a, b = self.lift(kind, a), self.lift(kind, b)
        return self.emit(kind, f"{operation} {self.type(kind)} {a.text}, {b.text}")

    def arithmetic(self, operation: str, a: Value | Number, b: Value | Number) -> Value:
        """Sum, difference, product or quotient of floating or integer operands."""
        kind = a.kind if isinstance(a, Value) else b.kind  # type: ignore[union-attr]
        return self.binary(operation if kind in FLOAT_OF else f"f{operation}", a, b)

    def compare(self, relation: str, a: Value, b: Value | Number) -> Value:
        """Truth values of a relation: false for NaN, except that NaN differs from everything."""
        b = self.lift(a.kind, b)
        if a.kind in FLOAT_OF:
            predicate = relation if relation in ("eq", "ne") else f"s{relation}"
            return self.emit("i1", f"icmp {predicate} {self.type(a.kind)} {a.text}, {b.text}")
        predicate = {"ne": "une", "uno": "uno"}.get(relation, f"o{relation}")
        return self.emit("i1", f"fcmp {predicate} {self.type(a.kind)} {a.text}, {b.text}")

    def select(self, condition: Value, yes: Value | Number, no: Value | Number) -> Value:
        """``yes`` where the condition holds, else ``no``; two numbers are of float64."""
        kind = next((operand.kind for operand in (yes, no) if isinstance(operand, Value)), "f64")
        yes, no = self.lift(kind, yes), self.lift(kind, no)
        of = self.type(kind)
        return self.emit(kind, f"select {self.type('i1')} {condition.text}, {of} {yes.text}, {of} {no.text}")

    def intrinsic(self, name: str, *operands: Value) -> Value:
        """A call of ``llvm.<name>`` on operands of one kind (LLVM declares intrinsics by itself)."""
        kind = operands[0].kind
        suffix = kind if self.lanes == 1 else f"v{self.lanes}{kind}"
        arguments = ", ".join(f"{self.type(kind)} {operand.text}" for operand in operands)
        return self.emit(kind, f"call {self.type(kind)} @llvm.{name}.{suffix}({arguments})")

    def _cast(self, operation: str, a: Value, kind: str) -> Value:
        return self.emit(kind, f"{operation} {self.type(a.kind)} {a.text} to {self.type(kind)}")

    def bits(self, x: Value) -> Value:
        """The representation of a floating value as an integer of the same size."""
        return self._cast("bitcast", x, INTEGER_OF[x.kind])

    def from_bits(self, i: Value) -> Value:
        """The floating value with this representation."""
        return self._cast("bitcast", i, FLOAT_OF[i.kind])

    def widen(self, x: Value) -> Value:
        """A float32 value as float64, exactly."""
        return self._cast("fpext", x, "f64")

    def narrow(self, x: Value) -> Value:
        """A float64 value rounded to float32."""
        return self._cast("fptrunc", x, "f32")

    # Formulas

    def fma(self, a: Value | Number, x: Value | Number, c: Value | Number) -> Value:
        """``a * x + c`` rounded once."""
        kind = next(operand.kind for operand in (a, x, c) if isinstance(operand, Value))
        return self.intrinsic("fma", *(self.lift(kind, operand) for operand in (a, x, c)))

    def horner(self, x: Value, coefficients: Sequence[float]) -> Value:
        """``sum(c * x**k for k, c in enumerate(coefficients))`` by Horner's rule: the fewest operations."""
        result = self.constant(x.kind, coefficients[-1])
        for c in reversed(coefficients[:-1]):
            result = self.fma(result, x, c)
        return result

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """The same by Estrin's scheme: halves joined by powers x², x⁴, … so that the chain of waiting is short."""
        terms: list[Value | Number] = list(coefficients)
        power = x
        while len(terms) > 1:
            pairs = range(0, len(terms) - 1, 2)
            joined: list[Value | Number] = [self.fma(terms[k + 1], power, terms[k]) for k in pairs]
            terms = joined + terms[len(terms) & ~1 :]
            if len(terms) > 1:
                power = power * power
        return self.lift(x.kind, terms[0])

    def sqrt(self, x: Value) -> Value:
        """The correctly rounded square root."""
        return self.intrinsic("sqrt", x)

    def copysign(self, x: Value | Number, sign: Value) -> Value:
        """The magnitude of ``x`` with the sign bit of ``sign``."""
        return self.intrinsic("copysign", self.lift(sign.kind, x), sign)

    def two_sum(self, a: Value | Number, b: Value) -> tuple[Value, Value]:
        """``a + b`` as a rounded sum and its exact error (Knuth)."""
        total = a + b
        b_part = total - a
        return total, (a - (total - b_part)) + (b - b_part)

    def fast_two_sum(self, a: Value | Number, b: Value) -> tuple[Value, Value]:
        """The same where the exponent of ``a`` is not below that of ``b`` (Dekker)."""
        total = a + b
        return total, b - (total - a)

    def two_product(self, a: Value, b: Value | Number) -> tuple[Value, Value]:
        """``a * b`` as a rounded product and its exact error."""
        product = a * b
        return product, self.fma(a, b, -product)

    # Lanes and blocks

    def rarely(
        self, condition: Value, usual: Sequence[Value], otherwise: Callable[[], Sequence[Value]]
    ) -> list[Value]:
        """The usual values, except in lanes where the condition holds.

        The other way is computed only when some lane needs it, so it may be slow.
        """
        some = condition.text
        if self.lanes > 1:
            some = self.line(f"call i1 @llvm.vector.reduce.or.v{self.lanes}i1({self.type('i1')} {some})")
        self._count += 1
        here, slow, join = self._block, f"rare{self._count}", f"join{self._count}"
        known = dict(self._known)
        self.lines += [f"  br i1 {some}, label %{slow}, label %{join}", f"{slow}:"]
        self._block = slow
        others = [
            self.select(condition, other, value) for other, value in zip(otherwise(), usual, strict=True)
        ]
        self.lines += [f"  br label %{join}", f"{join}:"]
        came_from, self._block, self._known = self._block, join, known
        results = []
        for value, other in zip(usual, others, strict=True):
            ways = f"[ {value.text}, %{here} ], [ {other.text}, %{came_from} ]"
            results.append(Value(self, value.kind, self.line(f"phi {self.type(value.kind)} {ways}")))
        return results

    def line(self, instruction: str) -> str:
        """Append an instruction and return the name of its value."""
        name = self._name()
        self.lines.append(f"  {name} = {instruction}")
        return name
