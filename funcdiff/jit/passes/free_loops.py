"""A Python loop of which there is evidence that traced values alone end it becomes a loop that runs freely.

Its blocks are the records from one question of its control flow to the next.  They must be the same, step by step, and
read the same places of Python's state, as the variables show that stood there at each question.  A place that holds something
else after a step is carried, the others are invariants; the last answer is carried too, and is the condition.  What is
used after the loop are places of the state as well, so that they are right after any number of steps, none included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.keys import key_of
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable
from funcdiff.jit.passes.roll import rolled_body
from funcdiff.jit.passes.roll_blocks import is_total
from funcdiff.jit.passes.roll_lines import LITERAL, Lines
from funcdiff.transforms.loops.body import make_body
from funcdiff.transforms.loops.loop import Loop, primitive

STEPS = 2  # from which on a loop can be told
PEELED = 2  # first steps that may be others than the rest
Source = tuple[str, int]  # a result of the step, or a column of the state
_bool, _int64 = ArrayType((), np.dtype(bool)), ArrayType((), np.dtype(np.int64))


class Chain(NamedTuple):
    """The questions of one run of a loop, by their places among the guards; the last one had another answer."""

    guards: tuple[int, ...]
    why: str  # it must stay as it is, if it must


class Stays(Exception):  # says why a loop is not free
    """A loop cannot run freely; the message says why."""


class TooFew(Stays):
    """A loop cannot be told from so few steps; more of them will tell."""


def free_loops(tape: Tape, names: Mapping[int, Variable] | None = None) -> tuple[Tape, dict[str, str]]:
    """Put free loops in the place of those for which there is evidence; say, by lines, why others stay.

    The names are those that variables of the evidence have on the tape, where they have others.
    """
    tried: set[int] = set()
    if not tape.records:
        return tape, {}
    stay: dict[str, str] = {}
    while True:
        chains = [c for c in _chains(tape) if id(tape.guards[c.guards[-1]].visit) not in tried]
        if not chains:
            return tape, stay
        chosen = _innermost(chains)
        tried.update(id(tape.guards[c.guards[-1]].visit) for c in chosen)
        writer = _Writer(tape, names or {})
        for chain in reversed(chosen):
            try:
                writer.free(chain)
            except TooFew:
                pass
            except Stays as why:
                stay[tape.guards[chain.guards[-1]].line] = str(why)
        if writer.made:
            tape = writer.tape()


def _chains(tape: Tape) -> list[Chain]:
    """Return the runs of loops, of some steps at least, that have ended."""
    place = {id(g.visit): n for n, g in enumerate(tape.guards) if g.visit is not None}
    found = []
    for last, guard in enumerate(tape.guards):
        visit = guard.visit
        if visit is None or not _is_boolean(guard) or visit.ending not in (None, bool(guard.value)):
            continue
        guards, free = [last], 0
        why = visit.why
        while visit.before is not None:
            here = place.get(id(visit.before), -1)
            if here < 0 or not _is_boolean(tape.guards[here]) or tape.guards[here].value == guard.value:
                break
            if visit.why and free >= STEPS:  # the steps since are free
                break
            if not visit.why and free == len(guards) - 1:
                free += 1
            guards.append(here)
            visit = visit.before
        if free >= STEPS or (why and len(guards) > STEPS):
            found.append(Chain(tuple(guards[::-1]), why))
    return found


def _is_boolean(guard: Guard) -> bool:
    return guard.value.ndim == 0 and guard.value.dtype == bool and not guard.answers


def _innermost(chains: Sequence[Chain]) -> list[Chain]:
    """Return chains that lie apart and hold no others."""
    chosen: list[Chain] = []
    end = -1
    for chain in sorted(chains, key=lambda c: (c.guards[-1], -c.guards[0])):
        if chain.guards[0] > end:
            chosen.append(chain)
            end = chain.guards[-1]
    return chosen


class _Writer:
    """Writes a tape with loops in it."""

    def __init__(self, tape: Tape, names: Mapping[int, Variable]) -> None:
        self.old = tape
        self.names = names
        self.lines = Lines(tape)
        self.fresh = 1 + max(
            [v.number for v in tape.inputs] + [v.number for r in tape.records for v in r.outputs], default=0
        )
        self.made: list[tuple[int, int, int, int, Record, Guard | None]] = []
        self.used: set[int] = set()  # by loops that have been entered, which come after others

    def tape(self) -> Tape:
        """Return the tape."""
        records: list[Record] = []
        guards: list[Guard] = []
        at = asked = moved = 0
        for start, stop, first, last, loop, guard in self.made:
            records += [*self.old.records[at:start], loop]
            guards += [replace(g, position=g.position - moved) for g in self.old.guards[asked:first]]
            moved += stop - start - 1
            if guard is not None:
                guards.append(replace(guard, position=len(records)))
            at, asked = stop, last + 1
        records += self.old.records[at:]
        guards += [replace(g, position=g.position - moved) for g in self.old.guards[asked:]]
        return replace(self.old, records=tuple(records), guards=tuple(guards))

    def used_after(self, record: int, guard: int) -> set[int]:
        """Return the codes of what is used after a record and a guard."""
        lines, outputs = self.lines, self.old.outputs
        later = lines.codes[lines.slots[record] :], lines.guard_codes[guard + 1 :]
        returned = [lines.code_of[a.number] for a in outputs if isinstance(a, Variable)]
        return self.used.union(*(codes.tolist() for codes in later), returned)

    def free(self, chain: Chain) -> None:
        """Enter the loop of a chain, its first steps left out if need be."""
        if chain.why:
            raise Stays(chain.why)
        for peeled in range(PEELED + 1):
            try:
                self.made.insert(0, self._entry(chain.guards[peeled:]))
            except Stays:
                if peeled == PEELED or len(chain.guards) - peeled <= STEPS + 1:
                    raise
            else:
                return

    def _entry(self, chain: Sequence[int]) -> tuple[int, int, int, int, Record, Guard | None]:
        positions = [self.old.guards[n].position for n in chain]
        start, count = positions[0], len(chain) - 1
        period = positions[1] - start
        stop = start + period * count
        if not period or (np.diff(positions) != period).any():
            raise Stays("its steps do different things")
        tokens = self.lines.tokens[start:stop].reshape(count, -1)
        sizes = np.diff(self.lines.slots[start : stop + 1]).reshape(count, -1)
        if (tokens != tokens[0]).any() or (sizes != sizes[0]).any():
            raise Stays("its steps do different things")
        loop, guard = _Free(self, chain, start, period).written()
        return start, stop, chain[0], chain[-1], loop, guard

    def variable(self, kind: ArrayType) -> Variable:
        """Return a new variable."""
        self.fresh += 1
        return Variable(self.fresh, kind)

    def code(self, number: int) -> int:
        """Return the code of a variable of the evidence; one that is not on the tape has one below all others."""
        number = self.names[number].number if number in self.names else number
        return self.lines.code_of.get(number, -(1 << 41) - number)


class _Free:
    """One loop: whether it is free, and its record.

    What Python's state holds at each question stands in columns, a column for each place; places that hold the same at all
    questions are one.  The last column is what is asked for.
    """

    def __init__(self, writer: _Writer, chain: Sequence[int], start: int, period: int) -> None:
        self.writer = writer
        self.lines = lines = writer.lines
        self.chain = chain
        self.start = start
        self.count = len(chain) - 1
        self.stop = start + period * self.count
        self.first = int(lines.outs[start])
        self.size = int(lines.outs[start + period]) - self.first
        self.records = writer.old.records[start : start + period]
        guards = writer.old.guards
        asked = lines.guard_codes[list(chain)]
        held = [
            [*map(writer.code, guards[g].visit.numbers), code]
            for g, code in zip(chain, asked.tolist(), strict=True)
        ]
        self.held, column = np.unique(np.array(held, np.int64), axis=1, return_inverse=True)
        self.asked = int(column.ravel()[-1])
        self.slots = lines.codes[lines.slots[start] : lines.slots[self.stop]].reshape(self.count, -1)
        self.befores = self.first + self.size * np.arange(self.count)
        self.next: dict[int, Source] = {}  # what columns hold after a step, of those that are needed

    def written(self) -> tuple[Record, Guard | None]:
        """Return the record of the loop, and what stands for the other questions in it."""
        inner = self._inner()
        reads = [self._read(self.slots[:, n]) for n in range(self.slots.shape[1])]
        used = self._used()
        waiting = [what for role, what in filter(None, reads) if role == "place"] + [self.asked, *used]
        while waiting:
            column = waiting.pop()
            if column not in self.next:
                role, what = self.next[column] = self._source(self.held[1:, column])
                self._check_types(column, role, what)
                if role == "place":
                    waiting.append(what)
        return self._record(reads, used, inner)

    def _source(self, codes: Any) -> Source:
        """Return where the values come from that stand for one in each block."""
        inside = codes - self.befores
        if (inside == inside[0]).all() and 0 <= inside[0] < self.size:
            return "inside", int(inside[0])
        places = np.flatnonzero((self.held[:-1] == codes[:, None]).all(0))
        if not len(places):
            raise Stays("a step reads a value that is kept where it cannot be seen")
        if len(places) > 1 or ((codes == codes[0]).all() and self.held[-1, places[0]] != codes[0]):
            raise TooFew("its steps are too few to tell what the next one reads")
        return "place", int(places[0])

    def _read(self, codes: Any) -> Source | None:
        """Return where an operand comes from; None for a constant."""
        if (codes < LITERAL).all():
            return self._source(codes)
        values = [self.lines.literals[n - LITERAL] if n >= LITERAL else None for n in codes.tolist()]
        if any(v is not values[0] and key_of(v) != key_of(values[0]) for v in values[1:]):
            raise Stays("constants differ from step to step")
        return None

    def _check_types(self, column: int, role: str, what: int) -> None:
        """See to it that a column holds values of one type, all of them on the tape."""
        kind = self._type(int(self.held[0, column]))
        after = (
            self.lines.made_at[self.first + what].type
            if role == "inside"
            else self._type(int(self.held[0, what]))
        )
        if kind is None or kind != after:
            raise Stays("what its steps hand on is of another type before it")

    def _type(self, code: int) -> ArrayType | None:
        inputs = self.writer.old.inputs
        if code < -len(inputs):
            return None
        return inputs[code].type if code < 0 else self.lines.made_at[code].type

    def _inner(self) -> list[tuple[int, bool]]:
        """Return which results of a block are asked for too, and the answers."""
        guards = self.writer.old.guards
        seen = [
            [
                (int(self.lines.guard_codes[n] - before), guards[n].value.tolist(), _is_boolean(guards[n]))
                for n in range(a + 1, b)
            ]
            for before, (a, b) in zip(self.befores, pairwise(self.chain), strict=True)
        ]
        if any(s != seen[0] for s in seen) or not all(b and 0 <= c < self.size for c, _, b in seen[0]):
            raise Stays("control flow decides on other values in its steps")
        if seen[0] and not all(map(is_total, self.records)):
            raise Stays("a step that control flow does not come to might fail")
        return [(c, bool(answer)) for c, answer, _ in seen[0]]

    def _used(self) -> list[int]:
        """Return the columns that are used after the loop."""
        last = self.held[-1]
        later = self.writer.used_after(self.stop, self.chain[-1])
        end = self.first + self.size * self.count
        used = []
        for code in [c for c in later if self.first <= c < end]:
            places = np.flatnonzero(last == code)
            if not len(places):
                raise Stays("what a step in the middle computes is used after it")
            if len(places) > 1:
                raise TooFew("its steps are too few to tell what is used after it")
            used.append(int(places[0]))
        for column in np.flatnonzero(last < self.first).tolist():
            if int(last[column]) in later and self._source(self.held[1:, column]) != ("place", column):
                raise TooFew("its steps are too few to tell what is used after it")
        return used

    def _record(
        self, reads: Sequence[Source | None], used: Sequence[int], inner: Sequence[tuple[int, bool]]
    ) -> tuple[Record, Guard | None]:
        writer, lines, held = self.writer, self.lines, self.held
        carried = [c for c, source in sorted(self.next.items()) if source != ("place", c)]
        same = [c for c, source in sorted(self.next.items()) if source == ("place", c)]
        kinds = [v.type for v in lines.made_at[self.first : self.first + self.size]]
        made = [writer.variable(kind) for kind in kinds]
        place = {c: writer.variable(self._atom(int(held[0, c])).type) for c in (*carried, *same)}
        seen = [writer.variable(_bool)] * bool(inner)  # whether other questions had the answers that they had
        records = self._steps(reads, made, place)

        def value(source: Source) -> Variable:
            return made[source[1]] if source[0] == "inside" else place[source[1]]

        outputs = [value(self.next[c]) for c in carried]
        for output, expected in inner:
            answer = made[output] if expected else self._apply(records, "logical_not", made[output])
            outputs[len(carried) :] = [
                self._apply(records, "logical_and", (outputs[len(carried) :] or seen)[0], answer)
            ]
        asking: list[Record] = []
        first = writer.old.guards[self.chain[0]]
        goes_on = place[self.asked] if first.value else self._apply(asking, "logical_not", place[self.asked])
        if inner:
            goes_on = self._apply(asking, "logical_and", goes_on, seen[0])
        given = [*(place[c] for c in carried), *seen, *(place[c] for c in same)]
        body, cond = (
            rolled_body(make_body(name, given, steps, outs, ()))
            for name, steps, outs in (("steps", records, outputs), ("going", asking, [goes_on]))
        )
        starts: list[Atom] = [self._atom(int(held[0, c])) for c in carried]
        writer.used.update(held[0, carried].tolist())
        results = [
            self._atom(int(held[-1, c])) if c in used else writer.variable(place[c].type) for c in carried
        ]
        guard = None
        if inner:
            starts.append(Literal(np.bool_(True)))
            results.append(writer.variable(_bool))
            guard = Guard(results[-1], np.array(True), 0, writer.old.guards[self.chain[0] + 1].line)
        spec = Loop(body, cond, len(starts), len(same), None)
        operands = (*starts, *(self._atom(int(held[0, c])) for c in same))
        return Record(
            primitive, operands, spec._asdict(), (*results, writer.variable(_int64)), first.line
        ), guard

    def _steps(
        self, reads: Sequence[Source | None], made: Sequence[Variable], place: dict[int, Variable]
    ) -> list[Record]:
        """Return the records of a block, of what stands for its results and for columns."""
        records = []
        output, slots = 0, self.lines.slots
        for n, record in enumerate(self.records, self.start):
            at = int(slots[n] - slots[self.start])
            inputs = [
                a if source is None else made[source[1]] if source[0] == "inside" else place[source[1]]
                for a, source in zip(record.inputs, reads[at : at + len(record.inputs)], strict=True)
            ]
            outs = tuple(made[output : output + len(record.outputs)])
            output += len(outs)
            records.append(Record(record.primitive, tuple(inputs), record.params, outs, record.line))
        return records

    def _apply(self, records: list[Record], name: str, *inputs: Variable) -> Variable:
        """Append a record of a boolean."""
        out = self.writer.variable(_bool)
        records.append(Record(REGISTRY[name], inputs, {}, (out,)))
        return out

    def _atom(self, code: int) -> Variable:
        return self.writer.old.inputs[code] if code < 0 else self.lines.made_at[code]
