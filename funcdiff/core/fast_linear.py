"""The functions that apply linear primitives of one argument and bilinear ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.constants import keep
from funcdiff.core.matching import match, match_tangent, spread
from funcdiff.core.mutation import Cell
from funcdiff.core.primitive import Function, Linear, Multilinear
from funcdiff.core.recording import TracedArray, apply
from funcdiff.core.rules import PLAIN_SCALARS, RULES, Rules

_ndarray = np.ndarray


# --- linear, one argument -----------------------------------------------------------------------


def make_unary_linear(primitive: Linear) -> Function:
    """Return the function of a linear primitive of one array argument."""
    impl = primitive.impl
    transpose = primitive.transposes[0]

    accumulate = primitive.accumulate

    def pull(cot: Any, g: Any, i: int, params: Any, shape: Any, dtype: Any, made: Any, _t: Any) -> None:
        if i >= 0:
            kind = ArrayType(shape, dtype)
            if g.shape != made:
                g = spread(g, made)
            if accumulate is not None and shape != ():  # a number has no places to add to
                c = cot[i]
                cell = Cell(c if c is None or c.shape == shape else spread(c, shape))
                del c
                cot[i] = None
                accumulate(cell, g, kind, **params)
                cot[i] = cell.value
                return
            h = transpose(g, kind, **params)
            if h.shape != ():
                h = match(h, kind)
            c = cot[i]
            cot[i] = h if c is None else c + h

    def push(tan: Any, k: int, i: int, params: Any, _shape: Any, _dtype: Any, _v: Any, _t: Any) -> None:
        if i >= 0 and tan[i] is not None:
            tan[k] = function(tan[i], **params)

    RULES[pull] = Rules(primitive, pull, pull, push, push)

    def function(a: Any, **params: Any) -> Any:
        if type(a) is TracedArray:
            recorder = a.recorder
            tape = recorder.tape
            if tape is not None:
                x = a.value
                out = TracedArray()
                out.kind = None
                if type(x) is TracedArray:
                    v = function(x, **params)
                    if type(v) is TracedArray:
                        out.kind = v.kind
                else:
                    v = impl(x, **params)
                out.value = v
                out.recorder = recorder
                out.place = k = len(tape)
                tape += (pull, k, a.place, params, x.shape, x.dtype, v.shape, None)
                return out
            if recorder.forward:
                x = a.value
                t = a.place
                out = TracedArray()
                out.kind = None
                out.value = function(x, **params) if type(x) is TracedArray else impl(x, **params)
                out.recorder = recorder
                out.place = None if t is None else function(t, **params)
                return out
            if recorder.direct:
                return recorder.apply(primitive, (a,), params)
        elif type(a) in PLAIN_SCALARS or (type(a) is _ndarray and a.dtype.char != "O"):
            return impl(a, **params)
        return apply(primitive, (a,), params)

    return function


# --- multilinear, two arguments -----------------------------------------------------------------


def make_binary_multilinear(primitive: Multilinear) -> Function:
    """Return the function of a bilinear primitive, such as matmul, with static params."""
    impl = primitive.impl
    transpose0, transpose1 = primitive.transposes

    def pull(cot: Any, g: Any, i: int, j: int, x: Any, y: Any, params: Any, t: Any) -> None:
        if g.shape != t[2].shape:
            g = spread(g, t[2].shape)
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
                if recorder.tape is not None:
                    x = a.value
                    y = b.value if other else b
                    return _record(recorder, x, y, a.place, b.place if other else -1, params)
                if recorder.forward:
                    x = a.value
                    y = b.value if other else b
                    return _carry(recorder, x, y, a.place, b.place if other else None, params)
                if recorder.direct:
                    return recorder.apply(primitive, (a, b), params)
        elif tb is TracedArray:
            if ta is _ndarray and a.dtype.char != "O":
                recorder = b.recorder
                if recorder.tape is not None:
                    return _record(recorder, a, b.value, -1, b.place, params)
                if recorder.forward:
                    return _carry(recorder, a, b.value, None, b.place, params)
                if recorder.direct:
                    return recorder.apply(primitive, (a, b), params)
        elif ta is _ndarray and tb is _ndarray and a.dtype.char != "O" and b.dtype.char != "O":
            return impl(a, b, **params)
        return apply(primitive, (a, b), params)

    def _record(recorder: Any, x: Any, y: Any, i: int, j: int, params: Any) -> Any:
        v = operate(x, y, params)
        out = TracedArray()
        out.kind = None
        out.value = v
        out.recorder = recorder
        tape = recorder.tape
        out.place = k = len(tape)
        tape += (
            pull,
            k,
            i,
            j,
            (x if i >= 0 else keep(recorder, x)) if j >= 0 else None,
            (y if j >= 0 else keep(recorder, y)) if i >= 0 else None,
            params,
            (type_of(x), type_of(y), type_of(v)),
        )
        return out

    def _carry(recorder: Any, x: Any, y: Any, t: Any, s: Any, params: Any) -> Any:
        v = operate(x, y, params)
        out = TracedArray()
        out.kind = None
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
