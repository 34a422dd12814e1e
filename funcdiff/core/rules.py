"""What the sweeps do with the records of the fast path, and products with partial derivatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdiff.core.matching import inverse, scale
from funcdiff.core.primitive import Function, Over, Partial, Primitive

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


def product(partial: Partial, n: int, strong: bool) -> Function:
    """Return ``g, out, *args -> g * partial`` for one argument of an elementwise primitive."""
    if isinstance(partial, Over):
        denominator = partial.denominator
        if strong:
            return lambda g, *a: scale(g, inverse(denominator(*a)))
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
