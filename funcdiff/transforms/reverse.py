"""Reverse mode: recording on a flat tape, for the sweeps of transforms/sweeps.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from threading import Lock
from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.constants import keep, keep_all
from funcdiff.core.mutation import Path, update
from funcdiff.core.primitive import (
    Elementwise,
    General,
    Linear,
    LocallyConstant,
    Multilinear,
    Primitive,
    call_rules,
)
from funcdiff.core.recording import Recorder, TracedArray, box, box_inputs, output
from funcdiff.core.watching import WATCHER
from funcdiff.transforms.record_rules import pull_any, pull_part, pull_write
from funcdiff.transforms.sweeps import FIELDS, Recording, writes_program


class ReverseRecorder(Recorder):
    """Records what a sweep needs: a flat list, eight fields a record."""

    name = "a reverse-mode transform (grad, vjp, pullback, …)"

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Any] = []
        self.decided = False  # whether a value, or what is locally constant in it, was asked for
        self.tape = self.records
        self.lock = Lock()  # threads may share a recording: one counts the records and writes its own

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        places, values, active = [], [], False
        for a in args:
            if type(a) is TracedArray and a.recorder is self:
                places.append(a.place)
                values.append(a.value)
                active = active or a.place >= 0
            else:
                places.append(-1)
                values.append(a)
        custom = call_rules(primitive, params)
        if custom is not None:
            rule = custom.reverse(self.level, primitive, values, places)
            if rule is not None:
                return self._record_call(rule, values, params, tuple(places))
            active = False  # nothing that it gives moves
        out = primitive.function(*values, **params)
        if isinstance(primitive, LocallyConstant):
            self.decided = self.decided or active
            return out if primitive.way_out else constants(out, self)
        if not active:
            return constants(out, self, always=True)
        everything = isinstance(primitive, Linear)
        kinds = tuple(
            [type_of(v) if everything or p >= 0 else None for v, p in zip(values, places, strict=True)]
        )
        kept = self._kept(primitive, values, kinds, places)
        settings = keep_all(self, params) if params else params
        return self._record(primitive, tuple(places), kept, settings, out, kinds)

    def _kept(
        self, primitive: Primitive, values: Sequence[Any], kinds: Any, places: Sequence[int]
    ) -> tuple[Any, ...]:
        """Return the arguments a rule reads; the others only by their types."""
        if isinstance(primitive, Linear):
            return tuple(kinds)
        if isinstance(primitive, Multilinear):
            active = sum([p >= 0 for p in places])
            values = [v if active > (p >= 0) else k for v, k, p in zip(values, kinds, places, strict=True)]
        return tuple([v if p >= 0 else keep(self, v) for v, p in zip(values, places, strict=True)])

    def concrete(self, x: TracedArray) -> Any:
        self.decided = self.decided or x.place >= 0
        return x.value

    def _record(
        self,
        primitive: Primitive,
        places: Any,
        args: Any,
        params: Any,
        out: Any,
        kinds: tuple[Any, ...],
    ) -> Any:
        records = self.records
        if not isinstance(out, tuple):
            keep = isinstance(primitive, (Elementwise, General))
            types = (*kinds, type_of(out))
            with self.lock:
                k = len(records)
                records.extend((pull_any, k, places, primitive, args, params, out if keep else None, types))
            return box(out, self, k)
        out_kinds = tuple(type_of(o) for o in out)
        with self.lock:
            k = len(records)
            records.extend((pull_any, k, places, primitive, args, params, out, (*kinds, out_kinds)))
            parts = range(k + FIELDS, k + FIELDS * (len(out) + 1), FIELDS)
            for n, place in enumerate(parts):
                records.extend((pull_part, place, k, n, None, len(out), None, None))
        return tuple(
            box(o, self, place) if kind.dtype.kind in "fc" else o
            for o, kind, place in zip(out, out_kinds, parts, strict=True)
        )

    def _record_call(self, rule: Any, values: Any, params: Any, places: Any) -> Any:
        """Record a call of a custom rule that has been evaluated already."""
        primitive, out = rule
        kinds = tuple(type_of(v) for v in values)
        args = tuple(v if p >= 0 else keep(self, v) for v, p in zip(values, places, strict=True))
        return self._record(primitive, places, args, params, out, kinds)

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        i = x.place
        j = -1
        if type(value) is TracedArray and value.recorder is self:
            j = value.place
            value = value.value
        kind = type_of(value) if j >= 0 else None
        update(x, value, path)
        if i >= 0 or j >= 0:
            shape, types = x.value.shape, (kind, x.value.dtype)
            with self.lock:
                k = len(self.records)
                self.records.extend((pull_write, k, i, j, path, shape, None, types))
            x.place = k


def constants(out: Any, recorder: Recorder, always: bool = False) -> Any:
    """Wrap results that do not depend on the inputs, so that traced values can be written into them."""
    if isinstance(out, tuple):
        return tuple(constants(o, recorder, always) for o in out)
    if always or getattr(out, "dtype", np.dtype(bool)).kind in "fc":
        return box(out, recorder, recorder.constant_place)
    return out


ROLLING: ContextVar[Any] = ContextVar("funcdiff rolling", default=None)
"""What runs a function plainly and makes loops of what it does before that is differentiated; set while `jit` records."""


def rolled_first(f: Callable[..., Any], values: Sequence[Any]) -> Callable[..., Any]:
    """Return what is to be differentiated at some values instead of a function: while `jit` records, its loops."""
    rolling = ROLLING.get()
    if rolling is None:
        return f
    shorter: Callable[..., Any] = rolling.plain(f, values)
    return shorter


def record(
    f: Callable[..., Any], values: Sequence[Any], lasting: bool = False, fast: bool = True
) -> Recording:
    """Run ``f(*traced)`` once and record it; its result is one array or a list or tuple of arrays.

    A lasting recording outlives the transform: it shares no plain array with the caller.  Where threads of
    the function's own came between each other on the fast path, which takes no lock, it runs again without.
    """
    if lasting:
        values = [v.copy(order="K") if type(v) is np.ndarray else v for v in values]
    f = rolled_first(f, values)
    watcher = WATCHER.get()
    recorder = ReverseRecorder() if watcher is None else watcher.reverse()
    records = recorder.records
    if not fast:
        recorder.tape = None
    room = -(-len(values) // FIELDS) * FIELDS
    records.extend([None] * room)  # an array's place is where its record is; the inputs' come first
    boxes = box_inputs(values, recorder, range(room))
    with recorder:
        out = f(*boxes)
        outs = [output(o, recorder) for o in (out if isinstance(out, (list, tuple)) else (out,))]
        length = len(records)
        frozen = recorder.frozen
    if fast and not in_order(records, room, length):
        return record(f, values, lasting, fast=False)
    del records[:room]
    if lasting and frozen:
        copies = {id(a): a.copy(order="K") for a in frozen}
        records = [_replaced(field, copies) for field in records]
    made = records, length, values, [o for o, _ in outs], [p for _, p in outs]
    recording = Recording(*made) if watcher is None else watcher.recording(recorder, *made)
    recording.decided = recorder.decided
    recording.program = writes_program(values) or writes_program(recording.outputs)
    return recording


def in_order(records: list[Any], room: int, length: int) -> bool:
    """Tell whether each record is at the place that it gives its result.

    One that another thread came before lies behind it, none before it, so that the sum tells.
    """
    count = (length - room) // FIELDS
    return bool(sum(records[room + 1 : length : FIELDS]) == count * (room + length - FIELDS) // 2)


def _replaced(x: Any, copies: dict[int, Any]) -> Any:
    """Put copies in the place of arrays that the caller may write to."""
    if type(x) is tuple:
        return tuple(_replaced(i, copies) for i in x)
    return copies.get(id(x), x)
