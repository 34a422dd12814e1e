"""Long kernels in pieces: functions of bounded length that hand numbers on through the kernel's memory.

What LLVM takes for a function grows faster than its length, and so does the stack that it needs. So the lines of a long
kernel are parted: at any line outside of loops, and within the body of a loop where that is long itself. A number that
another piece needs has a place in the arena: it is written when it has been computed, and read before it is used
first. Pointers whose places are known are made anew in every piece.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from funcdiff.jit.native.nodes import Base

LONG = 6000  # lines of a kernel that is parted: up to that, what pieces hand on takes LLVM more time than one function
LENGTH = 1000  # lines of a piece
FIRST = "body"  # the label before the first line
_ALIGNMENT = 64
_NAME = re.compile(r"%[\w.]+")
_GLOBAL = re.compile(r"@([\w.$]+)")
_SHIFTED = re.compile(r"getelementptr i8, ptr (%[\w.]+), i64 \d+$")
_ENDS = ("  br ", "  ret ")
_PHI = " = phi "


class Piece(NamedTuple):
    """A function: its symbol, text, declaration and length, what it refers to, and whether it returns other codes than zero."""

    name: str
    text: str
    declared: str
    lines: int
    symbols: frozenset[str]
    fails: bool


@dataclass(eq=False)
class _Part:
    """Some of the lines; in the middle of a loop they are within one block of it, and `around` is the part that calls them."""

    name: str
    block: str  # the label under which it starts
    span: range
    lines: int = 0
    loop: int | None = None
    around: _Part | None = None
    begins: int = 0  # in the order of execution
    ends: int = 0


@dataclass(eq=False)
class _Value:
    """A number that other parts need, at the line `line` of the part `part`, until `last` in the order of execution."""

    name: str
    type: str
    line: int
    part: _Part
    last: int
    readers: set[int | None] = field(default_factory=set)  # the loops within which it is read by parts
    place: int = -1


class Parting:
    """Parts the lines of one kernel.

    Parameters
    ----------
    name : str
        Of the kernel.
    lines : sequence of str
        All lines but those that make pointers, and the end.
    loops : sequence of pairs
        Where loops begin and end in them.
    bases : iterable of Base
        The memory whose pointers have names.
    failures : mapping
        For each block that may leave with a code of its own, the code.
    parameters : sequence of str
        What a piece is given, besides the pointers and the arena.
    arena : int
        Bytes of the arena that are in use.
    """

    def __init__(
        self,
        name: str,
        lines: Sequence[str],
        loops: Sequence[tuple[int, int]],
        bases: Iterable[Base],
        failures: Mapping[str, str],
        parameters: Sequence[str],
        arena: int,
    ) -> None:
        self.name = name
        self.lines = lines
        self.loops = loops
        self.bases = {f"%{b.name}": b for b in bases if b.constant is None and b.at is None}
        self.failures = failures
        self.parameters = ", ".join(["ptr %pointers", "ptr %arena", *parameters])
        self.arena = -(-max(arena, 1) // _ALIGNMENT) * _ALIGNMENT
        self.parts: list[_Part] = []
        self.blocks = _blocks(lines)
        self.loop_of = {n: k for k, (start, end) in enumerate(loops) for n in range(start, end)}
        self.part_of: list[_Part] = [_Part("", "", range(0))] * len(lines)
        self._part()
        self.values: dict[str, _Value] = {}
        self.used: dict[_Part, dict[str, int]] = {part: {} for part in self.parts}
        self.made: dict[_Part, list[_Value]] = {part: [] for part in self.parts}  # what has a place
        self._hand_on()
        self._place()

    def pieces(self) -> list[Piece]:
        """Return the functions that the kernel calls one after the other."""
        return [self._piece(part) for part in self.parts if part.loop is None]

    def inner(self) -> list[Piece]:
        """Return the functions that these call."""
        return [self._piece(part) for part in self.parts if part.loop is not None]

    # --- which lines are whose ---------------------------------------------------------------------

    def _part(self) -> None:
        lines, time = self.lines, 0
        loops = iter((*self.loops, (len(lines), len(lines))))
        loop, (first, last) = 0, next(loops)
        start = n = count = 0
        inner: list[_Part] = []
        while n < len(lines):
            if n == first:
                found = self._within(first, last, loop) if last - first > 2 * LENGTH else []
                inner += found
                count += last - first - sum(part.lines for part in found)
                following, loop, (first, last) = last, loop + 1, next(loops)
            else:
                count += 1
                following = n + 1
            n = following
            if n == len(lines) or (count >= LENGTH and self._may_end(n)):
                block = self.blocks[start - 1] if start else FIRST
                part = _Part(f"{self.name}.p{len(self.parts)}", block, range(start, n), count, begins=time)
                for one in inner:
                    time += 1
                    one.around, one.begins, one.ends = part, time, time
                part.ends = time + 1
                time += 2
                self._enter(part)
                start, count, inner = n, 0, []

    def _may_end(self, n: int) -> bool:
        return not self.lines[n - 1].startswith(_ENDS) and _PHI not in self.lines[n]

    def _enter(self, part: _Part) -> None:
        self.parts.append(part)
        for n in part.span:
            if not self.part_of[n].name:
                self.part_of[n] = part

    def _within(self, start: int, end: int, loop: int) -> list[_Part]:
        """Part the long blocks of a loop."""
        found: list[_Part] = []
        begin = start
        for n in range(start, end + 1):
            if n < end and not self._is_fixed(n):
                continue
            if n - begin > LENGTH // 2:
                pieces = -(-(n - begin) // LENGTH)
                cuts = [begin + (n - begin) * k // pieces for k in range(pieces + 1)]
                for a, b in pairwise(cuts):
                    name = f"{self.name}.p{len(self.parts)}"
                    found.append(_Part(name, FIRST, range(a, b), b - a, loop=loop))
                    self._enter(found[-1])
            begin = n + 1
        return found

    def _is_fixed(self, n: int) -> bool:
        line = self.lines[n]
        return line.endswith(":") or line.startswith(_ENDS) or _PHI in line

    # --- what is handed on ---------------------------------------------------------------------------

    def _hand_on(self) -> None:
        """Find what parts need of others, and the line that needs it first."""
        names = [_NAME.findall(line) for line in self.lines]
        for n, line in enumerate(self.lines):
            if "label %leave" in line:  # with a code
                names[n].append(self.failures[self.blocks[n]])
        made = {found[0]: n for n, found in enumerate(names) if self.lines[n].startswith("  %")}
        for n, found in enumerate(names):
            part = self.part_of[n]
            used = self.used[part]
            for name in found:
                at = made.get(name)
                if at is None:
                    if name in self.bases:
                        used.setdefault(name, n)
                elif self.part_of[at] is not part:
                    used.setdefault(name, n)
                    self._need(name, at, part)

    def _need(self, name: str, line: int, part: _Part) -> None:
        maker = self.part_of[line]
        value = self.values.get(name)
        if value is None:
            of = type_of(self.lines[line].partition(" = ")[2])
            value = self.values[name] = _Value(name, of, line, maker, maker.ends)
        value.readers.add(part.loop)
        # a loop needs in its later steps too what was made before it
        again = part.around is not None and self.blocks[line] != self.blocks[part.span.start]
        until = part.around if again and part.around is not None else part
        value.last = max(value.last, until.ends)

    def _place(self) -> None:
        """Give the values places in the arena, those that are needed at different times the same."""
        free: dict[int, list[int]] = {}
        taken: list[tuple[int, int, int]] = []  # until when, bytes, place
        for value in sorted(self.values.values(), key=lambda v: v.part.begins):
            if self._shifted(value):
                continue
            self.made[value.part].append(value)
            while taken and taken[0][0] < value.part.begins:
                _, size, place = heapq.heappop(taken)
                free.setdefault(size, []).append(place)
            size = size_of(value.type)
            if free.get(size):
                value.place = free[size].pop()
            else:
                value.place = -(-self.arena // min(size, _ALIGNMENT)) * min(size, _ALIGNMENT)
                self.arena = value.place + size
            heapq.heappush(taken, (value.last, size, value.place))

    def _shifted(self, value: _Value) -> str | None:
        """Return the pointer from which a value is a known distance away."""
        found = _SHIFTED.search(self.lines[value.line])
        return found.group(1) if found and found.group(1) in self.bases else None

    # --- text ----------------------------------------------------------------------------------------

    def _piece(self, part: _Part) -> Piece:
        pointers: dict[str, None] = {}
        before: dict[int, list[str]] = {}
        after: dict[int, list[str]] = {}
        for name, n in self.used[part].items():
            if name in self.bases:
                self._point(name, pointers)
                continue
            value = self.values[name]
            if part.loop is None and n in self.loop_of:
                n = self.loops[self.loop_of[n]][0]  # ahead of the loop
            if base := self._shifted(value):
                self._point(base, pointers)
                before.setdefault(n, []).append(self.lines[value.line])
            elif value.part.around is part:
                after.setdefault(value.part.span.start, []).extend(_read(value))
            else:
                before.setdefault(n, []).extend(_read(value))
        for value in self.made[part]:
            after.setdefault(self._written(value), []).extend(_write(value))
        lines: list[str] = []
        for n in part.span:
            lines += before.get(n, ())
            owner = self.part_of[n]
            if owner is part:
                lines.append(self.lines[n])
            elif n == owner.span.start:
                lines.append(f"  call void @{owner.name}({self.parameters})")
            lines += after.get(n, ())
        returned = "i32" if part.loop is None else "void"
        head = f"{returned} @{part.name}({self.parameters})"
        ends = self._ends(part)
        text = "\n".join([f"define {head} {{", f"{part.block}:", *pointers, *lines, *ends, "}\n"])
        symbols = frozenset(_GLOBAL.findall(text))
        return Piece(part.name, text, f"declare {head}", len(lines), symbols, len(ends) > 1)

    def _point(self, name: str, head: dict[str, None]) -> None:
        """Make a pointer at the beginning of a piece."""
        base = self.bases[name]
        if base.place < 0:
            head[f"  {name} = getelementptr i8, ptr %arena, i64 {base.start}"] = None
        else:
            head[f"  {name}.at = getelementptr ptr, ptr %pointers, i64 {base.place}"] = None
            head[f"  {name} = load ptr, ptr {name}.at"] = None

    def _written(self, value: _Value) -> int:
        """Return the line after which a value is written."""
        loop = self.loop_of.get(value.line)
        if value.part.loop is None and loop is not None and loop not in value.readers:
            return self.loops[loop][1] - 1  # once, when the loop has ended
        n = value.line
        while _PHI in self.lines[n] and _PHI in self.lines[n + 1]:
            n += 1
        return n

    def _ends(self, part: _Part) -> list[str]:
        """Return how a piece is left."""
        if part.loop is not None:
            return ["  ret void"]
        own = [n for n in part.span if self.part_of[n] is part and self.lines[n].startswith("  br i1")]
        ends = ["  ret i32 0"]
        if any("label %guarded" in self.lines[n] for n in own):
            ends += ["guarded:", "  ret i32 1"]
        failed = [self.blocks[n] for n in own if "label %leave" in self.lines[n]]
        if failed:
            codes = ", ".join(f"[ {self.failures[block]}, %{block} ]" for block in failed)
            ends += ["leave:", f"  %code = phi i32 {codes}", "  ret i32 %code"]
        return ends


def _blocks(lines: Sequence[str]) -> list[str]:
    """Return the label under which each line stands."""
    found, label = [], FIRST
    for line in lines:
        if line.endswith(":"):
            label = line[:-1]
        found.append(label)
    return found


def _read(value: _Value) -> list[str]:
    at = f"{value.name}.at"
    return [
        f"  {at} = getelementptr i8, ptr %arena, i64 {value.place}",
        f"  {value.name} = load {value.type}, ptr {at}, align {_alignment(value.type)}",
    ]


def _write(value: _Value) -> list[str]:
    to = f"{value.name}.to"
    return [
        f"  {to} = getelementptr i8, ptr %arena, i64 {value.place}",
        f"  store {value.type} {value.name}, ptr {to}, align {_alignment(value.type)}",
    ]


# --- types -------------------------------------------------------------------------------------------

_SIZES = {"double": 8, "float": 4, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "i1": 1, "ptr": 8}
_TYPE = r"(<\d+ x \w+>|\w+)"
_FIRST = re.compile(rf"\w+ {_TYPE}")  # the type after the operation
_COMPARED = re.compile(rf"[if]cmp \w+ {_TYPE}")
_CHOSEN = re.compile(
    r"select <.*?, (<\d+ x \w+>) |select i1 [^,]+, (\w+) "
)  # lanes of a constant have commas, too
_CONVERTED = re.compile(rf" to {_TYPE}$")
_SHUFFLED = re.compile(r"shufflevector <\d+ x (\w+)>.*, <(\d+) x i32>")
_EXTRACTED = re.compile(r"extractelement <\d+ x (\w+)>")
_ADDRESSES = re.compile(r"<(\d+) x (?:ptr|i64)>")
_CONVERSIONS = (
    "zext",
    "sext",
    "trunc",
    "fpext",
    "fptrunc",
    "uitofp",
    "sitofp",
    "fptoui",
    "fptosi",
    "bitcast",
)


def type_of(value: str) -> str:
    """Return the type of what a line computes."""
    name = value.partition(" ")[0]
    found: re.Match[str] | None
    if name in ("icmp", "fcmp"):
        found = _COMPARED.match(value)
        count = _lanes(found.group(1)) if found else 0
        return f"<{count} x i1>" if count else "i1"
    if name == "getelementptr":
        found = _ADDRESSES.search(value)
        return f"<{found.group(1)} x ptr>" if found else "ptr"
    if name == "shufflevector":
        found = _SHUFFLED.match(value)
        assert found is not None, value
        return f"<{found.group(2)} x {found.group(1)}>"
    if name in (*_CONVERSIONS, "ptrtoint", "inttoptr"):
        found = _CONVERTED.search(value)
        assert found is not None, value
        return found.group(1)
    found = {"select": _CHOSEN, "extractelement": _EXTRACTED}.get(name, _FIRST).match(value)
    assert found is not None, value
    return str(found.group(found.lastindex or 1))


def _lanes(of: str) -> int:
    return int(of[1:].partition(" ")[0]) if of.startswith("<") else 0


def size_of(of: str) -> int:
    """Return the bytes that are set aside for a value of a type."""
    lanes = _lanes(of)
    if not lanes:
        return 8
    size = lanes * _SIZES[of[:-1].rpartition(" ")[2]]
    return 8 if size <= 8 else -(-size // _ALIGNMENT) * _ALIGNMENT


def _alignment(of: str) -> int:
    return min(size_of(of), _ALIGNMENT)
