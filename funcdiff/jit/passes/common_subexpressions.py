"""What has been computed before is not computed again."""

from __future__ import annotations

from typing import Any

from funcdiff.core.keys import key_of
from funcdiff.core.tape import Atom, Literal, Record
from funcdiff.jit.passes.rewriting import Rewriter, Rule


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
