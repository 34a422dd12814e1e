"""The programs of derivatives and batches of a program: transforms of its tape, recorded and compiled in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import TracedArray
from funcdiff.core.replay import run
from funcdiff.core.tape import Literal, Record, Tape, bodies, variables
from funcdiff.core.trees import flatten
from funcdiff.jit.passes.dead_code import drop_dead_code
from funcdiff.jit.passes.pipeline import optimise
from funcdiff.jit.passes.rewriting import is_filled_with, kind
from funcdiff.jit.program import Program
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.reverse import record
from funcdiff.transforms.trace import trace
from funcdiff.transforms.vmap import batch_flat

KEPT = 64  # derived programs per program; a batch size is one each


@dataclass(frozen=True)
class Halves:
    """A derivative in two halves: values with residuals, and what is linear, from residuals.

    So values depend on no tangent, and what maps over tangents does not map over them.

    Attributes
    ----------
    values : Program
        The inputs to the outputs, and after them the residuals.
    linear : Program
        The inputs numbered by `reused`, the residuals, and the cotangents of the inexact outputs, to
        the cotangents of the active inputs; or the tangents of these to those of the inexact outputs.
    reused : tuple of int
        Inputs that the linear half reads.
    """

    values: Program
    linear: Program
    reused: tuple[int, ...]


def flat(program: Program) -> Callable[..., list[Any]]:
    """Return the function of a program, on leaves that may be traced; its guards hold already.

    It is the tape as recorded, so that derivatives add up their terms in the order of the eager ones.
    """
    tape = drop_dead_code(replace(program.recorded, guards=()))
    return lambda *leaves: list(run(tape, leaves))


def inexact_outputs(program: Program) -> list[int]:
    """Return the places of the outputs that have derivatives."""
    return [n for n, a in enumerate(program.strong.outputs) if kind(a).dtype.kind in "fc"]


def pullback_of(program: Program, active: tuple[int, ...], values: Sequence[Any]) -> Halves | None:
    """Return the two halves of a pullback; None if Python's control flow asks for values in it."""
    return _kept(program, ("pull", active), lambda: _make_pullback(program, active, values))  # type: ignore[no-any-return]


def _make_pullback(program: Program, active: tuple[int, ...], values: Sequence[Any]) -> Halves | None:
    function, count = flat(program), len(values)
    inexact = inexact_outputs(program)
    kinds = [kind(a) for a in program.strong.outputs]

    def joint(*leaves: Any) -> list[Any]:
        full = list(leaves[:count])

        def of_active(*changed: Any) -> list[Any]:
            for n, x in zip(active, changed, strict=True):
                full[n] = x
            return function(*full)

        recording = record(of_active, [full[n] for n in active])
        seeds: list[Any] = [None] * len(kinds)
        for n, g in zip(inexact, leaves[count:], strict=True):
            seeds[n] = g
        found = recording.pull(seeds)
        types = [program.strong.inputs[n].type for n in active]
        return [*recording.outputs, *(_or_zeros(g, t) for g, t in zip(found, types, strict=True))]

    examples = [*map(example, values), *(_ones(kinds[n]) for n in inexact)]
    tape = optimise(trace(joint)(*examples))
    return (
        None
        if tape.guards or is_tangled(tape)
        else _split(tape, "cotangents", count, len(kinds), program.backend)
    )


def _split(tape: Tape, name: str, count: int, outputs: int, backend: str) -> Halves:
    """Part a tape into what needs the inputs from `count` on, co- or tangents, and what does not."""
    late = {v.number for v in tape.inputs[count:]}
    early_records: list[Record] = []
    late_records: list[Record] = []
    for r in tape.records:
        if any(v.number in late for v in variables(r.inputs)):
            late.update(v.number for v in r.outputs)
            late_records.append(r)
        else:
            early_records.append(r)
    pushed = tape.outputs[outputs:]
    late_records = [*_inverses(early_records, late_records), *late_records]
    late.update(v.number for r in late_records for v in r.outputs)
    used = {v.number: v for r in late_records for v in variables(r.inputs)}
    used.update((v.number, v) for v in variables(pushed))
    reused = tuple(n for n, v in enumerate(tape.inputs[:count]) if v.number in used)
    given = {v.number for v in tape.inputs}
    residuals = tuple(v for n, v in used.items() if n not in late and n not in given)
    first = _tape(
        f"{tape.name}, values", tape.inputs[:count], early_records, (*tape.outputs[:outputs], *residuals)
    )
    second = _tape(
        f"{tape.name}, {name}",
        (*(tape.inputs[n] for n in reused), *residuals, *tape.inputs[count:]),
        late_records,
        pushed,
    )
    return Halves(Program(first, backend), Program(second, backend), reused)


def _inverses(early: Sequence[Record], late: Sequence[Record]) -> list[Record]:
    """Return the records of ``1 / d`` that the linear half multiplies by, so that it can divide instead."""
    used = {v.number for r in late for v in variables(r.inputs)}
    return [
        r
        for r in early
        if r.primitive is REGISTRY["divide"]
        and r.outputs[0].number in used
        and is_filled_with(r.inputs[0], 1)
    ]


def _tape(name: str, inputs: Any, records: Sequence[Record], outputs: Any) -> Tape:
    in_tree = flatten((0.0,) * len(inputs))[1]
    out_tree = flatten([0.0] * len(outputs))[1]
    return Tape(name, tuple(inputs), tuple(records), tuple(outputs), (), in_tree, out_tree)


def pushforward_of(program: Program, active: tuple[int, ...], values: Sequence[Any]) -> Halves | None:
    """Return the two halves of a pushforward; None if Python's control flow asks for values in it."""
    return _kept(program, ("push", active), lambda: _make_pushforward(program, active, values))  # type: ignore[no-any-return]


def _make_pushforward(program: Program, active: tuple[int, ...], values: Sequence[Any]) -> Halves | None:
    function, count = flat(program), len(values)
    inexact = inexact_outputs(program)
    kinds = [kind(a) for a in program.strong.outputs]

    def joint(*leaves: Any) -> list[Any]:
        tangents: list[Any] = [None] * count
        for n, t in zip(active, leaves[count:], strict=True):
            tangents[n] = t
        outs, found = push_forward(function, leaves[:count], tangents)
        if any(bodies(r) for r in program.recorded.records):  # a loop with tangents makes values too
            outs = function(*leaves[:count])
        return [*outs, *(_or_zeros(found[n], kinds[n]) for n in inexact)]

    examples = [*map(example, values), *(_ones(program.strong.inputs[n].type) for n in active)]
    tape = optimise(trace(joint)(*examples))
    return (
        None
        if tape.guards or is_tangled(tape)
        else _split(tape, "tangents", count, len(kinds), program.backend)
    )


def batch_of(program: Program, flags: tuple[bool, ...], size: int, values: Sequence[Any]) -> Program | None:
    """Return the program over a batch."""

    def make() -> Program | None:
        function = batch_flat(flat(program), flags, size)
        tape = trace(lambda *leaves: function(*leaves))(*map(example, values))
        return None if tape.guards or is_tangled(tape) else Program(tape, program.backend)

    return _kept(program, ("batch", flags, size), make)  # type: ignore[no-any-return]


def _kept(program: Program, key: Any, make: Callable[[], Any]) -> Any:
    derived = program.derived
    if key not in derived:
        made = make()
        while len(derived) >= KEPT:
            derived.pop(next(iter(derived)), None)
        derived[key] = made
        return made
    return derived[key]


def example(x: Any) -> Any:
    """Return a plain value of the shape that a traced array has for the program that sees it."""
    shape, mapped = x.shape, 0
    while type(x) is TracedArray:
        mapped += bool(x.recorder.batch and x.place)
        x = x.value
    if not mapped:
        return x
    return x[(0,) * mapped] if x.size else np.zeros(shape, x.dtype)[()]


def is_tangled(tape: Tape) -> bool:
    """Tell whether a tape holds traced values, which its function closes over."""
    return any(
        any(isinstance(a, Literal) and type(a.value) is TracedArray for a in r.inputs)
        or _holds_traced(r.params)
        for r in tape.records
    ) or any(isinstance(a, Literal) and type(a.value) is TracedArray for a in tape.outputs)


def _holds_traced(x: Any) -> bool:
    if isinstance(x, dict):
        return any(map(_holds_traced, x.values()))
    if isinstance(x, (tuple, list)):
        return any(map(_holds_traced, x))
    return type(x) is TracedArray


def _or_zeros(x: Any, type_: ArrayType) -> Any:
    return np.zeros(type_.shape, type_.dtype)[()] if x is None else x


def _ones(type_: ArrayType) -> Any:
    return np.ones(type_.shape, type_.dtype)[()]
