"""Hypergeometric functions with respect to their argument (DLMF 13.3.15, 13.3.22, 15.5.1, 16.3.1).

Their derivatives with respect to parameters are in `hypergeometric_parameters`.
"""

from __future__ import annotations

from typing import Any

import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.domains import AROUND_ZERO, POSITIVE, REALS, on
from funcdiff.primitives.special import hypergeometric_parameters as parameters
from funcdiff.primitives.special.shared import in_dtype_of

hyp0f1: Function = elementwise(
    sp.hyp0f1,
    [
        lambda _out, b, z: parameters.hyp0f1(b, z, orders=(1, 0)),
        lambda _out, b, z: hyp0f1(b + 1, z) / b,
    ],
    samples=on(POSITIVE, REALS),
)
hyp1f1: Function = elementwise(
    sp.hyp1f1,
    [
        lambda _out, a, b, z: parameters.hyp1f1(a, b, z, orders=(1, 0, 0)),
        lambda _out, a, b, z: parameters.hyp1f1(a, b, z, orders=(0, 1, 0)),
        lambda _out, a, b, z: hyp1f1(a + 1, b + 1, z) * (a / b),
    ],
    samples=on(POSITIVE, POSITIVE, REALS),
)
hyp2f1: Function = elementwise(
    sp.hyp2f1,
    [
        lambda _out, a, b, c, z: parameters.hyp2f1(a, b, c, z, orders=(1, 0, 0, 0)),
        lambda _out, a, b, c, z: parameters.hyp2f1(a, b, c, z, orders=(0, 1, 0, 0)),
        lambda _out, a, b, c, z: parameters.hyp2f1(a, b, c, z, orders=(0, 0, 1, 0)),
        lambda _out, a, b, c, z: hyp2f1(a + 1, b + 1, c + 1, z) * (a * b / c),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE, AROUND_ZERO),
)
hyperu: Function = elementwise(
    sp.hyperu,
    [
        lambda _out, a, b, x: parameters.hyperu(a, b, x, orders=(1, 0, 0)),
        lambda _out, a, b, x: parameters.hyperu(a, b, x, orders=(0, 1, 0)),
        lambda _out, a, b, x: -a * hyperu(a + 1, b + 1, x),
    ],
    samples=on(POSITIVE, POSITIVE, POSITIVE),
)


def weak_hyp2f1(a: float, b: float, c: float, z: Any) -> Any:
    """The function in the precision of z, where SciPy would answer in double precision."""
    return in_dtype_of(z, hyp2f1(a, b, c, z))
