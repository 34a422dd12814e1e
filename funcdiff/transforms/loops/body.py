"""The body of a loop, or a branch, as a closed tape: what it closes over becomes its inputs.

A body is recorded once, at example values.  It holds for all steps if nothing in it asked for values, so a
question of Python's control flow ends the recording with `Unrollable`, and the loop is run step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.keys import key_of
from funcdiff.core.mutation import clone
from funcdiff.core.primitive import REGISTRY, Elementwise, Primitive
from funcdiff.core.recording import TracedArray, box, revive
from funcdiff.core.surroundings import run_inside
from funcdiff.core.tape import Atom, Literal, Record, Tape, Variable, variables
from funcdiff.core.trees import flatten
from funcdiff.transforms.loops.order import reads_first
from funcdiff.transforms.loops.stack import Stack
from funcdiff.transforms.trace import TraceRecorder, keep_while_writing

WEAK = {"b": False, "i": 0, "u": 0, "f": 0.0, "c": 0j}


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Body(Tape):
    """A closed tape, with example values of its inputs and what has been derived from it.

    One body may stand in many loops: what has been derived holds for all of them.
    """

    examples: tuple[Any, ...] = ()
    derived: dict[Any, Any] = field(default_factory=dict)


BODIES: WeakValueDictionary[Any, Body] = WeakValueDictionary()
"""The bodies that have been recorded, by what they do: equal ones are one, derived from and compiled once."""


class Unrollable(BaseException):
    """Ends the recording of a body that asks for values; not an Exception, which the user might catch."""

    def __init__(self, recorder: BodyRecorder) -> None:
        self.recorder = recorder


class Lifted:
    """The traced values that bodies of one loop close over, in one order for all of them."""

    def __init__(self) -> None:
        self.values: list[TracedArray] = []
        self._numbers: dict[Any, int] = {}  # by identity: the values are alive

    def number(self, x: TracedArray) -> int:
        """Return the place of a value, which is entered when it is new."""
        place = x.place
        key = id(x.recorder), id(x.value), place if type(place) is int else (id(place),)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.values)
            self.values.append(clone(x))
        return found


class BodyRecorder(TraceRecorder):
    """Records a body on example values; its integers stay traced where they index."""

    symbolic = True
    name = "the body of a loop or branch (fd.scan, fd.cond, …)"
    escaped = (
        "was used outside of it. Only what the body returns gets out: an array that it writes to, or stores, "
        "belongs into the carry, or among what is collected."
    )

    def __init__(self, lifted: Lifted) -> None:
        super().__init__()
        self.lifted = lifted
        self.of_lifted: dict[int, Variable] = {}
        self.weak: set[int] = set()  # variables that stand for Python numbers
        self.example_of: dict[int, Any] = {}  # of all variables, by number

    def variable(self, value: Any) -> Variable:
        made = super().variable(value)
        self.example_of[made.number] = value
        return made

    @property
    def examples(self) -> list[Any]:
        """Examples of all variables, in the order of their numbers."""
        return [self.example_of[n] for n in range(len(self.example_of))]

    def input(self, example: Any, weak: bool = False) -> TracedArray:
        """Return a traced input."""
        variable = self.variable(example)
        if weak:
            self._weaken(variable.number)
        return box(example, self, variable.number)

    def lift(self, n: int) -> Variable:
        """Return the variable of a lifted value."""
        if n not in self.of_lifted:
            self.of_lifted[n] = self.variable(example(self.lifted.values[n]))
        return self.of_lifted[n]

    def inner(self, x: TracedArray) -> TracedArray | None:
        if x.recorder.level < 0 or x.recorder.free:
            return None
        number = self.lift(self.lifted.number(x)).number
        return box(self.example_of[number], self, number)

    def atom(self, x: Any) -> Atom:
        if type(x) is TracedArray and x.recorder is self and x.place < 0:
            x = x.value
        if type(x) is TracedArray and x.recorder is not self:
            if x.recorder.level < 0:
                revive(x)
            if not x.recorder.free:
                return self.lift(self.lifted.number(x))
            x = x.value
        return super().atom(x)

    def lower(self, x: Any) -> Any:
        x = super().lower(x)
        if type(x) is TracedArray:
            if x.recorder.level < 0:
                revive(x)
            return x.value if x.recorder.free else example(x)
        return x

    def apply_to_any(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        weak = [self._is_weak(a) for a in args]
        if isinstance(primitive, Elementwise) and any(weak):
            args = self._strengthened(args, weak)
        atoms = [self.atom(a) for a in args]
        if not variables(atoms):
            out = primitive.function(*[self.lower(a) for a in args], **params)
            return tuple(box(o, self, -1) for o in out) if isinstance(out, tuple) else box(out, self, -1)
        made = self._evaluate(primitive, args, atoms, params)
        if isinstance(primitive, Elementwise) and all(
            w or type(a) in (int, float, complex, bool) for w, a in zip(weak, args, strict=True)
        ):
            self._weaken(made.place)
        return made

    def _weaken(self, place: int) -> None:
        self.weak.add(place)
        self.careful.add(place)

    def _is_weak(self, x: Any) -> bool:
        return type(x) is TracedArray and x.recorder is self and x.place in self.weak

    def _strengthened(self, args: Sequence[Any], weak: Sequence[bool]) -> list[Any]:
        """Convert stand-ins of Python numbers to the dtype they would have given way to."""
        strong = [
            type_of(a).dtype
            for a, w in zip(args, weak, strict=True)
            if not w and type(a) not in (bool, int, float, complex)
        ]
        if not strong:
            return list(args)
        made = []
        for a, w in zip(args, weak, strict=True):
            if w:
                dtype = np.result_type(*strong, WEAK[a.dtype.kind])
                if dtype != a.dtype:
                    a = REGISTRY["astype"].function(a, dtype=dtype)
            made.append(a)
        return made

    def concrete(self, x: TracedArray) -> Any:
        if x.place >= 0:
            raise Unrollable(self)
        return x.value


def example(x: Any) -> Any:
    """Return a plain value of the type that a traced array has for the program that sees it."""
    shape, mapped = type_of(x).shape, 0
    while type(x) is TracedArray:
        mapped += bool(x.recorder.batch and x.place)
        x = x.value
    if not mapped:
        return x
    if isinstance(x, Stack):
        return x.map(lambda items: items[(slice(None), *(0,) * mapped)])
    return x[(0,) * mapped] if x.size else np.zeros(shape, x.dtype)[()]


def record_body(
    f: Callable[..., Sequence[Any]],
    examples: Sequence[Any],
    lifted: Lifted,
    weak: Sequence[bool] = (),
) -> tuple[BodyRecorder, list[Variable], list[Atom]]:
    """Run a function on example values; return its recorder, inputs and outputs."""
    recorder = BodyRecorder(lifted)
    weak = weak or [False] * len(examples)
    with recorder, np.errstate(all="ignore"):  # the user's own warnings come with the steps
        inputs = [recorder.input(e, w) for e, w in zip(examples, weak, strict=True)]
        variables_ = [recorder.variables[i.place] for i in inputs]
        outputs = [recorder.atom(o) for o in run_inside(recorder, f, *inputs)]
    if any(r.params and _holds_traced(r.params) for r in recorder.records):
        raise Unrollable(recorder)
    return recorder, variables_, outputs


def closed(
    name: str,
    recorder: BodyRecorder,
    first: Sequence[Variable],
    last: Sequence[Variable],
    outputs: Sequence[Atom],
    examples: Sequence[Any],
) -> Body:
    """Return the tape of a recorded body; what it closes over stands between its two groups of inputs."""
    middle = [recorder.lift(n) for n in range(len(recorder.lifted.values))]
    values = [example(v) for v in recorder.lifted.values]
    return make_body(
        name,
        (*first, *middle, *last),
        recorder.records,
        outputs,
        (*examples[: len(first)], *values, *examples[len(first) :]),
        recorder.examples,
    )


def make_body(
    name: str,
    inputs: Sequence[Variable],
    records: Sequence[Record],
    outputs: Sequence[Atom],
    examples: Sequence[Any],
    known: Sequence[Any] = (),
    part: bool = False,
) -> Body:
    """Return a body without records that nobody reads and without repetitions, numbered anew.

    Of what is a part of another body's program, neither repetitions nor equal bodies are looked for.  What the
    body makes of its examples need not be computed if examples of all its variables are known, by number.
    """
    numbers: dict[int, Variable] = {}
    steps: dict[Any, Record] = {}
    fresh = count()

    def numbered(v: Variable) -> Variable:
        new = numbers[v.number] = Variable(next(fresh), v.type)
        return new

    def renamed(atom: Any) -> Any:
        return atom if isinstance(atom, Literal) else numbers[atom.number]

    new_inputs = tuple(map(numbered, inputs))
    for r in reads_first(live(records, outputs)):
        read = tuple(map(renamed, r.inputs))
        key = len(steps) if part else key_of_step(r, read)
        first = steps.get(key)
        if first is None:
            steps[key] = Record(r.primitive, read, r.params, tuple(map(numbered, r.outputs)), r.line)
        else:
            numbers.update(zip((v.number for v in r.outputs), first.outputs, strict=True))
    new_records, new_outputs = tuple(steps.values()), tuple(map(renamed, outputs))
    trees = flatten((0.0,) * len(new_inputs))[1], flatten([0.0] * len(new_outputs))[1]
    body = Body(name, new_inputs, new_records, new_outputs, (), *trees, examples=tuple(examples))
    if known:
        body.derived["outputs"] = [a.value if isinstance(a, Literal) else known[a.number] for a in outputs]
    if part:
        return body
    lines = tuple(r.line for r in new_records)
    kinds = tuple(map(_kind_of_stack, examples))
    content = (name, tuple(types_of(new_inputs)), kinds, tuple(steps), lines, keys_of(new_outputs))
    found = BODIES.setdefault(content, body)
    if found is body:
        keep_while_writing(body)
    return found


def _kind_of_stack(x: Any) -> Any:
    """Return what tells examples of one type apart: the elements of stacks."""
    if not isinstance(x, Stack):
        return None
    return x.items.shape[1:] if isinstance(x.items, np.ndarray) else tuple(map(_kind_of_stack, x.items[:1]))


def record_closed(name: str, f: Callable[..., Sequence[Any]], examples: Sequence[Any]) -> Body:
    """Record a function that closes over nothing, such as a transform of a body."""
    recorder, inputs, outputs = record_body(f, examples, Lifted())
    return closed(name, recorder, inputs, (), outputs, examples)


def as_body(tape: Tape) -> Body:
    """Return a tape as a body; one that was stored has no examples but ones."""
    if isinstance(tape, Body):
        return tape
    ones = tuple(
        np.full(v.type.shape, v.type.dtype.kind in "fc", v.type.dtype)[()] for v in tape.inputs
    )  # and zeros for what may index
    return Body(
        tape.name, tape.inputs, tape.records, tape.outputs, (), tape.in_tree, tape.out_tree, examples=ones
    )


def _holds_traced(x: Any) -> bool:
    if isinstance(x, dict):
        return any(map(_holds_traced, x.values()))
    if isinstance(x, (tuple, list)):
        return any(map(_holds_traced, x))
    return type(x) is TracedArray


def live(records: Sequence[Record], outputs: Sequence[Atom]) -> list[Record]:
    """Return the records that outputs depend on."""
    needed = {v.number for v in variables(outputs)}
    kept = []
    for record in reversed(records):
        for v in record.outputs:
            if v.number in needed:
                kept.append(record)
                needed.update([a.number for a in record.inputs if type(a) is Variable])
                break
    kept.reverse()
    return kept


def merged(records: Sequence[Record], outputs: Sequence[Atom]) -> tuple[list[Record], list[Atom]]:
    """Return the records without those that do what one before them did."""
    replaced: dict[int, Variable] = {}
    seen: dict[Any, Record] = {}
    kept = []

    def current(atom: Atom) -> Atom:
        return atom if isinstance(atom, Literal) else replaced.get(atom.number, atom)

    for record in records:
        inputs = tuple(map(current, record.inputs))
        first = seen.setdefault(key_of_step(record, inputs), record)
        if first is record:
            kept.append(Record(record.primitive, inputs, record.params, record.outputs, record.line))
        else:
            replaced.update(zip((v.number for v in record.outputs), first.outputs, strict=True))
    return kept, [current(a) for a in outputs]


def key_of_step(record: Record, inputs: Sequence[Any], contents: bool = False) -> Any:
    """Return a key that is equal for steps that do the same."""
    params = key_of(record.params, contents) if record.params else ()
    return (record.primitive, keys_of(inputs, contents), params, tuple([v.type for v in record.outputs]))


def keys_of(atoms: Sequence[Any], contents: bool = False) -> tuple[Any, ...]:
    """Return keys that are equal for atoms of the same values; what is no atom is its own key."""
    return tuple(
        [
            a.number
            if type(a) is Variable
            else ("literal", key_of(a.value, contents))
            if type(a) is Literal
            else a
            for a in atoms
        ]
    )


def apply_body(body: Tape, values: Sequence[Any]) -> list[Any]:
    """Apply a body to values that may be traced."""
    known = dict(zip((v.number for v in body.inputs), values, strict=True))
    for record in body.records:
        apply_record(record, known)
    return [a.value if isinstance(a, Literal) else known[a.number] for a in body.outputs]


def apply_record(record: Record, known: dict[int, Any]) -> None:
    """Apply a step to values that may be traced, which are known by number."""
    inputs = [a.value if isinstance(a, Literal) else known[a.number] for a in record.inputs]
    out = record.primitive.function(*inputs, **record.params)
    outs = out if record.primitive.multiple_outputs else (out,)
    known.update(zip((v.number for v in record.outputs), outs, strict=True))


def types_of(atoms: Sequence[Atom]) -> list[ArrayType]:
    """Return the types of atoms."""
    return [type_of(a.value) if isinstance(a, Literal) else a.type for a in atoms]


__all__ = ["Body", "Lifted", "Unrollable"]
