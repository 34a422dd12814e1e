"""Exponentials and logarithms, by one partial derivative each.

Constants are Python numbers: a NumPy scalar would turn float32 into float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function, Over, result
from funcdiff.primitives.domains import AROUND_ZERO, POSITIVE, REALS, on

LOG_2 = math.log(2.0)
LOG_10 = math.log(10.0)

exp: Function = elementwise(np.exp, [result], samples=on(REALS), holomorphic=True)
exp2 = elementwise(np.exp2, [lambda out, _x: out * LOG_2], samples=on(REALS), holomorphic=True)
expm1 = elementwise(np.expm1, [lambda _out, x: exp(x)], samples=on(REALS), holomorphic=True)

log = elementwise(np.log, [Over(lambda _out, x: x)], samples=on(POSITIVE), holomorphic=True)
log2 = elementwise(np.log2, [Over(lambda _out, x: x * LOG_2)], samples=on(POSITIVE), holomorphic=True)
log10 = elementwise(np.log10, [Over(lambda _out, x: x * LOG_10)], samples=on(POSITIVE), holomorphic=True)
log1p = elementwise(np.log1p, [Over(lambda _out, x: 1 + x)], samples=on(AROUND_ZERO), holomorphic=True)


def _difference(x: Any, y: Any) -> Any:
    unequal = np.not_equal(x, y)
    if unequal.all():
        return np.subtract(x, y)
    out = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)), np.result_type(x, y))
    np.subtract(x, y, out=out, where=unequal)
    return out[()]


difference = elementwise(
    _difference,
    [1, -1],
    name="difference",
    samples=on(REALS, REALS),
    doc="``x - y``, and 0 where they are equal, infinities included.",
)


def _share_e(x: Any, y: Any) -> Any:
    """exp(x) / (exp(x) + exp(y)), without overflow, and with 1/2 for equal infinities."""
    return exp(-logaddexp(difference(y, x), 0.0))


def _share_2(x: Any, y: Any) -> Any:
    return exp2(-logaddexp2(difference(y, x), 0.0))


logaddexp: Function = elementwise(
    np.logaddexp,
    [lambda _out, x, y: _share_e(x, y), lambda _out, x, y: _share_e(y, x)],
    samples=on(REALS, REALS),
)
logaddexp2: Function = elementwise(
    np.logaddexp2,
    [lambda _out, x, y: _share_2(x, y), lambda _out, x, y: _share_2(y, x)],
    samples=on(REALS, REALS),
)
