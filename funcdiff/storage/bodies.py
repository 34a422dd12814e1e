"""The programs in records of loops and branches: what a file says of them, and whether it can be so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.tape import Record, Tape
from funcdiff.transforms.loops.body import Body, types_of
from funcdiff.transforms.loops.loop import Loop
from funcdiff.transforms.loops.stack import Stack


def made_body(tape: Tape, examples: Sequence[Any]) -> Tape | None:
    """Return a body of a tape and examples of its inputs; None if they do not fit."""
    if tape.guards or len(examples) != len(tape.inputs):
        return None
    for v, example in zip(tape.inputs, examples, strict=True):
        if not isinstance(example, (np.ndarray, np.generic, Stack)) or type_of(example) != v.type:
            return None
    return Body(
        tape.name,
        tape.inputs,
        tape.records,
        tape.outputs,
        (),
        tape.in_tree,
        tape.out_tree,
        examples=tuple(examples),
    )


def made_stack(dtype: np.dtype[Any], items: Any) -> Stack:
    """Return a stack of arrays or of stacks."""
    if isinstance(items, np.ndarray) and items.dtype == dtype and items.ndim:
        return Stack(items, ArrayType(items.shape[1:], dtype))
    if isinstance(items, list) and items and all(isinstance(x, Stack) and x.dtype == dtype for x in items):
        return Stack(items, ArrayType((), dtype))
    raise ValueError("no stack")


def is_sound(record: Record) -> bool:
    """Tell whether the operands, results and bodies of a loop or a branch belong together."""
    params = record.params
    kinds, made = types_of(record.inputs), [v.type for v in record.outputs]
    if record.primitive.name == "branch":
        return set(params) == {"then", "other"} and _is_branch(params["then"], params["other"], kinds, made)
    if set(params) != set(Loop._fields):
        return False
    spec = Loop(**params)
    counts = (spec.carries, spec.invariants, 0 if spec.length is None else spec.length)
    flags = (spec.reverse, spec.recompute)
    if not all(type(n) is int and n >= 0 for n in counts) or not all(type(f) is bool for f in flags):
        return False
    return isinstance(spec.body, Body) and _is_loop(spec, kinds, made)


def _is_branch(then: Any, other: Any, kinds: list[ArrayType], made: list[ArrayType]) -> bool:
    if not (isinstance(then, Body) and isinstance(other, Body)) or not kinds or kinds[0].shape:
        return False
    return all(_reads(side) == kinds[1:] and types_of(side.outputs) == made for side in (then, other))


def _is_loop(spec: Loop, kinds: list[ArrayType], made: list[ArrayType]) -> bool:
    c, v = spec.carries, spec.carries + spec.invariants
    read, gives = _reads(spec.body), types_of(spec.body.outputs)
    if (
        len(read) < v
        or len(kinds) != len(read) + spec.counted
        or read[:c] != gives[:c]
        or kinds[:v] != read[:v]
    ):
        return False
    if spec.cond is not None:
        if not isinstance(spec.cond, Body) or spec.length is not None:
            return False
        if _reads(spec.cond) != read[:v] or types_of(spec.cond.outputs) != [ArrayType((), np.dtype(bool))]:
            return False
    kept = kinds[v : len(read)]
    trips = [ArrayType((), np.dtype(np.int64))] * (spec.cond is not None)
    if made[:c] != gives[:c] or made[len(gives) :] != trips or len(made) != len(gives) + len(trips):
        return False
    columns = [*zip(kept, read[v:], strict=True), *zip(made[c:], gives[c:], strict=False)]
    return all(a in _columns(spec, b) for a, b in columns)


def _columns(spec: Loop, element: ArrayType) -> list[ArrayType]:
    """Return what an array of one element per step can be: the shape of a stack is ``()``."""
    stack = ArrayType((), element.dtype)
    return (
        [stack] if spec.length is None else [ArrayType((spec.length, *element.shape), element.dtype), stack]
    )


def _reads(body: Tape) -> list[ArrayType]:
    return [v.type for v in body.inputs]
