"""What a tape means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.recording import TracedArray, concrete
from funcdiff.core.show import neighbourhood
from funcdiff.core.tape import Guard, Literal, Tape, Variable
from funcdiff.core.trees import flatten


def run(tape: Tape, args: Sequence[Any]) -> Any:
    """Replay a tape on other arguments."""
    values = dict(zip((v.number for v in tape.inputs), leaves_of(tape, args), strict=True))
    last = _last_uses(tape)
    guards = iter(tape.guards)
    guard = next(guards, None)
    for position, record in enumerate(tape.records):
        while guard is not None and guard.position == position:
            _hold(tape, guard, values)
            guard = next(guards, None)
        inputs = [a.value if isinstance(a, Literal) else values[a.number] for a in record.inputs]
        out = record.primitive.function(*inputs, **record.params)
        del inputs
        outs = out if record.primitive.multiple_outputs else (out,)
        for variable, value in zip(record.outputs, outs, strict=True):
            if type_of(value) != variable.type:
                raise errors.TapeError(
                    f"tape {tape.name}: {variable} became {type_of(value)}, recorded as {variable.type}\n"
                    + neighbourhood(tape, position)
                )
            values[variable.number] = value
        for number in last.get(position, ()):
            values.pop(number, None)
    while guard is not None:
        _hold(tape, guard, values)
        guard = next(guards, None)
    outputs = [a.value if isinstance(a, Literal) else values[a.number] for a in tape.outputs]
    kept = {v.number for v in tape.inputs}
    for n, a in enumerate(tape.outputs):  # results are the caller's own
        if type(outputs[n]) is np.ndarray and (
            isinstance(a, Literal) or a.number in kept or outputs[n].base is not None
        ):
            outputs[n] = outputs[n].copy(order="K")
        elif isinstance(a, Variable):
            kept.add(a.number)
    return tape.out_tree.unflatten(outputs)


def leaves_of(tape: Tape, args: Sequence[Any]) -> list[Any]:
    """Return the leaves of arguments, which must be those the tape was recorded for in all but values."""
    leaves, tree = flatten(tuple(args))
    if not tree == tape.in_tree:
        raise errors.TapeError(
            f"tape {tape.name} takes arguments of structure {tape.in_tree!r}, not {tree!r}"
        )
    values = []
    for variable, leaf in zip(tape.inputs, leaves, strict=True):
        value = leaf if type(leaf) is TracedArray else np.asarray(leaf)[()]
        if type_of(value) != variable.type:
            raise errors.TapeError(
                f"tape {tape.name} takes {variable.type} as {variable}, not {type_of(value)}; trace the function again"
            )
        values.append(value)
    return values


def _last_uses(tape: Tape) -> dict[int, list[int]]:
    """Return, per record, the variables nobody needs after it, so that their memory is free."""
    last: dict[int, int] = {}
    for position, record in enumerate(tape.records):
        for a in (*record.inputs, *record.outputs):
            if not isinstance(a, Literal):
                last[a.number] = position
    for a in tape.outputs:
        if not isinstance(a, Literal):
            last.pop(a.number, None)
    for guard in tape.guards:
        last.pop(guard.variable.number, None)
    uses: dict[int, list[int]] = {}
    for number, position in last.items():
        uses.setdefault(position, []).append(number)
    return uses


def _hold(tape: Tape, guard: Guard, values: dict[int, Any]) -> None:
    """Check a guard."""
    found = np.asarray(concrete(values[guard.variable.number]))
    if not np.array_equal(found, guard.value, equal_nan=found.dtype.kind in "fc"):
        raise errors.TapeError(
            f"tape {tape.name} was recorded for another path of Python's control flow: {guard.variable} is "
            f"{found} and was {guard.value}"
            + (f" at {guard.line}" if guard.line else "")
            + ". Trace the function again."
        )
