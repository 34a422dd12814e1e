"""Running sums and products along an axis, one element after the other as NumPy takes them."""

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
