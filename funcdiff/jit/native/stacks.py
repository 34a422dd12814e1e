"""Memory of what loops of unknown length collect: taken piece by piece from chunks, and given back as a whole.

A stack is described by three words: where its elements are, how many there are, and for how many there is room.
A kernel takes memory by advancing in a chunk, and takes a larger chunk where one is full. When it ends it keeps
the last chunk for its next call, unless that is large.
"""

from __future__ import annotations

import ctypes

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.jit.native import huge_pages
from funcdiff.jit.native.engine import ARENA, Library, engine
from funcdiff.jit.native.once import once

WORDS = ArrayType((3,), np.dtype(np.int64))  # what describes a stack
BYTES_OF_STACK = 24
FIRST = 64  # elements for which a stack has room at first
KEPT = 1 << 28  # bytes up to which a chunk is kept from call to call
POLLED = 1 << 24  # numbers made between two looks at whether a loop is to be interrupted, about
UNKNOWN = 1 << 14  # steps that a loop of unknown length is taken to have
_HEADER, _SMALLEST = 64, 1 << 16

_TEXT = f"""
declare ptr @malloc(i64)
declare void @free(ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare i64 @llvm.umax.i64(i64, i64)
declare i32 @PyGILState_Ensure()
declare void @PyGILState_Release(i32)
declare i32 @PyErr_CheckSignals()

define void @fd.stacks.open(ptr %state, ptr %kept) {{
  %chunk = atomicrmw xchg ptr %kept, ptr null seq_cst
  store ptr %chunk, ptr %state
  %used.at = getelementptr i8, ptr %state, i64 8
  store i64 {_HEADER}, ptr %used.at
  ret void
}}

define ptr @fd.stacks.take(ptr %state, i64 %bytes) {{
entry:
  %up = add i64 %bytes, 63
  %rounded = and i64 %up, -64
  %huge = icmp ugt i64 %bytes, {1 << 50}
  br i1 %huge, label %none, label %small
small:
  %chunk = load ptr, ptr %state
  %used.at = getelementptr i8, ptr %state, i64 8
  %used = load i64, ptr %used.at
  %is.none = icmp eq ptr %chunk, null
  br i1 %is.none, label %larger, label %look
look:
  %size.at = getelementptr i8, ptr %chunk, i64 8
  %size = load i64, ptr %size.at
  %end = add i64 %used, %rounded
  %fits = icmp ule i64 %end, %size
  br i1 %fits, label %here, label %larger
here:
  store i64 %end, ptr %used.at
  %at = getelementptr i8, ptr %chunk, i64 %used
  ret ptr %at
larger:
  %before = phi i64 [ 0, %small ], [ %size, %look ]
  %twice = shl i64 %before, 1
  %needed = add i64 %rounded, {_HEADER}
  %wanted.0 = call i64 @llvm.umax.i64(i64 %twice, i64 %needed)
  %wanted = call i64 @llvm.umax.i64(i64 %wanted.0, i64 {_SMALLEST})
  %new = call ptr @malloc(i64 %wanted)
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %none, label %made
made:
  %is.large = icmp uge i64 %wanted, {huge_pages.LARGE}
  br i1 %is.large, label %ask, label %asked
ask:
HUGE PAGES
  br label %asked
asked:
  store ptr %chunk, ptr %new
  %new.size.at = getelementptr i8, ptr %new, i64 8
  store i64 %wanted, ptr %new.size.at
  store ptr %new, ptr %state
  store i64 %needed, ptr %used.at
  %first = getelementptr i8, ptr %new, i64 {_HEADER}
  ret ptr %first
none:
  ret ptr null
}}

define i32 @fd.stacks.reserve(ptr %state, ptr %stack, i64 %size, i64 %count) {{
entry:
  %steps.at = getelementptr i8, ptr %stack, i64 8
  %room.at = getelementptr i8, ptr %stack, i64 16
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %take, label %empty
empty:
  store ptr null, ptr %stack
  store i64 0, ptr %steps.at
  store i64 0, ptr %room.at
  ret i32 0
take:
  %few = icmp ult i64 %count, {1 << 40}
  br i1 %few, label %possible, label %failed
possible:
  %bytes = mul i64 %count, %size
  %data = call ptr @fd.stacks.take(ptr %state, i64 %bytes)
  %none = icmp eq ptr %data, null
  br i1 %none, label %failed, label %done
done:
  store ptr %data, ptr %stack
  store i64 %count, ptr %steps.at
  store i64 %count, ptr %room.at
  ret i32 0
failed:
  ret i32 2
}}

define i32 @fd.stacks.grow(ptr %state, ptr %stack, i64 %size) {{
entry:
  %room.at = getelementptr i8, ptr %stack, i64 16
  %before = load i64, ptr %room.at
  %twice = shl i64 %before, 1
  %room = call i64 @llvm.umax.i64(i64 %twice, i64 {FIRST})
  %bytes = mul i64 %room, %size
  %data = call ptr @fd.stacks.take(ptr %state, i64 %bytes)
  %none = icmp eq ptr %data, null
  br i1 %none, label %failed, label %copy
copy:
  %old = load ptr, ptr %stack
  %old.bytes = mul i64 %before, %size
  call void @llvm.memcpy.p0.p0.i64(ptr %data, ptr %old, i64 %old.bytes, i1 false)
  store ptr %data, ptr %stack
  store i64 %room, ptr %room.at
  ret i32 0
failed:
  ret i32 2
}}

; the sum of two stacks; `float` tells what their elements are of, `numbers` of how many
define i32 @fd.stacks.add(ptr %state, ptr %out, ptr %a, ptr %b, i64 %depth, i64 %numbers, i1 %is.float) {{
entry:
  %a.steps.at = getelementptr i8, ptr %a, i64 8
  %steps = load i64, ptr %a.steps.at
  %b.steps.at = getelementptr i8, ptr %b, i64 8
  %b.steps = load i64, ptr %b.steps.at
  %same = icmp eq i64 %steps, %b.steps
  br i1 %same, label %sized, label %different
different:
  ret i32 1
sized:
  %deep = icmp ugt i64 %depth, 1
  %width = select i1 %is.float, i64 4, i64 8
  %bytes = mul i64 %numbers, %width
  %size = select i1 %deep, i64 24, i64 %bytes
  %code = call i32 @fd.stacks.reserve(ptr %state, ptr %out, i64 %size, i64 %steps)
  %fine = icmp eq i32 %code, 0
  br i1 %fine, label %ready, label %failed
failed:
  %with = phi i32 [ %code, %sized ], [ %inner, %deep.body ]
  ret i32 %with
ready:
  %to = load ptr, ptr %out
  %x = load ptr, ptr %a
  %y = load ptr, ptr %b
  %flat = mul i64 %steps, %numbers
  %count = select i1 %deep, i64 %steps, i64 %flat
  %under = sub i64 %depth, 1
  br label %head
head:
  %i = phi i64 [ 0, %ready ], [ %i.deep, %deep.next ], [ %i.float, %float.body ], [ %i.double, %double.body ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %done
body:
  br i1 %deep, label %deep.body, label %numbers.body
deep.body:
  %offset = mul i64 %i, 24
  %to.at = getelementptr i8, ptr %to, i64 %offset
  %x.at = getelementptr i8, ptr %x, i64 %offset
  %y.at = getelementptr i8, ptr %y, i64 %offset
  %inner = call i32 @fd.stacks.add(ptr %state, ptr %to.at, ptr %x.at, ptr %y.at, i64 %under, i64 %numbers, i1 %is.float)
  %inner.fine = icmp eq i32 %inner, 0
  br i1 %inner.fine, label %deep.next, label %failed
deep.next:
  %i.deep = add i64 %i, 1
  br label %head
numbers.body:
  br i1 %is.float, label %float.body, label %double.body
float.body:
  %xf.at = getelementptr float, ptr %x, i64 %i
  %yf.at = getelementptr float, ptr %y, i64 %i
  %tf.at = getelementptr float, ptr %to, i64 %i
  %xf = load float, ptr %xf.at
  %yf = load float, ptr %yf.at
  %tf = fadd float %xf, %yf
  store float %tf, ptr %tf.at
  %i.float = add i64 %i, 1
  br label %head
double.body:
  %xd.at = getelementptr double, ptr %x, i64 %i
  %yd.at = getelementptr double, ptr %y, i64 %i
  %td.at = getelementptr double, ptr %to, i64 %i
  %xd = load double, ptr %xd.at
  %yd = load double, ptr %yd.at
  %td = fadd double %xd, %yd
  store double %td, ptr %td.at
  %i.double = add i64 %i, 1
  br label %head
done:
  ret i32 0
}}

define void @fd.stacks.reset(ptr %state, ptr %chunk, i64 %used) {{
  %now = load ptr, ptr %state
  %same = icmp eq ptr %now, %chunk
  %start = select i1 %same, i64 %used, i64 {_HEADER}
  %used.at = getelementptr i8, ptr %state, i64 8
  store i64 %start, ptr %used.at
  ret void
}}

define void @fd.stacks.close(ptr %state, ptr %kept) {{
entry:
  %chunk = load ptr, ptr %state
  %none = icmp eq ptr %chunk, null
  br i1 %none, label %done, label %some
some:
  %first = load ptr, ptr %chunk
  br label %head
head:
  %one = phi ptr [ %first, %some ], [ %next, %drop ]
  %last = icmp eq ptr %one, null
  br i1 %last, label %keep, label %drop
drop:
  %next = load ptr, ptr %one
  call void @free(ptr %one)
  br label %head
keep:
  store ptr null, ptr %chunk
  %size.at = getelementptr i8, ptr %chunk, i64 8
  %size = load i64, ptr %size.at
  %large = icmp ugt i64 %size, {KEPT}
  br i1 %large, label %large.chunk, label %put
large.chunk:
  call void @free(ptr %chunk)
  ret void
put:
  %other = atomicrmw xchg ptr %kept, ptr %chunk seq_cst
  call void @free(ptr %other)
  ret void
done:
  ret void
}}

; what a kernel keeps is given back, if no call has taken it
define void @fd.drop(ptr %kept) {{
  %chunk = atomicrmw xchg ptr %kept, ptr null seq_cst
  call void @free(ptr %chunk)
  ret void
}}

define i32 @fd.poll() {{
  %lock = call i32 @PyGILState_Ensure()
  %raised = call i32 @PyErr_CheckSignals()
  call void @PyGILState_Release(i32 %lock)
  %is.raised = icmp ne i32 %raised, 0
  %code = select i1 %is.raised, i32 3, i32 0
  ret i32 %code
}}
"""

DECLARED = {
    "fd.stacks.open": "declare void @fd.stacks.open(ptr, ptr)",
    "fd.stacks.close": "declare void @fd.stacks.close(ptr, ptr)",
    "fd.stacks.reset": "declare void @fd.stacks.reset(ptr, ptr, i64)",
    "fd.stacks.reserve": "declare i32 @fd.stacks.reserve(ptr, ptr, i64, i64)",
    "fd.stacks.grow": "declare i32 @fd.stacks.grow(ptr, ptr, i64)",
    "fd.stacks.add": "declare i32 @fd.stacks.add(ptr, ptr, ptr, ptr, i64, i64, i1)",
    "fd.drop": "declare void @fd.drop(ptr)",
    "fd.poll": "declare i32 @fd.poll()",
}
_PYTHON = ("PyGILState_Ensure", "PyGILState_Release", "PyErr_CheckSignals")


def _text() -> str:
    if not huge_pages.are_there():
        return _TEXT.replace("HUGE PAGES\n", "")
    asked = "".join(f"  {line}\n" for line in huge_pages.asked_for("%new", "%wanted"))
    return _TEXT.replace("HUGE PAGES\n", asked) + huge_pages.DECLARED


@once
def _library() -> Library:
    python = {
        name: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0 for name in _PYTHON
    }
    return engine().compile([(_text(), 0)], python, list(DECLARED))


@once
def address(name: str) -> int:
    """Return where one of the functions starts."""
    return _library().address(name)


def kept_in(kernel: str) -> str:
    """Return the name of the variable in which a kernel keeps a chunk."""
    return f"{kernel}.stacks.{ARENA}"
