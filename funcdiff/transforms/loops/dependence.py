"""What depends on what in a body: which outputs move or differ with some inputs, and which inputs some outputs need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from funcdiff.core.array_type import is_differentiable
from funcdiff.core.primitive import LocallyConstant
from funcdiff.core.tape import Record, Tape, Variable, variables
from funcdiff.transforms.loops.body import Body, live

Follow = Callable[[Record, list[bool]], Sequence[bool]]
"""Given a record and which of its inputs are reached, of which there is one, tell which of its outputs are."""


def active_outputs(body: Tape, active: Sequence[bool]) -> list[bool]:
    """Tell which outputs can have a nonzero tangent if some inputs have one; of loops and branches, as they say."""
    active = [a and is_differentiable(v.type.dtype) for v, a in zip(body.inputs, active, strict=True)]
    return _reached("active", body, active, _moving)


def mapped_outputs(body: Tape, mapped: Sequence[bool]) -> list[bool]:
    """Tell which outputs differ from example to example of a batch if some inputs do."""
    return _reached("mapped", body, mapped, _differing)


def _moving(record: Record, flags: list[bool]) -> Sequence[bool]:
    if isinstance(record.primitive, LocallyConstant):
        return [False] * len(record.outputs)
    control = record.primitive.control
    moving = [True] * len(record.outputs) if control is None else control(record.params).moving(flags)
    return [m and is_differentiable(v.type.dtype) for v, m in zip(record.outputs, moving, strict=True)]


def _differing(record: Record, flags: list[bool]) -> Sequence[bool]:
    control = record.primitive.control
    found: Sequence[bool] = (
        [True] * len(record.outputs) if control is None else control(record.params).differing(flags)
    )
    return found


def _reached(name: str, body: Tape, flags: Sequence[bool], follow: Follow) -> list[bool]:
    """Follow what starts at flagged inputs to the outputs; loops in loops ask again and again."""
    derived = body.derived if isinstance(body, Body) else {}
    key = (name, *flags)
    if key not in derived:
        found = {v.number for v, f in zip(body.inputs, flags, strict=True) if f}
        for record in body.records:
            read = [isinstance(a, Variable) and a.number in found for a in record.inputs]
            if any(read):
                pairs = zip(record.outputs, follow(record, read), strict=True)
                found.update(v.number for v, f in pairs if f)
        derived[key] = [isinstance(a, Variable) and a.number in found for a in body.outputs]
    return list(derived[key])


def needed_inputs(body: Tape, wanted: Sequence[bool]) -> list[bool]:
    """Tell which inputs some outputs depend on."""
    outputs = [a for a, w in zip(body.outputs, wanted, strict=True) if w]
    needed = {v.number for v in variables(outputs)}
    for record in live(body.records, outputs):
        needed.update(v.number for v in variables(record.inputs))
    return [v.number in needed for v in body.inputs]
