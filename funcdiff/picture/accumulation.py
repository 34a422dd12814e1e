"""Values, local derivatives, and derivatives accumulated step by step, forwards or backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import is_differentiable
from funcdiff.core.primitive import Elementwise
from funcdiff.core.replay import leaves_of
from funcdiff.core.tape import Literal, Record, Tape, Variable
from funcdiff.picture.graph import Graph
from funcdiff.picture.labels import formula, shown, type_of_atom
from funcdiff.picture.scene import Scene
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.jacobian import jacobian
from funcdiff.transforms.reverse import record as record_reverse

MOST_STEPS = 60  # frames of a step-by-step picture


def values_of(tape: Tape, args: Sequence[Any]) -> dict[int, Any]:
    """Return the value of every variable of a tape."""
    values = dict(zip((v.number for v in tape.inputs), leaves_of(tape, args), strict=True))
    for record in tape.records:
        out = record.primitive.function(*operands(record, values), **record.params)
        outs = out if record.primitive.multiple_outputs else (out,)
        values.update((v.number, o) for v, o in zip(record.outputs, outs, strict=True))
    return values


def operands(record: Record, values: dict[int, Any]) -> list[Any]:
    """Return the values of a record's operands."""
    return [a.value if isinstance(a, Literal) else values[a.number] for a in record.inputs]


def write_values(graph: Graph, values: dict[int, Any]) -> None:
    """Write the value of everything into its box."""
    tape = graph.tape
    for v in (*tape.inputs, *(o for r in tape.records for o in r.outputs)):
        graph.node_of[v.number].lines.append(f"= {shown(values[v.number])}")


def write_derivatives(graph: Graph, values: dict[int, Any] | None) -> None:
    """Write the local derivative on every arrow: a formula, or a number where the values are known."""
    for (position, place), edge in graph.edge_of.items():
        record = graph.tape.records[position]
        atom, out = record.inputs[place], record.outputs[0]
        if not isinstance(atom, Variable) or not is_differentiable(out.type.dtype):
            continue
        if not is_differentiable(atom.type.dtype):
            continue
        if values is None:
            text = formula(record, place, graph.labels)
        else:
            text = _local(record, place, values)
        above, below = graph.labels.name(out), graph.labels.name(atom)
        short = len(above) + len(below) <= 8 and len(record.outputs) == 1 and "·" not in text
        edge.label = f"∂{above}/∂{below} = {text}" if text and short else text


def _local(record: Record, place: int, values: dict[int, Any]) -> str:
    """Compute the derivative of a step by one operand."""
    if len(record.outputs) > 1:
        return ""
    args = operands(record, values)
    x = args[place]

    def of_operand(v: Any) -> Any:
        return record.primitive.function(*args[:place], v, *args[place + 1 :], **record.params)

    try:
        if isinstance(record.primitive, Elementwise):
            with np.errstate(all="ignore"):
                _, (t,) = push_forward(lambda v: [of_operand(v)], [x], [np.ones_like(x)])
            return shown(0.0 if t is None else t)
        size = type_of_atom(record.inputs[place]).size * record.outputs[0].type.size
        if size <= 9:
            return shown(jacobian(of_operand)(x))
    except errors.FuncdiffError:
        return ""
    shape = (*record.outputs[0].type.shape, *np.shape(x))
    return "×".join(map(str, shape))


# --- step by step ----------------------------------------------------------------------------------------


def active_records(tape: Tape, numbers: set[int]) -> list[tuple[int, Record]]:
    """Return the records that depend on some variables, with their positions."""
    active = set(numbers)
    found = []
    for position, record in enumerate(tape.records):
        if any(isinstance(a, Variable) and a.number in active for a in record.inputs):
            outs = [v.number for v in record.outputs if is_differentiable(v.type.dtype)]
            if outs:
                active.update(outs)
                found.append((position, record))
    return found


class Steps:
    """Frames of an accumulation: each frame is the whole picture after one more step."""

    def __init__(self, tape: Tape, args: Sequence[Any], make: Any) -> None:
        if len(tape.records) > MOST_STEPS:
            raise errors.UnsupportedError(
                f"draw(steps=...) shows tapes of up to {MOST_STEPS} records one by one, and {tape.name} has "
                f"{len(tape.records)}; trace a smaller function, or draw it without steps"
            )
        self.tape, self.args, self.make = tape, args, make
        self.values = values_of(tape, args)
        self.frames: list[Scene] = []
        self.marks: dict[int, str] = {}  # a variable's number -> what is known there

    def frame(
        self, title: str, caption: str, edges: Sequence[tuple[int, int]], active: Sequence[int]
    ) -> None:
        """Add a picture of what is known by now."""
        graph: Graph = self.make()
        for v in (*self.tape.inputs, *(o for r in self.tape.records for o in r.outputs)):
            node = graph.node_of[v.number]
            if v.number in self.marks:
                node.marks.append(self.marks[v.number])
            else:
                node.marks.append("")  # so that nothing moves from frame to frame
            node.active = node.active or v.number in active
        for key in edges:
            if key in graph.edge_of:
                graph.edge_of[key].active = True
        self.frames.append(graph.scene(title, caption))

    def finished(self) -> list[Scene]:
        """Return the pictures, with boxes of the same width in all of them."""
        widest: dict[str, float] = {}
        for frame in self.frames:
            for node in frame.nodes:
                widest[node.key] = max(widest.get(node.key, 0.0), node.width)
        words = max(len(frame.caption) for frame in self.frames)
        for frame in self.frames:
            frame.words = words
            for node in frame.nodes:
                node.least_width = widest[node.key]
        return self.frames


def forward_steps(tape: Tape, args: Sequence[Any], make: Any, wrt: int) -> list[Scene]:
    """Accumulate the derivatives of everything by one input, in the order of the program."""
    steps = Steps(tape, args, make)
    labels = make().labels
    start = tape.inputs[wrt]
    name = labels.name(start)
    title = f"forward accumulation: derivatives of everything with respect to {name}"
    tangents: dict[int, Any] = {start.number: np.ones_like(steps.values[start.number])}
    steps.marks[start.number] = f"∂{name}/∂{name} = 1" if not start.type.shape else "direction: ones"
    steps.frame(title, f"start: ∂{name}/∂{name} = 1", [], [start.number])
    for position, record in active_records(tape, {start.number}):
        given = operands(record, steps.values)
        moved = [tangents.get(a.number) if isinstance(a, Variable) else None for a in record.inputs]
        places = [n for n, t in enumerate(moved) if t is not None]

        def of_moved(
            *vs: Any, given: Any = given, places: Any = places, record: Record = record
        ) -> list[Any]:
            full = list(given)
            for n, v in zip(places, vs, strict=True):
                full[n] = v
            out = record.primitive.function(*full, **record.params)
            return list(out) if record.primitive.multiple_outputs else [out]

        _, found = push_forward(of_moved, [given[n] for n in places], [moved[n] for n in places])
        for v, t in zip(record.outputs, found, strict=True):
            if is_differentiable(v.type.dtype):
                tangents[v.number] = np.zeros(v.type.shape, v.type.dtype)[()] if t is None else t
                steps.marks[v.number] = f"∂{labels.name(v)}/∂{name} = {shown(tangents[v.number])}"
        out = labels.name(record.outputs[0])
        terms = [f"∂{out}/∂{b} · ∂{b}/∂{name}" for b in _names(record, places, labels)]
        result = f"∂{out}/∂{name} = {' + '.join(terms)} = {shown(tangents[record.outputs[0].number])}"
        steps.frame(title, result, [(position, n) for n in places], [v.number for v in record.outputs])
    return steps.finished()


def reverse_steps(tape: Tape, args: Sequence[Any], make: Any, of: int) -> list[Scene]:
    """Accumulate the derivatives of one output by everything, against the order of the program."""
    steps = Steps(tape, args, make)
    labels = make().labels
    end = tape.outputs[of]
    if not isinstance(end, Variable):
        raise errors.UnsupportedError(f"draw(steps='reverse'): output {of} of {tape.name} is a constant")
    name = labels.name(end)
    title = f"reverse accumulation: derivatives of {name} with respect to everything"
    inexact = {v.number for v in tape.inputs if is_differentiable(v.type.dtype)}
    cotangents: dict[int, Any] = {end.number: np.ones_like(steps.values[end.number])}
    steps.marks[end.number] = f"∂{name}/∂{name} = 1"
    steps.frame(title, f"start: ∂{name}/∂{name} = 1", [], [end.number])
    active = inexact | {v.number for _, r in active_records(tape, inexact) for v in r.outputs}
    for position, record in reversed(active_records(tape, inexact)):
        g = [cotangents.get(v.number) for v in record.outputs]
        if all(c is None for c in g):
            continue
        given = operands(record, steps.values)
        places = [n for n, a in enumerate(record.inputs) if isinstance(a, Variable) and a.number in active]

        def of_active(
            *vs: Any, given: Any = given, places: Any = places, record: Record = record
        ) -> list[Any]:
            full = list(given)
            for n, v in zip(places, vs, strict=True):
                full[n] = v
            out = record.primitive.function(*full, **record.params)
            return list(out) if record.primitive.multiple_outputs else [out]

        pulled = record_reverse(of_active, [given[n] for n in places]).pull(g)
        told = []
        out = labels.name(record.outputs[0])
        for n, c in zip(places, pulled, strict=True):
            v = record.inputs[n]
            assert isinstance(v, Variable)
            below = labels.name(v)
            c = np.zeros(v.type.shape, v.type.dtype)[()] if c is None else c
            before = cotangents.get(v.number)
            cotangents[v.number] = c if before is None else before + c
            term = f"∂{name}/∂{out} · ∂{out}/∂{below}"
            sign = "=" if before is None else "+="
            so_far = "" if before is None else f", together {shown(cotangents[v.number])}"
            shown_term = f"{term} = " if out != name else ""
            told.append(f"∂{name}/∂{below} {sign} {shown_term}{shown(c)}{so_far}")
            steps.marks[v.number] = f"∂{name}/∂{below} = {shown(cotangents[v.number])}"
        reached = [a.number for n in places if isinstance(a := record.inputs[n], Variable)]
        steps.frame(title, ";  ".join(dict.fromkeys(told)), [(position, n) for n in places], reached)
    return steps.finished()


def _names(record: Record, places: Sequence[int], labels: Any) -> list[str]:
    return [labels.name(a) for n in places if isinstance(a := record.inputs[n], Variable)]
