"""Reverse mode: recording on a flat tape, the sweep back, and the sweep forward over the same tape.

The sweep multiplies cotangents with partial derivatives by ordinary products.  Only if a result holds
a NaN is it run again with strong rules, in which a zero cotangent stays zero whatever it meets; so
``np.where(x > 0, np.log(x), 0.0)`` has finite derivatives and regular programs pay one test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.constants import keep, keep_all
from funcdiff.core.matching import convert, match, match_tangent, spread
from funcdiff.core.mutation import OWNED_IN_SWEEP, Cell, Path, own_buffer, update
from funcdiff.core.primitive import (
    Elementwise,
    General,
    Linear,
    LocallyConstant,
    Multilinear,
    Primitive,
    call_rules,
)
from funcdiff.core.recording import Recorder, TracedArray, box, box_inputs, innermost, output
from funcdiff.core.rules import RULES, Rules, product
from funcdiff.core.watching import WATCHER
from funcdiff.primitives.winners import read_written

FIELDS = 8


class ReverseRecorder(Recorder):
    """Records what a sweep needs: a flat list, eight fields a record."""

    name = "a reverse-mode transform (grad, vjp, pullback, …)"

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Any] = []
        self.decided = False  # whether a value, or what is locally constant in it, was asked for
        self.tape = self.records

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
        k = len(self.records)
        extend = self.records.extend
        if not isinstance(out, tuple):
            keep = isinstance(primitive, (Elementwise, General))
            extend(
                (pull_any, k, places, primitive, args, params, out if keep else None, (*kinds, type_of(out)))
            )
            return box(out, self, k)
        out_kinds = tuple(type_of(o) for o in out)
        extend((pull_any, k, places, primitive, args, params, out, (*kinds, out_kinds)))
        boxes = []
        for n, o in enumerate(out):
            place = len(self.records)
            extend((pull_part, place, k, n, None, len(out), None, None))
            boxes.append(box(o, self, place) if out_kinds[n].dtype.kind in "fc" else o)
        return tuple(boxes)

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
            k = len(self.records)
            self.records.extend((pull_write, k, i, j, path, x.value.shape, None, (kind, x.value.dtype)))
            x.place = k


def constants(out: Any, recorder: Recorder, always: bool = False) -> Any:
    """Wrap results that do not depend on the inputs, so that traced values can be written into them."""
    if isinstance(out, tuple):
        return tuple(constants(o, recorder, always) for o in out)
    if always or getattr(out, "dtype", np.dtype(bool)).kind in "fc":
        return box(out, recorder, recorder.constant_place)
    return out


# --- rules for every kind, in the form of a record ----------------------------------------------


def _pull_any(strong: bool) -> Callable[..., None]:
    def pull(
        cot: Any,
        g: Any,
        places: tuple[int, ...],
        primitive: Any,
        args: Any,
        params: Any,
        out: Any,
        kinds: Any,
    ) -> None:
        if type(g) is list:
            keep_none = getattr(primitive.custom, "takes_none", False)
            g = tuple(
                written_out(part, kind)
                if part is not None
                else None
                if keep_none
                else np.zeros(kind.shape, kind.dtype)
                for part, kind in zip(g, kinds[-1], strict=True)
            )
        else:
            g = written_out(g, kinds[-1])
        needed = [n for n, place in enumerate(places) if place >= 0]
        if (
            0 in needed
            and getattr(primitive, "accumulate", None) is not None
            and isinstance(primitive, General)
        ):
            needed.remove(0)
            c = cot[places[0]]
            cell = Cell(c if c is None else written_out(c, kinds[0]))
            del c
            cot[places[0]] = None
            primitive.accumulate(cell, g, *args, **params)  # type: ignore[misc]
            cot[places[0]] = cell.value
        for n, h in zip(needed, cotangents(primitive, g, needed, out, args, params, strong), strict=True):
            i = places[n]
            if h is None:
                continue
            h = match(h, kinds[n])
            c = cot[i]
            cot[i] = h if c is None else c + h

    return pull


def cotangents(
    primitive: Any, g: Any, needed: Sequence[int], out: Any, args: Any, params: Any, strong: bool
) -> list[Any]:
    """Return the cotangents of the needed arguments of any primitive."""
    match primitive:
        case Elementwise():
            return [product(partial_of(primitive, n), strong)(g, out, *args) for n in needed]
        case Linear(variadic=True):
            return [primitive.transposes[0](n, g, *args, **params) for n in needed]
        case Linear():
            return [primitive.transposes[n](g, *args, **params) for n in needed]
        case Multilinear(variadic=True):
            return [primitive.transposes[0](n, g, *args, **params) for n in needed]
        case Multilinear():
            return [primitive.transposes[n](g, *args, **params) for n in needed]
        case General():
            if primitive.custom is not None and primitive.custom.pull is not None:
                return list(primitive.custom.pull(g, needed, out, args, params))
            return [general_cotangent(primitive, n, g, out, args, params) for n in needed]
    raise errors.TapeError(f"a record of {primitive!r} has no reverse rule")


def partial_of(primitive: Elementwise, n: int) -> Any:
    """Return a partial derivative, or say that it is missing."""
    partial = primitive.partials[n] if n < len(primitive.partials) else None
    if partial is None:
        raise missing_rule(primitive, n)
    return partial


def missing_rule(primitive: Primitive, n: int) -> errors.MissingRuleError:
    """Say which primitive lacks a rule for which argument, and what to do."""
    reason = f": {primitive.missing[n]}" if n in primitive.missing else ""
    return errors.MissingRuleError(
        errors.at_user_line(
            f"{primitive.name} has no derivative rule for its argument {n}{reason}. Keep that argument constant "
            "(fd.stop_gradient), or give the whole computation a rule with fd.custom_jvp or fd.custom_vjp."
        )
    )


def general_cotangent(primitive: General, n: int, g: Any, out: Any, args: Any, params: Any) -> Any:
    """Return one cotangent of a General primitive: by its VJP, its transpose, or its JVP transposed."""
    if primitive.vjps[n] is not None:
        return primitive.vjps[n](g, out, *args, **params)  # type: ignore[misc]
    if primitive.transposes[n] is not None:
        return primitive.transposes[n](g, out, *args, **params)  # type: ignore[misc]
    jvp = primitive.jvps[n]
    if jvp is None:
        raise missing_rule(primitive, n)
    kind = type_of(args[n])
    return transpose_at(lambda t: jvp(t, out, *args, **params), kind, g)


def transpose_at(f: Callable[[Any], Any], kind: ArrayType, g: Any) -> Any:
    """Pull a cotangent back through a function that is linear, recorded at zero."""
    recording = record(f, [np.zeros(kind.shape, kind.dtype)])
    seeds = list(g) if isinstance(g, tuple) else [g]
    return recording.pull(seeds)[0]


def _push_any(strong: bool) -> Callable[..., None]:
    def push(
        tan: Any,
        k: int,
        places: tuple[int, ...],
        primitive: Any,
        args: Any,
        params: Any,
        out: Any,
        kinds: Any,
    ) -> None:
        tangents = [None if p < 0 else tan[p] for p in places]
        if any(t is not None for t in tangents):
            t = out_tangent(primitive, tangents, out, args, kinds, params, strong)
            tan[k] = t if isinstance(t, tuple) else match_tangent(t, kinds[-1])

    return push


def out_tangent(
    primitive: Any, tangents: Sequence[Any], out: Any, args: Any, kinds: Any, params: Any, strong: bool
) -> Any:
    """Return the tangent of any primitive's output, not yet broadcast to it."""
    active = [n for n, t in enumerate(tangents) if t is not None]
    function = primitive.function
    match primitive:
        case Linear():
            full = [
                np.zeros(kind.shape, kind.dtype) if t is None else t
                for t, kind in zip(tangents, kinds, strict=False)
            ]
            return function(*full, **params)
        case Elementwise():
            terms = [product(partial_of(primitive, n), strong)(tangents[n], out, *args) for n in active]
        case Multilinear():
            terms = [function(*args[:n], tangents[n], *args[n + 1 :], **params) for n in active]
        case General():
            if primitive.custom is not None and primitive.custom.push is not None:
                return primitive.custom.push(tangents, out, args, params)
            if primitive.push is not None:
                return primitive.push(tangents, out, args, params)
            terms = [general_tangent(primitive, n, tangents[n], out, args, params) for n in active]
        case _:
            raise errors.TapeError(f"a record of {primitive!r} has no forward rule")
    total = terms[0]
    for term in terms[1:]:
        if isinstance(total, tuple):
            total = tuple(a + b for a, b in zip(total, term, strict=True))
        else:
            total = total + term
    return total


def general_tangent(primitive: General, n: int, t: Any, out: Any, args: Any, params: Any) -> Any:
    """Return one term of the tangent of a General primitive."""
    jvp = primitive.jvps[n]
    if jvp is not None:
        return jvp(t, out, *args, **params)
    if primitive.transposes[n] is not None:  # linear in this argument
        return primitive.function(*args[:n], t, *args[n + 1 :], **params)
    vjp = primitive.vjps[n]
    if vjp is None:
        raise missing_rule(primitive, n)
    return push_by_transposing(lambda g: vjp(g, out, *args, **params), out, t)


def push_by_transposing(pull: Callable[[Any], Any], out: Any, t: Any) -> Any:
    """Push a tangent through a function of which only the pullback is known: transpose the pullback."""
    outs = out if isinstance(out, tuple) else (out,)
    zeros = [np.zeros(k.shape, k.dtype) for k in map(type_of, outs)]
    recording = record(lambda *g: pull(g if isinstance(out, tuple) else g[0]), zeros)
    pushed = recording.pull([t])
    return tuple(pushed) if isinstance(out, tuple) else pushed[0]


def pull_part(cot: Any, g: Any, i: int, n: int, _x: Any, total: int, _v: Any, _t: Any) -> None:
    """Hand the cotangent of one of several outputs to the record that made them."""
    parts = cot[i]
    if parts is None:
        parts = cot[i] = [None] * total
    parts[n] = g


def push_part(tan: Any, k: int, i: int, n: int, _x: Any, _total: int, _v: Any, _t: Any) -> None:
    """Take the tangent of one of several outputs."""
    if tan[i] is not None:
        tan[k] = tan[i][n]


def pull_write(cot: Any, g: Any, i: int, j: int, path: Path, shape: Any, _v: Any, kinds: Any) -> None:
    """Pull back ``new = old with [path] replaced``: the written part is the value's, the rest the old's."""
    if g.shape != shape:
        g = spread(g, shape)
    if j >= 0:
        h = match(read_written(g, path), kinds[0])
        c = cot[j]
        cot[j] = h if c is None else c + h
    if i >= 0:
        cell = Cell(g)
        del g
        update(cell, 0.0, path, OWNED_IN_SWEEP)
        c = cot[i]
        cot[i] = cell.value if c is None else c + cell.value


def push_write(
    tan: Any, k: int, i: int, j: int, path: Path, shape: Any, _v: Any, kinds: Any, last: bool = False
) -> None:
    """Push tangents through a write; in place where nobody reads the old tangent after it."""
    old = tan[i] if i >= 0 else None
    new = tan[j] if j >= 0 else None
    if old is not None or new is not None:
        cell = Cell(np.zeros(shape, kinds[1]) if old is None else old)
        if last:
            tan[i] = None
        del old
        update(cell, 0.0 if new is None else new, path)
        tan[k] = cell.value


pull_any = _pull_any(False)
_ANY = Primitive("any", lambda: None)
RULES[pull_any] = Rules(_ANY, pull_any, _pull_any(True), _push_any(False), _push_any(True))
RULES[pull_part] = Rules(_ANY, pull_part, pull_part, push_part, push_part)
RULES[pull_write] = Rules(_ANY, pull_write, pull_write, push_write, push_write)


# --- sweeps -------------------------------------------------------------------------------------


class Recording:
    """A function recorded at a point: its outputs, and the sweeps over its tape."""

    __slots__ = ("decided", "inputs", "length", "outputs", "places", "program", "records")

    def __init__(
        self,
        records: list[Any],
        length: int,
        inputs: Sequence[Any],
        outputs: list[Any],
        places: list[int],
    ) -> None:
        self.records = records
        self.length = length
        self.inputs = inputs
        self.outputs = outputs
        self.places = places
        self.program = False  # whether an older level writes a program, which must hold at other values too
        self.decided = False  # whether the function asked for values, so that it is right only near them

    def pull(self, seeds: Sequence[Any]) -> list[Any]:
        """Pull cotangents of the outputs (None for zero) back to the inputs."""
        strong = self.program or writes_program(seeds)
        with np.errstate(all="ignore"):  # the user's own warnings came when the function ran
            found = self._pull(seeds, strong)
            if not strong and has_nan(found):
                found = self._pull(seeds, True)
        return [
            zeros_like(x) if g is None else as_input(g, x) for g, x in zip(found, self.inputs, strict=True)
        ]

    def _pull(self, seeds: Sequence[Any], strong: bool) -> list[Any]:
        cot: list[Any] = [None] * self.length
        for place, seed in zip(self.places, seeds, strict=True):
            if place >= 0 and seed is not None:
                cot[place] = seed if cot[place] is None else cot[place] + seed
        it = reversed(self.records)
        if strong:
            for t, v, y, x, j, i, n, rule in zip(it, it, it, it, it, it, it, it):  # noqa: B905
                g = cot[n]
                if g is not None:
                    cot[n] = None
                    RULES[rule].strong_pull(cot, g, i, j, x, y, v, t)
        else:  # zip re-uses its tuple; slicing the eight fields out is 7 % of value-and-gradient slower
            for t, v, y, x, j, i, n, rule in zip(it, it, it, it, it, it, it, it):  # noqa: B905
                g = cot[n]
                if g is not None:
                    cot[n] = None
                    rule(cot, g, i, j, x, y, v, t)
        return cot[: len(self.inputs)]

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Push tangents of the inputs (None for zero) forward to the outputs; None where zero."""
        strong = self.program or writes_program(tangents)
        with np.errstate(all="ignore"):
            found = self._push(tangents, strong)
            if not strong and has_nan(found):
                found = self._push(tangents, True)
        return [None if t is None else typed(t, o) for t, o in zip(found, self.outputs, strict=True)]

    def _push(self, tangents: Sequence[Any], strong: bool) -> list[Any]:
        tan: list[Any] = [None] * self.length
        tan[: len(tangents)] = tangents
        last = self._last_writes()
        it = iter(self.records)
        for rule, n, i, j, x, y, v, t in zip(it, it, it, it, it, it, it, it):  # noqa: B905
            if rule is pull_write:
                push_write(tan, n, i, j, x, y, v, t, n in last)
                continue
            rules = RULES[rule]
            (rules.strong_push if strong else rules.push)(tan, n, i, j, x, y, v, t)
            if last and rules.primitive.is_lens:  # a view of a tangent would make the next write copy it
                if type(tan[n]) is np.ndarray:
                    tan[n] = tan[n].copy(order="K")
                else:
                    own_buffer(tan[n])
        return [tan[p] if p >= 0 else None for p in self.places]

    def _last_writes(self) -> set[int]:
        """Return the writes after which nothing reads the version before."""
        if pull_write not in self.records[::FIELDS]:
            return set()
        later = set(self.places)
        found = set()
        it = reversed(self.records)
        for _t, _v, _y, _x, j, i, n, rule in zip(it, it, it, it, it, it, it, it):  # noqa: B905
            if rule is pull_write and i >= len(self.inputs) and i not in later:
                found.add(n)
            later.update(i if isinstance(i, tuple) else (i,))
            if isinstance(j, int):
                later.add(j)
        return found


ROLLING: ContextVar[Any] = ContextVar("funcdiff rolling", default=None)
"""What makes loops of a long part of a program before it is differentiated; set while `jit` records."""


def record(f: Callable[..., Any], values: Sequence[Any], lasting: bool = False) -> Recording:
    """Run ``f(*traced)`` once and record it; its result is one array or a list or tuple of arrays.

    A lasting recording outlives the transform: it shares no plain array with the caller.
    """
    if lasting:
        values = [v.copy(order="K") if type(v) is np.ndarray else v for v in values]
    rolling = ROLLING.get()
    part = None if rolling is None else rolling.begin(values)
    values = values if part is None else part.values
    watcher = WATCHER.get()
    recorder = ReverseRecorder() if watcher is None else watcher.reverse()
    records = recorder.records
    room = -(-len(values) // FIELDS) * FIELDS
    records.extend([None] * room)  # an array's place is where its record is; the inputs' come first
    boxes = box_inputs(values, recorder, range(room))
    with recorder:
        out = f(*boxes)
        outs = [output(o, recorder) for o in (out if isinstance(out, (list, tuple)) else (out,))]
        length = len(records)
        frozen = recorder.frozen
    del records[:room]
    if lasting and frozen:
        copies = {id(a): a.copy(order="K") for a in frozen}
        records = [_replaced(field, copies) for field in records]
    made = records, length, values, [o for o, _ in outs], [p for _, p in outs]
    recording = Recording(*made) if watcher is None else watcher.recording(recorder, *made)
    recording.decided = recorder.decided
    recording.program = writes_program(values) or writes_program(recording.outputs)
    shorter = None if part is None else part.rolled(recording.outputs)
    if shorter is None:
        return recording
    again = record(shorter, values, lasting)
    again.decided = again.decided or recording.decided
    return again


def _replaced(x: Any, copies: dict[int, Any]) -> Any:
    """Put copies in the place of arrays that the caller may write to."""
    if type(x) is tuple:
        return tuple(_replaced(i, copies) for i in x)
    return copies.get(id(x), x)


def is_program(x: Any) -> bool:
    """Tell whether a program is being written on one of the levels below."""
    while type(x) is TracedArray:
        if x.recorder.program:
            return True
        x = x.value
    return False


def writes_program(values: Sequence[Any]) -> bool:
    """Tell whether a program is being written on a level below any of the values."""
    for x in values:
        if type(x) is TracedArray and is_program(x):
            return True
    return False


def has_nan(values: Sequence[Any]) -> bool:
    """Tell whether any array holds a NaN, without recording guards."""
    for x in values:
        if x is not None:
            if type(x) is TracedArray:
                x = innermost(x)
            if type(x) is not np.ndarray:
                total = x
            elif x.ndim == 1 and len(x) <= 1000:
                total = x.dot(x)  # of small arrays, in a third of the time of their minimum
            elif x.size:
                total = np.minimum.reduce(x, axis=None)  # of large ones, in 0.6 of the time of their sum
            else:
                continue
            if total != total:
                return True
    return False


def written_out(g: Any, kind: ArrayType) -> Any:
    """Return a cotangent in the shape of what it belongs to; one number may stand for all places."""
    return g if g.shape == kind.shape else spread(g, kind.shape)


def as_input(g: Any, x: Any) -> Any:
    """Give a cotangent the shape and dtype of the input that it belongs to."""
    if type(g) is TracedArray:
        if type(x) is TracedArray and g.kind is x.kind is not None:
            return g
    elif type(x) is np.ndarray and g.shape == x.shape and g.dtype is x.dtype:
        return g
    return typed(written_out(g, type_of(x)), x)


def typed(g: Any, x: Any) -> Any:
    """Give a derivative the dtype of the value it belongs to.

    Records with a Python number take the result's dtype to be the operand's, but some ufuncs of SciPy
    answer in double precision then, as all do for float16.
    """
    dtype = type_of(x).dtype
    return g if g.dtype is dtype or g.dtype == dtype else convert(g, dtype)


def zeros_like(x: Any) -> Any:
    """Return plain zeros of the type of a value."""
    kind = type_of(x)
    return np.zeros(kind.shape, kind.dtype) if kind.shape else kind.dtype.type(0)
