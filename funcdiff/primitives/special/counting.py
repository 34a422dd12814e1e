"""Distribution functions of counts: binomial, negative binomial, Poisson; their inverses in every argument.

SciPy rounds counts down, or takes whole numbers only; a function that is inverted for a count is the
incomplete gamma or beta function, continuous in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from funcdiff.core.declare import elementwise
from funcdiff.primitives.arithmetic import weakly
from funcdiff.primitives.comparison import floor
from funcdiff.primitives.domains import POSITIVE, UNIT, on
from funcdiff.primitives.special.incomplete import beta_density, betainc_order, gamma_density, gamma_slope
from funcdiff.primitives.special.shared import INTEGER

# --- samples: whole counts, and real ones where a count is the answer ------------------------------------------


def _counts(*draws: Any) -> Any:
    """Return a sampler of counts below 4, numbers from 5 to 8, and intervals."""

    def samples(rng: np.random.Generator) -> Any:
        def draw(d: Any, shape: Any) -> Any:
            if d == "k":
                return rng.integers(1, 4, shape)
            if d == "n":
                return rng.integers(5, 9, shape)
            low, high = d
            return rng.uniform(low, high, shape)

        return [(tuple(draw(d, 3) for d in draws), {}), (tuple(draw(d, None) for d in draws), {})]

    return samples


def _whole(k: Any) -> Any:
    return weakly(floor, k)


# --- Poisson: Q(k + 1, m) ------------------------------------------------------------------------------------

pdtr = elementwise(
    sp.pdtr, [0, lambda _out, k, m: -gamma_density(_whole(k) + 1, m)], samples=on((1.2, 1.8), POSITIVE)
)
pdtrc = elementwise(
    sp.pdtrc, [0, lambda _out, k, m: gamma_density(_whole(k) + 1, m)], samples=on((1.2, 1.8), POSITIVE)
)
pdtri = elementwise(  # m
    sp.pdtri,
    [None, lambda out, k, _y: -1 / gamma_density(k + 1, out)],
    samples=_counts("k", UNIT),
    missing={0: INTEGER},
)
pdtrik = elementwise(  # k
    sp.pdtrik,
    [
        lambda out, _p, m: -1 / gamma_slope(out + 1, m),
        lambda out, _p, m: -gamma_density(out + 1, m) / gamma_slope(out + 1, m),
    ],
    samples=on((0.5, 0.8), (2.0, 4.0)),
)

# --- binomial: I(n - k, k + 1) at 1 - p --------------------------------------------------------------------------


def _binomial_p(k: Any, n: Any, p: Any) -> Any:
    return -beta_density(k + 1, n - k, p)


def _binomial_n(k: Any, n: Any, p: Any) -> Any:
    return betainc_order(n - k, k + 1, (1 - p) / p, orders=(1, 0))


def _binomial_k(k: Any, n: Any, p: Any) -> Any:
    return betainc_order(n - k, k + 1, (1 - p) / p, orders=(0, 1)) - _binomial_n(k, n, p)


bdtr = elementwise(
    sp.bdtr,
    [0, None, lambda _out, k, n, p: _binomial_p(_whole(k), n, p)],
    samples=_counts((1.2, 1.8), "n", UNIT),
    missing={1: INTEGER},
)
bdtrc = elementwise(
    sp.bdtrc,
    [0, None, lambda _out, k, n, p: -_binomial_p(_whole(k), n, p)],
    samples=_counts((1.2, 1.8), "n", UNIT),
    missing={1: INTEGER},
)
bdtri = elementwise(  # p
    sp.bdtri,
    [0, None, lambda out, k, n, _y: 1 / _binomial_p(_whole(k), n, out)],
    samples=_counts((1.2, 1.8), "n", UNIT),
    missing={1: INTEGER},
)
bdtrik = elementwise(  # k
    sp.bdtrik,
    [
        lambda out, _y, n, p: 1 / _binomial_k(out, n, p),
        lambda out, _y, n, p: -_binomial_n(out, n, p) / _binomial_k(out, n, p),
        lambda out, _y, n, p: -_binomial_p(out, n, p) / _binomial_k(out, n, p),
    ],
    samples=on((0.3, 0.8), (8.0, 12.0), (0.3, 0.7)),
)
bdtrin = elementwise(  # n
    sp.bdtrin,
    [
        lambda out, k, _y, p: -_binomial_k(k, out, p) / _binomial_n(k, out, p),
        lambda out, k, _y, p: 1 / _binomial_n(k, out, p),
        lambda out, k, _y, p: -_binomial_p(k, out, p) / _binomial_n(k, out, p),
    ],
    samples=on((2.0, 4.0), (0.3, 0.8), (0.3, 0.7)),
)

# --- negative binomial: I(n, k + 1) at p --------------------------------------------------------------------------


def _failures_p(k: Any, n: Any, p: Any) -> Any:
    return beta_density(n, k + 1, p)


def _failures_n(k: Any, n: Any, p: Any) -> Any:
    return betainc_order(n, k + 1, p / (1 - p), orders=(1, 0))


def _failures_k(k: Any, n: Any, p: Any) -> Any:
    return betainc_order(n, k + 1, p / (1 - p), orders=(0, 1))


nbdtr = elementwise(
    sp.nbdtr,
    [None, None, lambda _out, k, n, p: _failures_p(k, n, p)],
    samples=_counts("k", "n", UNIT),
    missing={0: INTEGER, 1: INTEGER},
)
nbdtrc = elementwise(
    sp.nbdtrc,
    [None, None, lambda _out, k, n, p: -_failures_p(k, n, p)],
    samples=_counts("k", "n", UNIT),
    missing={0: INTEGER, 1: INTEGER},
)
nbdtri = elementwise(  # p
    sp.nbdtri,
    [None, None, lambda out, k, n, _y: 1 / _failures_p(k, n, out)],
    samples=_counts("k", "n", UNIT),
    missing={0: INTEGER, 1: INTEGER},
)
nbdtrik = elementwise(  # k
    sp.nbdtrik,
    [
        lambda out, _y, n, p: 1 / _failures_k(out, n, p),
        lambda out, _y, n, p: -_failures_n(out, n, p) / _failures_k(out, n, p),
        lambda out, _y, n, p: -_failures_p(out, n, p) / _failures_k(out, n, p),
    ],
    samples=on((0.4, 0.8), (3.0, 5.0), (0.3, 0.5)),
)
nbdtrin = elementwise(  # n
    sp.nbdtrin,
    [
        lambda out, k, _y, p: -_failures_k(k, out, p) / _failures_n(k, out, p),
        lambda out, k, _y, p: 1 / _failures_n(k, out, p),
        lambda out, k, _y, p: -_failures_p(k, out, p) / _failures_n(k, out, p),
    ],
    samples=on((3.0, 5.0), (0.3, 0.7), (0.3, 0.5)),
)
