"""Recorders that take the time of every operation: the watcher that `profile` installs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from time import perf_counter_ns
from types import FrameType
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.mutation import Path
from funcdiff.core.primitive import Primitive
from funcdiff.core.recording import Recorder, TracedArray, innermost
from funcdiff.core.rules import RULES
from funcdiff.profiler.events import FORWARD, NOWHERE, REVERSE, Event, Place
from funcdiff.transforms.forward import ForwardRecorder
from funcdiff.transforms.reverse import ReverseRecorder
from funcdiff.transforms.sweeps import Recording


class Clock:
    """Takes the time of events, and makes the recorders that have events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.open: list[Event] = []
        self.sweeping = 0
        self.places = _Places()
        self.thread = threading.get_ident()

    def reverse(self) -> ReverseRecorder:
        """Return a recorder for reverse mode."""
        return TimedReverseRecorder(self)

    def forward(self, strong: bool) -> ForwardRecorder:
        """Return a recorder for forward mode."""
        return TimedForwardRecorder(self, strong)

    def recording(self, recorder: Any, *arguments: Any) -> Recording:
        """Return a recording whose sweeps are timed."""
        return TimedRecording(self, recorder.made, *arguments)

    def begin(self, name: str, place: Place) -> Event:
        """Begin an event."""
        phase = REVERSE if self.sweeping else FORWARD
        event = Event(name, phase, place, 0, depth=len(self.open), thread=self.thread)
        self.open.append(event)
        self.events.append(event)
        event.start = perf_counter_ns()
        return event

    def end(self, event: Event, out: Any) -> None:
        """End an event."""
        event.stop = perf_counter_ns()
        self.open.pop()
        if self.open:
            self.open[-1].inside += event.total
        event.bytes = size_of(out)


def size_of(out: Any) -> int:
    """Return the bytes of arrays."""
    if type(out) is tuple or type(out) is list:
        return sum(map(size_of, out))
    if type(out) is TracedArray:
        out = innermost(out)
    return int(out.nbytes) if isinstance(out, (np.ndarray, np.generic)) else 0


class _Places:
    """Finds the user's line; which code is the user's is asked once for each code object."""

    def __init__(self) -> None:
        self.internal: dict[Any, bool] = {}
        self.known: dict[tuple[Any, int], Place] = {}

    def now(self) -> Place:
        """Return the user's line that runs."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            code = frame.f_code
            internal = self.internal.get(code)
            if internal is None:
                internal = self.internal[code] = errors.is_internal(code.co_filename)
            if not internal:
                key = (code, frame.f_lineno)
                place = self.known.get(key)
                if place is None:
                    place = self.known[key] = Place(code.co_filename, frame.f_lineno, code.co_name)
                return place
            frame = frame.f_back
        return NOWHERE


class _Timed(Recorder):
    """What the two recorders share; the fast path is off, so every operation comes here."""

    clock: Clock

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        event = self.clock.begin(primitive.name, self.clock.places.now())
        out: Any = None
        try:
            out = super().apply(primitive, args, params)
        finally:
            self.clock.end(event, out)
        self.note(out, event)
        return out

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        event = self.clock.begin("write", self.clock.places.now())
        try:
            super().write(x, value, path)
        finally:
            self.clock.end(event, None)
        self.note(x, event)

    def note(self, out: Any, event: Event) -> None:
        """Remember which event made a record."""


class TimedReverseRecorder(_Timed, ReverseRecorder):
    """Remembers what made each record, so that its part of the sweep is put down to the same line."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.tape = None
        self.clock = clock
        self.made: dict[int, tuple[str, Place]] = {}

    def note(self, out: Any, event: Event) -> None:
        """Remember the name and line of a record."""
        x = out[0] if isinstance(out, tuple) and out else out
        if type(x) is TracedArray and x.recorder is self and x.place >= 0:
            self.made[x.place - (1 if isinstance(out, tuple) else 0)] = (event.name, event.place)


class TimedForwardRecorder(_Timed, ForwardRecorder):
    """Takes the time of values and tangents together."""

    def __init__(self, clock: Clock, strong: bool) -> None:
        super().__init__(strong)
        self.forward = False
        self.clock = clock


class TimedRecording(Recording):
    """Takes the time of every record in its sweeps."""

    __slots__ = ("clock", "made")

    def __init__(self, clock: Clock, made: dict[int, tuple[str, Place]], *arguments: Any) -> None:
        super().__init__(*arguments)
        self.clock = clock
        self.made = made

    def _pull(self, seeds: Sequence[Any], strong: bool) -> list[Any]:
        cot: list[Any] = [None] * self.length
        for place, seed in zip(self.places, seeds, strict=True):
            if place >= 0 and seed is not None:
                cot[place] = seed if cot[place] is None else cot[place] + seed
        it = reversed(self.records)
        for t, v, y, x, j, i, n, rule in zip(it, it, it, it, it, it, it, it):  # noqa: B905
            g = cot[n]
            if g is not None:
                cot[n] = None
                pull = RULES[rule].strong_pull if strong else rule
                self._run(n, cot, pull, cot, g, i, j, x, y, v, t)
        return cot[: len(self.inputs)]

    def _push(self, tangents: Sequence[Any], strong: bool) -> list[Any]:
        tan: list[Any] = [None] * self.length
        tan[: len(tangents)] = tangents
        it = iter(self.records)
        for rule, n, i, j, x, y, v, t in zip(it, it, it, it, it, it, it, it):  # noqa: B905
            push = RULES[rule].strong_push if strong else RULES[rule].push
            self._run(n, tan, push, tan, n, i, j, x, y, v, t)
        return [tan[p] if p >= 0 else None for p in self.places]

    def _run(self, n: int, carried: list[Any], rule: Any, *fields: Any) -> None:
        """Run a rule; what it makes are the co- or tangents that it stores."""
        clock = self.clock
        clock.sweeping += 1
        event = clock.begin(*self.made.get(n, ("sweep", NOWHERE)))
        try:
            rule(*fields)
        finally:
            operands = fields[2] if isinstance(fields[2], tuple) else (fields[2],)
            found = [carried[p] for p in operands if isinstance(p, int) and p >= 0 and carried[p] is not None]
            clock.end(event, found)
            clock.sweeping -= 1
