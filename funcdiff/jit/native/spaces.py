"""Which axes of an array are loops, and which are components, each element of which is a node."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.core.tape import Record, Tape, Variable, bodies, variables
from funcdiff.jit.native.arrays import COMPONENT, UNIFORM, Layout
from funcdiff.jit.native.elementwise import loop_kinds
from funcdiff.jit.native.engine import LANES
from funcdiff.jit.passes.rewriting import kind

UNROLLED = 16  # elements that are numbers of their own
TERMS = 300  # products that a product of matrices is made of, per element of a batch
FEW = 4  # elements up to which they are even where all that is done to them is done to each alike


def natural(shape: tuple[int, ...], lanes: frozenset[int]) -> tuple[tuple[int, ...], Layout]:
    """Return the space in which arrays of some shape are computed, and which axes are its loops."""
    size = math.prod(shape)
    long = [axis for axis, n in enumerate(shape) if n in lanes and n > 1]
    if size <= UNROLLED and not long:
        return (), (COMPONENT,) * len(shape)
    largest = max(shape)
    axes = [axis for axis, n in enumerate(shape) if n == largest]
    if len(axes) == 1 and size // max(largest, 1) <= UNROLLED:
        return (largest,), tuple(0 if axis == axes[0] else COMPONENT for axis in range(len(shape)))
    loops = [axis for axis, n in enumerate(shape) if n != 1]
    components = 1
    while len(loops) > 1 and shape[loops[-1]] < LANES and components * shape[loops[-1]] <= UNROLLED:
        components *= shape[loops.pop()]  # at the end, they would leave vectors half empty
    layout = tuple(loops.index(axis) if axis in loops else COMPONENT for axis in range(len(shape)))
    return tuple(shape[axis] for axis in loops), layout


def is_unrolled(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Tell whether a product of matrices of these shapes is computed element by element, by no routine."""
    rows, columns = (a[-2] if len(a) > 1 else 1), (b[-1] if len(b) > 1 else 1)
    return rows * a[-1] * columns <= TERMS


def numbers(tape: Tape) -> int:
    """Return about how many numbers of small matrices a tape computes, each by code of its own."""
    return sum(_numbers(record) for record in tape.records)


def _numbers(record: Record) -> int:
    inside = sum(map(numbers, bodies(record).values()))
    if inside or len(record.outputs) != 1:
        return inside
    shape = record.outputs[0].type.shape
    each = math.prod(
        n for n, loop in zip(shape, natural(shape, frozenset())[1], strict=True) if loop == COMPONENT
    )
    if record.primitive.name != "matmul":
        return each
    a, b = (kind(atom).shape for atom in record.inputs)
    return 2 * each * a[-1] if is_unrolled(a, b) else 1


def repeated(value: Any, layout: Layout) -> Any:
    """Return the few elements that a constant repeats along all axes that are loops, or its only one; None otherwise."""
    if not any(value.strides):
        return value[(slice(1),) * value.ndim]
    for few in (
        value[(slice(1),) * value.ndim],
        value[tuple(slice(None) if loop == COMPONENT else slice(1) for loop in layout)],
    ):
        if (
            few.size > UNROLLED or (value[..., -1:] != few[..., -1:]).any()
        ):  # as most that do not can tell soon
            continue
        same = value == few
        if value.dtype.kind == "f":
            same &= np.signbit(value) == np.signbit(few)
        if same.all():
            return few
    return None


def along_repeated(layout: Layout, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Layout]:
    """Return the space and layout in which an array is written that repeats numbers of straight code."""
    loops = [axis for axis, mine in enumerate(layout) if mine == UNIFORM]
    written = tuple(loops.index(axis) if axis in loops else COMPONENT for axis in range(len(layout)))
    return tuple(shape[axis] for axis in loops), written


def lane_sizes(tape: Tape) -> frozenset[int]:
    """Return the lengths of axes that are loops, in short arrays too."""
    found = set()
    for v in (*tape.inputs, *(v for r in tape.records for v in r.outputs)):
        if v.type.size > UNROLLED:
            largest = max(v.type.shape)
            if v.type.size // largest <= UNROLLED:
                found.add(largest)
    return frozenset(found)


def flat_variables(tape: Tape) -> set[int]:
    """Return the results of records that act on all elements alike, as do all that their operands meet."""
    if all(v.type.size <= FEW for r in tape.records for v in r.outputs):
        return set()
    parent: dict[int, int] = {}

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    spoilt: set[int] = set()
    rearranged: set[int] = set()
    for record in tape.records:
        (out, *more) = record.outputs
        members = [
            v for v in variables(record.inputs) if v.type.shape and v.type.size > 1 and v.number in parent
        ]
        reduced = _is_whole_reduction(record)
        flat = not more and (reduced or _is_alike(record, rearranged))
        if not reduced and out.type.shape:
            parent[out.number] = out.number
            members.append(out)
            if not flat:
                rearranged.add(out.number)
        for v in members[1:]:
            parent[root(v.number)] = root(members[0].number)
        if not flat:
            spoilt.update(v.number for v in members)
    bad = {root(n) for n in spoilt}
    return {n for n in parent if root(n) not in bad}


def _is_whole_reduction(record: Record) -> bool:
    if record.primitive.name not in ("sum", "max", "min", "prod") or not isinstance(
        record.inputs[0], Variable
    ):
        return False
    return len(record.params["axis"]) == len(record.inputs[0].type.shape) and not record.params["keepdims"]


def _is_alike(record: Record, rearranged: set[int]) -> bool:
    if loop_kinds(record) is None and record.primitive.name != "astype":
        return False
    shape = record.outputs[0].type.shape
    for a in record.inputs:
        type_ = kind(a)
        if type_.size == 1 and len(type_.shape) <= len(shape):
            continue
        if type_.shape != shape or (isinstance(a, Variable) and a.number in rearranged):
            return False
    return True
