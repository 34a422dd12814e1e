"""Branch records: each becomes a function of the kernel that runs one of two bodies, unless it is one between numbers."""

from __future__ import annotations

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record, Tape
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import Array
from funcdiff.jit.native.chosen import chosen
from funcdiff.jit.native.handlers import OF_STACKS, NotNative, handler, kind_of
from funcdiff.jit.native.invoked import OUTSIDE, Function
from funcdiff.jit.native.loop_body import BodyLowering, is_constant, prepared
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.stacks import WORDS
from funcdiff.jit.native.wrapper import RELEASE


@handler("branch")
def _branch(low: Lowering, record: Record) -> list[Array]:
    try:
        return _lowered(low, record)
    except NotNative as error:  # of a record of a side
        raise NotNative(record) from error


def _lowered(low: Lowering, record: Record) -> list[Array]:
    predicate, *operands = map(low.anything, record.inputs)
    if predicate.stack or predicate.type.shape or kind_of(predicate.type) != "i1":
        raise NotNative
    if isinstance(low, BodyLowering):
        among_numbers = chosen(low, record, [predicate, *operands])
        if among_numbers is not None:
            return among_numbers
    f = Function(low, f"{low.name}.branch{record.outputs[0].number}")
    f.out.load("%predicate", "i1", f.operand(predicate), 0)
    sides = [_side(f, record.params[name], f"{f.name}.{name}", operands) for name in ("then", "other")]
    outputs = [[one.result(a) for a in one.tape.outputs] for one in sides]
    made = []
    for n, (x, y) in enumerate(zip(*outputs, strict=True)):
        if x.type != y.type or x.stack != y.stack:
            raise NotNative
        memory = f.new(x.type)
        name = f.parameter(memory)[1:]
        for one, own in zip(sides, outputs, strict=True):
            one.output(own[n], one.outside(name, x.type, OUTSIDE))
        found = arrays.in_memory(x.type, memory, 0)
        found.stack = x.stack
        made.append(found)
    groups = [f.lowered(one) for one in sides]
    out = f.out
    out.put("br i1 %predicate, label %then, label %other")
    for label, run in zip(("then", "other"), groups, strict=True):
        out.start(label)
        out.run(run)
        out.put("ret i32 0")
    if out.guards or out.failures:
        out.leave()
        out.put("ret i32 %code")
    return f.invoke(made, out.work)


def _side(f: Function, body: Tape, name: str, operands: list[Array]) -> BodyLowering:
    """Lower one side."""
    one = BodyLowering(prepared(body), name, f"{name.rpartition('.')[2]}.", f.low.weak, f.low.threads)
    for v, x in zip(one.tape.inputs, operands, strict=True):
        one.arrays[v.number] = _operand(f, one, v.type, x)
    one.records()
    return one


def _operand(f: Function, one: BodyLowering, type_: ArrayType, x: Array) -> Array:
    if x.stack:
        found = one.argument(f.operand(x)[1:], WORDS, OUTSIDE)
        found.stack = x.stack
        return found
    if x.type != type_:
        raise NotNative
    if is_constant(x):
        return one.same(type_, x)
    return one.argument(f.operand(x)[1:], type_, OUTSIDE)


@handler("add", table=OF_STACKS)
def _sum_of_stacks(low: Lowering, record: Record) -> Array:
    x, y = map(low.anything, record.inputs)
    if x.stack is None or x.stack != y.stack or x.stack.element.dtype.kind != "f":
        raise NotNative(record)
    f = Function(low, f"{low.name}.sum{record.outputs[0].number}")
    f.uses_stacks = True
    depth, element = x.stack
    memory = f.new(WORDS)
    f.out.fail_unless_zero(
        f.out.runtime(
            "fd.stacks.add",
            "ptr %stacks",
            *(f"ptr {p}" for p in (f.parameter(memory), f.operand(x), f.operand(y))),
            f"i64 {depth}",
            f"i64 {element.size}",
            f"i1 {'true' if element.dtype == np.float32 else 'false'}",
        )
    )
    f.out.put("ret i32 0")
    f.out.leave()
    f.out.put("ret i32 %code")
    found = arrays.in_memory(WORDS, memory, 0)
    found.stack = x.stack
    return f.invoke([found], RELEASE)[0]
