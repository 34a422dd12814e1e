"""Records of constants are computed when the program is compiled."""

from __future__ import annotations

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.tape import Atom, Literal, Record
from funcdiff.jit.passes.rewriting import Rewriter


def fold_constants(_walk: Rewriter, record: Record) -> Record | Atom:
    """Replace a record by its value where all inputs are literals."""
    for atom in record.inputs:
        if type(atom) is not Literal:
            return record
    if len(record.outputs) != 1 or record.primitive.user_made or record.primitive.custom is not None:
        return record
    values = [a.value for a in record.inputs if isinstance(a, Literal)]
    try:
        with np.errstate(all="ignore"):
            out = record.primitive.function(*values, **record.params)
    except (ArithmeticError, ValueError, TypeError, IndexError):
        return record  # it is raised when the program runs
    return Literal(out) if type_of(out) == record.outputs[0].type else record
