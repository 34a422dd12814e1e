"""Sweeps: the records of a tape that shift arrays against one another, which become loops as a whole.

A slice of a computed array, or an array put together from slices, would be a copy in memory.  In a sweep it is an
index map instead: each result of the sweep is an expression of elements of arrays in memory, so the transpose of a
stencil gathers, too.  What would be computed too often that way is kept in memory, and ends a phase of the sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from funcdiff.core.tape import Atom, Literal, Record, Tape, Variable, variables
from funcdiff.jit.native.elementwise import loop_kinds
from funcdiff.jit.native.index_maps import FIXED, Map, Use, Uses, composed, elementwise, identity, uses
from funcdiff.jit.native.nodes import KINDS
from funcdiff.jit.native.spaces import UNROLLED, natural
from funcdiff.jit.passes.rewriting import kind

SHIFTING = frozenset(["getitem", "view", "update_at", "index_add", "concatenate"])
REDUCTIONS = frozenset(["sum", "max", "min"])
LONGEST = 1500  # records of a tape in which sweeps are looked for
AGAIN = 8  # cheap operations per element that may be done once more rather than kept in memory
FURTHER = 2  # operations by which what is kept may be cheaper, if it is larger: then more is made of it
DEAR = 20  # what a division or a function costs, in cheap operations
TRACKED = 48  # operations of an element that are counted one by one


@dataclass(eq=False)
class Sweep:
    """Records that are lowered together.

    Attributes
    ----------
    records : dict
        By the number of what they make.
    uses : dict
        Where their operands are read, by the same numbers.
    phases : list
        Per phase the numbers of arrays that are written to memory, and the records that reduce some to a number.
    all : list
        The records and those reductions, as they stood on the tape.
    """

    records: dict[int, Record] = field(default_factory=dict)
    uses: dict[int, Uses] = field(default_factory=dict)
    phases: list[tuple[list[int], list[Record]]] = field(default_factory=list)
    all: list[Record] = field(default_factory=list)
    cones: dict[int, Cone] = field(default_factory=dict)


Cone = dict[int, frozenset[Map]]
"""For values that are read at several places: at which, in terms of the index of a result."""


def plan(tape: Tape) -> list[Record | Sweep]:
    """Return the steps in which a tape is lowered: single records, and sweeps."""
    found = _candidates(tape)
    if not found:
        return list(tape.records)
    reductions = {r.outputs[0].number for r in tape.records if _is_reduction(r, found)}
    wave: dict[int, int] = {}
    plain: dict[int, list[Record]] = {}
    sweeps: dict[int, Sweep] = {}
    reduced: dict[int, list[Record]] = {}
    order: dict[int, list[Record]] = {}
    for record in tape.records:
        number = record.outputs[0].number if record.outputs else -1
        swept = number in found
        at = 0
        for v in variables(record.inputs):
            late = v.number in reductions or (v.number in found and not swept and number not in reductions)
            at = max(at, wave.get(v.number, 0) + late)
        for out in record.outputs:
            wave[out.number] = at
        if swept or number in reductions:
            order.setdefault(at, []).append(record)
        if swept:
            sweep = sweeps.setdefault(at, Sweep())
            sweep.records[number], sweep.uses[number] = record, found[number]
        elif number in reductions:
            reduced.setdefault(at, []).append(record)
        else:
            plain.setdefault(at, []).append(record)
    read = _read_outside(tape, found, reductions, wave)
    steps: list[Record | Sweep] = []
    for at in range(max([0, *wave.values()]) + 1):
        steps += plain.get(at, [])
        if at in sweeps:
            sweeps[at].all = order[at]
            _arrange(sweeps[at], reduced.get(at, []), read)
            steps.append(sweeps[at])
    return steps


def _read_outside(tape: Tape, found: dict[int, Uses], reductions: set[int], wave: dict[int, int]) -> set[int]:
    """Return what is read by other records than those of the same sweep."""
    read = {v.number for v in variables(tape.outputs)}
    for record in tape.records:
        number = record.outputs[0].number if record.outputs else -1
        if number in reductions:
            continue
        for v in variables(record.inputs):
            if v.number in found and (number not in found or wave[number] != wave[v.number]):
                read.add(v.number)
    return read


# --- which records -----------------------------------------------------------------------------------


def _candidates(tape: Tape) -> dict[int, Uses]:
    """Return where the records read their operands that are lowered in sweeps, by what they make."""
    if len(tape.records) > LONGEST or not any(r.primitive.name in SHIFTING for r in tape.records):
        return {}
    found: dict[int, Uses] = {}
    group: dict[int, int] = {}
    read_again: set[int] = set()  # by what could read at shifted places

    def root(n: int) -> int:
        while group[n] != n:
            group[n] = group[group[n]]
            n = group[n]
        return n

    for record in tape.records:
        read = _swept(record)
        if read is not None or record.primitive.name in REDUCTIONS:
            read_again.update(v.number for v in variables(record.inputs))
        if read is None:
            continue
        number = record.outputs[0].number
        found[number] = read
        group.setdefault(number, number)
        for v in variables(record.inputs):
            if is_long(v):
                group.setdefault(v.number, v.number)
                group[root(v.number)] = root(number)
    wanted = {
        root(r.outputs[0].number)
        for r in tape.records
        if r.outputs and r.outputs[0].number in found and _shifts(r, found, read_again)
    }
    return {n: read for n, read in found.items() if root(n) in wanted}


def is_long(atom: Atom) -> bool:
    """Tell whether an array has an axis that is a loop."""
    shape = kind(atom).shape
    return 0 not in shape and bool(natural(shape, frozenset())[0])


def _swept(record: Record) -> Uses | None:
    """Return where a record reads its operands, if it can be part of a sweep."""
    if len(record.outputs) != 1 or record.primitive.user_made or record.primitive.custom is not None:
        return None
    out = record.outputs[0]
    if out.type.dtype not in KINDS or not is_long(out) or any(0 in kind(a).shape for a in record.inputs):
        return None
    if loop_kinds(record) is not None:
        return elementwise(record)
    given = [kind(a).dtype for a in record.inputs]
    if record.primitive.name == "astype":
        of, to = KINDS.get(given[0]), KINDS[out.type.dtype]
        return elementwise(record) if of and not (of in ("f64", "f32") and to == "i64") else None
    if any(d != out.type.dtype and kind(a).size != 1 for a, d in zip(record.inputs, given, strict=True)):
        return None
    if any(d not in KINDS for d in given):
        return None
    return uses(record)


def _shifts(record: Record, found: dict[int, Uses], read_again: set[int]) -> bool:
    """Tell whether a record would copy: a slice of what is computed, or an array put together from slices.

    That is so along axes that are loops; components side by side are numbers of their own. What is concatenated to be a
    result is computed where it belongs.
    """
    name, number = record.primitive.name, record.outputs[0].number
    read = found[number]
    if name == "concatenate" and number not in read_again:
        return False
    if name in ("getitem", "view"):
        (use,) = read.operands
        if not isinstance(use.atom, Variable) or use.atom.number not in found:
            return False
        shape = use.atom.type.shape
        long = _long_axes(shape)
        return any(
            axis in long and ((a.axis != FIXED and (a.start, a.step) != (0, 1)) or n != m)
            for axis, (a, n, m) in enumerate(zip(use.map, shape, _extents(use.map, record), strict=True))
        )
    if name not in SHIFTING:
        return False
    shape = record.outputs[0].type.shape
    long = _long_axes(shape)
    return any(
        is_long(u.atom) and any(_is_shifted(u, axis, shape[axis]) for axis in long) for u in read.operands
    )


def _long_axes(shape: tuple[int, ...]) -> list[int]:
    """Return the axes along which slices are worth a sweep: those that are loops, but for short ones beside a longer."""
    loops = natural(shape, frozenset())[1]
    return [
        n for n, loop in enumerate(loops) if loop >= 0 and (shape[n] > UNROLLED or shape[n] == max(shape))
    ]


def _is_shifted(use: Use, axis: int, length: int) -> bool:
    """Tell whether an operand is read elsewhere, or only in a part, along an axis of the result."""
    moved = any(a.axis == axis and (a.start, a.step) != (0, 1) for a in use.map)
    return moved or (use.box is not None and use.box[axis] != (0, length))


def _extents(read: Map, record: Record) -> list[int]:
    shape = record.outputs[0].type.shape
    return [1 if a.axis == FIXED else shape[a.axis] for a in read]


def _is_reduction(record: Record, found: dict[int, Uses]) -> bool:
    if record.primitive.name not in REDUCTIONS or not isinstance(record.inputs[0], Variable):
        return False
    given, out = record.inputs[0], record.outputs[0]
    return (
        given.number in found
        and len(record.params["axis"]) == len(given.type.shape)
        and given.type.dtype == out.type.dtype
        and KINDS[out.type.dtype] in ("f64", "f32", "i64")
    )


# --- what is kept in memory --------------------------------------------------------------------------


def _arrange(sweep: Sweep, reduced: Sequence[Record], read: set[int]) -> None:
    """Decide what a sweep keeps in memory, and in which phase that is computed."""
    keeping = _Keeping(sweep, read | {v.number for r in reduced for v in variables(r.inputs)})
    kept, phase = keeping.kept, keeping.phase
    sweep.phases = [([], []) for _ in range(max(phase.values()) + 1)]
    for number in sweep.records:
        if number in kept or number in read:
            sweep.phases[phase[number]][0].append(number)
    for record in reduced:
        sweep.phases[phase[variables(record.inputs)[0].number]][1].append(record)
    sweep.phases = [p for p in sweep.phases if p[0] or p[1]]


class _Keeping:
    """Goes over the records of a sweep, and back to where something proves to be worth keeping."""

    def __init__(self, sweep: Sweep, roots: set[int]) -> None:
        self.sweep = sweep
        self.watched = _watched(sweep, roots)
        self.kept: set[int] = set()
        self.work: dict[int, frozenset[int]] = {}
        self.cost: dict[int, int] = {}
        self.phase: dict[int, int] = {}
        self.each = {n: _cost(record) for n, record in sweep.records.items()}
        numbers = list(sweep.records)
        place = {n: i for i, n in enumerate(numbers)}
        at = 0
        while at < len(numbers):
            self._enter(numbers[at])
            wanted = self._wanted(numbers[at])
            if wanted is None:
                at += 1
            else:
                self.kept.add(wanted)
                at = place[wanted]

    def _enter(self, number: int) -> None:
        inputs = [v.number for v in variables(self.sweep.records[number].inputs)]
        own = [n for n in inputs if n in self.phase]
        self.phase[number] = max([0, *(self.phase[n] + (n in self.kept) for n in own)])
        work: frozenset[int] = frozenset([number])
        for n in own:
            if n not in self.kept and len(work) < TRACKED:
                work |= self.work[n]
        self.work[number] = work
        self.cost[number] = sum(map(self.each.__getitem__, work))
        self.sweep.cones[number] = _cone(self.sweep, number, self.watched, self.kept)

    def _wanted(self, number: int) -> int | None:
        """Return what had better be in memory when a value is computed."""
        kept, cost, phase = self.kept, self.cost, self.phase
        for v in variables(self.sweep.records[number].inputs):  # what an earlier phase has computed
            n = v.number
            if n in phase and n not in kept and phase[n] < phase[number] and cost[n] > AGAIN:
                return n
        often = {
            n: (len(maps) - 1) * cost[n]
            for n, maps in self.sweep.cones[number].items()
            if len(maps) > 1 and n in cost and n not in kept
        }
        most = max(often.values(), default=0)
        if most <= AGAIN:
            return None
        worst = max(n for n, c in often.items() if c == most)
        about = [n for n, c in often.items() if c > AGAIN and cost[n] >= cost[worst] - FURTHER]
        return max(about, key=lambda n: (self.sweep.records[n].outputs[0].type.size, n))


def _watched(sweep: Sweep, roots: set[int]) -> set[int]:
    """Return the values that may be read at several places: on the way to what is shifted, or a result."""
    ends: dict[int, int] = {}
    for number, read in sweep.uses.items():
        here = identity(len(sweep.records[number].outputs[0].type.shape))
        for use in read.operands:
            if isinstance(use.atom, Variable) and use.atom.number in sweep.records and use.map != here:
                ends.setdefault(use.atom.number, 1 << len(ends))
    for number in roots & sweep.records.keys():
        ends.setdefault(number, 1 << len(ends))
    to: dict[int, int] = dict.fromkeys(sweep.records, 0)  # bits of the ends that a value leads to
    same: set[int] = set()  # values all of which leads on through another
    for number in reversed(sweep.records):
        mine = ends.get(number, to[number])
        for v in variables(sweep.records[number].inputs):
            if v.number in to:
                to[v.number] |= mine
    for number, record in sweep.records.items():
        if number not in ends:
            same.update(v.number for v in variables(record.inputs) if to.get(v.number) == to[number])
    return ends.keys() | {n for n, bits in to.items() if bits & (bits - 1) and n not in same}


def _cost(record: Record) -> int:
    name = record.primitive.name
    if name in _FREE:
        return 0
    if name in _CHEAP or (name == "power" and any(_is_small(a) for a in record.inputs[1:])):
        return 1
    return DEAR


_FREE = SHIFTING | {"transpose", "broadcast_to", "reshape", "copy", "astype", "stop_gradient", "positive"}
_CHEAP = frozenset(
    ["add", "subtract", "multiply", "negative", "square", "scale", "absolute", "where", "maximum", "minimum"]
) | {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or"}


def _is_small(exponent: Atom) -> bool:
    return isinstance(exponent, Literal) and kind(exponent).size == 1 and exponent.value in (1, 2, 3, 4)


def _cone(sweep: Sweep, number: int, watched: set[int], kept: set[int]) -> Cone:
    """Return where what a value is computed from is read: arrays from elsewhere, and what is watched."""
    found: dict[int, set[Map]] = {}
    here = identity(len(sweep.records[number].outputs[0].type.shape))
    for use in sweep.uses[number].operands:
        if not isinstance(use.atom, Variable):
            continue
        n = use.atom.number
        if n not in sweep.records or n in kept or n in watched:
            found.setdefault(n, set()).add(use.map)
        if n in sweep.records and n not in kept:
            for of, maps in sweep.cones[n].items():
                moved = maps if use.map == here else {composed(m, use.map) for m in maps}
                found.setdefault(of, set()).update(moved)
    return {n: frozenset(maps) for n, maps in found.items()}
