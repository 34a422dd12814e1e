"""The functions that apply elementwise primitives of two arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.constants import keep
from funcdiff.core.fast_operators import OPERATORS, make_operator
from funcdiff.core.fast_unary import same_type
from funcdiff.core.matching import match, match_tangent, spread
from funcdiff.core.primitive import Elementwise, Function, Over, Partial, first, reads, second
from funcdiff.core.recording import TracedArray, apply
from funcdiff.core.rules import PLAIN_SCALARS, RULES, WEAK_SCALARS, Rules, product

_ndarray = np.ndarray


def _compare(a: TracedArray, b: TracedArray, v: Any) -> tuple[ArrayType | None, Any]:
    """Return the kind that two operands share, as far as known, and the types of all three where they differ."""
    x, y = a.value, b.value
    if x.shape == y.shape and x.dtype is y.dtype:
        return a.kind or b.kind, None
    return None, (type_of(x), type_of(y), type_of(v))


def _mapped(recorder: Any, value: Any) -> TracedArray:
    out = TracedArray()
    out.value = value
    out.recorder = recorder
    out.kind = None
    out.place = True
    return out


def make_binary(primitive: Elementwise) -> Function:
    """Return the function of an elementwise primitive of two arguments."""
    impl = primitive.impl
    p0, p1 = primitive.partials
    (v0, x0, y0), (v1, x1, y1) = (reads(p) or (False,) * 3 for p in (p0, p1))
    keep_v, keep_x, keep_y = v0 or v1, x0 or x1, y0 or y1
    times0, times1 = product(p0, False, 2), product(p1, False, 2)
    strong0, strong1 = product(p0, True, 2), product(p1, True, 2)
    pull = _binary_pull(p0, p1)
    RULES[pull] = Rules(
        primitive,
        pull,
        _binary_pull_by(strong0, strong1),
        _binary_push(times0, times1),
        _binary_push(strong0, strong1),
    )
    operate = primitive.operator or impl
    keeps_type = same_type(impl)

    def function(a: Any, b: Any) -> Any:
        if type(a) is TracedArray:
            recorder = a.recorder
            tape = recorder.tape
            if tape is not None:
                if type(b) is TracedArray:
                    if b.recorder is recorder:
                        x = a.value
                        y = b.value
                        v = operate(x, y)
                        out = TracedArray()
                        out.value = v
                        out.recorder = recorder
                        out.place = k = len(tape)
                        types = None
                        if (shared := a.kind) is None or shared is not b.kind:
                            shared, types = _compare(a, b, v)
                        out.kind = shared if keeps_type else None
                        tape += (
                            pull,
                            k,
                            a.place,
                            b.place,
                            x if keep_x else None,
                            y if keep_y else None,
                            v if keep_v else None,
                            types,
                        )
                        return out
                elif (kind := type(b)) in PLAIN_SCALARS or (kind is _ndarray and b.dtype.char != "O"):
                    x = a.value
                    v = operate(x, b)
                    out = TracedArray()
                    out.value = v
                    out.recorder = recorder
                    out.place = k = len(tape)
                    same = kind in WEAK_SCALARS or (x.shape == v.shape and x.dtype is v.dtype)
                    out.kind = a.kind if keeps_type and same else None
                    tape += (
                        pull,
                        k,
                        a.place,
                        -1,
                        x if x0 else None,
                        (keep(recorder, b) if kind is _ndarray else b) if y0 else None,
                        v if v0 else None,
                        None if same else (type_of(x), None, type_of(v)),
                    )
                    return out
            elif recorder.forward:
                if type(b) is TracedArray:
                    if b.recorder is recorder:
                        x = a.value
                        y = b.value
                        v = operate(x, y)
                        out = TracedArray()
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
                        types = None
                        if (shared := a.kind) is None or shared is not b.kind:
                            shared, types = _compare(a, b, v)
                        out.kind = shared if keeps_type else None
                        if t is not None and types is not None:
                            t = match_tangent(t, types[2])
                        out.place = t
                        return out
                elif (kind := type(b)) in PLAIN_SCALARS or (kind is _ndarray and b.dtype.char != "O"):
                    x = a.value
                    v = operate(x, b)
                    out = TracedArray()
                    out.value = v
                    out.recorder = recorder
                    same = kind in WEAK_SCALARS or (x.shape == v.shape and x.dtype is v.dtype)
                    out.kind = a.kind if keeps_type and same else None
                    t = a.place
                    if t is not None:
                        t = times0(t, v, x, b)
                        if not same:
                            t = match_tangent(t, type_of(v))
                    out.place = t
                    return out
            elif recorder.batch and a.place:
                # batch axis first, the rest aligned from the right: ranks tell whether NumPy broadcasts so
                x = a.value
                kind = type(b)
                if kind is TracedArray:
                    if b.recorder is recorder and b.place and b.value.ndim == x.ndim:
                        return _mapped(recorder, operate(x, b.value))
                elif kind in PLAIN_SCALARS or (kind is _ndarray and b.ndim < x.ndim and b.dtype.char != "O"):
                    return _mapped(recorder, operate(x, b))
            elif recorder.direct:
                kind = type(b)
                if (
                    b.recorder is recorder
                    if kind is TracedArray
                    else kind in PLAIN_SCALARS or (kind is _ndarray and b.dtype.char != "O")
                ):
                    return recorder.apply(primitive, (a, b), {})
        elif type(b) is TracedArray:
            kind = type(a)
            if kind in PLAIN_SCALARS or (kind is _ndarray and a.dtype.char != "O"):
                recorder = b.recorder
                tape = recorder.tape
                if tape is not None:
                    y = b.value
                    v = impl(a, y) if kind is complex else operate(a, y)  # complex.__mul__ takes a float64
                    out = TracedArray()
                    out.value = v
                    out.recorder = recorder
                    out.place = k = len(tape)
                    same = kind in WEAK_SCALARS or (y.shape == v.shape and y.dtype is v.dtype)
                    out.kind = b.kind if keeps_type and same else None
                    tape += (
                        pull,
                        k,
                        -1,
                        b.place,
                        (keep(recorder, a) if kind is _ndarray else a) if x1 else None,
                        y if y1 else None,
                        v if v1 else None,
                        None if same else (None, type_of(y), type_of(v)),
                    )
                    return out
                if recorder.forward:
                    y = b.value
                    v = impl(a, y) if kind is complex else operate(a, y)  # complex.__mul__ takes a float64
                    out = TracedArray()
                    out.value = v
                    out.recorder = recorder
                    same = kind in WEAK_SCALARS or (y.shape == v.shape and y.dtype is v.dtype)
                    out.kind = b.kind if keeps_type and same else None
                    t = b.place
                    if t is not None:
                        t = times1(t, v, a, y)
                        if not same:
                            t = match_tangent(t, type_of(v))
                    out.place = t
                    return out
                if recorder.direct:
                    return recorder.apply(primitive, (a, b), {})
                if (
                    recorder.batch
                    and b.place
                    and (kind in PLAIN_SCALARS or (kind is _ndarray and a.ndim < b.value.ndim))
                ):
                    return _mapped(recorder, impl(a, b.value) if kind is complex else operate(a, b.value))
        elif type(a) is _ndarray and type(b) is _ndarray:
            return impl(a, b)
        return apply(primitive, (a, b), {})

    def operate_any(x: Any, y: Any) -> Any:
        if type(x) is TracedArray or type(y) is TracedArray:
            return function(x, y)
        return impl(x, y)

    if primitive.operator is None:
        operate = operate_any
    if primitive.name in OPERATORS:
        return make_operator(primitive, pull, _compare, function)
    return function


def _binary_pull(p0: Partial, p1: Partial) -> Function:
    """Return the rule that pulls cotangents back through an elementwise primitive of two arguments.

    A product is added where it is made, ``c + g * y``: NumPy then writes the sum of large arrays into the
    product's memory, which takes a tenth off the gradient of a function bound by memory.
    """
    any_types = _binary_pull_by(product(p0, False, 2), product(p1, False, 2))
    if p0 is second and p1 is first:

        def pull_product(cot: Any, g: Any, i: int, j: int, x: Any, y: Any, v: Any, t: Any) -> None:
            if t is not None:
                any_types(cot, g, i, j, x, y, v, t)
                return
            if i >= 0:
                c = cot[i]
                cot[i] = g * y if c is None else c + g * y
            if j >= 0:
                c = cot[j]
                cot[j] = g * x if c is None else c + g * x

        return pull_product
    if callable(p0) and callable(p1):

        def pull(cot: Any, g: Any, i: int, j: int, x: Any, y: Any, v: Any, t: Any) -> None:
            if t is not None:
                any_types(cot, g, i, j, x, y, v, t)
                return
            if i >= 0:
                c = cot[i]
                cot[i] = g * p0(v, x, y) if c is None else c + g * p0(v, x, y)
            if j >= 0:
                c = cot[j]
                cot[j] = g * p1(v, x, y) if c is None else c + g * p1(v, x, y)

        return pull
    if isinstance(p0, Over) and callable(p1):
        below = p0.denominator

        def pull_over(cot: Any, g: Any, i: int, j: int, x: Any, y: Any, v: Any, t: Any) -> None:
            if t is not None:
                any_types(cot, g, i, j, x, y, v, t)
                return
            if i >= 0:
                c = cot[i]
                cot[i] = g / below(v, x, y) if c is None else c + g / below(v, x, y)
            if j >= 0:
                c = cot[j]
                cot[j] = g * p1(v, x, y) if c is None else c + g * p1(v, x, y)

        return pull_over
    if p0 == 1 and p1 in (1, -1):
        negate = p1 == -1

        def pull_sum(cot: Any, g: Any, i: int, j: int, x: Any, y: Any, v: Any, t: Any) -> None:
            if t is not None:
                any_types(cot, g, i, j, x, y, v, t)
                return
            if i >= 0:
                c = cot[i]
                cot[i] = g if c is None else c + g
            if j >= 0:
                c = cot[j]
                if negate:
                    cot[j] = -g if c is None else c - g
                else:
                    cot[j] = g if c is None else c + g

        return pull_sum
    return any_types


def _binary_pull_by(times0: Function, times1: Function) -> Function:
    """Return the rule that undoes broadcasting and promotion where the operands' types differ."""

    def pull(cot: Any, g: Any, i: int, j: int, x: Any, y: Any, v: Any, t: Any) -> None:
        if t is not None and g.shape != t[2].shape:  # one number for all places
            g = spread(g, t[2].shape)
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
