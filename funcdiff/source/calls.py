"""Calls of functions with rules of their own, replaced by what these functions compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable
from funcdiff.transforms.trace import trace


def expanded(tape: Tape) -> Tape:
    """Return the tape with the steps of custom functions in the place of their calls.

    Their rules have been used already wherever the tape is that of a derivative.
    """
    if all(record.primitive.custom is None for record in tape.records):
        return tape
    number = 1 + max(v.number for v in (*tape.inputs, *(o for r in tape.records for o in r.outputs)))
    records: list[Record] = []
    replaced: dict[int, Atom] = {}
    before = [0]
    for record in tape.records:
        inputs = tuple(_current(a, replaced) for a in record.inputs)
        if record.primitive.custom is None:
            records.append(replace(record, inputs=inputs))
        else:
            inner = expanded(_steps(record, inputs))
            here: dict[int, Atom] = {v.number: a for v, a in zip(inner.inputs, inputs, strict=True)}
            for step in inner.records:
                made = []
                for v in step.outputs:
                    here[v.number] = new = Variable(number, v.type)
                    made.append(new)
                    number += 1
                records.append(
                    replace(step, inputs=tuple(_current(a, here) for a in step.inputs), outputs=tuple(made))
                )
            for v, a in zip(record.outputs, inner.outputs, strict=True):
                replaced[v.number] = _current(a, here)
        before.append(len(records))
    guards = tuple(_moved(g, replaced, before) for g in tape.guards)
    outputs = tuple(_current(a, replaced) for a in tape.outputs)
    return replace(tape, records=tuple(records), guards=guards, outputs=outputs)


def _current(atom: Atom, replaced: dict[int, Atom]) -> Atom:
    return replaced.get(atom.number, atom) if isinstance(atom, Variable) else atom


def _moved(guard: Guard, replaced: dict[int, Atom], before: Sequence[int]) -> Guard:
    variable = _current(guard.variable, replaced)
    assert isinstance(variable, Variable)
    return replace(guard, variable=variable, position=before[guard.position])


def _steps(record: Record, inputs: Sequence[Atom]) -> Tape:
    """Trace what a custom function computes."""
    name, function = record.primitive.name, record.primitive.impl

    def flat(*values: Any) -> Any:
        return function(*values, **record.params)

    examples = [
        a.value if isinstance(a, Literal) else np.ones(a.type.shape, a.type.dtype)[()] for a in inputs
    ]
    try:
        with np.errstate(all="ignore"):
            found = trace(flat)(*examples)
    except errors.FuncdiffError as error:
        raise _refused(name, "its steps cannot be recorded by themselves") from error
    types = [v.type for v in record.outputs]
    made = [a.type if isinstance(a, Variable) else None for a in found.outputs]
    if found.guards or any(m is not None and m != t for m, t in zip(made, types, strict=True)):
        raise _refused(name, "Python's control flow in it depends on values")
    return found


def _refused(name: str, reason: str) -> errors.UnsupportedError:
    return errors.UnsupportedError(
        f"{name} has derivative rules of its own and cannot be written out, because {reason}. Trace the function with a "
        "plain version of it."
    )
