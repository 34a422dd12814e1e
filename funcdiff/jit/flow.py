"""What the code of a function says of an instruction: the loop around it, what is read after it, what ends the loop."""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from types import CodeType
from typing import Any, NamedTuple

_ENDS = frozenset(["RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE"])
_ALWAYS = re.compile(r"JUMP(_FORWARD|_BACKWARD|_BACKWARD_NO_INTERRUPT|_ABSOLUTE)?$")
_IF = re.compile(r"JUMP.*IF_(TRUE|FALSE)")
_FAST = re.compile(r"(LOAD|STORE|DELETE)_FAST")
_ASKING = ("TO_BOOL", "COMPARE_OP")  # what may stand before the jump that takes its answer
_BEFORE_CALLS = frozenset(["PUSH_NULL", "PRECALL", "KW_NAMES"])
_SEE_ALL = frozenset(["locals", "vars", "dir", "eval", "exec", "super"])
_PUSH_NOTHING = re.compile(r"POP|STORE|DELETE|JUMP|(LIST|SET|DICT|MAP)_")


class Around(NamedTuple):
    """A loop around an instruction: its first and last instruction, and whether an iterator ends it."""

    start: int
    end: int
    is_for: bool


class Flow:
    """The instructions of a function, and which may follow each of them."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.steps = {i.offset: i for i in dis.get_instructions(code)}
        offsets = list(self.steps)
        self.next = dict(pairwise(offsets))
        self.handlers = [(e.start, e.end, e.target) for e in _exceptions(code)]
        self.loops = [
            Around(i.argval, i.offset, self._iterates(i.argval))
            for i in self.steps.values()
            if "JUMP" in i.opname and i.argval is not None and i.argval <= i.offset
        ]
        self.live = self._live()
        self.depths = self._depths()
        self._endings: dict[int, Any] = {}

    def _iterates(self, target: int) -> bool:
        return self.steps[target].opname in ("FOR_ITER", "SEND", "GET_ANEXT", "END_ASYNC_FOR")

    def at(self, offset: int) -> int:
        """Return the instruction at an offset, which may be in the room behind it that the interpreter keeps for itself."""
        while offset not in self.steps:
            offset -= 2
        return offset

    def following(self, offset: int) -> Iterator[int]:
        """Yield the instructions that may come next."""
        step = self.steps[offset]
        if step.opname in _ENDS:
            return
        is_jump = step.opcode in dis.hasjrel or step.opcode in dis.hasjabs
        if is_jump:
            yield step.argval
        if not (is_jump and _ALWAYS.match(step.opname)) and offset in self.next:
            yield self.next[offset]

    def loop(self, offset: int) -> Around | None:
        """Return the innermost loop around an instruction."""
        found = [a for a in self.loops if a.start <= offset <= a.end]
        return min(found, key=lambda a: a.end - a.start, default=None)

    def is_entered_elsewhere(self, offset: int, around: Around) -> bool:
        """Tell whether a `for` around a loop may lead to a question in it without passing the head of the loop.

        What `while` asks for after a step is asked for before the first one by other instructions.
        """
        if not any(a.is_for and a.start < around.start and around.end < a.end for a in self.loops):
            return False
        if not self._asks_at_the_end(around):
            return True
        places = positions(self.code)
        lines = [places[n // 2][0] or 0 for n in (offset, around.start, around.end)]
        if not (lines[0] < lines[1] or lines[0] == lines[2]):
            return True
        return places[offset // 2] not in [places[n // 2] for n in self.steps if n < around.start]

    def _asks_at_the_end(self, around: Around) -> bool:
        """Tell whether the jump back to the head of a loop is taken for an answer; newer versions jump over it for the other."""
        if _IF.search(self.steps[around.end].opname):
            return True
        before = next((i for n, i in self.steps.items() if self.next.get(n) == around.end), None)
        return before is not None and bool(_IF.search(before.opname)) and before.argval > around.end

    def holds(self, offset: int, around: Around | None) -> bool:
        """Tell whether an instruction leaves values of an expression, of a `for` or of a `with` aside while it runs.

        They are what it finds on the interpreter's stack and does not take, but for those from before a loop around it.
        """
        step = self.steps[offset]
        left = self.depths.get(offset, 0) + dis.stack_effect(step.opcode, step.arg, jump=False)
        made = 0 if _PUSH_NOTHING.search(step.opname) else 1
        return left - made > (self.depths.get(around.start, 0) if around is not None else 0)

    def callee(self, offset: int) -> Any:
        """Return the instruction that loads what a call calls, if that can be told."""
        step = self.steps[offset]
        if not step.opname.startswith("CALL"):
            return None
        below = self.depths.get(offset, 0) + dis.stack_effect(step.opcode, step.arg, jump=False) - 1
        for loads in reversed([s for s in self.steps.values() if s.offset < offset]):
            depth = self.depths.get(loads.offset, below + 3)
            made = dis.stack_effect(loads.opcode, loads.arg, jump=False)
            if loads.opname not in _BEFORE_CALLS and depth + made <= below + 2:
                return loads
        return None

    def _depths(self) -> dict[int, int]:
        """Return how many values are on the stack before each instruction."""
        depths: dict[int, int] = {}
        waiting = [(next(iter(self.steps)), 0)]
        waiting += [(e.target, e.depth + 1 + e.lasti) for e in _exceptions(self.code)]
        while waiting:
            offset, depth = waiting.pop()
            if offset in depths:
                continue
            depths[offset] = depth
            step = self.steps[offset]
            for after in self.following(offset):
                jumps = after != self.next.get(offset)
                waiting.append((after, depth + dis.stack_effect(step.opcode, step.arg, jump=jumps)))
        return depths

    def read_after(self, offset: int) -> frozenset[str]:
        """Return the locals that may be read after an instruction before they are bound anew."""
        return self._after(self.live, offset)

    def _after(self, live: dict[int, frozenset[str]], offset: int) -> frozenset[str]:
        return frozenset().union(*(live[n] for n in self.following(offset)))

    def _live(self) -> dict[int, frozenset[str]]:
        everything = frozenset(self.code.co_varnames)
        if not _SEE_ALL.isdisjoint(self.code.co_names):
            return dict.fromkeys(self.steps, everything)
        live: dict[int, frozenset[str]] = dict.fromkeys(self.steps, frozenset())
        changes = True
        while changes:
            changes = False
            for offset in reversed(self.steps):
                found = _before(self.steps[offset], self._after(live, offset))
                for start, end, target in self.handlers:
                    if start <= offset < end:
                        found |= live[target]
                if found != live[offset]:
                    live[offset], changes = found, True
        return live

    def ending(self, offset: int) -> bool | str | None:
        """Return the answer with which the loop around a question ends; "" if none does; None if it is not known."""
        if offset not in self._endings:
            self._endings[offset] = self._ending(offset)
        found: bool | str | None = self._endings[offset]
        return found

    def _ending(self, offset: int) -> Any:
        around = self.loop(offset)
        jump: Any = self.steps.get(offset)
        if jump is not None and jump.opname in _ASKING:
            jump = self.steps.get(self.next.get(offset, -1))
        found = None if jump is None else _IF.search(jump.opname)
        if around is None or found is None:
            return None
        taken = found.group(1) == "TRUE"
        goes_on = {
            taken: self._reaches(jump.argval, offset, around),
            not taken: self._reaches(self.next[jump.offset], offset, around),
        }
        if goes_on[True] == goes_on[False]:
            return ""
        return goes_on[False]

    def _reaches(self, offset: int, goal: int, around: Around) -> bool:
        """Tell whether an instruction is come to from another without leaving a loop."""
        met, waiting = set(), [offset]
        while waiting:
            here = waiting.pop()
            if here == goal:
                return True
            if here not in met and around.start <= here <= around.end:
                met.add(here)
                waiting.extend(self.following(here))
        return False


def _exceptions(code: CodeType) -> Any:
    return getattr(dis.Bytecode(code), "exception_entries", ())


def _before(step: Any, after: frozenset[str]) -> frozenset[str]:
    """Return the locals that are read from an instruction on."""
    kinds = _FAST.findall(step.opname)
    if not kinds:
        return after
    names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
    kinds += kinds[-1:] * (len(names) - len(kinds))
    for kind, name in zip(reversed(kinds), reversed(names), strict=False):
        after = after - {name} if kind == "STORE" else after | {name}
    return after


@lru_cache(maxsize=1024)
def flow_of(code: CodeType) -> Flow:
    """Return the flow of a function's code."""
    return Flow(code)


@lru_cache(maxsize=1024)
def positions(code: CodeType) -> list[Any]:
    """Return where in the source each instruction stands."""
    return list(code.co_positions())
