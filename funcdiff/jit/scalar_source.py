"""Source of a scalar program on Python floats, which compute ten times faster than NumPy's scalars.

It stands for programs all of whose values have one element, of float64 or bool.  `math` raises where
NumPy answers inf or NaN; the program is then run as NumPy source.  Its functions differ from NumPy's in
the last digit at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Atom, Literal, Record, Tape, Variable
from funcdiff.jit.passes.rewriting import kind
from funcdiff.jit.source import Miss, Source

RAISED = (ZeroDivisionError, OverflowError, ValueError)

_FORMS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "scale": "{0} * {1} if {0} else 0.0",
    "negative": "-{}",
    "positive": "{}",
    "square": "{0} * {0}",
    "reciprocal": "1.0 / {}",
    "maximum": "{0} if {0} >= {1} or {0} != {0} else {1}",
    "minimum": "{0} if {0} <= {1} or {0} != {0} else {1}",
    "where": "{1} if {0} else {2}",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "equal": "{} == {}",
    "not_equal": "{} != {}",
    "logical_and": "bool({} and {})",
    "logical_or": "bool({} or {})",
    "logical_not": "not {}",
    "sum": "{}",
    "sum_to": "{}",
    "broadcast_to": "{}",
    "reshape": "{}",
    "transpose": "{}",
    "copy": "{}",
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "absolute": math.fabs,
    "arccos": math.acos,
    "arccosh": math.acosh,
    "arcsin": math.asin,
    "arcsinh": math.asinh,
    "arctan": math.atan,
    "arctan2": math.atan2,
    "arctanh": math.atanh,
    "cos": math.cos,
    "cosh": math.cosh,
    "exp": math.exp,
    "expm1": math.expm1,
    "hypot": math.hypot,
    "log": math.log,
    "log10": math.log10,
    "log1p": math.log1p,
    "log2": math.log2,
    "power": math.pow,
    "sin": math.sin,
    "sinh": math.sinh,
    "sqrt": math.sqrt,
    "tan": math.tan,
    "tanh": math.tanh,
}
_FLOAT, _BOOL = np.dtype(float), np.dtype(bool)
_LOGICAL = frozenset(
    [
        "less",
        "less_equal",
        "greater",
        "greater_equal",
        "equal",
        "not_equal",
        "logical_and",
        "logical_or",
        "logical_not",
    ]
)


def is_scalar(tape: Tape) -> bool:
    """Tell whether a tape can be written on Python floats."""
    if not tape.records or not all(_is_float(v.type) for v in tape.inputs):
        return False
    for record in tape.records:
        name, primitive = record.primitive.name, record.primitive
        if primitive.user_made or primitive.custom is not None or len(record.outputs) != 1:
            return False
        if name not in _FORMS and name not in _FUNCTIONS:
            return False
        out = record.outputs[0].type
        if out.size != 1 or out.dtype != (_BOOL if name in _LOGICAL else _FLOAT):
            return False
        if not all(_is_number(a) for a in record.inputs):
            return False
    return all(_is_float(kind(a)) for a in tape.outputs)


def _is_float(type_: ArrayType) -> bool:
    return type_.size == 1 and type_.dtype == _FLOAT


def _is_number(atom: Atom) -> bool:
    return kind(atom).size == 1 and kind(atom).dtype.kind in "fbi" and kind(atom).dtype.itemsize <= 8


def generate_scalar(tape: Tape, watched: Sequence[Variable] = ()) -> Source:
    """Write the source of a scalar tape."""
    names: dict[str, Any] = {"array": np.array, "float64": np.float64, "Miss": Miss}
    wanted = {v.number for v in watched}
    lines = [f"{v} = {v}.item()" for v in tape.inputs]
    guards = list(enumerate(tape.guards))

    def write_guards(position: int) -> None:
        while guards and guards[0][1].position <= position:
            index, guard = guards.pop(0)
            seen = np.asarray(guard.value).item()
            if seen != seen:
                test = f"{guard.variable} == {guard.variable}"
            else:
                names[f"seen{index}"] = seen
                test = f"{guard.variable} != seen{index}"
            lines.append(f"if {test}: return Miss({index}, {_boxed(guard.variable)})")

    lines += [f"if {v} != {v}: return None" for v in tape.inputs if v.number in wanted]
    for position, record in enumerate(tape.records):
        write_guards(position)
        out = record.outputs[0]
        lines.append(f"{out} = {_expression(record, names)}")
        if out.number in wanted:
            lines.append(f"if {out} != {out}: return None")
    write_guards(len(tape.records))
    results = [_boxed(a) if isinstance(a, Variable) else _boxed_literal(a, names) for a in tape.outputs]
    lines.append(f"return ({', '.join(results)}{',' if len(results) == 1 else ''})")
    body = "".join(f"        {line}\n" for line in lines)
    text = f"def make(*, {', '.join(names)}):\n    def run({', '.join(map(str, tape.inputs))}):\n{body}    return run\n"
    return Source(text, names, ())


def _expression(record: Record, names: dict[str, Any]) -> str:
    name = record.primitive.name
    operands = [_operand(a, names) for a in record.inputs]
    form = _FORMS.get(name)
    if form is not None:
        return form.format(*operands)
    names[name] = _FUNCTIONS[name]
    return f"{name}({', '.join(operands)})"


def _operand(atom: Atom, names: dict[str, Any]) -> str:
    if isinstance(atom, Variable):
        return str(atom)
    value = np.asarray(atom.value).item()
    value = value if type(value) is bool else float(value)
    if type(value) is bool or (math.isfinite(value) and math.copysign(1.0, value) > 0):
        return repr(value)
    return _constant(value, names)


def _constant(value: Any, names: dict[str, Any]) -> str:
    name = f"constant{len(names)}"
    names[name] = value
    return name


def _boxed(v: Variable) -> str:
    """Write a result as what NumPy would give."""
    if not v.type.shape:
        return f"float64({v})" if v.type.dtype == _FLOAT else str(v)
    dtype = "" if v.type.dtype == _FLOAT else ", bool"
    return f"array({'[' * len(v.type.shape)}{v}{']' * len(v.type.shape)}{dtype})"


def _boxed_literal(atom: Literal, names: dict[str, Any]) -> str:
    value = np.asarray(atom.value)[()]
    return _constant(value, names) + (".copy()" if value.shape else "")
