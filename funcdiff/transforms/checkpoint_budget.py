"""Where to checkpoint a function so that its reverse sweep stays within a number of bytes.

The function is traced, and its tape is cut into segments.  Of a segment that is checkpointed only the inputs and
outputs are kept, and it is run again in the sweep, one segment at a time; so the sweep needs the values that cross
cuts and the residuals of the largest segment (T. Chen, B. Xu, C. Zhang and C. Guestrin, "Training deep nets with
sublinear memory cost", arXiv:1604.06174, 2016).  For a bound on the residuals of a segment, the cheapest cuts follow
by dynamic programming over the live values; the bound is the one that needs least.  What is left of the budget keeps
the residuals of those segments that cost most to run again for their bytes.  Where running every segment once more
is not enough, the segments are cut themselves, within what the values that cross leave of the budget.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

from funcdiff import errors
from funcdiff.core.primitive import Elementwise, Linear, LocallyConstant, Multilinear, reads
from funcdiff.core.stats import flops
from funcdiff.core.tape import Atom, Literal, Record, Tape, Variable, variables

BOUNDS = 32  # sizes of segments that are tried
Again = Callable[..., Any]


@dataclass(frozen=True)
class Segment:
    """Some consecutive records, what they take from before, and what is needed of them after."""

    records: tuple[Record, ...]
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    checkpointed: bool
    parts: tuple[Segment, ...] = ()  # if it is cut itself

    def run(self, again: Again, *values: Any) -> list[Any]:
        """Apply the records, forgetting each value after its last use."""
        if self.parts:
            return run_segments(self.inputs, self.parts, self.outputs, values, again)
        at = dict(zip((v.number for v in self.inputs), values, strict=True))
        del values
        last = {v.number: n for n, record in enumerate(self.records) for v in variables(record.inputs)}
        kept = {v.number for v in self.outputs}
        for n, record in enumerate(self.records):
            given = [a.value if isinstance(a, Literal) else at[a.number] for a in record.inputs]
            out = record.primitive.function(*given, **record.params)
            del given
            made = out if record.primitive.multiple_outputs else (out,)
            for variable, value in zip(record.outputs, made, strict=True):
                at[variable.number] = value
            del out, made
            for number in {v.number for v in (*variables(record.inputs), *record.outputs)} - kept:
                if last.get(number, n) <= n:
                    at.pop(number, None)
        return [at[v.number] for v in self.outputs]


def size_of(v: Variable) -> int:
    """Return the bytes of a value."""
    return v.type.size * v.type.dtype.itemsize


def residuals(record: Record) -> list[Variable]:
    """Return the values that the pullback of a record reads."""
    active = [n for n, a in enumerate(record.inputs) if isinstance(a, Variable) and a.type.dtype.kind in "fc"]
    places: set[int] = set()
    keeps_out = False
    match record.primitive:
        case Linear() | LocallyConstant():
            pass
        case Elementwise() as primitive:
            for n in active:
                first, *rest = reads(primitive.partials[n]) or (False,)
                keeps_out |= first
                places.update(m for m, read in enumerate(rest) if read)
        case Multilinear():
            places.update(m for n in active for m in range(len(record.inputs)) if m != n)
        case _:
            keeps_out = True
            places.update(range(len(record.inputs)))
    kept = [a for n, a in enumerate(record.inputs) if n in places and isinstance(a, Variable)]
    return [*kept, *(record.outputs if keeps_out else ())]


def place(name: str, tape: Tape, budget: int) -> list[Segment]:
    """Cut a tape into segments whose reverse sweep needs no more bytes than the budget.

    Raises
    ------
    ValueError
        If no cuts need so little.
    """
    found = _placed(tape.records, variables(tape.outputs), budget)
    if found is None:
        plan = _Plan(tape.records, variables(tape.outputs))
        raise ValueError(
            errors.at_user_line(
                f"checkpoint of {name}: its reverse sweep cannot be had in {budget} bytes of intermediate values. It "
                f"needs {plan.total} bytes if nothing is run again, {plan.needs(plan.best())} if everything is run once "
                "more. Allow more memory."
            )
        )
    return found


def _placed(
    records: Sequence[Record], outputs: Sequence[Variable], budget: int, halve: bool = False
) -> list[Segment] | None:
    """Return segments within a budget, or None; if told to, by halving only, which runs most often for least."""
    plan = _Plan(records, outputs)
    if plan.total <= budget:
        return [plan.segment(0, len(records), False)]
    best = plan.best()
    if plan.needs(best) <= budget:
        return plan.filled(best, budget)
    tries = [(plan.middle(), True)]
    if not halve:  # values that cross take about half of the budget, the segments the rest
        tries.insert(0, (min(plan.choices(), key=lambda cuts: abs(plan.crossing(cuts) - budget / 2)), False))
    for cuts, halve in tries:
        room = budget - plan.crossing(cuts)
        if room <= 0 or len(cuts) < 3:
            continue
        found = []
        for a, b in _pairs(cuts):
            segment = plan.cut_again(a, b, room, halve)
            if segment is None:
                break
            found.append(segment)
        else:
            return found
    return None


class _Plan:
    """The costs of cutting records."""

    def __init__(self, records: Sequence[Record], outputs: Sequence[Variable]) -> None:
        self.records = records
        self.made = {v.number: n for n, record in enumerate(records) for v in record.outputs}
        self.size = {v.number: size_of(v) for record in records for v in record.outputs}
        read = {v.number for record in records for v in residuals(record) if v.number in self.made}
        self.held = [0]  # residuals made before a record
        for record in records:
            self.held.append(
                self.held[-1] + sum(self.size[v.number] for v in record.outputs if v.number in read)
            )
        self.total = self.held[-1]
        last = {v.number: n for n, record in enumerate(records) for v in variables(record.inputs)}
        last.update((v.number, len(records)) for v in outputs)
        change = [0] * (len(records) + 2)
        for number, n in self.made.items():
            if last.get(number, n) > n:  # alive at the cuts n + 1 ... last
                change[n + 1] += self.size[number]
                change[last[number] + 1] -= self.size[number]
        self.live: list[int] = []  # bytes that cross a cut before a record
        for n in range(len(records) + 1):
            self.live.append((self.live[-1] if n else 0) + change[n])
        self.last = last

    def bounds(self) -> list[float]:
        """Return the bounds on the residuals of a segment to try, from those of the largest record."""
        least = max((b - a for a, b in pairwise(self.held)), default=0) or 1
        ratio = max(self.total / least, 1.0) ** (1 / (BOUNDS - 1))
        return [least * ratio**k for k in range(BOUNDS)]

    def cuts(self, bound: float) -> list[int]:
        """Return where to cut so that segments hold no more than a bound, and least crosses the cuts."""
        count = len(self.records)
        cost, before = [0.0], [0]
        window: deque[int] = deque([0])  # cuts by rising cost
        for p in range(1, count + 1):
            start = bisect_left(self.held, self.held[p] - bound * (1 + 1e-9), 0, p)
            while window[0] < start:
                window.popleft()
            q = window[0]
            before.append(q)
            cost.append(cost[q] + self.live[p])
            while window and cost[window[-1]] >= cost[p]:
                window.pop()
            window.append(p)
        found = [count]
        while found[-1]:
            found.append(before[found[-1]])
        return found[::-1]

    def choices(self) -> list[list[int]]:
        """Return the cuts for each bound."""
        return [self.cuts(bound) for bound in self.bounds()]

    def best(self) -> list[int]:
        """Return the cuts that need least."""
        return min(self.choices(), key=self.needs)

    def needs(self, cuts: Sequence[int]) -> int:
        """Return the bytes that a sweep needs whose segments are all checkpointed."""
        again = (self.held[b] - self.held[a] + self.around(a, b) for a, b in _pairs(cuts))
        return self.crossing(cuts) + max(again, default=0)

    def around(self, start: int, stop: int) -> int:
        """Return the bytes of a segment's results, made again, and of the cotangents at both its ends."""
        return self.live[start] + 2 * self.live[stop]

    def crossing(self, cuts: Sequence[int]) -> int:
        """Return the bytes of the values that cross cuts; results are kept anyway."""
        total = 0
        for number, n in self.made.items():
            cut = cuts[bisect_left(cuts, n + 1)]  # the first one after it
            if cut < len(self.records) and self.last.get(number, n) >= cut:
                total += self.size[number]
        return total

    def filled(self, cuts: Sequence[int], budget: int) -> list[Segment]:
        """Keep the residuals of as many segments as there is room for, those first that are dear to run again."""
        spans = _pairs(cuts)
        held = {span: self.held[span[1]] - self.held[span[0]] for span in spans}
        again = set(spans)
        left = budget - self.needs(cuts)
        work = {(a, b): sum(map(flops, self.records[a:b])) for a, b in spans}
        for span in sorted(spans, key=lambda s: work[s] / max(held[s], 1), reverse=True):
            if held[span] <= left:
                left -= held[span]
                again.discard(span)
        return [self.segment(a, b, (a, b) in again) for a, b in spans]

    def middle(self) -> list[int]:
        """Return one cut, where the least crosses in the middle half of the residuals."""
        low, high = (bisect_left(self.held, self.total * share) for share in (0.25, 0.75))
        inner = range(max(low, 1), min(high, len(self.records) - 1) + 1)
        best = min(inner, key=lambda p: (self.live[p], abs(self.held[p] - self.total / 2)), default=0)
        return [0, best, len(self.records)] if 0 < best < len(self.records) else [0, len(self.records)]

    def cut_again(self, start: int, stop: int, room: int, halve: bool) -> Segment | None:
        """Return the segment between two cuts, with cuts of its own if it needs them, or None if they do not help."""
        whole = self.segment(start, stop, True)
        room -= self.around(start, stop)
        if self.held[stop] - self.held[start] <= room:
            return whole
        parts = _placed(whole.records, whole.outputs, room, halve) if room > 0 else None
        return None if parts is None else replace(whole, parts=tuple(parts))

    def segment(self, start: int, stop: int, checkpointed: bool) -> Segment:
        """Return the segment between two cuts."""
        records = tuple(self.records[start:stop])
        made = [v for record in records for v in record.outputs]
        inside = {v.number for v in made}
        taken = {
            v.number: v for record in records for v in variables(record.inputs) if v.number not in inside
        }
        outputs = tuple(v for v in made if self.last.get(v.number, -1) >= stop)
        return Segment(records, tuple(taken.values()), outputs, checkpointed)


def _pairs(cuts: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(cuts))


def run_segments(
    inputs: Sequence[Variable],
    segments: Sequence[Segment],
    outputs: Sequence[Atom],
    values: Sequence[Any],
    again: Again,
) -> list[Any]:
    """Run records by their segments; ``again(run, values)`` runs one that is checkpointed."""
    at = dict(zip((v.number for v in inputs), values, strict=True))
    last = {v.number: n for n, segment in enumerate(segments) for v in segment.inputs}
    last.update((v.number, len(segments)) for v in variables(outputs))
    for n, segment in enumerate(segments):
        given = [at[v.number] for v in segment.inputs]
        run = partial(segment.run, again)
        outs = again(run, given) if segment.checkpointed else run(*given)
        del given
        at.update(zip((v.number for v in segment.outputs), outs, strict=True))
        del outs
        for number in [k for k in at if last.get(k, -1) <= n]:
            del at[number]
    return [a.value if isinstance(a, Literal) else at[a.number] for a in outputs]
