"""What the sweeps do with the records of the fast path, and products with partial derivatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdiff.core.matching import inverse, scale
from funcdiff.core.primitive import Function, Over, Partial, Primitive, first, result, second

PLAIN_SCALARS = frozenset({float, int, bool, complex, np.float64, np.float32, np.int64})
WEAK_SCALARS = frozenset({float, int, bool})


class Rules(NamedTuple):
    """What the sweeps do with a record; `strong` ones keep a zero zero."""

    primitive: Primitive
    pull: Function
    strong_pull: Function
    push: Function
    strong_push: Function


RULES: dict[Function, Rules] = {}


def product(partial: Partial, strong: bool, arity: int = 0) -> Function:
    """Return ``g, out, *args -> g * partial`` for one argument of an elementwise primitive.

    With an arity of 1 or 2 the parameters are written out: packing them costs a tenth of the product.
    """
    if isinstance(partial, Over):
        below = partial.denominator
        if strong:
            return lambda g, *a: scale(g, inverse(below(*a)))
        if arity == 1:
            return lambda g, out, x: g / below(out, x)
        if arity == 2:
            return lambda g, out, x, y: g / below(out, x, y)
        return lambda g, *a: g / below(*a)
    if callable(partial) and hasattr(partial, "times"):
        times: Function = partial.times[strong]
        return times
    if callable(partial):
        if strong:
            return lambda g, *a: scale(g, partial(*a))
        if partial is result:
            return lambda g, out, _x: g * out
        if partial is first:
            return lambda g, _out, x, _y: g * x
        if partial is second:
            return lambda g, _out, _x, y: g * y
        if arity == 1:
            return lambda g, out, x: g * partial(out, x)
        if arity == 2:
            return lambda g, out, x, y: g * partial(out, x, y)
        return lambda g, *a: g * partial(*a)
    if partial == 1:
        return lambda g, *_: g
    if partial == -1:
        return lambda g, *_: -g
    if partial == 0 and partial is not None:
        return lambda g, *_: g * 0
    raise TypeError(f"{partial!r} is not a partial derivative")
