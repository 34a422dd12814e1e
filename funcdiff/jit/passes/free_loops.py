"""A Python loop of which there is evidence that traced values alone end it becomes a loop that runs freely.

Its blocks are the records from one question of its control flow to the next.  They must be the same, step by step, and
read the same places of Python's state, as the variables show that stood there at each question: what a block reads is a
result of a block before it or the same in all of them.  The last answer, carried as a boolean, is the condition.  What is
used after the loop are places of the state too, so that they are right after any number of steps, none included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable
from funcdiff.jit.passes.roll import rolled_body
from funcdiff.jit.passes.roll_blocks import Block, Fitter, is_total
from funcdiff.jit.passes.roll_body import body_of
from funcdiff.jit.passes.roll_lines import Lines
from funcdiff.transforms.loops.body import make_body
from funcdiff.transforms.loops.loop import Loop, primitive

STEPS = 2  # from which on a loop can be told
PEELED = 2  # first steps that may be others than the rest
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
        for chain in chosen:
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
        self.fitter = Fitter(self.lines, [])
        self.fresh = 1 + max(
            [v.number for v in tape.inputs] + [v.number for r in tape.records for v in r.outputs], default=0
        )
        self.made: list[tuple[int, int, int, int, Record, Guard | None]] = []

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

    def free(self, chain: Chain) -> None:
        """Enter the loop of a chain, its first steps left out if need be."""
        if chain.why:
            raise Stays(chain.why)
        for peeled in range(PEELED + 1):
            try:
                self.made.append(self._entry(chain.guards[peeled:]))
            except Stays:
                if peeled == PEELED or len(chain.guards) - peeled <= STEPS + 1:
                    raise
            else:
                return

    def _entry(self, chain: Sequence[int]) -> tuple[int, int, int, int, Record, Guard | None]:
        guards = self.old.guards
        positions = [guards[n].position for n in chain]
        start, count = positions[0], len(chain) - 1
        period = positions[1] - start
        if not period or (np.diff(positions) != period).any():
            raise Stays("its steps do different things")
        stop = start + period * count
        tokens = self.lines.tokens[start:stop].reshape(count, -1)
        block = self.fitter.classified(start, period, count) if (tokens == tokens[0]).all() else None
        if block is None:
            raise Stays("its steps do different things, or hand on values of other types")
        if block.stacked:
            raise Stays("constants differ from step to step")
        found = _Free(self, chain, start, period, block)
        return start, stop, chain[0], chain[-1], *found.written()

    def variable(self, kind: ArrayType) -> Variable:
        """Return a new variable."""
        self.fresh += 1
        return Variable(self.fresh, kind)

    def code(self, number: int) -> int:
        """Return the code of a variable of the evidence; one that is not on the tape has one below all others."""
        number = self.names[number].number if number in self.names else number
        return self.lines.code_of.get(number, -(1 << 41) - number)


class _Free:
    """One loop: whether it is free, and its record."""

    def __init__(self, writer: _Writer, chain: Sequence[int], start: int, period: int, block: Block) -> None:
        self.writer = writer
        self.lines = writer.lines
        self.chain = chain
        self.start, self.period = start, period
        self.count = block.repetitions
        self.stop = start + period * self.count
        self.block = block
        guards = writer.old.guards
        rows = [[writer.code(n) for n in guards[g].visit.numbers] for g in chain]
        self.held = np.array(rows, np.int64).reshape(len(chain), -1)  # what places hold, visit by visit
        self.slots = self.lines.codes[self.lines.slots[start] : self.lines.slots[self.stop]].reshape(
            self.count, -1
        )

    def made_by(self, output: int, block: int) -> int:
        """Return the code of a result of a block."""
        return self.block.first + block * self.block.size + output

    def written(self) -> tuple[Record, Guard | None]:
        """Return the record of the loop, and what stands for the other questions in it."""
        going = self._going()
        inner = self._inner()
        self._check_reads()
        self._check_uses()
        return self._record(going, inner)

    def _going(self) -> int:
        """Return which result of a block says whether the loop goes on; carry it."""
        codes = self.lines.guard_codes[list(self.chain)]
        output = int(codes[1]) - self.block.first
        same = (codes[1:] == self.block.first + output + self.block.size * np.arange(self.count)).all()
        if not same or not 0 <= output < self.block.size:
            raise Stays("a step does not compute itself whether another one follows")
        self._carry(output, 1, int(codes[0]))
        return output

    def _inner(self) -> list[tuple[int, bool]]:
        """Return which results of a block are asked for too, and the answers."""
        guards, block = self.writer.old.guards, self.block
        groups = [
            [(self.lines.guard_codes[n] - self.made_by(0, k), guards[n]) for n in range(a + 1, b)]
            for k, (a, b) in enumerate(zip(self.chain[:-1], self.chain[1:], strict=True))
        ]
        seen = [[(int(c), g.value.tolist(), _is_boolean(g)) for c, g in group] for group in groups]
        if any(s != seen[0] for s in seen) or not all(b and 0 <= c < block.size for c, _, b in seen[0]):
            raise Stays("control flow decides on other values in its steps")
        records = self.writer.old.records[self.start : self.start + self.period]
        if seen[0] and not all(map(is_total, records)):
            raise Stays("a step that control flow does not come to might fail")
        return [(c, bool(answer)) for c, answer, _ in seen[0]]

    def _check_reads(self) -> None:
        """See to it that the places that steps read go on as it seems from what stood there."""
        met: set[Any] = set()
        for slot, (role, what) in enumerate(self.block.roles):
            if role not in ("invariant", "carried") or (role, what) in met:
                continue
            met.add((role, what))
            codes = self.slots[:, slot]
            places = (self.held[:-1] == codes[:, None]).all(0)
            if not places.any():
                raise Stays("a step reads a value that is kept where it cannot be seen")
            next_ = int(codes[0]) if role == "invariant" else self.made_by(what[0], self.count - what[1])
            if (self.held[-1, places] != next_).any():
                raise TooFew("its steps are too few to tell what the next one reads")

    def _check_uses(self) -> None:
        """Carry what is used after the loop."""
        lines, block, held = self.lines, self.block, self.held
        later = {int(c) for c in lines.guard_codes[self.chain[-1] + 1 :]}
        codes = np.arange(block.first, self.made_by(0, self.count))
        used = self.writer.fitter.last_use[codes] >= self.stop
        used |= np.isin(codes, list(later))
        for code in codes[used].tolist():
            k, output = divmod(code - block.first, block.size)
            places = np.flatnonzero(held[-1] == code)
            if not len(places):
                raise Stays("what a step in the middle computes is used after it")
            for place in places.tolist():
                self._carry_out(output, self.count - k, held[:, place])
        differ = (held != held[0]).any(0)
        late = (held[:-1] == held[0]).all(0) & (held[-1] != held[0])
        unsure = {*held[-1, differ & (held[-1] < block.first)].tolist(), *held[0, late].tolist()}
        if any(self._is_used_later(code, later) for code in unsure):
            raise TooFew("its steps are too few to tell what is used after it")

    def _carry_out(self, output: int, delay: int, column: Any) -> None:
        """Carry a place that is read after the loop."""
        expected = self.made_by(output, 0) + self.block.size * np.arange(self.count - delay + 1)
        if (column[delay:] != expected).any():
            raise TooFew("its steps are too few to tell what is used after it")
        for n, code in enumerate(column[:delay].tolist()):
            self._carry(output, delay - n, code)

    def _carry(self, output: int, delay: int, code: int) -> None:
        """Enter a carried value with what it is before the loop."""
        lines, block = self.lines, self.block
        if not -len(self.writer.old.inputs) <= code < block.first:
            raise Stays("what is used after it is of another kind before it")
        kind = self.writer.old.inputs[code].type if code < 0 else lines.made_at[code].type
        if (
            kind != lines.made_at[block.first + output].type
            or block.carried.setdefault((output, delay), code) != code
        ):
            raise Stays("what is used after it is of another kind before it")

    def _is_used_later(self, code: int, later: set[int]) -> bool:
        """Tell whether a value that was there before the loop is used after it."""
        tape, lines = self.writer.old, self.lines
        if code < -len(tape.inputs):
            return False
        outputs = [lines.code_of[a.number] for a in tape.outputs if isinstance(a, Variable)]
        return code in later or code in outputs or bool((lines.codes[lines.slots[self.stop] :] == code).any())

    def _record(self, going: int, inner: Sequence[tuple[int, bool]]) -> tuple[Record, Guard | None]:
        writer, lines, block = self.writer, self.lines, self.block
        kinds = [v.type for v in lines.made_at[block.first : block.first + block.size]]
        keys = sorted(block.carried)
        invariant = [self._atom(code) for code in block.invariants]
        starts: list[Atom] = [self._atom(block.carried[key]) for key in keys]
        results = [
            lines.made_at[self.made_by(q, self.count - delay)]
            if delay <= self.count
            else writer.variable(kinds[q])
            for q, delay in keys
        ]
        steps = body_of(lines, self.start, self.period, block, keys, invariant, [], kinds)
        outputs: list[Atom] = list(steps.carried)
        answer = steps.inputs[0][keys.index((going, 1))]
        guard = None
        asked = writer.old.guards[self.chain[0]]
        if inner:
            as_seen = steps.variable(_bool)
            steps.inputs[0].append(as_seen)
            starts.append(Literal(np.bool_(True)))
            results.append(writer.variable(_bool))
            guard = Guard(results[-1], np.array(True), 0, writer.old.guards[self.chain[0] + 1].line)
            still = as_seen
            for output, expected in inner:
                now = steps.made[output]
                now = now if expected else steps.apply("logical_not", [now], _bool)
                still = steps.apply("logical_and", [still, now], _bool)
            outputs.append(still)
        before = len(steps.records)
        goes_on = answer if asked.value else steps.apply("logical_not", [answer], _bool)
        if inner:
            goes_on = steps.apply("logical_and", [goes_on, as_seen], _bool)
        asking = steps.records[before:]
        del steps.records[before:]
        given = [*steps.inputs[0], *steps.inputs[1]]
        cond = rolled_body(make_body("going", given, asking, [goes_on], ()))
        spec = Loop(rolled_body(steps.close(outputs)), cond, len(starts), len(invariant), None)
        made = (*results, writer.variable(_int64))
        return Record(primitive, (*starts, *invariant), spec._asdict(), made, asked.line), guard

    def _atom(self, code: int) -> Variable:
        return self.writer.old.inputs[code] if code < 0 else self.lines.made_at[code]
