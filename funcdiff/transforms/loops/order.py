"""The order of a body's steps: an array is read before it is written over, where that can be."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Record, Variable, variables


def is_write(record: Record) -> bool:
    """Tell whether a record gives a changed copy of its first operand."""
    name = record.primitive.name
    return name in ("put", "update_at") and record.primitive is REGISTRY[name]


def reads_first(records: Sequence[Record]) -> list[Record]:
    """Return the records with writes after the reads of what they write over, else in their order."""
    writes = [n for n, r in enumerate(records) if is_write(r) and isinstance(r.inputs[0], Variable)]
    if not writes:
        return list(records)
    maker = {v.number: n for n, r in enumerate(records) for v in r.outputs}
    readers: dict[int, list[int]] = {}
    after: list[set[int]] = [set() for _ in records]
    for n, record in enumerate(records):
        for v in variables(record.inputs):
            readers.setdefault(v.number, []).append(n)
            if v.number in maker:
                after[maker[v.number]].add(n)
    for n in writes:
        later = _reached(after, n)
        written = records[n].inputs[0]
        assert isinstance(written, Variable)
        for m in readers[written.number]:
            if m not in later and not is_write(records[m]):
                after[m].add(n)
    order = _sorted(after)
    return list(records) if order is None else [records[n] for n in order]


def _reached(after: Sequence[set[int]], start: int) -> set[int]:
    """Return what has to come after a record, itself included."""
    found, left = {start}, [start]
    while left:
        for n in after[left.pop()]:
            if n not in found:
                found.add(n)
                left.append(n)
    return found


def _sorted(after: Sequence[set[int]]) -> list[int] | None:
    """Sort topologically, the earliest first; None if that cannot be."""
    waiting = [0] * len(after)
    for users in after:
        for n in users:
            waiting[n] += 1
    ready = [n for n, w in enumerate(waiting) if not w]
    order = []
    while ready:
        n = heapq.heappop(ready)
        order.append(n)
        for m in after[n]:
            waiting[m] -= 1
            if not waiting[m]:
                heapq.heappush(ready, m)
    return order if len(order) == len(after) else None
