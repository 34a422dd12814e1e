"""A tape as something to call: optimised, and replayed as generated source."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from funcdiff.core.tape import Tape, Variable
from funcdiff.jit.blocked import generate_blocked, schedule
from funcdiff.jit.passes.pipeline import optimise
from funcdiff.jit.passes.weakening import weaken
from funcdiff.jit.scalar_source import RAISED, generate_scalar, is_scalar
from funcdiff.jit.source import Source, generate

KEPT_BYTES = 1 << 28  # more memory than this a program does not keep from call to call


class Code:
    """Generated source and the functions made of it, each with buffers for one call at a time."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.idle: list[Callable[..., Any]] = []
        self.keeps = sum(k.size * k.dtype.itemsize for k in self.source.buffers) <= KEPT_BYTES

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """Run on leaves; answer None where a watched value holds a NaN."""
        try:
            run = self.idle.pop()  # atomic: no two calls get the same buffers
        except IndexError:
            run = self.source.make()
        out = run(*leaves)
        if self.keeps:
            self.idle.append(run)
        return out


def _generate(tape: Tape, watched: Sequence[Variable]) -> Source:
    """Write the source, block by block where arrays are large."""
    found = schedule(tape)
    return generate(tape, watched) if found is None else generate_blocked(tape, found, watched)


class Program:
    """An optimised tape; calling it gives a tuple of the outputs' leaves, or a `Miss` of a guard."""

    def __init__(self, tape: Tape) -> None:
        start = time.perf_counter()
        self.recorded = tape
        self.strong = optimise(tape)
        weak, watched = weaken(self.strong)
        if watched:
            kept = len(tape.outputs)
            both = optimise(replace(weak, outputs=(*weak.outputs, *watched)))
            watched = [a for a in both.outputs[kept:] if isinstance(a, Variable)]
            weak = replace(both, outputs=both.outputs[:kept])
        self.tape = weak
        self.watched = watched
        self.scalar = Code(generate_scalar(weak, watched)) if is_scalar(weak) else None
        self._array_code = None if self.scalar else Code(_generate(weak, watched))
        self._strong_code: Code | None = None
        self.compile_seconds = time.perf_counter() - start
        self.derived: dict[Any, Any] = {}

    @property
    def code(self) -> Code:
        """The source on arrays; for a scalar program it is made when it is needed first."""
        if self._array_code is None:
            self._array_code = Code(generate(self.tape, self.watched))
        return self._array_code

    @property
    def text(self) -> str:
        """The source that is tried first."""
        return (self.scalar or self.code).source.text

    def __call__(self, *leaves: Any) -> Any:
        """Run on leaves."""
        if self.scalar is not None:
            try:
                out = self.scalar(leaves)
                if out is not None:
                    return out
            except RAISED:  # where NumPy answers inf or NaN
                pass
        with np.errstate(all="ignore"):
            out = (self._array_code or self.code)(leaves)
            if out is None:
                if self._strong_code is None:
                    self._strong_code = Code(generate(self.strong))
                out = self._strong_code(leaves)
        return out
