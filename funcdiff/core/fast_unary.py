"""The functions that apply elementwise primitives of one argument."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.primitive import Elementwise, Function, Over, Partial, reads, result
from funcdiff.core.recording import TracedArray, apply
from funcdiff.core.rules import RULES, Rules, product

_ndarray = np.ndarray


def same_type(impl: Any) -> bool:
    """Tell whether results have the dtype of the operands, whatever inexact dtype these share."""
    if not isinstance(impl, np.ufunc):
        return False
    same = {c: f"{c * impl.nin}->{c}" for c in "efdgFDG"}
    takes_complex = any(loop.startswith(c) for c in "FDG" for loop in impl.types)
    return all(same[c] in impl.types for c in ("efdgFDG" if takes_complex else "efdg"))


def make_unary(primitive: Elementwise) -> Function:
    """Return the function of an elementwise primitive of one argument."""
    impl = primitive.impl
    partial = primitive.partials[0]
    keep_out, keep_x = reads(partial) or (False, False)
    pull = _unary_pull(partial)
    push = _unary_push(product(partial, False, 1))
    times = product(partial, False, 1)
    keeps_type = same_type(impl)
    RULES[pull] = Rules(
        primitive,
        pull,
        _unary_pull_by(product(partial, True, 1)),
        push,
        _unary_push(product(partial, True, 1)),
    )

    def function(a: Any) -> Any:
        if type(a) is TracedArray:
            recorder = a.recorder
            tape = recorder.tape
            if tape is not None:
                x = a.value
                v = function(x) if type(x) is TracedArray else impl(x)
                out = TracedArray()
                out.value = v
                out.recorder = recorder
                out.kind = a.kind if keeps_type else None
                out.place = k = len(tape)
                tape += (pull, k, a.place, -1, x if keep_x else None, None, v if keep_out else None, None)
                return out
            if recorder.forward:
                x = a.value
                t = a.place
                v = function(x) if type(x) is TracedArray else impl(x)
                out = TracedArray()
                out.value = v
                out.recorder = recorder
                out.kind = a.kind if keeps_type else None
                out.place = None if t is None else times(t, v, x)
                return out
            if recorder.batch:
                x = a.value
                out = TracedArray()
                out.value = function(x) if type(x) is TracedArray else impl(x)
                out.recorder = recorder
                out.kind = a.kind if keeps_type else None
                out.place = a.place
                return out
            if recorder.direct:
                return recorder.apply(primitive, (a,), {})
        elif type(a) is _ndarray:
            return impl(a)
        return apply(primitive, (a,), {})

    return function


def _unary_pull(partial: Partial) -> Function:
    if partial is result:

        def pull_by_result(cot: Any, g: Any, i: int, _j: int, _x: Any, _y: Any, v: Any, t: Any) -> None:
            if i >= 0:
                c = cot[i]
                cot[i] = g * v if c is None else c + g * v

        return pull_by_result
    if callable(partial) and not hasattr(partial, "times"):

        def pull(cot: Any, g: Any, i: int, _j: int, x: Any, _y: Any, v: Any, t: Any) -> None:
            if i >= 0:
                c = cot[i]
                cot[i] = g * partial(v, x) if c is None else c + g * partial(v, x)

        return pull
    if isinstance(partial, Over):
        below = partial.denominator

        def pull_over(cot: Any, g: Any, i: int, _j: int, x: Any, _y: Any, v: Any, t: Any) -> None:
            if i >= 0:
                c = cot[i]
                cot[i] = g / below(v, x) if c is None else c + g / below(v, x)

        return pull_over
    return _unary_pull_by(product(partial, False, 1))


def _unary_pull_by(times: Function) -> Function:
    def pull(cot: Any, g: Any, i: int, _j: int, x: Any, _y: Any, v: Any, t: Any) -> None:
        if i >= 0:
            c = cot[i]
            cot[i] = times(g, v, x) if c is None else c + times(g, v, x)

    return pull


def _unary_push(times: Function) -> Function:
    def push(tan: Any, k: int, i: int, _j: int, x: Any, _y: Any, v: Any, t: Any) -> None:
        if i >= 0 and tan[i] is not None:
            tan[k] = times(tan[i], v, x)

    return push
