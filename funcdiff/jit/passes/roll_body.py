"""The body of a rolled loop: the records of one block, with what their operands are in any block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Literal, Record, Variable
from funcdiff.jit.passes.roll_blocks import Block
from funcdiff.jit.passes.roll_lines import Lines
from funcdiff.primitives.indexing import HOLE
from funcdiff.transforms.loops.body import Body, make_body

_int64, _bool = ArrayType((), np.dtype(np.int64)), ArrayType((), np.dtype(bool))


@dataclass
class Steps:
    """A body that is being written.

    Attributes
    ----------
    inputs : three lists of Variable
        Carries, invariants, elements of what is stacked.
    made : list of Variable
        The outputs of the block.
    carried : list of Variable
        What is handed on, per carry.
    """

    inputs: tuple[list[Variable], list[Variable], list[Variable]]
    made: list[Variable]
    records: list[Record]
    carried: list[Variable]
    fresh: int

    def variable(self, kind: ArrayType) -> Variable:
        """Return a new variable."""
        self.fresh += 1
        return Variable(self.fresh, kind)

    def apply(self, name: str, inputs: Sequence[Atom], kind: ArrayType, **params: Any) -> Variable:
        """Append a record of one output."""
        out = self.variable(kind)
        self.records.append(Record(REGISTRY[name], tuple(inputs), params, (out,)))
        return out

    def close(self, outputs: Sequence[Atom]) -> Body:
        """Return the body."""
        return make_body("steps", [v for part in self.inputs for v in part], self.records, outputs, ())


def body_of(
    lines: Lines,
    start: int,
    period: int,
    block: Block,
    keys: Sequence[tuple[int, int]],
    invariant: Sequence[Atom],
    stacked: Sequence[Atom],
    kinds: Sequence[ArrayType],
) -> Steps:
    """Write the records of a block, of carries with some keys and of what else the loop gets."""
    count = len(keys) + len(invariant) + len(stacked) + len(kinds)
    variables = iter(range(count))
    carries = [Variable(next(variables), kinds[q]) for q, _ in keys]
    same = [Variable(next(variables), type_of_atom(a)) for a in invariant]
    elements = [
        Variable(next(variables), ArrayType(k.shape[1:], k.dtype)) for k in map(type_of_atom, stacked)
    ]
    made = [Variable(next(variables), kind) for kind in kinds]
    carry_of = dict(zip(keys, carries, strict=True))
    steps = Steps((carries, same, elements), made, [], [], count)
    roles = iter(block.roles)
    output = 0
    for n in range(start, start + period):
        record = lines.tape.records[n]
        atoms: list[Atom] = []
        for k in range(int(lines.slots[n + 1] - lines.slots[n])):
            role, what = next(roles)
            match role:
                case "literal":
                    atoms.append(Literal(what))
                case "invariant":
                    atoms.append(same[what])
                case "inside":
                    atoms.append(made[what])
                case "carried":
                    atoms.append(carry_of[what])
                case "weak" if k < len(record.inputs):
                    atoms.append(_strengthened(steps, record, elements[what]))
                case _:  # an element, or an index
                    atoms.append(elements[what])
        outs = tuple(made[output : output + len(record.outputs)])
        output += len(record.outputs)
        steps.records.append(_step(record, atoms, lines.templates[n], outs))
    steps.carried += [made[q] if delay == 1 else carry_of[q, delay - 1] for q, delay in keys]
    return steps


def _strengthened(steps: Steps, record: Record, number: Variable) -> Variable:
    """Return a Python number that differs from block to block in the dtype that it takes in a record."""
    dtype = _dtype_met(record, number.type.dtype)
    return (
        number
        if dtype == number.type.dtype
        else steps.apply("astype", [number], ArrayType((), dtype), dtype=dtype)
    )


def answers_counted(
    steps: Steps, guards: Sequence[tuple[int, Any]]
) -> tuple[list[Literal], tuple[Variable, Variable]]:
    """Carry on for how many answers in a row control flow saw what is expected; return two outputs.

    They are whether there was no other answer yet, and the number; the answers expected that differ from step to
    step are returned first, as what is stacked.
    """
    going, number = steps.variable(_bool), steps.variable(_int64)
    steps.inputs[0].extend((going, number))
    stacked = []
    for output, expected in guards:
        answer = steps.made[output]
        if not expected.any():
            answer = steps.apply("logical_not", [answer], _bool)
        elif not expected.all():
            stacked.append(Literal(expected))
            steps.inputs[2].append(steps.variable(_bool))
            answer = steps.apply("equal", [answer, steps.inputs[2][-1]], _bool)
        going = steps.apply("logical_and", [going, answer], _bool)
        one = steps.apply("astype", [going], _int64, dtype=_int64.dtype)
        number = steps.apply("add", [number, one], _int64)
    return stacked, (going, number)


def _dtype_met(record: Record, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that a Python number of a kind takes in a record."""
    others = [a.type.dtype for a in record.inputs if isinstance(a, Variable)]
    dtype_met: np.dtype[Any] = np.result_type(*others, 0.0 if dtype.kind == "f" else 0)
    return dtype_met


def type_of_atom(atom: Atom) -> ArrayType:
    """Return the type of an atom."""
    return type_of(atom.value) if isinstance(atom, Literal) else atom.type


def _step(record: Record, atoms: list[Atom], template: Any, outs: tuple[Variable, ...]) -> Record:
    """Return a record of the body; an index that counts becomes an operand."""
    if template is None:
        return Record(record.primitive, tuple(atoms), record.params, outs, record.line)
    holes = sum(i is HOLE for i in template)
    operands, numbers = atoms[: len(atoms) - holes], atoms[len(atoms) - holes :]
    if all(isinstance(a, Literal) for a in numbers):
        return Record(record.primitive, tuple(operands), record.params, outs, record.line)
    full = [Literal(np.int64(a.value)) if isinstance(a, Literal) else a for a in numbers]
    if record.primitive is REGISTRY["getitem"]:
        return Record(REGISTRY["gather"], (*operands, *full), {"template": template}, outs, record.line)
    params = {"lenses": (), "template": template}
    return Record(REGISTRY["put"], (*operands, *full), params, outs, record.line)
