"""Spherical Bessel functions of whole order, and their derivatives, for which SciPy has ufuncs of their own.

All obey (2n + 1) f_n' = ±n f_{n-1} ± (n + 1) f_{n+1} (DLMF 10.51.2, 10.51.5), which is regular at 0.
"""

from __future__ import annotations

from typing import Any

import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.core.primitive import Function
from funcdiff.primitives.arithmetic import scale
from funcdiff.primitives.domains import POSITIVE, orders
from funcdiff.primitives.special.shared import INTEGER


def _slope(f: Function, below: int, above: int, n: Any, x: Any) -> Any:
    return (scale(below * n, f(abs(n - 1), x)) + above * (n + 1) * f(n + 1, x)) / (2 * n + 1)


_ABOUT: dict[str, Any] = {"samples": orders(*POSITIVE), "missing": {0: INTEGER}, "holomorphic": True}

jn: Function = elementwise(
    sp._ufuncs._spherical_jn,
    [None, lambda _out, n, x: _slope(jn, 1, -1, n, x)],
    name="spherical_jn",
    **_ABOUT,
)
yn: Function = elementwise(
    sp._ufuncs._spherical_yn,
    [None, lambda _out, n, x: _slope(yn, 1, -1, n, x)],
    name="spherical_yn",
    **_ABOUT,
)
in_: Function = elementwise(
    sp._ufuncs._spherical_in,
    [None, lambda _out, n, x: _slope(in_, 1, 1, n, x)],
    name="spherical_in",
    **_ABOUT,
)
kn: Function = elementwise(
    sp._ufuncs._spherical_kn,
    [None, lambda _out, n, x: _slope(kn, -1, -1, n, x)],
    name="spherical_kn",
    **_ABOUT,
)
jn_slope: Function = elementwise(
    sp._ufuncs._spherical_jn_d,
    [None, lambda _out, n, x: _slope(jn_slope, 1, -1, n, x)],
    name="spherical_jn_slope",
    **_ABOUT,
)
yn_slope: Function = elementwise(
    sp._ufuncs._spherical_yn_d,
    [None, lambda _out, n, x: _slope(yn_slope, 1, -1, n, x)],
    name="spherical_yn_slope",
    **_ABOUT,
)
in_slope: Function = elementwise(
    sp._ufuncs._spherical_in_d,
    [None, lambda _out, n, x: _slope(in_slope, 1, 1, n, x)],
    name="spherical_in_slope",
    **_ABOUT,
)
kn_slope: Function = elementwise(
    sp._ufuncs._spherical_kn_d,
    [None, lambda _out, n, x: _slope(kn_slope, -1, -1, n, x)],
    name="spherical_kn_slope",
    **_ABOUT,
)
