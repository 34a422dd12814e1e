"""Rolling before differentiating: a long part of a program that a function has just written is written anew as loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from funcdiff.core.primitive import Primitive
from funcdiff.core.recording import TracedArray, box
from funcdiff.core.tape import Guard, Literal, Tape, Variable, variables
from funcdiff.core.trees import flatten
from funcdiff.jit.evidence import Evidence
from funcdiff.jit.passes.roll import roll
from funcdiff.transforms.custom_call import Call
from funcdiff.transforms.loops.body import apply_record
from funcdiff.transforms.sweeps import FIELDS, Recording
from funcdiff.transforms.trace import TraceRecorder


class Rolling:
    """What reverse mode asks while `jit` records: whether what it is to differentiate can be shorter."""

    def __init__(self, least: int, evidence: Evidence | None = None) -> None:
        self.least = least
        self.evidence = evidence
        self.used = False

    def shorter(self, tape: Tape, names: Mapping[int, Variable] | None = None) -> Tape:
        """Return a tape with loops: free ones where there is evidence of them, and blocks that are repeated."""
        if self.evidence is not None:
            tape = self.evidence.free(tape, names)
        return roll(tape, self.least)

    def begin(self, values: Sequence[Any]) -> Part | None:
        """Note where a program stands before a function of values of it is run."""
        recorders = {id(v.recorder): v.recorder for v in values if type(v) is TracedArray}
        if len(recorders) != 1:
            return None
        (recorder,) = recorders.values()
        if type(recorder) is not TraceRecorder or any(
            type(v) is not TracedArray or v.place < 0 for v in values
        ):
            return None  # constants have no names in a program
        return Part(self, recorder, values)


class Part:
    """The part of a program that one function writes.

    The values get other names in it: the function may close over one of them as well.
    """

    def __init__(self, rolling: Rolling, recorder: TraceRecorder, values: Sequence[Any]) -> None:
        self.rolling = rolling
        self.recorder = recorder
        self.values = [recorder.alias(v) for v in values]
        self.records = len(recorder.records)
        self.guards = len(recorder.guards)

    def rolled(self, recording: Recording) -> Callable[..., list[Any]] | None:
        """Take the part away and return a function that writes it as loops; None if it is to stay."""
        recorder = self.recorder
        called = {p for p in recording.records[3::FIELDS] if isinstance(p, Primitive)}
        if any(isinstance(p.custom, Call) for p in called):  # rules of the user, which the part does not show
            return None
        records = recorder.records[self.records :]
        guards = [replace(g, position=g.position - self.records) for g in recorder.guards[self.guards :]]
        if len(records) < self.rolling.least and not any(g.visit for g in guards):
            return None
        made = {v.number for r in records for v in r.outputs}
        results = [recorder.atom(o) for o in recording.outputs]
        atoms = [*[a for r in records for a in r.inputs], *results]
        if TracedArray in {type(a.value) for a in atoms if type(a) is Literal}:
            return None
        inputs = [recorder.variables[v.place] for v in self.values]
        inside = made | {v.number for v in inputs}
        seen = [g.variable for g in guards]
        outside = {v.number: v for v in variables([*atoms, *seen]) if v.number not in inside}
        if not outside.keys() <= recorder.given.keys():
            return None
        in_tree = flatten((0.0,) * (len(inputs) + len(outside)))[1]
        out_tree = flatten([0.0] * len(results))[1]
        tape = Tape(
            "part",
            (*inputs, *outside.values()),
            tuple(records),
            tuple(results),
            tuple(guards),
            in_tree,
            out_tree,
        )
        shorter = self.rolling.shorter(tape)
        if shorter is tape:
            return None
        self.rolling.used = True
        del recorder.records[self.records :], recorder.guards[self.guards :]
        rest = [box(recorder.given[n], recorder, n) for n in outside]
        return lambda *boxes: self._write(shorter, [*boxes, *rest])

    def _write(self, tape: Tape, values: Sequence[Any]) -> list[Any]:
        """Apply a tape to values that are traced in this program too, and enter its guards."""
        known = dict(zip((v.number for v in tape.inputs), values, strict=True))
        guards = list(tape.guards)
        for position, record in enumerate(tape.records):
            while guards and guards[0].position <= position:
                self._ask(guards.pop(0), known)
            apply_record(record, known)
        for guard in guards:
            self._ask(guard, known)
        return [a.value if isinstance(a, Literal) else known[a.number] for a in tape.outputs]

    def _ask(self, guard: Guard, known: dict[int, Any]) -> None:
        """Enter a guard that holds, without computing what it asks for."""
        x = known[guard.variable.number]
        while type(x) is TracedArray and x.recorder is not self.recorder:
            x = x.value
        atom = self.recorder.atom(x)
        if isinstance(atom, Variable):
            position = len(self.recorder.records)
            self.recorder.guards.append(replace(guard, variable=atom, position=position))
