"""Stacks of small matrices are multiplied one by one again.

Batching makes one product with more rows of a stack by a matrix, as routines multiply large matrices best.  What is
small is multiplied in registers instead, in the loop over the stack that computes what is around it, where merged rows
would have to be in memory, before and after.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Record, Tape, Variable
from funcdiff.jit.passes.dead_code import drop_dead_code
from funcdiff.jit.passes.rewriting import kind

SMALL = 16  # elements of each matrix, which are numbers in registers


def keep_stacks(tape: Tape) -> Tape:
    """Return a tape without reshapes before and after products of small matrices, or the tape itself."""
    fresh = 1 + max(
        [v.number for v in tape.inputs] + [v.number for r in tape.records for v in r.outputs] + [0]
    )
    stacks: dict[int, Atom] = {}  # for merged rows, the stack
    replaced: dict[int, Atom] = {}
    records: list[Record] = []
    before = [0]  # how many records there are in the place of so many
    for record in tape.records:
        if any(isinstance(a, Variable) and a.number in replaced for a in record.inputs):
            inputs = tuple(replaced.get(a.number, a) if isinstance(a, Variable) else a for a in record.inputs)
            record = replace(record, inputs=inputs)
        if record.primitive is REGISTRY["reshape"]:
            (x,), (out,) = record.inputs, record.outputs
            stack = stacks.get(x.number) if isinstance(x, Variable) else None
            if stack is not None and kind(stack) == out.type:
                replaced[out.number] = stack
            elif _merges(kind(x).shape, out.type.shape):
                stacks[out.number] = x
        elif record.primitive is REGISTRY["matmul"]:
            a, b = record.inputs
            stack = stacks.get(a.number) if isinstance(a, Variable) else None
            if stack is not None and _is_small(kind(stack).shape[-2:], kind(b).shape):
                (out,) = record.outputs
                type_ = ArrayType((*kind(stack).shape[:-1], *kind(b).shape[1:]), out.type.dtype)
                product = Variable(fresh, type_)
                fresh += 1
                records.append(replace(record, inputs=(stack, b), outputs=(product,)))
                stacks[out.number] = product
        records.append(record)
        before.append(len(records))
    if not replaced:
        return tape
    outputs = tuple(replaced.get(a.number, a) if isinstance(a, Variable) else a for a in tape.outputs)
    guards = tuple(replace(g, position=before[g.position]) for g in tape.guards)
    return drop_dead_code(replace(tape, records=tuple(records), outputs=outputs, guards=guards))


def _merges(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    """Tell whether a reshape makes the rows of a stack of matrices those of one."""
    return len(shape) > 2 and into == (prod(shape[:-1]), shape[-1])


def _is_small(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    rows, inner = a
    columns = prod(b[1:])
    return len(b) <= 2 and max(rows * inner, inner * columns, rows * columns) <= SMALL
