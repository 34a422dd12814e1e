"""Bodies of loops with ordinary products, and where a NaN is looked for.

Steps wait for each other, so what a product costs that keeps a zero zero is felt in loops most. While no value
that is watched holds a NaN, ordinary products give the same. One that is carried on by what the next step makes
of it is looked at only after the last step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from funcdiff.core.array_type import is_differentiable
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Tape, Variable, variables
from funcdiff.jit.passes.pipeline import optimise
from funcdiff.jit.passes.weakening import keeps_nan, ordinary, watched


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
    """Return a body with ordinary products; None if it has no others."""
    if not any(r.primitive is REGISTRY["scale"] for r in tape.records):
        return None
    plain, products = ordinary(tape)
    carried_numbers = (v.number for v in tape.inputs[:carries] if is_differentiable(v.type.dtype))
    suspect = {*products, *carried_numbers}  # integers are never NaN
    kept = len(plain.outputs)
    both = replace(plain, outputs=(*plain.outputs, *watched(plain, suspect)))
    both = optimise(both)
    found = [v for v in both.outputs[kept:] if isinstance(v, Variable)]
    passing = [_is_passed_on(both, v, kept) for v in both.inputs[:carries]]
    carried: dict[int, int] = {}
    for k, atom in enumerate(both.outputs[:carries]):
        if isinstance(atom, Variable) and passing[k]:
            carried[atom.number] = k
    always = [v for v in found if v.number not in carried]
    last = {carried[v.number] for v in found if v.number in carried}
    return Weak(replace(both, outputs=(*both.outputs[:kept], *always)), len(always), tuple(sorted(last)))


def _is_passed_on(tape: Tape, carry: Variable, kept: int) -> bool:
    """Tell whether a NaN that a step is given in a carry is seen in what the step makes of it."""
    readers = [r for r in tape.records if carry in r.inputs]
    returned = carry.number in {v.number for v in variables(tape.outputs[:kept])}
    return bool(readers) and not returned and all(keeps_nan(r.primitive) for r in readers)
