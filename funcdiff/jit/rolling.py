"""Rolling before differentiating: a function is run plainly, and what it wrote is written anew, as loops where it is long.

A transform that meets values of the program which `jit` records asks for this.  Its function runs once, on values
of the program alone, whatever transforms it applies itself.  What it wrote is taken away, made shorter, and applied
to the traced values of the transform.  So the transforms in a function meet values of the program, too, and what
outer ones differentiate are the loops that inner ones have left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from funcdiff.core.recording import TracedArray, box, revive
from funcdiff.core.tape import Guard, Literal, Record, Tape, Variable, bodies, variables
from funcdiff.core.trees import flatten
from funcdiff.jit.derived import is_tangled
from funcdiff.jit.evidence import Evidence
from funcdiff.jit.passes.roll import roll
from funcdiff.transforms.custom_call import Call
from funcdiff.transforms.loops.body import apply_record
from funcdiff.transforms.trace import TraceRecorder


class NotClosed(BaseException):
    """Ends a recording where a part is more than its records; not an Exception, which the user might catch."""

    def __init__(self, part: int) -> None:
        self.part = part


class Rolling:
    """What transforms ask while `jit` records: whether what they are to differentiate can be shorter."""

    def __init__(
        self, least: int, evidence: Evidence | None = None, skipped: AbstractSet[int] = frozenset()
    ) -> None:
        self.least = least
        self.evidence = evidence
        self.skipped = skipped  # parts, by the order in which they begin
        self.begun = 0

    def shorter(self, tape: Tape) -> Tape:
        """Return a tape with loops: free ones where there is evidence of them, and blocks that are repeated."""
        if self.evidence is not None:
            tape = self.evidence.free(tape)
        return roll(tape, self.least)

    def plain(self, f: Callable[..., Any], values: Sequence[Any]) -> Callable[..., Any]:
        """Return a function that does what a function of values does, which has been run where that is of use."""
        recorders = {id(v.recorder): v.recorder for v in values if type(v) is TracedArray}
        if len(recorders) != 1:
            return f
        (recorder,) = recorders.values()
        if type(recorder) is not TraceRecorder:
            return f
        self.begun += 1
        if self.begun in self.skipped:
            return f
        return Part(self, recorder).of(f, values)


class Part:
    """The part of a program that one function writes."""

    def __init__(self, rolling: Rolling, recorder: TraceRecorder) -> None:
        self.rolling = rolling
        self.number = rolling.begun
        self.recorder = recorder
        self.records = len(recorder.records)
        self.guards = len(recorder.guards)
        self.variables = len(recorder.variables)

    def of(self, f: Callable[..., Any], values: Sequence[Any]) -> Callable[..., list[Any]]:
        """Run a function, take away what it wrote, and return a function that writes it anew."""
        recorder = self.recorder
        with self._closed():
            around, recorder.part = recorder.part, self.variables
            try:
                given = [self._named(v) for v in values]
                names = [recorder.variables[x.place] for x in given]
                out = f(*given)
            finally:
                recorder.part = around
            outs = out if isinstance(out, (list, tuple)) else (out,)
            tape, outside = self._tape(names, outs)
            del recorder.records[self.records :], recorder.guards[self.guards :]
            recorder.looked_at = min(recorder.looked_at, self.records)
            for v in names:
                recorder.aliases.pop(v.number, None)
            if not around:
                recorder.around.clear()
            shorter = self.rolling.shorter(tape)

        def written(*boxes: Any) -> list[Any]:
            with self._closed():
                return self._write(shorter, [*boxes, *outside])

        return written

    @contextmanager
    def _closed(self) -> Iterator[None]:
        """Leave an error to the function itself, which says in which line of it that was."""
        try:
            yield
        except Exception as error:
            raise NotClosed(self.number) from error

    def _named(self, x: Any) -> TracedArray:
        """Return a value by another name: the function may close over it as well."""
        recorder = self.recorder
        if type(x) is TracedArray and x.place >= 0:
            return recorder.alias(x)
        value = recorder.lower(x)
        return box(value, recorder, recorder.variable(value).number)

    def _tape(self, inputs: Sequence[Variable], outs: Sequence[Any]) -> tuple[Tape, list[TracedArray]]:
        """Return what has been written as a tape, and the values that it reads beside its inputs."""
        recorder = self.recorder
        records = recorder.records[self.records :]
        guards = [replace(g, position=g.position - self.records) for g in recorder.guards[self.guards :]]
        for o in outs:
            if type(o) is TracedArray and o.recorder.level < 0:
                revive(o)
        results = [recorder.atom(o) for o in outs]
        inside = {v.number for v in inputs}.union([v.number for r in records for v in r.outputs])
        read = [*[a for r in records for a in r.inputs], *results, *[g.variable for g in guards]]
        outside = {v.number: v for v in variables(read) if v.number not in inside}
        around = [box(recorder.around[n], recorder, n) for n in outside]
        tape = Tape(
            "part",
            (*inputs, *outside.values()),
            tuple(records),
            tuple(results),
            tuple(guards),
            flatten((0.0,) * (len(inputs) + len(outside)))[1],
            flatten([0.0] * len(results))[1],
        )
        if is_tangled(tape) or has_rules_of_the_user(records):
            raise NotClosed(self.number)
        return tape, around

    def _write(self, tape: Tape, values: Sequence[Any]) -> list[Any]:
        """Apply a tape to values that are traced in this program too, and enter its guards."""
        recorder = self.recorder
        known = dict(zip((v.number for v in tape.inputs), values, strict=True))
        guards = list(reversed(tape.guards))
        try:
            for position, record in enumerate(tape.records):
                while guards and guards[-1].position <= position:
                    self._ask(guards.pop(), known)
                recorder.line = record.line
                apply_record(record, known)
        finally:
            recorder.line = ""
        while guards:
            self._ask(guards.pop(), known)
        return [a.value if isinstance(a, Literal) else known[a.number] for a in tape.outputs]

    def _ask(self, guard: Guard, known: dict[int, Any]) -> None:
        """Enter a guard that holds, without computing what it asks for."""
        x = known[guard.variable.number]
        while type(x) is TracedArray and x.recorder is not self.recorder:
            x = x.recorder.concrete(x)
        atom = self.recorder.atom(x)
        if isinstance(atom, Variable):
            position = len(self.recorder.records)
            self.recorder.guards.append(replace(guard, variable=atom, position=position, visit=None))


def has_rules_of_the_user(records: Sequence[Record]) -> bool:
    """Tell whether rules that may close over anything belong to a step, or to one in its bodies."""
    called = {r.primitive for r in records}
    if any(isinstance(p.custom, Call) for p in called):
        return True
    if all(p.control is None for p in called):
        return False
    return any(has_rules_of_the_user(body.records) for r in records for body in bodies(r).values())


def is_closed(tape: Tape) -> bool:
    """Tell whether a tape reads nothing that it has not made."""
    made = {v.number for v in tape.inputs}
    for record in tape.records:
        for a in record.inputs:
            if type(a) is Variable and a.number not in made:
                return False
        made.update([v.number for v in record.outputs])
    return made.issuperset(v.number for v in (*variables(tape.outputs), *(g.variable for g in tape.guards)))
