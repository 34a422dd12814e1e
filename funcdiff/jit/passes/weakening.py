"""Products that keep a zero zero become ordinary ones, with checks that find where that matters.

Derivatives are recorded with `scale`, for which 0 times anything is 0.  An ordinary product differs
only by a NaN.  So the products are made ordinary, as the eager sweeps do, and one value downstream of
each is watched: while none of them holds a NaN, no product did.  If one does, the tape as it was is run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY, Linear, Multilinear, Primitive
from funcdiff.core.tape import Atom, Record, Tape, Variable, variables
from funcdiff.jit.passes.rewriting import Rewriter, is_filled_with, is_weak, kind

# elementwise primitives that answer NaN to a NaN in any operand; fmax and power, for two, do not
_KEEP_NAN = frozenset(
    [
        "add",
        "subtract",
        "multiply",
        "divide",
        "negative",
        "positive",
        "square",
        "sqrt",
        "cbrt",
        "reciprocal",
        "absolute",
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "arcsinh",
        "arccosh",
        "arctanh",
    ]
)
# linear ones of ours may drop an element, but never make a number of a NaN
_OURS = (Linear, Multilinear)


def weaken(tape: Tape) -> tuple[Tape, list[Variable]]:
    """Return the tape with ordinary products, and the variables in which NaNs are to be looked for."""
    products: set[int] = set()

    def rule(walk: Rewriter, record: Record) -> Record | Atom:
        if record.primitive is not REGISTRY["scale"]:
            return record
        products.add(record.outputs[0].number)
        g, p = record.inputs
        inverse = walk.maker(p, "divide")
        if inverse is not None and _is_inverse(inverse, g, record.outputs[0].type):
            # what the eager sweep divides by, so that both round alike
            return replace(record, primitive=REGISTRY["divide"], inputs=(g, inverse.inputs[1]))
        return replace(record, primitive=REGISTRY["multiply"])

    weak = Rewriter(tape).run(rule)
    return weak, watched(weak, products)


def ordinary(tape: Tape) -> tuple[Tape, set[int]]:
    """Return the tape with ordinary products, and their numbers."""
    products: set[int] = set()

    def rule(_walk: Rewriter, record: Record) -> Record | Atom:
        if record.primitive is not REGISTRY["scale"]:
            return record
        products.add(record.outputs[0].number)
        return replace(record, primitive=REGISTRY["multiply"])

    return Rewriter(tape).run(rule), products


def _is_inverse(record: Record, g: Atom, out: ArrayType) -> bool:
    """Tell whether ``g / d`` can stand for ``g * (1 / d)``."""
    one, d = record.inputs
    if not is_filled_with(one, 1) or is_weak(g) or is_weak(d):
        return False
    kinds = kind(g), kind(d)
    shape = np.broadcast_shapes(*(k.shape for k in kinds))
    return (shape, np.result_type(*(k.dtype for k in kinds))) == out


def watched(tape: Tape, products: Iterable[int]) -> list[Variable]:
    """Choose the values to look at: as far downstream as a NaN is sure to be carried on."""
    suspect = set(products)
    passed_on: dict[int, bool] = {}
    found: dict[int, Variable] = {}
    for record in tape.records:
        carries = keeps_nan(record.primitive)
        reached = False
        for v in variables(record.inputs):
            if v.number in suspect:
                passed_on[v.number] = passed_on.get(v.number, True) and carries
                reached = reached or carries
        if reached:
            suspect.update(v.number for v in record.outputs)
        found.update((v.number, v) for v in record.outputs)
    for guard in tape.guards:
        passed_on[guard.variable.number] = False
    return [v for n, v in found.items() if n in suspect and not passed_on.get(n, False)]


def keeps_nan(primitive: Primitive) -> bool:
    """Tell whether a primitive answers NaN to a NaN in any operand, or drops elements at most."""
    if primitive.user_made or primitive.custom is not None:
        return False
    return primitive.name in _KEEP_NAN or isinstance(primitive, _OURS)
