"""What the passes share: walking over a tape while records are dropped, replaced or merged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable

Rule = Callable[["Rewriter", Record], Record | Atom]
"""Given a record whose inputs have been rewritten already, a rule returns the record, another one with
the same outputs, or an atom that has the value of its only output."""


class Rewriter:
    """A walk over a tape; rules look up here which record made a variable."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.made: dict[int, Record] = {}
        self.replaced: dict[int, Atom] = {}
        self.guarded = {g.variable.number for g in tape.guards}

    def maker(self, atom: Atom, name: str) -> Record | None:
        """Return the record that made an atom, if it is of the primitive of that name."""
        if isinstance(atom, Literal):
            return None
        record = self.made.get(atom.number)
        return record if record is not None and record.primitive is REGISTRY[name] else None

    def current(self, atom: Atom) -> Atom:
        """Return what stands for an atom by now."""
        return atom if isinstance(atom, Literal) else self.replaced.get(atom.number, atom)

    def run(self, rule: Rule) -> Tape:
        """Apply a rule to every record."""
        guards = list(self.tape.guards)
        new_guards: list[Guard] = []
        records: list[Record] = []

        def keep_guards(position: int) -> None:
            while guards and guards[0].position <= position:
                guard = guards.pop(0)
                variable = self.current(guard.variable)
                assert isinstance(variable, Variable)
                new_guards.append(replace(guard, variable=variable, position=len(records)))

        replaced, made = self.replaced, self.made
        for position, old in enumerate(self.tape.records):
            if guards:
                keep_guards(position)
            record = old
            for a in old.inputs:
                if type(a) is Variable and a.number in replaced:
                    record = Record(
                        old.primitive, tuple(map(self.current, old.inputs)), old.params, old.outputs, old.line
                    )
                    break
            found = rule(self, record)
            if type(found) is not Record:
                if self._stands_for(found, record.outputs):  # type: ignore[arg-type]
                    replaced[record.outputs[0].number] = found  # type: ignore[assignment]
                    continue
                found = record
            records.append(found)
            for variable in found.outputs:
                made[variable.number] = found
        keep_guards(len(self.tape.records))
        outputs = tuple(self.current(a) for a in self.tape.outputs)
        return replace(self.tape, records=tuple(records), outputs=outputs, guards=tuple(new_guards))

    def _stands_for(self, atom: Atom, outputs: tuple[Variable, ...]) -> bool:
        if len(outputs) != 1 or kind(atom) != outputs[0].type:
            return False
        if isinstance(atom, Literal):
            # what a guard asks for, and what the caller gets, has been computed
            return not is_weak(atom) and outputs[0].number not in self.guarded
        return True


def chained(*rules: Rule) -> Rule:
    """Return the rule that applies one after the other, until an atom stands for the record."""

    def rule(walk: Rewriter, record: Record) -> Record | Atom:
        found: Record | Atom = record
        for one in rules:
            found = one(walk, found)  # type: ignore[arg-type]
            if type(found) is not Record:
                break
        return found

    return rule


def kind(atom: Atom) -> ArrayType:
    """Return the type of an atom."""
    return type_of(atom.value) if isinstance(atom, Literal) else atom.type


def is_weak(atom: Atom) -> bool:
    """Tell whether an atom is a Python number, which promotes no dtype."""
    return isinstance(atom, Literal) and type(atom.value) in (bool, int, float, complex)


def is_filled_with(atom: Atom, number: float) -> bool:
    """Tell whether all elements of a literal are this number, zeros by their sign too."""
    if not isinstance(atom, Literal):
        return False
    value = np.asarray(atom.value)
    if value.dtype.kind not in "fiu" or not value.size:
        return False
    return bool((value == number).all()) and bool((np.signbit(value) == np.signbit(number)).all())
