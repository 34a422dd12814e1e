"""What a body does to plain arrays: the reference for every other way of running it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.core.mutation import Cell, Path, update
from funcdiff.core.tape import Literal, Record, Tape, variables
from funcdiff.primitives.putting import path_to
from funcdiff.transforms.loops.body import Body
from funcdiff.transforms.loops.order import is_write
from funcdiff.transforms.sketch import sketching

Runner = Callable[[list[Any]], Sequence[Any]]
COMPILERS: list[tuple[int, Callable[[Body, int], Runner]]] = []
"""What makes faster functions of a body, which may write over so many of its first inputs, and after how many
steps that is worth the while; entered by `funcdiff.jit`."""


class Steps:
    """Runs a body again and again, compiled when it has been run often."""

    def __init__(self, body: Body, owned: int) -> None:
        self.body = body
        self.owned = owned
        self.level = 0
        self.run: Runner = interpreter(body)

    @property
    def compiled(self) -> bool:
        """Whether steps may write over what is carried, and over what was made of it."""
        return self.level > 0

    def __call__(self, values: list[Any]) -> list[Any]:
        """Take a step; the list of values is emptied."""
        taken = self.body.derived["taken"] = self.body.derived.get("taken", 0) + 1
        if self.level < len(COMPILERS) and taken > COMPILERS[self.level][0]:
            if not self.compiled:
                values[: self.owned] = [
                    x.copy() if isinstance(x, np.ndarray) else x for x in values[: self.owned]
                ]
            while self.level < len(COMPILERS) and taken > COMPILERS[self.level][0]:
                self.level += 1
            self.run = COMPILERS[self.level - 1][1](self.body, self.owned)
        outs = list(self.run(values))
        values.clear()
        return outs


class Interpreter:
    """Runs a body step by step; a write to an array that nobody else holds is made in place."""

    def __init__(self, body: Tape) -> None:
        last: dict[int, int] = {}
        for position, record in enumerate(body.records):
            for v in variables(record.inputs):
                last[v.number] = position
        staying = {v.number for v in variables(body.outputs)}
        self.body = body
        self.numbers = [v.number for v in body.inputs]
        self.steps: list[tuple[Record, Callable[..., Any], list[int], bool]] = []
        for position, record in enumerate(body.records):
            dead = [
                v.number
                for v in set(variables(record.inputs))
                if last[v.number] == position and v.number not in staying
            ]
            primitive = record.primitive
            direct = primitive.custom is None and primitive.control is None
            self.steps.append(
                (record, primitive.impl if direct else primitive.function, dead, is_write(record))
            )

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """Take the inputs, emptying their list, so that they may be written over; return the outputs."""
        known = dict(zip(self.numbers, values, strict=True))
        if isinstance(values, list):
            values.clear()
        for record, function, dead, writes in self.steps:
            inputs = [a.value if isinstance(a, Literal) else known[a.number] for a in record.inputs]
            for number in dead:
                del known[number]
            out = _write(inputs, record.params) if writes else function(*inputs, **record.params)
            del inputs
            if record.primitive.multiple_outputs:
                known.update(zip((v.number for v in record.outputs), out, strict=True))
            else:
                known[record.outputs[0].number] = out
            del out
        return [a.value if isinstance(a, Literal) else known[a.number] for a in self.body.outputs]


def interpreter(body: Body) -> Interpreter:
    """Return what runs a body, made once."""
    found: Interpreter | None = body.derived.get("interpreter")
    if found is None:
        found = body.derived["interpreter"] = Interpreter(body)
    return found


def example_outputs(body: Body) -> list[Any]:
    """Return what a body makes of its examples, the loops in it not run."""
    found: list[Any] | None = body.derived.get("outputs")
    if found is None:
        try:
            with sketching():
                found = interpreter(body)(list(body.examples))
        except Exception:  # noqa: BLE001  # stand-ins may be out of a step's domain
            with np.errstate(all="ignore"):
                found = interpreter(body)(list(body.examples))
        body.derived["outputs"] = found
    return found


def _write(inputs: list[Any], params: dict[str, Any]) -> Any:
    """Carry out `put` or `update_at` on the first input."""
    cell = Cell(inputs[0])
    value, arrays = inputs[1], inputs[2:]
    inputs.clear()
    path: Path = params["path"] if "path" in params else path_to(params["lenses"], params["template"], arrays)
    update(cell, value, path)
    return cell.value
