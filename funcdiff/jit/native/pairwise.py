"""The functions that combine the numbers which the blocks of a loop have been reduced to."""

from __future__ import annotations

from collections.abc import Iterable

from funcdiff.jit.native.operations import IN_MEMORY, Lines

PAIRWISE = "; needs "  # stands before the name of one in a kernel's declarations


def declarations(declared: Iterable[str]) -> str:
    """Write what kernels declare, once each, and the functions that combine the numbers of blocks."""
    text = []
    for line in dict.fromkeys(declared):
        if line.startswith(PAIRWISE):
            name, kind = line.rsplit(".", 2)[1:]
            text.append(_pairwise(name, kind))
        else:
            text.append(line + "\n")
    return "".join(text)


def _pairwise(name: str, kind: str) -> str:
    shown = IN_MEMORY[kind]
    scratch = Lines()
    lines: list[str] = []
    a = scratch.from_memory("%a", kind, lines)
    b = scratch.from_memory("%b", kind, lines)
    c = scratch.combine(name, kind, a, b, 1, lines)
    if kind == "i1":
        c = scratch.let(f"zext i1 {c} to i8", lines)
    steps = "\n".join(lines)
    return f"""
define internal {shown} @fd.pairwise.{name}.{kind}(ptr %x, i64 %count) noinline {{
entry:
  br label %round
round:
  %n = phi i64 [ %count, %entry ], [ %n.next, %rounded ]
  %many = icmp ugt i64 %n, 1
  br i1 %many, label %some, label %one
some:
  %half = lshr i64 %n, 1
  br label %pair
pair:
  %i = phi i64 [ 0, %some ], [ %i.next, %pair ]
  %two = shl i64 %i, 1
  %a.at = getelementptr {shown}, ptr %x, i64 %two
  %b.at = getelementptr {shown}, ptr %a.at, i64 1
  %a = load {shown}, ptr %a.at
  %b = load {shown}, ptr %b.at
{steps}
  %c.at = getelementptr {shown}, ptr %x, i64 %i
  store {shown} {c}, ptr %c.at
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %half
  br i1 %more, label %pair, label %paired
paired:
  %odd = and i64 %n, 1
  %is.odd = icmp ne i64 %odd, 0
  br i1 %is.odd, label %rest, label %rounded
rest:
  %last.i = sub i64 %n, 1
  %last.at = getelementptr {shown}, ptr %x, i64 %last.i
  %last = load {shown}, ptr %last.at
  %to = getelementptr {shown}, ptr %x, i64 %half
  store {shown} %last, ptr %to
  br label %rounded
rounded:
  %n.next = add i64 %half, %odd
  br label %round
one:
  %result = load {shown}, ptr %x
  ret {shown} %result
}}
"""
