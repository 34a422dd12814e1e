"""Generated code that checks the arguments of a call, and finds where their elements lie."""

from __future__ import annotations

from funcdiff.jit.native import layout
from funcdiff.jit.native.wrapper_captures import HEAD_OF_SELF

HEAD, INPUT = 6, 5  # words of the table: before the inputs, and per input

# the beginning of the wrapper
BLOCKS = f"""
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
  %has.captures = icmp ugt i64 %size, {HEAD_OF_SELF}
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
  %in = phi i64 [ {HEAD}, %arguments ], [ %in.following, %in.next ]
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
  %in.following = add i64 %in, {INPUT}
  br label %in.head
"""
