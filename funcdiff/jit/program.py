"""A tape as something to call: optimised, and compiled to machine code or replayed as generated source."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from funcdiff.core.collector import looking_rarely
from funcdiff.core.tape import Tape, Variable
from funcdiff.jit.blocked import generate_blocked, schedule
from funcdiff.jit.keeping import keeps
from funcdiff.jit.nesting import flatten_as, nest
from funcdiff.jit.passes.pipeline import optimise, optimise_for
from funcdiff.jit.passes.weakening import weaken
from funcdiff.jit.quiet import quietly
from funcdiff.jit.scalar_source import RAISED, generate_scalar, is_scalar
from funcdiff.jit.source import Miss, Source, generate

if TYPE_CHECKING:
    from funcdiff.jit.native.program import Native

KEPT_BYTES = 1 << 28  # more memory than this a program does not keep from call to call


class Code:
    """Generated source and the functions made of it, each with buffers for one call at a time."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.idle: list[Callable[..., Any]] = []
        keeps(self)
        self.keeps = sum(k.size * k.dtype.itemsize for k in self.source.buffers) <= KEPT_BYTES

    def release(self) -> None:
        """Let the buffers go."""
        self.idle.clear()

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


def _generate(tape: Tape, watched: Sequence[Variable], backend: str) -> Source:
    """Write the source, block by block where arrays are large."""
    found = schedule(tape)
    return generate(tape, watched, backend) if found is None else generate_blocked(tape, found, watched)


class Program:
    """An optimised tape; calling it gives a tuple of the outputs' leaves, or a `Miss` of a guard.

    Attributes
    ----------
    recorded, strong, tape : Tape
        As recorded; optimised; and as the generated source computes it.
    backend : str
        "native" or "numpy".
    builtin : Native or None
        The machine code, where all of the tape has some.
    """

    def __init__(self, tape: Tape, backend: str = "numpy", nesting: Any = None, floats: bool = False) -> None:
        start = time.perf_counter()
        self.recorded = tape
        self.backend = backend
        self.derived: dict[Any, Any] = {}
        self.builtin: Native | None = None
        self._flatten: Callable[[Any], tuple[Any, ...]] | None = None
        self._mixed: Code | None = None  # source that calls segments of machine code
        self._mixed_segments: list[Native] = []
        self._source: _Replay | None = None
        with looking_rarely():
            self.strong = optimise_for(tape, backend)
            if backend != "native" or not self._compile(nesting, floats):
                self._source = _Replay(self.strong, self.backend)
        self.compile_seconds = time.perf_counter() - start

    def _compile(self, nesting: Any, floats: bool) -> bool:
        """Compile to machine code all that has some; tell whether there is any."""
        from funcdiff.jit.native.handlers import NotNative
        from funcdiff.jit.native.program import looks_native, native, segmented

        strong = self.strong
        if all(map(looks_native, strong.records)) and (strong.records or nesting is not None):
            flat = ("tuple", list(range(len(strong.outputs))))
            try:
                self.builtin = native(strong, flat if nesting is None else nesting, floats, self._replay)
            except NotNative:
                pass
            else:
                self._flatten = flatten_as(self.builtin.nesting)
                return True
        found = segmented(strong, Program)
        if found is None:
            return False
        tape, self._mixed_segments = found
        self._mixed = Code(generate(tape, backend=self.backend))
        return True

    @property
    def replay(self) -> _Replay:
        """The program as generated source."""
        if self._source is None:
            self._source = _Replay(optimise_for(self.recorded, "numpy"), self.backend)
        return self._source

    def _replay(self, *leaves: Any) -> Any:
        """Run as generated source; results are nested as those of the machine code are, but a `Miss`."""
        out = self.replay(leaves)
        if self._flatten is None or type(out) is Miss:
            return out
        assert self.builtin is not None
        return nest(self.builtin.nesting, out)

    @property
    def text(self) -> str:
        """The source, or the IR, that is tried first."""
        if self.builtin is not None:
            return self.builtin.text
        if self._mixed is not None:
            return "\n".join([self._mixed.source.text, *(s.text for s in self._mixed_segments)])
        return self.replay.text

    @property
    def tape(self) -> Tape:
        """The optimised tape."""
        return self.strong if self._source is None else self._source.tape

    def __call__(self, *leaves: Any) -> Any:
        """Run on leaves."""
        if self.builtin is not None:
            out = self.builtin.call(*leaves)
            return out if self._flatten is None or type(out) is Miss else self._flatten(out)
        if self._mixed is not None:
            return quietly(self._mixed, leaves)
        return self.replay(leaves)


class _Replay:
    """A tape as generated source, with ordinary products first, and with careful ones where there is a NaN."""

    def __init__(self, strong: Tape, backend: str = "numpy") -> None:
        self.strong = strong
        self.backend = backend
        weak, watched = weaken(strong)
        if watched:
            kept = len(strong.outputs)
            both = optimise(replace(weak, outputs=(*weak.outputs, *watched)))
            watched = [a for a in both.outputs[kept:] if isinstance(a, Variable)]
            weak = replace(both, outputs=both.outputs[:kept])
        self.tape = weak
        self.watched = watched
        self.scalar = Code(generate_scalar(weak, watched)) if is_scalar(weak) else None
        self._array_code = None if self.scalar else Code(_generate(weak, watched, backend))
        self._strong_code: Code | None = None

    @property
    def code(self) -> Code:
        """The source on arrays; for a scalar program it is made when it is needed first."""
        if self._array_code is None:
            self._array_code = Code(generate(self.tape, self.watched, self.backend))
        return self._array_code

    @property
    def text(self) -> str:
        """The source that is tried first."""
        return (self.scalar or self.code).source.text

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """Run on leaves."""
        if self.scalar is not None:
            try:
                out = self.scalar(leaves)
                if out is not None:
                    return out
            except RAISED:  # where NumPy answers inf or NaN
                pass
        out = quietly(self._array_code or self.code, leaves)
        if out is None:
            if self._strong_code is None:
                self._strong_code = Code(generate(self.strong, backend=self.backend))
            out = quietly(self._strong_code, leaves)
        return out
