"""The builtin function around a compiled kernel: it checks, allocates, calls, and returns as NumPy would.

One function, compiled once per process, serves all kernels: what it is to check and to make stands in a table.
It has the signature of a METH_FASTCALL | METH_KEYWORDS function. Its `self` is a tuple: what to call where a
check fails, the table, the owner of the machine code, a list of large results, then triples of what the
program has captured (a cell and None, or a dict and a name; and the object that was seen there).

Large results are kept, and used again once nobody else refers to them: new memory comes page by page, which
takes longer than to compute a cheap function.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.jit.native import layout
from funcdiff.jit.native.engine import Library, engine
from funcdiff.jit.nesting import Nesting

RELEASE = 1 << 17  # operations from which other threads may run meanwhile
KEPT = 1 << 18  # bytes from which a result is kept, to be used again
_FLAGS = 0x80 | 0x02  # METH_FASTCALL | METH_KEYWORDS

# words of the table: the kernel's address, how many inputs and outputs, whether to release the interpreter's
# lock, how many steps of nesting there are, and where they begin; then five words per input and per output, of
# which the first is the dtype of what becomes a NumPy scalar, and zero for an array; the last is one for what is kept
_HEAD, _INPUT, _OUTPUT = 6, 5, 5

_LEAF, _TUPLE, _LIST = 0, 1, 2

_TEXT = f"""
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyArray_New(ptr, i32, ptr, i32, ptr, ptr, i32, i32, ptr)
declare ptr @PyArray_Scalar(ptr, ptr, ptr)
declare ptr @PyTuple_New(i64)
declare ptr @PyList_New(i64)
declare ptr @PyArray_DescrFromType(i32)
declare void @Py_DecRef(ptr)
declare void @Py_IncRef(ptr)
declare ptr @PyErr_NoMemory()
declare ptr @PyDict_GetItem(ptr, ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
@_Py_NoneStruct = external global i8
@PyArray_Type = external global i8

; whether everything that the program has captured is still what it was
define internal i1 @same_captures(ptr %self) noinline {{
entry:
  %size.at = getelementptr i8, ptr %self, i64 {layout.CONTENT}
  %size = load i64, ptr %size.at
  br label %head
head:
  %i = phi i64 [ 4, %entry ], [ %i.next, %next ]
  %more = icmp ult i64 %i, %size
  br i1 %more, label %body, label %yes
body:
  %offset = shl i64 %i, 3
  %at = getelementptr i8, ptr %self, i64 %offset
  %holder.at = getelementptr i8, ptr %at, i64 {layout.ITEMS}
  %holder = load ptr, ptr %holder.at
  %key.at = getelementptr i8, ptr %at, i64 {layout.ITEMS + 8}
  %key = load ptr, ptr %key.at
  %seen.at = getelementptr i8, ptr %at, i64 {layout.ITEMS + 16}
  %seen = load ptr, ptr %seen.at
  %is.cell = icmp eq ptr %key, @_Py_NoneStruct
  br i1 %is.cell, label %cell, label %dict
cell:
  %content.at = getelementptr i8, ptr %holder, i64 {layout.CONTENT}
  %content = load ptr, ptr %content.at
  br label %next
dict:
  %value = call ptr @PyDict_GetItem(ptr %holder, ptr %key)
  br label %next
next:
  %now = phi ptr [ %content, %cell ], [ %value, %dict ]
  %same = icmp eq ptr %now, %seen
  %i.next = add i64 %i, 3
  br i1 %same, label %head, label %no
yes:
  ret i1 true
no:
  ret i1 false
}}

; whether nobody else refers to an array, and it is still as it was made
define internal i1 @is_free(ptr %x, ptr %dims, i64 %ndim, i32 %number) noinline {{
entry:
  %count = load i32, ptr %x
  %alone = icmp eq i32 %count, 1
  %type.at = getelementptr i8, ptr %x, i64 {layout.TYPE}
  %type = load ptr, ptr %type.at
  %is.array = icmp eq ptr %type, @PyArray_Type
  %candidate = and i1 %alone, %is.array
  br i1 %candidate, label %array, label %no
array:
  %flags.at = getelementptr i8, ptr %x, i64 {layout.FLAGS}
  %flags = load i32, ptr %flags.at
  %of.interest = and i32 %flags, {layout.OWN}
  %flags.right = icmp eq i32 %of.interest, {layout.OWN}
  %weak.at = getelementptr i8, ptr %x, i64 {layout.WEAK}
  %weak = load ptr, ptr %weak.at
  %no.weak = icmp eq ptr %weak, null
  %descriptor.at = getelementptr i8, ptr %x, i64 {layout.DESCRIPTOR}
  %descriptor = load ptr, ptr %descriptor.at
  %expected.descriptor = call ptr @PyArray_DescrFromType(i32 %number)
  call void @Py_DecRef(ptr %expected.descriptor)
  %dtype.right = icmp eq ptr %descriptor, %expected.descriptor
  %axes.at = getelementptr i8, ptr %x, i64 {layout.AXES}
  %axes.int = load i32, ptr %axes.at
  %axes = zext i32 %axes.int to i64
  %axes.right = icmp eq i64 %axes, %ndim
  %right.0 = and i1 %flags.right, %no.weak
  %right.1 = and i1 %dtype.right, %axes.right
  %right = and i1 %right.0, %right.1
  %shape.at = getelementptr i8, ptr %x, i64 {layout.SHAPE}
  %shape = load ptr, ptr %shape.at
  br i1 %right, label %head, label %no
head:
  %j = phi i64 [ 0, %array ], [ %j.next, %body ]
  %more = icmp ult i64 %j, %ndim
  br i1 %more, label %body, label %yes
body:
  %length.at = getelementptr i64, ptr %shape, i64 %j
  %length = load i64, ptr %length.at
  %wanted.at = getelementptr i64, ptr %dims, i64 %j
  %wanted = load i64, ptr %wanted.at
  %same = icmp eq i64 %length, %wanted
  %j.next = add i64 %j, 1
  br i1 %same, label %head, label %no
yes:
  ret i1 true
no:
  ret i1 false
}}

define ptr @call(ptr %self, ptr %args, i64 %nargs, ptr %names) {{
entry:
  %bytes.at = getelementptr i8, ptr %self, i64 {layout.ITEMS + 8}
  %bytes = load ptr, ptr %bytes.at
  %table = getelementptr i8, ptr %bytes, i64 {layout.BYTES}
  %kernel = load ptr, ptr %table
  %nin.at = getelementptr i64, ptr %table, i64 1
  %nin = load i64, ptr %nin.at
  %nout.at = getelementptr i64, ptr %table, i64 2
  %nout = load i64, ptr %nout.at
  %right.count = icmp eq i64 %nargs, %nin
  %no.names = icmp eq ptr %names, null
  %countable = and i1 %right.count, %no.names
  br i1 %countable, label %counted, label %slow
counted:
  %size.at = getelementptr i8, ptr %self, i64 {layout.CONTENT}
  %size = load i64, ptr %size.at
  %has.captures = icmp ugt i64 %size, 4
  br i1 %has.captures, label %captured, label %arguments
captured:
  %same = call i1 @same_captures(ptr %self)
  br i1 %same, label %arguments, label %slow
arguments:
  %total = add i64 %nin, %nout
  %pointers = alloca ptr, i64 %total
  %objects = alloca ptr, i64 %nout
  %scalars = alloca i64, i64 %nout
  br label %in.head

in.head:
  %i = phi i64 [ 0, %arguments ], [ %i.next, %in.next ]
  %in = phi i64 [ {_HEAD}, %arguments ], [ %in.following, %in.next ]
  %in.more = icmp ult i64 %i, %nin
  br i1 %in.more, label %in.body, label %clear.head
in.body:
  %x.at = getelementptr ptr, ptr %args, i64 %i
  %x = load ptr, ptr %x.at
  %type.at = getelementptr i8, ptr %x, i64 {layout.TYPE}
  %type = load ptr, ptr %type.at
  %in.at = getelementptr i64, ptr %table, i64 %in
  %wanted = load ptr, ptr %in.at
  %wanted.type = icmp eq ptr %type, %wanted
  %ndim.at = getelementptr i64, ptr %in.at, i64 3
  %ndim = load i64, ptr %ndim.at
  %is.scalar = icmp eq i64 %ndim, 0
  br i1 %is.scalar, label %scalar, label %array
scalar:
  %other.at = getelementptr i64, ptr %in.at, i64 1
  %other = load ptr, ptr %other.at
  %other.type = icmp eq ptr %type, %other
  %scalar.right = or i1 %wanted.type, %other.type
  %scalar.data = getelementptr i8, ptr %x, i64 {layout.CONTENT}
  br i1 %scalar.right, label %in.next, label %slow
array:
  br i1 %wanted.type, label %is.array, label %slow
is.array:
  %descriptor.at = getelementptr i8, ptr %x, i64 {layout.DESCRIPTOR}
  %descriptor = load ptr, ptr %descriptor.at
  %dtype.at = getelementptr i64, ptr %in.at, i64 2
  %dtype = load ptr, ptr %dtype.at
  %dtype.right = icmp eq ptr %descriptor, %dtype
  %flags.at = getelementptr i8, ptr %x, i64 {layout.FLAGS}
  %flags = load i32, ptr %flags.at
  %regular = and i32 %flags, {layout.CONTIGUOUS | layout.ALIGNED}
  %flags.right = icmp eq i32 %regular, {layout.CONTIGUOUS | layout.ALIGNED}
  %axes.at = getelementptr i8, ptr %x, i64 {layout.AXES}
  %axes.int = load i32, ptr %axes.at
  %axes = zext i32 %axes.int to i64
  %axes.right = icmp eq i64 %axes, %ndim
  %right.0 = and i1 %dtype.right, %flags.right
  %right.1 = and i1 %right.0, %axes.right
  %shape.at = getelementptr i8, ptr %x, i64 {layout.SHAPE}
  %shape = load ptr, ptr %shape.at
  %dims.at = getelementptr i64, ptr %in.at, i64 4
  %dims.offset = load i64, ptr %dims.at
  %dims = getelementptr i64, ptr %table, i64 %dims.offset
  br i1 %right.1, label %dims.body, label %slow
dims.body:
  %j = phi i64 [ 0, %is.array ], [ %j.next, %dims.next ]
  %length.at = getelementptr i64, ptr %shape, i64 %j
  %length = load i64, ptr %length.at
  %expected.at = getelementptr i64, ptr %dims, i64 %j
  %expected = load i64, ptr %expected.at
  %length.right = icmp eq i64 %length, %expected
  br i1 %length.right, label %dims.next, label %slow
dims.next:
  %j.next = add i64 %j, 1
  %j.more = icmp ult i64 %j.next, %ndim
  br i1 %j.more, label %dims.body, label %array.data
array.data:
  %data.at = getelementptr i8, ptr %x, i64 {layout.DATA}
  %data = load ptr, ptr %data.at
  br label %in.next
in.next:
  %pointer = phi ptr [ %scalar.data, %scalar ], [ %data, %array.data ]
  %pointer.at = getelementptr ptr, ptr %pointers, i64 %i
  store ptr %pointer, ptr %pointer.at
  %i.next = add i64 %i, 1
  %in.following = add i64 %in, {_INPUT}
  br label %in.head

clear.head:
  %c = phi i64 [ 0, %in.head ], [ %c.next, %clear.body ]
  %c.more = icmp ult i64 %c, %nout
  br i1 %c.more, label %clear.body, label %out.head
clear.body:
  %c.at = getelementptr ptr, ptr %objects, i64 %c
  store ptr null, ptr %c.at
  %c.next = add i64 %c, 1
  br label %clear.head

out.head:
  %k = phi i64 [ 0, %clear.head ], [ %k.next, %out.next ]
  %out = phi i64 [ %in, %clear.head ], [ %out.following, %out.next ]
  %k.more = icmp ult i64 %k, %nout
  br i1 %k.more, label %out.body, label %ready
out.body:
  %out.at = getelementptr i64, ptr %table, i64 %out
  %out.ndim.at = getelementptr i64, ptr %out.at, i64 1
  %out.ndim = load i64, ptr %out.ndim.at
  %out.dtype = load i64, ptr %out.at
  %out.scalar = icmp ne i64 %out.dtype, 0
  %scalar.at = getelementptr i64, ptr %scalars, i64 %k
  br i1 %out.scalar, label %out.next, label %out.array
out.array:
  %out.dims.at = getelementptr i64, ptr %out.at, i64 2
  %out.dims.offset = load i64, ptr %out.dims.at
  %out.dims = getelementptr i64, ptr %table, i64 %out.dims.offset
  %number.at = getelementptr i64, ptr %out.at, i64 3
  %number.long = load i64, ptr %number.at
  %number = trunc i64 %number.long to i32
  %out.axes = trunc i64 %out.ndim to i32
  %keep.at = getelementptr i64, ptr %out.at, i64 4
  %keep = load i64, ptr %keep.at
  %is.kept = icmp ne i64 %keep, 0
  br i1 %is.kept, label %kept, label %out.new
kept:
  %kept.list.at = getelementptr i8, ptr %self, i64 {layout.ITEMS + 24}
  %kept.list = load ptr, ptr %kept.list.at
  %kept.items.at = getelementptr i8, ptr %kept.list, i64 {layout.ITEMS}
  %kept.items = load ptr, ptr %kept.items.at
  %kept.at = getelementptr ptr, ptr %kept.items, i64 %k
  %old = load ptr, ptr %kept.at
  %old.free = call i1 @is_free(ptr %old, ptr %out.dims, i64 %out.ndim, i32 %number)
  br i1 %old.free, label %reuse, label %replace
reuse:
  call void @Py_IncRef(ptr %old)
  br label %out.made
replace:
  %fresh = call ptr @PyArray_New(ptr @PyArray_Type, i32 %out.axes, ptr %out.dims, i32 %number, ptr null, ptr null, i32 0, i32 0, ptr null)
  %is.fresh = icmp ne ptr %fresh, null
  br i1 %is.fresh, label %exchange, label %failed
exchange:
  call void @Py_IncRef(ptr %fresh)
  store ptr %fresh, ptr %kept.at
  call void @Py_DecRef(ptr %old)
  br label %out.made
out.new:
  %new = call ptr @PyArray_New(ptr @PyArray_Type, i32 %out.axes, ptr %out.dims, i32 %number, ptr null, ptr null, i32 0, i32 0, ptr null)
  %is.new = icmp ne ptr %new, null
  br i1 %is.new, label %out.made, label %failed
out.made:
  %made = phi ptr [ %new, %out.new ], [ %old, %reuse ], [ %fresh, %exchange ]
  %object.at = getelementptr ptr, ptr %objects, i64 %k
  store ptr %made, ptr %object.at
  %new.data.at = getelementptr i8, ptr %made, i64 {layout.DATA}
  %new.data = load ptr, ptr %new.data.at
  br label %out.next
out.next:
  %to = phi ptr [ %scalar.at, %out.body ], [ %new.data, %out.made ]
  %to.place = add i64 %nin, %k
  %to.at = getelementptr ptr, ptr %pointers, i64 %to.place
  store ptr %to, ptr %to.at
  %k.next = add i64 %k, 1
  %out.following = add i64 %out, {_OUTPUT}
  br label %out.head

ready:
  %release.at = getelementptr i64, ptr %table, i64 3
  %release = load i64, ptr %release.at
  %is.long = icmp ne i64 %release, 0
  br i1 %is.long, label %long, label %short
long:
  %state = call ptr @PyEval_SaveThread()
  %long.code = call i32 %kernel(ptr %pointers)
  call void @PyEval_RestoreThread(ptr %state)
  br label %ran
short:
  %short.code = call i32 %kernel(ptr %pointers)
  br label %ran
ran:
  %code = phi i32 [ %long.code, %long ], [ %short.code, %short ]
  switch i32 %code, label %memory [ i32 0, label %box.head i32 1, label %guarded i32 3, label %failed ]

box.head:
  %b = phi i64 [ 0, %ran ], [ %b.next, %box.next ]
  %b.out = phi i64 [ %in, %ran ], [ %b.following, %box.next ]
  %b.more = icmp ult i64 %b, %nout
  br i1 %b.more, label %box.body, label %nest
box.body:
  %b.object.at = getelementptr ptr, ptr %objects, i64 %b
  %b.object = load ptr, ptr %b.object.at
  %b.done = icmp ne ptr %b.object, null
  br i1 %b.done, label %box.next, label %box
box:
  %b.at = getelementptr i64, ptr %table, i64 %b.out
  %b.dtype = load ptr, ptr %b.at
  %b.scalar = getelementptr i64, ptr %scalars, i64 %b
  %boxed = call ptr @PyArray_Scalar(ptr %b.scalar, ptr %b.dtype, ptr null)
  store ptr %boxed, ptr %b.object.at
  %is.boxed = icmp ne ptr %boxed, null
  br i1 %is.boxed, label %box.next, label %failed
box.next:
  %b.next = add i64 %b, 1
  %b.following = add i64 %b.out, {_OUTPUT}
  br label %box.head

nest:
  %steps.at = getelementptr i64, ptr %table, i64 4
  %steps = load i64, ptr %steps.at
  %steps.from.at = getelementptr i64, ptr %table, i64 5
  %steps.from = load i64, ptr %steps.from.at
  %one.step = icmp eq i64 %steps, 1
  %one.result = icmp eq i64 %nout, 1
  %plain = and i1 %one.step, %one.result
  br i1 %plain, label %single, label %nested
single:
  %first = load ptr, ptr %objects
  ret ptr %first
nested:
  %stack = alloca ptr, i64 %steps
  br label %step
step:
  %s = phi i64 [ 0, %nested ], [ %s.next, %stepped ]
  %depth = phi i64 [ 0, %nested ], [ %depth.next, %stepped ]
  %s.twice = shl i64 %s, 1
  %s.place = add i64 %steps.from, %s.twice
  %s.at = getelementptr i64, ptr %table, i64 %s.place
  %what = load i64, ptr %s.at
  %n.at = getelementptr i64, ptr %s.at, i64 1
  %n = load i64, ptr %n.at
  switch i64 %what, label %leaf [ i64 {_TUPLE}, label %tuple i64 {_LIST}, label %list ]
leaf:
  %leaf.at = getelementptr ptr, ptr %objects, i64 %n
  %leaf.object = load ptr, ptr %leaf.at
  br label %stepped
tuple:
  %tuple.new = call ptr @PyTuple_New(i64 %n)
  %tuple.items = getelementptr i8, ptr %tuple.new, i64 {layout.ITEMS}
  %tuple.made = icmp ne ptr %tuple.new, null
  br i1 %tuple.made, label %fill, label %lost
list:
  %list.new = call ptr @PyList_New(i64 %n)
  %list.made = icmp ne ptr %list.new, null
  br i1 %list.made, label %list.fill, label %lost
list.fill:
  %list.items.at = getelementptr i8, ptr %list.new, i64 {layout.ITEMS}
  %list.items = load ptr, ptr %list.items.at
  br label %fill
fill:
  %container = phi ptr [ %tuple.new, %tuple ], [ %list.new, %list.fill ]
  %items = phi ptr [ %tuple.items, %tuple ], [ %list.items, %list.fill ]
  %under = sub i64 %depth, %n
  br label %fill.head
fill.head:
  %f = phi i64 [ 0, %fill ], [ %f.next, %fill.body ]
  %f.more = icmp ult i64 %f, %n
  br i1 %f.more, label %fill.body, label %filled
fill.body:
  %f.place = add i64 %under, %f
  %f.from = getelementptr ptr, ptr %stack, i64 %f.place
  %f.object = load ptr, ptr %f.from
  %f.to = getelementptr ptr, ptr %items, i64 %f
  store ptr %f.object, ptr %f.to
  %f.next = add i64 %f, 1
  br label %fill.head
filled:
  br label %stepped
stepped:
  %pushed = phi ptr [ %leaf.object, %leaf ], [ %container, %filled ]
  %under.it = phi i64 [ %depth, %leaf ], [ %under, %filled ]
  %push.at = getelementptr ptr, ptr %stack, i64 %under.it
  store ptr %pushed, ptr %push.at
  %depth.next = add i64 %under.it, 1
  %s.next = add i64 %s, 1
  %s.more = icmp ult i64 %s.next, %steps
  br i1 %s.more, label %step, label %finished
finished:
  %result = load ptr, ptr %stack
  ret ptr %result
lost:  ; no memory for a container of a few words
  ret ptr null

memory:
  call ptr @PyErr_NoMemory()
  br label %failed
failed:
  call void @drop(ptr %objects, i64 %nout)
  ret ptr null
guarded:
  call void @drop(ptr %objects, i64 %nout)
  br label %slow
slow:
  %slow.at = getelementptr i8, ptr %self, i64 {layout.ITEMS}
  %slow.call = load ptr, ptr %slow.at
  %slow.result = call ptr @PyObject_Vectorcall(ptr %slow.call, ptr %args, i64 %nargs, ptr %names)
  ret ptr %slow.result
}}

define internal void @drop(ptr %objects, i64 %count) noinline {{
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %i.next, %next ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %done
body:
  %at = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %at
  %there = icmp ne ptr %object, null
  br i1 %there, label %decrease, label %next
decrease:
  call void @Py_DecRef(ptr %object)
  br label %next
next:
  %i.next = add i64 %i, 1
  br label %head
done:
  ret void
}}
"""


@cache
def _library() -> Library:
    return engine().compile(_TEXT, layout.symbols(), ["call"], level=2)


class _MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


@cache
def _definition() -> _MethodDef:
    """Return what describes the wrapper to the interpreter; it outlives every builtin, as there is one for all."""
    return _MethodDef(b"compiled", _library().address("call"), _FLAGS, b"A compiled program.")


def table(
    kernel: int,
    inputs: Sequence[ArrayType],
    outputs: Sequence[ArrayType],
    nesting: Nesting,
    work: int,
    floats: bool,
    arrays: Sequence[bool] = (),
) -> bytes:
    """Return what the wrapper is to do, for a kernel at some address.

    `work` is about how many operations the kernel takes; `floats` says that a Python float does as a float64;
    `arrays` tells which outputs are arrays though they have no axes.
    """
    steps = _steps(nesting)
    arrays = arrays or [False] * len(outputs)
    words = [kernel, len(inputs), len(outputs), int(work >= RELEASE), len(steps), 0]
    at = _HEAD + _INPUT * len(inputs) + _OUTPUT * len(outputs)
    shapes: list[int] = []
    for shape, dtype in inputs:
        if shape:
            words += [id(np.ndarray), 0, id(dtype), len(shape), at + len(shapes)]
        else:
            other = id(float) if floats and dtype == np.float64 else id(dtype.type)
            words += [id(dtype.type), other, 0, 0, 0]
        shapes += shape
    for (shape, dtype), array in zip(outputs, arrays, strict=True):
        keep = int(dtype.itemsize * math.prod(shape) >= KEPT)
        words += [0 if shape or array else id(dtype), len(shape), at + len(shapes), dtype.num, keep]
        shapes += shape
    words[5] = at + len(shapes)
    return struct.pack(
        f"<{len(words) + len(shapes) + 2 * len(steps)}q", *words, *shapes, *(n for s in steps for n in s)
    )


def _steps(nesting: Nesting) -> list[tuple[int, int]]:
    """Return how to build nested containers with a stack: leaves are pushed, containers take their parts off it."""
    if isinstance(nesting, int):
        return [(_LEAF, nesting)]
    kind, parts = nesting
    return [step for part in parts for step in _steps(part)] + [
        (_TUPLE if kind == "tuple" else _LIST, len(parts))
    ]


def builtin(
    library: Library, words: bytes, outputs: int, slow: Any, captured: Sequence[tuple[Any, Any, Any]] = ()
) -> Any:
    """Return the builtin function; it keeps the machine code alive."""
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    flat = [x for triple in captured for x in triple]
    return new(ctypes.addressof(_definition()), (slow, words, library, [None] * outputs, *flat), None)
