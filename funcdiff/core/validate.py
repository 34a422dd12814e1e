"""What a legal tape is."""

from __future__ import annotations

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.primitive import Elementwise, Linear, LocallyConstant, Multilinear
from funcdiff.core.show import neighbourhood
from funcdiff.core.tape import Literal, Record, Tape, Variable, bodies


def check(tape: Tape) -> None:
    """Check a tape: every variable is defined once and before it is used, arities and types agree."""
    defined: dict[int, Variable] = {}
    for v in tape.inputs:
        if v.number in defined:
            raise errors.TapeError(f"tape {tape.name}: input {v} is defined twice")
        defined[v.number] = v
    for position, record in enumerate(tape.records):
        for body in bodies(record).values():
            check(body)
        problem = _problem(record, defined)
        if problem:
            raise errors.TapeError(f"tape {tape.name}: {problem}\n{neighbourhood(tape, position)}")
        defined.update((v.number, v) for v in record.outputs)
    for atom in tape.outputs:
        if isinstance(atom, Variable) and atom.number not in defined:
            raise errors.TapeError(f"tape {tape.name}: output {atom} is not defined")
    for guard in tape.guards:
        if guard.variable.number not in defined:
            raise errors.TapeError(f"tape {tape.name}: guard on {guard.variable}, which is not defined")
        if not 0 <= guard.position <= len(tape.records):
            raise errors.TapeError(f"tape {tape.name}: guard on {guard.variable} stands outside the tape")


def _problem(record: Record, defined: dict[int, Variable]) -> str:
    for atom in record.inputs:
        if isinstance(atom, Literal):
            continue
        if atom.number not in defined:
            return f"{atom} is used before it is defined"
        if defined[atom.number].type != atom.type:
            return f"{atom} is used as {atom.type} and defined as {defined[atom.number].type}"
    for v in record.outputs:
        if v.number in defined:
            return f"{v} is defined twice"
    if len(record.outputs) != 1 and not record.primitive.multiple_outputs:
        return f"{record.primitive.name} has one output, not {len(record.outputs)}"
    expected = arity(record)
    if expected is not None and len(record.inputs) != expected:
        return f"{record.primitive.name} takes {expected} inputs, not {len(record.inputs)}"
    if isinstance(record.primitive, Elementwise):
        return _elementwise_problem(record)
    return ""


def arity(record: Record) -> int | None:
    """Return how many array arguments a primitive takes, if that is fixed."""
    match record.primitive:
        case Elementwise(partials=partials):
            return len(partials)
        case Linear(variadic=False, transposes=rules) | Multilinear(variadic=False, transposes=rules):
            return len(rules)
        case LocallyConstant():
            return None
    return None


def _elementwise_problem(record: Record) -> str:
    import numpy as np

    shapes = [(type_of(a.value) if isinstance(a, Literal) else a.type).shape for a in record.inputs]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        return f"shapes {shapes} do not broadcast"
    if record.outputs[0].type.shape != shape:
        return (
            f"{record.outputs[0]} has shape {record.outputs[0].type.shape}, its inputs broadcast to {shape}"
        )
    return ""
