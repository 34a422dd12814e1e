"""Elementwise machine code where signs of zeros, infinities and NaN decide."""

from __future__ import annotations

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not
from funcdiff.primitives.arithmetic import scale

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

HARD = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, -2e-308, 1e308]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("p", [0.1, -0.1, 1.0, -1.0, 0.0, -0.0, 4.0, 1e308, np.inf, np.nan, 3e-310])
def test_products_with_a_constant_in_which_a_zero_stays_zero(p, dtype):
    with np.errstate(all="ignore"):
        p = dtype(p)
        for g in (np.array(3 * HARD, dtype), np.array(HARD[:4], dtype)):
            found = fd.jit(lambda g: scale(g, p), backend="native")(g)
            expected = scale(g, p)
            np.testing.assert_array_equal(found, expected)
            known = ~np.isnan(expected)
            np.testing.assert_array_equal(np.signbit(found[known]), np.signbit(expected[known]))
