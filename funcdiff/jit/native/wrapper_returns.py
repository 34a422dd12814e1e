"""Generated code that calls the kernel and hands its results over as NumPy and the function would."""

from __future__ import annotations

from funcdiff.jit.native import layout
from funcdiff.jit.native.wrapper_results import OUTPUT

LEAF, TUPLE, LIST = 0, 1, 2  # steps of nesting

# blocks of the wrapper
RUN = f"""
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
  %b.following = add i64 %b.out, {OUTPUT}
  br label %box.head
"""

NEST = f"""
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
  switch i64 %what, label %leaf [ i64 {TUPLE}, label %tuple i64 {LIST}, label %list ]
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
"""

# the end of the wrapper
LEAVE = f"""
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
"""
