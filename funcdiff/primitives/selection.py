"""Selecting between values: `where` and `clip`.  What is not selected has no derivative, not even 0 * nan."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.alignment import align
from funcdiff.core.declare import general
from funcdiff.core.primitive import Function
from funcdiff.primitives.comparison import bitwise_or, greater, invert, less


def _batch_where(values: Any, flags: Any, _size: int) -> Any:
    return where(*align(values, flags))


def _where(c: Any, x: Any, y: Any) -> Any:
    return np.where(c, x, y)


where: Function = general(
    _where,
    jvps=[None, lambda t, _out, c, _x, _y: where(c, t, 0), lambda t, _out, c, _x, _y: where(c, 0, t)],
    transposes=[None, lambda g, _out, c, _x, _y: where(c, g, 0), lambda g, _out, c, _x, _y: where(c, 0, g)],
    batch=_batch_where,
    name="where",
    samples=lambda rng: [
        ((rng.standard_normal(4) > 0, rng.standard_normal(4), rng.standard_normal(4)), {}),
        ((rng.standard_normal((3, 1)) > 0, rng.standard_normal(2), rng.standard_normal((3, 2))), {}),
        ((True, rng.standard_normal(), rng.standard_normal((2, 2))), {}),
    ],
    doc="``x`` where the boolean ``c`` holds, ``y`` elsewhere; linear in the two, `c` is a constant.",
)


def _above(x: Any, low: Any, high: Any) -> Any:
    return bitwise_or(greater(x, high), greater(low, high))  # NumPy lets the upper bound win


def _below(x: Any, low: Any, high: Any) -> Any:
    return less(x, low) & invert(greater(low, high))


def _outside(x: Any, low: Any, high: Any) -> Any:
    return bitwise_or(less(x, low), _above(x, low, high))


clip: Function = general(
    np.clip,
    jvps=[
        lambda t, _out, x, low, high: where(_outside(x, low, high), 0, t),
        lambda t, _out, x, low, high: where(_below(x, low, high), t, 0),
        lambda t, _out, x, low, high: where(_above(x, low, high), t, 0),
    ],
    vjps=[
        lambda g, _out, x, low, high: where(_outside(x, low, high), 0, g),
        lambda g, _out, x, low, high: where(_below(x, low, high), g, 0),
        lambda g, _out, x, low, high: where(_above(x, low, high), g, 0),
    ],
    batch=lambda values, flags, size: clip(*align(values, flags)),
    name="clip",
    samples=lambda rng: [
        ((rng.uniform(-2, 2, 6), -0.5, 0.7), {}),
        ((rng.uniform(-2, 2, (3, 4)), rng.uniform(-1, 0, 4), rng.uniform(0, 1, (3, 1))), {}),
        ((rng.uniform(-2, 2), rng.uniform(-1, 0, 3), 1.0), {}),
    ],
    holomorphic=False,
    doc="Limit to an interval, which may be traced too; the derivative passes on the closed interval.",
)
