"""A product with a negated factor is the negated product, where that has been computed already.

The two partial derivatives of ``-z * z`` are such products. The identity holds to the last bit; the negation then
becomes a part of the sum that reads it.
"""

from __future__ import annotations

from dataclasses import replace

from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Record, Variable
from funcdiff.jit.passes.rewriting import Rewriter, Rule


def reuse_negated_products() -> Rule:
    """Return a rule that reuses products, for one walk."""
    seen: dict[tuple[int, int], Variable] = {}

    def rule(walk: Rewriter, record: Record) -> Record | Atom:
        if record.primitive is not REGISTRY["multiply"]:
            return record
        a, b = record.inputs
        out = record.outputs[0]
        if not (isinstance(a, Variable) and isinstance(b, Variable)) or out.type.dtype.kind != "f":
            return record
        for x, y in ((a, b), (b, a)):
            negated = walk.maker(x, "negative")
            if negated is not None and isinstance(negated.inputs[0], Variable):
                product = seen.get((negated.inputs[0].number, y.number))
                if product is not None and product.type == out.type:
                    return replace(record, primitive=REGISTRY["negative"], inputs=(product,))
        seen[a.number, b.number] = seen[b.number, a.number] = out
        return record

    return rule
