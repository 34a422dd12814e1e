"""Carries that count: each step adds the same integer, so a reverse sweep counts back and nothing is saved of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Literal, Record, Variable
from funcdiff.transforms.loops.loop import Loop


def counters(spec: Loop) -> dict[int, int]:
    """Return the carries that go on by a constant integer, and by which."""
    body = spec.body
    made = {v.number: r for r in body.records for v in r.outputs}
    found = {}
    for n, (before, after) in enumerate(zip(body.inputs[: spec.carries], body.outputs, strict=False)):
        r = made.get(after.number) if isinstance(after, Variable) else None
        if r is None or r.primitive.name != "add" or before not in r.inputs or before.type.shape:
            continue
        by = r.inputs[r.inputs[0] == before]
        if isinstance(by, Literal) and np.ndim(by.value) == 0 and before.type.dtype.kind == "i":
            found[n] = int(by.value)
    return found


def counted_back(
    inputs: Sequence[Variable], examples: Sequence[Any], counted: dict[int, int]
) -> tuple[list[Variable], list[Any], list[Record]]:
    """Return variables for counters after a step, all examples, and records of what they were before it."""
    add, known = REGISTRY["add"], list(examples)
    after, before = [], []
    for n, by in counted.items():
        made = inputs[n]
        after.append(Variable(len(known), made.type))
        before.append(Record(add, (after[-1], Literal(made.type.dtype.type(-by))), {}, (made,)))
        known.append(known[made.number] + by)
    return after, known, before
