"""Selecting: where, clip, select, take and their relatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray
from funcdiff.numpy._arguments import UNSET, as_array, deliver, given
from funcdiff.numpy._protocol import implements
from funcdiff.primitives import selection as p
from funcdiff.primitives.comparison import not_equal


def condition_of(c: Any) -> Any:
    """Return a condition as booleans; a traced number asks whether it is zero."""
    c = as_array(c)
    return c if c.dtype == bool else not_equal(c, 0)


def branch(x: Any) -> Any:
    """Return an operand; Python numbers stay weak."""
    return x if isinstance(x, (int, float, complex)) else as_array(x)


@implements(np.where)
def where(condition: Any, x: Any = UNSET, y: Any = UNSET, /) -> Any:
    """Select from two arrays; with one argument, say where the condition holds."""
    if x is UNSET and y is UNSET:
        from funcdiff.numpy.queries import nonzero

        return nonzero(condition)
    if x is UNSET or y is UNSET:
        raise ValueError("either both or neither of x and y should be given")
    return p.where(condition_of(condition), branch(x), branch(y))
