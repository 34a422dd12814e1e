"""Generated code that looks whether what a program has captured is still what it was.

The builtin's `self` is a tuple: what to call where a check fails, the table, the owner of the machine code, a list of
results, then four words per place that the program has captured: a cell and None, a dict and a key, or a list and the
bytes of an index; the object that was seen there; and None, or what it held, as `contents.Content.table` lays it out.
"""

from __future__ import annotations

from funcdiff.jit.native import layout

HEAD_OF_SELF = 4  # what stands in `self` before what has been captured

TEXT = f"""
declare i32 @memcmp(ptr, ptr, i64)
@PyList_Type = external global i8

; whether everything that the program has captured is still what it was
define internal i1 @same_captures(ptr %self) noinline {{
entry:
  %size.at = getelementptr i8, ptr %self, i64 {layout.CONTENT}
  %size = load i64, ptr %size.at
  br label %head
head:
  %i = phi i64 [ {HEAD_OF_SELF}, %entry ], [ %i.next, %bound ], [ %i.next, %array ]
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
  %held.at = getelementptr i8, ptr %at, i64 {layout.ITEMS + 24}
  %held = load ptr, ptr %held.at
  %is.cell = icmp eq ptr %key, @_Py_NoneStruct
  br i1 %is.cell, label %cell, label %container
container:
  %type.at = getelementptr i8, ptr %holder, i64 {layout.TYPE}
  %type = load ptr, ptr %type.at
  %is.list = icmp eq ptr %type, @PyList_Type
  br i1 %is.list, label %list, label %dict
list:
  %index.at = getelementptr i8, ptr %key, i64 {layout.BYTES}
  %index = load i64, ptr %index.at
  %length.at = getelementptr i8, ptr %holder, i64 {layout.CONTENT}
  %length = load i64, ptr %length.at
  %is.there = icmp ult i64 %index, %length
  br i1 %is.there, label %element, label %no
element:
  %elements.at = getelementptr i8, ptr %holder, i64 {layout.ITEMS}
  %elements = load ptr, ptr %elements.at
  %element.at = getelementptr ptr, ptr %elements, i64 %index
  %element.now = load ptr, ptr %element.at
  br label %next
cell:
  %content.at = getelementptr i8, ptr %holder, i64 {layout.CONTENT}
  %content = load ptr, ptr %content.at
  br label %next
dict:
  %value = call ptr @PyDict_GetItem(ptr %holder, ptr %key)
  br label %next
next:
  %now = phi ptr [ %content, %cell ], [ %value, %dict ], [ %element.now, %element ]
  %same = icmp eq ptr %now, %seen
  %i.next = add i64 %i, 4
  br i1 %same, label %bound, label %no
bound:
  %has.no.content = icmp eq ptr %held, @_Py_NoneStruct
  br i1 %has.no.content, label %head, label %array
array:
  %words = getelementptr i8, ptr %held, i64 {layout.BYTES}
  %unwritten = call i1 @same_content(ptr %seen, ptr %words)
  br i1 %unwritten, label %head, label %no
yes:
  ret i1 true
no:
  ret i1 false
}}

; whether an array lies where it lay, and holds what it held
define internal i1 @same_content(ptr %x, ptr %words) noinline {{
entry:
  %data.at = getelementptr i8, ptr %x, i64 {layout.DATA}
  %data = load ptr, ptr %data.at
  %old.data = load ptr, ptr %words
  %data.same = icmp eq ptr %data, %old.data
  %descriptor.at = getelementptr i8, ptr %x, i64 {layout.DESCRIPTOR}
  %descriptor = load ptr, ptr %descriptor.at
  %old.descriptor.at = getelementptr i64, ptr %words, i64 1
  %old.descriptor = load ptr, ptr %old.descriptor.at
  %descriptor.same = icmp eq ptr %descriptor, %old.descriptor
  %axes.at = getelementptr i8, ptr %x, i64 {layout.AXES}
  %axes.int = load i32, ptr %axes.at
  %axes = zext i32 %axes.int to i64
  %old.axes.at = getelementptr i64, ptr %words, i64 2
  %old.axes = load i64, ptr %old.axes.at
  %axes.same = icmp eq i64 %axes, %old.axes
  %same.0 = and i1 %data.same, %descriptor.same
  %same.1 = and i1 %same.0, %axes.same
  %flags.at = getelementptr i8, ptr %x, i64 {layout.FLAGS}
  %flags.int = load i32, ptr %flags.at
  %flags = zext i32 %flags.int to i64
  %excluded.at = getelementptr i64, ptr %words, i64 6
  %excluded = load i64, ptr %excluded.at
  %set = and i64 %flags, %excluded
  %flags.same = icmp eq i64 %set, 0
  %same.2 = and i1 %same.1, %flags.same
  br i1 %same.2, label %placed, label %no
placed:
  %length.at = getelementptr i64, ptr %words, i64 3
  %length = load i64, ptr %length.at
  %count.at = getelementptr i64, ptr %words, i64 4
  %count = load i64, ptr %count.at
  %distance.at = getelementptr i64, ptr %words, i64 5
  %distance = load i64, ptr %distance.at
  %bytes = shl i64 %axes, 3
  %shape.at = getelementptr i8, ptr %x, i64 {layout.SHAPE}
  %shape = load ptr, ptr %shape.at
  %strides.at = getelementptr i8, ptr %x, i64 {layout.STRIDES}
  %strides = load ptr, ptr %strides.at
  %old.shape = getelementptr i64, ptr %words, i64 7
  %old.strides = getelementptr i8, ptr %old.shape, i64 %bytes
  %saved = getelementptr i8, ptr %old.strides, i64 %bytes
  %shape.order = call i32 @memcmp(ptr %shape, ptr %old.shape, i64 %bytes)
  %strides.order = call i32 @memcmp(ptr %strides, ptr %old.strides, i64 %bytes)
  %differs = or i32 %shape.order, %strides.order
  %lies.same = icmp eq i32 %differs, 0
  br i1 %lies.same, label %runs, label %no
runs:
  %r = phi i64 [ 0, %placed ], [ %r.next, %run ]
  %now = phi ptr [ %data, %placed ], [ %now.next, %run ]
  %then = phi ptr [ %saved, %placed ], [ %then.next, %run ]
  %more = icmp ult i64 %r, %count
  br i1 %more, label %run, label %yes
run:
  %order = call i32 @memcmp(ptr %now, ptr %then, i64 %length)
  %run.same = icmp eq i32 %order, 0
  %r.next = add i64 %r, 1
  %now.next = getelementptr i8, ptr %now, i64 %distance
  %then.next = getelementptr i8, ptr %then, i64 %length
  br i1 %run.same, label %runs, label %no
yes:
  ret i1 true
no:
  ret i1 false
}}
"""
