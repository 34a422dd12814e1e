"""What has been computed before is not computed again."""

from __future__ import annotations

from typing import Any

from funcdiff.core.tape import Atom, Record
from funcdiff.jit.passes.rewriting import Rewriter, Rule
from funcdiff.transforms.loops.body import key_of_step


def merge_common_subexpressions() -> Rule:
    """Return a rule that merges equal records, for one walk."""
    seen: dict[Any, Record] = {}

    def rule(walk: Rewriter, record: Record) -> Record | Atom:
        first = seen.setdefault(key_of_step(record, record.inputs), record)
        if first is record:
            return record
        if len(record.outputs) == 1:
            return first.outputs[0]
        for mine, other in zip(record.outputs, first.outputs, strict=True):
            walk.replaced[mine.number] = other
        return record  # dead by now

    return rule
