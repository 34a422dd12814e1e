"""Entropies, losses, Box-Cox transforms, and elementary functions that SciPy guards against cancellation."""

from __future__ import annotations

from typing import Any

import scipy.special as sp

from funcdiff.core.declare import elementwise, locally_constant
from funcdiff.core.primitive import Function
from funcdiff.primitives.arithmetic import maximum, minimum, scale, sqrt, weakly
from funcdiff.primitives.domains import AROUND_ZERO, POSITIVE, REALS, on
from funcdiff.primitives.exponential import LOG_10, exp, log, log1p
from funcdiff.primitives.special.hypergeometric import hyp1f1, weak_hyp2f1
from funcdiff.primitives.special.shared import PER_DEGREE
from funcdiff.primitives.trigonometric import sin

# --- entropies and losses ----------------------------------------------------------------------------

# A factor that is zero stays zero whatever it multiplies: `scale`.
xlogy = elementwise(
    sp.xlogy,
    [lambda _out, _x, y: weakly(log, y), lambda _out, x, y: scale(x, 1 / y)],
    samples=on(REALS, POSITIVE),
    holomorphic=True,
)
xlog1py = elementwise(
    sp.xlog1py,
    [lambda _out, _x, y: weakly(log1p, y), lambda _out, x, y: scale(x, 1 / (1 + y))],
    samples=on(REALS, AROUND_ZERO),
    holomorphic=True,
)
entr = elementwise(sp.entr, [lambda _out, x: -log(x) - 1], samples=on(POSITIVE))
rel_entr = elementwise(
    sp.rel_entr,
    [lambda _out, x, y: log(x / y) + 1, lambda _out, x, y: -scale(x, 1 / y)],
    samples=on(POSITIVE, POSITIVE),
)
kl_div = elementwise(
    sp.kl_div,
    [lambda _out, x, y: log(x / y), lambda _out, x, y: 1 - scale(x, 1 / y)],
    samples=on(POSITIVE, POSITIVE),
)
huber = elementwise(
    sp.huber,
    [
        lambda _out, delta, r: maximum(abs(r) - delta, 0.0),
        lambda _out, delta, r: minimum(maximum(r, -delta), delta),
    ],
    samples=on((0.3, 0.9), (-0.25, 2.0)),
)


def _pseudo_huber_slope(delta: Any, r: Any) -> Any:
    ratio = r / delta
    return sqrt(1 + ratio * ratio)


pseudo_huber = elementwise(
    sp.pseudo_huber,
    [
        lambda out, delta, r: 2 * out / delta - r * r / (delta * _pseudo_huber_slope(delta, r)),
        lambda _out, delta, r: r / _pseudo_huber_slope(delta, r),
    ],
    samples=on(POSITIVE, REALS),
)

# exprel = 1F1(1; 2; x) and log1p(u)/u = 2F1(1, 1; 2; -u): their derivatives do not cancel at 0
exprel = elementwise(sp.exprel, [lambda _out, x: _exprel_slope(x)], samples=on(REALS))


def _exprel_slope(x: Any) -> Any:
    return hyp1f1(2.0, 3.0, x) / 2


def _log1prel_slope(u: Any) -> Any:
    return weak_hyp2f1(2.0, 2.0, 3.0, -u) / -2


def boxcox_slope(log_x: Any, lmbda: Any) -> Any:
    """Derivative of log(x) exprel(lambda log(x)) wrt lambda."""
    return log_x * log_x * _exprel_slope(lmbda * log_x)


boxcox = elementwise(
    sp.boxcox,
    [
        lambda _out, x, lmbda: exp((lmbda - 1) * weakly(log, x)),
        lambda _out, x, lmbda: boxcox_slope(weakly(log, x), lmbda),
    ],
    samples=on(POSITIVE, REALS),
)
boxcox1p = elementwise(
    sp.boxcox1p,
    [
        lambda _out, x, lmbda: exp((lmbda - 1) * weakly(log1p, x)),
        lambda _out, x, lmbda: boxcox_slope(weakly(log1p, x), lmbda),
    ],
    samples=on(POSITIVE, REALS),
)
inv_boxcox = elementwise(
    sp.inv_boxcox,
    [
        lambda out, y, lmbda: out / (1 + lmbda * y),
        lambda out, y, lmbda: out * (y * y * _log1prel_slope(lmbda * y)),
    ],
    samples=on((-0.4, 0.8), (-0.9, 0.9)),
)
inv_boxcox1p = elementwise(
    sp.inv_boxcox1p,
    [
        lambda out, y, lmbda: (1 + out) / (1 + lmbda * y),
        lambda out, y, lmbda: (1 + out) * (y * y * _log1prel_slope(lmbda * y)),
    ],
    samples=on((-0.4, 0.8), (-0.9, 0.9)),
)

# --- exponentials and trigonometry ---------------------------------------------------------------------

exp10 = elementwise(sp.exp10, [lambda out, _x: out * LOG_10], samples=on(REALS))
cosm1 = elementwise(sp.cosm1, [lambda _out, x: -sin(x)], samples=on(REALS))
powm1 = elementwise(
    sp.powm1,
    [
        lambda out, x, y: y * (1 + out) / x,
        lambda out, x, _y: (1 + out) * weakly(log, x),
    ],
    samples=on(POSITIVE, REALS),
)
sindg = elementwise(sp.sindg, [lambda _out, x: PER_DEGREE * cosdg(x)], samples=on((-80.0, 80.0)))
cosdg: Function = elementwise(sp.cosdg, [lambda _out, x: -PER_DEGREE * sindg(x)], samples=on((5.0, 80.0)))
tandg = elementwise(sp.tandg, [lambda out, _x: PER_DEGREE * (1 + out * out)], samples=on((-50.0, 50.0)))
cotdg = elementwise(sp.cotdg, [lambda out, _x: -PER_DEGREE * (1 + out * out)], samples=on((30.0, 80.0)))

radian = elementwise(  # degrees, minutes and seconds of an arc
    sp.radian,
    [
        lambda _out, _d, _m, _s: PER_DEGREE,
        lambda _out, _d, _m, _s: PER_DEGREE / 60,
        lambda _out, _d, _m, _s: PER_DEGREE / 3600,
    ],
    samples=on(REALS, REALS, REALS),
)
round_ = locally_constant(sp.round, name="nearest_integer", samples=on((-1.9, -1.6)))
