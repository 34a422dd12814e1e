"""Loops and branches in generated source: a Python loop around the source of one step.

A step writes over the arrays that are carried where nobody needs them as they were, so each is copied once,
before the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record, Tape, Variable
from funcdiff.jit.passes.pipeline import optimise
from funcdiff.jit.passes.weakening import weaken
from funcdiff.jit.source import Source, Writer
from funcdiff.transforms.loops.body import Body, as_body, types_of
from funcdiff.transforms.loops.loop import Loop, gathered, room
from funcdiff.transforms.loops.stack import element


class Step(Writer):
    """Writes the source of a step; `owned` tells how many inputs it may write over."""

    def __init__(self, tape: Tape, watched: Sequence[Variable] = (), owned: int = 0) -> None:
        self.owned = owned
        super().__init__(tape, watched, owned)

    def given(self) -> set[int]:
        """Return the numbers of the inputs that belong to somebody else."""
        return {v.number for v in self.tape.inputs[self.owned :]}

    def is_handed_over(self, n: int) -> bool:
        """Tell whether the next step may write over a result."""
        return n < self.owned


class CompiledLoop:
    """A loop record as something to call: its steps with ordinary products, and with careful ones."""

    def __init__(self, spec: Loop) -> None:
        self.spec = spec
        body = as_body(spec.body)
        self.kinds = types_of(body.outputs)[spec.carries :]
        self.read = [v.type for v in body.inputs[spec.carries + spec.invariants :]]
        self.strong_body = optimise(_tape(body))
        self.cond = None if spec.cond is None else Step(optimise(_tape(spec.cond))).write()
        weak, watched = weaken(self.strong_body)
        self.weak = _step(weak, watched, spec.carries) if watched else None
        self._strong: Source | None = None

    @property
    def strong(self) -> Source:
        """The source of a step in which a zero stays zero."""
        if self._strong is None:
            self._strong = _step(self.strong_body, (), self.spec.carries)
        return self._strong

    def __call__(self, *operands: Any) -> tuple[Any, ...]:
        """Run on plain operands."""
        if self.weak is not None:
            found = self._run(self.weak.make(), operands)
            if found is not None:
                return found
        found = self._run(self.strong.make(), operands)
        assert found is not None
        return found

    def _run(self, step: Callable[..., Any], operands: Sequence[Any]) -> tuple[Any, ...] | None:
        """Run all steps; None where a value that is watched holds a NaN."""
        spec = self.spec
        c, length = spec.carries, spec.length
        carry, invariant, stacked, count = spec.parts(operands)
        carry = [x.copy() if isinstance(x, np.ndarray) else x for x in carry]
        steps = length if length is not None else int(count[0]) if count else -1
        going = None if self.cond is None else self.cond.make()
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
        return (*carry, *gathered(spec, collected, self.kinds), *([np.int64(i)] if going else []))


def _read(x: Any, n: int, kind: ArrayType) -> Any:
    return x[n] if isinstance(x, np.ndarray) and x.ndim else element(x, n, kind)


def _tape(body: Tape) -> Tape:
    """Return a body without what has been derived from it, which does not hold for what it is made into."""
    return Tape(body.name, body.inputs, body.records, body.outputs, (), body.in_tree, body.out_tree)


def _step(tape: Tape, watched: Sequence[Variable], carries: int) -> Source:
    return Step(tape, watched, carries).write()


class CompiledBranch:
    """A branch record as something to call."""

    def __init__(self, then: Tape, other: Tape) -> None:
        self.sides = [Step(optimise(_tape(t))).write() for t in (other, then)]

    def __call__(self, predicate: Any, *operands: Any) -> tuple[Any, ...]:
        """Run the side that is chosen."""
        out: tuple[Any, ...] = self.sides[bool(predicate)].make()(*operands)
        return out


def compiled(record: Record) -> Callable[..., Any]:
    """Return what runs the record of a loop or a branch."""
    params = record.params
    body: Any = params.get("body", params.get("then"))
    key = ("compiled", *(id(v) if isinstance(v, Tape) else v for v in params.values()))
    derived = body.derived if isinstance(body, Body) else {}
    if key not in derived:
        derived[key] = CompiledLoop(Loop(**params)) if "body" in params else CompiledBranch(**params)
    found: Callable[..., Any] = derived[key]
    return found
