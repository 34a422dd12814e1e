"""Generated code that gets arrays for results: kept ones that nobody else refers to any more, or new ones.

New memory comes page by page, which takes longer than to compute a cheap function, so large results are kept; and
making a small array takes as long as a small program, so two small ones are kept, as a loop has the old result still
in hand while it gets the new one.
"""

from __future__ import annotations

from funcdiff.jit.native import layout

OUTPUT = 6  # words of the table per output

TEXT = f"""
; whether nobody else refers to an array, and it is still as it was made
define internal i1 @is_free(ptr %x, ptr %dims, i64 %ndim, ptr %dtype) noinline {{
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
  %dtype.right = icmp eq ptr %descriptor, %dtype
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

# blocks of the wrapper: after them, the pointers that the kernel takes are complete
BLOCKS = f"""
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
  %kept.dtype.at = getelementptr i64, ptr %out.at, i64 5
  %kept.dtype = load ptr, ptr %kept.dtype.at
  %is.kept = icmp ne i64 %keep, 0
  br i1 %is.kept, label %kept, label %out.new
kept:
  %kept.list.at = getelementptr i8, ptr %self, i64 {layout.ITEMS + 24}
  %kept.list = load ptr, ptr %kept.list.at
  %kept.items.at = getelementptr i8, ptr %kept.list, i64 {layout.ITEMS}
  %kept.items = load ptr, ptr %kept.items.at
  %first.at = getelementptr ptr, ptr %kept.items, i64 %k
  %first.old = load ptr, ptr %first.at
  %first.free = call i1 @is_free(ptr %first.old, ptr %out.dims, i64 %out.ndim, ptr %kept.dtype)
  br i1 %first.free, label %reuse, label %first.taken
first.taken:
  %has.second = icmp eq i64 %keep, 2
  br i1 %has.second, label %second, label %replace
second:
  %second.place = add i64 %nout, %k
  %second.at = getelementptr ptr, ptr %kept.items, i64 %second.place
  %second.old = load ptr, ptr %second.at
  %second.free = call i1 @is_free(ptr %second.old, ptr %out.dims, i64 %out.ndim, ptr %kept.dtype)
  br i1 %second.free, label %reuse, label %replace
reuse:
  %free = phi ptr [ %first.old, %kept ], [ %second.old, %second ]
  call void @Py_IncRef(ptr %free)
  br label %out.made
replace:
  %kept.at = phi ptr [ %first.at, %first.taken ], [ %second.at, %second ]
  %fresh = call ptr @PyArray_New(ptr @PyArray_Type, i32 %out.axes, ptr %out.dims, i32 %number, ptr null, ptr null, i32 0, i32 0, ptr null)
  %is.fresh = icmp ne ptr %fresh, null
  br i1 %is.fresh, label %exchange, label %failed
exchange:
  %old = load ptr, ptr %kept.at
  call void @Py_IncRef(ptr %fresh)
  store ptr %fresh, ptr %kept.at
  call void @Py_DecRef(ptr %old)
  br label %out.made
out.new:
  %new = call ptr @PyArray_New(ptr @PyArray_Type, i32 %out.axes, ptr %out.dims, i32 %number, ptr null, ptr null, i32 0, i32 0, ptr null)
  %is.new = icmp ne ptr %new, null
  br i1 %is.new, label %out.made, label %failed
out.made:
  %made = phi ptr [ %new, %out.new ], [ %free, %reuse ], [ %fresh, %exchange ]
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
  %out.following = add i64 %out, {OUTPUT}
  br label %out.head
"""
