"""A call of a compiled program as one record: what the transforms around it do with it.

Each derivative or batch of the program is a program of its own, recorded and compiled at its first
use; if the values it is applied to are traced by other transforms, it is again one record of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.matching import match, match_tangent
from funcdiff.core.primitive import General
from funcdiff.core.recording import apply
from funcdiff.jit.derived import Halves, batch_of, flat, inexact_outputs, pullback_of, pushforward_of
from funcdiff.jit.program import Program
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.reverse import record
from funcdiff.transforms.sweeps import Recording
from funcdiff.transforms.vmap import batch_flat


def call(program: Program, values: Sequence[Any]) -> tuple[Any, ...]:
    """Apply a program to leaves any of which may be traced."""
    out: tuple[Any, ...] = _primitive(program.recorded.name, Call(program)).function(*values)
    return out


class Call:
    """The rules of one call; it is the `custom` of a primitive."""

    def __init__(self, program: Program, pull: Any = None, push: Any = None) -> None:
        self.program = program
        self.pull = pull
        self.push = push

    def reverse(self, level: int, primitive: General, values: Sequence[Any], places: Sequence[int]) -> Any:
        """Evaluate under reverse mode; return the primitive to record and the outputs."""
        active = tuple(n for n, p in enumerate(places) if p >= 0)
        if not active:
            return None
        del level
        program = self.program
        halves = pullback_of(program, active, values)
        inexact = inexact_outputs(program)
        if halves is None:
            return self._interpreted(primitive, values, active)
        outs, kept = self._values(halves, values)

        def pull(g: Any, needed: Sequence[int], _out: Any, _args: Any, _params: Any) -> list[Any]:
            seeds = [match(g[n], type_of(outs[n])) for n in inexact]
            cotangents = call(halves.linear, [*kept, *seeds])
            by_place = dict(zip(active, cotangents, strict=True))
            return [by_place[n] for n in needed]

        return _primitive(primitive.name, Call(program, pull, self._push)), outs

    def _interpreted(self, primitive: General, values: Sequence[Any], active: tuple[int, ...]) -> Any:
        """Record the tape's own steps: Python's control flow asks for values in its derivative."""
        full = list(values)

        def of_active(*changed: Any) -> list[Any]:
            for n, x in zip(active, changed, strict=True):
                full[n] = x
            return flat(self.program)(*full)

        recording: Recording = record(of_active, [values[n] for n in active], lasting=True)

        def pull(g: Any, needed: Sequence[int], _out: Any, _args: Any, _params: Any) -> list[Any]:
            by_place = dict(zip(active, recording.pull(list(g)), strict=True))
            return [
                np.zeros(values[n].shape, values[n].dtype) if by_place[n] is None else by_place[n]
                for n in needed
            ]

        return _primitive(primitive.name, Call(self.program, pull, self._push)), tuple(recording.outputs)

    def _push(self, tangents: Sequence[Any], _out: Any, args: Any, _params: Any) -> tuple[Any, ...]:
        out, pushed = self.forward(-1, args, tangents)
        return tuple(
            np.zeros(type_of(o).shape, type_of(o).dtype)[()] if t is None else t
            for o, t in zip(out, pushed, strict=True)
        )

    def forward(self, level: int, values: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Evaluate under forward mode; return (outputs, tangents)."""
        del level
        active = tuple(n for n, t in enumerate(tangents) if t is not None)
        halves = pushforward_of(self.program, active, values)
        if halves is None:
            run = push_forward(flat(self.program), values, tangents)
            return tuple(run[0]), tuple(run[1])
        given = [match_tangent(tangents[n], type_of(values[n])) for n in active]
        outs, kept = self._values(halves, values)
        pushed = call(halves.linear, [*kept, *given])
        by_place = dict(zip(inexact_outputs(self.program), pushed, strict=True))
        return outs, tuple(by_place.get(n) for n in range(len(outs)))

    def _values(self, halves: Halves, values: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Return the outputs, and what the linear half reads beside co- or tangents."""
        found = call(halves.values, values)
        count = len(self.program.strong.outputs)
        return found[:count], [*(values[n] for n in halves.reused), *found[count:]]

    def batch(
        self, primitive: General, values: Sequence[Any], flags: Sequence[bool], size: int, params: Any
    ) -> Any:
        """Apply the call to a batch."""
        del primitive, params
        program = batch_of(self.program, tuple(flags), size, values)
        if program is None:
            return tuple(batch_flat(flat(self.program), flags, size)(*values))
        return call(program, values)


def _primitive(name: str, custom: Call) -> General:
    """Return the primitive that applies a program."""
    program: Callable[..., Any] = custom.program
    primitive = General(
        f"call {name}",
        lambda *values, **_: program(*values),
        multiple_outputs=True,
        custom=custom,
        holomorphic=True,
    )
    primitive.function = lambda *values, **params: apply(primitive, values, params)
    primitive.function.__name__ = primitive.name
    return primitive
