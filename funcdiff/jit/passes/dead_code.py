"""Records that neither an output nor a guard needs are dropped, and what nobody needs of loops and branches."""

from __future__ import annotations

from dataclasses import replace

from funcdiff.core.tape import Guard, Record, Tape, Variable, variables
from funcdiff.jit.passes.dead_in_loops import pruned


def drop_dead_code(tape: Tape) -> Tape:
    """Return the tape without records whose outputs nobody reads."""
    needed = {v.number for v in variables(tape.outputs)} | {g.variable.number for g in tape.guards}
    kept: list[Record] = []
    changed = False
    for record in reversed(tape.records):
        if any(v.number in needed for v in record.outputs):
            if record.primitive.control is not None:
                whole = record
                record = pruned(record, tuple(v.number in needed for v in record.outputs), drop_dead_code)
                changed = changed or record is not whole
            kept.append(record)
            needed.update(a.number for a in record.inputs if isinstance(a, Variable))
    kept.reverse()
    if len(kept) == len(tape.records) and not changed:
        return tape
    return replace(tape, records=tuple(kept), guards=_moved(tape, needed))


def _moved(tape: Tape, needed: set[int]) -> tuple[Guard, ...]:
    """Return the guards at their new positions."""
    before = [0]
    for record in tape.records:
        before.append(before[-1] + any(v.number in needed for v in record.outputs))
    return tuple(replace(guard, position=before[guard.position]) for guard in tape.guards)
