"""Records that neither an output nor a guard needs are dropped."""

from __future__ import annotations

from dataclasses import replace

from funcdiff.core.tape import Guard, Record, Tape, Variable, variables


def drop_dead_code(tape: Tape) -> Tape:
    """Return the tape without records whose outputs nobody reads."""
    needed = {v.number for v in variables(tape.outputs)} | {g.variable.number for g in tape.guards}
    kept: list[Record] = []
    for record in reversed(tape.records):
        if any(v.number in needed for v in record.outputs):
            kept.append(record)
            needed.update(a.number for a in record.inputs if isinstance(a, Variable))
    kept.reverse()
    if len(kept) == len(tape.records):
        return tape
    return replace(tape, records=tuple(kept), guards=_moved(tape, kept))


def _moved(tape: Tape, kept: list[Record]) -> tuple[Guard, ...]:
    """Return the guards at their new positions."""
    staying = {id(record) for record in kept}
    before = [0]
    for record in tape.records:
        before.append(before[-1] + (id(record) in staying))
    return tuple(replace(guard, position=before[guard.position]) for guard in tape.guards)
