"""Evidence that a Python loop depends on traced values alone, collected while a function is recorded.

Whenever control flow asks for a value, Python's state is compared with what it was when the same instruction asked
before.  If the same run of a function has come round a `while`, and nothing but traced values has changed since, then the
same instructions come next for the same answer, and the next state differs in traced values alone: by induction, as many
times as the answer is the same, whatever the number.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Mapping, Sequence
from types import BuiltinFunctionType, FrameType
from typing import Any

from funcdiff import errors
from funcdiff.core.recording import TracedArray
from funcdiff.core.tape import Tape, Variable
from funcdiff.jit.flow import Around, flow_of, positions
from funcdiff.jit.passes.free_loops import free_loops
from funcdiff.jit.snapshots import Snapshot, is_foreign
from funcdiff.transforms.trace import TraceRecorder

PATIENCE = (
    16  # times in a row that a loop has shown that it is not free, after which it is no longer looked at
)
_REPEATING = frozenset(
    [
        "accumulate",
        "apply_along_axis",
        "extend",
        "fromiter",
        "join",
        "reduce",
        "sort",
        "sorted",
        "starmap",
        "vectorize",
    ]
)
_GENERATORS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Visit:
    """What is known of a question of control flow.

    Attributes
    ----------
    before : Visit or None
        The question before at the same place of a loop, in the same run of it.
    why : str
        Why not only traced values may have changed since; empty if there is evidence that nothing else has.
    ending : bool, str or None
        The answer with which the loop ends; "" if it ends with none, None if that is not known.
    numbers : list of int
        The variables that the traced values of Python's state are, in an order that goes by the state.
    """

    __slots__ = ("before", "ending", "numbers", "why")

    def __init__(
        self, before: Visit | None, why: str, ending: bool | str | None, numbers: Sequence[int]
    ) -> None:
        self.before = before
        self.why = why
        self.ending = ending
        self.numbers = numbers


class _Stand:
    """Where a question was asked: the functions that run, from the outermost on, and their state."""

    def __init__(self, frames: list[FrameType]) -> None:
        self.frames = frames
        self.steps = [flow_of(f.f_code).at(f.f_lasti) for f in frames]
        self.visit: Visit | None = None
        self.state: Snapshot | None = None
        self.failures = 0

    @property
    def site(self) -> Any:
        """The instructions that run."""
        return tuple((id(f.f_code), step) for f, step in zip(self.frames, self.steps, strict=True))

    @property
    def place(self) -> Any:
        """Where in the source they stand: `while` asks by two instructions, before and after the first step."""
        return tuple(
            (id(f.f_code), positions(f.f_code)[step // 2])
            for f, step in zip(self.frames, self.steps, strict=True)
        )

    def common(self, other: _Stand) -> int:
        """Return how many runs of functions are the same."""
        pairs = zip(self.frames, other.frames, strict=False)
        return next(
            (n for n, (a, b) in enumerate(pairs) if a is not b), min(len(self.frames), len(other.frames))
        )


class Evidence:
    """What a recorder asks for at each question."""

    def __init__(self) -> None:
        self.recorder: Any = None
        self.outside: FrameType | None = None
        self.by_site: dict[Any, _Stand] = {}
        self.by_place: dict[Any, _Stand] = {}
        self.found = False  # whether a loop has been made free
        self.stay: dict[str, str] = {}  # why others are not, by lines

    def free(self, tape: Tape, names: Mapping[int, Variable] | None = None) -> Tape:
        """Put free loops into a tape, or a part of one."""
        freed, stay = free_loops(tape, names)
        self.found = self.found or freed is not tape
        self.stay = stay | self.stay  # what was said first
        return freed

    def warn(self, name: str, known: set[str]) -> None:
        """Say which loops of a function are not free, but those of lines that are known to the user."""
        for line, why in self.stay.items():
            if line not in known:
                known.add(line)
                warnings.warn(
                    f"jit of {name}: the loop at {line or 'a line that is not known'} is recorded anew for each number of "
                    f"steps, though free_loops is set: {why}. Write fd.while_loop, or carry everything that changes in "
                    "traced values.",
                    errors.PerformanceWarning,
                    stacklevel=2,
                )

    def begin(self, leaves: Sequence[Any]) -> None:
        """Start with the function that the caller calls with some arguments."""
        self._let_go()
        self.found, self.stay = False, {}
        recorders = [x.recorder for x in leaves if type(x) is TracedArray]
        self.recorder = recorders[0] if recorders else None
        self.outside = sys._getframe(1)

    def close(self, tape: Tape) -> Tape:
        """Put free loops into the whole tape, when it is recorded."""
        self._let_go()
        return self.free(tape, {} if self.recorder is None else self.recorder.aliases)

    def _let_go(self) -> None:
        """Let go of the functions that have run."""
        self.outside = None
        self.by_site.clear()
        self.by_place.clear()

    def __call__(self, recorder: TraceRecorder) -> Visit | None:
        """Note a question that is asked now."""
        if recorder is not self.recorder or self.outside is None:
            return None
        frames = []
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame is not self.outside:
            frames.append(frame)
            frame = frame.f_back
        if frame is None:  # in another thread
            return None
        now = _Stand(frames[::-1])
        now.visit = self._visit(now)
        self.by_site[now.site] = self.by_place[now.place] = now
        return now.visit

    def _visit(self, now: _Stand) -> Visit:
        before = self._entered(now)
        if before is None:
            before = self.by_site.get(now.site)
            if before is not None and self._loop(now, before) is None:
                before = None
        now.failures = 0 if before is None else before.failures
        if now.failures < PATIENCE:
            now.state = _state(now, self.recorder)
        if before is None:
            return Visit(None, "", None, _numbers(now))
        around = self._loop(now, before)
        assert around is not None
        at = now.common(before) - 1
        flow = flow_of(now.frames[at].f_code)
        why = _why(now, before, around.is_for or flow.is_entered_elsewhere(now.steps[at], around))
        if not why and _holds(now, at, around):
            why = "it is asked for in the middle of an expression, a with statement or a function of C's, which may hold other values"
        if why and not around.is_for:
            now.failures += 1
        elif not why:
            now.failures = 0
        is_asking = all(errors.is_internal(f.f_code.co_filename) for f in now.frames[at + 1 :])
        ending = flow.ending(now.steps[at]) if is_asking else None
        return Visit(before.visit, why, ending, _numbers(now))

    def _loop(self, now: _Stand, before: _Stand) -> Around | None:
        """Return the loop of the user's that has led from one question to another."""
        common = now.common(before)
        if not common:
            return None
        frame = now.frames[common - 1]
        if errors.is_internal(frame.f_code.co_filename):
            return None
        return flow_of(frame.f_code).loop(now.steps[common - 1])

    def _entered(self, now: _Stand) -> _Stand | None:
        """Return where the `while` asked that now asks for the first time after a step."""
        before = self.by_place.get(now.place)
        if before is None or None in (p for _, where in now.place for p in where):
            return None
        around = self._loop(now, before)
        if around is None or around.is_for:
            return None
        at = now.common(before) - 1
        changed = [n for n, (a, b) in enumerate(zip(now.steps, before.steps, strict=True)) if a != b]
        return before if changed == [at] and before.steps[at] < around.start else None


def _holds(stand: _Stand, at: int, around: Around) -> bool:
    """Tell whether one of the functions that a loop runs holds values of its own, other than in names."""
    inner = list(zip(stand.frames, stand.steps, strict=True))[at:]
    return any(
        flow_of(f.f_code).holds(step, None if n else around) or _is_repeating(f, step)
        for n, (f, step) in enumerate(inner)
        if not errors.is_internal(f.f_code.co_filename)
    )


def _is_repeating(frame: FrameType, step: int) -> bool:
    """Tell whether a function calls one of C's that may ask several times, as `sorted` and `reduce` do."""
    loads = flow_of(frame.f_code).callee(step)
    if loads is None:
        return False
    if loads.opname in ("LOAD_ATTR", "LOAD_METHOD"):
        return loads.argval in _REPEATING
    name = loads.argval
    called = frame.f_globals.get(name, frame.f_builtins.get(name))
    if loads.opname not in ("LOAD_GLOBAL", "LOAD_NAME"):
        called = frame.f_locals.get(name) if isinstance(name, str) else None
    return called is not bool and (
        isinstance(called, BuiltinFunctionType)
        or (isinstance(called, type) and is_foreign(called.__module__))
        or name in _REPEATING
    )


def _numbers(stand: _Stand) -> list[int]:
    return [] if stand.state is None else stand.state.numbers


def _why(now: _Stand, before: _Stand, by_for: bool) -> str:
    if any(f.f_code.co_flags & _GENERATORS for f in now.frames):
        return "a generator takes part in it"
    if by_for:
        return "a for loop ends with what it runs over as well"
    if now.state is None or before.state is None:
        return before.visit.why if before.visit is not None else "nothing is known of it"
    for state in (now.state, before.state):
        if state.unseen:
            return state.unseen
    changed = now.state.differs(before.state)
    return (
        f"{changed} differs from step to step, and is no traced value or changes its type" if changed else ""
    )


def _state(stand: _Stand, recorder: Any) -> Snapshot:
    """Write down the state of the user's functions."""
    state = Snapshot(recorder)
    for frame, step in zip(stand.frames, stand.steps, strict=True):
        code = frame.f_code
        if errors.is_internal(code.co_filename):
            continue
        kept = {*flow_of(code).read_after(step), *code.co_cellvars, *code.co_freevars}
        names = dict(frame.f_locals)
        is_function = bool(code.co_flags & inspect.CO_OPTIMIZED)
        for name in sorted(names if not is_function else kept & names.keys()):
            state.add(name if frame is stand.frames[-1] else f"{name} of {code.co_name}", names[name])
        state.read_by(code, frame.f_globals)
    state.close()
    return state
