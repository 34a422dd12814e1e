"""The functions that apply primitives, with the two recorders that matter for speed written in.

Each function made here first tries what is common: every argument on one live recorder or plain.
Reverse mode then appends eight fields to a flat list (tuples that die at once are not tracked by the
garbage collector, so it need not be paused), and forward mode computes the tangent.  All else goes to
`recording.apply`.  Per-primitive closures instead of one generic path make value-and-gradient of small
arrays 2.4 times faster (CORE measurements, docs/architecture.md).

A record is ``(pull, out, in0, in1, x, y, v, types)``: the numbers of the output and operands, the
operands and output where a partial derivative reads them, and the operands' types where broadcasting
or promotion has to be undone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.matching import match, match_tangent, scale
from funcdiff.core.mutation import Cell
from funcdiff.core.primitive import (
    Elementwise,
    Function,
    Linear,
    Multilinear,
    Over,
    Partial,
    Primitive,
    attach,
    reads,
)
from funcdiff.core.recording import TracedArray, apply

_new = TracedArray.__new__
_ndarray = np.ndarray
PLAIN_SCALARS = frozenset({float, int, bool, complex, np.float64, np.float32, np.int64})
_WEAK = frozenset({float, int, bool})


class Rules(NamedTuple):
    """What the sweeps do with a record; `strong` ones keep a zero zero."""

    primitive: Primitive
    pull: Function
    strong_pull: Function
    push: Function
    strong_push: Function


RULES: dict[Function, Rules] = {}


def product(partial: Partial, n: int, strong: bool) -> Function:
    """Return ``g, out, *args -> g * partial`` for one argument of an elementwise primitive."""
    if isinstance(partial, Over):
        denominator = partial.denominator
        if strong:
            return lambda g, *a: scale(g, 1 / denominator(*a))
        return lambda g, *a: g / denominator(*a)
    if partial == 1 and not callable(partial):
        return lambda g, *a: g
    if partial == -1 and not callable(partial):
        return lambda g, *a: -g
    if callable(partial):
        if strong:
            return lambda g, *a: scale(g, partial(*a))
        return lambda g, *a: g * partial(*a)
    if partial == 0 and partial is not None:
        return lambda g, *a: g * 0
    del n
    raise TypeError(f"{partial!r} is not a partial derivative")


def make(primitive: Primitive) -> Function:
    """Return the function that applies a primitive."""
    if isinstance(primitive, Elementwise) and None not in primitive.partials:
        if len(primitive.partials) == 1:
            return make_unary(primitive)
        if len(primitive.partials) == 2:
            return make_binary(primitive)
    if isinstance(primitive, Linear) and not primitive.variadic and len(primitive.transposes) == 1:
        return make_unary_linear(primitive)
    if isinstance(primitive, Multilinear) and not primitive.variadic and len(primitive.transposes) == 2:
        return make_binary_multilinear(primitive)

    def function(*args: Any, **params: Any) -> Any:
        return apply(primitive, args, params)

    return function


# --- elementwise, one argument ------------------------------------------------------------------


def make_unary(primitive: Elementwise) -> Function:
    """Return the function of an elementwise primitive of one argument."""
    impl = primitive.impl
    partial = primitive.partials[0]
    keep_out, keep_x = reads(partial) or (False, False)
    pull = _unary_pull(partial)
    push = _unary_push(product(partial, 0, False))
    times = product(partial, 0, False)
    RULES[pull] = Rules(
        primitive,
        pull,
        _unary_pull_by(product(partial, 0, True)),
        push,
        _unary_push(product(partial, 0, True)),
    )

    def function(a: Any) -> Any:
        if type(a) is TracedArray:
            recorder = a.recorder
            push_record = recorder.push
            if push_record is not None:
                x = a.value
                v = function(x) if type(x) is TracedArray else impl(x)
                out = _new(TracedArray)
                out.value = v
                out.recorder = recorder
                out.place = k = recorder.next()
                push_record((pull, k, a.place, -1, x if keep_x else None, None, v if keep_out else None, None))
                return out
            if recorder.forward:
                x = a.value
                t = a.place
                v = function(x) if type(x) is TracedArray else impl(x)
                out = _new(TracedArray)
                out.value = v
                out.recorder = recorder
                out.place = None if t is None else times(t, v, x)
                return out
        elif type(a) is _ndarray:
            return impl(a)
        return apply(primitive, (a,), {})

    return function


def _unary_pull(partial: Partial) -> Function:
    if callable(partial):

        def pull(cot: Any, g: Any, i: int, _j: int, x: Any, _y: Any, v: Any, t: Any) -> None:
            if i >= 0:
                h = g * partial(v, x)
                c = cot[i]
                cot[i] = h if c is None else c + h

        return pull
    return _unary_pull_by(product(partial, 0, False))


def _unary_pull_by(times: Function) -> Function:
    def pull(cot: Any, g: Any, i: int, _j: int, x: Any, _y: Any, v: Any, t: Any) -> None:
        if i >= 0:
            h = times(g, v, x)
            c = cot[i]
            cot[i] = h if c is None else c + h

    return pull


def _unary_push(times: Function) -> Function:
    def push(tan: Any, k: int, i: int, _j: int, x: Any, _y: Any, v: Any, t: Any) -> None:
        if i >= 0 and tan[i] is not None:
            tan[k] = times(tan[i], v, x)

    return push


# --- elementwise, two arguments -----------------------------------------------------------------


def make_binary(primitive: Elementwise) -> Function:
    """Return the function of an elementwise primitive of two arguments."""
    impl = primitive.impl
    p0, p1 = primitive.partials
    (v0, x0, y0), (v1, x1, y1) = (reads(p) or (False,) * 3 for p in (p0, p1))
    keep_v, keep_x, keep_y = v0 or v1, x0 or x1, y0 or y1
    times0, times1 = product(p0, 0, False), product(p1, 1, False)
    strong0, strong1 = product(p0, 0, True), product(p1, 1, True)
    pull = _binary_pull(p0, p1)
    RULES[pull] = Rules(
        primitive,
        pull,
        _binary_pull_by(strong0, strong1),
        _binary_push(times0, times1),
        _binary_push(strong0, strong1),
    )
    operate = primitive.operator or _operate(impl)

    def function(a: Any, b: Any) -> Any:
        if type(a) is TracedArray:
            recorder = a.recorder
            push_record = recorder.push
            if push_record is not None:
                if type(b) is TracedArray:
                    if b.recorder is recorder:
                        x = a.value
                        y = b.value
                        v = operate(x, y)
                        out = _new(TracedArray)
                        out.value = v
                        out.recorder = recorder
                        out.place = k = recorder.next()
                        push_record(
                            (
                                pull,
                                k,
                                a.place,
                                b.place,
                                x if keep_x else None,
                                y if keep_y else None,
                                v if keep_v else None,
                                None
                                if x.shape == y.shape and x.dtype is y.dtype
                                else (type_of(x), type_of(y), type_of(v)),
                            )
                        )
                        return out
                elif (kind := type(b)) in PLAIN_SCALARS or (kind is _ndarray and b.dtype.char != "O"):
                    x = a.value
                    v = operate(x, b)
                    out = _new(TracedArray)
                    out.value = v
                    out.recorder = recorder
                    out.place = k = recorder.next()
                    push_record(
                        (
                            pull,
                            k,
                            a.place,
                            -1,
                            x if x0 else None,
                            b if y0 else None,
                            v if v0 else None,
                            None
                            if kind in _WEAK or (x.shape == v.shape and x.dtype is v.dtype)
                            else (type_of(x), None, type_of(v)),
                        )
                    )
                    return out
            elif recorder.forward:
                if type(b) is TracedArray:
                    if b.recorder is recorder:
                        x = a.value
                        y = b.value
                        v = operate(x, y)
                        out = _new(TracedArray)
                        out.value = v
                        out.recorder = recorder
                        t = a.place
                        s = b.place
                        if t is not None:
                            t = times0(t, v, x, y)
                            if s is not None:
                                t = t + times1(s, v, x, y)
                        elif s is not None:
                            t = times1(s, v, x, y)
                        if t is not None and not (x.shape == y.shape and x.dtype is y.dtype):
                            t = match_tangent(t, type_of(v))
                        out.place = t
                        return out
                elif (kind := type(b)) in PLAIN_SCALARS or (kind is _ndarray and b.dtype.char != "O"):
                    x = a.value
                    v = operate(x, b)
                    out = _new(TracedArray)
                    out.value = v
                    out.recorder = recorder
                    t = a.place
                    if t is not None:
                        t = times0(t, v, x, b)
                        if not (kind in _WEAK or (x.shape == v.shape and x.dtype is v.dtype)):
                            t = match_tangent(t, type_of(v))
                    out.place = t
                    return out
        elif type(b) is TracedArray:
            kind = type(a)
            if kind in PLAIN_SCALARS or (kind is _ndarray and a.dtype.char != "O"):
                recorder = b.recorder
                push_record = recorder.push
                if push_record is not None:
                    y = b.value
                    v = operate(a, y)
                    out = _new(TracedArray)
                    out.value = v
                    out.recorder = recorder
                    out.place = k = recorder.next()
                    push_record(
                        (
                            pull,
                            k,
                            -1,
                            b.place,
                            a if x1 else None,
                            y if y1 else None,
                            v if v1 else None,
                            None
                            if kind in _WEAK or (y.shape == v.shape and y.dtype is v.dtype)
                            else (None, type_of(y), type_of(v)),
                        )
                    )
                    return out
                if recorder.forward:
                    y = b.value
                    v = operate(a, y)
                    out = _new(TracedArray)
                    out.value = v
                    out.recorder = recorder
                    t = b.place
                    if t is not None:
                        t = times1(t, v, a, y)
                        if not (kind in _WEAK or (y.shape == v.shape and y.dtype is v.dtype)):
                            t = match_tangent(t, type_of(v))
                    out.place = t
                    return out
        elif type(a) is _ndarray and type(b) is _ndarray:
            return impl(a, b)
        return apply(primitive, (a, b), {})

    def operate_any(x: Any, y: Any) -> Any:
        if type(x) is TracedArray or type(y) is TracedArray:
            return function(x, y)
        return impl(x, y)

    if primitive.operator is None:
        operate = operate_any
    return function


def _operate(impl: Function) -> Function:
    return impl


def _binary_pull(p0: Partial, p1: Partial) -> Function:
    if callable(p0) and callable(p1):

        def pull(cot: Any, g: Any, i: int, j: int, x: Any, y: Any, v: Any, t: Any) -> None:
            if i >= 0:
                h = g * p0(v, x, y)
                if t is not None:
                    h = match(h, t[0])
                c = cot[i]
                cot[i] = h if c is None else c + h
            if j >= 0:
                h = g * p1(v, x, y)
                if t is not None:
                    h = match(h, t[1])
                c = cot[j]
                cot[j] = h if c is None else c + h

        return pull
    if p0 == 1 and p1 in (1, -1):
        negate = p1 == -1

        def pull_sum(cot: Any, g: Any, i: int, j: int, _x: Any, _y: Any, _v: Any, t: Any) -> None:
            if i >= 0:
                h = g if t is None else match(g, t[0])
                c = cot[i]
                cot[i] = h if c is None else c + h
            if j >= 0:
                h = g if t is None else match(g, t[1])
                c = cot[j]
                if negate:
                    cot[j] = -h if c is None else c - h
                else:
                    cot[j] = h if c is None else c + h

        return pull_sum
    return _binary_pull_by(product(p0, 0, False), product(p1, 1, False))


def _binary_pull_by(times0: Function, times1: Function) -> Function:
    def pull(cot: Any, g: Any, i: int, j: int, x: Any, y: Any, v: Any, t: Any) -> None:
        if i >= 0:
            h = times0(g, v, x, y)
            if t is not None:
                h = match(h, t[0])
            c = cot[i]
            cot[i] = h if c is None else c + h
        if j >= 0:
            h = times1(g, v, x, y)
            if t is not None:
                h = match(h, t[1])
            c = cot[j]
            cot[j] = h if c is None else c + h

    return pull


def _binary_push(times0: Function, times1: Function) -> Function:
    def push(tan: Any, k: int, i: int, j: int, x: Any, y: Any, v: Any, t: Any) -> None:
        out = None
        if i >= 0 and tan[i] is not None:
            out = times0(tan[i], v, x, y)
        if j >= 0 and tan[j] is not None:
            h = times1(tan[j], v, x, y)
            out = h if out is None else out + h
        if out is not None:
            tan[k] = out if t is None else match_tangent(out, t[2])

    return push


# --- linear, one argument -----------------------------------------------------------------------


def make_unary_linear(primitive: Linear) -> Function:
    """Return the function of a linear primitive of one array argument."""
    impl = primitive.impl
    transpose = primitive.transposes[0]

    accumulate = primitive.accumulate

    def pull(cot: Any, g: Any, i: int, params: Any, shape: Any, dtype: Any, _v: Any, _t: Any) -> None:
        if i >= 0:
            if accumulate is not None:
                cell = Cell(cot[i])
                cot[i] = None
                accumulate(cell, g, ArrayType(shape, dtype), **params)
                cot[i] = cell.value
                return
            kind = ArrayType(shape, dtype)
            h = match(transpose(g, kind, **params), kind)
            c = cot[i]
            cot[i] = h if c is None else c + h

    def push(tan: Any, k: int, i: int, params: Any, _shape: Any, _dtype: Any, _v: Any, _t: Any) -> None:
        if i >= 0 and tan[i] is not None:
            tan[k] = function(tan[i], **params)

    RULES[pull] = Rules(primitive, pull, pull, push, push)

    def function(a: Any, **params: Any) -> Any:
        if type(a) is TracedArray:
            recorder = a.recorder
            push_record = recorder.push
            if push_record is not None:
                x = a.value
                out = _new(TracedArray)
                out.value = function(x, **params) if type(x) is TracedArray else impl(x, **params)
                out.recorder = recorder
                out.place = k = recorder.next()
                push_record((pull, k, a.place, params, x.shape, x.dtype, None, None))
                return out
            if recorder.forward:
                x = a.value
                t = a.place
                out = _new(TracedArray)
                out.value = function(x, **params) if type(x) is TracedArray else impl(x, **params)
                out.recorder = recorder
                out.place = None if t is None else function(t, **params)
                return out
        elif type(a) is _ndarray and a.dtype.char != "O":
            return impl(a, **params)
        return apply(primitive, (a,), params)

    return function


# --- multilinear, two arguments -----------------------------------------------------------------


def make_binary_multilinear(primitive: Multilinear) -> Function:
    """Return the function of a bilinear primitive, such as matmul, with static params."""
    impl = primitive.impl
    transpose0, transpose1 = primitive.transposes

    def pull(cot: Any, g: Any, i: int, j: int, x: Any, y: Any, params: Any, t: Any) -> None:
        if i >= 0:
            h = match(transpose0(g, x if x is not None else t[0], y, **params), t[0])
            c = cot[i]
            cot[i] = h if c is None else c + h
        if j >= 0:
            h = match(transpose1(g, x, y if y is not None else t[1], **params), t[1])
            c = cot[j]
            cot[j] = h if c is None else c + h

    def push(tan: Any, k: int, i: int, j: int, x: Any, y: Any, params: Any, t: Any) -> None:
        out = None
        if i >= 0 and tan[i] is not None:
            out = function(tan[i], y, **params)
        if j >= 0 and tan[j] is not None:
            h = function(x, tan[j], **params)
            out = h if out is None else out + h
        if out is not None:
            tan[k] = match_tangent(out, t[2])

    RULES[pull] = Rules(primitive, pull, pull, push, push)

    def function(a: Any, b: Any, **params: Any) -> Any:
        ta = type(a)
        tb = type(b)
        if ta is TracedArray:
            recorder = a.recorder
            other = tb is TracedArray and b.recorder is recorder
            if other or (tb is _ndarray and b.dtype.char != "O"):
                if recorder.push is not None:
                    x = a.value
                    y = b.value if other else b
                    return _record(recorder, x, y, a.place, b.place if other else -1, params)
                if recorder.forward:
                    x = a.value
                    y = b.value if other else b
                    return _carry(recorder, x, y, a.place, b.place if other else None, params)
        elif tb is TracedArray:
            if ta is _ndarray and a.dtype.char != "O":
                recorder = b.recorder
                if recorder.push is not None:
                    return _record(recorder, a, b.value, -1, b.place, params)
                if recorder.forward:
                    return _carry(recorder, a, b.value, None, b.place, params)
        elif ta is _ndarray and tb is _ndarray and a.dtype.char != "O" and b.dtype.char != "O":
            return impl(a, b, **params)
        return apply(primitive, (a, b), params)

    def _record(recorder: Any, x: Any, y: Any, i: int, j: int, params: Any) -> Any:
        v = operate(x, y, params)
        out = _new(TracedArray)
        out.value = v
        out.recorder = recorder
        out.place = k = recorder.next()
        recorder.push(
            (
                pull,
                k,
                i,
                j,
                x if j >= 0 else None,
                y if i >= 0 else None,
                params,
                (type_of(x), type_of(y), type_of(v)),
            )
        )
        return out

    def _carry(recorder: Any, x: Any, y: Any, t: Any, s: Any, params: Any) -> Any:
        v = operate(x, y, params)
        out = _new(TracedArray)
        out.value = v
        out.recorder = recorder
        if t is not None:
            t = function(t, y, **params)
            if s is not None:
                t = t + function(x, s, **params)
        elif s is not None:
            t = function(x, s, **params)
        out.place = None if t is None else match_tangent(t, type_of(v))
        return out

    def operate(x: Any, y: Any, params: Any) -> Any:
        if type(x) is TracedArray or type(y) is TracedArray:
            return function(x, y, **params)
        return impl(x, y, **params)

    return function


__all__ = ["PLAIN_SCALARS", "RULES", "Rules", "attach", "make", "product"]
