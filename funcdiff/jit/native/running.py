"""Running sums, products and linear recurrences along an axis, one element after the other as NumPy takes them."""

from __future__ import annotations

import math

from funcdiff.core.tape import Record
from funcdiff.jit.native.arrays import Array
from funcdiff.jit.native.blas import Body, operation
from funcdiff.jit.native.calls import Calls, sizes
from funcdiff.jit.native.handlers import NotNative, handler
from funcdiff.jit.native.lower import Lowering

# Each of `outer` blocks has `n` rows of `inner` elements; a row is what it adds to the row before.
_LINES = """  br label %block
block:
  %o = phi i64 [ 0, %entry ], [ %o.next, %block.end ]
  %size = mul i64 %n, %inner
  %start = mul i64 %o, %size
  %from = getelementptr NUMBER, ptr %a, i64 %start
  %to = getelementptr NUMBER, ptr %out, i64 %start
  %bytes = mul i64 %inner, WIDTH
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  %first = load NUMBER, ptr %from
  %single = icmp eq i64 %n, 1
  %narrow = icmp eq i64 %inner, 1
  br i1 %single, label %block.end, label %more
more:
  br i1 %narrow, label %line, label %row
line:
  %i = phi i64 [ 1, %more ], [ %i.next, %line ]
  %sum = phi NUMBER [ %first, %more ], [ %sum.next, %line ]
  %x.at = getelementptr NUMBER, ptr %from, i64 %i
  %x = load NUMBER, ptr %x.at
  %sum.next = OP NUMBER %sum, %x
  %y.at = getelementptr NUMBER, ptr %to, i64 %i
  store NUMBER %sum.next, ptr %y.at
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, %n
  br i1 %i.more, label %line, label %block.end
row:
  %j = phi i64 [ %inner, %more ], [ %j.next, %row ]
  %k = sub i64 %j, %inner
  %p.at = getelementptr NUMBER, ptr %to, i64 %k
  %p = load NUMBER, ptr %p.at
  %q.at = getelementptr NUMBER, ptr %from, i64 %j
  %q = load NUMBER, ptr %q.at
  %r = OP NUMBER %p, %q
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

_PARAMETERS = "ptr %out, ptr %a, i64 %outer, i64 %n, i64 %inner"


def _write(body: Body, op: str) -> str:
    text = _LINES.replace("NUMBER", body.number).replace("WIDTH", str(body.size)).replace("OP", op)
    body.lines += text.split("\n")
    return ""


@operation("void", _PARAMETERS)
def cumsum(body: Body) -> str:
    """Write running sums."""
    return _write(body, "fadd")


@operation("void", _PARAMETERS)
def cumprod(body: Body) -> str:
    """Write running products."""
    return _write(body, "fmul")


@handler("cumsum", "cumprod")
def _running(low: Lowering, record: Record) -> Array:
    x = low.array(record.inputs[0])
    shape, axis = x.type.shape, record.params["axis"]
    if not shape or record.outputs[0].type != x.type or set(record.params) != {"axis"}:
        raise NotNative(record)
    calls = Calls(low, record)
    a = calls.contiguous(x)
    extents = sizes(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    name = record.primitive.name
    return calls.each(name, (), [(a, len(shape))], lambda to, at: [to, at, *extents], math.prod(shape))


# Rows of `inner` elements as above: each is a row of b and what a makes of the row before, where that is not zero.
_RECURRENCE = """  br label %block
block:
  %o = phi i64 [ 0, %entry ], [ %o.next, %block.end ]
  %size = mul i64 %n, %inner
  %start = mul i64 %o, %size
  %factors = getelementptr NUMBER, ptr %a, i64 %start
  %from = getelementptr NUMBER, ptr %b, i64 %start
  %to = getelementptr NUMBER, ptr %out, i64 %start
  %bytes = mul i64 %inner, WIDTH
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  %single = icmp eq i64 %n, 1
  br i1 %single, label %block.end, label %row
row:
  %j = phi i64 [ %inner, %block ], [ %j.next, %row ]
  %k = sub i64 %j, %inner
  %p.at = getelementptr NUMBER, ptr %to, i64 %k
  %p = load NUMBER, ptr %p.at
  %q.at = getelementptr NUMBER, ptr %factors, i64 %j
  %q = load NUMBER, ptr %q.at
  %x.at = getelementptr NUMBER, ptr %from, i64 %j
  %x = load NUMBER, ptr %x.at
  %product = fmul NUMBER %q, %p
  %counts = fcmp une NUMBER %p, 0.0
  %kept = select i1 %counts, NUMBER %product, NUMBER 0.0
  %r = fadd NUMBER %x, %kept
  %r.at = getelementptr NUMBER, ptr %to, i64 %j
  store NUMBER %r, ptr %r.at
  %nothing = fmul NUMBER %r, 0.0
  %is.odd = fcmp uno NUMBER %nothing, 0.0
  %before = load i32, ptr ODD
  %now = select i1 %is.odd, i32 1, i32 %before
  store i32 %now, ptr ODD
  %j.next = add i64 %j, 1
  %j.more = icmp ult i64 %j.next, %size
  br i1 %j.more, label %row, label %block.end
block.end:
  %o.next = add i64 %o, 1
  %o.more = icmp ult i64 %o.next, %outer
  br i1 %o.more, label %block, label %done
done:"""


@operation("i32", "ptr %out, ptr %a, ptr %b, i64 %outer, i64 %n, i64 %inner")
def recurrence(body: Body) -> str:
    """Write what a linear recurrence makes; fail where that is not finite, which depends on the order of products."""
    odd = body.variable("i32", "0")
    text = _RECURRENCE.replace("NUMBER", body.number).replace("WIDTH", str(body.size)).replace("ODD", odd)
    body.lines += text.split("\n")
    return body.let(f"load i32, ptr {odd}")


@handler("recurrence")
def _recurrence(low: Lowering, record: Record) -> Array:
    operands = [low.array(x) for x in record.inputs]
    shape, axis = record.outputs[0].type.shape, record.params["axis"]
    if any(x.type != record.outputs[0].type for x in operands):
        raise NotNative(record)
    calls = Calls(low, record)
    given = [(calls.contiguous(x), len(shape)) for x in operands]
    extents = sizes(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    return calls.each("recurrence", (), given, lambda to, at, of: [to, at, of, *extents], math.prod(shape))
