"""Source that computes large arrays block by block, so that what is between stays in the cache.

Records that act on each element of arrays of one shape, and reductions of these, make up loops over blocks;
what else there is runs between the loops.  A loop's results are written where they belong, its sums
are added up from those of the blocks, which rounds a little differently than one sum does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Literal, Record, Tape, Variable, variables
from funcdiff.core.trees import LEAF
from funcdiff.jit.liveness import Plan, is_elementwise, plan, takes_buffer
from funcdiff.jit.passes.rewriting import kind
from funcdiff.jit.source import Source, Writer, add_reduce

BLOCK = 1 << 14  # elements: half a dozen buffers of them fit into the second-level cache
LARGE = 8 * BLOCK
WORTH = 4  # records

REDUCTIONS: dict[str, tuple[Any, str]] = {
    "sum": (add_reduce, "add_reduce"),
    "max": (np.maximum.reduce, "maximum_reduce"),
    "min": (np.minimum.reduce, "minimum_reduce"),
}

Shape = tuple[int, ...]


@dataclass
class Loop:
    """Records that run block by block."""

    shape: Shape
    records: list[Record] = field(default_factory=list)


@dataclass
class Schedule:
    """What runs before the loops of each stage, and these."""

    straight: list[list[Record]] = field(default_factory=list)
    loops: list[dict[Shape, Loop]] = field(default_factory=list)

    def stage(self, n: int) -> None:
        """Make room for a stage."""
        while len(self.straight) <= n:
            self.straight.append([])
            self.loops.append({})


def schedule(tape: Tape) -> Schedule | None:
    """Part a tape into loops and what runs between them; None if that is not worth while."""
    if tape.guards or not any(v.type.size >= LARGE for r in tape.records for v in r.outputs):
        return None
    found = Schedule()
    found.stage(0)
    ready: dict[int, int] = {v.number: 0 for v in tape.inputs}  # the stage before whose loops it is known
    looped: dict[int, int] = {}  # the stage in whose loop it is made
    for record in tape.records:
        inputs = variables(record.inputs)
        shape = _loop_shape(record)
        if shape is None:
            n = max([0, *(ready[v.number] for v in inputs)])
            found.stage(n)
            found.straight[n].append(record)
            ready.update((v.number, n) for v in record.outputs)
            continue
        n = max([0, *(looped.get(v.number, ready[v.number]) for v in inputs)])
        found.stage(n)
        found.loops[n].setdefault(shape, Loop(shape)).records.append(record)
        out = record.outputs[0]
        ready[out.number] = n + 1
        if out.type.shape:
            looped[out.number] = n
    found.stage(max(ready.values(), default=0))
    longest = max((len(loop.records) for loops in found.loops for loop in loops.values()), default=0)
    return found if longest >= WORTH else None


def _loop_shape(record: Record) -> Shape | None:
    """Return the shape of the arrays that a record reads or makes element by element."""
    if record.primitive.name in REDUCTIONS:
        type_ = kind(record.inputs[0])
        whole = len(record.params["axis"]) == len(type_.shape) and not record.params["keepdims"]
        large = whole and type_.size >= LARGE and isinstance(record.inputs[0], Variable)
        return type_.shape if large and type_.dtype.kind in "fbiu" else None
    out = record.outputs[0].type if record.outputs else None
    if out is None or out.size < LARGE:
        return None
    repeats = record.primitive is REGISTRY["broadcast_to"] or record.primitive is REGISTRY["where"]
    if not (is_elementwise(record) or repeats):
        return None
    return out.shape if all(kind(a).shape in ((), out.shape) for a in record.inputs) else None


def generate_blocked(tape: Tape, found: Schedule, watched: Sequence[Variable]) -> Source:
    """Write the source of a scheduled tape."""
    return _BlockedWriter(tape, watched).write_schedule(found)


class _BlockedWriter(Writer):
    def __init__(self, tape: Tape, watched: Sequence[Variable]) -> None:
        super().__init__(tape, watched)
        self.plan = Plan(fresh=self.plan.fresh)
        self.functions: list[str] = []

    def write_schedule(self, found: Schedule) -> Source:
        """Write the whole tape."""
        tape = self.tape
        readers = _readers(tape, found)
        for v in tape.inputs:
            if v.number in self.watched:
                self._watch(v)
        for records, loops in zip(found.straight, found.loops, strict=True):
            for record in records:
                self.record(record)
                for v in record.outputs:
                    if v.number in self.watched:
                        self._watch(v)
            for loop in loops.values():
                self._loop(loop, readers)
        self.results()
        functions = "".join(f"    {line}\n" for line in self.functions)
        body = "".join(f"        {line}\n" for line in self.lines)
        names = ", ".join(["*", *self.names]) if self.names else ""
        inputs = ", ".join(map(str, tape.inputs))
        text = f"def make({names}):\n{functions}    def run({inputs}):\n{body}    return run\n"
        return Source(text, self.names, ())

    def _loop(self, loop: Loop, readers: dict[int, set[int]]) -> None:
        made = {v.number: v for r in loop.records for v in r.outputs}
        arrays: dict[Any, Atom] = {}
        scalars: dict[int, Variable] = {}
        for record in loop.records:
            for a in record.inputs:
                if isinstance(a, Variable) and a.number not in made:
                    if a.type.shape:
                        arrays[a.number] = a
                    else:
                        scalars[a.number] = a
        kept = [v for n, v in made.items() if v.type.shape and readers.get(n, set()) - {id(loop)}]
        sums = [r.outputs[0] for r in loop.records if r.primitive.name in REDUCTIONS]
        names = [r.primitive.name for r in loop.records if r.primitive.name in REDUCTIONS]
        watches = [v for n, v in made.items() if n in self.watched and v.type.shape]
        inner = _LoopWriter(self, loop, [*scalars.values()], arrays, kept)
        name = f"block_{len([f for f in self.functions if f.startswith('def ')])}"
        parameters = [str(a) for a in arrays.values()]
        parameters += [f"o{v.number}" for v in kept] + inner.extra + [str(v) for v in scalars.values()]
        buffers = [f"b{n}" for n in range(len(inner.plan.buffers))]
        self.functions.append(f"def {name}({', '.join(parameters + buffers)}):")
        self.functions += [f"    {line}" for line in inner.lines]
        results = [str(v) for v in sums] + [
            f"{self.name_of(add_reduce, 'add_reduce')}({v}, None)" for v in watches
        ]
        self.functions.append(f"    return ({''.join(f'{r}, ' for r in results)})")
        self._call_blocks(loop, name, arrays, kept, inner, [*scalars.values()])
        total = self.name_of(_total, "total")
        for n, (v, name) in enumerate(zip(sums, names, strict=True)):
            self.lines.append(f"{v} = {total}(parts, {n}, {self.name_of(*REDUCTIONS[name])})")
            if v.number in self.watched:
                self._watch(v)
        for n in range(len(sums), len(results)):
            self.lines.append(f"t = {total}(parts, {n}, {self.name_of(add_reduce, 'add_reduce')})")
            self.lines.append("if t != t: return None")

    def _call_blocks(
        self,
        loop: Loop,
        name: str,
        arrays: dict[Any, Atom],
        kept: list[Variable],
        inner: _LoopWriter,
        scalars: list[Variable],
    ) -> None:
        given = []
        for a in arrays.values():
            self.lines.append(f"{a}_flat = {a}.reshape(-1)")
            given.append(f"{a}_flat[at]")
        for v in kept:
            made = f"{self.name_of(np.empty, 'empty')}({v.type.shape!r}, {self.name_of(v.type.dtype, v.type.dtype.name)})"
            self.lines.append(f"{v} = {made}")
            self.lines.append(f"{v}_flat = {v}.reshape(-1)")
            given.append(f"{v}_flat[at]")
        given += [f"{text}[at]" for text in inner.flat]
        given += [str(v) for v in scalars]
        size = int(np.prod(loop.shape))
        dtypes = [k.dtype for k in inner.plan.buffers]
        blocks = self.name_of(Blocks(size, dtypes), "blocks")
        self.lines.append(
            f"parts = [{name}({', '.join([*given, '*buffers'])}) for at, buffers in {blocks}()]"
        )


def _readers(tape: Tape, found: Schedule) -> dict[int, set[int]]:
    """Return, per variable, which loops read it; -1 stands for what is no loop."""
    readers: dict[int, set[int]] = {}
    for records in found.straight:
        for record in records:
            for v in variables(record.inputs):
                readers.setdefault(v.number, set()).add(-1)
    for loops in found.loops:
        for loop in loops.values():
            for record in loop.records:
                for v in variables(record.inputs):
                    readers.setdefault(v.number, set()).add(id(loop))
    for v in variables(tape.outputs):
        readers.setdefault(v.number, set()).add(-1)
    return readers


class _LoopWriter(Writer):
    """Writes the body of a loop, on blocks."""

    def __init__(
        self,
        outer: _BlockedWriter,
        loop: Loop,
        scalars: list[Variable],
        arrays: dict[Any, Atom],
        kept: list[Variable],
    ) -> None:
        inputs = (*variables(list(arrays.values())), *scalars)
        tape = Tape("loop", inputs, tuple(loop.records), tuple(kept), (), LEAF, LEAF)
        super().__init__(tape, ())
        self.names, self.of_object, self.constants = outer.names, outer.of_object, outer.constants
        self.uses = outer.uses
        self.plan: Plan = plan(tape)
        self.plan.dead.clear()
        self.kept = {v.number for v in kept}
        self.shape = loop.shape
        self.extra: list[str] = []  # parameters for constant arrays
        self.flat: list[str] = []  # what they stand for
        for record in loop.records:
            self.record(record)

    def buffer(self, out: Variable) -> str | None:
        """Return the block of a result, or the name of the memory that it is written into."""
        return f"o{out.number}" if out.number in self.kept else super().buffer(out)

    def atom(self, atom: Atom) -> str:
        """Write an operand; of a constant array, its block."""
        if isinstance(atom, Literal) and kind(atom).shape == self.shape:
            name = f"c{len(self.extra)}"
            self.extra.append(name)
            self.flat.append(self.constant(np.ascontiguousarray(atom.value).reshape(-1)))
            return name
        return super().atom(atom)

    def record(self, record: Record) -> None:
        """Write a record."""
        if record.primitive.name in REDUCTIONS:
            reduce = self.name_of(*REDUCTIONS[record.primitive.name])
            self.lines.append(f"{record.outputs[0]} = {reduce}({self.atom(record.inputs[0])}, None)")
            return
        super().record(record)
        out = record.outputs[0]
        name = f"o{out.number}"
        if out.number in self.kept and not takes_buffer(record):
            self.lines.append(f"{name}[...] = {out}")


class Blocks:
    """The blocks of an array and buffers of their sizes; every call gets buffers of its own."""

    def __init__(self, size: int, dtypes: Sequence[np.dtype[Any]]) -> None:
        self.size = size
        self.dtypes = dtypes

    def __call__(self) -> Any:
        """Yield a slice and buffers of its length, block after block."""
        buffers = tuple(np.empty(BLOCK, dtype) for dtype in self.dtypes)
        whole = self.size - self.size % BLOCK
        for start in range(0, whole, BLOCK):
            yield slice(start, start + BLOCK), buffers
        if whole < self.size:
            yield slice(whole, self.size), tuple(b[: self.size - whole] for b in buffers)


def _total(parts: Sequence[Any], n: int, reduce: Any) -> Any:
    return reduce(np.array([part[n] for part in parts]))
