"""Repeated blocks of a tape become loops.

A plain Python loop leaves the same records again and again.  Each record gets a token: what it does and how far
back its operands are.  Where tokens repeat at a distance, the blocks between are compared operand by operand: one
that is the same in all blocks is an invariant, one at the same place inside its block stays there, one in a block
before is carried, constants that differ are stacked, and so are values that a loop before has collected, one per
block.  Whatever fits none of these, the blocks are no loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.keys import key_of
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable
from funcdiff.primitives.indexing import HOLE
from funcdiff.transforms.loops.body import as_body, make_body
from funcdiff.transforms.loops.loop import Loop, primitive

LEAST = 300  # records of a tape from which loops are looked for
WORTH = {"numpy": 2000, "native": 20_000}
"""Records from which rolling is worth it for a backend: machine code without loops runs fast and compiles slowly."""
REPETITIONS = 4
NEAR = 4096  # records between a value and its use that count as near
WINDOW = 16
PERIODS = 12
DELAYS = 3


def roll(tape: Tape, least: int = LEAST) -> Tape:
    """Return a tape with loops in the place of repeated blocks, or the tape itself; a shorter one stays."""
    if len(tape.records) < least:
        return tape
    lines = _Lines(tape)
    regions = lines.regions()
    if not regions:
        return tape
    rolled = _Roller(tape, lines).run(regions)
    return rolled if 2 * len(rolled.records) <= len(tape.records) else tape


class _Lines:
    """A tape as arrays: a token per record, and a code per operand.

    The code of a variable is the place of its making among all outputs of records (inputs come before, below 0);
    the code of a literal is `LITERAL` plus its place in `literals`.
    """

    LITERAL = 1 << 40

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.literals: list[Any] = []
        made: dict[int, tuple[int, int]] = {}  # number -> (code, record)
        for n, v in enumerate(tape.inputs):
            made[v.number] = (n - len(tape.inputs), -NEAR)
        kinds: dict[Any, int] = {}
        settings: dict[Any, int] = {}
        of_params: dict[int, int] = {}
        tokens, codes, slots, outs = [], [], [0], [0]
        self.templates: list[Any] = []
        self.made_at: list[Variable] = []
        for position, record in enumerate(tape.records):
            template, numbers = _template(record)
            self.templates.append(template)
            if template is _SINGLE:
                setting = -3
            elif template is not None:
                setting = settings.setdefault(("template", key_of(template)), len(settings))
            elif not record.params:
                setting = -1
            else:
                setting = of_params.get(id(record.params), -2)
                if setting == -2:
                    setting = settings.setdefault(key_of(record.params), len(settings))
                    of_params[id(record.params)] = setting
            token: list[Any] = [id(record.primitive), setting]
            for atom in record.inputs:
                if type(atom) is Variable:
                    code, maker = made[atom.number]
                    distance = position - maker
                    token.append(distance if distance < NEAR else 0)
                    codes.append(code)
                else:
                    value = atom.value  # type: ignore[union-attr]
                    token.append(
                        type(value) if type(value) in _PYTHON else -1 - _number(kinds, type_of(value))
                    )
                    codes.append(self.LITERAL + len(self.literals))
                    self.literals.append(value)
            for number in numbers:
                codes.append(self.LITERAL + len(self.literals))
                self.literals.append(number)
            for v in record.outputs:
                made[v.number] = (len(self.made_at), position)
                self.made_at.append(v)
                token.append(_number(kinds, v.type))
            tokens.append(hash(tuple(token)))
            slots.append(len(codes))
            outs.append(len(self.made_at))
        self.tokens = np.array(tokens, np.int64)
        self.codes = np.array(codes, np.int64)
        self.slots = np.array(slots)
        self.outs = np.array(outs)
        self.code_of = {number: code for number, (code, _) in made.items()}

    def regions(self) -> list[tuple[int, int, int]]:
        """Return (start, period, repetitions) of what may be loops, in order and apart from each other."""
        found = []
        for period in self._periods():
            same = np.concatenate([[False], self.tokens[:-period] == self.tokens[period:], [False]])
            edges = np.flatnonzero(same[1:] != same[:-1])
            for start, stop in edges.reshape(-1, 2).tolist():
                repetitions = (stop - start) // period + 1
                if repetitions >= REPETITIONS:
                    found.append((start, period, repetitions, stop + period))
        found.sort(key=lambda r: (-(r[2] - 1) * r[1], r[1]))
        taken: list[tuple[int, int, int, int]] = []
        for region in found:
            if all(region[3] <= other[0] or region[0] >= other[3] for other in taken):
                taken.append(region)
        return [(start, period, n) for start, period, n, _ in sorted(taken)]

    def _periods(self) -> list[int]:
        """Return the commonest distances between windows that are alike."""
        tokens = self.tokens.astype(np.uint64)
        weights = np.uint64(0x9E3779B97F4A7C15) ** np.arange(1, WINDOW + 1, dtype=np.uint64)
        count = len(tokens) - WINDOW + 1
        if count < 2:
            return []
        windows = np.zeros(count, np.uint64)
        for n in range(WINDOW):
            windows += tokens[n : n + count] * weights[n]
        order = np.argsort(windows, kind="stable")
        alike = windows[order][1:] == windows[order][:-1]
        distances = (order[1:] - order[:-1])[alike]
        return [int(d) for d, _ in Counter(distances.tolist()).most_common(PERIODS) if d > 0]


def _number(kinds: dict[Any, int], kind: ArrayType) -> int:
    return kinds.setdefault((kind.shape, kind.dtype.char), len(kinds))


_PYTHON = frozenset([bool, int, float, complex])
_SINGLE = (HOLE,)
_NONE: tuple[Any, list[Any]] = (None, [])


def _template(record: Record) -> tuple[Any, list[Any]]:
    """Return an index without its integers, and those; (None, []) where a record has no plain index."""
    if not record.params:
        return _NONE
    index = _index(record)
    if type(index) is int:
        return _SINGLE, [index]
    if index is None:
        return _NONE
    items = index if type(index) is tuple else (index,)
    if not all(type(i) in (int, np.int64, slice) for i in items):
        return _NONE
    numbers = [int(i) for i in items if type(i) is not slice]
    if not numbers:
        return _NONE
    return tuple(i if type(i) is slice else HOLE for i in items), numbers


def _index(record: Record) -> Any:
    if record.primitive is REGISTRY["getitem"]:
        return record.params["index"]
    if record.primitive is REGISTRY["update_at"] and len(record.params["path"]) == 1:
        return record.params["path"][0][1].get("index")
    return None


@dataclass
class _Block:
    """What the operands of a block are, slot by slot: atoms of the body."""

    size: int  # outputs of a block
    first: int  # code of the first output of the first block
    repetitions: int
    carried: dict[tuple[int, int], Any] = field(
        default_factory=dict
    )  # (output, delay) -> code before, or None
    invariants: dict[int, int] = field(default_factory=dict)  # code -> place
    stacked: list[Any] = field(
        default_factory=list
    )  # arrays, or (loop before, output, its first block, step)
    roles: list[tuple[str, Any]] = field(default_factory=list)


class _Roller:
    """Writes the new tape."""

    def __init__(self, tape: Tape, lines: _Lines) -> None:
        self.tape = tape
        self.lines = lines
        self.fresh = 1 + max(
            [v.number for v in tape.inputs] + [v.number for r in tape.records for v in r.outputs]
        )
        self.records: list[Record] = []
        self.guards: list[Guard] = []
        self.new: dict[int, Atom] = {}  # by code
        self.loops: list[tuple[_Block, dict[int, Variable]]] = []
        self.last_use = self._last_uses()

    def _last_uses(self) -> np.ndarray[Any, Any]:
        """Return, for every output, the last record that reads it; one past the tape if the tape returns it."""
        lines = self.lines
        last = np.full(len(lines.made_at), -1)
        users = np.repeat(np.arange(len(self.tape.records)), np.diff(lines.slots))
        codes = lines.codes
        variable = (codes >= 0) & (codes < lines.LITERAL)
        last[codes[variable]] = users[variable]  # later ones overwrite
        for v in (*self.tape.outputs, *(g.variable for g in self.tape.guards)):
            if isinstance(v, Variable) and lines.code_of[v.number] >= 0:
                last[lines.code_of[v.number]] = len(self.tape.records)
        return last

    def run(self, regions: Sequence[tuple[int, int, int]]) -> Tape:
        """Copy the tape with loops in the place of the regions that are some."""
        at = 0
        for start, period, repetitions in regions:
            self._copy(at, start)
            at = start
            found = self._fit(start, period, repetitions)
            if found is not None:
                begin, block = found
                self._copy(start, begin)
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
        while len(self.guards) < len(guards) and guards[len(self.guards)].position <= position:
            guard = guards[len(self.guards)]
            variable = self._atom(self.lines.code_of[guard.variable.number])
            assert isinstance(variable, Variable)
            self.guards.append(replace(guard, variable=variable, position=len(self.records)))

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

    # --- what the operands are -----------------------------------------------------------------------

    def _fit(self, start: int, period: int, repetitions: int) -> tuple[int, _Block] | None:
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

    def _classified(self, start: int, period: int, repetitions: int) -> _Block | None:
        lines = self.lines
        stop = start + period * repetitions
        size = int(lines.outs[start + period] - lines.outs[start])
        first = int(lines.outs[start])
        codes = lines.codes[lines.slots[start] : lines.slots[stop]]
        if len(codes) % repetitions or lines.outs[stop] - first != size * repetitions:
            return None
        codes = codes.reshape(repetitions, -1)
        block = _Block(size, first, repetitions)
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
        return block

    def _role(
        self, block: _Block, codes: Any, relative: int, same: bool, steady: Any, affine: bool
    ) -> tuple[str, Any] | None:
        lines = self.lines
        if (codes >= lines.LITERAL).all():
            return self._constant(block, codes - lines.LITERAL)
        if (codes[1:] >= lines.LITERAL).any():
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

    def _constant(self, block: _Block, places: Any) -> tuple[str, Any] | None:
        values = [self.lines.literals[n] for n in places.tolist()]
        first = key_of(values[0])
        if all(key_of(v) == first for v in values[1:]):
            return "literal", values[0]
        kinds = {type_of(v) for v in values}
        if len(kinds) > 1:
            return None
        weak = type(values[0]) in _PYTHON
        if weak and next(iter(kinds)).dtype.kind not in "fi":
            return None
        block.stacked.append(np.stack([np.asarray(v) for v in values]))
        return "weak" if weak else "stacked", len(block.stacked) - 1

    def _carry(self, block: _Block, codes: Any, output: int, delay: int) -> bool:
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
        if code >= self.lines.LITERAL:
            return type_of(self.lines.literals[code - self.lines.LITERAL])
        if code < 0:
            return self.tape.inputs[code + len(self.tape.inputs)].type
        return self.lines.made_at[code].type

    def _collected_before(self, block: _Block, codes: Any) -> tuple[str, Any] | None:
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

    # --- the loop ------------------------------------------------------------------------------------

    def _write(self, start: int, period: int, block: _Block) -> None:
        """Append the record of a loop."""
        lines, count = self.lines, block.repetitions
        stop = start + period * count
        kinds = [v.type for v in lines.made_at[block.first : block.first + block.size]]
        codes = block.first + np.arange(block.size * count).reshape(count, block.size)
        used = self.last_use[codes] >= stop
        collected = []
        for q in np.flatnonzero(used.any(0)).tolist():
            late = np.flatnonzero(used[:, q])
            if late[0] < count - DELAYS:
                collected.append(q)
            else:
                for delay in range(1, count - int(late[0]) + 1):
                    block.carried.setdefault((q, delay), None)
        keys = sorted(block.carried)
        inputs = [Variable(n, kinds[q]) for n, (q, _) in enumerate(keys)]
        carry_of = dict(zip(keys, inputs, strict=True))
        invariant = [self._atom(code) for code in block.invariants]
        more = [Variable(len(inputs) + n, type_of_atom(a)) for n, a in enumerate(invariant)]
        stacked = [self._stacked(x, count) for x in block.stacked]
        last = [
            Variable(len(inputs) + len(more) + n, ArrayType(k.shape[1:], k.dtype))
            for n, k in enumerate(map(type_of_atom, stacked))
        ]
        base = len(inputs) + len(more) + len(last)
        made = [Variable(base + q, kind) for q, kind in enumerate(kinds)]
        roles = iter(block.roles)
        records: list[Record] = []
        spare = base + len(made)
        output = 0
        for n in range(start, start + period):
            record = self.tape.records[n]
            atoms: list[Atom] = []
            total = int(lines.slots[n + 1] - lines.slots[n])
            for k in range(total):
                role, what = next(roles)
                if k >= len(record.inputs) and role == "weak":
                    role = "stacked"  # an index
                match role:
                    case "literal":
                        atoms.append(Literal(what))
                    case "invariant":
                        atoms.append(more[what])
                    case "inside":
                        atoms.append(made[what])
                    case "carried":
                        atoms.append(carry_of[what])
                    case "stacked":
                        atoms.append(last[what])
                    case _:  # a Python number that differs: it gives way to the dtypes it meets
                        atom = last[what]
                        dtype = _dtype_met(record, atom.type.dtype)
                        if dtype != atom.type.dtype:
                            cast = Variable(spare, ArrayType((), dtype))
                            spare += 1
                            records.append(Record(REGISTRY["astype"], (atom,), {"dtype": dtype}, (cast,)))
                            atom = cast
                        atoms.append(atom)
            outs = tuple(made[output : output + len(record.outputs)])
            output += len(record.outputs)
            records.append(_step(record, atoms, lines.templates[n], outs))
        new_carry = [made[q] if delay == 1 else carry_of[q, delay - 1] for q, delay in keys]
        body_inputs = [*inputs, *more, *last]
        plain = make_body("steps", body_inputs, records, [*new_carry, *(made[q] for q in collected)], ())
        body = as_body(
            Tape("steps", plain.inputs, plain.records, plain.outputs, (), plain.in_tree, plain.out_tree)
        )
        starts = [self._start(block.carried[key], kinds[key[0]]) for key in keys]
        spec = Loop(body, None, len(keys), len(more), count)
        results = [self._variable(kinds[q]) for q, _ in keys]
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
        for (q, delay), v in zip(keys, results, strict=True):
            self.new[block.first + (count - delay) * block.size + q] = v
        self.loops.append((block, columns))

    def _start(self, code: Any, kind: ArrayType) -> Atom:
        if code is None:
            return Literal(np.zeros(kind.shape, kind.dtype)[()])
        if code >= self.lines.LITERAL:
            return Literal(np.asarray(self.lines.literals[code - self.lines.LITERAL], kind.dtype)[()])
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


def _dtype_met(record: Record, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that a Python number of a kind takes in a record."""
    others = [a.type.dtype for a in record.inputs if isinstance(a, Variable)]
    dtype_met: np.dtype[Any] = np.result_type(*others, 0.0 if dtype.kind == "f" else 0)
    return dtype_met


def type_of_atom(atom: Atom) -> ArrayType:
    """Return the type of an atom."""
    return type_of(atom.value) if isinstance(atom, Literal) else atom.type


def _step(record: Record, atoms: list[Atom], template: Any, outs: tuple[Variable, ...]) -> Record:
    """Return a record of the body; an index that counts becomes an operand."""
    if template is None:
        return Record(record.primitive, tuple(atoms), record.params, outs, record.line)
    holes = sum(i is HOLE for i in template)
    operands, numbers = atoms[: len(atoms) - holes], atoms[len(atoms) - holes :]
    if all(isinstance(a, Literal) for a in numbers):
        return Record(record.primitive, tuple(operands), record.params, outs, record.line)
    full = [Literal(np.int64(a.value)) if isinstance(a, Literal) else a for a in numbers]
    if record.primitive is REGISTRY["getitem"]:
        return Record(REGISTRY["gather"], (*operands, *full), {"template": template}, outs, record.line)
    params = {"lenses": (), "template": template}
    return Record(REGISTRY["put"], (*operands, *full), params, outs, record.line)
