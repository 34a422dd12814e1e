"""Running sums, products and linear recurrences along an axis, one element after the other as NumPy takes them."""

from __future__ import annotations

import math

from funcdiff.core.tape import Record
from funcdiff.jit.native.arrays import Array
from funcdiff.jit.native.blas import Body, operation
from funcdiff.jit.native.calls import Calls, sizes
from funcdiff.jit.native.handlers import NotNative, handler
from funcdiff.jit.native.lower import Lowering

# Each of `outer` blocks has `n` rows of `inner` elements; a row %r is made of the row before, %p, and one that is given, %x.
_BLOCKS = """  br label %block
block:
  %o = phi i64 [ 0, %entry ], [ %o.next, %block.end ]
  %size = mul i64 %n, %inner
  %start = mul i64 %o, %size
  %from = getelementptr NUMBER, ptr GIVEN, i64 %start
  %to = getelementptr NUMBER, ptr %out, i64 %start
  %bytes = mul i64 %inner, WIDTH
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  %single = icmp eq i64 %n, 1
  br i1 %single, label %block.end, label %more
more:
BEFORE
row:
  %j = phi i64 [ %inner, %more ], [ %j.next, %row ]
  %k = sub i64 %j, %inner
  %p.at = getelementptr NUMBER, ptr %to, i64 %k
  %p = load NUMBER, ptr %p.at
  %x.at = getelementptr NUMBER, ptr %from, i64 %j
  %x = load NUMBER, ptr %x.at
STEP
  %r.at = getelementptr NUMBER, ptr %to, i64 %j
  store NUMBER %r, ptr %r.at
  %j.next = add i64 %j, 1
  %j.more = icmp ult i64 %j.next, %size
  br i1 %j.more, label %row, label %block.end
block.end:
  %o.next = add i64 %o, 1
  %o.more = icmp ult i64 %o.next, %outer
  br i1 %o.more, label %block, label %done
done:"""

# Rows of one element are carried in a register.
_LINE = """  %first = load NUMBER, ptr %from
  %narrow = icmp eq i64 %inner, 1
  br i1 %narrow, label %line, label %row
line:
  %i = phi i64 [ 1, %more ], [ %i.next, %line ]
  %sum = phi NUMBER [ %first, %more ], [ %sum.next, %line ]
  %y.at = getelementptr NUMBER, ptr %from, i64 %i
  %y = load NUMBER, ptr %y.at
  %sum.next = OP NUMBER %sum, %y
  %sum.at = getelementptr NUMBER, ptr %to, i64 %i
  store NUMBER %sum.next, ptr %sum.at
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, %n
  br i1 %i.more, label %line, label %block.end"""

_PARAMETERS = "ptr %out, ptr %a, i64 %outer, i64 %n, i64 %inner"


def _write(body: Body, given: str, before: str, step: str) -> None:
    text = _BLOCKS.replace("GIVEN", given).replace("BEFORE", before).replace("STEP", step)
    body.lines += text.replace("NUMBER", body.number).replace("WIDTH", str(body.size)).split("\n")


def _accumulate(body: Body, op: str) -> str:
    _write(body, "%a", _LINE.replace("OP", op), f"  %r = {op} NUMBER %p, %x")
    return ""


@operation("void", _PARAMETERS)
def cumsum(body: Body) -> str:
    """Write running sums."""
    return _accumulate(body, "fadd")


@operation("void", _PARAMETERS)
def cumprod(body: Body) -> str:
    """Write running products."""
    return _accumulate(body, "fmul")


def _extents(shape: tuple[int, ...], axis: int) -> list[str]:
    return sizes(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))


@handler("cumsum", "cumprod")
def _running(low: Lowering, record: Record) -> Array:
    x = low.array(record.inputs[0])
    shape, axis = x.type.shape, record.params["axis"]
    if not shape or record.outputs[0].type != x.type or set(record.params) != {"axis"}:
        raise NotNative(record)
    calls = Calls(low, record)
    a = calls.contiguous(x)
    extents = _extents(shape, axis)
    name = record.primitive.name
    return calls.each(name, (), [(a, len(shape))], lambda to, at: [to, at, *extents], math.prod(shape))


# A row is one of b and what a makes of the row before, where that is not zero.
_FACTORS = """  %factors = getelementptr NUMBER, ptr %a, i64 %start
  br label %row"""
_RECURRENCE = """  %q.at = getelementptr NUMBER, ptr %factors, i64 %j
  %q = load NUMBER, ptr %q.at
  %product = fmul NUMBER %q, %p
  %counts = fcmp une NUMBER %p, 0.0
  %kept = select i1 %counts, NUMBER %product, NUMBER 0.0
  %r = fadd NUMBER %x, %kept
  %nothing = fmul NUMBER %r, 0.0
  %is.odd = fcmp uno NUMBER %nothing, 0.0
  %before = load i32, ptr ODD
  %now = select i1 %is.odd, i32 1, i32 %before
  store i32 %now, ptr ODD"""


@operation("i32", "ptr %out, ptr %a, ptr %b, i64 %outer, i64 %n, i64 %inner")
def recurrence(body: Body) -> str:
    """Write what a linear recurrence makes; fail where that is not finite, which depends on the order of products."""
    odd = body.variable("i32", "0")
    _write(body, "%b", _FACTORS, _RECURRENCE.replace("ODD", odd))
    return body.let(f"load i32, ptr {odd}")


@handler("recurrence")
def _recurrence(low: Lowering, record: Record) -> Array:
    operands = [low.array(x) for x in record.inputs]
    shape, axis = record.outputs[0].type.shape, record.params["axis"]
    if any(x.type != record.outputs[0].type for x in operands):
        raise NotNative(record)
    calls = Calls(low, record)
    given = [(calls.contiguous(x), len(shape)) for x in operands]
    extents = _extents(shape, axis)
    return calls.each("recurrence", (), given, lambda to, at, of: [to, at, of, *extents], math.prod(shape))
