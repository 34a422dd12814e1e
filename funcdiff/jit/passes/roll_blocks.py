"""What the operands of a block of records are, in all its repetitions: whether the blocks are the steps of a loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.keys import key_of
from funcdiff.core.primitive import General
from funcdiff.core.tape import Record, Variable, bodies
from funcdiff.jit.passes.roll_lines import LITERAL, PYTHON, REPETITIONS, Lines

DELAYS = 3
CHECKED = frozenset(["gather", "scatter_add", "put", "update_at"])  # raise for indices that are out of bounds


@dataclass
class Block:
    """What the operands of a block are, slot by slot, and what control flow asks for in it.

    Attributes
    ----------
    size, first, repetitions : int
        The outputs of a block, the code of the first output of the first block, and the number of blocks.
    carried : dict
        (output, delay) to the code that stands for it before the first block, or None.
    invariants : dict
        Codes to places.
    stacked : list
        Arrays, or (loop before, output, its first block, step).
    roles : list
        What each operand is.
    guards : list
        (output, what is expected of it block by block).
    first_guard : int
        The place of the first of the guards on the tape.
    """

    size: int
    first: int
    repetitions: int
    carried: dict[tuple[int, int], Any] = field(default_factory=dict)
    invariants: dict[int, int] = field(default_factory=dict)
    stacked: list[Any] = field(default_factory=list)
    roles: list[tuple[str, Any]] = field(default_factory=list)
    guards: list[tuple[int, Any]] = field(default_factory=list)
    first_guard: int = -1


class Fitter:
    """Finds out where in a region a loop begins and ends, and what it does."""

    def __init__(self, lines: Lines, loops: list[tuple[Block, dict[int, Variable]]]) -> None:
        self.tape = lines.tape
        self.lines = lines
        self.loops = loops  # before the region
        self.last_use, self.asked = lines.uses()

    def fit(self, start: int, period: int, repetitions: int) -> tuple[int, Block] | None:
        """Return where a loop begins and what it is, the first or last blocks left out if need be."""
        rotation = self._rotation(start, period, repetitions)
        for shift in (rotation, 0):
            begin = start + shift
            count = repetitions - (shift > 0)
            for before, after in ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0)):
                if count - before - after >= REPETITIONS:
                    block = self._classified(begin + before * period, period, count - before - after)
                    if block is not None:
                        return begin + before * period, block
        return None

    def _rotation(self, start: int, period: int, repetitions: int) -> int:
        """Return the shift at which the fewest values live on from block to block."""
        lines = self.lines
        middle = start + (repetitions // 2) * period
        lo, hi = lines.outs[middle - period], lines.outs[middle]
        makers = np.repeat(
            np.arange(middle - period, middle), np.diff(lines.outs[middle - period : middle + 1])
        )
        users = np.minimum(self.last_use[lo:hi], makers + period)
        crossing = np.zeros(period, int)
        for maker, user in zip((makers - start).tolist(), (users - start).tolist(), strict=True):
            for boundary in range(maker + 1, user + 1):
                crossing[boundary % period] += 1
        return int(np.argmin(crossing))

    def _classified(self, start: int, period: int, repetitions: int) -> Block | None:
        lines = self.lines
        stop = start + period * repetitions
        size = int(lines.outs[start + period] - lines.outs[start])
        first = int(lines.outs[start])
        codes = lines.codes[lines.slots[start] : lines.slots[stop]]
        if len(codes) % repetitions or lines.outs[stop] - first != size * repetitions:
            return None
        codes = codes.reshape(repetitions, -1)
        block = Block(size, first, repetitions)
        relative = codes - (first + size * np.arange(repetitions)[:, None])
        same = (codes == codes[-1]).all(0)
        steady = np.array([(relative[d:] == relative[-1]).all(0) for d in range(DELAYS + 1)])
        step = codes[1] - codes[0]
        affine = (np.diff(codes, axis=0) == step).all(0)
        for slot in range(codes.shape[1]):
            role = self._role(
                block,
                codes[:, slot],
                int(relative[-1, slot]),
                bool(same[slot]),
                steady[:, slot],
                bool(affine[slot]),
            )
            if role is None:
                return None
            block.roles.append(role)
        if self._hands_on_stacks(start, period, stop):
            return None
        self._guards(block, start, period)
        return block

    def _hands_on_stacks(self, start: int, period: int, stop: int) -> bool:
        """Tell whether what a loop of unknown length keeps is read outside of its block."""
        outs, count = self.lines.outs, (stop - start) // period
        for n in range(start, start + period):
            params = self.tape.records[n].params
            if "carries" in params and params["length"] is None:
                kept = np.arange(outs[n] + params["carries"], outs[n] + len(params["body"].outputs))
                size, blocks = outs[start + period] - outs[start], np.arange(count)[:, None]
                if (self.last_use[kept + size * blocks] >= start + period * (blocks + 1)).any():
                    return True
        return False

    def _guards(self, block: Block, start: int, period: int) -> None:
        """Enter what control flow asks for, if it is the same booleans in each block, and no step can fail.

        A step may then run where control flow would have ended the loop: that is told after the loop.
        """
        lines, count = self.lines, block.repetitions
        places = np.flatnonzero(
            (lines.guard_codes >= block.first) & (lines.guard_codes < block.first + block.size * count)
        )
        if not len(places) or len(places) % count or places[-1] - places[0] + 1 != len(places):
            return
        outputs = lines.guard_codes[places].reshape(count, -1) - block.first
        same = (outputs == outputs[0] + block.size * np.arange(count)[:, None]).all()
        guards = [self.tape.guards[n] for n in places.tolist()]
        if not same or not all(g.value.ndim == 0 and g.value.dtype == bool for g in guards):
            return
        if not all(map(is_total, self.tape.records[start : start + period])):
            return
        answers = np.array([bool(g.value) for g in guards]).reshape(count, -1)
        block.guards = list(zip(outputs[0].tolist(), answers.T, strict=True))
        block.first_guard = int(places[0])

    def _role(
        self, block: Block, codes: Any, relative: int, same: bool, steady: Any, affine: bool
    ) -> tuple[str, Any] | None:
        if (codes >= LITERAL).all():
            return self._constant(block, codes - LITERAL)
        if (codes[1:] >= LITERAL).any():
            return None
        if same:
            if codes[0] >= block.first:
                return None
            return "invariant", block.invariants.setdefault(int(codes[0]), len(block.invariants))
        if 0 <= relative < block.size and steady[0]:
            return "inside", relative
        delay = -(relative // block.size)
        if 1 <= delay <= DELAYS and steady[delay] and self._carry(block, codes, relative % block.size, delay):
            return "carried", (relative % block.size, delay)
        if affine and codes[0] >= 0:
            return self._collected_before(block, codes)
        return None

    def _constant(self, block: Block, places: Any) -> tuple[str, Any] | None:
        values = [self.lines.literals[n] for n in places.tolist()]
        if all(v is values[0] for v in values):
            return "literal", values[0]
        first = key_of(values[0])
        if all(key_of(v) == first for v in values[1:]):
            return "literal", values[0]
        if set(map(type, values)) == {float}:
            block.stacked.append(np.array(values))
            return "weak", len(block.stacked) - 1
        kinds = {type_of(v) for v in values}
        if len(kinds) > 1:
            return None
        weak = type(values[0]) in PYTHON
        if weak and next(iter(kinds)).dtype.kind not in "fi":
            return None
        block.stacked.append(np.stack([np.asarray(v) for v in values]))
        return "weak" if weak else "stacked", len(block.stacked) - 1

    def _carry(self, block: Block, codes: Any, output: int, delay: int) -> bool:
        """Enter a carried value, with what it is before the first block."""
        kind = self.lines.made_at[block.first + output].type
        for n in range(delay):
            before = int(codes[n])
            if self._kind(before) != kind or before >= block.first:
                return False
            key = (output, delay - n)
            if block.carried.setdefault(key, before) != before:
                return False
        return True

    def _kind(self, code: int) -> ArrayType:
        if code >= LITERAL:
            return type_of(self.lines.literals[code - LITERAL])
        if code < 0:
            return self.tape.inputs[code + len(self.tape.inputs)].type
        return self.lines.made_at[code].type

    def _collected_before(self, block: Block, codes: Any) -> tuple[str, Any] | None:
        """Read what a loop before has made, a value of each of its steps."""
        for n, (other, collected) in enumerate(self.loops):
            step = int(codes[1] - codes[0])
            if abs(step) != other.size:
                continue
            at, output = divmod(int(codes[0]) - other.first, other.size)
            end = at + (block.repetitions - 1) * (step // other.size)
            if output in collected and 0 <= at < other.repetitions and 0 <= end < other.repetitions:
                block.stacked.append((n, output, at, step // other.size))
                return "stacked", len(block.stacked) - 1
        return None


def is_total(record: Record) -> bool:
    """Tell whether a step ends without an error, whatever the values of its operands are."""
    primitive, inner = record.primitive, bodies(record)
    if inner:
        parts = [r for body in inner.values() for r in body.records]
        ends = record.params.get("cond") is None
        return ends and all(is_total(r) and r.primitive.name not in CHECKED for r in parts)
    if primitive.user_made or primitive.custom is not None:
        return False
    is_factorization = isinstance(primitive, General) and "linalg" in str(primitive.impl.__module__)
    return not is_factorization or primitive.name == "vector_norm"
