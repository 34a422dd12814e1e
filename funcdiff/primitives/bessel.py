"""SciPy's Bessel functions; derivatives wrt the argument by DLMF 10.6.1 and 10.29.1, none wrt the order.

Importing this file imports `scipy.special`.
"""

from __future__ import annotations

from typing import Any

import scipy.special as sp

from funcdiff import errors
from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.arithmetic import sign
from funcdiff.primitives.domains import POSITIVE, REALS, on, orders

jv: Function = elementwise(
    sp.jv, [None, lambda _out, v, x: (jv(v - 1, x) - jv(v + 1, x)) / 2], samples=orders(*POSITIVE), name="jv"
)
yv: Function = elementwise(
    sp.yv, [None, lambda _out, v, x: (yv(v - 1, x) - yv(v + 1, x)) / 2], samples=orders(*POSITIVE)
)
iv: Function = elementwise(
    sp.iv, [None, lambda _out, v, x: (iv(v - 1, x) + iv(v + 1, x)) / 2], samples=orders(*POSITIVE)
)
kv: Function = elementwise(
    sp.kv, [None, lambda _out, v, x: (kv(v - 1, x) + kv(v + 1, x)) / -2], samples=orders(*POSITIVE)
)


def _real_argument(x: Any, name: str) -> Any:
    if x.dtype.kind == "c":
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"{name} of a complex argument is scaled by an absolute value and so is not holomorphic: write it "
                "with the unscaled function."
            )
        )
    return x


ive: Function = elementwise(  # exp(-|x|) iv(v, x)
    sp.ive,
    [
        None,
        lambda out, v, x: (ive(v - 1, x) + ive(v + 1, x)) / 2 - sign(_real_argument(x, "ive")) * out,
    ],
    samples=orders(*POSITIVE),
)
kve: Function = elementwise(  # exp(x) kv(v, x)
    sp.kve, [None, lambda out, v, x: out - (kve(v - 1, x) + kve(v + 1, x)) / 2], samples=orders(*POSITIVE)
)

j0 = elementwise(sp.j0, [lambda _out, x: -j1(x)], samples=on(REALS))
j1: Function = elementwise(sp.j1, [lambda _out, x: (j0(x) - jv(2.0, x)) / 2], samples=on(REALS))
y0 = elementwise(sp.y0, [lambda _out, x: -y1(x)], samples=on(POSITIVE))
y1: Function = elementwise(sp.y1, [lambda _out, x: (y0(x) - yv(2.0, x)) / 2], samples=on(POSITIVE))
i0 = elementwise(sp.i0, [lambda _out, x: i1(x)], samples=on(REALS))
i1: Function = elementwise(sp.i1, [lambda _out, x: (i0(x) + iv(2.0, x)) / 2], samples=on(REALS))
i0e = elementwise(sp.i0e, [lambda out, x: i1e(x) - sign(x) * out], samples=on(POSITIVE))
i1e: Function = elementwise(
    sp.i1e, [lambda out, x: (i0e(x) + ive(2.0, x)) / 2 - sign(x) * out], samples=on(POSITIVE)
)
k0 = elementwise(sp.k0, [lambda _out, x: -k1(x)], samples=on(POSITIVE))
k1: Function = elementwise(sp.k1, [lambda _out, x: (k0(x) + kv(2.0, x)) / -2], samples=on(POSITIVE))
k0e = elementwise(sp.k0e, [lambda out, x: out - k1e(x)], samples=on(POSITIVE))
k1e: Function = elementwise(sp.k1e, [lambda out, x: out - (k0e(x) + kve(2.0, x)) / 2], samples=on(POSITIVE))
