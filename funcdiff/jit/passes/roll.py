"""Repeated blocks of a tape become loops.

A plain Python loop leaves the same records again and again.  Each record gets a token: what it does and how far
back its operands are.  Where tokens repeat at a distance, the blocks between are compared operand by operand: one
that is the same in all blocks is an invariant, one at the same place inside its block stays there, one in a block
before is carried, constants that differ are stacked, and so are values that a loop before has collected, one per
block.  Whatever fits none of these, the blocks are no loop.

What Python's control flow saw in each block, the loop counts: for how many answers in a row control flow sees again
what it saw.  A loop of loops is found by rolling the body of a loop, and what has been rolled, again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable
from funcdiff.jit.passes.roll_blocks import DELAYS, Block, Fitter
from funcdiff.jit.passes.roll_body import answers_counted, body_of
from funcdiff.jit.passes.roll_lines import LITERAL, Lines
from funcdiff.transforms.loops.body import Body, as_body
from funcdiff.transforms.loops.loop import Loop, primitive

LEAST = 300  # records of a tape from which loops are looked for
LEAST_AGAIN = 64  # in what has loops already, and in the body of a loop
HEAVY = 8000  # numbers of small matrices, from which a tape of fewer records is long, too: it would take LLVM longest
ROUNDS = 4
WORTH = {"numpy": 2000, "native": LEAST}
"""Records from which rolling is worth it for a backend: loops are machine code, but steps in NumPy."""
Numbers = Callable[[Tape], int]


def roll(tape: Tape, least: int = LEAST, numbers: Numbers | None = None) -> Tape:
    """Return a tape with loops in the place of repeated blocks, or the tape itself; a shorter one stays.

    Where `numbers` tells how many numbers machine code computes one by one, those count beside the records.
    """
    measures: list[tuple[Numbers, int]] = [(_count, least)]
    if numbers is not None:
        measures.append((numbers, HEAVY))
    for _ in range(ROUNDS):
        if all(size(tape) < long for size, long in measures):
            break
        lines = Lines(tape)
        regions = lines.regions()
        rolled = Roller(lines).run(regions) if regions else tape
        if all(2 * size(rolled) > size(tape) for size, _ in measures):
            break
        tape, measures[0] = rolled, (_count, LEAST_AGAIN)
    return tape


def roll_for(tape: Tape, backend: str) -> Tape:
    """Return a tape as a backend runs it best."""
    if backend == "numpy":
        return roll(tape, WORTH[backend])
    from funcdiff.jit.native.spaces import numbers  # only now, as it brings the rest of machine code along

    return roll(tape, WORTH[backend], numbers)


def _count(tape: Tape) -> int:
    return len(tape.records)


class Roller:
    """Writes the new tape."""

    def __init__(self, lines: Lines) -> None:
        tape = lines.tape
        self.tape = tape
        self.lines = lines
        self.fresh = 1 + max(
            [v.number for v in tape.inputs] + [v.number for r in tape.records for v in r.outputs]
        )
        self.records: list[Record] = []
        self.guards: list[Guard] = []
        self.asked = 0  # guards of the tape that have been seen to
        self.counted: dict[int, Guard] = {}  # what stands for guards from a place on
        self.new: dict[int, Atom] = {}  # by code
        self.loops: list[tuple[Block, dict[int, Variable]]] = []
        self.fitter = Fitter(lines, self.loops)

    def run(self, regions: Sequence[tuple[int, int, int]]) -> Tape:
        """Copy the tape with loops in the place of the regions that are some."""
        at = 0
        for start, period, repetitions in regions:
            self._copy(at, start)
            at = start
            found = self.fitter.fit(start, period, repetitions)
            if found is not None:
                begin, block = found
                self._copy(start, begin)
                self._ask(begin)
                at = begin + period * block.repetitions
                self._write(begin, period, block)
        self._copy(at, len(self.tape.records))
        self._ask(len(self.tape.records))
        outputs = tuple(
            self._atom(self.lines.code_of[a.number]) if isinstance(a, Variable) else a
            for a in self.tape.outputs
        )
        return replace(self.tape, records=tuple(self.records), outputs=outputs, guards=tuple(self.guards))

    def _copy(self, start: int, stop: int) -> None:
        for n in range(start, stop):
            self._ask(n)
            record = self.tape.records[n]
            if self.loops:
                inputs = tuple(
                    self._atom(self.lines.code_of[a.number]) if isinstance(a, Variable) else a
                    for a in record.inputs
                )
                record = replace(record, inputs=inputs)
            self.records.append(record)

    def _ask(self, position: int) -> None:
        """Copy the guards that stand before a record, or stood in a loop before it."""
        guards = self.tape.guards
        while self.asked < len(guards) and guards[self.asked].position <= position:
            counted = self.counted.get(self.asked)
            if counted is not None:
                self.guards.append(replace(counted, position=len(self.records)))
                self.asked += len(counted.answers)
                continue
            guard = guards[self.asked]
            variable = self._atom(self.lines.code_of[guard.variable.number])
            assert isinstance(variable, Variable)
            self.guards.append(replace(guard, variable=variable, position=len(self.records)))
            self.asked += 1

    def _atom(self, code: int) -> Atom:
        """Return what stands for a value now; an element that a loop has collected is read."""
        found = self.new.get(code)
        if found is not None:
            return found
        if code < 0:
            return self.tape.inputs[code + len(self.tape.inputs)]
        for block, collected in self.loops:
            n, q = divmod(code - block.first, block.size)
            if 0 <= n < block.repetitions and q in collected:
                out = self._variable(self.lines.made_at[code].type)
                getitem = REGISTRY["getitem"]
                self.records.append(Record(getitem, (collected[q],), {"index": n}, (out,)))
                self.new[code] = out
                return out
        return self.lines.made_at[code]

    def _variable(self, kind: ArrayType) -> Variable:
        self.fresh += 1
        return Variable(self.fresh, kind)

    def _write(self, start: int, period: int, block: Block) -> None:
        """Append the record of a loop."""
        count = block.repetitions
        kinds = [v.type for v in self.lines.made_at[block.first : block.first + block.size]]
        collected = self._collected(block, start + period * count)
        keys = sorted(block.carried)
        invariant = [self._atom(code) for code in block.invariants]
        stacked = [self._stacked(x, count) for x in block.stacked]
        starts = [self._start(block.carried[key], kinds[key[0]]) for key in keys]
        steps = body_of(self.lines, start, period, block, keys, invariant, stacked, kinds)
        results = [self._variable(kinds[q]) for q, _ in keys]
        outputs = [*steps.carried, *(steps.made[q] for q in collected)]
        if block.guards:
            expected, answers = answers_counted(steps, block.guards)
            stacked += expected
            starts += [Literal(np.bool_(True)), Literal(np.int64(0))]
            results += [self._variable(x.type) for x in answers]
            outputs[len(keys) : len(keys)] = answers
            self.counted[block.first_guard] = self._guard(block, results[-1])
        body = rolled_body(steps.close(outputs))
        spec = Loop(body, None, len(results), len(invariant), count)
        columns = {q: self._variable(ArrayType((count, *kinds[q].shape), kinds[q].dtype)) for q in collected}
        self.records.append(
            Record(
                primitive,
                (*starts, *invariant, *stacked),
                spec._asdict(),
                (*results, *columns.values()),
                self.tape.records[start].line,
            )
        )
        for (q, delay), v in zip(keys, results, strict=False):
            self.new[block.first + (count - delay) * block.size + q] = v
        self.loops.append((block, columns))

    def _collected(self, block: Block, stop: int) -> list[int]:
        """Return the outputs of which a loop keeps every step's; what is used of the last steps alone is carried."""
        count = block.repetitions
        codes = block.first + np.arange(block.size * count).reshape(count, block.size)
        used = self.fitter.last_use[codes] >= stop
        if not block.guards:
            used |= self.fitter.asked[codes]
        collected = []
        for q in np.flatnonzero(used.any(0)).tolist():
            late = np.flatnonzero(used[:, q])
            if late[0] < count - DELAYS:
                collected.append(q)
            else:
                for delay in range(1, count - int(late[0]) + 1):
                    block.carried.setdefault((q, delay), None)
        return collected

    def _guard(self, block: Block, counted: Variable) -> Guard:
        """Return what stands for the guards in a loop."""
        answers = tuple(np.stack([expected for _, expected in block.guards], 1).ravel().tolist())
        line = self.tape.guards[block.first_guard].line
        return Guard(counted, np.array(len(answers)), 0, line, answers)

    def _start(self, code: Any, kind: ArrayType) -> Atom:
        if code is None:
            return Literal(np.zeros(kind.shape, kind.dtype)[()])
        if code >= LITERAL:
            return Literal(np.asarray(self.lines.literals[code - LITERAL], kind.dtype)[()])
        return self._atom(code)

    def _stacked(self, x: Any, count: int) -> Atom:
        if isinstance(x, np.ndarray):
            return Literal(x)
        n, output, at, step = x
        column: Variable = self.loops[n][1][output]
        end: Any = at + count * step
        index = slice(at, None if end < 0 else end, step)
        if index == slice(0, column.type.shape[0], 1):
            return column
        out = self._variable(ArrayType((count, *column.type.shape[1:]), column.type.dtype))
        self.records.append(Record(REGISTRY["getitem"], (column,), {"index": index}, (out,)))
        return out


def rolled_body(body: Body) -> Body:
    """Return the body of a loop with the loops in it found."""
    tape = Tape(body.name, body.inputs, body.records, body.outputs, (), body.in_tree, body.out_tree)
    return as_body(roll(tape, LEAST_AGAIN))
