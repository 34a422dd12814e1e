"""Recording: the one traced array, what a recorder is, and how a primitive is applied.

A `TracedArray` holds a value, which is an ndarray, a NumPy scalar, or a traced array of an *older*
recorder, and its place on one recorder.  Applying a primitive finds the newest recorder among the
arguments and lets it unwrap its own level only; the older levels are met by the same rule when the
primitive is applied to the unwrapped values.  There is no global stack of traces, so an exception
leaves nothing to unwind, and threads do not meet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Self

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.constants import release

Value = Any
"""An ndarray, a NumPy or Python scalar, or a `TracedArray` of an older recorder."""

ASK_FOR_NDARRAYS: set[str] = set()
"""Modules to which a traced array is an instance of `numpy.ndarray`."""

SEARCHES: set[str] = set()
"""Modules whose functions find a point by comparing values, which leaves no trace of them in the result."""

SPARSE_OPERATIONS: dict[str, Callable[..., Any]] = {}
"""What primitives mean where an operand is a plain sparse matrix, by name."""

_LIBRARIES = frozenset({"funcdiff", "numpy", "scipy"})

AT_FIRST_RECORDING: list[Callable[[], None]] = []
"""What to do before the first recorder is made, so that importing the package need not do it."""

_levels = count()


def _first_level() -> int:
    global next_level
    if AT_FIRST_RECORDING:  # else the package is still being imported
        next_level = _levels.__next__
        while AT_FIRST_RECORDING:
            AT_FIRST_RECORDING.pop()()
    return next(_levels)


next_level = _first_level  # creation order is nesting order, across threads too


class TracedArray:
    """An array whose operations are recorded.

    `place` is what the recorder knows of it: its number on a reverse or program tape (-1 for a
    constant), its tangent in forward mode (None for zero), whether axis 0 of `value` is mapped under
    `vmap`.  `kind` is its type where that is known without asking, else None: arrays of one recorder whose
    kinds are the same object have the same shape and dtype.  `base` and `views` are set only where NumPy
    would have made a view.
    """

    __slots__ = ("__weakref__", "base", "kind", "place", "recorder", "value", "views")
    __array_priority__ = 1000.0
    __hash__ = None  # type: ignore[assignment]  # equality is elementwise, as ndarray's

    value: Value
    recorder: Recorder
    place: Any
    kind: ArrayType | None
    base: tuple[TracedArray, Any]
    views: list[Any]

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What ``isinstance`` goes by where the type itself is not the one asked for.

        To the user's code it is what its value is, so that ``isinstance(x, np.ndarray)`` takes the branch that
        NumPy's program takes.  Libraries that would hand an ndarray to compiled code see what it is, but for
        those of NumPy's modules that make room for the axes of an ndarray only.
        """
        asking = sys._getframe(1).f_globals.get("__name__") or ""
        if asking in ASK_FOR_NDARRAYS:
            return np.ndarray
        if asking.partition(".")[0] in _LIBRARIES or self.recorder.level == -1:
            return TracedArray
        x: Any = self
        while type(x) is TracedArray:
            if x.recorder.level < 0 or (x.recorder.batch and x.place):
                return np.ndarray if x.recorder is STALE or x.shape else type(x.value.dtype.type(0))
            x = x.value
        return type(x)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array, without a mapped axis."""
        recorder = self.recorder
        if recorder.level < 0:
            recorder = revive(self)
        shape: tuple[int, ...] = self.value.shape
        return shape[1:] if recorder.batch and self.place else shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the elements."""
        if self.recorder.level < 0:
            revive(self)
        dtype: np.dtype[Any] = self.value.dtype
        return dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        size = 1
        for n in self.shape:
            size *= n
        return size


class Recorder:
    """What a transform does with each primitive; subclasses state it once per kind."""

    batch: bool = False
    constant_place: Any = -1
    free: bool = False  # its arrays are buffers of no transform, see core/free.py
    symbolic: bool = False  # its integers stay traced where they index
    program: bool = False  # writes a program that must be right at other values too
    name: str = "a transform"
    escaped: str = (
        "was used after the transform had returned. Return it from the function instead of storing it outside, "
        "or store fd.stop_gradient(x) or x.item(), which are plain values."
    )

    def __init__(self) -> None:
        self.level: int = next_level()
        self.tape: list[Any] | None = (
            None  # the flat tape, where the fast path of reverse mode may write on it
        )
        self.forward = False  # whether the fast path of forward mode may be taken
        self.direct = (
            False  # whether `apply` takes what is of this recorder alone, or a Python number, at once
        )
        self.frozen: list[Any] | None = None  # plain arrays kept by reference, read-only meanwhile

    def apply(self, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply a primitive whose newest argument is on this recorder."""
        raise NotImplementedError

    def write(self, box: TracedArray, value: Any, path: tuple[Any, ...]) -> None:
        """Record ``box[path] = value`` and carry it out on the older level."""
        raise NotImplementedError

    def concrete(self, box: TracedArray) -> Value:
        """Answer with the value of an older level, for Python's control flow."""
        return box.value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close the recorder, and say what NumPy hides behind an error of its own."""
        self.close()
        if isinstance(error, Exception):
            shown = errors.reveal(error)
            if shown is not error:
                raise shown from None

    def close(self) -> None:
        """End the recording: its traced arrays leave the fast path and raise when used."""
        if self.frozen is not None:
            release(self)
        self.tape = None
        self.forward = False
        self.direct = False
        self.batch = False
        self.level = -1


class _StaleRecorder(Recorder):
    """Owner of views whose base has been written: they re-read it at their next use."""

    def __init__(self) -> None:
        super().__init__()
        self.level = -2


STALE = _StaleRecorder()

_SEQUENCES = (list, tuple)
_NUMBERS = frozenset({float, int, bool, complex, np.float64})


def box(value: Value, recorder: Recorder, place: Any) -> TracedArray:
    """Make a traced array."""
    out = TracedArray()
    out.value = value
    out.recorder = recorder
    out.place = place
    out.kind = None
    return out


def box_inputs(values: Sequence[Value], recorder: Recorder, places: Iterable[Any]) -> list[TracedArray]:
    """Make the traced arrays of a function's inputs; those of one inexact type share its `kind`."""
    kinds: dict[ArrayType, ArrayType] = {}
    boxes = []
    for value, place in zip(values, places, strict=False):
        x = TracedArray()
        x.value = value
        x.recorder = recorder
        x.place = place
        kind = type_of(value)
        x.kind = kinds.setdefault(kind, kind) if kind[1].kind in "fc" else None
        boxes.append(x)
    return boxes


def revive(x: TracedArray) -> Recorder:
    """Re-read a stale view from its base, or refuse a traced array that outlived its transform."""
    if x.recorder is STALE:
        from funcdiff.core.mutation import refresh

        refresh(x)
        return x.recorder
    if x.recorder.level < 0:
        raise errors.EscapedTraceError(
            errors.at_user_line(f"a traced array of {x.recorder.name} {x.recorder.escaped}")
        )
    return x.recorder


def output(x: Any, recorder: Recorder) -> tuple[Any, Any]:
    """Return the value of a function's output one level down, and its place on the recorder."""
    if type(x) is TracedArray:
        if x.recorder.level < 0:
            revive(x)
        if x.recorder is recorder:
            return x.value, x.place
        if x.recorder.free:
            return x.value, recorder.constant_place
    return x, recorder.constant_place


def newest(args: Sequence[Any]) -> Recorder | None:
    """Return the recorder created last among the arguments, after reviving stale views."""
    found: Recorder | None = None
    level = -1
    for a in args:
        if type(a) is TracedArray:
            recorder = a.recorder
            if recorder.level < 0:
                recorder = revive(a)
            if recorder.level > level:
                found, level = recorder, recorder.level
    return found


def apply(primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply a primitive to any mixture of traced arrays of all levels and plain values."""
    recorder: Recorder | None = None
    level = -1
    for a in args:
        kind = type(a)
        if kind is TracedArray:
            own = a.recorder
            if own.level < 0:
                own = revive(a)
            if own.level > level:
                recorder, level = own, own.level
        elif kind in _NUMBERS or (kind is np.ndarray and not a.dtype.hasobject):
            continue
        elif kind in _SEQUENCES or kind is np.ndarray:
            from funcdiff.core.objects import stack_objects

            args = [stack_objects(np.asarray(b) if type(b) in _SEQUENCES else b) for b in args]
            recorder = newest(args)
            break
        elif not isinstance(a, np.generic):
            if kind.__module__.startswith("scipy.sparse"):
                return _with_sparse(primitive, args)
            from funcdiff.core.foreign import NUMBERS, is_operator, operate

            if is_operator(primitive) and not isinstance(a, NUMBERS):
                return operate(primitive, *args)
    if recorder is None:
        return primitive.impl(*args, **params)
    return recorder.apply(primitive, args, params)


def _with_sparse(primitive: Any, args: Sequence[Any]) -> Any:
    """Apply a primitive with a sparse matrix among its operands, if it has a meaning for them."""
    function = SPARSE_OPERATIONS.get(primitive.name)
    if function is None:
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"{primitive.name} of a sparse matrix and a traced array is not supported: write A.toarray(), or "
                "compute with the elements, A.data, and make an array of them by fd.scipy.sparse"
            )
        )
    return function(*args)


def innermost(x: Any) -> Any:
    """Return the plain value at the bottom of a traced array, without recording a guard."""
    while type(x) is TracedArray:
        if x.recorder.level < 0:
            revive(x)
        x = x.value
    return x


def concrete(x: Any) -> Any:
    """Return the plain value for use by Python's control flow, recording guards on the way."""
    while type(x) is TracedArray:
        recorder = x.recorder
        if recorder.level < 0:
            recorder = revive(x)
        x = recorder.concrete(x)
    return x


def is_scalar_value(x: Any) -> bool:
    """Tell whether the innermost value is an immutable NumPy or Python scalar, not an ndarray."""
    if type(x) is TracedArray and getattr(x, "base", None) is not None:
        return False  # scalars are no views
    while type(x) is TracedArray:
        if x.recorder.level < 0:
            revive(x)
        if x.recorder.batch and x.place:
            return not x.shape and getattr(x, "views", None) is None  # a batch of scalars is an array
        x = x.value
    return not isinstance(x, np.ndarray)


def is_constant(x: Any) -> bool:
    """Tell whether a traced array depends on no input of any level, and is not mapped."""
    while type(x) is TracedArray:
        if x.recorder.level < 0:
            revive(x)
        if not is_constant_here(x):
            return False
        x = x.value
    return True


def is_constant_here(x: TracedArray) -> bool:
    """Tell whether a traced array is a constant of its own recorder."""
    constant = x.recorder.constant_place
    # asked for in this order, for a tangent is an array
    return bool(x.place is constant or (constant is not None and x.place == constant))
