"""Loops and branches as plain Python: the body is a function, which a loop calls step by step.

What a loop of unknown length collects is an array with an element per step, or a list where its elements are such
collections themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Atom, Literal, Record, Tape, Variable
from funcdiff.core.trees import LEAF, flatten
from funcdiff.source import constants
from funcdiff.transforms.loops.body import types_of
from funcdiff.transforms.loops.loop import Loop

if TYPE_CHECKING:
    from funcdiff.source.writer import Writer


def write(writer: Writer, record: Record) -> None:
    """Write the record of a loop or a branch as statements."""
    if "then" in record.params:
        _branch(writer, record)
    else:
        _Loop(writer, record).write()


def check_stacks(writer: Writer, record: Record) -> None:
    """Note that a sum of what loops have collected is such a collection; refuse anything else of them."""
    deepest = max(_depth(writer, a) for a in record.inputs)
    if record.primitive.name != "add" or deepest > 1:
        raise errors.UnsupportedError(
            f"to_source: {record.primitive.name} of what a loop of unknown length has collected in a loop has no source"
        )
    writer.depths[record.outputs[0].number] = deepest


def _depth(writer: Writer, atom: Atom) -> int:
    return writer.depths.get(atom.number, 0) if isinstance(atom, Variable) else 0


def _function(writer: Writer, body: Tape, hint: str, title: str, depths: list[int]) -> tuple[str, list[int]]:
    """Write a body as a function; return its name, and the depths of its results."""
    from funcdiff.source.writer import Writer

    count = len(body.outputs)
    out_tree = LEAF if count == 1 else flatten((0.0,) * count)[1]
    tape = Tape(body.name, body.inputs, body.records, body.outputs, (), body.in_tree, out_tree)
    name = writer.helpers.free(hint)
    inner = Writer(tape, name, writer.plain_products, writer)
    inner.depths.update((v.number, d) for v, d in zip(body.inputs, depths, strict=True) if d)
    inner.statements()
    writer.helpers.definitions[name] = "\n".join(inner.function(title))
    return name, [_depth(inner, a) for a in inner.tape.outputs]


def _branch(writer: Writer, record: Record) -> None:
    depths = [_depth(writer, a) for a in record.inputs[1:]]
    predicate, *operands = (writer.value(a) for a in record.inputs)
    arguments = ", ".join(x.text for x in operands)
    calls = []
    for side, title in (("then", "What is done if the condition holds"), ("other", "What is done if not")):
        name, found = _function(writer, record.params[side], f"{side}_side", title, depths)
        if any(found):
            raise errors.UnsupportedError(
                "to_source: a branch that hands on what a loop has collected has no source"
            )
        calls.append(f"{name}({arguments})")
    left = ", ".join(writer.give(v) for v in record.outputs)
    writer.lines.append(f"{left} = {calls[0]} if {predicate.within(1)} else {calls[1]}")


class _Loop:
    """Writes the statements of one loop."""

    def __init__(self, writer: Writer, record: Record) -> None:
        self.writer = writer
        self.record = record
        self.spec = Loop(**record.params)
        self.temporaries = 0

    def write(self) -> None:
        """Write them."""
        writer, spec = self.writer, self.spec
        carry, invariant, stacked, count = spec.parts(self.record.inputs)
        starts = [writer.value(a).text for a in carry]
        same, read, steps = ([self._named(a) for a in part] for part in (invariant, stacked, count))
        depths = [_depth(writer, a) for a in self.record.inputs[: len(spec.body.inputs)]]
        inner = [
            *depths[: spec.carries + spec.invariants],
            *(max(d - 1, 0) for d in depths[-len(stacked) :] if stacked),
        ]
        step, made = _function(writer, spec.body, "step", "A step of a loop", inner)
        if any(made[: spec.carries]) or any(depths[: spec.carries]) or (spec.cond is not None and stacked):
            raise errors.UnsupportedError(
                "to_source: a loop that carries what a loop has collected has no source"
            )
        results = list(self.record.outputs)
        names = [writer.give(v) for v in results[: spec.carries]]
        columns = [writer.give(v) for v in results[spec.carries : spec.carries + spec.collected]]
        if names:
            writer.lines.append(f"{', '.join(names)} = {', '.join(starts)}")
        kinds = types_of(spec.body.outputs)[spec.carries :]
        lists = [spec.length is None or d > 0 for d in made[spec.carries :]]
        for name, kind, is_list in zip(columns, kinds, lists, strict=True):
            writer.lines.append(f"{name} = {self._room(kind, is_list)}")
        index = self._temporary("i")
        elements = [
            self._element(x, index, d, v.type)
            for x, d, v in zip(
                read,
                depths[len(depths) - len(stacked) :],
                spec.body.inputs[len(inner) - len(stacked) :],
                strict=True,
            )
        ]
        targets = [
            f"{name}[{index}]" if spec.length is not None else self._temporary("y") for name in columns
        ]
        called = f"{step}({', '.join([*names, *same, *elements])})"
        lines = [f"{', '.join([*names, *targets])} = {called}" if names or targets else called]
        if spec.length is None:
            lines += [f"{name}.append({y})" for name, y in zip(columns, targets, strict=True)]
        writer.lines += [*self._head(index, names, same, steps), *(f"    {line}" for line in lines)]
        if spec.cond is not None:
            trips = writer.names.of[results[-1].number]
            writer.lines.append(f"    {trips} += 1")
        if spec.length is None:
            for name, kind, d in zip(columns, kinds, made[spec.carries :], strict=True):
                self._gather(name, kind, d)
        for v, d, is_list in zip(results[spec.carries :], made[spec.carries :], lists, strict=False):
            if is_list:
                writer.depths[v.number] = d + 1

    def _head(self, index: str, names: list[str], same: list[str], steps: list[str]) -> list[str]:
        """Return the line that begins the loop."""
        spec, writer = self.spec, self.writer
        if spec.cond is None:
            count = str(spec.length) if spec.length is not None else steps[0]
            over = f"reversed(range({count}))" if spec.reverse else f"range({count})"
            return [f"for {index} in {over}:"]
        going, _ = _function(
            writer, spec.cond, "going_on", "Whether a step is taken", [0] * len(spec.cond.inputs)
        )
        trips = writer.give(self.record.outputs[-1])
        return [f"{trips} = 0", f"while {going}({', '.join([*names, *same])}):"]

    def _named(self, atom: Atom) -> str:
        """Return a name of an operand, or a number, that a loop may read again and again."""
        writer = self.writer
        text = writer.value(atom).text
        if not text.isidentifier() and not (isinstance(atom, Literal) and np.ndim(atom.value) == 0):
            name = self._temporary("t")
            writer.lines.append(f"{name} = {text}")
            return name
        if text in writer.names.held:  # nor may what the loop makes take its name
            writer.names.held[text] = max(writer.names.held[text], writer.now + 1)
        return text

    def _temporary(self, hint: str) -> str:
        """Return a name that is free in this statement."""
        self.temporaries += 1
        writer = self.writer
        return writer.names.give(-self.temporaries, hint, writer.now, writer.now + 1)

    def _room(self, kind: ArrayType, is_list: bool) -> str:
        if is_list:
            return "[]" if self.spec.length is None else f"[None] * {self.spec.length}"
        dtype = "" if kind.dtype == np.float64 else f", dtype={constants.dtype_name(kind.dtype)}"
        shape = (self.spec.length, *kind.shape)
        return f"np.empty({shape[0] if len(shape) == 1 else shape}{dtype})"

    def _element(self, x: str, index: str, depth: int, kind: ArrayType) -> str:
        """Write what a step reads; a number stands for as many as there are steps."""
        if depth or self.spec.length is not None:
            return f"{x}[{index}]"
        return f"np.full({kind.shape}, {x})" if kind.shape else x

    def _gather(self, name: str, kind: ArrayType, depth: int) -> None:
        """Make what has been collected an array, or a list, in the order of the elements."""
        found = f"{name}[::-1]" if self.spec.reverse else name
        if depth == 0:
            dtype = constants.dtype_name(kind.dtype)
            shape = f".reshape(-1, {', '.join(map(str, kind.shape))})" if kind.shape else ""
            found = f"np.array({found}, dtype={dtype}){shape}"
        if found != name:
            self.writer.lines.append(f"{name} = {found}")
