"""Which records become statements, which stand inside others' expressions, and what is written in place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from funcdiff.core.tape import Guard, Literal, Record, Tape, Variable, bodies, variables
from funcdiff.jit.liveness import is_ufunc

LONGEST = 64  # characters of an expression, about
# not ufuncs, and what they are written as makes an array of its own
_FRESH = frozenset(
    (
        "update_at",
        "put",
        "index_add",
        "scatter_add",
        "copy",
        "astype",
        "where",
        "concatenate",
        "stack",
        "scale",
    )
)


@dataclass
class Arrangement:
    """The statements of a program.

    Attributes
    ----------
    statements : list of Record, Guard or None
        What each statement makes or checks; the last one, None, returns the results.
    inside : dict
        For a variable's number, the record that is written where the variable is read.
    last : dict
        For a variable's number, the last statement that reads it.
    in_place : set
        Numbers of results of writes that are made in the array they are a changed copy of.
    """

    statements: list[Record | Guard | None] = field(default_factory=list)
    inside: dict[int, Record] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    in_place: set[int] = field(default_factory=set)


def arrange(tape: Tape, named: dict[int, str]) -> Arrangement:
    """Arrange the records of a tape into statements."""
    found = Arrangement()
    found.inside = _inside(tape, named)
    guards = list(tape.guards)
    for position, record in enumerate(tape.records):
        while guards and guards[0].position <= position:
            found.statements.append(guards.pop(0))
        if record.outputs[0].number not in found.inside:
            found.statements.append(record)
    found.statements += [*guards, None]
    for n, statement in enumerate(found.statements):
        for v in _read(tape, statement, found.inside):
            found.last[v.number] = n
    _find_in_place(tape, found)
    return found


def is_write(record: Record) -> bool:
    """Tell whether a record is written as a statement of its own, on an array."""
    return (
        record.primitive.name in ("update_at", "put", "index_add", "scatter_add")
        and not record.primitive.user_made
    )


def is_statement(record: Record) -> bool:
    """Tell whether a record stands in no expression: a write, a loop or a branch."""
    return is_write(record) or bool(bodies(record))


def _inside(tape: Tape, named: dict[int, str]) -> dict[int, Record]:
    """Choose the records that are written inside others: unnamed, short, read once."""
    uses: dict[int, int] = {}
    readers = [*(r.inputs for r in tape.records), tape.outputs, [g.variable for g in tape.guards]]
    for atoms in readers:
        for v in variables(list(atoms)):
            uses[v.number] = uses.get(v.number, 0) + 1
    inside: dict[int, Record] = {}
    length: dict[int, int] = {}
    candidates: dict[int, Record] = {}
    reads: dict[int, set[int]] = {}  # what a candidate's expression reads
    written: set[int] = set()  # what has been written into: it is read before that, if it can be
    for record in tape.records:
        for number in [n for n in candidates if reads[n] & written]:
            candidates.pop(number)
        if bodies(record):  # a loop reads its operands again and again
            for v in variables(record.inputs):
                candidates.pop(v.number, None)
        parts = {v.number: length[v.number] for v in variables(record.inputs) if v.number in candidates}
        total = _own_length(record, named) + sum(parts.values())
        for number in sorted(parts, key=parts.__getitem__):  # the longest last, which then stand alone
            if total > LONGEST and number == max(parts, key=parts.__getitem__):
                total -= parts.pop(number) - 3
                candidates.pop(number)
                break
        for number in parts:
            inside[number] = candidates.pop(number)
        out = record.outputs[0].number
        if len(record.outputs) == 1 and uses.get(out) == 1 and out not in named and not is_statement(record):
            candidates[out] = record
            length[out] = total
            mine = [v.number for v in variables(record.inputs)]
            reads[out] = {n for n in mine if n not in inside}.union(*(reads[n] for n in mine if n in inside))
        if is_write(record):
            written.update(v.number for v in variables(record.inputs[:1]))
    inside.update(candidates)  # read by a guard or returned
    return inside


def _own_length(record: Record, named: dict[int, str]) -> int:
    names = sum(len(named.get(a.number, "t10")) if isinstance(a, Variable) else 4 for a in record.inputs)
    settings = sum(_setting_length(value) for value in record.params.values())
    return len(record.primitive.name) + names + settings + 2


def _setting_length(value: Any) -> int:
    if isinstance(value, tuple):
        return sum(_setting_length(v) for v in value)
    return (
        3
        if isinstance(value, (int, slice, dict, type(None))) or callable(value)
        else min(len(str(value)), 20)
    )


def _read(tape: Tape, statement: Record | Guard | None, inside: dict[int, Record]) -> list[Variable]:
    """Return the variables a statement reads by name."""
    if statement is None:
        waiting = list(tape.outputs)
    else:
        waiting = [statement.variable] if isinstance(statement, Guard) else list(statement.inputs)
    found = []
    while waiting:
        atom = waiting.pop()
        if isinstance(atom, Literal):
            continue
        if atom.number in inside:
            waiting.extend(inside[atom.number].inputs)
        else:
            found.append(atom)
    return found


def _find_in_place(tape: Tape, found: Arrangement) -> None:
    """Find the writes into arrays that nobody reads afterwards, under any name."""
    memory = _memory(tape)
    last: dict[int, int] = {}
    for number, n in found.last.items():
        for root in memory[number]:
            last[root] = max(last.get(root, -1), n)
    fresh = {v.number for r in tape.records if _is_fresh(r) for v in r.outputs}
    for n, statement in enumerate(found.statements):
        if not isinstance(statement, Record) or statement.primitive.name not in ("update_at", "put"):
            continue
        old, out = statement.inputs[0], statement.outputs[0]
        if (
            isinstance(old, Variable)
            and old.number in fresh
            and old.number not in found.inside
            and last[old.number] == n
            and old.type == out.type
            and out.type.shape
            and old not in variables(statement.inputs[1:])
        ):
            found.in_place.add(out.number)


def _is_fresh(record: Record) -> bool:
    return is_ufunc(record) or (record.primitive.name in _FRESH and not record.primitive.user_made)


def _memory(tape: Tape) -> dict[int, frozenset[int]]:
    """Return, per variable, the variables in whose memory it may lie."""
    memory = {v.number: frozenset((v.number,)) for v in tape.inputs}
    for record in tape.records:
        shared: frozenset[int] = frozenset()
        if not _is_fresh(record):
            shared = shared.union(*(memory[v.number] for v in variables(record.inputs)))
        memory.update((v.number, shared | {v.number}) for v in record.outputs)
    return memory
