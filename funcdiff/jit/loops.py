"""Loops and branches in generated source: a Python loop around the source of one step.

A step writes over the arrays that are carried where nobody needs them as they were, so each is copied once,
before the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record, Tape, Variable
from funcdiff.jit.passes.pipeline import optimise
from funcdiff.jit.passes.weakening import weaken
from funcdiff.jit.program import Program
from funcdiff.jit.source import Source, Writer
from funcdiff.transforms.loops.body import Body, as_body, types_of
from funcdiff.transforms.loops.derive import kept
from funcdiff.transforms.loops.interpret import COMPILERS
from funcdiff.transforms.loops.loop import Loop, gathered, room
from funcdiff.transforms.loops.order import is_write
from funcdiff.transforms.loops.stack import element


class Step(Writer):
    """Writes the source of a step; `owned` tells how many inputs it may write over."""

    def __init__(self, tape: Tape, watched: Sequence[Variable], owned: int, backend: str) -> None:
        self.owned = owned
        super().__init__(tape, watched, owned, backend)

    def given(self) -> set[int]:
        """Return the numbers of the inputs that belong to somebody else."""
        return {v.number for v in self.tape.inputs[self.owned :]}

    def is_handed_over(self, n: int) -> bool:
        """Tell whether the next step may write over a result."""
        return n < self.owned


class CompiledLoop:
    """A loop record as something to call.

    Where its steps write in place, they are source, with ordinary products first and with careful ones where
    there is a NaN; else they are programs, which may be machine code.
    """

    def __init__(self, spec: Loop, backend: str) -> None:
        self.spec = spec
        body = as_body(spec.body)
        self.kinds = types_of(body.outputs)[spec.carries :]
        self.read = [v.type for v in body.inputs[spec.carries + spec.invariants :]]
        self.cond = None if spec.cond is None else _program(spec.cond, backend)
        self.steps: list[Any] = kept(
            body, ("steps", spec.carries, backend), lambda: _steps(body, spec.carries, backend)
        )

    def __call__(self, *operands: Any) -> tuple[Any, ...]:
        """Run on plain operands."""
        for step in self.steps:
            found = self._run(step.make(), operands)
            if found is not None:
                return found
        raise errors.TapeError("a loop without a step")  # the last one watches for nothing

    def _run(self, step: Callable[..., Any], operands: Sequence[Any]) -> tuple[Any, ...] | None:
        """Run all steps; None where a value that is watched holds a NaN."""
        spec = self.spec
        c, length = spec.carries, spec.length
        carry, invariant, stacked, count = spec.parts(operands)
        carry = [x.copy() if isinstance(x, np.ndarray) else x for x in carry]
        steps = length if length is not None else int(count[0]) if count else -1
        going = self.cond
        collected: list[Any] = [None if length is not None else [] for _ in self.kinds]
        i = 0
        while i != steps and (going is None or going(*carry, *invariant)[0]):
            n = steps - 1 - i if spec.reverse else i
            xs = [_read(x, n, k) for x, k in zip(stacked, self.read, strict=True)]
            outs = step(*carry, *invariant, *xs)
            if outs is None:
                return None
            carry = outs[:c]
            for k, y in enumerate(outs[c:]):
                if length is None:
                    collected[k].append(y.copy() if isinstance(y, np.ndarray) else y)
                else:
                    if i == 0:
                        collected[k] = room(y, steps, self.kinds[k])
                    collected[k][n] = y
            i += 1
        return (*carry, *gathered(spec, collected, self.kinds), *([np.int64(i)] if going is not None else []))


def _steps(body: Body, carries: int, backend: str) -> list[Any]:
    """Return what runs a step: source where it writes in place, else a program."""
    if not any(map(is_write, body.records)):
        return [_Constant(_program(body, backend))]
    strong = optimise(_tape(body))
    weak, watched = weaken(strong)
    return [_source(t, w, carries, backend) for t, w in ((weak, watched), (strong, ())) if w or t is strong]


def _program(body: Tape, backend: str) -> Program:
    """Return a body as a program, made once."""
    found: Program = kept(as_body(body), ("program", backend), lambda: Program(_tape(body), backend))
    return found


def _read(x: Any, n: int, kind: ArrayType) -> Any:
    return x[n] if isinstance(x, np.ndarray) and x.ndim else element(x, n, kind)


def _tape(body: Tape) -> Tape:
    """Return a body without what has been derived from it, which does not hold for what it is made into."""
    return Tape(body.name, body.inputs, body.records, body.outputs, (), body.in_tree, body.out_tree)


def _source(tape: Tape, watched: Sequence[Variable], owned: int, backend: str) -> Source:
    return Step(tape, watched, owned, backend).write()


class _Constant:
    """A function that needs no memory of its own, in the place of source."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def make(self) -> Callable[..., Any]:
        """Return it."""
        return self.function


class CompiledBranch:
    """A branch record as something to call."""

    def __init__(self, then: Tape, other: Tape, backend: str) -> None:
        self.sides = [_program(t, backend) for t in (other, then)]

    def __call__(self, predicate: Any, *operands: Any) -> tuple[Any, ...]:
        """Run the side that is chosen."""
        out: tuple[Any, ...] = self.sides[bool(predicate)](*operands)
        return out


def compiled_step(body: Body, owned: int) -> Callable[[list[Any]], Sequence[Any]]:
    """Return a body as a function of a list of values, of which it may write over the first."""
    source = kept(body, ("step", owned), lambda: _source(optimise(_tape(body)), (), owned, "numpy"))
    step = source.make()

    def run(values: list[Any]) -> Sequence[Any]:
        with np.errstate(all="ignore"):
            out: Sequence[Any] = step(*values)
        return out

    return run


def native_step(body: Body, owned: int) -> Callable[[list[Any]], Sequence[Any]]:
    """Return a body as machine code, where there is some."""
    from funcdiff.jit.native.engine import why_not

    if why_not() or any(map(is_write, body.records)):
        return compiled_step(body, owned)
    program = _program(body, "native")
    return lambda values: program(*values)


COMPILERS += [(24, compiled_step), (2000, native_step)]


def compiled(record: Record, backend: str) -> Callable[..., Any]:
    """Return what runs the record of a loop or a branch."""
    params = record.params
    if "body" in params:
        return CompiledLoop(Loop(**params), backend)
    return CompiledBranch(**params, backend=backend)
