"""Running sums and products under the native backend: those of NumPy, and their derivatives."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
SHAPES = [((1,), 0), ((5,), 0), ((1000,), 0), ((6, 7), 0), ((6, 7), 1), ((3, 40, 5), 1), ((3, 1, 5), 1)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("f", [np.cumsum, np.cumprod])
def test_values_are_those_of_numpy(f, shape, axis, dtype):
    x = np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(dtype)
    for point in (x, x[::-1].copy()):
        found, expected = jit(lambda x: f(x, axis=axis))(point), f(point, axis=axis)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("f", [np.cumsum, np.cumprod])
def test_derivatives(f, shape, axis):
    x = np.random.default_rng(1).uniform(0.8, 1.2, shape)
    gradient = fd.value_and_grad(lambda x: np.sum(np.sin(f(2 * x - 1, axis=axis))))
    for found, expected in zip(jit(gradient)(x), gradient(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_missing_and_infinite_numbers_go_on():
    x = np.array([1.0, -0.0, np.inf, 2.0, -np.inf, np.nan, 1.0])
    with np.errstate(all="ignore"):
        for f in (np.cumsum, np.cumprod):
            np.testing.assert_array_equal(jit(f)(x), f(x))
        assert "fd.cumsum.f64" in jit(np.cumsum).lower(x).source
