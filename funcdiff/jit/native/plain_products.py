"""Bodies of loops and long programs with ordinary products, and where a NaN is looked for.

Steps wait for each other, so what a product costs that keeps a zero zero is felt in loops most. While no value
that is watched holds a NaN, ordinary products give the same. One that is carried on by what the next step makes
of it is looked at only after the last step.

In a long program a product that keeps a zero zero is three lines instead of one, most of what there is to compile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from funcdiff.core.array_type import ArrayType, is_differentiable
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Guard, Record, Tape, Variable, variables
from funcdiff.jit.native.spaces import UNROLLED
from funcdiff.jit.passes.dead_code import drop_dead_code
from funcdiff.jit.passes.pipeline import optimise_for
from funcdiff.jit.passes.weakening import keeps_nan, ordinary, watched, weaken

LONG = 1000  # numbers that a program has names for


class Weak(NamedTuple):
    """A body with ordinary products.

    Attributes
    ----------
    tape : Tape
        The body; what is watched in every step follows its own outputs.
    every_step : int
        How many outputs these are.
    last : tuple of int
        The carries that are looked at after the last step.
    """

    tape: Tape
    every_step: int
    last: tuple[int, ...]


def weak_body(tape: Tape, carries: int) -> Weak | None:
    """Return a body, which has not been optimised, with ordinary products; None if it has no others."""
    tape = drop_dead_code(tape)
    if not any(r.primitive is REGISTRY["scale"] for r in tape.records):
        return None
    plain, products = ordinary(tape)
    carried_numbers = (v.number for v in tape.inputs[:carries] if is_differentiable(v.type.dtype))
    suspect = {*products, *carried_numbers}  # integers are never NaN
    kept = len(plain.outputs)
    both = replace(plain, outputs=(*plain.outputs, *watched(plain, suspect)))
    both = optimise_for(both, "native")
    found = [v for v in both.outputs[kept:] if isinstance(v, Variable)]
    readers: dict[int, list[Record]] = {}
    for record in both.records:
        for v in variables(record.inputs):
            readers.setdefault(v.number, []).append(record)
    returned = {v.number for v in variables(both.outputs[:kept])}
    # a NaN in a carry is seen in what the next step makes of it
    passing = [
        v.number in readers
        and v.number not in returned
        and all(keeps_nan(r.primitive) for r in readers[v.number])
        for v in both.inputs[:carries]
    ]
    carried: dict[int, int] = {}
    for k, atom in enumerate(both.outputs[:carries]):
        if isinstance(atom, Variable) and passing[k]:
            carried[atom.number] = k
    always = [v for v in found if v.number not in carried]
    last = {carried[v.number] for v in found if v.number in carried}
    return Weak(replace(both, outputs=(*both.outputs[:kept], *always)), len(always), tuple(sorted(last)))


def weak_program(tape: Tape) -> Tape:
    """Return a long program with ordinary products, and a guard that has seen no NaN; others as they are."""
    if not any(r.primitive is REGISTRY["scale"] for r in tape.records) or components(tape) <= LONG:
        return tape
    plain, watch = weaken(tape)
    records = list(plain.records)
    number = max(v.number for v in (*plain.inputs, *(v for r in records for v in r.outputs)))

    def entered(name: str, *inputs: Variable, **params: object) -> Variable:
        nonlocal number
        number += 1
        shape = () if name != "isnan" else inputs[0].type.shape
        out = Variable(number, ArrayType(shape, np.dtype(bool)))
        records.append(Record(REGISTRY[name], inputs, params, (out,)))
        return out

    seen: Variable | None = None
    for v in watch:
        missing = entered("isnan", v)
        if v.type.shape:
            missing = entered("any", missing, axis=tuple(range(len(v.type.shape))), keepdims=False)
        seen = missing if seen is None else entered("logical_or", seen, missing)
    if seen is None:
        return replace(plain, records=tuple(records))
    guard = Guard(seen, np.False_, len(records))
    return replace(plain, records=tuple(records), guards=(*plain.guards, guard))


def components(tape: Tape) -> int:
    """Return about how many numbers a program has names for: those of short axes, one for all along a long one."""
    sizes = [v.type for r in tape.records for v in r.outputs]
    return sum(t.size if t.size <= UNROLLED else min(t.size // max(t.shape), UNROLLED) for t in sizes)
