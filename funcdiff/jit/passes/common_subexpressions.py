"""What has been computed before is not computed again."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.tape import Atom, Literal, Record
from funcdiff.jit.passes.rewriting import Rewriter, Rule

SMALL = 1000  # elements up to which constants are compared by value


def merge_common_subexpressions() -> Rule:
    """Return a rule that merges equal records, for one walk."""
    seen: dict[Any, Record] = {}

    def rule(walk: Rewriter, record: Record) -> Record | Atom:
        key = (
            record.primitive,
            tuple(key_of(a.value) if isinstance(a, Literal) else a.number for a in record.inputs),
            key_of(record.params),
        )
        first = seen.setdefault(key, record)
        if first is record:
            return record
        if len(record.outputs) == 1:
            return first.outputs[0]
        for mine, other in zip(record.outputs, first.outputs, strict=True):
            if mine.type != other.type:
                return record
        for mine, other in zip(record.outputs, first.outputs, strict=True):
            walk.replaced[mine.number] = other
        return record  # dead by now

    return rule


def key_of(value: Any) -> Any:
    """Return something hashable that is equal only for values that are alike to the last bit."""
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.hasobject or value.size > SMALL:
            return id(value)  # both are alive, as both stand on the tape
        return ("array", value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, slice):
        return ("slice", key_of(value.start), key_of(value.stop), key_of(value.step))
    if isinstance(value, (tuple, list)):
        return (type(value), *(key_of(v) for v in value))
    if isinstance(value, dict):
        return tuple((name, key_of(v)) for name, v in sorted(value.items()))
    if isinstance(value, (bool, int, float, complex)):
        return (type(value), repr(value))  # 0.0 is not -0.0
    if isinstance(value, (str, bytes, type(None), type(Ellipsis), np.dtype)):
        return (type(value), value)
    return id(value)
