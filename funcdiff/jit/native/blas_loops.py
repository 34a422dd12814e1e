"""Loops over matrices that stand before and after the calls of BLAS and LAPACK, as IR for either dtype."""

from __future__ import annotations

# "turn" writes a matrix of `rows` x `columns` in C order as the columns of the other, in strips that the cache holds;
# "triangle" one triangle of a square matrix, with zeros beside it; "identity" the identity. "singular" tells whether
# a diagonal has a zero; "sign" is that of the determinant, by packed LU factors and their row swaps. "norm" is the
# largest sum of absolute values along a row, or of the transpose; NaN where a sum is no finite number.
HELPERS = {
    "turn": """
define internal void @fd.turn.DTYPE(ptr %out, ptr %a, i64 %rows, i64 %columns) {
entry:
  %empty_rows = icmp eq i64 %rows, 0
  %empty_columns = icmp eq i64 %columns, 0
  %empty = or i1 %empty_rows, %empty_columns
  br i1 %empty, label %done, label %strip
strip:
  %first = phi i64 [ 0, %entry ], [ %after, %strip_end ]
  %after = add i64 %first, 16
  %last = call i64 @llvm.umin.i64(i64 %after, i64 %columns)
  br label %outer
outer:
  %i = phi i64 [ 0, %strip ], [ %next_i, %outer_end ]
  %start = mul i64 %i, %columns
  %row = getelementptr NUMBER, ptr %a, i64 %start
  %column = getelementptr NUMBER, ptr %out, i64 %i
  br label %inner
inner:
  %j = phi i64 [ %first, %outer ], [ %next_j, %inner ]
  %from = getelementptr NUMBER, ptr %row, i64 %j
  %x = load NUMBER, ptr %from
  %offset = mul i64 %j, %rows
  %to = getelementptr NUMBER, ptr %column, i64 %offset
  store NUMBER %x, ptr %to
  %next_j = add i64 %j, 1
  %more_j = icmp ult i64 %next_j, %last
  br i1 %more_j, label %inner, label %outer_end
outer_end:
  %next_i = add i64 %i, 1
  %more_i = icmp ult i64 %next_i, %rows
  br i1 %more_i, label %outer, label %strip_end
strip_end:
  %more = icmp ult i64 %after, %columns
  br i1 %more, label %strip, label %done
done:
  ret void
}""",
    "triangle": """
define internal void @fd.triangle.DTYPE(ptr %out, ptr %a, i64 %n, i1 %upper) {
entry:
  %empty = icmp eq i64 %n, 0
  br i1 %empty, label %done, label %outer
outer:
  %i = phi i64 [ 0, %entry ], [ %next_i, %outer_end ]
  %start = mul i64 %i, %n
  br label %inner
inner:
  %j = phi i64 [ 0, %outer ], [ %next_j, %inner ]
  %place = add i64 %start, %j
  %from = getelementptr NUMBER, ptr %a, i64 %place
  %x = load NUMBER, ptr %from
  %is_below = icmp ule i64 %j, %i
  %is_above = icmp uge i64 %j, %i
  %is_read = select i1 %upper, i1 %is_above, i1 %is_below
  %y = select i1 %is_read, NUMBER %x, NUMBER 0.0
  %to = getelementptr NUMBER, ptr %out, i64 %place
  store NUMBER %y, ptr %to
  %next_j = add i64 %j, 1
  %more_j = icmp ult i64 %next_j, %n
  br i1 %more_j, label %inner, label %outer_end
outer_end:
  %next_i = add i64 %i, 1
  %more_i = icmp ult i64 %next_i, %n
  br i1 %more_i, label %outer, label %done
done:
  ret void
}""",
    "singular": """
define internal i32 @fd.singular.DTYPE(ptr %a, i64 %n, i64 %checked) {
entry:
  %empty = icmp eq i64 %checked, 0
  %step = add i64 %n, 1
  br i1 %empty, label %done, label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %before = phi i32 [ 0, %entry ], [ %found, %loop ]
  %place = mul i64 %i, %step
  %from = getelementptr NUMBER, ptr %a, i64 %place
  %x = load NUMBER, ptr %from
  %is_zero = fcmp oeq NUMBER %x, 0.0
  %found = select i1 %is_zero, i32 1, i32 %before
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %checked
  br i1 %more, label %loop, label %done
done:
  %result = phi i32 [ 0, %entry ], [ %found, %loop ]
  ret i32 %result
}""",
    "identity": """
define internal void @fd.identity.DTYPE(ptr %out, i64 %n) {
entry:
  %size = mul i64 %n, %n
  %empty = icmp eq i64 %n, 0
  %step = add i64 %n, 1
  br i1 %empty, label %done, label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %column = urem i64 %i, %step
  %is_diagonal = icmp eq i64 %column, 0
  %x = select i1 %is_diagonal, NUMBER 1.0, NUMBER 0.0
  %to = getelementptr NUMBER, ptr %out, i64 %i
  store NUMBER %x, ptr %to
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %size
  br i1 %more, label %loop, label %done
done:
  ret void
}""",
    "norm": """
declare NUMBER @llvm.fabs.DTYPE(NUMBER)
define internal NUMBER @fd.norm.DTYPE(ptr %a, i64 %n, i64 %down, i64 %along) {
entry:
  %empty = icmp eq i64 %n, 0
  br i1 %empty, label %done, label %outer
outer:
  %i = phi i64 [ 0, %entry ], [ %next_i, %outer_end ]
  %largest = phi NUMBER [ 0.0, %entry ], [ %now, %outer_end ]
  %all = phi NUMBER [ 0.0, %entry ], [ %all_now, %outer_end ]
  %start = mul i64 %i, %down
  br label %inner
inner:
  %j = phi i64 [ 0, %outer ], [ %next_j, %inner ]
  %before = phi NUMBER [ 0.0, %outer ], [ %sum, %inner ]
  %offset = mul i64 %j, %along
  %place = add i64 %start, %offset
  %from = getelementptr NUMBER, ptr %a, i64 %place
  %x = load NUMBER, ptr %from
  %size = call NUMBER @llvm.fabs.DTYPE(NUMBER %x)
  %sum = fadd NUMBER %before, %size
  %next_j = add i64 %j, 1
  %more_j = icmp ult i64 %next_j, %n
  br i1 %more_j, label %inner, label %outer_end
outer_end:
  %is_larger = fcmp ogt NUMBER %sum, %largest
  %now = select i1 %is_larger, NUMBER %sum, NUMBER %largest
  %all_now = fadd NUMBER %all, %sum
  %next_i = add i64 %i, 1
  %more_i = icmp ult i64 %next_i, %n
  br i1 %more_i, label %outer, label %done
done:
  %total = phi NUMBER [ 0.0, %entry ], [ %all_now, %outer_end ]
  %norm = phi NUMBER [ 0.0, %entry ], [ %now, %outer_end ]
  %nothing = fmul NUMBER %total, 0.0
  %result = fadd NUMBER %norm, %nothing
  ret NUMBER %result
}""",
    "sign": """
define internal NUMBER @fd.sign.DTYPE(ptr %factors, ptr %swaps, i64 %n) {
entry:
  %step = add i64 %n, 1
  %empty = icmp eq i64 %n, 0
  br i1 %empty, label %done, label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %before = phi NUMBER [ 1.0, %entry ], [ %now, %loop ]
  %place = mul i64 %i, %step
  %from = getelementptr NUMBER, ptr %factors, i64 %place
  %x = load NUMBER, ptr %from
  %swap.at = getelementptr i32, ptr %swaps, i64 %i
  %swap = load i32, ptr %swap.at
  %next = add i64 %i, 1
  %itself = trunc i64 %next to i32
  %is_swapped = icmp ne i32 %swap, %itself
  %is_negative = fcmp olt NUMBER %x, 0.0
  %flips = xor i1 %is_swapped, %is_negative
  %minus = fneg NUMBER %before
  %turned = select i1 %flips, NUMBER %minus, NUMBER %before
  %is_zero = fcmp oeq NUMBER %x, 0.0
  %now = select i1 %is_zero, NUMBER 0.0, NUMBER %turned
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %last
last:
  %sign = fadd NUMBER %now, 0.0
  br label %done
done:
  %result = phi NUMBER [ 1.0, %entry ], [ %sign, %last ]
  ret NUMBER %result
}""",
}
