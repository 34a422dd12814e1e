"""Bessel functions: derivatives with respect to the argument by DLMF 10.6.1 and 10.29.1.

Derivatives with respect to the order are computed in `bessel_orders`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff import errors
from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.arithmetic import absolute, sign
from funcdiff.primitives.domains import POSITIVE, REALS, on, orders
from funcdiff.primitives.exponential import exp
from funcdiff.primitives.special.bessel_orders import ive_order, jv_order, kve_order, yv_order
from funcdiff.primitives.special.shared import INTEGER


def both_orders(*interval: float) -> Callable[[np.random.Generator], Any]:
    """Return a sampler with whole orders, and one real order."""

    def samples(rng: np.random.Generator) -> Any:
        low, high = interval
        return [*orders(low, high)(rng), ((rng.uniform(0.3, 2.0, 3), rng.uniform(low, high, 3)), {})]

    return samples


jv: Function = elementwise(
    sp.jv,
    [
        lambda _out, v, x: jv_order(v, x, orders=(1,)),
        lambda _out, v, x: (jv(v - 1, x) - jv(v + 1, x)) / 2,
    ],
    samples=both_orders(*POSITIVE),
    name="jv",
)
yv: Function = elementwise(
    sp.yv,
    [
        lambda _out, v, x: yv_order(v, x, orders=(1,)),
        lambda _out, v, x: (yv(v - 1, x) - yv(v + 1, x)) / 2,
    ],
    samples=both_orders(*POSITIVE),
)
iv: Function = elementwise(
    sp.iv,
    [
        lambda _out, v, x: exp(absolute(x)) * ive_order(v, x, orders=(1,)),
        lambda _out, v, x: (iv(v - 1, x) + iv(v + 1, x)) / 2,
    ],
    samples=both_orders(*POSITIVE),
)
kv: Function = elementwise(
    sp.kv,
    [
        lambda _out, v, x: exp(-x) * kve_order(v, x, orders=(1,)),
        lambda _out, v, x: (kv(v - 1, x) + kv(v + 1, x)) / -2,
    ],
    samples=both_orders(*POSITIVE),
)

# --- scaled ----------------------------------------------------------------------------------------------


def _real_argument(x: Any, name: str) -> Any:
    if x.dtype.kind == "c":
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"{name} of a complex argument is scaled by an absolute value and so is not holomorphic: write it "
                "with the unscaled function."
            )
        )
    return x


jve: Function = elementwise(  # exp(-|Im x|) jv(v, x)
    sp.jve,
    [
        lambda _out, v, x: jv_order(v, x, orders=(1,)),
        lambda _out, v, x: (jve(v - 1, _real_argument(x, "jve")) - jve(v + 1, x)) / 2,
    ],
    samples=both_orders(*POSITIVE),
)
yve: Function = elementwise(  # exp(-|Im x|) yv(v, x)
    sp.yve,
    [
        lambda _out, v, x: yv_order(v, x, orders=(1,)),
        lambda _out, v, x: (yve(v - 1, _real_argument(x, "yve")) - yve(v + 1, x)) / 2,
    ],
    samples=both_orders(*POSITIVE),
)
ive: Function = elementwise(  # exp(-|Re x|) iv(v, x)
    sp.ive,
    [
        lambda _out, v, x: ive_order(v, x, orders=(1,)),
        lambda out, v, x: (ive(v - 1, x) + ive(v + 1, x)) / 2 - sign(_real_argument(x, "ive")) * out,
    ],
    samples=both_orders(*POSITIVE),
)
kve: Function = elementwise(  # exp(x) kv(v, x)
    sp.kve,
    [
        lambda _out, v, x: kve_order(v, x, orders=(1,)),
        lambda out, v, x: out - (kve(v - 1, x) + kve(v + 1, x)) / 2,
    ],
    samples=both_orders(*POSITIVE),
)

# --- Hankel's functions, scaled by exp(∓ix) ----------------------------------------------------------------


def _hankel_order(v: Any, x: Any) -> Any:
    return jv_order(v, x, orders=(1,)), yv_order(v, x, orders=(1,))


def _first(v: Any, x: Any) -> Any:
    j, y = _hankel_order(v, x)
    return j + 1j * y


def _second(v: Any, x: Any) -> Any:
    j, y = _hankel_order(v, x)
    return j - 1j * y


hankel1: Function = elementwise(
    sp.hankel1,
    [
        lambda _out, v, x: _first(v, x),
        lambda _out, v, x: (hankel1(v - 1, x) - hankel1(v + 1, x)) / 2,
    ],
    samples=both_orders(*POSITIVE),
)
hankel2: Function = elementwise(
    sp.hankel2,
    [
        lambda _out, v, x: _second(v, x),
        lambda _out, v, x: (hankel2(v - 1, x) - hankel2(v + 1, x)) / 2,
    ],
    samples=both_orders(*POSITIVE),
)
hankel1e: Function = elementwise(
    sp.hankel1e,
    [
        lambda _out, v, x: exp(-1j * x) * _first(v, x),
        lambda out, v, x: (hankel1e(v - 1, x) - hankel1e(v + 1, x)) / 2 - 1j * out,
    ],
    samples=both_orders(*POSITIVE),
)
hankel2e: Function = elementwise(
    sp.hankel2e,
    [
        lambda _out, v, x: exp(1j * x) * _second(v, x),
        lambda out, v, x: (hankel2e(v - 1, x) - hankel2e(v + 1, x)) / 2 + 1j * out,
    ],
    samples=both_orders(*POSITIVE),
)

# --- of whole orders ---------------------------------------------------------------------------------------

yn = elementwise(
    sp.yn,
    [None, lambda _out, n, x: (yv(n - 1, x) - yv(n + 1, x)) / 2],
    samples=orders(*POSITIVE),
    missing={0: INTEGER},
    name="yn",
)
kn = elementwise(
    sp.kn,
    [None, lambda _out, n, x: (kv(n - 1, x) + kv(n + 1, x)) / -2],
    samples=orders(*POSITIVE),
    missing={0: INTEGER},
    name="kn",
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
